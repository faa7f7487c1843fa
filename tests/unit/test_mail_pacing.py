"""When people are told: the rules alone, at chosen moments."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ai_ops.core.mail_pacing import MOST_IN_A_DIGEST, Pacing, Plan, QuietHours, next_slot, plan, quiet_until
from ai_ops.flow.notification import WaitingNotification

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(time(22), time(7))


def waiting(number=1, *, urgent=False, at=NOON, first=0):
    return [WaitingNotification(str(n), "a@x", at, urgent, f"s{n}", "") for n in range(first, first + number)]


def ids(number, first=0):
    return tuple(str(n) for n in range(first, first + number))


def test_without_rules_everything_goes_out_at_once_and_by_itself():
    assert plan(Pacing(), waiting(50), [], NOON) == Plan(ids(50))


def test_nothing_waits_where_nothing_is():
    assert plan(Pacing(burst=1), [], [], NOON) == Plan()


PATIENT = Pacing(digest="daily", burst=1, per_hour=1, quiet=QuietHours(time(0), time(23, 59)))


def test_what_is_urgent_waits_for_nothing():
    both = [*waiting(3), *waiting(2, urgent=True, first=3)]
    decided = plan(PATIENT, both, [NOON - MINUTE] * 9, NOON)
    assert decided.single == ("3", "4")
    assert decided.held == ids(3)
    assert decided.until is not None


def test_quiet_hours_are_waited_out_and_then_it_goes_by_itself():
    pacing = Pacing(quiet=NIGHT, zone=BERLIN)
    evening = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)  # half past midnight in Berlin
    decided = plan(pacing, waiting(2, at=evening), [], evening)
    assert decided == Plan(held=ids(2), until=datetime(2026, 11, 26, 6, tzinfo=UTC), reason="quiet hours")
    assert plan(pacing, waiting(2, at=evening), [], decided.until) == Plan(ids(2))


@pytest.mark.parametrize(
    ("clock", "until"),
    [("21:59", None), ("22:00", "07:00"), ("23:59", "07:00"), ("00:00", "07:00"), ("06:59", "07:00"),
     ("07:00", None), ("12:00", None)],
)  # fmt: skip
def test_quiet_hours_over_midnight_end_in_the_morning(clock, until):
    now = datetime.combine(NOON.date(), time.fromisoformat(clock), UTC)
    end = quiet_until(NIGHT, UTC, now)
    assert (f"{end:%H:%M}" if end else None) == until
    assert end is None or now < end <= now + timedelta(hours=9)


@given(
    some.datetimes(datetime(2026, 3, 27), datetime(2026, 11, 2), timezones=some.just(UTC)),
    some.times(), some.times(), some.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
)  # fmt: skip
def test_quiet_hours_always_end(now, start, end, zone):
    """Also on the nights when the clock is set."""
    until, steps = now, 0
    while following := quiet_until(QuietHours(start, end), ZoneInfo(zone), until):
        assert until < following <= until + timedelta(hours=26)
        until, steps = following, steps + 1
        if start == end or steps > 5:
            break
    assert steps <= 5 or start == end


@pytest.mark.parametrize(
    ("digest", "slot"),
    [("hourly", datetime(2026, 11, 25, 13, tzinfo=UTC)), ("daily", datetime(2026, 11, 26, 7, tzinfo=UTC))],
    ids=["hourly", "daily at eight in Berlin"],
)
def test_a_digest_waits_for_its_hour_and_is_one_message(digest, slot):
    pacing = Pacing(digest=digest, zone=BERLIN)
    decided = plan(pacing, waiting(3), [], NOON)
    assert decided == Plan(held=ids(3), until=slot, reason=f"the {digest} digest")
    assert plan(pacing, waiting(3), [], slot) == Plan(digest=ids(3))
    assert plan(pacing, waiting(1), [], slot) == Plan(ids(1)), "one alone needs no digest"


def test_the_next_slot_is_later_than_what_it_is_for():
    on_time = datetime(2026, 11, 25, 7, tzinfo=UTC)
    pacing = Pacing(digest="daily", zone=BERLIN)
    assert next_slot(pacing, on_time) == on_time + timedelta(days=1)
    assert next_slot(pacing, on_time - MINUTE) == on_time


def test_a_digest_whose_hour_is_quiet_goes_out_when_the_quiet_ends():
    pacing = Pacing(digest="daily", digest_at=time(6), quiet=NIGHT)
    early = datetime(2026, 11, 26, 6, tzinfo=UTC)
    decided = plan(pacing, waiting(3), [], early)
    assert decided.until == early + timedelta(hours=1)
    assert plan(pacing, waiting(3), [], decided.until) == Plan(digest=ids(3))


def test_a_storm_of_five_hundred_is_one_message_once_it_is_over():
    pacing = Pacing(burst=10)
    storm = [WaitingNotification(str(n), "a@x", NOON + n * MINUTE / 100, False, "s", "") for n in range(500)]
    over = NOON + 10 * MINUTE
    assert plan(pacing, storm, [], NOON + 5 * MINUTE).until == over
    assert plan(pacing, storm, [], over) == Plan(digest=ids(500))


def test_as_many_as_are_no_burst_go_out_by_themselves():
    pacing = Pacing(burst=10)
    assert plan(pacing, waiting(10), [], NOON) == Plan(ids(10))
    assert plan(pacing, waiting(3), [NOON - MINUTE] * 7, NOON) == Plan(ids(3))
    assert plan(pacing, waiting(4), [NOON - MINUTE] * 7, NOON).held == ids(4)
    assert plan(pacing, waiting(10), [NOON - 11 * MINUTE] * 7, NOON) == Plan(ids(10)), "long over"


def test_what_is_more_than_an_hour_may_bring_goes_out_in_one_message():
    pacing = Pacing(per_hour=3)
    assert plan(pacing, waiting(3), [], NOON) == Plan(ids(3))
    assert plan(pacing, waiting(4), [], NOON) == Plan(digest=ids(4))
    sent = [NOON - 50 * MINUTE, NOON - 20 * MINUTE, NOON - 10 * MINUTE]
    decided = plan(pacing, waiting(2), sent, NOON)
    assert (decided.held, decided.until) == (ids(2), NOON + 10 * MINUTE)
    assert "3 messages" in decided.reason
    assert plan(pacing, waiting(2), sent, decided.until) == Plan(digest=ids(2))


def test_a_digest_has_an_end_and_what_did_not_fit_waits_for_the_next():
    decided = plan(Pacing(per_hour=1), waiting(MOST_IN_A_DIGEST + 5), [], NOON)
    assert len(decided.digest) == MOST_IN_A_DIGEST
    rest = waiting(5, first=MOST_IN_A_DIGEST)
    assert plan(Pacing(per_hour=1), rest, [NOON], NOON + timedelta(hours=1)).digest == ids(5, 1000)


@given(
    some.lists(some.tuples(some.integers(0, 4000), some.booleans()), min_size=1, max_size=60),
    some.lists(some.integers(0, 3600), max_size=20),
    some.builds(
        Pacing,
        digest=some.sampled_from(["off", "hourly", "daily"]), digest_at=some.times(),
        burst=some.integers(0, 12), per_hour=some.integers(0, 12),
        quiet=some.one_of(some.none(), some.just(NIGHT)), zone=some.just(BERLIN),
    ),
)  # fmt: skip
def test_nothing_is_lost_and_nothing_is_sent_twice(made, sent, pacing):
    """Simulated to the end: each goes out once, alone or in one digest, and never beyond the hour's limit."""
    left = [
        WaitingNotification(str(n), "a@x", NOON + timedelta(seconds=at), urgent, "s", "")
        for n, (at, urgent) in enumerate(sorted(made))
    ]
    history = [NOON - timedelta(seconds=ago) for ago in sent]
    now, out = NOON + timedelta(seconds=4000), []
    for _ in range(400):
        if not left:
            break
        decided = plan(pacing, left, history, now)
        gone = (*decided.single, *decided.digest)
        out += gone
        calm = [each for each in left if each.id in decided.single and not each.urgent]
        fresh = len(calm) + bool(decided.digest)
        within = [at for at in history if at > now - timedelta(hours=1)]
        assert not (pacing.per_hour and fresh) or fresh + len(within) <= pacing.per_hour
        history += [now] * (len(decided.single) + bool(decided.digest))
        left = [each for each in left if each.id not in gone]
        if decided.until is not None:
            assert decided.until > now
            now = decided.until
    assert sorted(out) == sorted(str(n) for n in range(len(made)))
