"""Reports and other news → mail: subject, text and HTML. Autoescape is on; styles are inlined for readers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache

import css_inline
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from ai_ops.core.identity import message_id
from ai_ops.core.notices import Notice, kind_of, link, notice_data, report_data
from ai_ops.core.report import Report, before_and_after, open_points, turn_off
from ai_ops.core.reviewers import told
from ai_ops.core.suspects import sentences
from ai_ops.core.wording import counted, shortened
from ai_ops.flow.notification import Notification
from ai_ops.flow.task import Verdict
from ai_ops.integrations.mail.message import encodable, safe_subject

_DIFF_LIMIT = 20_000
_LOG_LIMIT = 20_000
_MOST_LINES = 50  # of a list


@cache
def _templates() -> Environment:
    """Return the packaged templates; compiling them takes longer than rendering a hundred mails."""
    templates = Environment(
        loader=PackageLoader("ai_ops.integrations.mail"),
        autoescape=select_autoescape(default_for_string=True, enabled_extensions=("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"quoted": _quoted, "line": _line}
    return templates


class MailRenderer:
    """Renders the packaged templates."""

    def __init__(self) -> None:
        self._templates = _templates()
        self._inliner = css_inline.CSSInliner(load_remote_stylesheets=False)

    def render(self, key: str, report: Report, recipients: Sequence[str], now: datetime) -> Notification:
        """Return the mail of a report. ``key`` makes it one mail however often it is rendered."""
        facts = {
            "report": report,
            "log": shortened(report.error.raw_excerpt, _LOG_LIMIT),
            "tests": before_and_after(report.proof),
            "open_points": open_points(report.proof),
            "most": _MOST_LINES,
            "turn_off": turn_off(report),
            "reviewers": tuple(map(told, report.reviewers)),
            "history": tuple(sentences(report.suspects)),
            "seen": counted(report.occurrences, "time"),
            "diff": report.diff[:_DIFF_LIMIT],
            "diff_cut": len(report.diff) > _DIFF_LIMIT,
        }
        text, html = self._written("report", facts)
        return Notification(
            key=key,
            message_id=message_id(key),
            recipients=tuple(recipients),
            subject=safe_subject(_subject(report)),
            text=text,
            html=html,
            created_at=now,
            kind=kind_of(report),
            urgent=report.urgent,
            thread=report.issue_id,
            url=link(report),
            why=report.because,
            data=report_data(report),
        )

    def notice(self, key: str, notice: Notice, recipients: Sequence[str], now: datetime) -> Notification:
        """Return the mail of other news. ``key`` is as for ``render``."""
        text, html = self._written("notice", {"notice": notice})
        where = f" [{notice.service}]" if notice.service else ""
        return Notification(
            key=key,
            message_id=message_id(key),
            recipients=tuple(recipients),
            subject=safe_subject(f"[AI-Ops]{where} {notice.title}"),
            text=text,
            html=html,
            created_at=now,
            kind=notice.kind,
            urgent=notice.urgent,
            thread=notice.issue_id,
            url=notice.url,
            why=notice.because,
            data=notice_data(notice),
        )

    def _written(self, template: str, facts: Mapping[str, object]) -> tuple[str, str]:
        """Return the text and the HTML of a template."""
        html = self._templates.get_template(f"{template}.html").render(facts)
        text = self._templates.get_template(f"{template}.txt").render(facts)
        return encodable(text), self._inliner.inline(encodable(html))


def _quoted(text: str, *, first: bool = True) -> str:
    """Return text from outside set in, so that none of its lines can pass for a heading of the mail."""
    set_in = "\n".join(f"    {line}" for line in text.splitlines())
    return set_in if first else set_in.removeprefix("    ")


def _line(text: str) -> str:
    return " ".join(text.split())


def _subject(report: Report) -> str:
    unproved = "" if report.proof.verdict is Verdict.PROVED else ", not proved"
    lead = f"Pull request{unproved}" if report.pr_url else "Needs review"
    if report.failure_code:
        how = "Waits" if report.waits else "Needs review" if report.held else "Failed"
        lead = f"{how} ({report.failure_code})"
    lead = report.lead or lead
    where = f" [{report.service}]" if report.service else ""
    return f"[AI-Ops] {lead}:{where} {report.title}"
