"""Repeats of one error inside the window only raise a count."""

import json

import pytest

from ai_ops.agent.dedup import MAX_HELD_BYTES, MAX_WINDOWS, DedupWindows, Sighting, Window


def see(windows, key, now):
    sighting = windows.see(key, now)
    if sighting is Sighting.FIRST_REPEAT:
        windows.describe(key, json.dumps({"at": now}).encode())
    return sighting


def shipped(windows, now, **options):
    windows.settle(now, **options)
    return [(window.key, window.count, json.loads(window.event)["at"]) for window in windows.take_settled()]


def test_the_first_occurrence_is_an_event_and_the_rest_is_a_count():
    windows = DedupWindows(3600)
    assert [see(windows, "a", now) for now in (0, 1, 2)] == [
        Sighting.FIRST,
        Sighting.FIRST_REPEAT,
        Sighting.REPEAT,
    ]


def test_a_count_ships_sixty_seconds_after_its_first_repeat_and_starts_again():
    windows = DedupWindows(3600)
    for now in (0, 10, 20):
        see(windows, "a", now)
    assert shipped(windows, 69) == []
    assert shipped(windows, 70) == [("a", 2, 10)]
    assert shipped(windows, 200) == []
    assert see(windows, "a", 300) is Sighting.FIRST_REPEAT
    assert shipped(windows, 360) == [("a", 1, 300)]


def test_after_the_window_the_next_one_is_a_first_again_and_nothing_of_the_old_count_is_lost():
    windows = DedupWindows(30)
    see(windows, "a", 0)
    see(windows, "a", 5)
    assert see(windows, "a", 30) is Sighting.FIRST
    assert shipped(windows, 30) == [("a", 1, 5)]


def test_at_the_end_all_counts_ship():
    windows = DedupWindows(3600)
    for key in "ab":
        see(windows, key, 0)
        see(windows, key, 1)
    assert sorted(shipped(windows, 2, everything=True)) == [("a", 1, 1), ("b", 1, 1)]


def test_a_window_of_zero_makes_each_occurrence_an_event():
    windows = DedupWindows(0)
    assert [see(windows, "a", now) for now in (0, 0, 1)] == [Sighting.FIRST] * 3
    assert windows.take_changes() == {}


def test_what_was_stored_is_taken_up_again():
    before = DedupWindows(3600)
    see(before, "a", 0)
    see(before, "a", 1)
    see(before, "a", 2)
    stored = [window for window in before.take_changes().values() if window]
    after = DedupWindows(3600, windows=stored)
    assert see(after, "a", 3) is Sighting.REPEAT
    assert shipped(after, 61) == [("a", 3, 1)]


def test_a_shut_window_is_reported_gone():
    windows = DedupWindows(30)
    see(windows, "a", 0)
    windows.take_changes()
    windows.settle(31)
    assert windows.take_changes() == {"a": None}


@pytest.mark.parametrize("now", [-1000.0, 1e12])
def test_a_clock_that_jumps_ends_the_window(now):
    windows = DedupWindows(3600, windows=[Window("a", 0.0)])
    assert see(windows, "a", now) is Sighting.FIRST


def test_the_number_of_windows_is_bounded_and_no_count_is_lost_by_it():
    windows = DedupWindows(3600)
    see(windows, "first", 0)
    see(windows, "first", 0)
    for number in range(MAX_WINDOWS):
        see(windows, str(number), 1)
    assert [window.count for window in windows.take_settled()] == [1]
    assert see(windows, "first", 2) is Sighting.FIRST


def test_counts_are_shipped_early_when_their_events_hold_too_much():
    windows = DedupWindows(3600)
    for key in ("a", "b", "c"):
        for now in (0, 1):
            if windows.see(key, now) is Sighting.FIRST_REPEAT:
                windows.describe(key, b"x" * (MAX_HELD_BYTES // 2))
    windows.settle(2)
    assert {(window.key, window.count) for window in windows.take_settled()} == {("a", 1), ("b", 1), ("c", 1)}
    assert windows.see("a", 3) is Sighting.FIRST_REPEAT
    windows.describe("a", b"x")
    windows.settle(4)
    assert windows.take_settled() == []
