"""What the shipper says of events that were rejected."""

from pathlib import Path

from ai_ops.agent.shipper import _rejection


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
