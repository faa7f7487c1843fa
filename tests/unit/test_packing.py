"""Batches on their way to another process arrive as they were."""

import pickle
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from ai_ops.flow.event import ErrorDetail, Event, EventRepo, EventSource, Frame
from ai_ops.flow.repository import Repository
from ai_ops.store import packing
from ai_ops.store.packing import Packer
from tests.support.store import APP, event, pairs

FULL = Event(
    event_id="0b6e7a4e-7d8c-4d52-9a39-1d6d6f3f9b11",
    occurred_at=datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2))),
    repo=EventRepo("https://git.example/acme/app", "github", "main"),
    error=ErrorDetail(
        "Traceback …\nAppError: größer",
        "python",
        "AppError",
        "größer",
        (Frame("app/main.py", 3, "main", True), Frame("lib/x.py", 0, "<lambda>", False)),
        "f" * 64,
        "v1",
        ("e" * 64,),
        ("OSError", "ValueError"),
    ),
    node="n1",
    service="shop",
    environment="production",
    release="abc",
    source=EventSource("/var/log/app.log", 17),
    level="ERROR",
    context=("before", "just before"),
    count=3,
    schema_version=2,
)


def there(packer, calls):
    return pickle.loads(pickle.dumps(packer.pack(calls), pickle.HIGHEST_PROTOCOL))


def test_the_example_leaves_no_field_at_its_default():
    for made in (FULL, FULL.error, FULL.source, FULL.repo):
        for field in fields(made):
            assert getattr(made, field.name) != field.default, field.name


def test_every_field_arrives():
    assert there(Packer(), [[(FULL, APP)]]) == [[(FULL, APP)]]


def test_batches_arrive_apart_and_in_their_order():
    calls = [pairs(event(1), event(2)), [], pairs(event(1))]
    assert there(Packer(), calls) == [list(events) for events in calls]


def test_who_shared_an_error_or_a_repository_shares_it_there():
    first, second = replace(FULL, node="n1"), replace(FULL, node="n2")
    other = Repository("git.example/acme/other", "https://git.example/acme/other", "github")
    ((one, its), (two, same), (_, apart)) = there(
        Packer(), [[(first, APP), (second, APP), (event(), other)]]
    )[0]
    assert one.error is two.error
    assert one.repo is two.repo
    assert its is same
    assert apart == other


def test_errors_that_are_equal_and_not_the_same_arrive_each():
    same = [event(1), event(1)]
    assert same[0].error is not same[1].error
    assert there(Packer(), [pairs(*same)]) == [pairs(*same)]


@pytest.mark.parametrize("length", [10, packing._LONGEST + 1])
def test_an_error_is_the_same_the_next_time_as_long_as_it_is_remembered(length):
    packer, one = Packer(), replace(FULL, error=replace(FULL.error, raw_excerpt="x" * length))
    ((first, _),), ((again, _),) = there(packer, [[(one, APP)]])[0], there(packer, [[(one, APP)]])[0]
    assert first == again == one
    assert (first.error is again.error) == (length == 10)


def test_what_is_remembered_is_bounded_and_what_was_forgotten_arrives_too(monkeypatch):
    monkeypatch.setattr(packing, "_REMEMBERED", 3)
    packer, many = Packer(), [event(number) for number in range(10)]
    for _ in range(2):
        assert there(packer, [pairs(*many)]) == [pairs(*many)]
        assert len(packer._errors) == 3


def test_an_error_whose_place_in_memory_is_another_ones_now_is_not_taken_for_it():
    packer = Packer()
    for number in range(packing._REMEMBERED * 3):  # each is gone before the next is made
        made = pairs(event(number, at=datetime(2026, 1, 1, tzinfo=UTC)))
        assert there(packer, [made]) == [made]
