"""What is bubblewrap's own, and the sandbox that is none. What every one promises is in tests/contract."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from ai_ops import process
from ai_ops.core.ports import Bind, SandboxSpec
from ai_ops.errors import PermanentError
from ai_ops.flow.report import RunEnd
from ai_ops.workspace.profile import SandboxLimits, bubblewrap_argv
from ai_ops.workspace.sandbox import BubblewrapSandbox, OffSandbox

MIB = 2**20


@pytest.fixture
def sandbox():
    return BubblewrapSandbox(SandboxLimits(processes=200, memory_bytes=300 * MIB, tmp_bytes=16 * MIB))


def shell(script, *binds, **changes):
    return SandboxSpec(("sh", "-c", script), binds, **{"cwd": "/", "wall_seconds": 30, **changes})


def host_processes(mark):
    """Return the host's processes that have ``mark`` in their command line."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (place / "cmdline").read_bytes():
                found.append(place.name)
    return found


async def test_the_probe_runs_a_command_and_describes_the_sandbox(sandbox):
    assert "bubblewrap" in await sandbox.probe()


@pytest.mark.parametrize("program", ["no-such-bwrap", "/bin/false"])
async def test_the_probe_refuses_where_it_cannot_isolate(program):
    with pytest.raises(PermanentError) as caught:
        await BubblewrapSandbox(program=program).probe()
    assert caught.value.code == "sandbox_unavailable"
    assert "apt-get install bubblewrap" in caught.value.next_step


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("echo x > /dev/x", id="write dev"),
        pytest.param("echo -1 > /proc/self/oom_score_adj", id="proc is read-only"),
        pytest.param("ls /sys/class/net", id="devices"),
    ],
)
async def test_the_host_is_out_of_reach(sandbox, script):
    result = await sandbox.run(shell(script))
    assert result.end is RunEnd.EXITED
    assert result.exit_code != 0, result.output


def server_script(port):
    return f"import socket; socket.create_connection(('127.0.0.1', {port}), 3); print('connected')"


@pytest.mark.parametrize(("network", "connected"), [(False, False), (True, True)])
async def test_the_network_is_there_only_on_request(sandbox, network, connected):
    with socket.create_server(("127.0.0.1", 0)) as server:
        script = server_script(server.getsockname()[1])
        spec = SandboxSpec(("python3", "-c", script), (), cwd="/", network=network)
        assert ("connected" in (await sandbox.run(spec)).output) is connected


async def test_abstract_sockets_of_the_host_are_out_of_reach(sandbox):
    name = f"\0ai-ops-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        script = f"import socket; socket.socket(socket.AF_UNIX).connect({name!r})"
        assert (await sandbox.run(SandboxSpec(("python3", "-c", script), (), cwd="/"))).exit_code == 1


@pytest.mark.parametrize(
    ("script", "changes", "ends"),
    [
        pytest.param("echo a; sleep 60", {"idle_seconds": 0.5}, {RunEnd.IDLE_TIMEOUT}, id="silence"),
        pytest.param(
            "for i in 1 2 3 4 5 6; do "
            "python3 -c 'import time; x = bytearray(b\"x\") * 10**8; time.sleep(60)' & done; wait",
            {},
            {RunEnd.MEMORY_LIMIT},
            id="memory hog of many processes",
        ),
    ],
)
async def test_excess_ends_with_its_name(sandbox, script, changes, ends):
    result = await sandbox.run(shell(script, **changes))
    assert result.end in ends
    assert result.exit_code is None
    assert len(result.output) <= 10_000


async def test_a_fork_bomb_ends_and_is_bounded_by_the_kernel(sandbox):
    mark = f"bomb-{uuid.uuid4().hex}"
    spec = shell(f": {mark}; bomb() {{ bomb | bomb & }}; bomb; sleep 30", wall_seconds=3)
    running = asyncio.create_task(sandbox.run(spec))
    most = 0
    while not running.done():
        most = max(most, await asyncio.to_thread(lambda: len(host_processes(mark))))
        await asyncio.sleep(0.05)
    await running  # by the watcher, the clock, or because the shell itself can no longer fork
    assert most <= 620  # 300, and as many numbers as the kernel gives out only once
    await nothing_left(mark)


async def nothing_left(mark):
    for _ in range(100):
        if not host_processes(mark):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"processes survive: {host_processes(mark)}")


async def test_a_file_larger_than_the_limit_is_not_written(tmp_path):
    sandbox = BubblewrapSandbox(SandboxLimits(file_bytes=100_000))
    bind = Bind(tmp_path, "/workspace", writable=True)
    result = await sandbox.run(shell("head -c 1m /dev/zero > /workspace/big", bind))
    assert result.exit_code != 0
    assert (tmp_path / "big").stat().st_size <= 100_000


async def test_a_disk_that_runs_full_ends_the_run(tmp_path):
    disk = os.statvfs(tmp_path)
    floor = disk.f_bavail * disk.f_frsize + 2**40
    sandbox = BubblewrapSandbox(SandboxLimits(disk_floor_bytes=floor))
    result = await sandbox.run(shell("sleep 30", Bind(tmp_path, "/workspace", writable=True)))
    assert result.end is RunEnd.DISK_LIMIT


async def test_only_what_is_bound_writable_can_be_written(sandbox, tmp_path):
    checkout, git = tmp_path / "checkout", tmp_path / "checkout" / ".git"
    git.mkdir(parents=True)
    binds = (Bind(checkout, "/workspace", writable=True), Bind(git, "/workspace/.git"))
    script = "echo a > inside; echo b > .git/hook; echo c > ../outside; ln -s /etc/hostname link; ls -A"
    result = await sandbox.run(shell(script, *binds, cwd="/workspace"))
    assert (checkout / "inside").read_text() == "a\n"
    assert list(git.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkout"]
    assert "Read-only file system" in result.output


async def test_a_command_that_does_not_exist_is_no_failure_of_the_sandbox(sandbox):
    assert (await sandbox.run(SandboxSpec(("/no/such",), (), cwd="/"))).exit_code in (126, 127)


async def test_a_sandbox_that_cannot_be_set_up_is_named(sandbox):
    with pytest.raises(PermanentError) as caught:
        await sandbox.run(shell("true", cwd="/no/such/folder"))
    assert caught.value.code == "sandbox_unavailable"
    assert "no/such/folder" in caught.value.message


async def test_a_command_can_be_started_by_others(sandbox, tmp_path):
    spec = shell("cat; id -u; env | wc -l", Bind(tmp_path, "/workspace"), cwd="/workspace")
    assert (await started(sandbox, spec, b"hello\n")).split() == [b"hello", b"1000", b"4"]


async def started(sandbox, spec, stdin=b""):
    """Start a prepared command as a child of our own; return what it prints."""
    async with sandbox.prepare(spec) as prepared:
        child = await process.start(
            prepared.argv, env=process.clean_environment(), pass_fds=prepared.pass_fds
        )
        watching = asyncio.create_task(prepared.watch(child.pid))
        told, _ = await child.communicate(stdin)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        assert await prepared.stood(child.returncode)
        return told


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_works_for_an_ordinary_user_who_is_bound_by_the_process_limit():
    script = "i=0; while [ $i -lt 400 ]; do sleep 1 & i=$((i+1)); done"
    argv = bubblewrap_argv(shell(script), SandboxLimits(processes=200), prlimit="/usr/bin/prlimit")
    argv = ["setpriv", "--reuid", "65533", "--regid", "65533", "--clear-groups", *argv]
    done = subprocess.run(argv, capture_output=True, cwd="/", check=False)
    assert b"fork" in done.stderr


# --- off -------------------------------------------------------------------------------------------


async def test_off_says_so():
    assert "without isolation" in await OffSandbox().probe()


async def test_off_translates_mount_points_in_words_folders_and_variables(tmp_path):
    binds = (Bind(tmp_path, "/workspace"), Bind(tmp_path / "out", "/workspace/out", writable=True))
    (tmp_path / "out").mkdir()
    spec = SandboxSpec(
        ("sh", "-c", "pwd; echo $1 $A; echo x > /workspace/out/y", "sh", "--to=/workspace/out/z:/workspaces"),
        binds,
        env={"A": "/x/workspace:/workspace/b"},
    )
    result = await OffSandbox().run(spec)
    real = str(tmp_path)
    assert result.output.split() == [real, f"--to={real}/out/z:/workspaces", f"/x/workspace:{real}/b"]
    assert (tmp_path / "out" / "y").read_text() == "x\n"


async def test_off_keeps_a_clean_environment_and_a_home_of_its_own(monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "planted-secret")
    result = await OffSandbox().run(shell("env; test -w $HOME && echo writable"))
    assert "planted-secret" not in result.output
    assert "writable" in result.output
    home = next(line for line in result.output.splitlines() if line.startswith("HOME="))
    assert not Path(home.removeprefix("HOME=")).exists()


@pytest.mark.parametrize(
    ("script", "end"),
    [
        ("sleep 30", RunEnd.WALL_TIMEOUT),
        (
            "python3 -c 'import time; x = [bytearray(b\"x\") * 10**7 for _ in range(20)]; time.sleep(60)'",
            RunEnd.MEMORY_LIMIT,
        ),
    ],
)
async def test_off_keeps_the_limits(script, end):
    result = await OffSandbox(SandboxLimits(memory_bytes=100 * MIB)).run(shell(script, wall_seconds=2))
    assert result.end is end


async def test_off_answers_a_missing_program_like_a_shell():
    assert (await OffSandbox().run(SandboxSpec(("/no/such",), (), cwd="/"))).exit_code == 127


async def test_off_prepares_a_command_for_others(tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", "planted-secret")
    spec = SandboxSpec(("sh", "-c", "pwd; env"), (Bind(tmp_path, "/workspace"),))
    told = (await started(OffSandbox(), spec)).decode()
    assert told.splitlines()[0] == str(tmp_path)
    assert "planted-secret" not in told


# --- the server dies -------------------------------------------------------------------------------

SERVER = """
import asyncio, sys
from ai_ops import process
from ai_ops.core.ports import SandboxSpec
from ai_ops.workspace.sandbox import BubblewrapSandbox
spec = SandboxSpec(("sh", "-c", sys.argv[1]), (), cwd="/")
asyncio.run(BubblewrapSandbox().run(spec))
"""


async def test_kill_9_of_the_server_leaves_nothing():
    mark = f"orphan-{uuid.uuid4().hex}"
    script = f": {mark}; setsid sleep 300 & sleep 300"
    root = Path(__file__).parents[2]
    server = subprocess.Popen([sys.executable, "-c", SERVER, script], cwd=root)
    while len(host_processes(mark)) < 4:  # the server, bubblewrap twice, and the shell inside
        await asyncio.sleep(0.02)
    server.kill()
    server.wait()
    await nothing_left(mark)
