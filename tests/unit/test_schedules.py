"""When a schedule is due: time zones, changes of the clock, missed times, words."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_ops.core.schedules import parse, plan, words
from ai_ops.errors import PermanentError
from ai_ops.flow.schedule import Missed


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def told(expression, zone, after, count):
    moments = islice(parse(expression, zone).moments(at(after)), count)
    return [moment.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes") for moment in moments]


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T00:00",
            ["2026-03-28T02:30+01:00", "2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"],
            id="a fixed time that is left out comes at the change",
        ),
        pytest.param(
            "30 2 * * *",
            "Europe/Berlin",
            "2026-10-24T12:00",
            ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"],
            id="a fixed time that comes twice is due once",
        ),
        pytest.param(
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-10-24T23:45",
            [
                "2026-10-25T02:00+02:00",
                "2026-10-25T02:30+02:00",
                "2026-10-25T02:00+01:00",
                "2026-10-25T02:30+01:00",
                "2026-10-25T03:00+01:00",
            ],
            id="open hours go on through both hours",
        ),
        pytest.param(
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-03-29T00:15",
            ["2026-03-29T01:30+01:00", "2026-03-29T03:00+02:00", "2026-03-29T03:30+02:00"],
            id="open hours leave out what is left out",
        ),
        pytest.param(
            "30 0 * * *",
            "Pacific/Apia",
            "2011-12-29T00:00",
            ["2011-12-29T00:30-10:00", "2011-12-31T00:00+14:00", "2011-12-31T00:30+14:00"],
            id="a day that never was",
        ),
        pytest.param(
            "0 0 * * *",
            "America/Sao_Paulo",
            "2018-11-03T00:00",
            ["2018-11-03T00:00-03:00", "2018-11-04T01:00-02:00", "2018-11-05T00:00-02:00"],
            id="a midnight that never was",
        ),
        pytest.param(
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T12:00",
            ["2026-10-04T02:30+11:00", "2026-10-05T02:15+11:00"],
            id="a change of half an hour",
        ),
        pytest.param(
            "0 12 29 2 *",
            "UTC",
            "2026-01-01T00:00",
            ["2028-02-29T12:00+00:00", "2032-02-29T12:00+00:00"],
            id="leap days",
        ),
        pytest.param(
            "0 0 13 * fri",
            "UTC",
            "2026-11-01T00:00",
            ["2026-11-06T00:00+00:00", "2026-11-13T00:00+00:00", "2026-11-20T00:00+00:00"],
            id="day of month or weekday",
        ),
    ],
)
def test_times_follow_the_clock_of_their_zone(expression, zone, after, expected):
    assert told(expression, zone, after, len(expected)) == expected


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        ["*/7 * * * *", "30 2 * * *", "0 */5 * * *", "15 1,2,3 * * 0", "0 0 1 * *", "59 23 * * *"]
    ),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
    st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)),
)
def test_moments_rise_and_none_is_left_out_wherever_one_begins(expression, zone, start):
    cron = parse(expression, zone)
    begin = start.replace(tzinfo=UTC)
    moments = list(islice(cron.moments(begin), 12))
    assert moments == sorted(set(moments)) and moments[0] > begin
    # Begun anywhere between two of them, the next is the next.
    for before, following in pairwise(moments):
        assert cron.after(before + (following - before) / 2) == following


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_a_daily_time_comes_once_a_day_and_a_minutely_one_once_a_minute_all_year(zone):
    daily = list(islice(parse("30 2 * * *", zone).moments(at("2026-01-01T00:00")), 365))
    assert len({moment.astimezone(ZoneInfo(zone)).date() for moment in daily}) == 365
    hourly = list(islice(parse("0 * * * *", zone).moments(at("2026-01-01T00:00")), 365 * 24))
    gaps = {after - before for before, after in pairwise(hourly)}
    half = {timedelta(minutes=30), timedelta(minutes=90)} if "Lord_Howe" in zone else set()
    assert gaps <= {timedelta(hours=1)} | half


@pytest.mark.parametrize(
    ("expression", "zone", "code"),
    [
        ("* * * *", "UTC", "bad_cron"),
        ("61 * * * *", "UTC", "bad_cron"),
        ("0 0 30 2 *", "UTC", "bad_cron"),
        ("* * * * * *", "UTC", "bad_cron"),
        ("*/0 * * * *", "UTC", "bad_cron"),
        ("0 0 * * 8", "UTC", "bad_cron"),
        ("$(id) * * * *", "UTC", "bad_cron"),
        ("", "UTC", "bad_cron"),
        ("0 0 * * *\x00", "UTC", "bad_cron"),
        ("9" * 150 + " * * * *", "UTC", "bad_cron"),
        ("1-" * 40 + "1 * * * *", "UTC", "bad_cron"),
        ("* * * * *", "Mars/Base", "bad_timezone"),
        ("* * * * *", "../../etc/passwd", "bad_timezone"),
        ("* * * * *", "", "bad_timezone"),
    ],
)
def test_what_is_no_time_is_refused_with_a_code(expression, zone, code):
    with pytest.raises(PermanentError) as refused:
        parse(expression, zone)
    assert refused.value.code == code and refused.value.next_step


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        pytest.param("0 5-70 * * *", "'5-70' is no hour", id="one field"),
        pytest.param("0 0 * * 8", "'8' is no day of week", id="the last field"),
        pytest.param("0 0 30 2 *", "no date is ever like that", id="never"),
        pytest.param("0 0 *", "five fields: minute, hour, day of month, month, day of week", id="too few"),
    ],
)
def test_a_refusal_says_which_field_is_wrong(expression, why):
    with pytest.raises(PermanentError, match=why):
        parse(expression, "UTC")


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789*,-/#?LW@abcdefgmonfrijan ", max_size=30))
def test_no_expression_breaks_the_reader(text):
    try:
        cron = parse(text, "UTC")
    except PermanentError as refused:
        code = refused.code
    else:
        code = "bad_cron" if words(cron) else "no words"
    assert code == "bad_cron"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("30 3 * * mon-fri", "At 03:30 on Monday to Friday (UTC)"),
        ("*/15 * * * *", "Every 15 minutes (UTC)"),
        ("* * * * *", "Every minute (UTC)"),
        ("0 */2 * * *", "Every 2 hours (UTC)"),
        ("@daily", "At 00:00 every day (UTC)"),
        ("5 * * * *", "At minute 5 of every hour (UTC)"),
        ("0 9,17 1,15 * *", "At 09:00 and 17:00 on day 1 and 15 of the month (UTC)"),
        ("0 0 1 jan *", "At 00:00 on day 1 of the month in January (UTC)"),
        ("*/10 9-17 * * 1-5", "Every 10 minutes of the hours 9 to 17 on Monday to Friday (UTC)"),
        ("0 12 * * fri#2", "At 12:00 on the 2nd Friday of the month (UTC)"),
        ("0 0 l * *", "At 00:00 on the last day of the month (UTC)"),
        ("0 0 13 * 5", "At 00:00 on day 13 of the month or on Friday (UTC)"),
    ],
)
def test_an_expression_is_said_in_words(expression, expected):
    assert words(parse(expression, "UTC")) == expected


HOURLY = parse("0 * * * *", "UTC")
NINE = at("2026-03-02T09:00")


@pytest.mark.parametrize(
    ("now", "policy", "run", "missed", "covered"),
    [
        pytest.param("2026-03-02T08:59", Missed.COALESCE, [], 0, 0, id="not due"),
        pytest.param("2026-03-02T09:00", Missed.SKIP, [9], 0, 0, id="on time"),
        pytest.param("2026-03-02T09:04", Missed.SKIP, [9], 0, 0, id="a little late is on time"),
        pytest.param("2026-03-02T09:30", Missed.SKIP, [], 1, 0, id="missed and skipped"),
        pytest.param("2026-03-02T09:30", Missed.COALESCE, [9], 0, 0, id="missed and made up for"),
        pytest.param("2026-03-02T13:30", Missed.COALESCE, [13], 0, 4, id="five missed, one task"),
        pytest.param("2026-03-02T13:01", Missed.COALESCE, [13], 4, 0, id="four missed and one on time"),
        pytest.param("2026-03-02T13:01", Missed.SKIP, [13], 4, 0, id="the missed ones are left out"),
        pytest.param("2026-03-02T13:30", Missed.CATCH_UP, [9, 10, 11, 12, 13], 0, 0, id="one task each"),
    ],
)
def test_missed_times_are_treated_as_asked(now, policy, run, missed, covered):
    wanted = plan(HOURLY, NINE, at(now), policy)
    assert [moment.hour for moment in wanted.run] == run
    assert (len(wanted.missed), wanted.covered) == (missed, covered)
    assert wanted.next_at > at(now) or not run
    assert (wanted.next_at - at(now)) <= timedelta(hours=1)


def test_catching_up_has_an_end_and_says_what_it_left_out():
    wanted = plan(HOURLY, NINE, NINE + timedelta(days=30), Missed.CATCH_UP)
    assert len(wanted.run) == 50 and len(wanted.missed) == 30 * 24 + 1 - 50
