"""Which new errors of a flood get a task, over the whole range of when and how many."""

from datetime import UTC, datetime, timedelta

import pytest

from ai_ops.core.flood import IntakeRules, Newcomer, Progress, ReleaseChange, spike, storm

AT = datetime(2026, 1, 1, tzinfo=UTC)
RULES = IntakeRules(tasks_per_hour=5, storm_fingerprints=3, storm_seconds=600)
CHANGE = ReleaseChange("old", "new", AT)


def new(name, seconds=0.0, progress=Progress.NONE):
    return Newcomer(name, AT + timedelta(seconds=seconds), progress)


def test_enough_new_errors_are_a_storm_that_names_the_release_before_and_after():
    found = storm(CHANGE, [new("c", 3), new("a", 1), new("b", 2)], RULES)
    assert (found.carrier, found.waiting) == ("a", ("b", "c"))
    assert found.fingerprints == ("a", "b", "c")
    assert found.change == CHANGE
    assert found.reason == (
        "3 new errors within 600 seconds of the change of release from old to new: "
        "that release is suspected, and one task stands for all."
    )


def test_one_less_is_none():
    assert storm(CHANGE, [new("a"), new("b")], RULES) is None


@pytest.mark.parametrize(("seconds", "counts"), [(-1, False), (0, True), (600, True), (601, False)], ids=str)
def test_only_errors_within_the_window_count(seconds, counts):
    found = storm(CHANGE, [new("a"), new("b"), new("c", seconds)], RULES)
    assert (found is not None) is counts


def test_no_threshold_means_never():
    assert storm(CHANGE, [new(str(n)) for n in range(99)], IntakeRules()) is None


def test_a_repair_that_has_begun_goes_on_and_the_earliest_other_one_carries():
    found = storm(CHANGE, [new("a", 0, Progress.BEGUN), new("b", 1, Progress.PENDING), new("c", 2)], RULES)
    assert (found.carrier, found.waiting, len(found.fingerprints)) == ("b", ("c",), 3)


def test_of_errors_seen_at_once_the_one_with_a_task_carries():
    found = storm(CHANGE, [new("a"), new("b", 0, Progress.PENDING), new("c")], RULES)
    assert (found.carrier, found.waiting) == ("b", ("a", "c"))


def test_when_all_have_begun_there_is_nothing_to_collapse():
    assert storm(CHANGE, [new(n, 0, Progress.BEGUN) for n in "abc"], RULES) is None


def test_the_order_of_newcomers_changes_nothing():
    some = [new("b"), new("a"), new("c", 5)]
    assert storm(CHANGE, some, RULES) == storm(CHANGE, some[::-1], RULES)


def test_a_long_name_of_a_release_is_cut_in_the_words():
    found = storm(ReleaseChange("o" * 5000, "n" * 5000, AT), [new("a"), new("b"), new("c")], RULES)
    assert len(found.reason) < 500


@pytest.mark.parametrize(
    ("in_repository", "from_node", "node", "waits"),
    [
        (4, 4, "n", ""),
        (5, 0, "n", "this repository"),
        (0, 5, "n", "node n"),
        (0, 5, "", ""),
    ],
    ids=["room", "repository full", "node full", "nameless node"],
)
def test_a_spike_fills_the_hour_of_a_repository_or_a_node(in_repository, from_node, node, waits):
    reason = spike(in_repository, from_node, node, RULES)
    assert (waits in reason) and bool(reason) is bool(waits)


def test_without_a_limit_there_is_always_room():
    assert spike(10**6, 10**6, "n", IntakeRules()) == ""
