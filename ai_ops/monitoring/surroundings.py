"""What lies beside the followed files: where rotation puts what was there before.

A folder is listed only when its time says that files came, went or were renamed in it. Names move while one
looks; what could not be found or opened is looked for again, without forgetting since when.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ai_ops.monitoring.known import Key, KnownContents
from ai_ops.monitoring.matching import Match, source_of
from ai_ops.monitoring.rotation import files_in, is_between, originals

# File times lag behind the clock by up to a tick.
CLOCK_GRAIN = 0.05


@dataclass(frozen=True, slots=True)
class Base:
    """A place beside which rotated forms of what is followed as ``path`` are looked for.

    Unknown ones count when they changed at or after ``since``. ``before`` is where the file was then that was
    followed as ``path``.
    """

    path: str
    source: int
    since: float
    before: str = ""


Candidate = tuple[str, os.stat_result, Base]


class Surroundings:
    """Remembers where files were at the last look, and says where to search at the next.

    Args:
        patterns: absolute paths or globs.
        known: what is known already.
        followed_before: the patterns whose files were all seen already.
    """

    def __init__(
        self, patterns: Sequence[str], known: KnownContents, followed_before: Collection[str]
    ) -> None:
        self._patterns = patterns
        self._known = known
        self._followed_before = followed_before
        self._at_path: dict[str, Match] = {}
        self._places: dict[str, str] = {}
        self._originals = {os.path.realpath(p) for p in patterns} | {c.place for c in known}
        self._folder_times: dict[str, int] = {}
        self._behind: dict[str, Base] = {}
        self._looked_at = 0.0
        self.is_first = True

    def place(self, path: str) -> str:
        """Return where the file at a path itself is; links on the way may be moved later."""
        return self._places.get(path) or os.path.realpath(path)

    def was_at(self, path: str, key: Key) -> bool:
        """Whether the last look found that file at the path."""
        return path in self._at_path and self._at_path[path].key == key

    def base(self, match: Match) -> Base:
        """Return the base of a file that matches."""
        return Base(match.path, match.source, self._looked_at or time.time())

    def seen_until(self, path: str) -> float:
        """Return until when all is known that was rotated away from a path; infinity after a whole look."""
        return self._behind[path].since if path in self._behind else math.inf

    def originals(self, place: str) -> frozenset[str]:
        """Return the places of files that are or were followed of which a file may be a rotated form."""
        return frozenset(name for name in originals(place) if name in self._originals)

    def look(self, found: Sequence[Match]) -> dict[str, Base]:
        """Take in what matches now; return the bases, by place, beside which something may have come."""
        before = self._known.places() if self.is_first else dict(self._places)
        for match in found:
            if not self.was_at(match.path, match.key):
                place = self._places[match.path] = os.path.realpath(match.path)
                self._originals.add(place)
        sources = {match.path: match.source for match in found}
        if self.is_first:
            return self._at_start(before, sources)
        for match in self._at_path.values():
            sources.setdefault(match.path, match.source)
        for source, pattern in enumerate(self._patterns):
            sources.setdefault(pattern, source)  # a glob is the name of no file: nothing is beside it
        bases = {}
        for path, source in sources.items():
            base = Base(path, source, self._looked_at, before.get(path, ""))
            bases[self.place(path)] = self._behind.get(path, base)
        return self._changed(bases)

    def looked(self, found: Sequence[Match], began: float) -> None:
        """End a look that began then."""
        self._at_path = {match.path: match for match in found}
        self._looked_at = began
        self.is_first = False

    def look_again(self, base: Base, place: str) -> None:
        """Let the next look find what could not be opened now."""
        known = self._behind.get(base.path)
        if known is None or base.since < known.since:
            self._behind[base.path] = base
        self._folder_times.pop(_folder(place), None)

    def beside(self, bases: Mapping[str, Base], passed: Collection[str]) -> list[Candidate]:
        """Return what may be rotated forms beside some bases, oldest change first, but for ``passed``."""
        by_place = {base.before: base for base in bases.values() if base.before} | dict(bases)
        moved = [(b.before, place, b) for place, b in bases.items() if b.before not in ("", place)]
        found = []
        for folder in {_folder(place) for place in by_place}:
            began = _changed_at(folder)
            for place, status in files_in(folder):
                if place in passed:
                    continue
                base = next((by_place[name] for name in (place, *originals(place)) if name in by_place), None)
                if base is None:
                    base = next((b for first, last, b in moved if is_between(place, first, last)), None)
                if base is not None:
                    found.append((place, status, base))
            if _changed_at(folder) != began or not _is_settled(began):
                # A name that moves while a folder is listed may be missed in both places.
                for place, base in by_place.items():
                    if _folder(place) == folder:
                        self.look_again(base, place)
        return sorted(found, key=lambda candidate: candidate[1].st_mtime)

    def _at_start(self, before: Mapping[str, str], sources: Mapping[str, int]) -> dict[str, Base]:
        """Return the places where something may have been rotated away while nobody looked."""
        bases: dict[str, Base] = {}
        until = self._known.seen_until()
        for checkpoint in self._known:
            path = checkpoint.path
            source = sources.get(path, source_of(path, self._patterns))
            if source is not None and self._patterns[source] in self._followed_before:
                base = Base(path, source, until[path], before[path])
                bases[checkpoint.place] = bases[self._places.get(path, before[path])] = base
        for path, source in sources.items():
            if path not in until and self._patterns[source] in self._followed_before:
                bases[self._places[path]] = Base(path, source, self._known.last_look())
        return bases

    def _changed(self, bases: dict[str, Base]) -> dict[str, Base]:
        """Return those bases in whose folders files came, went or were renamed since the last look."""
        self._behind.clear()
        folders = {_folder(place) for place in bases}
        folders |= {_folder(base.before) for base in bases.values() if base.before}
        changed: set[str] = set()
        times: dict[str, int] = {}
        for folder in folders:
            at = _changed_at(folder)
            if self._folder_times.get(folder) != at:
                changed.add(folder)
            if _is_settled(at):
                times[folder] = at
        self._folder_times = times
        return {p: b for p, b in bases.items() if _folder(p) in changed or _folder(b.before) in changed}


def _folder(place: str) -> str:
    return os.path.dirname(place)  # noqa: PTH120 - "" stays ""


def _changed_at(folder: str) -> int:
    """Return when files last came, went or moved in a folder, in Unix nanoseconds; 0 when it is gone."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116
    except OSError:
        return 0


def _is_settled(at: int) -> bool:
    """Whether a further change would show in the time of a folder that changed then."""
    return time.time() - at / 1e9 > CLOCK_GRAIN
