from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from ai_ops.agent.wire import to_wire
from ai_ops.core.describe import describe
from ai_ops.flow.event import Event, EventRepo, EventSource
from ai_ops.server.schemas import EventBody, NewTaskBody
from tests.support.running_server import TRACEBACK, a_prompt, a_repair, wire_event
from tests.support.store import event


def misfits(**body):
    return [field for field, _ in NewTaskBody.model_validate(body).misfits()]


def test_a_repair_and_a_prompt_fit():
    assert misfits(**a_repair(fix_mode="agentic", service="s", environment="e", release="r")) == []
    assert misfits(**a_repair(priority="urgent", budget_usd=1, code_host="github")) == []
    assert misfits(**a_prompt(name="n", description="d", type="lightweight", timeout_seconds=60)) == []
    assert (
        misfits(**a_prompt(repo_url="https://github.com/a/b", code_host="github", allowed_tools=["Read"]))
        == []
    )


def test_exactly_one_kind_is_asked_for():
    assert misfits() == misfits(error_content="x", prompt="y") == ["error_content", "prompt"]


def test_what_belongs_to_the_other_kind_is_named():
    assert misfits(**a_repair(name="n", type="lightweight", folder="f")) == ["name", "type", "folder"]
    assert misfits(**a_prompt(fix_mode="agentic", service="s")) == ["fix_mode", "service"]
    assert misfits(error_content="x") == ["repo_url"]
    assert misfits(**a_prompt(code_host="github")) == ["code_host"]


def test_fields_that_are_null_count_as_not_given():
    assert misfits(**a_prompt(fix_mode=None, folder=None, repo_url=None)) == []


def test_every_event_that_an_agent_sends_fits():
    hostile = describe(f"{TRACEBACK}\0\ud800 {'x' * 2_000_000}").error
    for error in (event().error, hostile):
        sent = Event(
            event_id="0b0e3a3e-1c1d-5e0f-9a0b-0c0d0e0f0a0b",
            occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
            repo=EventRepo("https://github.com/acme/shop", "github"),
            error=error,
            node="n" * 5000,
            service="\0\ud800",
            source=EventSource("/x" * 5000, 7),
            context=("a" * 10_000, "\0"),
        )
        wire = to_wire(sent)
        assert "\0" not in wire["service"]
        body = EventBody.model_validate(wire)
        assert body.occurred_at == sent.occurred_at
        assert len(body.error.frames) == len(error.frames)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-01-01T12:00:00Z", "2026-01-01T12:00:00+00:00"),
        ("2026-01-01T12:00:00.123456+02:00", "2026-01-01T10:00:00.123456+00:00"),
        ("2026-01-01 12:00:00-01:30", "2026-01-01T13:30:00+00:00"),
    ],
)
def test_times_are_kept_in_utc(text, utc):
    body = EventBody.model_validate(wire_event(occurred_at=text))
    assert body.occurred_at.isoformat() == utc


@pytest.mark.parametrize(
    "text",
    ["1767268800", "2026-01-01", "2026-01-01T12:00:00", "0001-01-01T00:00:00+23:59",
     "9999-12-31T23:00:00-23:59", "1999-12-31T23:59:59Z", "2026-02-30T00:00:00Z", "now", ""],
)  # fmt: skip
def test_what_is_no_plausible_time_is_invalid(text):
    with pytest.raises(ValidationError):
        EventBody.model_validate(wire_event(occurred_at=text))
