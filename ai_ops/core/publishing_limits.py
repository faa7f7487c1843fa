"""How many pull requests of ours people are asked to read: open ones, and new ones in an hour and a day.

A repair that finds no place waits, before any money is spent on it, and begins by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ai_ops.core.wording import counted

NO_PLACE = "too_many_pull_requests"
"""What a repair waits for that has no place."""

_HOUR_TOTAL, _DAY_TOTAL = "PULL_REQUESTS_PER_HOUR_TOTAL", "PULL_REQUESTS_PER_DAY_TOTAL"


@dataclass(frozen=True, slots=True)
class PublishingLimits:
    """The most that is allowed; 0 means no limit.

    ``open_at_once``, ``per_hour`` and ``per_day`` hold for each repository, ``server_per_hour`` and
    ``server_per_day`` for all of them together.
    """

    open_at_once: int = 0
    per_hour: int = 0
    per_day: int = 0
    server_per_hour: int = 0
    server_per_day: int = 0

    def __bool__(self) -> bool:
        """Whether there is any limit."""
        return self != PublishingLimits()


@dataclass(frozen=True, slots=True)
class Published:
    """What is there already: pull requests of ours, and places taken for those on their way.

    ``open_at_once``, ``hour`` and ``day`` are those of one repository, the others of all. Hour and day are
    the last 60 minutes and 24 hours.
    """

    open_at_once: int = 0
    hour: int = 0
    day: int = 0
    server_hour: int = 0
    server_day: int = 0

    def plus(self, here: int, everywhere: int) -> Published:
        """Return the same with more on their way, in this repository and in all (this one included)."""
        return replace(
            self,
            open_at_once=self.open_at_once + here,
            hour=self.hour + here,
            day=self.day + here,
            server_hour=self.server_hour + everywhere,
            server_day=self.server_day + everywhere,
        )


def no_room(published: Published, limits: PublishingLimits) -> str:
    """Return why no further pull request may be opened in a repository now; empty when there is room."""
    here, server = "in this repository", "on this server"
    for limit, number, what, setting in (
        (limits.open_at_once, published.open_at_once, f"open {here}", "MAX_OPEN_PULL_REQUESTS"),
        (limits.per_hour, published.hour, f"of the last hour {here}", "PULL_REQUESTS_PER_HOUR"),
        (limits.per_day, published.day, f"of the last day {here}", "PULL_REQUESTS_PER_DAY"),
        (limits.server_per_hour, published.server_hour, f"of the last hour {server}", _HOUR_TOTAL),
        (limits.server_per_day, published.server_day, f"of the last day {server}", _DAY_TOTAL),
    ):
        if 0 < limit <= number:
            there = counted(number, "pull request")
            return f"{there} of ours {what} or on the way, {limit} allowed ({setting})"
    return ""
