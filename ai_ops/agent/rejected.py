"""``spool/rejected/``: the events that the server did not take, one file each, until they are sent again.

A move between this folder and the outbox touches a file and a database, and a kill may come between the
two. So a file whose move is not over is called ``.moving``, and the outbox decides where its event is:
what waits there has no place here, everything else does. ``settle`` applies that rule after each
move, and at the start to what a kill left.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MAX_FILES = 1000
_BATCH_BYTES = 2 << 20
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Rejected:
    """One event as it is on the wire, and the size of its file in bytes."""

    event_id: str
    event: dict[str, Any]
    size: int

    @property
    def count(self) -> int:
        """How many occurrences it stands for."""
        return int(self.event["count"])


class RejectedFolder:
    """The files. Used by one thread: whoever resends at the start, and then the shipper.

    Args:
        folder: made when the first file comes; files are readable for the owner alone.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder

    def room(self) -> int:
        """Return how many more events are kept; the rest is only counted."""
        return max(0, _MAX_FILES - sum(1 for _ in self.path.iterdir())) if self.path.is_dir() else _MAX_FILES

    def begin_keeping(self, event_id: str, reason: str, event: bytes) -> None:
        """Write an event that is about to leave the outbox; raises ``OSError``."""
        self.path.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(self.path / f"{event_id}.moving", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 - the handle carries the mode
            json.dump({"reason": reason, "event": json.loads(event)}, file, ensure_ascii=False, indent=1)
            file.flush()
            os.fsync(file.fileno())

    def lift(self) -> Iterator[list[Rejected]]:
        """Begin to move everything away, in bounded batches; settle after each.

        A file that does not hold an event stays as it is. Raises ``OSError``.
        """
        batch: list[Rejected] = []
        for path in sorted(self.path.glob("*.json")):
            found = _read(path)
            if found is None:
                continue
            if batch and (len(batch) == _BATCH or sum(r.size for r in batch) + found.size > _BATCH_BYTES):
                self.sync()
                yield batch
                batch = []
            path.replace(path.with_suffix(".moving"))
            batch.append(found)
        if batch:
            self.sync()
            yield batch

    @contextlib.contextmanager
    def moving(self, waits: Callable[[str], bool]) -> Iterator[None]:
        """Settle at the end, also when the move failed halfway."""
        try:
            yield
        finally:
            self.settle(waits)

    def settle(self, waits: Callable[[str], bool]) -> None:
        """End the moves that were begun. Raises ``OSError``.

        Args:
            waits: says whether an event of this id is in the outbox.
        """
        begun = list(self.path.glob("*.moving"))
        for path in begun:
            if waits(path.stem):
                path.unlink()
            else:
                path.replace(path.with_suffix(".json"))
        if begun:
            self.sync()

    def files(self) -> int:
        """Return how many files lie here."""
        return sum(1 for _ in self.path.glob("*.json"))

    def sync(self) -> None:
        """Make the names durable, as far as the system can."""
        with contextlib.suppress(OSError):  # Windows opens no folders
            handle = os.open(self.path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _read(path: Path) -> Rejected | None:
    try:
        data = path.read_bytes()
        value = json.loads(data)
        event = value["event"]
        json.dumps(event, ensure_ascii=False).encode()
        texts = (event["event_id"], event["source"]["path"], event["repo"]["repo_url"])
        whole = texts[0] == path.stem and all(isinstance(text, str) for text in texts)
        counts = type(event["count"]) is int and event["count"] > 0
        return Rejected(path.stem, event, len(data)) if whole and counts else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
