"""Who is asked to look at a pull request, and why it is them. Pure; the orchestrator does the looking up.

People are named by a repository and by git, so all they say of themselves is data. A login that is no
plain name, and an address that is no plain address, are as good as none.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from ai_ops.core import addresses, suspects
from ai_ops.core.codeowners import CodeOwners
from ai_ops.flow.pull_request import Reviewer
from ai_ops.flow.suspects import SuspectCommit

MOST = 3
"""People who are asked at most: of many, each thinks that another will look."""

_MOST_PATHS = 3  # that a reason names
_LOGIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")
_TEAM = re.compile(r"[A-Za-z0-9_][\w.-]{0,254}(?:/[A-Za-z0-9_][\w.-]{0,254}){1,20}", re.ASCII)
_ROBOT = re.compile(
    r"\[bot\]|^(?:dependabot|renovate|github-actions|gitlab-bot|greenkeeper|ai-ops)\b|-bot$", re.IGNORECASE
)


def by_ownership(paths: Sequence[str], owners: CodeOwners) -> tuple[Reviewer, ...]:
    """Return the owners of the changed files, in the order of the files."""
    owned: dict[str, list[str]] = {}
    for path in paths:
        for owner in owners.of(path):
            owned.setdefault(owner, []).append(path)
    return tuple(_named(owner, f"owns {_listed(of)} (CODEOWNERS)") for owner, of in owned.items())


def by_word(names: Sequence[str]) -> tuple[Reviewer, ...]:
    """Return those that ``.ai-ops.yml`` names: ``login``, ``@login``, ``@org/team`` or an address."""
    return tuple(_named(name, "named in .ai-ops.yml") for name in names)


def by_line(commits: Sequence[SuspectCommit]) -> Iterator[tuple[SuspectCommit, str]]:
    """Yield the commits that touched the trace's lines last, each with the reason to ask its author.

    The first is that of the innermost line: the one that raised.
    """
    for number, commit in enumerate(commits):
        what = f"{_listed(commit.places)}, of the trace" if number else "the crashing line"
        yield commit, f"wrote {what}, {commit.at.date().isoformat()}"


def by_change(path: str, commit: SuspectCommit) -> str:
    """Return the reason to ask who changed a file last."""
    return f"changed {path} last, {commit.at.date().isoformat()}"


def author_of(commit: SuspectCommit, reason: str, *, login: str, email: str) -> Reviewer:
    """Return a commit's author as a reviewer."""
    known = login or addresses.hidden_login(email)
    return Reviewer(reason, known, addresses.usable(email), suspects.author(commit))


def chosen(candidates: Iterable[Reviewer], never: Collection[str]) -> tuple[Reviewer, ...]:
    """Return the first few people of those that could be asked, each once with all reasons.

    Args:
        candidates: the ones with the best reasons first.
        never: logins and addresses of our own.
    """
    ours = {name.lower().lstrip("@") for name in never if name}
    found: list[Reviewer] = []
    for candidate in (_checked(each) for each in candidates if not _is_robot(each)):
        names = {candidate.login.lower().lstrip("@"), candidate.email.lower()} - {""}
        if names & ours or not (names or candidate.name):
            continue
        at = next((at for at, known in enumerate(found) if _same(known, candidate)), None)
        if at is not None:
            found[at] = _together(found[at], candidate)
        elif len(found) < MOST:
            found.append(candidate)
    return tuple(found)


def others(candidates: Iterable[Reviewer], known: Sequence[Reviewer]) -> tuple[Reviewer, ...]:
    """Return the candidates that are none of those who are known."""
    return tuple(each for each in candidates if not any(_same(one, each) for one in known))


def told(reviewer: Reviewer) -> str:
    """Return a reviewer and the reason as one plain line. Names in it are what committers wrote."""
    who = reviewer.login or reviewer.name or reviewer.email
    known_as = f" ({reviewer.name})" if reviewer.login and reviewer.name else ""
    asked = ", asked on the host" if reviewer.asked else ""
    return f"{who}{known_as}: {reviewer.reason}{asked}"


def _named(owner: str, reason: str) -> Reviewer:
    if "@" in owner[1:]:
        return Reviewer(reason, email=owner)
    name = owner.removeprefix("@")
    return Reviewer(reason, f"@{name}" if "/" in name else name)


def _checked(candidate: Reviewer) -> Reviewer:
    login = candidate.login
    plain = _TEAM.fullmatch(login[1:]) if login.startswith("@") else _LOGIN.fullmatch(login)
    return replace(candidate, login=login if plain else "", email=addresses.usable(candidate.email))


def _is_robot(candidate: Reviewer) -> bool:
    return any(_ROBOT.search(name) for name in (candidate.login, candidate.name) if name)


def _same(one: Reviewer, other: Reviewer) -> bool:
    """Whether two are one person: by account, by address, or by a name where one has neither."""
    if one.login and other.login:
        return one.login.lower() == other.login.lower()
    if one.email and other.email:
        return one.email.lower() == other.email.lower()
    return bool(one.name) and one.name == other.name


def _together(one: Reviewer, other: Reviewer) -> Reviewer:
    reasons = dict.fromkeys((*one.reason.split("; "), other.reason))
    return Reviewer(
        "; ".join(reasons),
        one.login or other.login,
        one.email or other.email,
        one.name or other.name,
        one.asked or other.asked,
    )


def _listed(paths: Sequence[str]) -> str:
    more = len(paths) - _MOST_PATHS
    return ", ".join(paths[:_MOST_PATHS]) + (f" and {more} more" if more > 0 else "")
