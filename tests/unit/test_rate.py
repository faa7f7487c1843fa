"""Rates as arithmetic: what is granted, what waits, what is only counted."""

from datetime import UTC, datetime, timedelta

import pytest

from ai_ops.core.rate import Bucket, Minute, draw, store_one
from ai_ops.server.node_rates import NodeRates

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_first_batch_finds_a_full_bucket():
    assert draw(None, 100.0, 40, 60) == (Bucket(20.0, 100.0), 0.0)


def test_a_batch_larger_than_the_bucket_passes_and_leaves_a_debt():
    assert draw(None, 0.0, 500, 60) == (Bucket(-440.0, 0.0), 0.0)


def test_a_debt_is_waited_out_and_then_the_next_batch_passes():
    indebted, _ = draw(None, 0.0, 90, 60)
    bucket, wait = draw(indebted, 10.0, 1, 60)  # 30 owed, 10 paid back
    assert (bucket, wait) == (Bucket(-20.0, 10.0), 21.0)
    assert draw(bucket, 10.0 + wait, 1, 60)[1] == 0.0
    assert draw(bucket, 10.0 + wait - 1.5, 1, 60)[1] > 0


def test_a_bucket_never_holds_more_than_a_minutes_worth():
    assert draw(Bucket(60.0, 0.0), 1e6, 0, 60)[0].level == 60.0


def test_a_clock_that_goes_back_takes_nothing_away():
    assert draw(Bucket(5.0, 100.0), 50.0, 1, 60) == (Bucket(4.0, 50.0), 0.0)


def test_a_minute_stores_so_many_events_and_counts_the_rest():
    minute, stored = Minute(), []
    for second in range(5):
        minute, kept = store_one(minute, NOW + timedelta(seconds=second), 3)
        stored.append(kept)
    assert stored == [True, True, True, False, False]
    assert store_one(minute, NOW + timedelta(seconds=60), 3) == (Minute(NOW + timedelta(seconds=60), 1), True)
    assert store_one(minute, NOW + timedelta(seconds=59), 3)[1] is False


def test_without_a_limit_all_are_stored():
    assert store_one(Minute(NOW, 10**9), NOW, 0)[1]


def test_a_minute_that_lies_ahead_is_begun_anew():
    assert store_one(Minute(NOW + timedelta(hours=1), 3), NOW, 3) == (Minute(NOW, 1), True)


def test_a_node_above_its_rate_waits_and_its_neighbour_does_not():
    time = [0.0]
    rates = NodeRates(60, lambda: time[0])
    assert rates.wait_seconds(["a"] * 70) == 0
    assert rates.wait_seconds(["a"]) == 11.0
    assert rates.wait_seconds(["b"]) == 0
    time[0] = 11.0
    assert rates.wait_seconds(["a"]) == 0


def test_a_batch_of_several_nodes_is_charged_to_none_when_one_is_above():
    rates = NodeRates(60, lambda: 0.0)
    rates.wait_seconds(["a"] * 70)
    for _ in range(100):
        assert rates.wait_seconds(["a", "b"]) > 0
    assert rates.wait_seconds(["b"] * 60) == 0


def test_names_that_change_all_the_time_do_not_fill_the_memory():
    rates = NodeRates(60, lambda: 0.0)
    for number in range(10_050):
        rates.wait_seconds([f"n{number}"])
    assert len(rates._buckets) == 10_000


@pytest.mark.parametrize("events", [1, 10**6])
def test_without_a_rate_nobody_waits(events):
    assert NodeRates().wait_seconds(["a"] * events) == 0
