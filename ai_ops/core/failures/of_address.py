"""Failures of an address: whether a repository, a log or a host may be worked on."""

from __future__ import annotations

from typing import Final

from ai_ops.core.failures.row import P3, Failure, Kind, Recovery, rows

ROWS: Final[tuple[Failure, ...]] = (
    *rows(
        Kind.INPUT,
        Recovery.REFUSED,
        P3,
        {
            "invalid_repo_url": (
                "This is not a plain address of a repository.",
                "Use the form that the message gives.",
            ),
            "unknown_code_host": (
                "This code host is not known.",
                "Leave code_host out, or use github, gitlab or local.",
            ),
            "code_host_mismatch": (
                "The address lies on another code host than the request says.",
                "Leave code_host out.",
            ),
        },
    ),
    *rows(
        Kind.INPUT,
        Recovery.PERSON,
        P3,
        {
            "bad_repository_url": (
                "The repository's address is refused.",
                "Use the https address of a repository on the configured code host.",
            ),
            "code_host_unsupported": (
                "This server has no adapter for that code host.",
                "Use a repository on github, gitlab or local.",
            ),
        },
    ),
    *rows(
        Kind.SECURITY,
        Recovery.REFUSED,
        P3,
        {
            "repo_not_allowed": (
                "The repository is outside of what may be worked on.",
                "Allow it in ALLOWED_REPOS.",
            ),
        },
    ),
    *rows(
        Kind.INPUT,
        Recovery.ENDS,
        P3,
        {
            "log_not_found": ("A path or glob names no file to read.", "Give a path, or a glob in quotes."),
        },
    ),
)
