"""What the shipper says of events, rejected and shipped, and how it outlives a spool that fails."""

import json
import logging
from pathlib import Path

import pytest

from ai_ops.agent.delivery import Acknowledgement
from ai_ops.agent.shipper import MAX_BATCH, Shipper, _rejection
from ai_ops.agent.spool import Change, Outgoing, Spool
from tests.support.agents import until
from tests.support.spools import break_spool, mend_spool


def test_one_reason_is_said_once():
    assert _rejection(["is not allowed. Allow it."] * 2, Path("/data/rejected"), 0) == (
        "2 events were rejected: is not allowed. Allow it. What is kept lies in /data/rejected. "
        "When the cause is mended, --resend-rejected sends it again."
    )


def test_many_reasons_are_counted_and_the_commonest_are_said():
    said = _rejection(["a", "b", "b", "c", "d", "e"], Path("/data/rejected"), 0)
    assert said.startswith(
        "6 events were rejected: 2 times: b. 1 time: a. 1 time: c. And 2 more reasons. What"
    )


def test_what_is_only_counted_is_said():
    said = _rejection(["a"], Path("/data/rejected"), 1)
    assert said.startswith("1 event was rejected: a. 1 was only counted, since /data/rejected is full. What")


class Recipient:
    """Takes every event."""

    def __init__(self):
        self.batches = []

    def deliver(self, batch):
        self.batches.append(len(batch))
        return Acknowledgement(len(batch))


def shipped(tmp_path, caplog, events):
    """Ship so many events, and return what was said and in how many batches they went."""
    spool, recipient = Spool(tmp_path / "spool", 10_000), Recipient()
    rows = [Outgoing(f"id-{n}", 1, json.dumps({"event_id": f"id-{n}"}).encode()) for n in range(events)]
    spool.commit(Change(events=rows))
    with caplog.at_level(logging.INFO, "ai_ops.agent.shipper"):
        shipper = Shipper(spool, recipient)
        shipper.start()
        shipper.finish(None)
    spool.close()
    return caplog.messages, len(recipient.batches)


def test_a_drain_is_one_line_however_many_batches_it_takes(tmp_path, caplog):
    said, batches = shipped(tmp_path, caplog, 2 * MAX_BATCH + 200)
    assert batches == 3
    assert said == ["1,200 events shipped"]


def test_a_drain_that_finds_nothing_says_nothing(tmp_path, caplog):
    assert shipped(tmp_path, caplog, 0) == ([], 0)


@pytest.mark.parametrize("moment", ["at the first look", "at the acknowledgement", "at the last look"])
def test_a_spool_that_fails_for_a_while_is_shipped_from_when_it_works_again(tmp_path, caplog, moment):
    spool, recipient = Spool(tmp_path / "spool", 10), Recipient()
    spool.commit(Change(events=[Outgoing("a", 1, b"{}")]))
    caplog.set_level(logging.INFO, "ai_ops.agent.shipper")
    if moment == "at the first look":
        break_spool(spool)
    elif moment == "at the acknowledgement":
        take = recipient.deliver
        recipient.deliver = lambda batch: (recipient.batches or break_spool(spool), take(batch))[1]
    else:
        acknowledge = spool.acknowledge
        spool.acknowledge = lambda events: (acknowledge(events), break_spool(spool))
    shipper = Shipper(spool, recipient)
    shipper.start()
    until(lambda: caplog.messages)
    waiting = "0 events wait" if moment == "at the last look" else "1 event waits"
    database = tmp_path / "spool" / "spool.db"
    assert caplog.messages == [f"{waiting}: {database}: interrupted. Is the disk full?"]
    mend_spool(spool)
    until(lambda: "1 event shipped" in caplog.messages)
    assert caplog.messages[1:] == ["shipping again", "1 event shipped"]
    assert spool.stats().waiting == 0
    shipper.finish(None)
    spool.close()
