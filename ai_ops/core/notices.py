"""What is told besides a run's report, and what programs and chat channels are told of both.

Mail says everything, in ``integrations.mail``. A webhook gets ``data``, a small JSON object; a chat
channel gets the few lines that ``chat`` makes of it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ai_ops.core.report import Report
from ai_ops.core.untrusted import clean
from ai_ops.core.wording import counted, one_line
from ai_ops.flow.notification import NotificationKind, WaitingNotification

SCHEMA_VERSION = 1
"""Of ``data``. Fields are added within a version, and none is taken away or renamed."""

_MOST_ITEMS = 20  # in a channel
_LINE = 400
# What chats make mentions, channels, commands and links of in plain text.
_ACTIVE = re.compile(r"[@#!<&](?=[\w!@#&])|^/(?=\w)|:(?=//)|\bwww\.", re.IGNORECASE)
_GAP = "\u200b"


@dataclass(frozen=True, slots=True)
class Notice:
    """News that no run's report tells. ``items`` are lines, each with a link or an empty one.

    ``issue_id`` is what its mails hang together by. Texts are redacted by who makes it.
    """

    title: str
    headline: str
    items: tuple[tuple[str, str], ...] = ()
    url: str = ""
    next_step: str = ""
    issue_id: str = ""
    service: str = ""
    kind: NotificationKind = NotificationKind.NOTICE
    urgent: bool = False
    because: str = "RECEIVER_EMAIL names this address"


def kind_of(report: Report) -> NotificationKind:
    """Return what a report says, in a word."""
    if report.news:
        return NotificationKind.NOTICE
    if report.failure_code and not report.held:
        return NotificationKind.WAITING if report.waits else NotificationKind.FAILED
    return NotificationKind.PULL_REQUEST if report.pr_url else NotificationKind.NEEDS_REVIEW


def link(report: Report) -> str:
    """Return the link to what a report is about."""
    return report.pr_url or report.task_url or report.trace_url


def report_data(report: Report) -> dict[str, Any]:
    """Return what programs are told of a report. Money in US dollars; empty texts are not known."""
    names = (
        "title", "headline", "service", "environment", "release", "cause", "next_step", "issue_id",
        "trace_id", "pr_url", "task_url", "trace_url", "place",
    )  # fmt: skip
    failure = {"code": report.failure_code, "message": _visible(report.failure)}
    return {
        **{name: _visible(getattr(report, name)) for name in names},
        "verdict": report.proof.verdict,
        "exception_type": _visible(report.error.exception_type),
        "occurrences": report.occurrences,
        "cost_usd": round(report.cost_usd, 6),
        "failure": failure if report.failure_code else None,
        "urgent": report.urgent,
    }


def notice_data(notice: Notice) -> dict[str, Any]:
    """Return what programs are told of a notice."""
    names = ("title", "headline", "service", "next_step", "issue_id", "url")
    items = [{"text": _visible(text), "url": _visible(url)} for text, url in notice.items]
    return {
        **{name: _visible(getattr(notice, name)) for name in names},
        "urgent": notice.urgent,
        "items": items,
    }


def _visible(text: str) -> str:
    return clean(text).text


def digest_of(parts: Sequence[WaitingNotification]) -> Notice:
    """Return the notice that stands for several notifications, oldest first."""
    number = counted(len(parts), "message")
    first, last = (f"{each.created_at:%Y-%m-%d %H:%M} UTC" for each in (parts[0], parts[-1]))
    return Notice(
        title=f"Digest of {number}",
        headline=f"{number}, from {first} to {last}, in the order in which they were made.",
        items=tuple((one_line(part.subject.removeprefix("[AI-Ops] "), _LINE), part.url) for part in parts),
        kind=NotificationKind.DIGEST,
    )


def digest_key(parts: Sequence[WaitingNotification]) -> str:
    """Return the key of a digest; it follows from what is in it."""
    words = "\n".join(sorted(part.id for part in parts))
    return f"digest:{hashlib.sha256(words.encode()).hexdigest()[:40]}"


def chat(data: Mapping[str, Any]) -> str:
    """Return a few plain lines for a chat, of what programs are told. Only our own links are links."""
    lines = [str(data.get("headline", ""))]
    if failure := data.get("failure"):
        lines.append(f"{failure['code']}: {failure['message']}")
    if place := data.get("place"):
        lines.append(f"Place: {place}")
    if next_step := data.get("next_step"):
        lines.append(f"Next step: {next_step}")
    said = [harmless(text) for text in lines if text]
    items = data.get("items", ())
    said += [
        " ".join(filter(None, (f"- {harmless(each['text'])}", each["url"]))) for each in items[:_MOST_ITEMS]
    ]
    if len(items) > _MOST_ITEMS:
        said.append(f"and {len(items) - _MOST_ITEMS} more: ai-ops notification list")
    if where := data.get("pr_url") or data.get("url") or data.get("task_url"):
        said.append(str(where))
    return "\n".join(said)


def harmless(text: str) -> str:
    """Return a line that no chat makes a mention, a command or a link of."""
    return _ACTIVE.sub(lambda found: found.group() + _GAP, one_line(" ".join(_visible(text).split()), _LINE))
