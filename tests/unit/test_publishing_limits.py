"""How many pull requests there may be: each limit holds by itself, and says which it is."""

import pytest

from ai_ops.core.publishing_limits import Published, PublishingLimits, no_room

LIMITS = PublishingLimits(open_at_once=5, per_hour=3, per_day=10, server_per_hour=20, server_per_day=50)


@pytest.mark.parametrize(
    ("published", "setting"),
    [
        (Published(4, 2, 9, 19, 49), ""),
        (Published(5, 0, 0, 0, 0), "MAX_OPEN_PULL_REQUESTS"),
        (Published(0, 3, 3, 3, 3), "PULL_REQUESTS_PER_HOUR"),
        (Published(0, 0, 10, 0, 10), "PULL_REQUESTS_PER_DAY"),
        (Published(0, 0, 0, 20, 20), "PULL_REQUESTS_PER_HOUR_TOTAL"),
        (Published(0, 0, 0, 0, 50), "PULL_REQUESTS_PER_DAY_TOTAL"),
    ],
    ids=["room", "open", "hour", "day", "server's hour", "server's day"],
)
def test_a_limit_that_is_reached_is_named(published, setting):
    reason = no_room(published, LIMITS)
    assert f"({setting})" in reason if setting else reason == ""


def test_without_limits_there_is_always_room():
    assert no_room(Published(10**6, 10**6, 10**6, 10**6, 10**6), PublishingLimits()) == ""
    assert not PublishingLimits()
    assert LIMITS


def test_what_is_on_its_way_counts_where_it_goes():
    coming = Published(1, 1, 1, 1, 1).plus(2, 5)
    assert coming == Published(3, 3, 3, 6, 6)
