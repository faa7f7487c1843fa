"""What a fix watch makes of the builds that are seen, over simulated weeks."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from ai_ops.core.fix_watch import Facts, Logged, Sighting, assess
from ai_ops.core.quiet_window import LEAST, MOST, occasions_per_second, quiet_until
from ai_ops.flow.fix_watch import TRANSITIONS, FixWatch, WatchedPlace, WatchState
from ai_ops.flow.issue import IssueState

MERGED = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GRACE = 24 * HOUR
DAILY = 1 / DAY.total_seconds()
HOLDS = {"old": False, "older": False, "hotfix": False, "new": True, "newer": True}


def at(days: float) -> datetime:
    """Return a time so many days after the merge."""
    return MERGED + timedelta(days=days)


class Weeks:
    """A watch that is looked at as time goes by. Days are counted from the merge."""

    def __init__(self, *services: str, rate: float = DAILY, **changes) -> None:
        places = tuple(WatchedPlace(name, "production", rate) for name in services or ("shop",))
        watch = FixWatch(
            "pr", "issue", 1, "key", "f" * 40, MERGED, WatchState.WAITING_FOR_DEPLOY, MERGED, places=places
        )
        self.watch = replace(watch, **changes)
        self.holds = dict(HOLDS)
        self.sightings: dict[tuple[str, str], Sighting] = {}
        self.logged: list[Logged] = []
        self.resolved_at = None
        self.state, self.episode = IssueState.OPEN, 1

    def seen(self, release: str, days: float, service: str = "shop") -> None:
        """Let a release be seen by some other error."""
        known = self.sightings.get((service, release))
        first = known.first_seen if known else at(days)
        self.sightings[service, release] = Sighting(service, "production", release, first, at(days))

    def fails(self, release: str, days: float, service: str = "shop", count: int = 1) -> None:
        """Let a release log the error of the watch."""
        if release:
            self.seen(release, days, service)
        self.logged.append(Logged(service, "production", release, at(days), at(days), count))

    def look(self, days: float) -> FixWatch:
        """Look at the watch."""
        before = self.watch.state
        facts = Facts(
            self.state,
            self.episode,
            self.resolved_at,
            tuple(self.sightings.values()),
            tuple(self.logged),
            self.watch.seen_seq + len(self.logged),
        )
        self.watch = assess(self.watch, facts, self.holds, at(days), GRACE)
        self.logged = []
        assert self.watch.state is before or self.watch.state in TRANSITIONS[before]
        return self.watch


def days_of(moment: datetime) -> float:
    return (moment - MERGED) / DAY


# --- the window ---


def test_the_window_lasts_until_silence_by_chance_is_less_than_one_in_a_hundred():
    until = quiet_until(MERGED, [(MERGED, DAILY)])
    assert days_of(until) == pytest.approx(-math.log(0.01))
    assert math.exp(-DAILY * (until - MERGED).total_seconds()) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("rate", "window"),
    [(24 * DAILY, LEAST), (1000.0, LEAST), (DAILY / 10, MOST), (1e-30, MOST), (0.0, MOST)],
    ids=["every hour", "absurd", "every tenth day", "nearly never", "unknown"],
)
def test_the_window_is_a_day_at_least_and_two_weeks_at_most(rate, window):
    assert quiet_until(MERGED, [(MERGED, rate)]) - MERGED == window
    assert quiet_until(MERGED, []) - MERGED == MOST


def test_a_place_counts_only_from_when_its_own_silence_does():
    late = quiet_until(MERGED, [(MERGED, DAILY), (at(3), DAILY)])
    assert days_of(late) == pytest.approx(3 + (-math.log(0.01) - 3) / 2)
    assert quiet_until(MERGED, [(MERGED, DAILY), (at(30), 100.0)]) == quiet_until(MERGED, [(MERGED, DAILY)])


def test_the_rate_is_taken_from_two_weeks_or_from_when_the_error_is_known():
    old, young = MERGED - 90 * DAY, MERGED - 2 * DAY
    assert occasions_per_second(14, old, MERGED) == pytest.approx(DAILY)
    assert occasions_per_second(4, young, MERGED) == pytest.approx(2 * DAILY)
    assert occasions_per_second(3, MERGED + DAY, MERGED) == 0.0


# --- simulated weeks ---


def test_a_fix_that_holds_is_resolved_when_its_window_has_passed():
    weeks = Weeks()
    waiting = weeks.look(0.1)
    assert (waiting.state, waiting.since, waiting.until) == ("waiting_for_deploy", MERGED, MERGED + GRACE)
    weeks.seen("new", 0.5)
    quiet = weeks.look(0.5)
    assert (quiet.state, quiet.since, quiet.by_time) == ("quiet", at(0.5), False)
    assert days_of(quiet.until) == pytest.approx(0.5 - math.log(0.01))
    weeks.seen("new", 5.0)
    assert weeks.look(5.0).state == "quiet"
    done = weeks.look(5.2)
    assert (done.state, done.since, done.until) == ("resolved", at(5.2), None)
    assert "chance in less than 1%" in done.reason and "by time" not in done.reason


def test_an_error_that_a_build_with_the_fix_logs_has_recurred():
    weeks = Weeks()
    weeks.seen("new", 0.5)
    weeks.look(1)
    weeks.fails("newer", 2)
    again = weeks.look(2.01)
    assert (again.state, again.recurred_release, again.recurred_at) == ("recurred", "newer", at(2))
    assert (again.by_time, again.until) == (False, None)
    assert again.reason == "the error was logged again by release newer, which holds the fix"


def test_an_old_build_that_still_runs_is_shown_and_is_no_recurrence():
    weeks = Weeks()
    weeks.fails("old", 0.2, count=7)
    waiting = weeks.look(0.3)
    assert (waiting.state, waiting.old_events, waiting.old_release) == ("waiting_for_deploy", 7, "old")
    weeks.seen("new", 0.5)
    weeks.fails("old", 0.9, count=2)
    quiet = weeks.look(1)
    assert (quiet.state, quiet.old_events) == ("quiet", 9)
    assert "an old build still runs in shop/production: 9 events of it" in quiet.reason
    assert days_of(quiet.until) == pytest.approx(0.9 - math.log(0.01))  # its silence counts from there
    assert weeks.look(5.6).state == "resolved"


def test_an_old_build_that_never_goes_away_holds_the_end_up_for_two_weeks_at_most():
    weeks = Weeks()
    weeks.seen("old", -1)
    for day in range(14):
        weeks.seen("new", day + 0.5)
        weeks.fails("old", day + 0.6)
        assert weeks.look(day + 0.7).state == "quiet"
    weeks.seen("new", 14.4)
    assert weeks.look(14.6).state == "resolved"
    assert weeks.watch.old_events == 14


def test_a_rollback_is_recognised_and_the_window_begins_anew_after_it():
    weeks = Weeks()
    weeks.seen("new", 0.5)
    weeks.look(0.6)
    weeks.seen("hotfix", 1.0)  # deployed after it, and without it
    back = weeks.look(1.0)
    assert (back.state, back.until, back.begun_at) == ("rolled_back", None, None)
    assert back.reason == "release hotfix, without the fix, is seen in shop/production after one with it"
    weeks.fails("hotfix", 2.0)
    assert weeks.look(2.0).state == "rolled_back"
    assert weeks.look(20.0).state == "rolled_back"  # however long: it stands still
    weeks.seen("new", 21.0)
    quiet = weeks.look(21.0)
    assert (quiet.state, quiet.since) == ("quiet", at(21))
    assert days_of(quiet.until) == pytest.approx(21 - math.log(0.01))
    assert weeks.look(26).state == "resolved"


def test_a_rollback_to_a_build_that_was_there_before_is_seen_once_a_deploy_would_be_over():
    weeks = Weeks()
    weeks.seen("old", -1.0)
    weeks.seen("new", 0.5)
    weeks.fails("old", 1.0)
    assert weeks.look(1.0).state == "quiet"  # one by one its hosts are given the new build
    weeks.fails("old", 2.0)
    assert weeks.look(2.0).state == "rolled_back"
    weeks.seen("new", 2.5)
    assert weeks.look(2.5).state == "quiet"


def test_without_releases_time_decides_and_the_watch_says_so():
    weeks = Weeks()
    weeks.fails("", 0.9)
    assert weeks.look(0.95).state == "waiting_for_deploy"
    assert weeks.watch.old_events == 1
    quiet = weeks.look(1.5)
    assert (quiet.state, quiet.since, quiet.by_time) == ("quiet", at(1), True)
    assert days_of(quiet.until) == pytest.approx(1 - math.log(0.01))
    assert "counted by time" in quiet.reason
    assert weeks.look(5.7).state == "resolved"
    assert "counted by time" in weeks.watch.reason


def test_without_releases_an_error_after_the_usual_deploy_has_recurred_by_time():
    weeks = Weeks()
    weeks.fails("v2-of-nobody", 1.1)
    again = weeks.look(1.2)
    assert (again.state, again.by_time) == ("recurred", True)
    assert again.reason.endswith("which by its time should hold the fix")


def test_a_person_who_resolves_says_that_it_is_deployed():
    weeks = Weeks()
    weeks.state, weeks.resolved_at = IssueState.RESOLVED, at(0.2)
    weeks.fails("", 0.1)
    assert weeks.look(0.25).state == "waiting_for_deploy"
    weeks.fails("old", 0.3)
    assert weeks.look(0.35).state == "waiting_for_deploy"  # whatever is said, this build lacks it
    weeks.fails("", 0.4)
    assert weeks.look(0.45).state == "recurred"


def test_a_fixed_build_that_never_fails_is_not_waited_for_forever():
    weeks = Weeks()
    weeks.fails("old", 3.0)
    waiting = weeks.look(3.5)
    assert (waiting.state, waiting.until) == ("waiting_for_deploy", at(4))
    quiet = weeks.look(4.1)
    assert (quiet.state, quiet.by_time) == ("quiet", True)
    weeks.fails("old", 4.2)
    assert weeks.look(4.3).state == "waiting_for_deploy"
    assert weeks.look(5.3).state == "quiet"
    assert weeks.look(9.9).state == "resolved"


def test_of_two_services_the_one_that_lags_counts_as_an_old_build():
    weeks = Weeks("shop", "worker")
    weeks.seen("new", 0.5, "shop")
    weeks.fails("old", 1.0, "worker", count=3)
    quiet = weeks.look(1.0)
    assert (quiet.state, quiet.old_events) == ("quiet", 3)
    assert days_of(quiet.until) == pytest.approx(2 + (-math.log(0.01) - 1.5) / 2)  # deployed there by then?
    assert "worker/production" in quiet.reason
    weeks.fails("old", 2.5, "worker")
    assert days_of(weeks.look(2.5).until) == pytest.approx(3.5 + (-math.log(0.01) - 3) / 2)
    weeks.fails("new", 3, "worker")
    assert weeks.look(3).state == "recurred"


def test_a_release_of_another_service_says_nothing():
    weeks = Weeks("shop")
    weeks.seen("new", 0.1, "billing")
    assert weeks.look(0.5).state == "waiting_for_deploy"


def test_a_resolved_watch_still_knows_which_build_logs_the_error_again():
    weeks = Weeks()
    weeks.seen("new", 0.5)
    weeks.look(6)
    weeks.state, weeks.resolved_at = IssueState.RESOLVED, at(6)
    weeks.fails("old", 30)
    assert (weeks.look(30).state, weeks.watch.old_events) == ("resolved", 1)
    weeks.fails("newer", 60)
    assert weeks.look(60).state == "recurred"


def test_the_first_error_of_a_build_with_the_fix_outweighs_any_number_of_others():
    weeks = Weeks()
    weeks.fails("old", 1.0, count=1000)
    weeks.fails("new", 0.9)
    weeks.fails("old", 1.1, count=1000)
    assert (weeks.look(1.2).state, weeks.watch.recurred_release, weeks.watch.old_events) == (
        "recurred", "new", 2000,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "episode", "why"),
    [
        (IssueState.IGNORED, 1, "its issue is ignored"),
        (IssueState.MERGED, 1, "its issue was merged into another one"),
        (IssueState.OPEN, 2, "another repair of the error was begun"),
    ],
    ids=["ignored", "merged", "next episode"],
)
def test_a_watch_ends_where_people_have_decided_otherwise(state, episode, why):
    weeks = Weeks()
    weeks.state, weeks.episode = state, episode
    ended = weeks.look(1)
    assert (ended.state, ended.reason, ended.until) == ("ended", why, None)


def test_a_watch_goes_on_where_people_give_the_issue_back():
    weeks = Weeks()
    weeks.seen("new", 0.5)
    weeks.state = IssueState.IGNORED
    weeks.look(1)
    weeks.state = IssueState.OPEN
    assert weeks.look(2).state == "quiet"


def test_looking_late_or_often_comes_to_the_same_end():
    for looks in ([6.0], [0.5, 6.0], [x / 10 for x in range(1, 61)]):
        weeks = Weeks()
        weeks.seen("new", 0.4)
        for day in looks:
            weeks.look(day)
        assert weeks.watch.state == "resolved", looks


def test_names_from_events_are_said_on_one_line_without_what_nobody_sees():
    weeks = Weeks()
    weeks.holds["new\u202e\nresolved"] = True
    weeks.fails("new\u202e\nresolved", 1)
    assert "release new resolved," in weeks.look(1).reason


def test_every_state_has_its_row_and_only_known_ones_follow():
    assert set(TRANSITIONS) == set(WatchState)
    for state, follows in TRANSITIONS.items():
        assert state not in follows
        assert bool(follows) == (state is not WatchState.RECURRED)


@pytest.mark.parametrize(
    ("state", "kind"), list(product([s for s in WatchState if s.active], ["new", "old", "none", "back"]))
)
def test_from_every_state_a_look_leads_where_the_table_allows(state, kind):
    weeks = Weeks(state=state, begun_at=at(0.2) if state is WatchState.QUIET else None)
    if kind in ("new", "back"):
        weeks.seen("new", 0.5)
    if kind in ("old", "back"):
        weeks.fails("old", 2)
    for day in (2, 3, 20):
        weeks.look(day)  # asserts the transition
