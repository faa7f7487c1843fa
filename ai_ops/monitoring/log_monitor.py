"""Follow log files: which files there are, what rotation did to them, and what is new in each.

Polling is the truth; hints from the file system only make it happen sooner. A file is known by device and
inode, so a rename changes nothing. When a content was replaced in place, the rest of the old one is
read from the copy that rotation made of it, if it made one.
"""

from __future__ import annotations

import glob
import logging
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ai_ops.monitoring.checkpoint import HEAD_BYTES, Checkpoint, read_at
from ai_ops.monitoring.detect import Detector
from ai_ops.monitoring.followed import Changed, FollowedFile, Record
from ai_ops.monitoring.rotation import find_copy, holds, is_compressed, is_rotation_of, rotations

_log = logging.getLogger(__name__)

# A writer may keep its handle for a while after its file was moved away.
_DEPARTED_SECONDS = 30.0
_CHUNKS_AT_ONCE = 16
# So many files that were rotated away are held while there is no room; older ones are read regardless.
_HELD = 8
_LAST_LINE_BYTES = 64 << 10
_MAX_FILES = 2000
# A copy that has not grown for this long is complete.
_COPYING_SECONDS = 10.0
# File times lag behind the clock by up to a tick.
_CLOCK_GRAIN = 0.05
_NO_LIMIT = 1 << 30

Key = tuple[int, int]


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
        self._known = {checkpoint.key: checkpoint for checkpoint in known}
        self._followed_before = set(followed_before)
        self._from_start = from_start
        self._files: dict[Key, FollowedFile] = {}
        self._source: dict[Key, int] = {}
        self._at_path: dict[str, Key] = {}
        self._first = True
        self._looked_at = 0.0

    @property
    def patterns(self) -> list[str]:
        """The patterns as absolute paths."""
        return self._patterns

    def folders(self) -> set[str]:
        """Return the folders that are there and may hold files that match."""
        roots = {os.path.dirname(_root(pattern)) for pattern in self._patterns}  # noqa: PTH120
        here = {os.path.dirname(file.path) for file in self._files.values()}  # noqa: PTH120
        return {folder for folder in roots | here if Path(folder).is_dir()}

    def close(self) -> None:
        """Let go of all files."""
        for file in self._files.values():
            file.close()

    @property
    def waits_until(self) -> float | None:
        """When the next open record is due, in monotonic seconds."""
        return min((w for f in self._files.values() if (w := f.waits_until) is not None), default=None)

    def discover(self) -> list[Checkpoint]:
        """Look for files that appeared, moved or went; return the checkpoints of the new ones."""
        began = time.time()
        found = self._matching()
        new: list[FollowedFile] = []
        # Known files first: only then is it clear which of the others is a copy of one of them.
        for (path, key), (status, source) in sorted(found.items(), key=lambda i: i[0][1] not in self._known):
            file = self._files.get(key)
            if file is not None:
                file.path, file.departed = path, False
            else:
                new += self._begin(path, status, source)
        present = {key for _, key in found}
        new += self._rotated_away(found)
        for key, file in self._files.items():
            file.departed = key not in present
            if not file.departed or not file.seen_at:
                file.seen_at = began
        self._at_path = dict(found.keys())
        self._first = False
        self._looked_at = began
        return [file.checkpoint for file in new]

    def read(self, room: Callable[[], int], now: float, *, final: bool = False) -> Iterator[Progress]:
        """Read what is new, file by file, a burst each.

        Args:
            room: how many records may be taken right now; at 0 nothing is read.
            now: monotonic seconds.
            final: read to the end as if nothing more would be written.
        """
        pressing = [key for key, file in self._files.items() if file.departed][:-_HELD]
        for key in list(self._files):
            for _ in range(_CHUNKS_AT_ONCE):
                limit = _NO_LIMIT if key in pressing else room()
                file = self._files.get(key)
                if limit <= 0 or file is None:
                    break
                over = file.departed and file.idle_seconds > _DEPARTED_SECONDS
                try:
                    reading = file.read(limit, now, final=final or over)
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
                if reading is None or not reading.more:
                    break

    def end_records(self) -> Iterator[Progress]:
        """End the open records, because reading stops here."""
        for key, file in self._files.items():
            if records := file.end_record():
                yield Progress(self._source[key], records, file.checkpoint, more=False)

    def _matching(self) -> dict[tuple[str, Key], tuple[os.stat_result, int]]:
        found: dict[tuple[str, Key], tuple[os.stat_result, int]] = {}
        taken: set[Key] = set()
        for source, pattern in enumerate(self._patterns):
            paths = _expanded(pattern)
            for path in paths:
                try:
                    status = os.stat(path)  # noqa: PTH116
                except OSError:
                    continue
                key = (status.st_dev, status.st_ino)
                if key in taken or not stat.S_ISREG(status.st_mode) or is_compressed(path):
                    continue
                if len(taken) >= _MAX_FILES:
                    _log.warning("more than %d files match; %s is not followed", _MAX_FILES, path)
                    return found
                taken.add(key)
                found[path, key] = (status, source)
        return found

    def _begin(self, path: str, status: os.stat_result, source: int) -> list[FollowedFile]:
        """Begin to follow a file; nothing when it is a copy whose time has not come."""
        key = (status.st_dev, status.st_ino)
        checkpoint = self._known.get(key)
        if checkpoint is None:
            if self._is_copy_in_waiting(path, status):
                return []
            checkpoint = self._copied_from(path, status) or Checkpoint(*key, path=path)
            at_start = self._first and self._patterns[source] not in self._followed_before
            if at_start and not self._from_start and not checkpoint.offset:
                checkpoint = replace(checkpoint, offset=_last_line_end(path, status.st_size))
        try:
            return [self._follow(path, checkpoint, source)]
        except Changed:
            return self._start_over(path, checkpoint, source)
        except OSError as error:
            if self._at_path.get(path) != key:
                _log.warning("cannot open %s: %s", path, error.strerror or error)
            return []

    def _follow(self, path: str, checkpoint: Checkpoint, source: int) -> FollowedFile:
        file = FollowedFile(path, checkpoint, self._detector, self._debounce)
        self._files[file.key] = file
        self._source[file.key] = source
        return file

    def _start_over(self, path: str, old: Checkpoint, source: int) -> list[FollowedFile]:
        """Follow the new content of a replaced file, and the rest of the old one where it was copied."""
        followed = []
        copy = find_copy(path, old)
        if copy is not None and (key := (copy[1].st_dev, copy[1].st_ino)) not in self._files:
            again = self._known[key].generation + 1 if key in self._known else 0
            moved = replace(old, device=key[0], inode=key[1], path=copy[0], generation=again)
            try:
                followed.append(self._follow(copy[0], moved, source))
            except (Changed, OSError):
                _log.warning("the rest of %s is gone with its copy %s", path, copy[0])
        new = Checkpoint(*old.key, path=path, generation=old.generation + 1)
        try:
            followed.append(self._follow(path, new, source))
        except (Changed, OSError):
            self._known[old.key] = new  # gone again; the next look finds what is there then
        return followed + self._missed(path, source, old.seen_at, old)

    def _replaced(self, file: FollowedFile) -> Iterator[Progress]:
        """Go on after a content was replaced while it was followed."""
        source = self._source[file.key]
        old = replace(file.checkpoint, seen_at=file.verified_at)
        self._drop(file)
        followed = self._start_over(file.path, old, source)
        # Without a copy there is no other place to read the open record from again.
        lost = file.end_record() if all(f.key == file.key for f in followed) else []
        rest = [record._replace(context=tuple) for record in lost]
        for new in followed:
            yield Progress(source, rest if new.key == file.key else [], new.checkpoint, more=True)
        if rest and not followed:
            yield Progress(source, rest, self._known[file.key], more=False)

    def _drop(self, file: FollowedFile) -> None:
        self._known[file.key] = file.checkpoint
        self._files.pop(file.key, None)
        file.close()

    def _is_copy_in_waiting(self, path: str, status: os.stat_result) -> bool:
        """Whether a new file repeats one that is still followed: a copy that rotation makes or made.

        It is left alone until its original is truncated; then it holds the rest of the old content.
        """
        bases = [base for base in self._at_path if _rotated(path, base)]
        return any(
            _repeats(path, status, other)
            for other in self._files.values()
            if _rotated(path, other.path) or any(_rotated(other.path, base) for base in bases)
        )

    def _copied_from(self, path: str, status: os.stat_result) -> Checkpoint | None:
        """Return where to go on in a copy of a file that is no longer followed."""
        key = (status.st_dev, status.st_ino)
        for old in self._known.values():
            gone = old.key not in self._files and old.offset and _rotated(path, old.path)
            if gone and holds(path, status.st_size, old):
                return replace(old, device=key[0], inode=key[1], path=path, generation=0)
        return None

    def _rotated_away(self, found: dict[tuple[str, Key], tuple[os.stat_result, int]]) -> list[FollowedFile]:
        """Follow what was rotated away from a path between two looks, or while nobody looked."""
        followed: list[FollowedFile] = []
        for path, source in self._changed_paths(found):
            last_seen = [c.seen_at for c in self._known.values() if c.path == path]
            since = max(last_seen, default=time.time()) if self._first else self._looked_at
            followed += self._missed(path, source, since)
        return followed

    def _missed(
        self, path: str, source: int, since: float, old: Checkpoint | None = None
    ) -> list[FollowedFile]:
        """Follow the rotated forms of a path that hold something unread, unknown ones from ``since`` on.

        Further copies of ``old``, whose rest is followed already, are passed over.
        """
        followed: list[FollowedFile] = []
        for candidate, status in rotations(path):
            key = (status.st_dev, status.st_ino)
            if key in self._files:
                continue
            known = self._known.get(key)
            unread = status.st_size > known.offset if known else status.st_mtime >= since - _CLOCK_GRAIN
            if unread and not (
                known is None and old and old.offset and holds(candidate, status.st_size, old)
            ):
                followed += self._begin(candidate, status, source)
        return followed

    def _changed_paths(
        self, found: dict[tuple[str, Key], tuple[os.stat_result, int]]
    ) -> list[tuple[str, int]]:
        """Return the paths that name another file than before, with their sources."""
        now = {path: (key, source) for (path, key), (_, source) in found.items()}
        if not self._first:
            return [
                (path, now[path][1] if path in now else self._source.get(key, 0))
                for path, key in self._at_path.items()
                if path not in now or now[path][0] != key
            ]
        paths = [(path, source) for path, (_, source) in now.items()]
        for checkpoint in self._known.values():
            source = self._source_of(checkpoint.path)
            if source is not None and checkpoint.path not in now:
                paths.append((checkpoint.path, source))
        return [(path, source) for path, source in paths if self._patterns[source] in self._followed_before]

    def _source_of(self, path: str) -> int | None:
        for source, pattern in enumerate(self._patterns):
            if path == pattern or (glob.has_magic(pattern) and Path(path).match(pattern)):
                return source
        return None


def _expanded(pattern: str) -> list[str]:
    if not glob.has_magic(pattern):
        return [pattern]
    return sorted(glob.iglob(pattern, recursive=True))  # noqa: PTH207 - the pattern may be absolute


def _root(pattern: str) -> str:
    """Return the part of a pattern before its first wildcard."""
    while glob.has_magic(pattern):
        pattern = os.path.dirname(pattern)  # noqa: PTH120
        if not glob.has_magic(pattern):
            return os.path.join(pattern, "")  # noqa: PTH118
    return pattern


def _rotated(path: str, original: str) -> bool:
    folder, name = os.path.split(path)
    original_folder, original_name = os.path.split(original)
    return folder == original_folder and is_rotation_of(name, original_name)


def _repeats(path: str, status: os.stat_result, other: FollowedFile) -> bool:
    """Whether a file holds what was read of another one, or may be on the way to it."""
    read = other.checkpoint
    if read.offset and status.st_size >= read.offset:
        return holds(path, status.st_size, read)
    if time.time() - status.st_mtime > _COPYING_SECONDS:
        return False  # shorter than what it would be a copy of, and no longer growing
    try:
        with Path(path).open("rb", buffering=0) as file:
            head = read_at(file, 0, HEAD_BYTES)
    except OSError:
        return True
    return not head or other.begins_like(head)


def _last_line_end(path: str, size: int) -> int:
    """Return the offset after the last complete line."""
    begin = max(0, size - _LAST_LINE_BYTES)
    try:
        with Path(path).open("rb", buffering=0) as file:
            end = read_at(file, begin, size - begin).rfind(b"\n")
    except OSError:
        return size
    if end >= 0:
        return begin + end + 1
    return 0 if begin == 0 else size
