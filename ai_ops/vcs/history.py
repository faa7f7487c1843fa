"""What a mirror's history says: who touched a line last, and what lies between two commits.

The remote is not asked. A line or a file that is not there is no failure: traces come from other versions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from ai_ops.flow.suspects import SuspectCommit
from ai_ops.vcs.mirror import Mirror

_NAME = re.compile(r"[0-9a-f]{7,40}")
_HEADER = re.compile(r"([0-9a-f]{40}) \d+ (\d+)")
_FORMAT = "--format=%H%x00%an%x00%at%x00%s"
_NO_FAILURE = (0, 128)  # 128: no such file, line or commit


async def find_commit(mirror: Mirror, name: str) -> str | None:
    """Return the full id of a commit that its id names, or a beginning of it of seven letters at least."""
    if not _NAME.fullmatch(name):
        return None
    command = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
    answer = await mirror.git("look up", *command, accept=(0, 1, 128))
    sha = answer.text.strip()
    return sha if sha.startswith(name) and not answer.exit_code else None


async def blame(mirror: Mirror, sha: str, path: str, lines: Sequence[int]) -> dict[int, SuspectCommit]:
    """Return the commit that touched each of a file's lines last; moved or indented lines are not touched."""
    found: dict[int, SuspectCommit] = {}
    for line in dict.fromkeys(lines):
        command = ["blame", "-w", "--porcelain", f"-L{line},{line}", sha, "--", path]
        answer = await mirror.git("look up", *command, accept=_NO_FAILURE)
        commit = None if answer.exit_code else _blamed(answer.text)
        if commit is not None:
            found[line] = commit
    return found


async def between(
    mirror: Mirror, before: str, after: str, paths: Sequence[str], limit: int
) -> tuple[int, tuple[SuspectCommit, ...]] | None:
    """Return how many commits ``after`` has over ``before``, and the newest that touch ``paths``.

    None when ``after`` does not contain ``before``; when no commit touches the paths, the newest of all.
    """
    contains = ["merge-base", "--is-ancestor", before, after]
    if (await mirror.git("look up", *contains, accept=(0, 1, 128))).exit_code:
        return None
    span = f"{before}..{after}"
    number = int((await mirror.git("look up", "rev-list", "--count", span)).text)
    literal = {"GIT_LITERAL_PATHSPECS": "1"}
    log = ["log", "--no-merges", "--no-mailmap", _FORMAT, f"--max-count={limit}", span, "--"]
    touching = _logged((await mirror.git("look up", *log, *paths, extra=literal)).text) if paths else ()
    return number, touching or _logged((await mirror.git("look up", *log)).text)


async def recent(
    mirror: Mirror, sha: str, limit: int, paths: Sequence[str] = ()
) -> tuple[SuspectCommit, ...]:
    """Return the newest commits up to ``sha`` that touch ``paths``, without merges (none: all)."""
    log = ["log", "--no-merges", "--no-mailmap", _FORMAT, f"--max-count={limit}", sha, "--", *paths]
    return _logged((await mirror.git("look up", *log, extra={"GIT_LITERAL_PATHSPECS": "1"})).text)


async def email_of(mirror: Mirror, sha: str) -> str:
    """Return the address of a commit's author; empty where there is no such commit."""
    show = ["log", "--max-count=1", "--no-mailmap", "--format=%ae", sha, "--"]
    return (await mirror.git("look up", *show, accept=_NO_FAILURE)).text.strip()


def _blamed(porcelain: str) -> SuspectCommit | None:
    """Read the one line of a blame."""
    head, *rest = porcelain.split("\n")
    found = _HEADER.match(head)
    facts: Mapping[str, str] = dict(line.partition(" ")[::2] for line in rest if not line.startswith("\t"))
    if found is None:
        return None
    return _commit(found[1], facts.get("author", ""), facts.get("author-time", ""), facts.get("summary", ""))


def _logged(text: str) -> tuple[SuspectCommit, ...]:
    rows = (line.split("\0") for line in text.split("\n"))
    return tuple(_commit(*row) for row in rows if len(row) == 4)


def _commit(sha: str, author: str, seconds: str, subject: str) -> SuspectCommit:
    try:
        at = datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):  # a commit may claim any time
        at = datetime.fromtimestamp(0, UTC)
    return SuspectCommit(sha, author, at, subject)
