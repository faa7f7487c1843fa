"""The processes of a tree are found whole, by the kernel's lists and without them."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from ai_ops.workspace import watcher

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")

_FAMILY = """
import os, subprocess, sys, threading
child = [sys.executable, "-c", "import subprocess; subprocess.run(['cat'])"]
started = []
def start():
    started.append(subprocess.Popen(child, stdin=sys.stdin))
    os.write(1, b"started\\n")
    started[0].wait()
thread = threading.Thread(target=start)
thread.start()
other = subprocess.Popen(["cat"], stdin=sys.stdin)
os.write(1, b"started\\n")
thread.join()
"""


@pytest.fixture
def family():
    """A process with a child of its own, and one of its second thread, that has a child again."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", _FAMILY], **pipes) as process:
        assert [process.stdout.readline(), process.stdout.readline()] == [b"started\n"] * 2
        yield process
        process.stdin.close()


def _names(pid):
    return sorted(
        Path(f"/proc/{one.pid}/comm").read_text(encoding="utf-8").strip() for one in watcher.tree(pid)
    )


@pytest.mark.parametrize("listed", [True, False], ids=["the kernel's lists", "every process"])
def test_children_of_every_thread_and_theirs_are_found(family, monkeypatch, listed):
    if not listed:
        monkeypatch.setattr(watcher, "_KERNEL_LISTS", Path("/no/such/list"))
    elif not watcher._KERNEL_LISTS.exists():
        pytest.skip("this kernel lists no children")
    deadline = time.monotonic() + 30
    while _names(family.pid).count("cat") < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert _names(family.pid).count("cat") == 2
    assert len(_names(family.pid)) == 4


@pytest.mark.parametrize("error", [FileNotFoundError, ProcessLookupError])
def test_a_process_that_ends_as_its_threads_are_listed_ends_no_watch(family, monkeypatch, error):
    if not watcher._KERNEL_LISTS.exists():
        pytest.skip("this kernel lists no children")

    def gone(listing):
        def listed(path):
            if str(path).endswith("/task"):
                raise error
            return listing(path)

        return listed

    for name in ("scandir", "listdir"):
        monkeypatch.setattr(watcher.os, name, gone(getattr(watcher.os, name)))
    assert [one.pid for one in watcher.tree(family.pid)] == [family.pid]


def test_a_process_that_ended_has_no_tree():
    process = subprocess.Popen(["true"])
    process.wait()
    assert watcher.tree(process.pid) == []
