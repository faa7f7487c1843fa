"""What CI says of a fix, compared with what it says of the base → whose failure it is. Pure.

A check that fails on the base's newest commit is not the fix's doing, whatever else is true: hosts test a
branch merged with it. One that failed where the branch began and passes there now wants the base merged in.
What passes on the base, or never ran there, is laid to the fix.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ai_ops.core.wording import counted
from ai_ops.flow.ci import CiVerdict
from ai_ops.flow.pull_request import Check, Checks, CheckState

_MOST_NAMES = 5
_LONGEST_NAME = 100
_MOST_SEEN = 200


@dataclass(frozen=True, slots=True)
class BaseChecks:
    """What CI says of the base: of the commit that the branch began at, and of the newest one."""

    began_sha: str
    began: Checks
    newest_sha: str
    newest: Checks

    @property
    def moved(self) -> bool:
        """Whether the base has commits that the branch lacks."""
        return self.began_sha != self.newest_sha


@dataclass(frozen=True, slots=True)
class CiDecision:
    """What CI's word means; ``checks`` are the failing ones that it rests on, ``sha`` the base's commit.

    Names of checks come from outside, in ``words`` too.
    """

    verdict: CiVerdict
    words: str
    checks: tuple[Check, ...] = ()
    sha: str = ""


def failing(ours: Checks) -> tuple[Check, ...]:
    """Return the checks that fail and must not, in the order of their names."""
    failed = [check for check in ours.runs if check.required and check.state is CheckState.FAILED]
    return tuple(sorted(failed, key=lambda check: check.name))


def settled(ours: Checks, *, late: bool) -> bool:
    """Whether there are failures, and nothing else is awaited any more that could add to them."""
    return bool(failing(ours)) and (late or not _running(ours))


def judge(
    ours: Checks, base: BaseChecks | None, *, late: bool, passed_before: Collection[str] = ()
) -> CiDecision:
    """Say what CI's word on our head means.

    Args:
        ours: the checks of our head.
        base: those of the base; only asked for where ``settled``.
        late: whether the head has waited as long as it may (``CI_WAIT_MINUTES``).
        passed_before: the names of the checks that passed on this very head at some time.
    """
    if not ours.runs:
        if late:
            return CiDecision(CiVerdict.UNKNOWN, "no check has reported in time")
        return CiDecision(CiVerdict.WAITING, "no check has begun yet")
    if (running := _running(ours)) and not settled(ours, late=late):
        words = f"{counted(len(running), 'check')} not done: {names(running)}"
        return CiDecision(CiVerdict.WAITING, words)
    failed = failing(ours)
    if not failed:
        return CiDecision(CiVerdict.GREEN, _green(ours))
    if base is None:
        return CiDecision(CiVerdict.WAITING, "the base is not known yet", failed)
    return _laid(failed, base, late=late, passed_before=passed_before)


def _laid(
    failed: Sequence[Check], base: BaseChecks, *, late: bool, passed_before: Collection[str]
) -> CiDecision:
    """Lay each failure to its cause; one that is the fix's decides for all."""
    by_verdict: dict[CiVerdict, list[Check]] = {}
    for check in failed:
        verdict = (
            CiVerdict.FLAPPING
            if check.name[:_LONGEST_NAME] in passed_before
            else _cause(check.name, base, late=late)
        )
        by_verdict.setdefault(verdict, []).append(check)
    order = (CiVerdict.WAITING, CiVerdict.OURS, CiVerdict.STALE, CiVerdict.THEIRS, CiVerdict.FLAPPING)
    verdict = next(each for each in order if each in by_verdict)
    checks = tuple(by_verdict[verdict])
    sha = base.newest_sha
    if verdict is CiVerdict.THEIRS and not any(_on(base.newest, check.name) for check in checks):
        sha = base.began_sha
    return CiDecision(verdict, _words(verdict, checks, base, sha), checks, sha)


def _cause(name: str, base: BaseChecks, *, late: bool) -> CiVerdict:
    """Return whose a failure of a check is that never passed on our head."""
    newest, began = _on(base.newest, name), _on(base.began, name)
    if newest is CheckState.PENDING and not late:
        return CiVerdict.WAITING
    if newest is CheckState.FAILED:
        return CiVerdict.THEIRS
    if newest is CheckState.PASSED and base.moved and began is not CheckState.PASSED:
        return CiVerdict.STALE
    if newest is not CheckState.PASSED and began is CheckState.FAILED:
        return CiVerdict.THEIRS
    return CiVerdict.OURS


def _on(checks: Checks, name: str) -> CheckState | None:
    """Return how a check stands on a commit of the base; of several of a name, the worst."""
    states = [check.state for check in checks.runs if check.name == name]
    worst = (CheckState.FAILED, CheckState.PENDING, CheckState.PASSED)
    return next((state for state in worst if state in states), None)


def _words(verdict: CiVerdict, checks: Sequence[Check], base: BaseChecks, sha: str) -> str:
    what = names(checks)
    if verdict is CiVerdict.WAITING:
        return f"{what} fails, and still runs on the base at {sha[:12]}"
    if verdict is CiVerdict.THEIRS:
        return f"{what} fails on the base too, at {sha[:12]}"
    if verdict is CiVerdict.STALE:
        return f"{what} fails here and passes on the base's newer {sha[:12]}"
    if verdict is CiVerdict.FLAPPING:
        return f"{what} fails, and passed on this very commit before"
    known = any(_on(each, check.name) for check in checks for each in (base.newest, base.began))
    return f"{what} fails here and {'passes on the base' if known else 'did not run on the base'}"


def _green(ours: Checks) -> str:
    allowed = [check for check in ours.runs if not check.required and check.state is CheckState.FAILED]
    passed = counted(sum(check.state is CheckState.PASSED for check in ours.runs), "check")
    return f"{passed} passed" + (f"; {names(allowed)} may fail" if allowed else "")


def _running(ours: Checks) -> list[Check]:
    return [check for check in ours.runs if check.required and check.state is CheckState.PENDING]


def names(checks: Sequence[Check]) -> str:
    """Return the names of some checks for one line, of many the first."""
    shown = sorted({" ".join(check.name.split())[:_LONGEST_NAME] or "a check" for check in checks})
    more = len(shown) - _MOST_NAMES
    return ", ".join(shown[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def wish(reason: str, *facts: str) -> str:
    """Return what a follow-up is for, in a few letters: the same wish has the same name."""
    digest = hashlib.sha256("\0".join(facts).encode("utf-8", "replace")).hexdigest()
    return f"{reason}:{digest[:24]}"


def seen(ours: Checks, state: CheckState, before: Collection[str] = ()) -> tuple[str, ...]:
    """Return the names of the checks that were in a state at this head, now or before."""
    now = {check.name[:_LONGEST_NAME] for check in ours.runs if check.state is state}
    return tuple(sorted({*before, *now})[:_MOST_SEEN])
