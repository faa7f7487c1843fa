"""What python-gitlab's exceptions mean, as named failures. They go no further than this.

python-gitlab drops an answer's headers, where a limit says how long it lasts, and waits by itself without
a bound. So a refusal is caught as it arrives, by a hook of the session, before python-gitlab sees it.
"""

from __future__ import annotations

from typing import Any

import gitlab.exceptions
import requests

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError
from ai_ops.vcs.host_failures import HostNames, from_status, printable, unreachable, unreadable

# What a call can end in, apart from ``Refused``: python-gitlab lets ``requests``' errors through, and
# stumbles over an answer of another shape in Python's own ways.
VENDOR_ERRORS = (
    gitlab.exceptions.GitlabError,
    requests.RequestException,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
)

GITLAB = HostNames(
    "GitLab",
    "GITLAB_TOKEN",
    "GITLAB_BASE_URL",
    "it needs the api scope, and the role Developer or above in the project.",
)


def refuse(answer: requests.Response, *_: Any, **__: Any) -> None:
    """Raise the named failure of an answer that is one; a hook of the session.

    Raises:
        AiOpsError: as ``host_failures.from_status``.
    """
    if answer.status_code >= 400:
        headers = {key.lower(): value for key, value in answer.headers.items()}
        raise from_status(GITLAB, answer.status_code, headers, _words(answer))


def named(error: Exception) -> AiOpsError:
    """Return the failure that an exception out of a python-gitlab call means."""
    if isinstance(error, AiOpsError):
        return error
    if isinstance(error, gitlab.exceptions.RedirectError | requests.TooManyRedirects):
        return failed(
            "host_not_found",
            "GitLab answered that this lies elsewhere now",
            next_step="Check GITLAB_BASE_URL and the repository's address: use those it redirects to.",
        )
    if isinstance(error, requests.RequestException):
        return unreachable(GITLAB, error)
    return unreadable(GITLAB, error)


def _words(answer: requests.Response) -> str:
    """Return what an error body says: its message may be text, a list, or lists by field."""
    try:
        body = answer.json()
    except ValueError:
        return "no explanation"
    if not isinstance(body, dict):
        return "no explanation"
    parts = [_flat(body[key]) for key in ("message", "error", "error_description") if body.get(key)]
    if body.get("scope"):
        parts.append(f"needs the scope {_flat(body['scope'])}")
    return printable("; ".join(parts)) or "no explanation"


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_flat(part)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(_flat(part) for part in value)
    return str(value)
