"""What a sandboxed command writes, in bytes and in files, and whether that is too much.

A quota of the kernel needs a file system made for it, and root. So the free space is asked, which costs
nothing, and only when it fell by as much as the command may write are the folders walked, to tell what the
command wrote from what others did. Nothing can set an inode's change time back: whatever has a later one
than the beginning was written since. Files that were removed and are still open count too.
"""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ai_ops.core.ports import Bind
from ai_ops.flow.report import RunEnd
from ai_ops.workspace.profile import SandboxLimits

_BLOCK = 512
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_COARSE_NS = 10_000_000  # the file system's clock lags behind by up to a tick
_WALK_EVERY = 2.0
_WALK_SHARE = 20  # walking may take one twentieth of the time


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes on disk, and files. ``whole`` says whether everything could be looked at."""

    bytes: int = 0
    files: int = 0
    whole: bool = True

    def __add__(self, other: Written) -> Written:
        return Written(self.bytes + other.bytes, self.files + other.files, self.whole and other.whole)


class Quota:
    """The account of one command. It begins when this is made.

    ``excess`` may be called from any thread; calls take their turns, because a watcher that was cancelled may
    still be in one when the last question is asked.
    """

    def __init__(self, folders: Sequence[Path], limits: SandboxLimits) -> None:
        """Count what is written beneath ``folders``."""
        self._folders = _outermost(folder for folder in folders if folder.is_dir())
        self._limits = limits
        self._turn = threading.Lock()
        self._since = time.time_ns() - _COARSE_NS
        self._before = {_device(folder): (folder, _used(folder)) for folder in self._folders}
        self._next_walk = time.monotonic() + _WALK_EVERY

    def excess(self, pids: Iterable[int] = (), private: Iterable[Path] = ()) -> RunEnd | None:
        """Return the limit that is passed, if any.

        Args:
            pids: the command's processes, whose open files are looked at.
            private: mount points of file systems that are this command's alone.
        """
        with self._turn:
            return self._excess(pids, private)

    def _excess(self, pids: Iterable[int], private: Iterable[Path]) -> RunEnd | None:
        if any(_free_bytes(folder) < self._limits.disk_floor_bytes for folder, _ in self._before.values()):
            return RunEnd.DISK_LIMIT
        inside = sum((_used(place) for place in private), Written())
        grown = inside + self._grown()
        if self._judge(grown) is None and time.monotonic() < self._next_walk:
            return None
        began = time.monotonic()
        written = inside + self._walk(pids)
        now = time.monotonic()
        self._next_walk = now + max(_WALK_EVERY, _WALK_SHARE * (now - began))
        # What cannot be looked at is the command's doing: then all that was written counts as its own.
        return self._judge(written) or (None if written.whole else self._judge(grown))

    def _grown(self) -> Written:
        """Return by how much the file systems are fuller, whoever filled them."""
        grown = Written()
        for folder, before in self._before.values():
            now = _used(folder)
            grown += Written(max(0, now.bytes - before.bytes), max(0, now.files - before.files))
        return grown

    def _judge(self, written: Written) -> RunEnd | None:
        if written.bytes > self._limits.disk_bytes:
            return RunEnd.DISK_LIMIT
        return RunEnd.FILE_LIMIT if written.files > self._limits.files else None

    def _walk(self, pids: Iterable[int]) -> Written:
        """Return what was written since the beginning; it stops where that is too much."""
        size, files, whole = 0, 0, True
        seen: set[tuple[int, int]] = set()
        for status in self._statuses(pids):
            if status is None:
                whole = False
                continue
            key = (status.st_dev, status.st_ino)
            if status.st_ctime_ns < self._since or key in seen:
                continue
            if status.st_nlink != 1:  # it has other names, or none and other holders
                seen.add(key)
            size += status.st_blocks * _BLOCK
            files += 1
            if size > self._limits.disk_bytes or files > self._limits.files:
                break
        return Written(size, files, whole)

    def _statuses(self, pids: Iterable[int]) -> Iterator[os.stat_result | None]:
        for folder in self._folders:
            yield from _beneath(folder)
        for pid in pids:
            yield from (status for status in _removed(pid) if status.st_dev in self._before)


def writable_folders(binds: Iterable[Bind]) -> list[Path]:
    """Return the folders of the host that a sandboxed command can write to."""
    return [bind.source for bind in binds if bind.writable]


def _beneath(folder: Path) -> Iterator[os.stat_result | None]:
    """Yield the status of all beneath a folder, None for what cannot be looked at; no link is followed.

    A folder may become a link between the look at it and the look into it, at any depth: what is opened must
    be what was seen.
    """
    waiting: list[tuple[str, os.stat_result]] = []
    with contextlib.suppress(FileNotFoundError):
        waiting.append((str(folder), folder.stat()))
    while waiting:
        path, seen = waiting.pop()
        try:
            opened = os.open(path, _DIRECTORY)
        except FileNotFoundError:  # removed meanwhile
            continue
        except OSError:  # not readable, no folder any more, or deeper than a path may be long
            yield None
            continue
        try:
            if not os.path.samestat(os.fstat(opened), seen):
                yield None
                continue
            with os.scandir(opened) as entries:
                for entry in entries:
                    with contextlib.suppress(FileNotFoundError):  # the others are still there
                        status = entry.stat(follow_symlinks=False)
                        yield status
                        if stat.S_ISDIR(status.st_mode):
                            waiting.append((f"{path}/{entry.name}", status))
        finally:
            os.close(opened)


def _removed(pid: int) -> Iterator[os.stat_result]:
    """Yield the status of files that a process holds open and that have no name any more."""
    try:
        with os.scandir(f"/proc/{pid}/fd") as entries:
            names = [entry.path for entry in entries]
    except OSError:
        return
    for name in names:
        try:
            status = Path(name).stat()
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
            yield status


def _used(folder: Path) -> Written:
    """Return what is used of the file system of a folder; nothing when it is gone."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return Written()
    return Written((disk.f_blocks - disk.f_bfree) * disk.f_frsize, disk.f_files - disk.f_ffree)


def _free_bytes(folder: Path) -> int:
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def _device(folder: Path) -> int:
    return folder.stat().st_dev


def _outermost(folders: Iterable[Path]) -> tuple[Path, ...]:
    chosen: list[Path] = []
    for folder in sorted(set(folders)):
        if not any(folder.is_relative_to(outer) for outer in chosen):
            chosen.append(folder)
    return tuple(chosen)
