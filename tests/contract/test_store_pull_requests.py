"""Pull requests on a real database."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ai_ops.errors import PermanentError
from ai_ops.flow.ci import CiStatus, CiVerdict
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.task import Proof, Verdict
from ai_ops.store.pull_requests import PullRequestRepository
from tests.support.store import APP, START, FixedClock, pull_request


@pytest.fixture
def pull_requests(database):
    return PullRequestRepository(database, FixedClock())


async def test_a_branch_has_one_record_however_often_it_is_recorded(pull_requests):
    first = await pull_requests.record(pull_request())
    assert first == pull_request()
    assert await pull_requests.record(pull_request(id="another", url="https://elsewhere")) == first
    assert await pull_requests.find("another") is None
    assert await pull_requests.find_by_branch(APP.key, first.branch) == first
    assert await pull_requests.find_by_branch("elsewhere/x", first.branch) is None


async def test_only_open_ones_of_the_repository_are_counted(pull_requests):
    for number in range(1, 4):
        await pull_requests.record(pull_request(number))
    await pull_requests.record(pull_request(4, repo_key="git.example/acme/other"))
    await pull_requests.set_state("pr-1", PullRequestState.MERGED)
    await pull_requests.set_state("pr-2", PullRequestState.CLOSED)
    assert len(await pull_requests.open_in(APP.key)) == 1
    assert (await pull_requests.find("pr-1")).state == "merged"


async def test_those_closed_unmerged_within_a_month_may_be_opened_again(pull_requests):
    closed = {1: timedelta(days=1), 2: timedelta(days=29), 3: timedelta(days=31)}
    for number, ago in closed.items():
        await pull_requests.record(pull_request(number, state=PullRequestState.CLOSED, closed_at=START - ago))
    await pull_requests.record(pull_request(4))
    await pull_requests.record(pull_request(5, state=PullRequestState.MERGED, merged_at=START))
    assert [one.number for one in await pull_requests.lately_closed()] == [1, 2]


async def test_a_revision_changes_what_it_brings_and_nothing_that_names_it(pull_requests):
    await pull_requests.record(pull_request())
    changed = await pull_requests.update("pr-1", head_sha="c" * 40, proof=Proof(Verdict.UNPROVED))
    assert changed == await pull_requests.find("pr-1")
    assert (changed.head_sha, changed.proof.verdict) == ("c" * 40, "unproved")
    with pytest.raises(TypeError):
        await pull_requests.update("pr-1", branch="x")
    with pytest.raises(PermanentError, match="pull_request_not_found"):
        await pull_requests.set_state("none", PullRequestState.MERGED)


async def test_the_newest_come_first(pull_requests):
    for number in range(1, 6):
        await pull_requests.record(pull_request(number))
    first = await pull_requests.list(limit=3)
    rest = await pull_requests.list(limit=3, cursor=first.next_cursor)
    assert [p.number for p in (*first.items, *rest.items)] == [5, 4, 3, 2, 1]
    assert rest.next_cursor is None


async def test_how_ci_stands_is_kept_as_it_is_whatever_a_check_is_called(pull_requests):
    first = await pull_requests.record(pull_request(ready_when_green=True))
    assert (first.ci, first.ready_when_green) == (CiStatus(), True)
    status = CiStatus(
        CiVerdict.OURS,
        "test \ud800 fails",
        "b" * 40,
        START,
        passed=("lint",),
        failed=("test \0", "x" * 1000),
        asked={"checks:1": "t1"},
        said=("ci-theirs:1",),
    )
    kept = (await pull_requests.update(first.id, ci=status, ready_when_green=False)).ci
    assert kept == (await pull_requests.find(first.id)).ci
    assert kept.failed[0] == "test \ufffd" and len(kept.failed[1]) == 256
    assert replace(kept, failed=status.failed, words=status.words) == status


async def test_the_states_of_many_are_read_at_once(pull_requests):
    await pull_requests.record(pull_request(1))
    await pull_requests.record(pull_request(2))
    await pull_requests.set_state(pull_request(2).id, PullRequestState.MERGED)
    states = await pull_requests.states({pull_request(1).id, pull_request(2).id, "elsewhere"})
    assert states == {pull_request(1).id: "open", pull_request(2).id: "merged"}
    assert await pull_requests.states([]) == {}
