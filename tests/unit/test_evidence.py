"""What is new about an error whose pull request was closed unmerged."""

from datetime import UTC, datetime, timedelta

import pytest

from ai_ops.core.evidence import Refusal, Seen, new_evidence

CLOSED = datetime(2026, 3, 4, tzinfo=UTC)
DAY, WEEK = timedelta(days=1), timedelta(days=7)


def refusal(before=(7, WEEK), since=(0, DAY), releases=("a",), releases_since=()):
    return Refusal(CLOSED, Seen(*before), Seen(*since), frozenset(releases), releases_since)


@pytest.mark.parametrize(
    ("releases", "since", "fresh"),
    [
        ((), (), ""),
        (("a",), ("a", "a"), ""),
        (("a",), ("a", "b"), "b"),
        (("a", "b"), ("b", "a"), ""),
        ((), ("a",), ""),
        ((), ("a", "b"), "b"),
    ],
    ids=["none named", "the same", "another", "both known", "the first named", "the second named"],
)
def test_another_release_is_new_evidence(releases, since, fresh):
    found = new_evidence(refusal(releases=releases, releases_since=since))
    words = f"It happens in release {fresh}, which it was not seen in when its pull request was closed on "
    assert found == (f"{words}2026-03-04." if fresh else "")


@pytest.mark.parametrize(
    ("before", "since", "rises"),
    [
        ((7, WEEK), (21, DAY), True),
        ((7, WEEK), (20, DAY), False),
        ((70, WEEK), (29, DAY), False),
        ((70, WEEK), (30, DAY), True),
        ((70, WEEK), (59, 2 * DAY), False),
        ((70, WEEK), (60, 2 * DAY), True),
        ((0, WEEK), (20, DAY), True),
        ((0, WEEK), (19, 9 * DAY), False),
        ((30, timedelta(hours=1)), (30, timedelta(hours=1)), False),
        ((30, timedelta(hours=1)), (90, timedelta(hours=1)), True),
        ((0, timedelta(0)), (500, timedelta(0)), True),
    ],
    ids=[
        "enough more",
        "too few more",
        "not three times as often",
        "three times as often",
        "not in two days",
        "in two days",
        "never before",
        "never before, and few",
        "two short moments alike",
        "a short moment of many more",
        "no time at all",
    ],
)
def test_a_clear_rise_is_three_times_as_often_and_twenty_more(before, since, rises):
    assert bool(new_evidence(refusal(before, since))) is rises


def test_a_rise_says_how_often_and_what_was_expected():
    assert new_evidence(refusal((70, WEEK), (90, 3 * DAY))) == (
        "It happens clearly more often: 90 times since its pull request was closed on 2026-03-04, where 30 "
        "were to be expected from the week before."
    )


def test_a_release_with_a_long_name_is_cut():
    assert len(new_evidence(refusal(releases_since=("x" * 500,)))) < 250
