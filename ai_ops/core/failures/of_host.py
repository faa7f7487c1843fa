"""What a code host answers."""

from __future__ import annotations

from typing import Final

from ai_ops.core.failures.row import P1, P2, P3, Failure, Kind, Recovery, rows

ROWS: Final[tuple[Failure, ...]] = (
    *rows(
        Kind.PERMISSION,
        Recovery.PERSON,
        P1,
        {
            "host_unauthorized": (
                "The host takes no token of ours, or an App's key signs nothing.",
                "Set a valid token, or GITHUB_APP_PRIVATE_KEY_FILE.",
            ),
        },
    ),
    *rows(
        Kind.PERMISSION,
        Recovery.PERSON,
        P2,
        {
            "host_forbidden": ("The account may not do this.", "Give it a role in the repository that may."),
            "host_scope_missing": (
                "The account may do this, its token may not.",
                "Give the token the scopes or permissions of doc/code-hosts.md.",
            ),
        },
    ),
    *rows(
        Kind.HOST,
        Recovery.PERSON,
        P3,
        {
            "host_archived": (
                "The repository is read-only.",
                "Unarchive it, or take it out of ALLOWED_REPOS.",
            ),
            "host_empty_repository": ("The repository has no commit yet.", "Push its first one."),
            "host_not_found": (
                "It is not there, lies on another host, or the App is not installed there.",
                "Check the address, and what the token may see.",
            ),
            "host_conflict": (
                "Something changed meanwhile (405, 409).",
                "Look at the pull request; the host's words are in the message.",
            ),
            "host_rejected": (
                "The host rejects the request (400, 422).",
                "The host's own words are in the message.",
            ),
        },
    ),
    *rows(
        Kind.HOST,
        Recovery.OUTAGE,
        P3,
        {
            "host_rate_limited": (
                "The host limits our requests.",
                "It waits as long as the host says, then goes on: doc/code-hosts.md.",
            ),
        },
        delay=60.0,
    ),
    *rows(
        Kind.HOST,
        Recovery.OUTAGE,
        P2,
        {
            "host_unavailable": (
                "The host answers 5xx, or not at all.",
                "It is tried again: doc/code-hosts.md.",
            ),
        },
    ),
    *rows(
        Kind.HOST,
        Recovery.PERSON,
        P2,
        {
            "host_bad_answer": (
                "This is not the answer of such a host.",
                "Check GITHUB_BASE_URL or GITLAB_BASE_URL.",
            ),
        },
    ),
    *rows(
        Kind.HOST,
        Recovery.REFUSED,
        P3,
        {
            "too_many_pull_requests": (
                "There is no room for a revert (MAX_OPEN_PULL_REQUESTS).",
                "Merge or close some; the revert is yours to make.",
            ),
            "merge_on_host": ("People merge on the host.", "Merge it there."),
        },
    ),
)
