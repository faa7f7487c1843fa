"""What a reviewer has to look at himself: how far the evidence carries, and what it says nothing of."""

from __future__ import annotations

from collections.abc import Collection

from ai_ops.core import diff
from ai_ops.core.wording import counted
from ai_ops.errors import PermanentError
from ai_ops.flow.task import Proof, Verdict

_FOR = frozenset({"reproduced", "passes_after", "suite_clean"})
_MOST_PATHS = 5


def risks(proof: Proof, patch: str, reproduction: Collection[str] = ()) -> tuple[str, ...]:
    """Return the risks of a change, in words; none where nothing was changed.

    Args:
        proof: the verdict and its reasons.
        patch: the change.
        reproduction: the paths of its own tests.
    """
    if not patch:
        return ()
    found = [_reach(patch, reproduction)]
    if open_points := [reason.rule for reason in proof.reasons if reason.rule not in _FOR]:
        named = ", ".join(dict.fromkeys(open_points))
        found.append(f"Not settled by the evidence, see the open points: {named}.")
    if proof.verdict is Verdict.PROVED:
        found.append(
            "The proof covers the logged error and the tests that there are. Behaviour that no test looks at "
            "may have changed."
        )
    return tuple(line for line in found if line)


def _reach(patch: str, reproduction: Collection[str]) -> str:
    try:
        changed = [file for file in diff.parse(patch) if file.path not in reproduction]
    except PermanentError:  # masked where a line looked like a secret, it may be no patch any more
        return ""
    if not changed:
        return "Nothing but the reproduction's own tests is changed."
    added = sum(len(file.added_lines) for file in changed)
    removed = sum(len(file.removed_lines) for file in changed)
    paths = [file.path for file in changed[:_MOST_PATHS]]
    rest = f" and {len(changed) - _MOST_PATHS} more" if len(changed) > _MOST_PATHS else ""
    return (
        f"It changes {counted(len(changed), 'file')} besides its own tests ({', '.join(paths)}{rest}): "
        f"{counted(added, 'line')} added, {removed} removed."
    )
