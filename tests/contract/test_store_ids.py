"""Ids by their beginning, on a real database."""

import pytest

from ai_ops.core.ports import NewTask
from ai_ops.store.ids import IdRepository
from ai_ops.store.pull_requests import PullRequestRepository
from ai_ops.store.tasks import TaskRepository
from tests.support.store import FixedClock, pull_request


async def recorded(database, *ids):
    records = PullRequestRepository(database, FixedClock())
    for number, one in enumerate(ids):
        await records.record(pull_request(number, id=one))


@pytest.mark.parametrize(
    ("beginning", "found"),
    [
        ("abcdef", ["abcdef00-1", "abcdef01-2"]),
        ("abcdef0", ["abcdef00-1", "abcdef01-2"]),
        ("abcdef00", ["abcdef00-1"]),
        ("abcdef00-", ["abcdef00-1"]),
        ("abcdef00-1", ["abcdef00-1"]),
        ("ffffff", ["ffffffff-4"]),
        ("000000", []),
        ("bcdef0", []),
        ("abc_ef", []),
        ("abc%ef", []),
    ],
)
async def test_a_beginning_finds_the_ids_that_begin_so_and_no_others(database, beginning, found):
    await recorded(database, "abcdef01-2", "abcdef00-1", "abcdee99-3", "ffffffff-4")
    assert await IdRepository(database).beginning_with("pull_request", beginning) == found


async def test_no_more_are_read_than_are_asked_for(database):
    await recorded(database, *(f"abcdef0{n}" for n in range(9)))
    assert await IdRepository(database).beginning_with("pull_request", "abcdef", 2) == [
        "abcdef00",
        "abcdef01",
    ]


async def test_each_noun_is_looked_up_among_its_own(database):
    tasks = TaskRepository(database, FixedClock())
    created = await tasks.create(NewTask("prompt", None, "normal", {"prompt": "Look"}))
    ids = IdRepository(database)
    assert await ids.beginning_with("task", created.task.id[:8]) == [created.task.id]
    for noun in ("issue", "trace", "pull_request"):
        assert await ids.beginning_with(noun, created.task.id[:8]) == []
