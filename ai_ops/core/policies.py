"""Compliance policies: which folders, tools, hosts, hours and roles a kind of work may have. Pure.

A policy applies to the task types and repositories that it names (none named: to all), and each thing that it
limits must fit. Of several that apply, all must. What no policy limits is free.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from fnmatch import fnmatchcase
from zoneinfo import ZoneInfo

from ai_ops.flow.judgement import Role


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy. Globs everywhere; an empty list limits nothing.

    ``folders`` are beneath the checkout or absolute; ``hours`` are two times in ``timezone``, over midnight
    when the first is later; ``days`` are 0 (Monday) to 6.
    """

    name: str
    types: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()
    hours: tuple[time, time] | None = None
    days: tuple[int, ...] = ()
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to do: a task, or a tool call within one."""

    type: str
    repository: str
    role: Role
    tools: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Violation:
    """The policy that is violated, and how."""

    policy: str
    words: str


def violation(policies: Iterable[Policy], wish: Wish, now: datetime) -> Violation | None:
    """Return the first violation, None when all policies that apply are kept."""
    for policy in policies:
        if _applies(policy, wish):
            for words in _violations(policy, wish, now):
                return Violation(policy.name, words)
    return None


def _applies(policy: Policy, wish: Wish) -> bool:
    typed = not policy.types or wish.type in policy.types
    return typed and (not policy.repositories or _fits(wish.repository, policy.repositories))


def _violations(policy: Policy, wish: Wish, now: datetime) -> Iterator[str]:
    if policy.roles and wish.role not in policy.roles:
        yield f"the role {wish.role} may not; allowed: {', '.join(policy.roles)}"
    for kind, given, allowed in (
        ("tool", wish.tools, policy.tools),
        ("folder", wish.folders, policy.folders),
        ("host", wish.hosts, policy.hosts),
    ):
        if allowed and (other := next((one for one in given if not _fits(one, allowed)), None)) is not None:
            yield f"the {kind} {other} is not among: {', '.join(allowed)}"
    local = now.astimezone(ZoneInfo(policy.timezone))
    if policy.days and local.weekday() not in policy.days:
        yield "not on this day of the week"
    if policy.hours and not _within(local.time(), *policy.hours):
        start, end = (f"{each:%H:%M}" for each in policy.hours)
        yield f"only from {start} to {end} ({policy.timezone})"


def _within(now: time, start: time, end: time) -> bool:
    return start <= now < end if start <= end else (now >= start or now < end)


def _fits(given: str, globs: Sequence[str]) -> bool:
    """Whether a value fits a glob; a folder fits the folders above it too."""
    return any(fnmatchcase(given, glob) or fnmatchcase(given, f"{glob.rstrip('/')}/*") for glob in globs)
