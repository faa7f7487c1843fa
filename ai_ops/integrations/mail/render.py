"""Report → mail: subject, text and HTML. Autoescape is always on; styles are inlined for mail readers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import css_inline
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from ai_ops.core.identity import message_id
from ai_ops.core.report import Report, location, turn_off
from ai_ops.core.suspects import sentences
from ai_ops.flow.notification import Notification
from ai_ops.integrations.mail.message import encodable, safe_subject

_DIFF_LIMIT = 20_000


class MailRenderer:
    """Renders the packaged templates."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=PackageLoader("ai_ops.integrations.mail"),
            autoescape=select_autoescape(default_for_string=True, enabled_extensions=("html",)),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._inliner = css_inline.CSSInliner(load_remote_stylesheets=False)

    def render(self, key: str, report: Report, recipients: Sequence[str], now: datetime) -> Notification:
        """Return the mail of a report. ``key`` makes it one mail however often it is rendered."""
        facts = {
            "report": report,
            "place": location(report.error),
            "turn_off": turn_off(report),
            "history": tuple(sentences(report.suspects)),
            "diff": report.diff[:_DIFF_LIMIT],
            "diff_cut": len(report.diff) > _DIFF_LIMIT,
        }
        html = self._templates.get_template("report.html").render(facts)
        return Notification(
            key=key,
            message_id=message_id(key),
            recipients=tuple(recipients),
            subject=safe_subject(_subject(report)),
            text=encodable(self._templates.get_template("report.txt").render(facts)),
            html=self._inliner.inline(encodable(html)),
            created_at=now,
        )


def _subject(report: Report) -> str:
    lead = "Pull request" if report.pr_url else "Needs review"
    if report.failure_code:
        lead = f"{'Waits' if report.waits else 'Failed'} ({report.failure_code})"
    where = f" [{report.service}]" if report.service else ""
    return f"[AI-Ops] {lead}:{where} {report.title}"
