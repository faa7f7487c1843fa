"""What a killed server left behind is ended at the next start; everybody else's is left alone."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ai_ops.core.ports import SandboxSpec
from ai_ops.workspace.orphans import kill_orphans
from ai_ops.workspace.profile import SandboxLimits, bubblewrap_argv
from ai_ops.workspace.sandbox import BubblewrapSandbox

# Leaves a sleeper behind that has no parent any more, and tells its pid.
_LEAVE = """
import os, subprocess, sys
name, shown = sys.argv[1:]
child = subprocess.Popen([name, "30", shown], executable=sys.executable, stdout=subprocess.DEVNULL)
print(child.pid)
"""
_SLEEP = "import time; time.sleep(30)"


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def left_behind(name, shown):
    """Start a process called ``name`` that shows a folder, and lose its parent."""
    script = _LEAVE.replace('[name, "30", shown]', f'[name, "-c", {_SLEEP!r}, shown]')
    told = subprocess.run(
        [sys.executable, "-c", script, name, str(shown)], stdout=subprocess.PIPE, check=True
    )
    pid = int(told.stdout)
    # A program that begins has no arguments for a moment.
    while not Path(f"/proc/{pid}/cmdline").read_bytes():
        time.sleep(0.01)
    return pid


@pytest.fixture
def pids():
    found = []
    yield found
    for pid in found:
        subprocess.run(["kill", "-9", str(pid)], stderr=subprocess.DEVNULL, check=False)


def test_a_sandbox_without_its_server_is_ended(tmp_path, pids):
    pids.append(left_behind("/usr/bin/bwrap", tmp_path / "workspaces" / "run" / "verify"))
    assert kill_orphans(tmp_path / "workspaces") == tuple(pids)
    deadline = time.monotonic() + 5
    while alive(pids[0]) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(pids[0])


@pytest.mark.parametrize(
    ("name", "shown"),
    [("bwrap", "elsewhere/run"), ("bwrap", "workspaces-2/run"), ("python", "workspaces/run")],
    ids=["other folder", "folder of a like name", "other program"],
)
def test_what_is_somebody_elses_is_left_alone(tmp_path, pids, name, shown):
    pids.append(left_behind(name, tmp_path / shown))
    assert kill_orphans(tmp_path / "workspaces") == ()
    assert alive(pids[0])


def test_a_sandbox_of_this_process_is_left_alone(tmp_path):
    argv = ["bwrap", "-c", _SLEEP, str(tmp_path / "workspaces" / "run")]
    with subprocess.Popen(argv, executable=sys.executable) as ours:
        assert kill_orphans(tmp_path / "workspaces") == ()
        ours.kill()


def test_a_sandbox_that_shows_no_folder_is_known_by_its_owner(tmp_path, pids):
    spec = SandboxSpec(("/bin/true",), (), cwd="/")  # what the self-test is
    argv = bubblewrap_argv(spec, SandboxLimits(), owner=tmp_path / "workspaces")
    assert argv.index("AI_OPS_OWNER") < argv.index("--clearenv")
    (owner,) = (word for word in argv if word.startswith(str(tmp_path)))
    pids.append(left_behind("/usr/bin/bwrap", owner))
    assert kill_orphans(tmp_path / "workspaces") == tuple(pids)


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs bubblewrap")
async def test_the_owner_is_not_seen_inside(tmp_path):
    spec = SandboxSpec(("/usr/bin/env",), (), cwd="/")
    result = await BubblewrapSandbox(owner=tmp_path).run(spec)
    assert "HOME=" in result.output and "OWNER" not in result.output
