"""The types behind an exception, from the agent's log to the server's record."""

from __future__ import annotations

from dataclasses import replace

from ai_ops.agent.wire import to_wire
from ai_ops.core.describe import describe
from ai_ops.server.schemas import EventBody
from ai_ops.store.rows import event_from, event_json
from tests.support.store import event

CHAIN = """java.lang.IllegalStateException: outer
\tat com.acme.Cart.sum(Cart.java:41)
Caused by: java.io.IOException: middle
\tat com.acme.Bank.call(Bank.java:7)
Caused by: java.net.ConnectException: inner
\tat com.acme.Bank.connect(Bank.java:9)"""
CAUSES = ("java.io.IOException", "java.net.ConnectException")


def test_the_causes_of_an_exception_travel_and_are_kept() -> None:
    sent = replace(event(), error=describe(CHAIN).error)
    assert (sent.error.cause_types, sent.error.root_type) == (CAUSES, CAUSES[-1])
    assert EventBody.model_validate(to_wire(sent)).error.cause_types == list(CAUSES)
    assert event_from(event_json(sent)).error.cause_types == CAUSES


def test_an_event_of_before_there_were_causes_is_still_read() -> None:
    wire, stored = to_wire(event()), event_json(event())
    del wire["error"]["cause_types"], stored["cause_types"]
    assert EventBody.model_validate(wire).error.cause_types == []
    assert event_from(stored).error.cause_types == ()
    assert event_from(stored).error.root_type == event().error.exception_type
