"""Overlay mounts that nobody but this process and its children sees, and that end with them.

A mount in the host's own namespace would outlive a kill -9. So the server moves into a mount namespace of its
own while it is still one thread; without root it takes a user namespace with it, in which it is who it was.
Linux only; where it is not allowed, checkouts are copied.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from pathlib import Path

from ai_ops.core.failures import failed
from ai_ops.errors import TemporaryError

_CLONE_NEWNS, _CLONE_NEWUSER = 0x0002_0000, 0x1000_0000
_MS_NOSUID, _MS_NODEV, _MS_REC, _MS_SLAVE = 0x2, 0x4, 0x4000, 0x8_0000
_MNT_DETACH, _UMOUNT_NOFOLLOW = 0x2, 0x8
# What a mount option cannot hold as it is.
_ESCAPED = str.maketrans({"\\": "\\\\", ":": "\\:", ",": "\\,"})


def enter_private_mounts(folder: Path) -> bool:
    """Move this process, which must have one thread, into a mount namespace of its own.

    It is tried in a child first: half of it done is worse than nothing.

    Args:
        folder: where the overlays will be; made when it is not there.

    Returns:
        Whether ``mount_overlay`` works below ``folder`` from now on.
    """
    if sys.platform != "linux":
        return False
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    child = os.fork()
    if child == 0:
        os._exit(_tried(folder))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 and _moved()


def _tried(folder: Path) -> int:
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".probe-") as name:
            layers = [Path(name, layer) for layer in ("lower", "upper", "work", "target")]
            for layer in layers:
                layer.mkdir()
            (layers[0] / "below").touch()
            if not _moved():
                return 1
            mount_overlay(*layers)
            (layers[3] / "below").unlink()
            seen = any(layers[3].iterdir()) or not (layers[0] / "below").exists()
            unmount(layers[3])
            return int(seen)
    except (OSError, TemporaryError):
        return 1


def _moved() -> bool:
    """Unshare; what is mounted on the host later still comes in, what is mounted here does not go out."""
    try:
        user, group = os.geteuid(), os.getegid()
        _call("unshare", _CLONE_NEWNS if user == 0 else _CLONE_NEWNS | _CLONE_NEWUSER)
        if user != 0:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
            Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
        _call("mount", None, b"/", None, ctypes.c_ulong(_MS_REC | _MS_SLAVE), None)
    except OSError:
        return False
    return True


def mount_overlay(lower: Path, upper: Path, work: Path, target: Path) -> None:
    """Show ``lower`` at ``target``; what is written there lands in ``upper``. ``work`` is the kernel's.

    Raises:
        TemporaryError: ``mount_failed``.
    """
    layers = ("lowerdir", lower), ("upperdir", upper), ("workdir", work)
    options = [f"{name}={str(path).translate(_ESCAPED)}" for name, path in layers]
    # Attributes that need no root; nobody waits for the disk: after a crash the run begins anew.
    options += ["userxattr", "volatile"]
    try:
        data = os.fsencode(",".join(options))
        flags = ctypes.c_ulong(_MS_NOSUID | _MS_NODEV)
        _call("mount", b"overlay", os.fsencode(target), b"overlay", flags, data)
    except OSError as error:
        raise failed("mount_failed", f"{target.name} could not be mounted: {error.strerror}") from error


def unmount(target: Path) -> None:
    """Take away a mount, also while something holds it open; harmless where there is none.

    Raises:
        TemporaryError: ``unmount_failed``.
    """
    if not os.path.ismount(target):
        return
    try:
        _call("umount2", os.fsencode(target), _MNT_DETACH | _UMOUNT_NOFOLLOW)
    except OSError as error:
        raise failed("unmount_failed", f"{target.name} could not be unmounted: {error.strerror}") from error


def _call(name: str, *arguments: object) -> None:
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
