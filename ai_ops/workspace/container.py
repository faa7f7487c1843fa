"""The container profile: one command line of an OCI runtime from one spec, decided without a process.

What bubblewrap's profile promises holds here too, in docker's and podman's words. Where no image is named
the host's own ``/usr`` is shown, read-only, in an image that holds nothing else: the tools are the same
whichever sandbox runs them. The limits on memory and processes are the kernel's, set by the runtime.
"""

from __future__ import annotations

import io
import os
import resource
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ai_ops.core.ports import Bind, SandboxSpec
from ai_ops.workspace.profile import (
    ETC,
    HOME,
    PRIVATE,
    TOP,
    SandboxLimits,
    check_spec,
    environment,
    public_settings,
    refused,
)

LABEL = "ai-ops.owner"

# The command is not the first process, which the kernel would let ignore signals; it gets the variables that
# are named and none of the runtime's. Runtimes do not say reliably that the kernel ended a process for its
# memory: the container's name on the last line does. Code that forges it only names its own failure.
# No program is begun for it: what was ended may not have given its memory back yet, and a program more would
# be ended too.
_FIRST = """\
"$@"; code=$?
for file in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
    [ -r "$file" ] || continue
    while read -r name count; do
        if [ "$name" = oom_kill ] && [ "$count" != 0 ]; then echo "$0"; fi
    done < "$file"
done
exit $code
"""
_MOST_OPEN_FILES = 4096
_MOST_USER_PROCESSES = 16384  # of the user, on the host; the sandbox's own limit is ``--pids-limit``
_TMPFS = "rw,exec,nosuid,nodev,mode=1777"


@dataclass(frozen=True, slots=True)
class Runtime:
    """An OCI runtime as it is used here.

    ``user`` is ``uid:gid`` inside, of whom outside is this process's user. ``image`` has the tools when
    ``own_tools``; otherwise it is empty, and the host's are shown. ``owner`` marks this server's containers.
    ``seccomp`` is a filter of system calls in the place of the runtime's own.
    """

    program: str
    podman: bool
    user: str
    image: str
    own_tools: bool
    owner: str
    keep_id: bool = False
    seccomp: Path | None = None


def container_argv(spec: SandboxSpec, limits: SandboxLimits, runtime: Runtime, name: str) -> list[str]:
    """Return the command line that runs ``spec`` in a container called ``name``, which it leaves behind.

    When the kernel ended a process inside for its memory, ``name`` is the last line of the output.

    Raises:
        PermanentError: ``sandbox_refused``: a bind or variable that could not be kept apart.
    """
    check_spec(spec)
    words = [f"{key}={value}" for key, value in environment(spec).items()]
    return [
        *(runtime.program, "run", "--name", name, "--label", f"{LABEL}={runtime.owner}"),
        *("--interactive", "--pull", "never", "--no-healthcheck", "--log-driver", "none"),
        *_isolation(spec, runtime),
        *_limits(limits, spec.niceness),
        *_file_systems(spec, limits, runtime),
        *("--workdir", spec.cwd, "--entrypoint", "/bin/sh", runtime.image),
        *("-c", _FIRST, name, "env", "-i", *words, *spec.argv),
    ]


def _isolation(spec: SandboxSpec, runtime: Runtime) -> Iterator[str]:
    if not spec.network:
        yield from ("--network", "none")
    yield from ("--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    # Labels of SELinux would shut the checkout out, or be written onto the host's files.
    yield from ("--security-opt", "label=disable")
    if runtime.seccomp is not None:
        yield from ("--security-opt", f"seccomp={runtime.seccomp}")
    yield from ("--user", runtime.user, "--hostname", "sandbox", "--stop-signal", "KILL")
    if runtime.podman:
        yield from ("--read-only-tmpfs=false", "--image-volume", "ignore")
    if runtime.keep_id:
        yield from ("--userns", "keep-id")


def _limits(limits: SandboxLimits, niceness: int) -> Iterator[str]:
    # Private file systems lie in memory and count here; the watcher counts the processes alone.
    memory = str(limits.memory_bytes + len(PRIVATE) * limits.tmp_bytes)
    yield from ("--memory", memory, "--memory-swap", memory, "--pids-limit", str(limits.most_processes))
    # 1024 are the usual ones. Many busy processes must not starve the one that counts them.
    yield from ("--cpu-shares", str(1024 * (20 - niceness) // 20))
    open_files = min(_MOST_OPEN_FILES, _hard(resource.RLIMIT_NOFILE))
    processes = min(_MOST_USER_PROCESSES, _hard(resource.RLIMIT_NPROC))
    for kind, most in (
        ("core", 0),
        ("nofile", open_files),
        ("nproc", processes),
        ("fsize", limits.file_bytes),
        ("cpu", limits.most_cpu_seconds),
    ):
        yield from ("--ulimit", f"{kind}={most}:{most}")


def _hard(kind: int) -> int:
    most = resource.getrlimit(kind)[1]
    return most if most != resource.RLIM_INFINITY else 2**31


def _file_systems(spec: SandboxSpec, limits: SandboxLimits, runtime: Runtime) -> Iterator[str]:
    taken = {bind.target for bind in spec.binds}
    yield from ("--read-only", "--shm-size", str(limits.tmp_bytes))
    for place in PRIVATE:
        if place != "/dev/shm" and place not in taken:  # noqa: S108 # nosec B108
            yield from ("--tmpfs", f"{place}:{_TMPFS},size={limits.tmp_bytes}")
    for bind in (*(() if runtime.own_tools else host_binds()), *spec.binds):
        yield from ("--mount", _mount(bind))


def _mount(bind: Bind) -> str:
    for path in (str(bind.source), bind.target):
        if any(letter in path for letter in ',"\n'):
            raise refused(f"{path!r} cannot be mounted in a container")
    return f"type=bind,src={bind.source},dst={bind.target}{'' if bind.writable else ',readonly'}"


def host_binds() -> tuple[Bind, ...]:
    """Return the host's programs, libraries and public settings, as they are shown in an empty image."""
    folders = [Path("/usr"), *(Path("/", name) for name in TOP if not Path("/", name).is_symlink())]
    settings = [Path("/etc", name) for name in public_settings()]
    return tuple(Bind(place, str(place)) for place in (*folders, *settings) if place.exists())


def empty_image() -> bytes:
    """Return an image without programs as a tar archive: mount points, links, and an ``/etc`` of our own."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name in ("usr", "etc", "tmp", "proc", "dev", "sys", "run", "home", HOME.lstrip("/")):
            _add(archive, name, tarfile.DIRTYPE, 0o755)
        for name in TOP:
            place = Path("/", name)
            if place.is_symlink():
                _add(archive, name, tarfile.SYMTYPE, 0o777, link=str(place.readlink()))
        for file in sorted(ETC.iterdir()):
            _add(archive, f"etc/{file.name}", tarfile.REGTYPE, 0o644, file.read_bytes())
    return packed.getvalue()


def _add(
    archive: tarfile.TarFile, name: str, kind: bytes, mode: int, data: bytes = b"", link: str = ""
) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.size, entry.linkname = kind, mode, len(data), link
    archive.addfile(entry, io.BytesIO(data))


def own_user() -> str:
    """Return this process's user, as a runtime wants it."""
    return f"{os.getuid()}:{os.getgid()}"
