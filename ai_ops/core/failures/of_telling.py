"""Failures of mail, webhooks and chat channels."""

from __future__ import annotations

from typing import Final

from ai_ops.core.failures.row import P1, P2, P3, Failure, Kind, Recovery, rows

ROWS: Final[tuple[Failure, ...]] = (
    *rows(
        Kind.MAIL,
        Recovery.KEPT,
        P2,
        {
            "mail_unavailable": (
                "The mail server, or the folder of mails, cannot be reached.",
                "Check SMTP_SERVER, SMTP_PORT and SMTP_TLS.",
            ),
        },
    ),
    *rows(
        Kind.MAIL,
        Recovery.KEPT,
        P3,
        {
            "mail_deferred": ("The mail server asks to come back later.", "Nothing to do: it is sent again."),
        },
    ),
    *rows(
        Kind.PERMISSION,
        Recovery.PERSON,
        P1,
        {
            "mail_auth_failed": ("The mail server refused the login.", "Check SMTP_USER and SMTP_PASSWORD."),
        },
    ),
    *rows(
        Kind.MAIL,
        Recovery.PERSON,
        P2,
        {
            "mail_refused": ("The mail server refused the mail.", "Check RECEIVER_EMAIL and SMTP_SENDER."),
        },
    ),
    *rows(
        Kind.INPUT,
        Recovery.PERSON,
        P2,
        {
            "mail_address_invalid": ("This is not an e-mail address.", "Correct RECEIVER_EMAIL."),
            "channel_invalid": (
                "The address of a channel is none that apprise knows.",
                "Correct NOTIFY_URLS, or the url of its `[[channel]]` table.",
            ),
        },
    ),
    *rows(
        Kind.CHANNEL,
        Recovery.KEPT,
        P2,
        {
            "webhook_unavailable": (
                "A webhook does not take it, or does not answer.",
                "Look at what answers at its url.",
            ),
            "channel_unavailable": (
                "A channel's service did not take it.",
                "Look at the channel's address and at the service.",
            ),
        },
    ),
    *rows(
        Kind.CHANNEL,
        Recovery.PERSON,
        P2,
        {
            "webhook_refused": (
                "A webhook answers with a redirect.",
                "Set the url of its `[[webhook]]` table to where it leads, then ai-ops notification retry.",
            ),
            "webhook_gone": (
                "A webhook answered 410: it wants nothing any more.",
                "Take its `[[webhook]]` table out; or mend what answers, and `ai-ops notification retry`.",
            ),
        },
    ),
    *rows(
        Kind.SECURITY,
        Recovery.PERSON,
        P2,
        {
            "webhook_private": (
                "A webhook's name leads into a private network.",
                "If it is meant to, set private = true in its `[[webhook]]` table.",
            ),
        },
    ),
    *rows(
        Kind.PROCESS,
        Recovery.ENDS,
        P1,
        {
            "channels_missing": (
                "Chat channels need a package that is not installed.",
                'Install it: pip install "ai-ops[server,channels]".',
            ),
        },
    ),
    *rows(
        Kind.CHANNEL,
        Recovery.PERSON,
        P3,
        {
            "receiver_unknown": (
                "A webhook or channel is no longer configured.",
                "Configure it again, then: ai-ops notification retry.",
            ),
        },
    ),
    *rows(
        Kind.INPUT,
        Recovery.REFUSED,
        P3,
        {
            "notification_not_found": ("There is no such notification.", "`ai-ops notification list`"),
            "notification_not_failed": (
                "The notification has not failed.",
                "Only what failed for good is tried again by hand.",
            ),
        },
    ),
)
