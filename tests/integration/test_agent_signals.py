"""SIGTERM and SIGINT end an agent, whatever it does when they come; its children are spared."""

import contextlib
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from tests.support.agents import agent, event_server, until

ROOT = Path(__file__).parents[2]
SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])

# What an agent that is patched so does at its third look: it signals itself while it holds the lock.
UNLUCKY = """
import os, threading
class Event(threading.Event):
    looks = 0
    def {method}(self, *seconds):
        caller = threading.current_thread() is threading.main_thread()
        Event.looks += caller
        with self._cond:
            if caller and Event.looks == 3:
                os.kill(os.getpid(), {number})
        return super().{method}(*seconds)
threading.Event = Event
"""

# A journalctl that tells which signals are blocked and ignored at its start. Not a shell, which unblocks all.
CHILD = """#!{python} -S
import os, signal, time
blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
ignored = [n for n in (signal.SIGTERM, signal.SIGINT) if signal.getsignal(n) is signal.SIG_IGN]
with open("{told}.new", "w") as file:
    file.write(f"{{sorted(blocked)}} {{ignored}}")
os.rename("{told}.new", "{told}")
time.sleep(60)
"""


@contextlib.contextmanager
def following(folder, *flags, **environment):
    """An agent that follows an empty log, and is past the setting of its handlers."""
    (folder / "app.log").touch()
    path = ("--log-path", str(folder / "app.log"))
    with event_server() as server, agent(folder, server.url, *path, *flags, **environment) as running:
        until(lambda: "following" in running.said)
        yield server, running


def last_words(running):
    """Return what was said at the end, without times."""
    return [line.partition(" INFO ")[2] for line in running.said.splitlines()[-2:]]


@SIGNALS
def test_a_signal_ends_an_agent_well(tmp_path, number):
    with following(tmp_path) as (server, running):
        with (tmp_path / "app.log").open("a") as log:
            log.write("2026-03-01 12:00:00 ERROR boom\n")
        until(lambda: server.total == 1)
        running.process.send_signal(number)
        assert running.wait() == 0
        assert last_words(running) == [
            "1 occurrence was shipped",
            "since the spool was made: 1 occurrence shipped, 0 rejected, 0 dropped",
        ]


@SIGNALS
@pytest.mark.parametrize("method", ["clear", "wait"])
def test_a_signal_that_comes_while_a_lock_is_held_ends_an_agent(tmp_path, number, method):
    (tmp_path / "sitecustomize.py").write_text(UNLUCKY.format(method=method, number=int(number)))
    with following(tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}") as (_, running):
        assert running.wait() == 0
        assert last_words(running)[0] == "0 occurrences were shipped"


def test_further_signals_do_not_cut_the_end_short(tmp_path):
    asked, answers = threading.Event(), threading.Event()
    with following(tmp_path) as (server, running):
        server.behave = lambda batch, headers: (asked.set(), answers.wait(20), None)[2]
        with (tmp_path / "app.log").open("a") as log:
            log.write("2026-03-01 12:00:00 ERROR boom\n")
        assert asked.wait(20)
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            running.process.send_signal(number)
        answers.set()
        assert running.wait() == 0
        assert last_words(running)[0] == "1 occurrence was shipped"


def test_children_begin_with_no_signal_kept_from_them(tmp_path):
    told, child = tmp_path / "told", tmp_path / "bin" / "journalctl"
    child.parent.mkdir()
    child.write_text(CHILD.format(python=sys.executable, told=told))
    child.chmod(0o755)
    flags = ("--source", "journald", "--unit", "shop.service")
    with following(tmp_path, *flags, PATH=f"{child.parent}:{os.environ['PATH']}") as (_, running):
        until(told.exists)
        assert running.terminate() == 0
    assert told.read_text() == "[] []"
