"""Server-sent events, read line by line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event; ``id`` is empty where the server gave none."""

    kind: str
    id: str
    data: Any


def parse(lines: Iterable[bytes]) -> Iterator[ServerEvent]:
    """Yield the events of a stream as they are complete; comments and unknown fields are skipped."""
    given: dict[str, str] = {}
    for raw in lines:
        text = raw.decode("utf-8", "replace").rstrip("\r\n")
        if text:
            name, _, value = text.partition(":")
            given[name] = value.removeprefix(" ")
        elif "data" in given:
            yield ServerEvent(given.get("event", "message"), given.get("id", ""), json.loads(given["data"]))
            given = {}
