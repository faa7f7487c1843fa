"""Removing and making folders that untrusted code has written to.

Such a tree may be read-only, deeper than any path may be long, or full of links; nothing outside it may
be touched.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

_GONE = ".gone-"
_PIECE = 64 * 2**20  # bytes between two looks whether to go on
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(path: Path) -> None:
    """Remove ``path`` and all beneath it, if it is there. Links are removed, never followed.

    Folders found inside are lifted to the top before they are emptied, so depth costs neither stack nor
    file descriptors. No process may be writing there.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        path.unlink()
        return
    path.chmod(0o700)
    root = os.open(path, _DIRECTORY)
    try:
        while names := os.listdir(root):  # noqa: PTH208 - an open folder has no path
            for name in names:
                _remove_entry(root, name)
    finally:
        os.close(root)
    path.rmdir()


def _remove_entry(root: int, name: str) -> None:
    if not stat.S_ISDIR(os.lstat(name, dir_fd=root).st_mode):
        os.unlink(name, dir_fd=root)
        return
    os.chmod(name, 0o700, dir_fd=root)
    folder = os.open(name, _DIRECTORY, dir_fd=root)
    try:
        for inner in os.listdir(folder):  # noqa: PTH208
            if stat.S_ISDIR(os.lstat(inner, dir_fd=folder).st_mode):
                os.chmod(inner, 0o700, dir_fd=folder)
                os.rename(inner, uuid4().hex, src_dir_fd=folder, dst_dir_fd=root)
            else:
                os.unlink(inner, dir_fd=folder)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=root)


def take_away(path: Path, empty: Callable[[Path], None] = lambda _: None) -> None:
    """Remove ``path``, whose name is free at once: whoever makes it anew meets nothing of the removal.

    ``empty`` prepares what is removed, under its last name. A crash leaves a folder for ``left_behind``.
    """
    try:
        gone = path.rename(path.with_name(f"{_GONE}{uuid4().hex}"))
    except FileNotFoundError:
        return
    empty(gone)
    remove_tree(gone)


def left_behind(folder: Path, before: float | None = None) -> list[Path]:
    """Return what a removal in ``folder`` did not come to the end of; with ``before`` only what is older."""
    found = []
    for gone in folder.glob(f"{_GONE}*"):
        with contextlib.suppress(FileNotFoundError):  # it is being removed just now
            if before is None or gone.lstat().st_mtime < before:
                found.append(gone)
    return found


def finish_removal(gone: Path, empty: Callable[[Path], None] = lambda _: None) -> None:
    """Remove what ``left_behind`` found; harmless when whoever began is still at it."""
    with contextlib.suppress(FileNotFoundError):
        empty(gone)
        remove_tree(gone)


def fresh_folder(path: Path) -> Path:
    """Make ``path`` an empty folder that only this user can enter, and return it."""
    remove_tree(path)
    path.mkdir(mode=0o700, parents=True)
    return path


def copy_tree(source: Path, target: Path, stop: threading.Event | None = None) -> int:
    """Copy a tree of ours, that nothing untrusted has written to, into an empty folder. Links stay links.

    Folders are shared out over the processors, and the kernel copies the bytes: on a file system that can
    share blocks it copies none. Modes are kept, but for that of ``target`` itself; times are not.

    Returns:
        How many bytes the files have.

    Raises:
        OSError: something cannot be copied; what is neither file, folder nor link never can. ``ECANCELED``
            when ``stop`` was set before the end.
    """
    stop = stop or threading.Event()
    folders, copies = [], []
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for folder, _, _ in os.walk(source, onerror=_refuse):
            if stop.is_set():
                break
            into = target / Path(folder).relative_to(source)
            into.mkdir(exist_ok=True)
            folders.append((folder, into))
            copies.append(threads.submit(_copy_entries, folder, str(into), stop))
        size = sum(copy.result() for copy in copies)
    _go_on_unless(stop)
    for folder, into in reversed(folders[1:]):  # last, and inner ones first: it may be read-only
        into.chmod(stat.S_IMODE(os.lstat(folder).st_mode))
    return size


def _refuse(error: OSError) -> None:
    raise error


def _go_on_unless(stop: threading.Event) -> None:
    if stop.is_set():
        raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))


def _copy_entries(source: str, target: str, stop: threading.Event) -> int:
    """Copy the files and links of one folder; return the bytes of the files."""
    size = 0
    with os.scandir(source) as entries:
        for entry in entries:
            _go_on_unless(stop)
            into = f"{target}/{entry.name}"
            if entry.is_symlink():
                Path(into).symlink_to(Path(entry.path).readlink())
            elif entry.is_file():
                size += _copy_file(entry.path, into, stop)
            elif not entry.is_dir():
                raise OSError(errno.EINVAL, "is no file, folder or link", entry.path)
    return size


def _copy_file(source: str, target: str, stop: threading.Event) -> int:
    read = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    try:
        status = os.fstat(read)
        mode = stat.S_IMODE(status.st_mode)
        write = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode & 0o777)
        try:
            if _copy_bytes(read, write, status.st_size, stop) < status.st_size:
                raise OSError(errno.EIO, "ended before its end", source)
            # Mostly it has its mode already: looking is cheaper than setting it.
            if stat.S_IMODE(os.fstat(write).st_mode) != mode:
                os.fchmod(write, mode)
        finally:
            os.close(write)
    finally:
        os.close(read)
    return status.st_size


def _copy_bytes(read: int, write: int, size: int, stop: threading.Event) -> int:
    """Return how many were copied. Some file systems refuse to copy by themselves, and some say 0."""
    copied = 0
    try:
        while copied < size and (count := os.copy_file_range(read, write, min(size - copied, _PIECE))):
            copied += count
            _go_on_unless(stop)
    except OSError as error:
        if copied or error.errno not in (errno.EXDEV, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            raise
    while copied < size and (count := os.sendfile(write, read, copied, min(size - copied, _PIECE))):
        copied += count
        _go_on_unless(stop)
    return copied


def settle(folder: Path) -> None:
    """Return when all that was written beneath a folder is on the disk, with the folder's own entries.

    One call for its whole file system: a call for each of ten thousand files takes longer than writing them.
    """
    opened = os.open(folder, _DIRECTORY)
    try:
        syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
        if syncfs is None:
            os.sync()
        elif syncfs(opened) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
        os.fsync(opened)
    finally:
        os.close(opened)


def sync_names(folder: Path) -> None:
    """Return when the names in a folder are on the disk."""
    opened = os.open(folder, _DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def move_into_place(made: Path, place: Path) -> None:
    """Give a finished folder its name; when another was quicker, that one stays and this one goes.

    What is in it is on the disk before it has the name: after a power cut a named folder is a whole one.
    """
    settle(made)
    try:
        made.rename(place)
        sync_names(place.parent)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        remove_tree(made)


def read_regular(path: Path, limit: int) -> bytes | None:
    """Return a regular file's bytes; None for anything else (a link, a pipe, a device) or a larger file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        return None
    with os.fdopen(fd, "rb") as stream:
        data = stream.read(limit + 1)
    return data if len(data) <= limit else None
