"""Follow log files: which files there are, what rotation did to them, and what is new in each.

Polling is the truth; hints from the file system only make it happen sooner. A file is known by device and
inode, so a rename changes nothing. When a content was replaced in place, the rest of the old one is
read from the copy that rotation made of it, if it made one.
"""

from __future__ import annotations

import errno
import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ai_ops.monitoring.checkpoint import Checkpoint
from ai_ops.monitoring.copies import Likeness, likeness
from ai_ops.monitoring.detect import Detector
from ai_ops.monitoring.followed import Changed, FollowedFile, Pace, Record
from ai_ops.monitoring.known import Key, KnownContents
from ai_ops.monitoring.log_file import MOVED, may_hold
from ai_ops.monitoring.matching import MAX_FILES, matching, root
from ai_ops.monitoring.open_records import OpenRecords
from ai_ops.monitoring.rotation import family, find_copy, furthest_read, holds
from ai_ops.monitoring.surroundings import CLOCK_GRAIN, Base, Surroundings

_log = logging.getLogger(__name__)

# A writer may keep its handle for a while after its file was moved away.
_DEPARTED_SECONDS = 30.0
_PACKED_SECONDS = 5.0
_CHUNKS_AT_ONCE = 16
# So many records are taken from a file at once, so that what waits to be written stays small.
_RECORDS_AT_ONCE = 500
# So many deleted files are held while there is no room; older ones are read regardless.
_HELD = 8
# So many files that were rotated away are open at a time; the others wait where they are.
_MAX_DEPARTED = 256
_LOOKS = 5
_LAST_LINE_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Progress:
    """What one read of one file gave, to be made durable together.

    ``source`` is the index of the pattern that the file matched.
    """

    source: int
    records: list[Record]
    checkpoint: Checkpoint
    more: bool


class LogMonitor:
    """Follows every file that matches a list of patterns.

    Args:
        patterns: paths or globs; the index of the first match is a file's source.
        detector: which lines begin an error.
        debounce_seconds: how long a record may wait for its lines.
        known: the durable checkpoints.
        followed_before: the patterns whose files were all seen already; a file without a checkpoint
            appeared later. Of other patterns, files that are there at the start are read from their end.
        from_start: read those from their beginning.
    """

    def __init__(
        self,
        patterns: Sequence[str],
        detector: Detector,
        debounce_seconds: float,
        *,
        known: Iterable[Checkpoint] = (),
        followed_before: Iterable[str] = (),
        from_start: bool = False,
    ) -> None:
        self._patterns = [os.path.abspath(pattern) for pattern in patterns]  # noqa: PTH100 - may be a glob
        self._detector = detector
        self._debounce = debounce_seconds
        self._known = KnownContents(known)
        self._followed_before = frozenset(followed_before)
        self._from_start = from_start
        self._files: dict[Key, FollowedFile] = {}
        self._source: dict[Key, int] = {}
        self._around = Surroundings(self._patterns, self._known, self._followed_before)
        self._left_out = False  # more files match than are followed
        self._held_up = False

    @property
    def patterns(self) -> list[str]:
        """The patterns as absolute paths."""
        return self._patterns

    def folders(self) -> set[str]:
        """Return the folders that are there and may hold files that match."""
        roots = {os.path.dirname(root(pattern)) for pattern in self._patterns}  # noqa: PTH120
        here = {os.path.dirname(file.place) for file in self._files.values()}  # noqa: PTH120
        return {folder for folder in roots | here if Path(folder).is_dir()}

    def close(self) -> None:
        """Let go of all files."""
        for file in self._files.values():
            file.close()

    @property
    def waits_until(self) -> float | None:
        """When the next open record is due, in monotonic seconds."""
        return min((w for f in self._files.values() if (w := f.waits_until) is not None), default=None)

    @property
    def is_held_up(self) -> bool:
        """Whether files were passed over in the last round, because of what the records of others hold."""
        return self._held_up

    def discover(self) -> list[Checkpoint]:
        """Look for files that appeared, moved or went; return the checkpoints of the new ones."""
        began = time.time()
        found, left_out = matching(self._patterns)
        if left_out and not self._left_out:
            _log.warning("more than %d files match; %s is not followed", MAX_FILES, left_out)
        self._left_out = bool(left_out)
        bases = self._around.look(found)
        new: list[FollowedFile] = []
        # Known files first: only then is it clear which of the others is a copy of one of them.
        for match in sorted(found, key=lambda match: match.key not in self._known):
            place = self._around.place(match.path)
            file = self._files.get(match.key)
            if file is not None:
                file.path, file.place, file.departed = match.path, place, False
            else:
                new += self._begin(self._around.base(match), place, match.status)
        new += self._begin_beside(bases)
        present = {match.key for match in found}
        for key, file in self._files.items():
            file.departed = key not in present
            if not file.departed and not file.checkpoint.is_untouched:
                file.seen_at = began
            file.seen_at = min(file.seen_at, self._around.seen_until(file.path))
        self._let_wait()
        self._around.looked(found, began)
        return [file.checkpoint for file in new]

    def forget(self, before: float) -> list[Key]:
        """Forget files not seen since ``before``, in Unix time; return the followed ones, which are kept."""
        self._known.forget(before, self._files.keys())
        return list(self._files)

    def read(self, room: Callable[[], int], now: float, *, final: bool = False) -> Iterator[Progress]:
        """Read what is new, file by file, a burst each.

        Args:
            room: how many records may be taken right now; at 0 nothing is read.
            now: monotonic seconds.
            final: read to the end as if nothing more would be written.
        """
        pressing = self._pressing() if room() <= 0 else ()
        held = OpenRecords(self._files.values())
        self._held_up = False
        for key in list(self._files):
            pace = Pace.ON if final else held.pace(key)
            self._held_up = self._held_up or pace is Pace.WAIT
            most = (lambda: _RECORDS_AT_ONCE) if key in pressing else room
            yield from self._read_burst(key, most, now, pace, final=final)
            file = self._files.get(key)
            held.note(key, file.open_bytes if file else 0)

    def _read_burst(
        self, key: Key, room: Callable[[], int], now: float, pace: Pace, *, final: bool
    ) -> Iterator[Progress]:
        for _ in range(_CHUNKS_AT_ONCE):
            limit = min(_RECORDS_AT_ONCE, room())
            file = self._files.get(key)
            if limit <= 0 or file is None:
                break
            over = file.departed and file.idle_seconds > (
                _PACKED_SECONDS if file.is_packed else _DEPARTED_SECONDS
            )
            try:
                reading = file.read(limit, now, final=final or over, pace=Pace.ON if over else pace)
            except Changed:
                yield from self._replaced(file)
                break
            except OSError as error:
                _log.warning("cannot read %s: %s", file.path, error.strerror or error)
                self._drop(file)
                break
            if reading is not None:
                yield Progress(self._source[key], reading.records, file.checkpoint, reading.more)
            if over and not (reading and reading.more):
                self._drop(file)
            if reading is None or not reading.more or (pace is Pace.GIVE_WAY and reading.records):
                break

    def end_records(self) -> Iterator[Progress]:
        """End the open records that the next start may not find again: those of files that are gone.

        The others are left: their checkpoints lie before them.
        """
        for key, file in self._files.items():
            if (file.departed or file.is_unlinked) and (records := file.end_record()):
                yield Progress(self._source[key], records, file.checkpoint, more=False)

    def _pressing(self) -> Sequence[Key]:
        """Return the files that are deleted, but for the newest: held open they fill the disk."""
        return [key for key, file in self._files.items() if file.departed and file.is_unlinked][:-_HELD]

    def _begin(self, base: Base, place: str, status: os.stat_result) -> list[FollowedFile]:
        """Begin to follow a file, and what its inode held before; nothing when its time has not come."""
        key = (status.st_dev, status.st_ino)
        known = self._known.get(key)
        followed: list[FollowedFile] = []
        try:
            # Of what was never read nothing tells that it is the same; it may be a copy like any other.
            if known is not None and not (known.offset and holds(place, key, known)):
                followed += self._rest_of(known, base)
                known = None
            alike = Likeness.OTHER if known is not None else self._likeness(base, place, status)
            if alike in (Likeness.WAITS, Likeness.PACKED):
                return followed
            if alike is Likeness.READ:
                checkpoint = Checkpoint(*key, base.path, status.st_size, self._known.next_generation(key))
            else:
                checkpoint = known or self._copied_from(place, key) or self._new(base, place, status)
        except OSError as error:
            self._cannot_open(base, place, key, error)
            return followed
        return followed + self._open(base, place, checkpoint)

    def _new(self, base: Base, place: str, status: os.stat_result) -> Checkpoint:
        """Return where to begin in a content that is not known."""
        key = (status.st_dev, status.st_ino)
        at_start = self._around.is_first and self._patterns[base.source] not in self._followed_before
        offset = _last_line_end(place, status.st_size) if at_start and not self._from_start else 0
        return Checkpoint(*key, path=base.path, offset=offset, generation=self._known.next_generation(key))

    def _open(self, base: Base, place: str, checkpoint: Checkpoint) -> list[FollowedFile]:
        try:
            file = self._follow(checkpoint.at(base.path, place), base.source)
        except Changed:
            self._around.look_again(base, place)
        except OSError as error:
            self._cannot_open(base, place, checkpoint.key, error)
        else:
            file.seen_at = file.seen_at or base.since
            return [file]
        return []

    def _cannot_open(self, base: Base, place: str, key: Key, error: OSError) -> None:
        if error.errno in MOVED:
            self._around.look_again(base, place)
            return
        if error.errno in (errno.EMFILE, errno.ENFILE):
            self._around.look_again(base, place)
        if not self._around.was_at(base.path, key):
            _log.warning("cannot open %s: %s", place, error.strerror or error)

    def _follow(self, checkpoint: Checkpoint, source: int) -> FollowedFile:
        file = FollowedFile(checkpoint, self._detector, self._debounce)
        self._files[file.key] = file
        self._source[file.key] = source
        self._known.learn(checkpoint)
        return file

    def _rest_of(self, old: Checkpoint, base: Base) -> list[FollowedFile]:
        """Follow the rest of a content where it was copied, after it was replaced or deleted."""
        theirs = family(old.place)
        base = replace(base, path=old.path)
        for _ in range(_LOOKS):  # it may be renamed or packed between finding and opening
            copy = find_copy(old, lambda place: not theirs.isdisjoint(self._around.originals(place)))
            if copy is None or (key := (copy[1].st_dev, copy[1].st_ino)) in self._files:
                return []
            known = self._known.get(key)
            if known is None or known.offset < old.offset or not _is_copy_of(copy[0], key, known):
                known = old.copied_to(key, self._known.next_generation(key))
            if followed := self._open(base, copy[0], known):
                return followed
        return []

    def _replaced(self, file: FollowedFile) -> Iterator[Progress]:
        """Go on after a content was replaced while it was followed."""
        source = self._source[file.key]
        old = file.checkpoint
        unread = file.unread
        self._drop(file)
        base = Base(file.path, source, old.seen_at)
        rest = self._rest_of(old, base)
        records: list[Record] = []
        if not rest:
            # There is no other place to read the open record from; a copy that comes late begins after it.
            records = [record._replace(context=tuple) for record in file.end_record()]
            old = file.checkpoint
            self._known.learn(old)
            if unread:
                _log.warning("%s: %d bytes were overwritten before they were read", file.path, unread)
        new = Checkpoint(*old.key, path=file.path, generation=old.generation + 1).at(file.path, file.place)
        self._known.learn(new)  # if it is gone again the next look finds it
        followed = rest + self._open(base, file.place, new) + self._begin_beside({file.place: base}, old)
        yield Progress(source, records, old, more=True)
        for other in followed:
            yield Progress(source, [], other.checkpoint, more=True)

    def _drop(self, file: FollowedFile) -> None:
        self._known.learn(file.checkpoint)
        self._files.pop(file.key, None)
        file.close()

    def _likeness(self, base: Base, place: str, status: os.stat_result) -> Likeness:
        """Return what a new file is to those that are followed: perhaps a copy that rotation makes or made.

        That is left alone while its original may be truncated; then it holds the rest of the old content.
        """
        names = self._around.originals(place)
        others = [file for file in self._files.values() if not names.isdisjoint(file.family)]
        found = {likeness(place, status, other, time.time()) for other in others}
        if Likeness.WAITS in found:
            self._around.look_again(base, place)
        of_most_weight = (Likeness.WAITS, Likeness.PACKED, Likeness.READ)
        return next((alike for alike in of_most_weight if alike in found), Likeness.OTHER)

    def _copied_from(self, place: str, key: Key, since: float = math.inf) -> Checkpoint | None:
        """Return where to go on in a copy of what is no longer followed; of several the furthest.

        What had been read to its end after ``since``, in Unix time, is left out.
        """
        known = [
            old
            for old in self._known.read_of(self._around.originals(place))
            if not self._is_followed(old) and old.done_at - CLOCK_GRAIN <= since
        ]
        found = furthest_read(place, key, known) if known else None
        return found and found.copied_to(key, self._known.next_generation(key))

    def _is_followed(self, checkpoint: Checkpoint) -> bool:
        file = self._files.get(checkpoint.key)
        return file is not None and file.generation == checkpoint.generation

    def _begin_beside(self, bases: Mapping[str, Base], old: Checkpoint | None = None) -> list[FollowedFile]:
        """Follow what lies beside some places, is a rotated form of what was there, and may be unread.

        Further copies of ``old``, whose rest is followed already, are passed over.
        """
        followed: list[FollowedFile] = []
        departed = sum(file.departed for file in self._files.values())
        passed = {file.place for file in self._files.values() if not file.departed}
        for place, status, base in self._around.beside(bases, passed):
            key = (status.st_dev, status.st_ino)
            if key in self._files:
                continue
            if not self._is_unread(place, status, base):
                continue
            if old and key not in self._known and _is_copy_of(place, key, old):
                continue
            if departed + len(followed) >= _MAX_DEPARTED:
                self._around.look_again(base, place)
                continue
            followed += self._begin(base, place, status)
        return followed

    def _is_unread(self, place: str, status: os.stat_result, base: Base) -> bool:
        """Whether a file may hold what was not read; in doubt it does."""
        key = (status.st_dev, status.st_ino)
        known = self._known.get(key)
        try:
            if known is not None:
                if may_hold(place, status, known.offset):
                    return True
                if status.st_mtime < known.done_at - CLOCK_GRAIN or holds(place, key, known):
                    return False
            if status.st_mtime >= base.since - CLOCK_GRAIN:
                return True
            return self._copied_from(place, key, status.st_mtime) is not None
        except OSError:
            return True

    def _let_wait(self) -> None:
        """Close what was rotated away when it is too much; what is unread is found again where it lies."""
        departed = [key for key, file in self._files.items() if file.departed]
        if len(departed) < _MAX_DEPARTED:
            return
        for number, key in enumerate(departed):
            file = self._files[key]
            if file.is_unlinked or not (file.checkpoint.done_at or number >= _MAX_DEPARTED):
                continue
            if not file.checkpoint.done_at:
                self._around.look_again(Base(file.path, self._source[key], file.seen_at), file.place)
            self._drop(file)


def _is_copy_of(place: str, key: Key, old: Checkpoint) -> bool:
    try:
        return bool(old.offset) and holds(place, key, old)
    except OSError:
        return False


def _last_line_end(path: str, size: int) -> int:
    """Return the offset after the last complete line."""
    begin = max(0, size - _LAST_LINE_BYTES)
    try:
        with Path(path).open("rb", buffering=0) as file:
            file.seek(begin)
            end = file.read(size - begin).rfind(b"\n")
    except OSError:
        return size
    if end >= 0:
        return begin + end + 1
    return 0 if begin == 0 else size
