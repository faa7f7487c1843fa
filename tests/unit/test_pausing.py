"""When a limit pauses the queue, for how long, and who may look whether it is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ai_ops.core import model_failures as failures
from ai_ops.core.pausing import LIMIT_CODES, PROBE, Pause, closed, entered, given_up, met
from ai_ops.errors import TemporaryError

NOW = datetime(2026, 11, 25, 11, 37, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def limit(delay: float | None = 900.0, code: str = "model_session_limit") -> TemporaryError:
    return TemporaryError(code, "limited", delay=delay)


def probed(pause: Pause, run: str, now: datetime) -> Pause:
    """The pause with this run as its prober."""
    after = entered(pause, run, now)
    assert after.prober == run
    return after


PAUSE = met(None, "r1", limit(), NOW)


def test_the_first_limit_begins_a_pause_until_its_stated_end() -> None:
    assert Pause("model_session_limit", NOW, later(900)) == PAUSE


@pytest.mark.parametrize("run", ["r1", "r2"])
def test_nobody_asks_while_it_lasts(run: str) -> None:
    assert entered(PAUSE, run, later(899)) == PAUSE
    assert PAUSE.wait_seconds(run, later(600)) == 300


def test_after_it_one_run_may_try_and_the_others_look_again() -> None:
    pause = probed(PAUSE, "r2", later(900))
    assert entered(pause, "r1", later(901)) == pause
    assert 0 < pause.wait_seconds("r1", later(901)) <= 30


def test_a_prober_that_comes_back_after_a_crash_is_still_the_prober() -> None:
    assert probed(probed(PAUSE, "r2", later(900)), "r2", later(950)).prober == "r2"


def test_a_prober_that_died_is_followed_by_another() -> None:
    pause = probed(PAUSE, "r2", later(900))
    assert probed(pause, "r1", later(900) + PROBE).prober == "r1"


def test_a_prober_that_gave_up_is_followed_by_another_at_once() -> None:
    pause = given_up(probed(PAUSE, "r2", later(900)), "r2")
    assert probed(pause, "r1", later(901)).prober == "r1"


def test_only_the_prober_can_give_up() -> None:
    pause = probed(PAUSE, "r2", later(900))
    assert given_up(pause, "r1") == pause


def test_a_prober_that_meets_the_limit_begins_the_pause_anew() -> None:
    pause = met(probed(PAUSE, "r2", later(900)), "r2", limit(60.0, "model_rate_limited"), later(901))
    assert pause == Pause("model_rate_limited", NOW, later(961), failures=2)
    assert pause.wait_seconds("r1", later(901)) == 60


def test_an_end_that_is_not_stated_doubles_with_each_probe_up_to_five_minutes() -> None:
    pause, now, waits = None, NOW, []
    for _ in range(12):
        pause = met(pause, "r1", limit(None, "model_overloaded"), now)
        waits.append((pause.until - now).total_seconds())
        now = pause.until
        pause = probed(pause, "r1", now)
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]


def test_runs_that_had_asked_before_only_prolong_it() -> None:
    assert met(PAUSE, "r2", limit(1.0, "model_rate_limited"), later(1)) == PAUSE
    longer = met(PAUSE, "r2", limit(5000.0, "model_session_limit"), later(1))
    assert (longer.until, longer.failures) == (later(5001), 1)


def test_their_word_does_not_take_the_probers_place() -> None:
    pause = probed(PAUSE, "r2", later(900))
    assert met(pause, "r1", limit(60.0), later(901)).prober == "r2"


@pytest.mark.parametrize("code", sorted(LIMIT_CODES))
def test_who_has_to_wait_is_told_why_and_how_long(code: str) -> None:
    failure = closed(replace(PAUSE, code=code), "r2", later(600))
    assert isinstance(failure, TemporaryError)
    assert (failure.code, failure.delay) == (code, 300)
    assert "2026-11-25 11:52:00 UTC" in failure.message
    assert code in failures.CODES
