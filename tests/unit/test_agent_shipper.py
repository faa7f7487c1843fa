"""What the shipper says: of events that were rejected, and of those that were shipped."""

import json
import logging
from pathlib import Path

from ai_ops.agent.delivery import Acknowledgement
from ai_ops.agent.shipper import MAX_BATCH, Shipper, _rejection
from ai_ops.agent.spool import Change, Outgoing, Spool


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
