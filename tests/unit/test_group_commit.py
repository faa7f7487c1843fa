"""Callers who share a commit: who goes together, who goes ahead, and whose failure it is."""

import asyncio

import pytest

from ai_ops.errors import TemporaryError
from ai_ops.store.group_commit import GroupCommit


class Commits:
    """Commits that end when they are told to; ``groups`` are what they were given."""

    def __init__(self):
        self.groups = []
        self.ends = []

    async def __call__(self, requests):
        self.groups.append(list(requests))
        self.ends.append(asyncio.get_running_loop().create_future())
        await self.ends[-1]
        return [f"done {request}" for request in requests]

    def end(self, number, error=None):
        end = self.ends[number]
        end.set_exception(error) if error else end.set_result(None)


@pytest.fixture
def commits():
    return Commits()


async def submitted(group, *requests):
    tasks = [asyncio.create_task(group.submit(request)) for request in requests]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def settled():
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_first_goes_at_once_and_who_comes_meanwhile_shares_the_next(commits):
    group = GroupCommit(commits)
    tasks = await submitted(group, "a", "b", "c")
    assert commits.groups == [["a"]]
    commits.end(0)
    await settled()
    assert commits.groups == [["a"], ["b", "c"]]
    commits.end(1)
    assert await asyncio.gather(*tasks) == ["done a", "done b", "done c"]


async def test_a_group_has_its_limit_and_a_single_heavier_request_goes_alone(commits):
    group = GroupCommit(commits, weight=len, limit=5)
    tasks = await submitted(group, "a", "bb", "ccc", "dd", "eeeeeeee", "f")
    for number in range(4):
        commits.end(number)
        await settled()
    commits.end(4)
    await asyncio.gather(*tasks)
    assert commits.groups == [["a"], ["bb", "ccc"], ["dd"], ["eeeeeeee"], ["f"]]


async def test_the_next_goes_ahead_when_as_much_waits_as_is_under_way(commits):
    group = GroupCommit(commits, weight=len, ahead=True)
    tasks = await submitted(group, "aaaa", "bb", "c")
    assert commits.groups == [["aaaa"]]
    tasks += await submitted(group, "d")
    assert commits.groups == [["aaaa"], ["bb", "c", "d"]]
    tasks += await submitted(group, "eeeeeeeeee")
    assert len(commits.groups) == 2  # never a third
    commits.end(0)
    await settled()
    assert commits.groups[2] == ["eeeeeeeeee"]
    commits.end(1)
    commits.end(2)
    assert [len(answer) for answer in await asyncio.gather(*tasks)] == [9, 7, 6, 6, 15]


async def test_what_waits_is_reckoned_rightly_after_a_group_with_a_limit(commits):
    group = GroupCommit(commits, weight=len, limit=4, ahead=True)
    tasks = await submitted(group, "aa", "bbb", "cc")
    assert commits.groups == [["aa"], ["bbb"]]
    commits.end(0)
    await settled()
    assert commits.groups == [["aa"], ["bbb"]]  # two wait, three are under way
    tasks += await submitted(group, "d")
    assert commits.groups[2] == ["cc", "d"]
    commits.end(1)
    commits.end(2)
    await asyncio.gather(*tasks)


async def test_a_fault_belongs_to_one_caller_alone(commits):
    group = GroupCommit(commits)
    tasks = await submitted(group, "a", "b", "c")
    commits.end(0)
    await settled()
    commits.end(1, ValueError("one of them"))
    await settled()
    commits.end(2, ValueError("b"))
    await settled()
    commits.end(3)
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert commits.groups == [["a"], ["b", "c"], ["b"], ["c"]]
    assert isinstance(answers[1], ValueError)
    assert answers[2] == "done c"


async def test_a_storage_that_is_away_is_away_for_all(commits):
    group = GroupCommit(commits)
    tasks = await submitted(group, "a", "b", "c")
    commits.end(0)
    await settled()
    commits.end(1, TemporaryError("storage_unavailable", "away"))
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(answer) for answer in answers] == [str, TemporaryError, TemporaryError]


async def test_a_cancelled_caller_does_not_take_it_back(commits):
    group = GroupCommit(commits)
    first, second = await submitted(group, "a", "b")
    second.cancel()
    commits.end(0)
    await settled()
    commits.end(1)
    await settled()
    assert commits.groups == [["a"], ["b"]]
    assert await first == "done a"


async def test_when_the_work_is_cancelled_nobody_is_left_waiting(commits):
    group = GroupCommit(commits)
    tasks = await submitted(group, "a", "b")
    (working,) = group._under_way
    working.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers)
