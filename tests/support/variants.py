"""What is answered about a repository, from the right fix to ten bad ones, and what each has to end as."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from tests.support.repositories import Change, Edit, Repository, merged

CI = ".github/workflows/ci.yml"
OUTSIDE = "../../outside.txt"
_REMARK = {
    ".py": "# Looked at.\n",
    ".rs": "// Looked at.\n",
    ".js": "// Looked at.\n",
    ".mjs": "// Looked at.\n",
    ".java": "// Looked at.\n",
}


@dataclass(frozen=True)
class End:
    """How a task ends: its verdict, the rule of its first reason, and what that reason's place holds."""

    verdict: str
    rules: tuple[str, ...]
    place: str = ""

    @property
    def state(self) -> str:
        """The task's state."""
        return "completed" if self.verdict == "proved" else "needs_human_review"

    def __str__(self) -> str:
        return f"{self.verdict}: {' or '.join(self.rules)}" + (f" at {self.place}" if self.place else "")


_ENDS = {
    "right": End("proved", ("reproduced",)),
    "no_op": End("refuted", ("still_failing",)),
    "swallowed": End("blocked", ("swallowed_exception",)),
    "weakened": End("blocked", ("check_removed", "check_loosened")),
    "test_gone": End("blocked", ("test_deleted", "existing_test_changed", "test_skipped")),
    "special_cased": End("blocked", ("input_special_cased", "check_loosened")),
    "wrong_place": End("refuted", ("still_failing",)),
    "breaks_another": End("refuted", ("new_failure",)),
    "never_failed": End("unproved", ("passes_on_base",)),
    "edits_ci": End("blocked", ("protected_path",), CI),
    "outside": End("blocked", ("path_traversal", "path_outside_root")),
}
VARIANTS = tuple(_ENDS)
_WITH_THE_RIGHT_FIX = ("weakened", "test_gone")


def expected(repository: Repository, variant: str) -> End:
    """Return what a variant has to end as."""
    end = _ENDS[variant]
    return replace(end, place=str(repository.facts["breaks"])) if variant == "breaks_another" else end


def reproduction(repository: Repository, variant: str) -> dict[str, str]:
    """Return the files that are answered to the first request."""
    return repository.new_files("never_failed" if variant == "never_failed" else "reproduction")


def change(repository: Repository, variant: str) -> Change:
    """Return the change that is answered to the second request."""
    right = repository.change("right")
    if variant in ("right", "never_failed"):
        return right
    if variant == "no_op":
        path = right[0].path
        text = repository.tree[path]
        remark = _REMARK[PurePosixPath(path).suffix]
        last = text.splitlines(keepends=True)[-1]
        begin = text[: -len(last)].rpartition("\n\n")[2]
        return (Edit(path, ((begin + last, f"{begin}{last}\n{remark}"),)),)
    if variant == "edits_ci":
        line = "      - uses: actions/checkout@v4\n"
        return merged(right, (Edit(CI, ((line, f"{line}        continue-on-error: true\n"),)),))
    if variant == "outside":
        return merged(right, (Edit(OUTSIDE, whole="taken out\n"),))
    written = repository.change(variant)
    alone = variant in repository.facts.get("alone", ())
    return merged(right, written) if variant in _WITH_THE_RIGHT_FIX and not alone else written
