"""Taking events in with a memory of issues leaves the same as without, whoever else writes in between."""

import contextlib
import random
import uuid
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import make_url, select, update

from ai_ops.core.flood import IntakeRules
from ai_ops.errors import PermanentError
from ai_ops.flow.issue import IssueState, TriageClass, TriageDecision
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.store import intake_batch, issue_memory, tables
from ai_ops.store.database import open_database
from ai_ops.store.engines import writing_engine
from ai_ops.store.issue_memory import IssueMemory
from ai_ops.store.issues import IssueRepository
from ai_ops.store.known_issues import known_issues
from ai_ops.store.open_issue import new_issue
from ai_ops.store.pull_requests import PullRequestRepository
from ai_ops.store.releases import places_of
from ai_ops.store.taking import Taking
from tests.support.store import (
    APP,
    START,
    FixedClock,
    denial,
    event,
    fingerprint,
    migrated_url,
    pairs,
    pull_request,
)

RULES = IntakeRules(stored_per_minute=20, tasks_per_hour=4, storm_fingerprints=4, storm_seconds=600)


class Side:
    """A database, what takes events in it through a connection of its own, and what else is done to it."""

    def __init__(self, url, database, taking):
        self.clock = FixedClock()
        self.database = database
        self.engine = writing_engine(make_url(url))
        self.issues = IssueRepository(database, self.clock, RULES)
        self.pull_requests = PullRequestRepository(database, self.clock)
        self._taking = taking

    def take(self, calls):
        places = places_of(pair for events in calls for pair in events)
        with self.engine.begin() as connection:
            answers = self._taking(connection, calls, places, self.clock.now())
        return [(a.accepted, a.duplicates, len(a.tasks), a.only_counted, len(a.withdrawn)) for a in answers]

    async def forward(self, seconds):
        self.clock.forward(seconds)

    async def issue(self, number):
        for one in (await self.issues.list(limit=200)).items:
            if one.fingerprint == fingerprint(number):
                return one.id
        return None

    async def decided(self, number, verb):
        if issue := await self.issue(number):
            await self.issues.decide(issue, verb, "somebody")

    async def merged(self, number, into):
        if (one := await self.issue(number)) and (other := await self.issue(into)) and one != other:
            await self.issues.merge(one, other, "somebody")

    async def split(self, number, other):
        if issue := await self.issue(number):
            await self.issues.split(issue, fingerprint(other), "somebody")

    async def moved_on(self, state):
        async with self.database.write() as connection:
            await connection.execute(update(tables.tasks).values(state=state))

    async def published(self, number, state):
        if issue := await self.issue(number):
            await self.pull_requests.record(pull_request(number, issue_id=issue))
            await self.pull_requests.set_state(f"pr-{number}", PullRequestState(state))

    async def released(self):
        await self.issues.release_waiting()

    async def dump(self):
        c, e, t, f = tables.issues.c, tables.events.c, tables.tasks.c, tables.issue_fingerprints.c
        kept = [column for column in c if column.name not in ("id", "seq", "merged_into", "waiting_for")]
        events = [column for column in e if column.name not in ("seq", "issue_id")]
        queries = [
            select(*kept).order_by(c.seq),
            select(c.waiting_for.like("storm:%"), c.waiting_for != "").order_by(c.seq),
            select(*events, c.fingerprint.label("of"))
            .join(tables.issues, c.id == e.issue_id)
            .order_by(e.seq),
            select(t.fingerprint, t.episode, t.state).order_by(t.seq),
            select(f.fingerprint, f.through, c.fingerprint.label("of"))
            .join(tables.issues, c.id == f.issue_id)
            .order_by(f.fingerprint),
            select(tables.counted_events.c.event_id).order_by(tables.counted_events.c.event_id),
        ]
        async with self.database.read() as connection:
            return [[tuple(row) for row in await connection.execute(query)] for query in queries]


def steps_of(seed):
    """Yield what is done: to take some events, mostly, and what other writers do."""
    chance = random.Random(seed)
    sent = []
    for _ in range(80):
        number, other = chance.randrange(1, 8), chance.randrange(1, 8)
        roll = chance.random()
        if roll < 0.75:
            most = chance.choice([2, 10])  # alone, or many issues together
            yield "take", [[_drawn(chance) for _ in range(chance.randrange(1, most))] for _ in range(2)], sent
        elif roll < 0.81:
            yield "decided", number, chance.choice(["ignore", "resolve", "reopen"])
        elif roll < 0.84:
            yield "merged", number, other
        elif roll < 0.86:
            yield "split", number, other
        elif roll < 0.9:
            yield "moved_on", chance.choice(["completed", "failed", "cancelled", "pending"])
        elif roll < 0.94:
            yield "published", number, chance.choice(["open", "merged", "closed"])
        elif roll < 0.96:
            yield ("released",)
        else:
            yield "forward", chance.choice([1, 90, 4000])


def _drawn(chance):
    return chance.randrange(1, 8), chance.random(), chance.random(), chance.random()


def made(calls, now, sent):
    """Return batches of events; some are repeats, some old, some not repaired, some of another release."""
    batches = []
    for call in calls:
        events = []
        for number, repeat, kind, release in call:
            if repeat < 0.05 and sent:
                events.append(sent[int(repeat * 20 * len(sent)) % len(sent)])
                continue
            at = now - timedelta(seconds=100 if kind < 0.2 else 0)
            one = (denial if kind > 0.8 else event)(number, at=at, count=1 + int(kind * 3))
            if number == 7:  # known by an earlier grouping's fingerprint too
                one = replace(one, error=replace(one.error, earlier_fingerprints=(fingerprint(6),)))
            events.append(replace(one, release="new" if release < 0.05 else "abc"))
        sent += events
        batches.append(pairs(*events))
    return batches


@pytest.fixture
async def sides(tmp_path):
    found = []
    for name, memory in (("with", IssueMemory()), ("without", None)):
        url = migrated_url(tmp_path / name)
        found.append(Side(url, await open_database(url), Taking(RULES, memory)))
    yield found
    for side in found:
        side.engine.dispose()
        await side.database.close()


@pytest.fixture
def looked_up(monkeypatch):
    """How many issues were looked up, on each side."""
    found = {}

    def noted(connection, keys, *there):
        url = str(connection.engine.url)
        found[url] = found.get(url, 0) + len(keys)
        return known_issues(connection, keys, *there)

    monkeypatch.setattr(intake_batch, "known_issues", noted)
    return found


@pytest.mark.parametrize("seed", range(16))
async def test_a_memory_changes_nothing_but_what_is_looked_up(sides, seed, looked_up):
    for name, *arguments in steps_of(seed):
        answers = []
        if name == "take":
            batches = made(arguments[0], sides[0].clock.now(), arguments[1])
            answers = [side.take(batches) for side in sides]
        else:
            for side in sides:
                with contextlib.suppress(PermanentError):
                    await getattr(side, name)(*arguments)
        assert not answers or answers[0] == answers[1]
        first, second = [await side.dump() for side in sides]
        assert first == second
    with_memory, without = looked_up.values()
    assert with_memory < without * 0.8


async def the_same(sides, *calls):
    """Have both sides take the same; they must answer and hold the same."""
    answers = [side.take(list(calls)) for side in sides]
    assert answers[0] == answers[1]
    first, second = [await side.dump() for side in sides]
    assert first == second
    return answers[0]


async def test_an_issue_that_is_remembered_is_one_with_what_was_merged_into_it(sides):
    await the_same(sides, pairs(event(1), event(2)))
    for side in sides:
        await side.merged(2, 1)
    await the_same(sides, pairs(event(1)))
    await the_same(sides, pairs(event(1), event(2), event(1), event(2)))
    assert max(issue.count for issue in (await sides[0].issues.list()).items) == 7


async def test_an_issue_is_known_once_by_whichever_of_its_fingerprints_it_was_met(sides):
    await the_same(sides, pairs(event(1), event(2)))
    for side in sides:
        await side.merged(2, 1)
    for numbers in ((1,), (2,), (1,), (2,), (1, 2), (2,), (1,)):
        await the_same(sides, pairs(*(event(number) for number in numbers)))
    assert max(issue.count for issue in (await sides[0].issues.list()).items) == 10


async def test_a_repair_that_had_to_wait_is_decided_on_anew_in_each_transaction(sides):
    for number in range(1, 7):
        await the_same(sides, pairs(replace(event(number), release="")))
    waits = pairs(replace(event(6), release=""))
    assert (await the_same(sides, waits))[0][2] == 0
    for side in sides:
        side.clock.forward(4000)
    assert (await the_same(sides, pairs(replace(event(6), release=""))))[0][2] == 1


async def test_what_a_storm_did_to_issues_that_sent_nothing_is_not_overlooked(sides, looked_up):
    await the_same(sides, pairs(denial(9)))
    new = [replace(event(number), release="new") for number in range(1, 5)]
    for one in (*new[:3], *new[:3]):
        await the_same(sides, pairs(replace(one, event_id=str(uuid.uuid4()))))
    assert (await the_same(sides, pairs(new[3])))[0][4] > 0  # some repairs are taken back
    looked_up.clear()
    await the_same(sides, pairs(*(replace(one, event_id=str(uuid.uuid4())) for one in new)))
    assert list(looked_up.values()) == [4, 4]


async def test_an_issue_whose_standing_changed_is_forgotten_under_each_of_its_fingerprints(sides):
    engine, memory = sides[0].engine, IssueMemory()
    one, other = (fingerprint(1), APP.key), (fingerprint(2), APP.key)
    issue = new_issue(one[0], event(1), APP, START)
    issue.judged(TriageDecision(TriageClass.EXPECTED, False, "no"))
    issue.fresh, issue.before = False, issue.standing_columns()

    def met(*keys):
        with engine.begin() as connection:
            found, _ = memory.recall(connection, keys)
            memory.keep(dict.fromkeys(keys, issue), {key: key[0] for key in keys})
        return found

    assert met(one, other) == {}
    assert met(one) == {one: issue}
    issue.standing = replace(issue.standing, state=IssueState.RESOLVED)
    met(one)
    assert met(one, other) == {}


async def test_what_is_remembered_is_bounded(sides, monkeypatch):
    monkeypatch.setattr(issue_memory, "_MOST", 3)
    side = sides[0]
    for _ in range(3):
        side.take([pairs(*(event(number) for number in range(10)))])
        side.take([pairs(event(11))])
        assert len(side._taking._memory._known) <= 10
        assert len(side._taking._memory._issues) <= 10
    assert [issue.count for issue in (await side.issues.list()).items] == [3] * 11
