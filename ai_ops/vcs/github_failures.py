"""What PyGithub's exceptions mean, as named failures. They go no further than this."""

from __future__ import annotations

from typing import Any

import github
import requests

from ai_ops.errors import AiOpsError
from ai_ops.vcs.host_failures import HostNames, from_status, printable, unreachable, unreadable

# What a call can end in. PyGithub lets ``requests``' errors through, raises RuntimeError for a
# redirect elsewhere, and stumbles over an answer of another shape in Python's own ways.
VENDOR_ERRORS = (
    github.GithubException,
    github.BadAttributeException,
    requests.RequestException,
    RuntimeError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
)

GITHUB = HostNames(
    "GitHub",
    "GITHUB_TOKEN (or the App)",
    "GITHUB_BASE_URL",
    "give it contents, pull requests and issues (write), checks, commit statuses and actions (read).",
)

# GraphQL answers 200 with a list of errors, which PyGithub raises as 400: their types are statuses.
_OF_GRAPHQL = {"RATE_LIMITED": 429, "FORBIDDEN": 403, "INSUFFICIENT_SCOPES": 403, "NOT_FOUND": 404}


def named(error: Exception) -> AiOpsError:
    """Return the failure that an exception out of a PyGithub call means."""
    if isinstance(error, AiOpsError):
        return error
    if isinstance(error, github.GithubException) and error.status:
        headers = {key.lower(): str(value) for key, value in (error.headers or {}).items()}
        return from_status(GITHUB, _status(error), headers, _words(error.data))
    if isinstance(error, requests.RequestException):
        return unreachable(GITHUB, error)
    return unreadable(GITHUB, error)


def _status(error: github.GithubException) -> int:
    for detail in _details(error.data):
        if error.status == 400 and isinstance(detail, dict):
            return _OF_GRAPHQL.get(str(detail.get("type")), 422)
    return error.status


def _details(data: Any) -> list[Any]:
    errors = data.get("errors") if isinstance(data, dict) else None
    return errors if isinstance(errors, list) else []


def _words(data: Any) -> str:
    """Return the message of an error body with its details, printable and short."""
    parts = [str(data["message"])] if isinstance(data, dict) and data.get("message") else []
    for detail in _details(data):
        if isinstance(detail, dict):
            detail = detail.get("message") or f"{detail.get('field')} {detail.get('code')}"
        parts.append(str(detail))
    return printable("; ".join(parts)) or "no explanation"
