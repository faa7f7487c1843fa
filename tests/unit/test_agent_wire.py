"""What is changed in an event after it was encoded, and how a batch of them travels."""

import gzip
import json
from datetime import UTC, datetime

import pytest

from ai_ops.agent.delivery import _packed
from ai_ops.agent.wire import encode, recount, redated, to_wire
from ai_ops.flow.event import ErrorDetail, Event, EventRepo, EventSource

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
NASTY = ['"count":7}', '"occurred_at":"x"', '"event_id":"y"', '\U0001f600 \\ " \u2028', ""]


def event(text):
    return to_wire(
        Event(
            event_id="8c0d7a0e-6a53-5d0b-9a8f-2f3c5c1f7e11",
            occurred_at=AT,
            repo=EventRepo(text, "github"),
            error=ErrorDetail(raw_excerpt=text, message=text, fingerprint="f" * 32, grouping_version="v1"),
            node=text,
            source=EventSource(text, 17),
            context=(text,),
        )
    )


@pytest.mark.parametrize("text", NASTY)
def test_an_encoded_event_gets_another_count_and_nothing_else_changes(text):
    made = event(text)
    for count in (2, 1_000_000):
        event_id, again = recount(encode(made), count)
        assert event_id == made["event_id"]
        assert again == encode({**made, "count": count})


@pytest.mark.parametrize("text", NASTY)
def test_an_encoded_event_gets_another_time_and_nothing_else_changes(text):
    made = event(text)
    again = redated(encode(made), AT.replace(hour=13))
    assert again == encode({**made, "occurred_at": "2026-03-01T13:00:00.000Z"})


@pytest.mark.parametrize("count", [1, 2, 500])
def test_a_batch_is_packed_as_one_object(count):
    events = [event(text) for text in NASTY * 100][:count]
    assert json.loads(gzip.decompress(_packed([encode(one) for one in events]))) == {"events": events}
