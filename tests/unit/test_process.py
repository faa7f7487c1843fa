"""Children end at their limits, and none survives."""

import asyncio
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from ai_ops.process import End, Limits, clean_environment, run

ROOT = Path(__file__).parents[2]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        with Path(f"/proc/{pid}/stat").open() as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def gone(pid: int) -> bool:
    """Whether a process that was killed is gone soon; on a busy machine it has to get its turn to die."""
    for _ in range(500):
        if not alive(pid):
            return True
        await asyncio.sleep(0.01)
    return False


async def test_returns_what_the_child_said_and_its_exit_code():
    done = await run(["sh", "-c", "cat; echo no >&2; exit 3"], env=clean_environment(), stdin=b"yes")
    assert (done.end, done.exit_code, done.stdout, done.stderr) == (End.EXITED, 3, b"yes", b"no\n")
    assert not done.ok


async def test_large_input_and_output_do_not_block_each_other():
    data = b"x" * 3_000_000
    done = await run(["cat"], env=clean_environment(), stdin=data)
    assert done.stdout == data


@pytest.mark.parametrize(
    ("script", "limits", "end"),
    [
        ("sleep 30", Limits(wall_seconds=0.3), End.WALL_TIMEOUT),
        ("while :; do echo .; sleep 0.05; done", Limits(wall_seconds=0.5, idle_seconds=5), End.WALL_TIMEOUT),
        ("echo a; sleep 30", Limits(idle_seconds=0.3), End.IDLE_TIMEOUT),
        ("yes", Limits(output_bytes=1000), End.OUTPUT_LIMIT),
    ],
    ids=["wall", "wall-while-talking", "idle", "output"],
)
async def test_a_limit_ends_the_child(script, limits, end):
    done = await asyncio.wait_for(
        run(["sh", "-c", f"exec 3<&0; {script}"], env=clean_environment(), limits=limits), 10
    )
    assert done.end is end
    assert len(done.stdout) <= limits.output_bytes


async def test_background_children_die_with_the_command():
    done = await run(["sh", "-c", "sleep 60 & echo $!"], env=clean_environment())
    assert await gone(int(done.stdout))


async def test_one_who_left_the_group_with_our_pipes_keeps_none_of_our_ends_open(tmp_path):
    def pipes():
        places = [place for place in Path("/proc/self/fd").iterdir() if place.is_fifo()]
        return sorted(place.name for place in places)

    await run(["true"], env=clean_environment())
    before = pipes()
    begin = f"setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 60' <&3 &"
    script = f"{begin} until [ -s {tmp_path}/pid ]; do sleep 0.01; done"
    done = await run(["sh", "-c", f"exec 3<&0; {script}"], env=clean_environment(), stdin=b"x" * 1_000_000)
    await asyncio.sleep(0.05)
    pid = int((tmp_path / "pid").read_text())
    try:
        assert done.ok
        assert alive(pid)
        assert pipes() == before
    finally:
        os.kill(pid, 9)


async def test_a_cancelled_task_takes_its_child_along():
    pids = []
    task = asyncio.create_task(run(["sleep", "60"], env=clean_environment(), on_start=pids.append))
    while not pids:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await gone(pids[0])


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8])
async def test_a_task_cancelled_while_its_child_starts_leaves_none(turns, tmp_path):
    script = f"echo $$ > {tmp_path}/pid; sleep 60 & sleep 60"
    task = asyncio.create_task(run(["sh", "-c", f"exec 3<&0; {script}"], env=clean_environment()))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 10)
    await asyncio.sleep(0.1)
    pid = tmp_path / "pid"
    assert not pid.exists() or not pid.read_text() or not alive(int(pid.read_text()))


async def test_the_environment_is_only_what_was_given(monkeypatch):
    monkeypatch.setenv("PLANTED_TOKEN", "value")
    done = await run(["env"], env=clean_environment({"ONE": "1"}))
    names = {line.split("=")[0] for line in done.text.splitlines()}
    assert "ONE" in names
    assert "PLANTED_TOKEN" not in names


@pytest.fixture(params=["with the launcher", "without"])
def beginning(request, monkeypatch):
    """Both ways in which a child begins."""
    if request.param == "without":
        monkeypatch.setattr("ai_ops.launch._tools", lambda: None)
    return request.param


async def test_kernel_limits_reach_the_child(tmp_path, beginning):
    done = await run(
        ["sh", "-c", "head -c 100000 /dev/zero > big; ulimit -c"],
        env=clean_environment(),
        cwd=tmp_path,
        limits=Limits(file_bytes=1000),
    )
    assert done.stdout == b"0\n"
    assert (tmp_path / "big").stat().st_size <= 1000


async def test_a_limit_above_our_own_is_our_own(beginning):
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    assert hard == resource.RLIM_INFINITY, "the test needs room"
    script = (
        "import asyncio, resource\nfrom ai_ops.process import Limits, clean_environment, run\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (100, 100))\n"
        "limits = Limits(cpu_seconds=900)\n"
        "print(asyncio.run(run(['sh', '-c', 'ulimit -t'], env=clean_environment(), limits=limits)).text)"
    )
    if beginning == "without":
        script = "import ai_ops.launch\nai_ops.launch._tools = lambda: None\n" + script
    done = await run([sys.executable, "-c", script], env=clean_environment(), cwd=ROOT)
    assert done.text.strip() == "100", done.complaint


async def test_a_child_dies_with_its_parent(tmp_path, beginning):
    script = (
        "import asyncio, pathlib, sys\nfrom ai_ops.process import clean_environment, run\n"
        "asyncio.run(run(['sleep', '100'], env=clean_environment(), "
        "on_start=lambda pid: pathlib.Path(sys.argv[1]).write_text(str(pid))))"
    )
    if beginning == "without":
        script = "import ai_ops.launch\nai_ops.launch._tools = lambda: None\n" + script
    told = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", script, str(told)], cwd=ROOT)
    while not (told.exists() and told.read_text()):
        await asyncio.sleep(0.02)
    pid = int(told.read_text())
    while Path(f"/proc/{pid}/comm").read_text() != "sleep\n":
        await asyncio.sleep(0.02)
    parent.kill()
    parent.wait()
    assert await gone(pid)


@pytest.mark.parametrize(
    "program",
    [
        "/no/such/program",
        "no-such-program",
        "./no-such-program",
    ],
)
async def test_a_missing_program_is_said_plainly(program, beginning, tmp_path):
    with pytest.raises(FileNotFoundError):
        await run([program], env=clean_environment(), cwd=tmp_path)
