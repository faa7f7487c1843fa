"""What an agent meets: its settings, sources, spool, and the server."""

from __future__ import annotations

from typing import Final

from ai_ops.core.failures.row import P1, P2, P3, Failure, Kind, Recovery, rows

ROWS: Final[tuple[Failure, ...]] = (
    *rows(
        Kind.INPUT,
        Recovery.ENDS,
        P1,
        {
            "options_invalid": (
                "Bad settings; the message has every one, and why.",
                "Mend it, and start again.",
            ),
            "configuration_invalid": (
                "Bad settings; the message has every one, and why.",
                "Mend them; `ai-ops config check`.",
            ),
        },
    ),
    *rows(
        Kind.NETWORK,
        Recovery.KEPT,
        P2,
        {
            "server_unreachable": (
                "The server does not answer.",
                "Is the server running, and is AGENT_SERVER_URL right?",
            ),
        },
    ),
    *rows(
        Kind.SERVICE,
        Recovery.KEPT,
        P2,
        {
            "server_failing": ("The server answers 5xx.", "Look at the server's log."),
            "server_unexpected": (
                "The answer is not one of an AI-Ops server.",
                "Is AGENT_SERVER_URL an AI-Ops server?",
            ),
        },
    ),
    *rows(
        Kind.SERVICE,
        Recovery.KEPT,
        P3,
        {
            "server_busy": ("The server asks to come again later.", "Nothing to do: it is sent again."),
        },
    ),
    *rows(
        Kind.PERMISSION,
        Recovery.KEPT,
        P1,
        {
            "server_unauthorized": (
                "The server does not know the agent's key.",
                "Set AGENT_API_KEY to a key of the server (SERVER_AGENT_KEYS or SERVER_API_KEY).",
            ),
            "server_forbidden": (
                "The agent's key does not open this.",
                "Give the agent's key the right to POST /v1/events.",
            ),
        },
    ),
    *rows(
        Kind.INPUT,
        Recovery.ANEW,
        P3,
        {
            "batch_too_large": ("The batch is larger than the server takes.", "Nothing to do: it is split."),
        },
    ),
    *rows(
        Kind.INPUT,
        Recovery.PERSON,
        P3,
        {
            "batch_refused": (
                "The server refuses a whole batch; it goes to `rejected/`.",
                "Send it again when the cause is mended: --resend-rejected.",
            ),
        },
    ),
    *rows(
        Kind.NETWORK,
        Recovery.AGAIN,
        P2,
        {
            "source_unreachable": (
                "A source that is no file does not answer.",
                "Does it run, is its address right, and may it be reached from here?",
            ),
        },
    ),
    *rows(
        Kind.SERVICE,
        Recovery.AGAIN,
        P3,
        {
            "source_busy": ("A source limits requests.", "Nothing to do: it goes on from where it was."),
        },
    ),
    *rows(
        Kind.SERVICE,
        Recovery.AGAIN,
        P2,
        {
            "source_failed": (
                "A source broke off.",
                "Nothing to do: it goes on from where it was; with --once it is tried four times.",
            ),
        },
    ),
    *rows(
        Kind.PERMISSION,
        Recovery.PERSON,
        P2,
        {
            "source_refused": (
                "A source refuses: a wrong address or credential.",
                "Check the address, the credential and what it may read.",
            ),
        },
    ),
    *rows(
        Kind.PROCESS,
        Recovery.PERSON,
        P2,
        {
            "source_missing": (
                "The program that reads a source is not installed.",
                "Is systemd's journalctl installed?",
            ),
        },
    ),
    *rows(
        Kind.INPUT,
        Recovery.PERSON,
        P2,
        {
            "source_unexpected": (
                "The answer is not one of Elasticsearch or OpenSearch.",
                "Elasticsearch 7.12 or OpenSearch 2.4 is the oldest that is read; check ELK_URL.",
            ),
        },
    ),
    *rows(
        Kind.LOCK,
        Recovery.ENDS,
        P2,
        {
            "spool_in_use": (
                "Another agent works in this folder.",
                "One agent serves many logs; for a second one set its own DATA_DIR.",
            ),
        },
    ),
    *rows(
        Kind.PERMISSION,
        Recovery.ENDS,
        P1,
        {
            "spool_unwritable": ("The spool cannot be written.", "Point DATA_DIR to a writable folder."),
        },
    ),
    *rows(
        Kind.DISK,
        Recovery.AGAIN,
        P1,
        {
            "spool_unavailable": ("The spool cannot be used now.", "Is the disk full?"),
        },
    ),
    *rows(
        Kind.DATABASE,
        Recovery.ENDS,
        P1,
        {
            "spool_damaged": (
                "The spool is damaged.",
                "Keep a copy of the file, move it away, and start again.",
            ),
        },
    ),
    *rows(
        Kind.PROCESS,
        Recovery.AGAIN,
        P2,
        {
            "shipping_failed": ("A fault of ours while shipping.", "See the log; report it."),
        },
    ),
)
