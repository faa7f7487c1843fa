"""Elasticsearch and OpenSearch, asked every few seconds for the documents that are new.

Documents are read by ``@timestamp``. They arrive late and out of order, so the last part of what was read
is read again each time, and those that were seen are passed over: the position is a time, and the
documents seen since. A point in time holds the pages of one look together.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ai_ops.core.failures import failed
from ai_ops.core.logline import LEVELS
from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.monitoring.sources.http import Endpoint, ask
from ai_ops.monitoring.sources.lines import capped
from ai_ops.monitoring.sources.port import BEGINNING, Entry, Mark

MAX_PAGE = 500
_ANSWER_BYTES = 64 << 20
# More documents than this are not remembered; then less of the past is read again.
_REMEMBERED = 5000
_KEEP_ALIVE = "2m"
_MESSAGES = ("message", "msg", "log", "body", "event.original")
_TRACES = ("error.stack_trace", "stack_trace", "exception.stacktrace", "exc_info", "traceback")
_LEVELS = ("log.level", "level", "severity", "severity_text", "levelname")


@dataclass(frozen=True, slots=True)
class ElkOptions:
    """What is read.

    Attributes:
        index: a name, a pattern or several with commas; empty: all.
        query: in the syntax of ``query_string``; narrows the documents.
        poll_seconds: between two looks.
        late_seconds: how late a document may arrive, by its ``@timestamp``.
        page: documents in one answer.
        follow: go on when everything was read.
        from_start: without a position, begin with the oldest document instead of now.
    """

    index: str = ""
    query: str = ""
    poll_seconds: float = 30.0
    late_seconds: float = 60.0
    page: int = MAX_PAGE
    follow: bool = True
    from_start: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    """Everything before ``low`` is done, and of the rest the documents in ``seen``.

    Times are in milliseconds; ``seen`` holds those of the documents.
    """

    low: int
    seen: Mapping[str, int]

    @classmethod
    def parse(cls, position: str) -> _Place:
        if position == BEGINNING:
            return cls(0, {})
        value = json.loads(position)
        return cls(value["low"], {name: value["low"] + after for name, after in value["seen"].items()})

    def __str__(self) -> str:
        seen = {name: at - self.low for name, at in self.seen.items()}
        return json.dumps({"low": self.low, "seen": seen}, separators=(",", ":"))

    def after(self, seen: Mapping[str, int], late_ms: int) -> _Place:
        """Return the place after documents were seen, in the order of their times."""
        newest = max(seen.values(), default=self.low)
        low = max(self.low, newest - late_ms)
        kept = {name: at for name, at in {**self.seen, **seen}.items() if at >= low}
        if len(kept) > _REMEMBERED:
            # What lies at the newest time must all be remembered: another one may follow on the next page.
            low = max(low, min(sorted(kept.values())[-_REMEMBERED], newest))
            kept = {name: at for name, at in kept.items() if at >= low}
        return _Place(low, kept)


@dataclass(frozen=True, slots=True)
class _View:
    """A point in time: its id, what orders documents of one time in it, and how it is given back."""

    id: str
    tiebreaker: str
    path: str
    closing: Mapping[str, Any]


class ElkSource:
    """Reads the documents of an index.

    Args:
        endpoint: the service's root.
        options: what is read.
        clock: Unix seconds.
    """

    def __init__(
        self, endpoint: Endpoint, options: ElkOptions, clock: Callable[[], float] = time.time
    ) -> None:
        self._endpoint = endpoint
        self._options = options
        self._clock = clock
        digest = hashlib.blake2b(f"{options.index}\0{options.query}".encode(), digest_size=8).hexdigest()
        self._stream = f"elk:{endpoint.name}:{digest}"

    async def entries(self, positions: Mapping[str, str]) -> AsyncGenerator[Entry | Mark, None]:
        """Yield the documents; see ``LogSource``."""
        said = positions.get(self._stream)
        begin = 0 if self._options.from_start else int(self._clock() * 1000)
        place = _Place.parse(said) if said else _Place(begin, {})
        yield Mark(self._stream, str(place))
        while True:
            async with self._view() as view:
                async for hits in self._pages(view, place.low):
                    seen = {_name(hit): _millis(hit) for hit in hits}
                    new = [hit for hit in hits if _name(hit) not in place.seen]
                    place = place.after(seen, int(self._options.late_seconds * 1000))
                    for hit in new:
                        yield _entry(self._stream, hit)
                    yield Mark(self._stream, str(place))
            if not self._options.follow:
                return
            await asyncio.sleep(self._options.poll_seconds)

    async def _pages(self, view: _View, low: int) -> AsyncIterator[Sequence[Mapping[str, Any]]]:
        filters: list[dict[str, Any]] = [
            # What is dated ahead is read when its time has come, lest everything else be late.
            {
                "range": {
                    "@timestamp": {"gte": low, "lte": int(self._clock() * 1000), "format": "epoch_millis"}
                }
            }
        ]
        if self._options.query:
            filters.append({"query_string": {"query": self._options.query}})
        by_time = {"order": "asc", "numeric_type": "date", "unmapped_type": "date"}
        body: dict[str, Any] = {
            "size": self._options.page,
            "query": {"bool": {"filter": filters}},
            "sort": [{"@timestamp": by_time}, {view.tiebreaker: "asc"}],
            "pit": {"id": view.id, "keep_alive": _KEEP_ALIVE},
            "track_total_hits": False,
        }
        while True:
            answer = await self._ask("POST", "/_search", body)
            hits = _hits(answer)
            if hits:
                yield hits
            if len(hits) < self._options.page:
                return
            body["search_after"] = hits[-1]["sort"]
            body["pit"] = {**body["pit"], "id": answer.get("pit_id") or view.id}

    @contextlib.asynccontextmanager
    async def _view(self) -> AsyncIterator[_View]:
        """Open a point in time, and give it back."""
        view = await self._open()
        try:
            yield view
        finally:
            with contextlib.suppress(AiOpsError):  # else it ends by itself
                await self._ask("DELETE", view.path, view.closing)

    async def _open(self) -> _View:
        index = quote(self._options.index or "*", safe="*,-_.:")
        query = f"?keep_alive={_KEEP_ALIVE}&ignore_unavailable=true"
        try:
            name = _named(await self._ask("POST", f"/{index}/_pit{query}"), "id")
            return _View(name, "_shard_doc", "/_pit", {"id": name})
        except PermanentError as refused:
            try:
                answer = await self._ask("POST", f"/{index}/_search/point_in_time{query}")
                name = _named(answer, "pit_id")
            except PermanentError:
                raise refused from None  # it is no OpenSearch either
        # Its older versions have no better tiebreaker.
        return _View(name, "_id", "/_search/point_in_time", {"pit_id": [name]})

    async def _ask(self, method: str, target: str, body: Any = None) -> Any:
        return await ask(self._endpoint, method, target, body, limit=_ANSWER_BYTES)


def _unexpected() -> AiOpsError:
    return failed("source_unexpected")


def _named(answer: Any, key: str) -> str:
    value = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(value, str):
        raise _unexpected()
    return value


def _hits(answer: Any) -> list[Mapping[str, Any]]:
    """Return the documents of a page.

    Raises:
        TemporaryError: ``source_busy``: some shards did not answer, and their documents would be passed over.
        PermanentError: ``source_unexpected``.
    """
    try:
        if answer.get("timed_out") or answer.get("_shards", {}).get("failed"):
            raise failed("source_busy", "some shards of the index did not answer")
        hits = answer["hits"]["hits"]
        for hit in hits:
            _millis(hit), hit["_index"], hit["_id"]
    except (KeyError, TypeError, AttributeError, ValueError, IndexError):
        raise _unexpected() from None
    return list(hits)


def _millis(hit: Mapping[str, Any]) -> int:
    return int(hit["sort"][0])


def _name(hit: Mapping[str, Any]) -> str:
    """Return a short name of a document, for the position."""
    address = f"{hit['_index']}/{hit['_id']}".encode("utf-8", "replace")
    return base64.b85encode(hashlib.blake2b(address, digest_size=8).digest()).decode()


def _entry(stream: str, hit: Mapping[str, Any]) -> Entry:
    source = hit.get("_source")
    document: Mapping[str, Any] = source if isinstance(source, dict) else {}
    address = f"elk:{hit['_index']}/{hit['_id']}"
    level = next((str(v) for name in _LEVELS if (v := _field(document, name))), "")
    return Entry(
        stream,
        "",
        address,
        capped(_text(document).encode("utf-8", "replace")),
        address,
        time=_millis(hit) / 1000,
        level=LEVELS.get(level.strip().upper(), ""),
        whole=True,
    )


def _text(document: Mapping[str, Any]) -> str:
    """Return the words of a document as a logger would print them: its message, and its trace below."""
    message = next((v for name in _MESSAGES if isinstance(v := _field(document, name), str) and v), "")
    trace = next((v for name in _TRACES if isinstance(v := _field(document, name), str) and v), "")
    kind, words = _field(document, "error.type"), _field(document, "error.message")
    if not trace and isinstance(kind, str) and kind:
        trace = f"{kind}: {words if isinstance(words, str) and words else message}"
        message = "" if trace.endswith(message) else message
    if not message and not trace:
        return json.dumps(document, ensure_ascii=False)
    return message if trace in message else f"{message}\n{trace}".strip("\n")


def _field(document: Mapping[str, Any], name: str) -> Any:
    """Return a field, whether it was written with dots or as objects in objects."""
    if name in document:
        return document[name]
    outer, dot, inner = name.partition(".")
    nested = document.get(outer)
    return _field(nested, inner) if dot and isinstance(nested, dict) else None
