"""Read and write a checkout without ever following a link out of it.

Every folder on the way is opened by name beneath the one before, refusing links, so a checkout that
changes while we look cannot lead elsewhere. Nothing is decided here: the changes were planned.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ai_ops.core.code_blocks import Tree, is_git_name
from ai_ops.core.code_blocks.resolve import SUBMODULE, SYMLINK
from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError
from ai_ops.flow.edits import FileChange

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO must not make us wait
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_BYTES = 32_000_000
_LINKED = (errno.ELOOP, errno.ENOTDIR)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def _names(path: str) -> list[str]:
    names = path.split("/")
    if "\0" in path or any(name in ("", ".", "..") or is_git_name(name) for name in names):
        raise failed("path_refused", f"not a path beneath the checkout: {path!r}")
    return names


def _named(error: OSError, path: str, checkout: Path) -> AiOpsError:
    """Return our word for a failure of the file system."""
    if error.errno in _LINKED:
        return failed("path_refused", f"a link or a file stands in the way of {path!r}")
    if error.errno == errno.ENOSPC and _lacks_inodes(checkout):
        return failed("inodes_full", f"{path!r} could not be written: there is no inode left")
    if error.errno in _FULL:
        return failed("disk_full", f"{path!r} could not be written: {error.strerror}")
    return failed("workspace_unwritable", f"{path!r}: {error.strerror}")


def _lacks_inodes(checkout: Path) -> bool:
    """Return whether a file system that has no room has bytes left, and no inode for another file."""
    left = os.statvfs(checkout)
    return left.f_files > 0 and left.f_favail == 0 and left.f_bavail > 0


@contextlib.contextmanager
def _opened(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _folder(checkout: Path, names: Sequence[str], *, create: bool = False) -> Iterator[int]:
    """Open the folder ``names`` beneath the checkout, one name at a time."""
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(_opened(os.open(checkout, _FOLDER)))
        for name in names:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=here)
            here = stack.enter_context(_opened(os.open(name, _FOLDER, dir_fd=here)))
        yield here


def read(checkout: Path, path: str) -> bytes | None:
    """Return the bytes of a regular file beneath the checkout.

    None when there is no such file, or when it is a link, a device or a FIFO, or lies behind a link.

    Raises:
        PermanentError: ``path_refused`` for a path that no planned change can have, ``file_too_large``.
    """
    names = _names(path)
    try:
        with (
            _folder(checkout, names[:-1]) as folder,
            _opened(os.open(names[-1], _FILE, dir_fd=folder)) as file,
        ):
            if not stat.S_ISREG(os.fstat(file).st_mode):
                return None
            if os.fstat(file).st_size > _MOST_BYTES:
                raise failed("file_too_large", f"{path!r} is larger than {_MOST_BYTES} bytes")
            with os.fdopen(os.dup(file), "rb") as stream:
                return stream.read(_MOST_BYTES)
    except OSError as error:
        if error.errno in (*_LINKED, errno.ENOENT, errno.EISDIR, errno.ENXIO, errno.ENAMETOOLONG):
            return None
        raise _named(error, path, checkout) from error


def tree(checkout: Path) -> Tree:
    """Return what a checkout holds, with git's modes; ``.git`` and special files are left out.

    A folder with a ``.git`` of its own, or an entry of ``.gitmodules``, counts as a submodule.
    """
    modes: dict[str, int] = {}
    submodules = _submodules(read(checkout, ".gitmodules") or b"")
    for place, folders, files, handle in os.fwalk(checkout, follow_symlinks=False):
        relative = Path(place).relative_to(checkout).as_posix()
        prefix = "" if relative == "." else f"{relative}/"
        for name in (*folders, *files):
            path = prefix + name
            info = os.stat(name, dir_fd=handle, follow_symlinks=False)
            if stat.S_ISLNK(info.st_mode):
                modes[path] = SYMLINK
            elif stat.S_ISREG(info.st_mode) and name != ".git":
                modes[path] = 0o100755 if info.st_mode & stat.S_IXUSR else 0o100644
            elif stat.S_ISDIR(info.st_mode) and (path in submodules or _has_git(name, handle)):
                modes[path] = SUBMODULE
        folders[:] = [name for name in folders if name != ".git" and prefix + name not in modes]
    return Tree(modes)


def _has_git(folder: str, parent: int) -> bool:
    return _is_there(f"{folder}/.git", parent)


def _submodules(content: bytes) -> frozenset[str]:
    """Return the paths that ``.gitmodules`` names."""
    lines = (line.partition("=") for line in content.decode("utf-8", "replace").splitlines())
    return frozenset(value.strip().strip('"').rstrip("/") for key, _, value in lines if key.strip() == "path")


def write(checkout: Path, changes: Sequence[FileChange]) -> None:
    """Make the files of a checkout what the changes say.

    Everything is staged beside its place first and then renamed into it, so a full disk or a path that
    is refused leaves the files as they were; and so does a rename that fails, because those before it are
    undone. An existing file keeps its permissions unless the change
    names others; a new one is 0o644.

    Raises:
        PermanentError: ``path_refused`` when a link or a file stands in the way, ``workspace_unwritable``.
        TemporaryError: ``disk_full``.
    """
    staged: list[_Staged] = []
    done: list[_Staged] = []
    try:
        for change in changes:
            staged.append(_stage(checkout, change))
        for each in staged:
            done.append(each)
            each.finish(checkout)
    except BaseException:
        for each in reversed(done):
            each.undo(checkout)
        raise
    finally:
        for each in staged:
            each.forget(checkout)


@dataclass(frozen=True, slots=True)
class _Staged:
    """A change that waits to take its place.

    ``new`` is the name of its bytes, empty for a deletion; ``old`` is where the file that was there goes,
    empty when there was none.
    """

    path: str
    new: str
    old: str

    def finish(self, checkout: Path) -> None:
        *above, name = _names(self.path)
        try:
            with _folder(checkout, above) as folder:
                if self.old:
                    os.rename(name, self.old, src_dir_fd=folder, dst_dir_fd=folder)
                if self.new:
                    os.rename(self.new, name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError as error:
            raise _named(error, self.path, checkout) from error

    def undo(self, checkout: Path) -> None:
        """Put the file back as it was; of one that did not come so far nothing is there to do."""
        *above, name = _names(self.path)
        with contextlib.suppress(OSError), _folder(checkout, above) as folder:
            if self.old:
                os.replace(self.old, name, src_dir_fd=folder, dst_dir_fd=folder)
            elif not _is_there(self.new, folder):
                os.unlink(name, dir_fd=folder)

    def forget(self, checkout: Path) -> None:
        """Remove the names that only a change on its way has."""
        for name in filter(None, (self.new, self.old)):
            with contextlib.suppress(OSError), _folder(checkout, _names(self.path)[:-1]) as folder:
                os.unlink(name, dir_fd=folder)


def _stage(checkout: Path, change: FileChange) -> _Staged:
    *above, name = _names(change.path)
    try:
        with _folder(checkout, above, create=change.content is not None) as folder:
            mode = _mode_now(folder, name, change.path)
            if change.content is None:
                if mode is None:
                    raise failed("path_refused", f"{change.path!r} is not there to delete")
                return _Staged(change.path, "", _temporary())
            temporary = _temporary()
            with _opened(os.open(temporary, _NEW, 0o600, dir_fd=folder)) as file:
                try:
                    _write_all(file, change.content)
                    os.fchmod(file, change.mode if change.mode is not None else mode or 0o644)
                except BaseException:
                    os.unlink(temporary, dir_fd=folder)
                    raise
            return _Staged(change.path, temporary, _temporary() if mode is not None else "")
    except OSError as error:
        raise _named(error, change.path, checkout) from error


def _temporary() -> str:
    return f".ai-ops-{secrets.token_hex(8)}"


def _is_there(name: str, folder: int) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True


def _mode_now(folder: int, name: str, path: str) -> int | None:
    """Return the permissions of the file that stands there, None when there is none."""
    try:
        info = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(info.st_mode):
        raise failed("path_refused", f"{path!r} is not an ordinary file")
    return info.st_mode & 0o777


def _write_all(file: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]
