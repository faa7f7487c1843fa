"""The systemd journal, read through ``journalctl``: its cursor is the position."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from ai_ops.core.failures import failed
from ai_ops.monitoring.sources.lines import LineSplitter, capped
from ai_ops.monitoring.sources.port import BEGINNING, Entry, Mark
from ai_ops.process import clean_environment, kill_group, start

_log = logging.getLogger(__name__)

_CHUNK = 64 << 10
# A binary message is written as an array of numbers, up to five characters a byte.
_ENTRY_BYTES = 8 << 20
_FIELDS = "MESSAGE,PRIORITY,_SYSTEMD_UNIT,_SYSTEMD_USER_UNIT,SYSLOG_IDENTIFIER,_PID"
_LEVELS = {"0": "CRITICAL", "1": "CRITICAL", "2": "CRITICAL", "3": "ERROR"}
_COMPLAINT_BYTES = 2000


class JournaldSource:
    """Reads the journal's entries as they come.

    Args:
        units: only of these; none of them: of all.
        command: how ``journalctl`` is called.
        follow: go on when the end is reached.
        from_start: without a position, begin with the oldest entry instead of at the end.
        own_pid: what this process says is passed over, lest its words about an error become another one.
    """

    def __init__(
        self,
        units: Sequence[str] = (),
        command: Sequence[str] = ("journalctl",),
        *,
        follow: bool = True,
        from_start: bool = False,
        own_pid: int | None = None,
    ) -> None:
        self._units = tuple(units)
        self._command = tuple(command)
        self._follow = follow
        self._from_start = from_start
        self._own = str(os.getpid() if own_pid is None else own_pid)
        self._stream = "journald:" + ",".join(sorted(self._units))

    async def entries(self, positions: Mapping[str, str]) -> AsyncGenerator[Entry | Mark, None]:
        """Yield the entries; see ``LogSource``."""
        position = positions.get(self._stream) or (BEGINNING if self._from_start else await self._end())
        yield Mark(self._stream, position)
        # Following shows entries of the current boot alone, so what there is is read without it first.
        for how in ((), ("--follow", "--no-tail")) if self._follow else ((),):
            async with contextlib.aclosing(self._after(position, *how)) as items:
                async for item in items:
                    entry = _entry(self._stream, item)
                    if entry is not None:
                        position = entry.position
                        yield entry if entry.lane != self._own else Mark(entry.stream, entry.position)

    async def _after(self, position: str, *how: str) -> AsyncGenerator[dict[str, Any], None]:
        """Yield what comes after a position."""
        # Not --after-cursor: where the entry of the cursor is not one of the units, that leaves one more out.
        begin = [] if position == BEGINNING else [f"--cursor={position}"]
        chosen = [f"--unit={unit}" for unit in self._units]
        async with contextlib.aclosing(
            self._run(f"--output-fields={_FIELDS}", *how, *begin, *chosen)
        ) as items:
            async for item in items:
                if item.get("__CURSOR") != position:
                    yield item

    async def _end(self) -> str:
        """Return the position of the newest entry of all units; an empty journal has only its beginning."""
        async with contextlib.aclosing(self._run("--lines=1")) as items:
            async for item in items:
                if isinstance(cursor := item.get("__CURSOR"), str):
                    return cursor
        return BEGINNING

    async def _run(self, *arguments: str) -> AsyncGenerator[dict[str, Any], None]:
        """Yield what ``journalctl`` prints, until it ends.

        Raises:
            PermanentError: ``source_missing``.
            TemporaryError: ``source_failed``.
        """
        argv = [*self._command, "--output=json", "--all", "--no-pager", "--quiet", *arguments]
        try:
            child = await start(argv, env=clean_environment())
        except OSError as error:
            raise failed("source_missing", f"{argv[0]}: {error.strerror}") from None
        if not child.stdin or not child.stdout or not child.stderr:  # pragma: no cover - they were asked for
            raise RuntimeError("the child has no pipes")
        child.stdin.close()
        complaining = asyncio.create_task(_last_words(child.stderr))
        lines = LineSplitter(_ENTRY_BYTES)
        try:
            while chunk := await child.stdout.read(_CHUNK):
                for line, _ in lines.feed(chunk):
                    if (item := _parsed(line)) is not None:
                        yield item
            code = await child.wait()
            if code != 0 or "--follow" in arguments:
                words = await complaining
                raise failed("source_failed", f"{argv[0]} ended with {code}: {words}")
        finally:
            kill_group(child.pid)
            complaining.cancel()
            await child.wait()


async def _last_words(stream: asyncio.StreamReader) -> str:
    said = b""
    while chunk := await stream.read(_CHUNK):
        said = (said + chunk)[-_COMPLAINT_BYTES:]
    return said.decode("utf-8", "replace").strip()


def _parsed(line: bytes) -> dict[str, Any] | None:
    """Return an entry; None for what is not one, such as a line of many megabytes that was cut."""
    try:
        item = json.loads(line)
    except (ValueError, RecursionError):
        _log.warning("an entry of the journal cannot be read and is passed over: %d bytes", len(line))
        return None
    return item if isinstance(item, dict) else None


def _entry(stream: str, item: Mapping[str, Any]) -> Entry | None:
    cursor = item.get("__CURSOR")
    if not isinstance(cursor, str):
        return None
    unit = _text(item.get("_SYSTEMD_USER_UNIT")) or _text(item.get("_SYSTEMD_UNIT"))
    name = unit or _text(item.get("SYSLOG_IDENTIFIER")) or "journal"
    stamp = _text(item.get("__REALTIME_TIMESTAMP"))
    return Entry(
        stream,
        cursor,
        f"journald:{name}",
        capped(_bytes(item.get("MESSAGE")).rstrip(b"\r\n")),
        f"journald:{cursor}",
        lane=_text(item.get("_PID")),
        time=int(stamp) / 1e6 if stamp.isascii() and stamp.isdecimal() else None,
        # What a service prints counts as "info", whatever it says: only what is worse than that is meant.
        level=_LEVELS.get(_text(item.get("PRIORITY")), ""),
    )


def _text(value: Any) -> str:
    return _bytes(value).decode("utf-8", "replace")


def _bytes(value: Any) -> bytes:
    """Return a field: text, numbers where it is not text, or an array of both where it is repeated."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace")
    if not isinstance(value, list):
        return b""
    if all(isinstance(item, int) and 0 <= item < 256 for item in value):
        return bytes(value)
    return b"\n".join(_bytes(item) for item in value if isinstance(item, str | list))
