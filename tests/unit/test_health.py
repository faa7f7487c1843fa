"""Which measures are bad, how bad they are, and what is told of that. Pure."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ai_ops.core.alerts import change, notice, notice_key
from ai_ops.core.health import judge
from ai_ops.core.supervision import NextRun, WorkerRules, next_run
from ai_ops.core.supervision import judge as judge_worker
from ai_ops.flow.alert import AlertNews, AlertState
from ai_ops.flow.health import HealthCheck, HealthRules, HostUse, Reached, Severity, Vitals
from ai_ops.flow.worker import WorkerState, WorkerStatus

GB = 1000**3
HOST = HostUse(50 * GB, 100 * GB, 900, 1000, 8 * GB, 16 * GB)
WELL = Vitals(HOST, peers={"github": Reached(), "model": Reached()}, clock_off_seconds=0.4)
START = datetime(2026, 1, 1, tzinfo=UTC)


def host(**changes):
    return replace(WELL, host=replace(HOST, **changes))


def bad(vitals):
    return {check.name: check.severity for check in judge(vitals, HealthRules()) if check.severity}


def test_a_well_installation_has_every_check_and_no_finding():
    names = [check.name for check in judge(WELL, HealthRules())]
    assert names == [
        "disk", "inodes", "memory", "database", "queue", "workers", "outbox", "github", "model", "clock",
    ]  # fmt: skip
    assert bad(WELL) == {}


CASES = {
    "disk below its floor": (host(disk_free=4 * GB), {"disk": "P2"}),
    "disk at its floor": (host(disk_free=5 * GB), {}),
    "disk nearly full": (host(disk_free=GB // 2), {"disk": "P1"}),
    "few inodes": (host(inodes_free=40), {"inodes": "P2"}),
    "no inodes": (host(inodes_free=0), {"inodes": "P1"}),
    "a file system without a number of inodes": (host(inodes_free=None, inodes_total=None), {}),
    "little memory": (host(memory_available=GB // 2), {"memory": "P2"}),
    "a host that does not say its memory": (host(memory_available=None), {}),
    "a database that fails": (replace(WELL, database_failure="storage_unavailable: no"), {"database": "P1"}),
    "a task that waits for an hour": (replace(WELL, queue_seconds=3600), {}),
    "a task that waits longer": (replace(WELL, queue_seconds=3601), {"queue": "P3"}),
    "a task that waits for half a day": (replace(WELL, queue_seconds=43_200), {"queue": "P2"}),
    "a queue that a limit pauses": (replace(WELL, queue_seconds=43_200, queue_paused=True), {}),
    "a silent worker that will be replaced": (replace(WELL, worker_silent_seconds=1300), {}),
    "a silent worker that was not": (replace(WELL, worker_silent_seconds=1900), {"workers": "P1"}),
    "a message that does not go out": (replace(WELL, outbox_seconds=1801), {"outbox": "P2"}),
    "a peer that is away": (replace(WELL, peers={"model": Reached("refused")}), {"model": "P2"}),
    "a clock that is off": (replace(WELL, clock_off_seconds=-61.0), {"clock": "P3"}),
    "a clock that would refuse webhooks": (replace(WELL, clock_off_seconds=301.0), {"clock": "P2"}),
    "a clock that jumped": (replace(WELL, clock_jump_seconds=-3600.0), {"clock": "P2"}),
    "a clock that nobody says": (replace(WELL, clock_off_seconds=None), {}),
}


@pytest.mark.parametrize(("vitals", "found"), CASES.values(), ids=CASES)
def test_a_measure_is_bad_from_its_limit_on(vitals, found):
    assert bad(vitals) == found


def test_every_finding_says_what_to_do():
    for vitals, _ in CASES.values():
        for check in judge(vitals, HealthRules()):
            assert bool(check.next_step) == (check.severity is not None)


def check(severity="P2", flaps=False):
    return HealthCheck("disk", "little room", severity and Severity(severity), "Free some.", flaps)


def play(*checks, alert=None, every=timedelta(minutes=1)):
    """Return the news of checks a minute apart, and the last alert."""
    news, now = [], START
    for each in checks:
        changed = change(each, alert, now)
        if changed is not None:
            alert = None if changed.alert.state is AlertState.RESOLVED else changed.alert
            news.append(changed.news)
        else:
            news.append(None)
        now += every
    return news, alert


O, E, R = AlertNews.OPENED, AlertNews.ESCALATED, AlertNews.RESOLVED  # noqa: E741
P1, P2, P3, OK = check("P1"), check(), check("P3"), check(None)
MAYBE = check(flaps=True)
STORIES = {
    "told once however long it lasts": ([P2] * 5, [O, None, None, None, None]),
    "over when it is well twice": ([P2, OK, OK, OK], [O, None, R, None]),
    "not over when it is well once": ([P2, OK, P2, OK, P2], [O, None, None, None, None]),
    "told again when it is worse": ([P3, P2, P1, P1], [O, E, E, None]),
    "not told when it is less bad": ([P1, P2, P3], [O, None, None]),
    "a moment's failure is not told": ([MAYBE, OK, MAYBE, OK], [None] * 4),
    "a failure that may be a moment's is told the second time": ([MAYBE, MAYBE, MAYBE], [None, O, None]),
    "one that came back is a new one": ([P2, OK, OK, P2], [O, None, R, O]),
    "nothing is told of what is well": ([OK, OK], [None, None]),
}


@pytest.mark.parametrize(("checks", "news"), STORIES.values(), ids=STORIES)
def test_what_is_told_of_a_row_of_checks(checks, news):
    assert play(*checks)[0] == news


def test_one_that_lasts_becomes_worse_by_itself_until_it_is_the_worst():
    news, alert = play(*[P3] * 60, every=timedelta(hours=1))
    assert [hour for hour, each in enumerate(news) if each is E] == [24, 28]
    assert (alert.severity, alert.seen) == (Severity.P1, 60)


def test_the_notice_of_a_p1_is_urgent_and_its_end_is_not():
    _, alert = play(P1)
    opened, over = notice(alert, O, "https://a"), notice(alert, R, "https://a")
    assert opened.urgent and not over.urgent
    assert opened.url == f"https://a/v1/alerts/{alert.id}" and opened.next_step == "Free some."
    assert "well again" in over.title and over.next_step == ""
    assert len({notice_key(alert, each) for each in AlertNews}) == 3
    worse = replace(alert, severity=Severity.P2)
    assert notice_key(alert, E) != notice_key(worse, E)


RULES = WorkerRules(100 * 2**20, 60.0, 2)
AT_WORK = WorkerStatus(1, WorkerState.WORKING, heartbeat_seconds=60.0, memory_bytes=100 * 2**20)


@pytest.mark.parametrize(
    ("worker", "reason"),
    [
        (AT_WORK, None),
        (replace(AT_WORK, memory_bytes=100 * 2**20 + 1), "memory"),
        (replace(AT_WORK, heartbeat_seconds=60.1), "hung"),
        (replace(AT_WORK, heartbeat_seconds=99, state=WorkerState.REPLACING), None),
        (WorkerStatus(1), None),
    ],
    ids=["within its limits", "too large", "silent", "being replaced", "idle"],
)
def test_which_workers_are_replaced(worker, reason):
    loss = judge_worker(worker, RULES)
    assert (loss and loss.reason) == reason


def test_a_run_is_left_to_a_person_when_it_lost_as_many_workers_as_it_may():
    assert [next_run(losses, RULES) for losses in (1, 2, 3)] == [
        NextRun.BEGIN_AGAIN, NextRun.ASK_A_PERSON, NextRun.ASK_A_PERSON,
    ]  # fmt: skip
