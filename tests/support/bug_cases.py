"""Bug cases by number, as the bug library keeps them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ai_ops.core.bug_cases import case_id
from ai_ops.core.similarity import likeness
from ai_ops.flow.bug_case import BugCase, BugCaseOutcome
from ai_ops.flow.event import ErrorDetail, Frame
from ai_ops.flow.task import Proof, Reason, Verdict
from tests.support.store import APP, START, fingerprint


def an_error(number: int = 1, **changes: Any) -> ErrorDetail:
    """Return an error whose fingerprint has this number."""
    given: dict[str, Any] = {
        "language": "python",
        "exception_type": "ZeroDivisionError",
        "message": "division by zero",
        "frames": (Frame("/srv/app/main.py", 3, "main"), Frame("/srv/app/calc.py", 7, "divide")),
        "fingerprint": fingerprint(number),
        "grouping_version": "v1",
    }
    return ErrorDetail("Traceback …\nZeroDivisionError: division by zero", **{**given, **changes})


def a_case(number: int = 1, error: ErrorDetail | None = None, **changes: Any) -> BugCase:
    """Return the merged case of the error with this number."""
    error = error or an_error(number)
    given: dict[str, Any] = {
        "repo_key": APP.key,
        "repo_url": APP.url,
        "issue_id": f"issue-{number}",
        "episode": 1,
        "fingerprint": error.fingerprint,
        "title": "ZeroDivisionError in divide (calc.py)",
        "error": error,
        "likeness": likeness(error),
        "outcome": BugCaseOutcome.MERGED,
        "created_at": START,
        "updated_at": START + timedelta(seconds=number),
        "cause": "nothing to divide by",
        "summary": "asks first",
        "diff": "--- a/calc.py\n+++ b/calc.py\n",
        "proof": Proof(Verdict.PROVED, (Reason("passes_after", "tests/x", "passes with the fix"),)),
        "cost_usd": 0.25,
        **changes,
    }
    return BugCase(id=case_id(given["issue_id"], given["episode"]), **given)
