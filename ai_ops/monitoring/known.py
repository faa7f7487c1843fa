"""The contents that are known: how far each was read, under whatever inode it lies or lay.

An inode is given to another file as soon as its own is deleted, which rotation does all the time. What was
read of the content that lay there before is kept: a packed copy of it may turn up later.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator

from ai_ops.monitoring.checkpoint import Checkpoint
from ai_ops.monitoring.rotation import family, order

Key = tuple[int, int]


class KnownContents:
    """All checkpoints; by device and inode that of the latest content."""

    def __init__(self, checkpoints: Iterable[Checkpoint] = ()) -> None:
        self._latest: dict[Key, Checkpoint] = {}
        self._former: dict[tuple[Key, int], Checkpoint] = {}
        self._families: dict[str, frozenset[str]] = {}
        for checkpoint in sorted(checkpoints, key=lambda checkpoint: checkpoint.generation):
            self.learn(checkpoint)

    def __iter__(self) -> Iterator[Checkpoint]:
        """Iterate over a snapshot of all."""
        return iter([*self._former.values(), *self._latest.values()])

    def __contains__(self, key: Key) -> bool:
        return key in self._latest

    def get(self, key: Key) -> Checkpoint | None:
        """Return where reading of the inode's latest content stands."""
        return self._latest.get(key)

    def learn(self, checkpoint: Checkpoint) -> None:
        """Take in where reading of one content stands."""
        last = self._latest.get(checkpoint.key)
        if last is not None and last.generation != checkpoint.generation:
            self._former[last.key, last.generation] = last
        self._latest[checkpoint.key] = checkpoint

    def next_generation(self, key: Key) -> int:
        """Return the number of a new content of an inode; one of which nothing was read counts for none."""
        last = self._latest.get(key)
        return 0 if last is None else last.generation + bool(last.offset)

    def read_of(self, names: frozenset[str]) -> list[Checkpoint]:
        """Return what was read of contents that may be rotated forms of one of some places, or lay there."""
        return [c for c in self if c.offset and not names.isdisjoint(self._family(c.place))]

    def _family(self, place: str) -> frozenset[str]:
        if place not in self._families:
            self._families[place] = family(place)
        return self._families[place]

    def forget(self, before: float, keep: Collection[Key]) -> None:
        """Forget what no look has found since ``before``, but for the files of ``keep``."""
        self._latest = {k: c for k, c in self._latest.items() if k in keep or c.seen_at >= before}
        self._former = {k: c for k, c in self._former.items() if c.seen_at >= before}
        self._families.clear()

    def places(self) -> dict[str, str]:
        """Return where the file was that was followed first as each path."""
        first = sorted(self, key=lambda c: (c.seen_at, order(c.place)), reverse=True)
        return {checkpoint.path: checkpoint.place for checkpoint in first}

    def seen_until(self) -> dict[str, float]:
        """Return for each path the time from which on unknown files may have been rotated away from it.

        It is when it was seen last; what was never read by then may be anywhere by now.
        """
        until: dict[str, float] = {}
        for checkpoint in sorted(self, key=lambda c: (c.is_untouched, -c.seen_at)):
            latest = until.setdefault(checkpoint.path, checkpoint.seen_at)
            if checkpoint.is_untouched:
                until[checkpoint.path] = min(latest, checkpoint.seen_at)
        return until

    def last_look(self) -> float:
        """Return when a file was seen last, now when none was."""
        return max((checkpoint.seen_at for checkpoint in self), default=time.time())
