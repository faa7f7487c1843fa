"""Schedules over simulated weeks: every time once, whatever the clock does and whoever dies."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ai_ops.core.orchestrator.scheduling import Scheduling
from ai_ops.core.schedules import parse
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.schedule import Missed, Overlap, Schedule, TickOutcome
from ai_ops.flow.task import TaskState
from ai_ops.store.schedules import ScheduleRepository
from ai_ops.store.tasks import TaskRepository
from tests.support.store import APP, FixedClock


class Queue:
    """What the engine was given and told to stop."""

    def __init__(self):
        self.given, self.stopped = [], []

    async def enqueue(self, task):
        self.given.append(task.id)

    async def cancel(self, task):
        self.stopped.append(task.id)


class World:
    """A server's schedules on a real database, and a clock that is moved."""

    def __init__(self, database):
        self.clock = FixedClock()
        self.tasks = TaskRepository(database, self.clock)
        self.schedules = ScheduleRepository(database, self.clock)
        self.queue = Queue()
        self.duty = Scheduling(self.schedules, self.tasks, self.queue, self.clock, lambda url, host: APP)

    async def make(self, cron, *, zone="UTC", at="2026-03-20T00:00:00", **changes):
        self.clock.time = datetime.fromisoformat(at).replace(tzinfo=UTC)
        now = self.clock.now()
        payload = {"prompt": "Look", "name": "look"}
        task = {"payload": payload, "priority": "normal", "repo_url": "", "code_host": ""}
        next_at = parse(cron, zone).after(now)
        schedule = Schedule("s1", "look", cron, zone, task, now, now, next_at=next_at)
        made, _ = await self.schedules.create(replace(schedule, **changes))
        return made

    async def pass_time(self, duration, *, every=timedelta(minutes=1), finish=True):
        """Let time pass with a look each time, the tasks coming to their end in between."""
        end = self.clock.now() + duration
        while self.clock.now() < end:
            self.clock.time += every
            await self.duty.look()
            if finish:
                await self.finish()

    async def finish(self):
        for task in await self.tasks.unfinished():
            await self.tasks.move(task.id, TaskState.PROCESSING)
            await self.tasks.move(task.id, TaskState.COMPLETED)

    async def made(self):
        """Return the due times that tasks were made for, oldest first."""
        page = await self.schedules.ticks("s1", limit=200)
        created = [tick for tick in page.items if tick.outcome is TickOutcome.CREATED]
        return sorted(tick.due_at for tick in created)


@pytest.fixture
async def world(database):
    return World(database)


async def test_three_weeks_across_the_change_to_summer_time_make_one_task_a_day(world):
    await world.make("30 2 * * *", zone="Europe/Berlin")
    await world.pass_time(timedelta(days=21), every=timedelta(minutes=37))
    local = [moment.astimezone(ZoneInfo("Europe/Berlin")) for moment in await world.made()]
    assert len(local) == 21 == len({moment.date() for moment in local}) == len(world.queue.given)
    assert Counter((moment.hour, moment.minute) for moment in local) == {(2, 30): 20, (3, 0): 1}


async def test_two_weeks_across_the_change_to_winter_time_make_one_task_a_day(world):
    await world.make("30 2 * * *", zone="America/New_York", at="2026-10-25T12:00:00")
    await world.pass_time(timedelta(days=14), every=timedelta(minutes=41))
    local = [moment.astimezone(ZoneInfo("America/New_York")) for moment in await world.made()]
    assert len(local) == 14 == len({moment.date() for moment in local})


@pytest.mark.parametrize(
    ("policy", "made", "missed"), [(Missed.SKIP, 0, 72), (Missed.COALESCE, 1, 0), (Missed.CATCH_UP, 50, 22)]
)
async def test_a_server_that_was_away_for_three_days_does_what_was_asked(world, policy, made, missed):
    await world.make("0 * * * *", missed=policy, overlap=Overlap.QUEUE)
    world.clock.time += timedelta(days=3, minutes=30)
    await world.duty.look()
    await world.duty.look()
    outcomes = Counter(tick.outcome for tick in (await world.schedules.ticks("s1", limit=200)).items)
    assert (outcomes[TickOutcome.CREATED], outcomes[TickOutcome.MISSED]) == (made, missed)
    assert len(world.queue.given) == made
    if policy is Missed.COALESCE:
        (tick,) = (await world.schedules.ticks("s1")).items
        assert tick.covers == 71 and "72 times" in tick.reason
    await world.pass_time(timedelta(hours=5))
    assert len(world.queue.given) == made + 5


async def test_a_clock_that_is_set_back_makes_no_time_come_again(world):
    await world.make("*/10 * * * *")
    await world.pass_time(timedelta(hours=2))
    before = await world.made()
    world.clock.time -= timedelta(hours=1)
    await world.pass_time(timedelta(hours=2))
    after = await world.made()
    assert len(after) == len(set(after)) == len(before) + 6


@pytest.mark.parametrize(
    ("policy", "made", "stopped"), [(Overlap.SKIP, 1, 0), (Overlap.QUEUE, 3, 0), (Overlap.REPLACE, 3, 2)]
)
async def test_a_task_that_is_not_over_meets_its_next_time(world, policy, made, stopped):
    await world.make("*/10 * * * *", overlap=policy)
    await world.pass_time(timedelta(minutes=31), finish=False)
    assert (len(world.queue.given), len(world.queue.stopped)) == (made, stopped)
    states = Counter(task.state for task in [await world.tasks.find(one) for one in world.queue.given])
    assert states[TaskState.CANCELLED] == stopped
    if policy is Overlap.SKIP:
        newest = (await world.schedules.ticks("s1")).items[0]
        assert newest.outcome is TickOutcome.OVERLAPPED and "pending" in newest.reason


async def test_a_kill_between_the_task_and_its_record_makes_no_second_task(world, monkeypatch):
    await world.make("0 9 * * *")

    async def die(*_, **__):
        raise TemporaryError("storage_unavailable", "killed here")

    world.clock.time = datetime(2026, 3, 20, 9, 0, 30, tzinfo=UTC)
    record = world.schedules.record
    monkeypatch.setattr(world.schedules, "record", die)
    for _ in range(3):
        with pytest.raises(TemporaryError):
            await world.duty.look()
    monkeypatch.setattr(world.schedules, "record", record)
    await world.duty.look()
    assert len(set(world.queue.given)) == 1 and len(await world.made()) == 1
    assert len(await world.tasks.unfinished()) == 1


async def test_a_repository_that_is_no_longer_allowed_is_said_at_the_time_and_the_next_one_comes(world):
    def refuse(url, host):
        raise PermanentError("repo_not_allowed", "this repository may not be worked on")

    schedule = await world.make("0 * * * *")
    await world.schedules.update(schedule.id, task={**schedule.task, "repo_url": APP.url})
    world.duty._repository = refuse
    await world.pass_time(timedelta(hours=1, minutes=1))
    world.duty._repository = lambda url, host: APP
    await world.pass_time(timedelta(hours=1))
    newest, first = (await world.schedules.ticks("s1")).items
    assert (first.outcome, newest.outcome) == (TickOutcome.REFUSED, TickOutcome.CREATED)
    assert "may not be worked on" in first.reason
    task = await world.tasks.find(newest.task_id)
    assert (task.repo_key, task.payload["schedule_id"]) == (APP.key, "s1")


async def test_two_servers_that_look_at_once_make_one_task(world, database):
    await world.make("0 9 * * *")
    other = World(database)
    other.clock.time = world.clock.time = datetime(2026, 3, 20, 9, 1, tzinfo=UTC)
    await asyncio.gather(*(each.duty.look() for each in (world, other, world, other)))
    assert len({*world.queue.given, *other.queue.given}) == 1 and len(await world.made()) == 1


async def test_a_change_by_a_person_during_a_look_stands(world):
    before = await world.make("0 9 * * *")
    disabled = await world.schedules.update(before.id, enabled=False, next_at=None)
    assert disabled.next_at is None
    kept = await world.schedules.record(before, [], next_at=datetime(2026, 3, 21, 9, tzinfo=UTC))
    assert kept.next_at is None


async def test_a_task_that_ends_just_as_it_is_to_be_replaced_costs_no_time(database):
    world = World(database)
    await world.make("*/10 * * * *", overlap=Overlap.REPLACE)
    await world.pass_time(timedelta(minutes=10), finish=False)
    (first,) = world.queue.given
    find = world.tasks.find

    async def ends_meanwhile(task_id):
        found = await find(task_id)
        if found.state is TaskState.PENDING:
            for state in (TaskState.PROCESSING, TaskState.COMPLETED):
                await world.tasks.move(task_id, state)
        return found

    world.tasks.find = ends_meanwhile
    await world.pass_time(timedelta(minutes=10), finish=False)
    newest = (await world.schedules.ticks("s1", limit=1)).items[0]
    assert newest.outcome is TickOutcome.CREATED, newest.reason
    assert len(world.queue.given) == 2 and world.queue.stopped == []
    assert (await find(first)).state is TaskState.COMPLETED
