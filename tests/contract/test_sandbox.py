"""What every sandbox that isolates promises, in bubblewrap and in a container of podman.

A container takes a second to begin, so what is cheap to ask together is asked in one.
"""

import asyncio
import contextlib
import os
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from ai_ops import process
from ai_ops.core.ports import Bind, SandboxSpec
from ai_ops.errors import PermanentError
from ai_ops.flow.report import RunEnd
from ai_ops.workspace.oci import OciSandbox
from ai_ops.workspace.profile import SandboxLimits
from ai_ops.workspace.sandbox import BubblewrapSandbox
from tests.support.containers import podman_works

MIB = 2**20
LIMITS = SandboxLimits(
    processes=100, memory_bytes=300 * MIB, tmp_bytes=16 * MIB, disk_bytes=8 * MIB, files=300, cpu_seconds=30
)


def bubblewrap(owner):
    return BubblewrapSandbox(LIMITS)


def podman(owner):
    if not podman_works():
        pytest.skip("podman does not run containers here")
    return OciSandbox(LIMITS, program="podman", owner=owner)


@pytest.fixture(params=[bubblewrap, podman], ids=["bubblewrap", "podman"])
def sandbox(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp("owner"))


@pytest.fixture
def checkout(tmp_path):
    place = tmp_path / "checkout"
    (place / ".git").mkdir(parents=True)
    return place


def shell(script, *binds, **changes):
    return SandboxSpec(("sh", "-c", script), binds, **{"cwd": "/", "wall_seconds": 60, **changes})


def host_processes(mark):
    """Return the host's processes that have ``mark`` in their command line."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (place / "cmdline").read_bytes():
                found.append(place.name)
    return found


async def nothing_left(mark):
    for _ in range(100):
        if not host_processes(mark):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"processes survive: {host_processes(mark)}")


async def test_the_probe_says_what_it_is(sandbox):
    assert "no network" in await sandbox.probe()


ATTEMPTS = {
    "root's home": "ls -A /root 2>/dev/null | grep .",
    "homes": "ls -A /home | grep -v '^ai-ops$'",
    "what its own home begins with": "ls -A /home/ai-ops | grep .",
    "shadow": "cat /etc/shadow",
    "private keys": "ls /etc/ssl/private",
    "users": "grep -v -e root -e ai-ops -e nobody /etc/passwd",
    "system folders": "ls -A /var /srv /boot /mnt 2>/dev/null | grep .",
    "processes": "test $(ls -d /proc/[0-9]* | wc -l) -gt 8",
    "to write programs": "echo x > /usr/bin/x",
    "to write users": "echo x > /etc/passwd",
    "to write the root folder": "echo x > /x",
    "to write beside": "echo x > /var/tmp/x",
    "kernel settings": "test -w /proc/sys/kernel/core_pattern",
    "sysrq": "test -w /proc/sysrq-trigger",
    "nested user namespace": "unshare --user true",
    "mount": "mount -t tmpfs x /tmp",
    "capabilities": "grep Cap /proc/self/status | grep -v 0000000000000000",
    "new privileges": "grep NoNewPrivs /proc/self/status | grep 0",
    "network": "grep : /proc/net/dev | grep -v lo:",
    "block devices": "ls /dev | grep -e ^sd -e ^vd -e ^nvme -e ^mem$",
    "more of tmp than its size": "head -c 64m /dev/zero > /tmp/big",
    "more of home than its size": "head -c 64m /dev/zero > ~/big",
    "more of shared memory than its size": "head -c 64m /dev/zero > /dev/shm/big",
    "git's own folder": "echo x > /workspace/.git/hook",
}


async def test_the_host_is_out_of_reach(sandbox, checkout):
    lines = [f"if ({script}) >/dev/null 2>&1; then echo '{name}'; fi" for name, script in ATTEMPTS.items()]
    binds = (Bind(checkout, "/workspace", writable=True), Bind(checkout / ".git", "/workspace/.git"))
    limits = SandboxLimits(tmp_bytes=16 * MIB)  # here the size is the limit that is asked for
    sandbox._limits = limits
    result = await sandbox.run(shell("\n".join([*lines, "echo done"]), *binds))
    assert (result.end, result.output.split("\n")) == (RunEnd.EXITED, ["done", ""])


async def test_ordinary_work_goes_on_inside_with_the_given_names_alone(sandbox, checkout, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "planted-secret")
    monkeypatch.setenv("DOCKER_PASSWORD", "planted-secret")
    script = "hostname; pwd; echo x > /tmp/x; echo y > ~/y; echo z > z; cat /tmp/x ~/y; env; exit 7"
    spec = shell(script, Bind(checkout, "/workspace", writable=True), cwd="/workspace", env={"A": "b\n$c"})
    result = await sandbox.run(spec)
    told = result.output.splitlines()
    assert (told[:4], result.exit_code) == (["sandbox", "/workspace", "x", "y"], 7)
    names = {line.partition("=")[0] for line in told[4:] if "=" in line}
    assert names == {"A", "PATH", "LANG", "HOME", "PWD"}
    assert "A=b\n$c" in result.output
    assert (checkout / "z").read_text() == "z\n"
    assert (checkout / "z").stat().st_uid == os.getuid()


@pytest.mark.parametrize(
    ("script", "code"),
    [("no-such-command", 127), ("kill -9 $$", 137), ("exit 125", 125), ("exit 1", 1)],
)
async def test_the_exit_code_is_the_command_s(sandbox, script, code):
    assert (await sandbox.run(shell(script))).exit_code == code


WAITS = "; sleep 50"
EXCESSES = {
    "hang": ("sleep 60", {"wall_seconds": 3}, RunEnd.WALL_TIMEOUT),
    "flood": ("yes", {"output_limit": 10_000}, RunEnd.OUTPUT_LIMIT),
    "memory of one": (f"python3 -c 'x = bytearray(b\"x\") * 10**9'{WAITS}", {}, RunEnd.MEMORY_LIMIT),
    "processes": (
        f"i=0; while [ $i -lt 120 ]; do sleep 60 & i=$((i+1)); done{WAITS}",
        {},
        RunEnd.PROCESS_LIMIT,
    ),
    "a large file": (f"head -c 12m /dev/urandom > /workspace/big{WAITS}", {}, RunEnd.DISK_LIMIT),
    "a file without a name": (
        f"exec 3> /workspace/gone; rm /workspace/gone; head -c 12m /dev/urandom >&3{WAITS}",
        {},
        RunEnd.DISK_LIMIT,
    ),
    "many files": (
        f"i=0; while [ $i -lt 400 ]; do : > /workspace/$i; i=$((i+1)); done{WAITS}",
        {},
        RunEnd.FILE_LIMIT,
    ),
    "a large file in tmp": (f"head -c 12m /dev/urandom > /tmp/big{WAITS}", {}, RunEnd.DISK_LIMIT),
    "a bit everywhere": (
        f"for p in /tmp /dev/shm ~ /workspace; do head -c 3m /dev/urandom > $p/part; done{WAITS}",
        {},
        RunEnd.DISK_LIMIT,
    ),
    "many files at home": (
        f"cd; i=0; while [ $i -lt 400 ]; do : > $i; i=$((i+1)); done{WAITS}",
        {},
        RunEnd.FILE_LIMIT,
    ),
}


@pytest.mark.parametrize(("script", "changes", "end"), EXCESSES.values(), ids=EXCESSES.keys())
async def test_an_excess_ends_the_run_under_its_name(
    sandbox, checkout, tmp_path_factory, monkeypatch, script, changes, end
):
    here = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(here)
    result = await sandbox.run(shell(script, Bind(checkout, "/workspace", writable=True), **changes))
    assert (result.end, result.exit_code) == (end, None), result.output
    assert len(result.output) <= 10_000
    assert list(here.iterdir()) == []


async def test_processor_time_is_that_of_all_together(sandbox):
    sandbox._limits = replace(LIMITS, cpu_seconds=1)
    result = await sandbox.run(shell("for i in 1 2 3; do (while :; do :; done) & done; wait"))
    assert (result.end, result.exit_code) == (RunEnd.CPU_LIMIT, None)


async def test_what_a_checkout_held_before_is_not_the_run_s(sandbox, checkout):
    (checkout / "large").write_bytes(bytes(12 * MIB))
    for number in range(400):
        (checkout / f"{number}").touch()
    await asyncio.sleep(0.03)  # the file system's clock goes by ticks
    script = "head -c 1m /dev/urandom > more; sleep 2.5"  # longer than until it is looked at
    result = await sandbox.run(shell(script, Bind(checkout, "/workspace", writable=True), cwd="/workspace"))
    assert (result.end, result.exit_code) == (RunEnd.EXITED, 0)


async def test_a_fork_bomb_ends_and_leaves_nothing(sandbox):
    mark = f"bomb-{uuid.uuid4().hex}"
    result = await sandbox.run(shell(f": {mark}; b() {{ b | b & }}; b; sleep 30", wall_seconds=3))
    assert result.end is not RunEnd.EXITED or result.exit_code != 0
    await nothing_left(mark)


async def test_a_daemon_does_not_survive_the_command(sandbox, checkout):
    mark = f"daemon-{uuid.uuid4().hex}"
    beats = f"setsid sh -c ': {mark}; while :; do echo >> beat; sleep 0.05; done' >/dev/null 2>&1 &"
    spec = shell(f"{beats} sleep 0.5", Bind(checkout, "/workspace", writable=True), cwd="/workspace")
    assert (await sandbox.run(spec)).exit_code == 0
    assert (checkout / "beat").exists()
    await nothing_left(mark)


@pytest.mark.parametrize("moment", ["at once", "while it runs"])
async def test_cancelling_leaves_nothing(sandbox, moment):
    mark = f"cancel-{uuid.uuid4().hex}"
    await sandbox.probe()
    running = asyncio.create_task(sandbox.run(shell(f": {mark}; setsid sleep 300 & sleep 300")))
    while not host_processes(mark):
        await asyncio.sleep(0.02)
    while moment == "while it runs" and not host_processes("sleep\x00300"):
        await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await nothing_left(mark)


async def test_a_command_can_be_started_by_others_and_is_watched(sandbox, tmp_path_factory, monkeypatch):
    here = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(here)
    spec = shell("cat; python3 -c 'x = bytearray(b\"x\") * 10**9'; sleep 50")
    async with sandbox.prepare(spec) as prepared:
        child = await process.start(
            prepared.argv, env=process.clean_environment(), pass_fds=prepared.pass_fds
        )
        watching = asyncio.create_task(prepared.watch(child.pid))
        child.stdin.write(b"hello\n")
        child.stdin.close()
        assert await child.stdout.readline() == b"hello\n"
        done, _ = await asyncio.wait(
            {watching, asyncio.create_task(child.wait())}, return_when="FIRST_COMPLETED"
        )
        assert watching not in done or watching.result() is RunEnd.MEMORY_LIMIT
        watching.cancel()
        process.kill_group(child.pid)
        await asyncio.gather(watching, return_exceptions=True)
        await child.communicate()
    assert list(here.iterdir()) == []


async def test_a_link_of_the_repository_is_never_mounted(sandbox, checkout):
    (checkout / "out").symlink_to("/etc")
    with pytest.raises(PermanentError, match="sandbox_refused"):
        await sandbox.run(shell("true", Bind(checkout / "out", "/report", writable=True)))
