"""The loop: what is held in memory between two commits, and what a stop leaves for the next start."""

import json
import threading
import time

import pytest

from ai_ops.agent import agent as module
from ai_ops.agent import streams
from ai_ops.agent.agent import Agent
from ai_ops.agent.delivery import Acknowledgement
from ai_ops.agent.options import Options, Source
from ai_ops.errors import AiOpsError
from tests.support.agents import until
from tests.support.spools import break_spool, mend_spool


class Recipient:
    """Takes every event."""

    def __init__(self):
        self.events = []

    def deliver(self, batch):
        self.events += map(json.loads, batch)
        return Acknowledgement(len(batch))


@pytest.fixture
def recipient():
    return Recipient()


def agent_for(tmp_path, recipient, **options):
    sources = (Source(str(tmp_path / "*.log"), "https://git.example/acme/shop"),)
    options = {"data_dir": tmp_path / "data", "from_start": True, "node": "n", **options}
    return Agent(Options(sources, **options), recipient)


def test_events_are_committed_when_they_are_large_not_only_when_they_are_many(
    tmp_path, recipient, monkeypatch
):
    monkeypatch.setattr(module, "_COMMIT_BYTES", 50_000)
    for number in range(20):
        text = "".join(f"2026-03-01 12:00:00 ERROR {word} {'x ' * 8000}\n" for word in "ab")
        (tmp_path / f"{number}.log").write_text(text)
    agent = agent_for(tmp_path, recipient, once=True, dedup_window_seconds=0)
    commit, sizes = agent._spool.commit, []

    def measured(change):
        sizes.append(sum(len(outgoing.event) for outgoing in change.events))
        return commit(change)

    monkeypatch.setattr(agent._spool, "commit", measured)
    agent.run(threading.Event())
    assert len(recipient.events) == 40
    largest = max(sizes) / (sum(sizes) / 40)
    assert largest <= 6  # two or three make 50,000 bytes, and one file gives two at once


def test_what_is_held_counts_as_spooled(tmp_path, recipient, monkeypatch):
    agent = agent_for(tmp_path, recipient)
    monkeypatch.setattr(agent._spool, "_max_bytes", 1000)
    assert agent._room() > 0
    agent._held_bytes = 1000
    assert agent._room() == 0
    agent._spool.close()


def test_freed_memory_goes_back_once_a_file_is_quiet_and_again_after_it_went_on(
    tmp_path, recipient, monkeypatch
):
    monkeypatch.setattr(module, "_BUSY_SECONDS", 0.1)
    returned = []
    monkeypatch.setattr(module, "return_freed", lambda: returned.append(len(recipient.events)))
    log = tmp_path / "a.log"
    log.write_text("2026-03-01 12:00:00 ERROR a\n")
    agent, stop = agent_for(tmp_path, recipient, dedup_window_seconds=0), threading.Event()
    thread = threading.Thread(target=agent.run, args=(stop,))
    thread.start()
    try:
        until(lambda: len(recipient.events) == 1 and returned)
        time.sleep(1.2)  # the open record was closed meanwhile
        before = len(returned)
        time.sleep(0.6)
        assert len(returned) == before
        with log.open("a") as file:
            file.write("2026-03-01 12:00:01 ERROR b\n")
        until(lambda: len(returned) > before)
    finally:
        stop.set()
        thread.join()


def test_freed_memory_goes_back_now_and_then_where_a_file_is_never_quiet(tmp_path, recipient, monkeypatch):
    monkeypatch.setattr(module, "_RETURN_SECONDS", 0.3)
    returned = []
    monkeypatch.setattr(module, "return_freed", lambda: returned.append(1))
    agent, stop = agent_for(tmp_path, recipient), threading.Event()
    thread = threading.Thread(target=agent.run, args=(stop,))
    thread.start()
    try:
        with (tmp_path / "a.log").open("w") as file:
            for number in range(40):
                file.write(f"2026-03-01 12:00:{number:02} INFO fine\n")
                file.flush()
                time.sleep(0.05)
        assert len(returned) >= 3
    finally:
        stop.set()
        thread.join()


FRAMES = 'Traceback (most recent call last):\n  File "/srv/a.py", line 3, in f\n    x\n'
REST = '  File "/srv/b.py", line 3, in g\n    y\nValueError: bad\n'


def run_until(agent, condition):
    """Run an agent, and stop it when a condition is true."""
    stop = threading.Event()
    thread = threading.Thread(target=agent.run, args=(stop,))
    thread.start()
    try:
        until(condition)
    finally:
        stop.set()
        agent.wake()
        thread.join()


def holds_a_record(agent):
    return lambda: agent._monitor.waits_until is not None


def test_a_stop_within_a_trace_leaves_it_whole_for_the_next_start(tmp_path, recipient):
    log = tmp_path / "app.log"
    log.write_text(f"2026-03-01 12:00:00 ERROR boom\n{FRAMES}")
    agent = agent_for(tmp_path, recipient, debounce_seconds=600)
    run_until(agent, holds_a_record(agent))
    assert recipient.events == []
    with log.open("a") as file:
        file.write(REST)
    run_until(agent_for(tmp_path, recipient), lambda: recipient.events)
    (event,) = recipient.events
    assert event["error"]["exception_type"] == "ValueError"
    assert [frame["file"] for frame in event["error"]["frames"]] == ["/srv/a.py", "/srv/b.py"]


def test_a_stop_within_a_trace_of_a_file_that_is_gone_ships_it(tmp_path, recipient):
    log = tmp_path / "app.log"
    log.write_text(f"2026-03-01 12:00:00 ERROR boom\n{FRAMES}")
    agent = agent_for(tmp_path, recipient, debounce_seconds=600)

    def is_gone():
        if holds_a_record(agent)():
            log.unlink(missing_ok=True)
        return not log.exists()

    run_until(agent, is_gone)
    assert len(recipient.events) == 1


def lines_at(*clocks):
    return "".join(f"2026-03-01T{clock}Z ERROR no spoon token=hunter2hunter2\n" for clock in clocks)


def test_a_count_of_repeats_has_the_time_of_the_last_of_them(tmp_path, recipient):
    (tmp_path / "a.log").write_text(lines_at("10:00:00", "11:30:00", "12:45:00"))
    agent_for(tmp_path, recipient, once=True).run(threading.Event())
    assert [(event["count"], event["occurred_at"]) for event in recipient.events] == [
        (1, "2026-03-01T10:00:00.000Z"),
        (2, "2026-03-01T12:45:00.000Z"),
    ]


def test_a_count_that_outlives_a_kill_has_that_time_too_and_nothing_unmasked_is_kept(tmp_path, recipient):
    (tmp_path / "a.log").write_text(lines_at("10:00:00", "11:30:00", "12:45:00"))
    killed = agent_for(tmp_path, recipient)
    killed._discover()
    killed._read(threading.Event(), 0.0)
    killed._commit(threading.Event())
    killed._spool.close()
    assert all(b"hunter2" not in path.read_bytes() for path in (tmp_path / "data/spool").glob("spool.db*"))
    agent_for(tmp_path, recipient, once=True).run(threading.Event())
    assert (recipient.events[-1]["count"], recipient.events[-1]["occurred_at"]) == (
        2,
        "2026-03-01T12:45:00.000Z",
    )


@pytest.mark.parametrize("kind", ["elk", "docker"])
def test_once_ends_with_the_reason_when_a_source_cannot_be_reached(tmp_path, recipient, monkeypatch, kind):
    monkeypatch.setattr(streams, "_FIRST_PAUSE_SECONDS", 0.001)
    nobody = {"elk_url": "http://127.0.0.1:9", "docker_host": f"unix://{tmp_path}/no.sock"}
    source = Source(kind, "https://git.example/acme/shop", kind=kind)
    agent = Agent(Options((source,), data_dir=tmp_path / "data", node="n", once=True, **nobody), recipient)
    with pytest.raises(AiOpsError, match=r"127\.0\.0\.1:9|no\.sock") as failure:
        agent.run(threading.Event())
    assert failure.value.code == "source_unreachable"
    assert failure.value.next_step


def test_a_spool_that_cannot_forget_at_the_start_is_no_end(tmp_path, recipient, monkeypatch):
    (tmp_path / "a.log").write_text("2026-03-01 12:00:00 ERROR a\n")
    agent = agent_for(tmp_path, recipient, once=True)
    forget = agent._spool.forget

    def failing(before, keep):
        break_spool(agent._spool)
        try:
            forget(before, keep)
        finally:
            mend_spool(agent._spool)

    monkeypatch.setattr(agent._spool, "forget", failing)
    agent.run(threading.Event())
    assert len(recipient.events) == 1
