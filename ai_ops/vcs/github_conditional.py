"""What GitHub need not send again: it is asked with the ETag of the last answer, and a 304 costs no quota."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from github.Requester import Requester

_MOST = 1000  # answers
_A_PAGE = 100


class Asked(Protocol):
    """An object of PyGithub: where it is, and what it asks with."""

    @property
    def url(self) -> str:
        """Its address in the API."""
        ...

    @property
    def requester(self) -> Requester:
        """What it asks with."""
        ...


@dataclass(frozen=True, slots=True)
class _Answer:
    etag: str
    data: Any


class Conditional:
    """The newest answers with their ETags. Threads may share it; those asked for longest ago go first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, ...], _Answer] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, of: Asked, path: str = "", query: Mapping[str, str] | None = None) -> Any:
        """Return the JSON of what lies at a path below an object, as it is now.

        Raises:
            GithubException: as every call of PyGithub.
        """
        query = dict(query or {})
        key = (of.url, path, *(f"{name}={value}" for name, value in sorted(query.items())))
        with self._lock:
            kept = self._kept.get(key)
        sent = {"If-None-Match": kept.etag} if kept else {}
        headers, data = of.requester.requestJsonAndCheck("GET", of.url + path, query, sent)
        if data is None and kept is not None:  # 304 has no body, and only an answer to our ETag can be one
            data = kept.data
        self._keep(key, str(headers.get("etag") or (kept.etag if kept else "")), data)
        return data

    def all(self, of: Asked, path: str, query: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
        """Yield every item of a list, page by page."""
        number = 1
        while True:
            page = self.get(of, path, {**(query or {}), "per_page": str(_A_PAGE), "page": str(number)})
            yield from page
            if len(page) < _A_PAGE:
                return
            number += 1

    def _keep(self, key: tuple[str, ...], etag: str, data: Any) -> None:
        if not etag or data is None:
            return
        with self._lock:
            self._kept[key] = _Answer(etag, data)
            self._kept.move_to_end(key)
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
