"""The round of our pull requests: each is looked at, and no host holds up another or is asked too often."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from ai_ops.core.orchestrator.pacing import Pace, paced_hosts
from ai_ops.core.orchestrator.watching import Watching
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.pull_request import HostedPullRequest, PullRequestState
from ai_ops.wiring.duties import unending
from tests.support.store import START, pull_request


class Records:
    """Pull requests in a dictionary."""

    def __init__(self, *rows):
        self.rows = {row.id: row for row in rows}

    async def find(self, id):
        return self.rows.get(id)

    async def open(self):
        return [row for row in self.rows.values() if row.state is PullRequestState.OPEN]

    async def lately_closed(self):
        return [row for row in self.rows.values() if row.state is PullRequestState.CLOSED]

    async def update(self, id, **changes):
        self.rows[id] = replace(self.rows[id], **changes)
        return self.rows[id]


class Host:
    """A code host that fails as told, by number, and notes what was asked."""

    def __init__(self, **failures):
        self.asked = []
        self.failures = failures
        self.states = {}

    async def pull_request(self, repository, number):
        self.asked.append(number)
        queue = self.failures.get(f"n{number}", [])
        if queue:
            raise queue.pop(0)
        return HostedPullRequest(
            number,
            "",
            self.states.get(number, PullRequestState.OPEN),
            "b",
            "main",
            merged_at=START,
            merge_sha="c",
        )


class Seen:
    """A watcher that notes what it saw, and fails or changes the record as told."""

    def __init__(self, act=None):
        self.saw = []
        self.act = act

    async def look(self, pull_request, hosted):
        self.saw.append(pull_request)
        if self.act:
            await self.act(pull_request)


class Sleeps:
    """Notes what was slept; real time does not pass."""

    def __init__(self):
        self.slept = []

    async def __call__(self, seconds):
        self.slept.append(seconds)
        await asyncio.sleep(0)


def slow(delay=None):
    return TemporaryError("host_rate_limited", "too many", delay=delay)


def down():
    return TemporaryError("host_unavailable", "refused")


def numbers(watcher):
    return [each.number for each in watcher.saw]


async def test_every_open_pull_request_is_looked_at_and_no_other():
    records = Records(pull_request(1), pull_request(2, state=PullRequestState.MERGED), pull_request(3))
    watcher = Seen()
    await Watching(records, {"github": Host()}, [watcher]).round()
    assert numbers(watcher) == [1, 3]


async def test_one_that_a_person_opened_again_is_seen_without_a_webhook_at_one_look_a_round():
    closed = [pull_request(number, state=PullRequestState.CLOSED) for number in (1, 2, 3)]
    host, watcher, records = Host(), Seen(), Records(*closed)
    host.states = dict.fromkeys((1, 3), PullRequestState.CLOSED)
    watching = Watching(records, {"github": host}, [watcher])
    await watching.round()
    assert len(host.asked) == 1
    for _ in range(5):
        await watching.round()
    assert set(host.asked) == {1, 2, 3}
    assert [row.state for row in records.rows.values()] == ["closed", "open", "closed"]
    assert 2 in numbers(watcher)


async def test_what_became_of_one_is_recorded_before_anybody_is_told():
    host, watcher = Host(), Seen()
    host.states[1] = PullRequestState.MERGED
    records = Records(pull_request(1))
    await Watching(records, {"github": host}, [watcher]).round()
    assert (watcher.saw[0].state, watcher.saw[0].merge_sha, watcher.saw[0].merged_at) == (
        "merged",
        "c",
        START,
    )


async def test_a_watcher_sees_the_record_as_the_one_before_left_it():
    records = Records(pull_request(1))
    second = Seen()
    first = Seen(lambda seen: records.update(seen.id, held="a person has it"))
    await Watching(records, {"github": Host()}, [first, second]).round()
    assert second.saw[0].held == "a person has it"


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        pytest.param(PermanentError("host_forbidden", "locked"), [1, 2], id="for good: the others look"),
        pytest.param(TemporaryError("git_unreachable", "no"), [2], id="for now: the next round looks"),
        pytest.param(ZeroDivisionError("ours"), [2], id="a mistake of ours"),
    ],
)
async def test_what_fails_for_one_pull_request_leaves_the_others_alone(failure, told):
    async def fail(seen):
        if seen.number == 1:
            raise failure

    second, sleeps = Seen(), Sleeps()
    watching = Watching(
        Records(pull_request(1), pull_request(2)), {"github": Host()}, [Seen(fail), second], sleep=sleeps
    )
    await watching.round()
    assert numbers(second) == told
    assert watching.looks == {("github", "failed"): 1, ("github", "done"): 1}
    assert sleeps.slept == []


async def test_a_host_that_says_how_long_is_left_alone_that_long():
    host, sleeps = Host(n1=[slow(delay=120)]), Sleeps()
    await Watching(
        Records(pull_request(1), pull_request(2)), {"github": host}, [Seen()], sleep=sleeps
    ).round()
    assert sleeps.slept == [120]
    assert host.asked == [1, 2]


async def test_a_host_is_never_left_alone_for_longer_than_an_hour():
    sleeps = Sleeps()
    await Watching(
        Records(pull_request(1)), {"github": Host(n1=[slow(delay=86_400)])}, [], sleep=sleeps
    ).round()
    assert sleeps.slept == [3600]


async def test_a_host_that_stays_down_is_asked_ever_more_rarely():
    host, sleeps = Host(n1=[down() for _ in range(12)]), Sleeps()
    watching = Watching(Records(pull_request(1)), {"github": host}, [], sleep=sleeps)
    for _ in range(13):
        await watching.round()
    assert all(later >= earlier for earlier, later in zip(sleeps.slept[:8], sleeps.slept[1:9], strict=True))
    assert sum(sleeps.slept) > 900 and max(sleeps.slept) <= 300
    assert len(sleeps.slept) == 12


async def test_a_host_that_is_down_holds_up_no_other():
    gone = asyncio.Event()

    async def never(seconds):
        await gone.wait()

    elsewhere = pull_request(2, code_host="gitlab")
    watcher = Seen()
    watching = Watching(
        Records(pull_request(1), elsewhere),
        {"github": Host(n1=[down()]), "gitlab": Host()},
        [watcher],
        sleep=never,
    )
    going = asyncio.create_task(watching.round())
    while not watcher.saw or not watching.pauses:
        await asyncio.sleep(0)
    assert numbers(watcher) == [2]
    assert set(watching.pauses) == {"github"}
    gone.set()
    await going
    assert not watching.pauses


async def test_one_that_is_asked_for_comes_before_the_rest_of_the_round():
    records = Records(*(pull_request(number) for number in (1, 2, 3)))
    watcher = Seen()
    watching = Watching(records, {"github": Host()}, [watcher])

    async def nudge(seen):
        if numbers(watcher) == [1]:
            watching.nudge("pr-3")
            watching.nudge("pr-3")

    watcher.act = nudge
    await watching.round()
    assert numbers(watcher) == [1, 3, 2, 3]


async def test_one_that_is_asked_for_between_rounds_is_looked_at_at_once():
    looked = asyncio.Event()

    async def note(seen):
        looked.set()

    async def never(seconds):
        await asyncio.Event().wait()

    records = Records(pull_request(1, state=PullRequestState.MERGED))
    host = Host()
    host.states[1] = PullRequestState.MERGED
    watching = Watching(records, {"github": host, "gitlab": Host()}, [Seen(note)], sleep=never)
    going = asyncio.create_task(watching.run())
    for _ in range(20):
        await asyncio.sleep(0)
    watching.nudge("pr-1")
    watching.nudge("unknown")
    await asyncio.wait_for(looked.wait(), 30)
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    assert host.asked == [1]


async def test_rounds_go_on_although_the_records_fail_for_a_while():
    class Failing(Records):
        failures = 2

        async def open(self):
            if self.failures:
                self.failures -= 1
                raise TemporaryError("storage_unavailable", "busy")
            return await super().open()

    looked = asyncio.Event()

    async def note(seen):
        looked.set()

    sleeps = Sleeps()
    watching = Watching(Failing(pull_request(1)), {"github": Host()}, [Seen(note)], sleep=sleeps)
    going = asyncio.create_task(watching.run(60))
    await asyncio.wait_for(looked.wait(), 30)
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    assert sleeps.slept[:2] == [60, 60]


async def test_a_lane_that_breaks_neither_ends_the_others_nor_gets_them_a_second_loop(caplog):
    class Torn(Records):
        broken = False

        async def open(self):
            if not self.broken:
                self.broken = True
                raise ValueError("a record that nobody can read")
            return await super().open()

    class Slow(Host):
        at_once = most = 0
        gone = asyncio.Event()

        async def pull_request(self, repository, number):
            self.at_once += 1
            self.most = max(self.most, self.at_once)
            await self.gone.wait()
            return await super().pull_request(repository, number)

    looked = asyncio.Event()

    async def note(seen):
        looked.set()

    records = Torn(pull_request(1), pull_request(2, code_host="gitlab"))
    slow = Slow()
    watching = Watching(records, {"github": Host(), "gitlab": slow}, [Seen(note)], sleep=Sleeps())
    going = asyncio.create_task(unending("watching", watching.run, again_seconds=0))
    await asyncio.wait_for(looked.wait(), 30)
    for _ in range(20):
        await asyncio.sleep(0)
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    assert slow.most == 1
    assert [record.getMessage() for record in caplog.records] == ["pull requests of github: a round broke"]


def merged(number):
    """One that no round looks at, but when it is asked for."""
    return pull_request(number, state=PullRequestState.MERGED)


@pytest.mark.parametrize(
    ("failure", "rounds"),
    [
        pytest.param(down(), 2, id="a host that is down"),
        pytest.param(TemporaryError("git_timeout", "slow"), 2, id="one look that failed for now"),
        pytest.param(PermanentError("host_not_found", "gone"), 1, id="for good: not again"),
    ],
)
async def test_one_that_is_asked_for_is_looked_at_again_in_the_next_round_when_that_failed(failure, rounds):
    host = Host(n9=[failure])
    host.states[9] = PullRequestState.MERGED
    watching = Watching(
        Records(pull_request(1), pull_request(2), merged(9)), {"github": host}, [], sleep=Sleeps()
    )
    watching.nudge("pr-9")
    for _ in range(4):
        await watching.round()
    looks = [9, 1, 2]
    assert host.asked == looks * rounds + looks[1:] * (4 - rounds)


class Unfound(Records):
    """Records that fail as told when one is sought, before they answer."""

    def __init__(self, *rows, failures):
        super().__init__(*rows)
        self.failures = failures

    async def find(self, id):
        if self.failures:
            raise self.failures.pop()
        return await super().find(id)


async def test_one_that_is_asked_for_while_our_records_fail_is_looked_at_later():
    records = Unfound(merged(1), failures=[TemporaryError("storage_unavailable", "busy")])

    host, looked = Host(), asyncio.Event()
    host.states[1] = PullRequestState.MERGED

    async def note(seen):
        looked.set()

    sleeps = Sleeps()
    watching = Watching(records, {"github": host}, [Seen(note)], sleep=sleeps)
    watching.nudge("pr-1")
    going = asyncio.create_task(watching.run(60))
    await asyncio.wait_for(looked.wait(), 30)
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    assert (host.asked, sleeps.slept[0]) == ([1], 60)


async def test_one_that_nobody_can_read_does_not_stop_the_rounds():
    host = Host()
    watching = Watching(Unfound(pull_request(1), failures=[ValueError("unreadable")]), {"github": host}, [])
    watching.nudge("pr-9")
    with pytest.raises(ValueError, match="unreadable"):
        await watching.round()
    await watching.round()
    assert host.asked == [1]


async def test_one_that_is_asked_for_again_while_it_is_looked_at_is_looked_at_once_more():
    host, watcher = Host(), Seen()
    host.states[1] = PullRequestState.MERGED
    watching = Watching(Records(merged(1)), {"github": host}, [watcher])

    async def nudge(seen):
        if len(watcher.saw) == 1:
            watching.nudge("pr-1")

    watcher.act = nudge
    watching.nudge("pr-1")
    await watching.round()
    await watching.round()
    assert host.asked == [1, 1]


async def test_a_failure_that_lasts_is_said_in_the_log_once(caplog):
    failures = [PermanentError("host_not_found", "gone") for _ in range(3)]
    watching = Watching(Records(pull_request(1)), {"github": Host(n1=failures)}, [])
    for _ in range(3):
        await watching.round()
    assert [record.getMessage() for record in caplog.records] == ["pull request pr-1: host_not_found: gone"]


async def test_calls_to_a_host_are_spread_evenly_and_ours_are_not():
    now, slept = 0.0, []

    async def sleep(seconds):
        nonlocal now
        slept.append(round(seconds, 6))
        now += seconds

    pace = Pace(30, lambda: now, sleep)
    for _ in range(4):
        await pace.turn()
    assert slept == [2, 2, 2]
    now += 100
    await pace.turn()
    assert len(slept) == 3

    local = Host()
    hosts = paced_hosts({"local": local, "github": Host()}, 6_000_000)
    assert hosts["local"] is local
    hosted = await hosts["github"].pull_request(None, 7)
    assert hosted.number == 7


async def test_callers_of_one_host_take_turns():
    now, slept = 0.0, []

    async def sleep(seconds):
        slept.append(round(seconds, 6))

    pace = Pace(60, lambda: now, sleep)
    await asyncio.gather(*(pace.turn() for _ in range(3)))
    assert slept == [1, 2]
