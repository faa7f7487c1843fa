"""The bubblewrap profile: one command line from one spec, decided without touching a process.

Inside there is ``/usr`` read-only, a private ``/tmp`` and HOME, and what the spec binds. When the server
runs as root, root's files belong to the sandbox's user, so nothing of the host is shown that a root
process without capabilities could misuse: ``/proc`` is read-only (root may otherwise write
``/proc/sys/kernel/core_pattern`` through it), ``/etc`` is our own, and further user namespaces are off.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ai_ops.core.failures import failed
from ai_ops.core.ports import Bind, SandboxSpec
from ai_ops.errors import AiOpsError

HOME = "/home/ai-ops"
PRIVATE = ("/tmp", "/dev/shm", HOME)  # noqa: S108 # nosec B108
"""The private file systems inside, kept in memory."""
SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"

ETC = Path(__file__).parent / "etc"
TOP = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
PUBLIC = ("alternatives", "ld.so.cache", "ssl/certs", "protocols", "services")
_OURS = {"/", "/usr", "/etc", "/proc", "/dev", "/sys", "/tmp"}  # noqa: S108 # nosec B108
# bubblewrap's own --block-fd would let the command run on when both it and the server were killed.
_GATE = 'echo > "/proc/self/fd/$0" && read -r go < "/proc/self/fd/$1" && shift && exec "$@"'
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What one sandboxed command and its children may use.

    Bytes and seconds. ``memory_bytes``, ``processes`` (threads count) and ``cpu_seconds`` are for the whole
    tree. ``disk_bytes`` and ``files`` are what it may write, wherever that is; ``file_bytes`` is per file,
    ``tmp_bytes`` bounds each private file system. The run ends when the host has less than the
    ``*_floor_bytes`` left.
    """

    memory_bytes: int = 4 * 2**30
    processes: int = 512
    disk_bytes: int = 8 * 2**30
    files: int = 500_000
    file_bytes: int = 2**30
    cpu_seconds: int = 7200
    tmp_bytes: int = 2**29
    memory_floor_bytes: int = 128 * 2**20
    disk_floor_bytes: int = 256 * 2**20

    @property
    def most_processes(self) -> int:
        """Where the kernel stops forks: above ``processes``, so that the watcher sees that it was passed."""
        return self.processes * 3 // 2

    @property
    def most_cpu_seconds(self) -> int:
        """Where the kernel ends one process: after the watcher had time to name the limit."""
        return self.cpu_seconds + 5


def environment(spec: SandboxSpec) -> dict[str, str]:
    """Return the whole environment inside: the spec's words over a search path, a locale and HOME."""
    for name, value in spec.env.items():
        if not _NAME.match(name) or "\0" in value:
            raise refused(f"the environment variable {name!r} cannot be passed")
    return {"PATH": SEARCH_PATH, "LANG": "C.UTF-8", "HOME": HOME, **spec.env}


def bubblewrap_argv(
    spec: SandboxSpec,
    limits: SandboxLimits,
    *,
    bwrap: str = "bwrap",
    owner: Path | None = None,
    prlimit: str | None = None,
    status_fd: int | None = None,
    gate_fds: tuple[int, int] | None = None,
) -> list[str]:
    """Return the command line that runs ``spec`` inside.

    Args:
        spec: the command; its binds are mounted in their order.
        limits: sizes of the private file systems, and the kernel limits set by ``prlimit``.
        bwrap: the program.
        owner: a folder of the server that starts it, shown to who looks at the command line from outside.
        prlimit: the program that sets limits from inside, where processes are counted per sandbox.
        status_fd: where bubblewrap tells its child's pid and the exit code.
        gate_fds: where the inside says that it stands, and where it then reads a line before the command
            begins; it never does when that ends before.

    Raises:
        PermanentError: ``sandbox_refused``: a bind or variable that could not be kept apart.
    """
    check_spec(spec)
    argv = [bwrap, "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent"]
    argv += ["--new-session", "--cap-drop", "ALL", "--uid", "1000", "--gid", "1000", "--hostname", "sandbox"]
    if status_fd is not None:
        argv += ["--json-status-fd", str(status_fd)]
    argv += _system(network=spec.network)
    argv += _private(limits, spec.binds)
    for bind in spec.binds:
        argv += ["--bind" if bind.writable else "--ro-bind", str(bind.source), bind.target]
    if owner is not None:
        argv += ["--setenv", "AI_OPS_OWNER", f"{owner.absolute()}/"]  # --clearenv takes it away again
    argv += ["--remount-ro", "/", "--chdir", spec.cwd, "--clearenv"]
    for name, value in environment(spec).items():
        argv += ["--setenv", name, value]
    # Many busy processes inside must not starve the one that counts them.
    back = ["nice", "-n", str(spec.niceness)] if spec.niceness else []
    argv += ["--", *_gate(gate_fds), *back, *_kernel_limits(limits, prlimit), *spec.argv]
    return argv


def _system(*, network: bool) -> Iterator[str]:
    """Yield the read-only system: programs, libraries, and an ``/etc`` without the host's secrets."""
    yield from ("--ro-bind", "/usr", "/usr")
    for name in TOP:
        place = Path("/", name)
        if place.is_symlink():
            yield from ("--symlink", str(place.readlink()), str(place))
        elif place.is_dir():
            yield from ("--ro-bind", str(place), str(place))
    for name in (*public_settings(), *(("resolv.conf",) if network else ())):
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")
    for name in ("passwd", "group", "hosts", "nsswitch.conf"):
        yield from ("--ro-bind", str(ETC / name), f"/etc/{name}")
    if network:
        yield "--share-net"


def public_settings() -> tuple[str, ...]:
    """Return what is shown of the host's ``/etc``, where it is there."""
    java = sorted(place.name for place in Path("/etc").glob("java-*"))  # a JDK keeps its settings here
    return (*PUBLIC, *java)


def _private(limits: SandboxLimits, binds: Sequence[Bind]) -> Iterator[str]:
    """Yield what belongs to this run alone."""
    size = str(limits.tmp_bytes)
    yield from ("--proc", "/proc", "--remount-ro", "/proc", "--dev", "/dev")
    yield from ("--size", size, "--tmpfs", "/dev/shm", "--remount-ro", "/dev")  # noqa: S108 # nosec B108
    yield from ("--size", size, "--tmpfs", "/tmp")  # noqa: S108 # nosec B108
    if all(bind.target != HOME for bind in binds):
        yield from ("--size", size, "--tmpfs", HOME)


def _gate(fds: tuple[int, int] | None) -> list[str]:
    return [] if fds is None else ["/bin/sh", "-c", _GATE, *map(str, fds)]


def _kernel_limits(limits: SandboxLimits, prlimit: str | None) -> list[str]:
    if prlimit is None:
        return []
    return [
        prlimit,
        "--core=0",
        f"--nproc={limits.most_processes}",
        f"--fsize={limits.file_bytes}",
        f"--cpu={limits.most_cpu_seconds}",
        "--",
    ]


def check_spec(spec: SandboxSpec) -> None:
    """Refuse a command that cannot be kept apart.

    Raises:
        PermanentError: ``sandbox_refused``.
    """
    check_binds(spec.binds)
    if not spec.argv or any("\0" in word for word in spec.argv):
        raise refused("the command is empty or contains a NUL character")


def check_binds(binds: Sequence[Bind]) -> None:
    """Refuse binds that name a link: a repository could have put it there to be shown the host.

    Raises:
        PermanentError: ``sandbox_refused``.
    """
    for bind in binds:
        target = bind.target
        if not target.startswith("/") or posixpath.normpath(target) != target or target in _OURS:
            raise refused(f"nothing may be mounted at {target!r}")
        if not bind.source.is_absolute() or bind.source.is_symlink() or not bind.source.exists():
            raise refused(f"{bind.source} is not there, relative, or a link")
        for outer in binds:
            if target.startswith(outer.target.rstrip("/") + "/"):
                _check_way(outer.source, posixpath.relpath(target, outer.target))


def _check_way(outer: Path, inner: str) -> None:
    """Refuse a mount point that is reached through a link in the folder around it."""
    place = outer
    for part in inner.split("/"):
        place = place / part
        if place.is_symlink():
            raise refused(f"{place} is a link")


def refused(why: str) -> AiOpsError:
    """Return the error of a command that cannot be kept apart."""
    return failed("sandbox_refused", why)
