"""What rules and policies forbid, and secrets that cannot be opened."""

from __future__ import annotations

from typing import Final

from ai_ops.core.failures.row import P1, P2, P3, Failure, Kind, Recovery, rows

ROWS: Final[tuple[Failure, ...]] = (
    *rows(
        Kind.SECURITY,
        Recovery.REFUSED,
        P2,
        {
            "command_blocked": (
                "A rule forbids a command in the words of a task.",
                "Ask for something else; change the rule in `[[command_rule]]`; or, as an admin, `ai-ops "
                "security unblock`.",
            ),
        },
    ),
    *rows(
        Kind.SECURITY,
        Recovery.PERSON,
        P2,
        {
            "command_held": (
                "A command waits for a person.",
                "Look at it; `ai-ops security unblock` lets exactly this go on.",
            ),
        },
    ),
    *rows(
        Kind.SECURITY,
        Recovery.REFUSED,
        P3,
        {
            "policy_violated": ("A policy forbids the task.", "See `[[policy]]` in ai-ops.toml."),
            "role_too_low": (
                "The role may not do this; what a rule blocks takes an admin.",
                "Ask somebody who may.",
            ),
        },
    ),
    *rows(
        Kind.INPUT,
        Recovery.REFUSED,
        P3,
        {
            "nothing_to_unblock": ("No command of this task waits for a person.", "`ai-ops security report`"),
        },
    ),
    *rows(
        Kind.SECURITY,
        Recovery.ENDS,
        P1,
        {
            "secret_key_invalid": (
                "AI_OPS_SECRET_KEY is too short, or others may read `secret.key`.",
                "Make one: `openssl rand -base64 32`; `chmod 600`, and change the key.",
            ),
        },
    ),
    *rows(
        Kind.SECURITY,
        Recovery.PERSON,
        P1,
        {
            "secret_unreadable": (
                "A stored secret was changed, or its key is gone.",
                "Put the key that sealed it into AI_OPS_SECRET_KEY, behind the new one and a comma.",
            ),
        },
    ),
)
