"""Bug cases as JSON, and what was found among them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ai_ops.core.bug_cases import Match, Retrieval, quality
from ai_ops.core.links import absolute
from ai_ops.flow.bug_case import BugCase, Likeness, Reach
from ai_ops.server.views.common import moment, proof


def bug_case(value: BugCase, public_url: str) -> dict[str, Any]:
    """Return a bug case as a list shows it."""
    return {
        "bug_case_id": value.id,
        "title": value.title,
        "repo_key": value.repo_key,
        "repo_url": value.repo_url,
        "issue_id": value.issue_id,
        "episode": value.episode,
        "fingerprint": value.fingerprint,
        "exception_type": value.error.exception_type,
        "outcome": value.outcome,
        "resolved": value.resolved,
        "recurrences": value.recurrences,
        "last_recurred_at": moment(value.last_recurred_at),
        "quality": quality(value.outcome, value.recurrences, resolved=value.resolved),
        "verdict": value.proof.verdict,
        "cause": value.cause,
        "summary": value.summary,
        "task_id": value.task_id,
        "pull_request_id": value.pull_request_id,
        "pr_url": absolute(value.pr_url, public_url) or None,
        "cost_usd": round(value.cost_usd, 6),
        "created_at": moment(value.created_at),
        "updated_at": moment(value.updated_at),
    }


def whole_bug_case(value: BugCase, public_url: str) -> dict[str, Any]:
    """Return a bug case with its error, proof and diff."""
    return bug_case(value, public_url) | {
        "error": asdict(value.error),
        "likeness": asdict(value.likeness),
        "proof": proof(value.proof),
        "diff": value.diff,
    }


def match(value: Match) -> dict[str, Any]:
    """Return a case that was found for an error, with its score and what that is made of."""
    known = value.bug
    return {
        "bug_case_id": known.id,
        "title": known.title,
        "repo_key": known.repo_key,
        "issue_id": known.issue_id,
        "episode": known.episode,
        "outcome": known.outcome,
        "recurrences": known.recurrences,
        "score": value.score,
        "similarity": value.similarity.score,
        "parts": {name: getattr(value.similarity, name) for name in ("type", "message", "frames")},
        "quality": value.quality,
        "shown": value.shown,
        "reason": value.reason,
    }


def retrieval(value: Retrieval, wanted: Likeness, repo_key: str, reach: Reach) -> dict[str, Any]:
    """Return what a search for an error found, and what it looked for."""
    return {
        "repo_key": repo_key,
        "reach": reach,
        "likeness": asdict(wanted),
        "looked_at": value.looked_at,
        "items": [match(one) for one in value.matches],
    }
