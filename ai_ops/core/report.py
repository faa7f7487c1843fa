"""The report: what was found, done and proved, for people. Pull request and mail say the same.

It claims nothing beyond the proof. Everything that came from a log or a model passes through
``core.markdown`` here, or through the mail template's escaping.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ai_ops.core import markdown
from ai_ops.core.suspects import author, subject
from ai_ops.core.wording import counted
from ai_ops.flow.event import ErrorDetail, Frame
from ai_ops.flow.suspects import SuspectCommit, Suspects
from ai_ops.flow.task import Proof, Verdict

_SAFE_WORD = re.compile(r"[^A-Za-z0-9_.$/-]+")

HEADLINES = {
    Verdict.PROVED: "Proved: the reproduction fails before the fix and passes after it.",
    Verdict.UNPROVED: "Not proved: a person has to judge this change.",
    Verdict.REFUTED: "Refuted: the evidence speaks against this change.",
    Verdict.BLOCKED: "Blocked: the change does something a repair may not do.",
    None: "No change was judged.",
}


@dataclass(frozen=True, slots=True)
class Report:
    """The facts of one run, before they are put into words. Money in US dollars.

    ``failure_code`` and ``failure`` are there when the run failed, or ``waits`` until that has passed;
    ``progress`` is then what it did before.
    ``next_step`` is what a person can do. ``tried`` is what the run tried in vain before; ``precedents``
    are similar bugs of the repository's own past.
    """

    title: str
    error: ErrorDetail
    proof: Proof
    cause: str = ""
    summary: str = ""
    diagnosis: str = ""
    commands: tuple[str, ...] = ()
    reproduction: tuple[str, ...] = ()
    occurrences: int = 1
    service: str = ""
    environment: str = ""
    release: str = ""
    cost_usd: float = 0.0
    trace_id: str = ""
    trace_url: str = ""
    task_url: str = ""
    pr_url: str = ""
    diff: str = ""
    suspects: Suspects = field(default_factory=Suspects)
    failure_code: str = ""
    failure: str = ""
    waits: bool = False
    next_step: str = ""
    progress: tuple[str, ...] = ()
    issue_id: str = ""
    tried: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()
    precedents: tuple[str, ...] = ()
    banners: tuple[str, ...] = field(default_factory=tuple)

    @property
    def headline(self) -> str:
        """The end, or the verdict, in one sentence."""
        if self.waits:
            return "The run waits, and goes on by itself."
        return "The run failed." if self.failure_code else HEADLINES[self.proof.verdict]


def place(error: ErrorDetail) -> str:
    """Return where the error came from: the innermost frame of the app, as ``file (function)``."""
    frame = _innermost(error)
    return _place(frame, _file(frame)) if frame else ""


def location(error: ErrorDetail) -> str:
    """Return the place with the line that the log names: ``file:line (function)``."""
    frame = _innermost(error)
    if frame is None:
        return ""
    return _place(frame, f"{_file(frame)}:{frame.line}" if frame.line else _file(frame))


def _innermost(error: ErrorDetail) -> Frame | None:
    return next((frame for frame in reversed(error.frames) if frame.in_app), None)


def _file(frame: Frame) -> str:
    return _safe(re.split(r"[/\\]", frame.file)[-1])


def _place(frame: Frame, file: str) -> str:
    function = _safe(frame.function)
    return f"{file} ({function})" if function else file


def turn_off(report: Report) -> tuple[str, ...]:
    """Return how to say no to this change, to repairs of this error and of its kind, and how to go back."""
    words = []
    if report.pr_url or not report.next_step:
        words.append(
            "Close this pull request to say no: the error is then left alone until there is new evidence."
        )
        words.append("After the merge: revert the merge commit; nothing else was changed.")
    if report.issue_id:
        words.append(f"To have this error counted and never repaired: ai-ops issue ignore {report.issue_id}")
        words.append("To have no error of its kind repaired unasked: an [[expected]] rule in ai-ops.toml.")
    return tuple(words)


def title(error: ErrorDetail, changed: str = "") -> str:
    """Return a title made of the exception type and the place, never of the message.

    ``changed`` is the path of the file that is repaired; its name stands in where the log names no place.
    """
    # "Fix GH-1" or "Fix ABC-1" would close something: a type has no hyphen.
    kind = _safe(error.exception_type.rsplit(".", 1)[-1]).replace("-", "").replace("/", "") or "error"
    where = place(error) or _safe(changed.rpartition("/")[2])
    return f"Fix {kind} in {where}" if where else f"Fix {kind}"


def commit_message(
    error: ErrorDetail, reproduction: tuple[str, ...], trace_id: str, changed: str = ""
) -> str:
    """Return the commit's message. No word of it comes from a log's message or a model."""
    tests = ", ".join(_safe(path) for path in reproduction)
    body = f"Reproduced by {tests}." if tests else "Not reproduced by a test."
    return f"{title(error, changed)}\n\n{body}\n\nAI-Ops-Run: {trace_id}\n"


def body(report: Report, marker: str) -> str:
    """Return the Markdown body of a pull request. ``marker`` is hidden and finds it again."""
    parts = [f"**{report.headline}**"]
    parts += [f"> **{markdown.text(banner)}**" for banner in report.banners]
    if report.cause:
        parts += ["### Cause", markdown.text(report.cause)]
    if report.summary:
        parts += ["### Change", markdown.text(report.summary)]
    parts += ["### Evidence", _facts(report), markdown.block(report.error.raw_excerpt)]
    if report.suspects:
        parts += ["### History", _history(report.suspects)]
    if report.proof.reasons:
        parts += ["### Proof", _reasons(report.proof)]
    if report.commands:
        parts += ["### Commands run", markdown.block("\n".join(report.commands))]
    for heading, lines in (
        ("Tried in vain", report.tried),
        ("Risks", report.risks),
        ("Similar bugs of the past", report.precedents),
        ("How to turn it off", turn_off(report)),
    ):
        if lines:
            parts += [f"### {heading}", "\n".join(f"- {markdown.text(line, 600)}" for line in lines)]
    parts.append(_footer(report))
    parts.append(f"<!-- {marker} -->")
    return "\n\n".join(parts) + "\n"


def _facts(report: Report) -> str:
    rows = [
        ("Exception", report.error.exception_type),
        ("Place", location(report.error)),
        ("Seen", counted(report.occurrences, "time")),
        ("Service", report.service),
        ("Environment", report.environment),
        ("Release", report.release),
    ]
    return "\n".join(f"- {name}: {markdown.code(value)}" for name, value in rows if value)


def _history(suspects: Suspects) -> str:
    lines = [
        f"- {', '.join(map(markdown.code, commit.places))}: last touched by {_told(commit)}"
        for commit in suspects.commits
    ]
    if release := suspects.release:
        lines.append(
            f"- Seen since release {markdown.code(release.after[:12])}, "
            f"{counted(release.number, 'commit')} after {markdown.code(release.before[:12])}; of these:"
        )
        lines += [f"  - {_told(commit)}" for commit in release.commits]
    return "\n".join(lines)


def _told(commit: SuspectCommit) -> str:
    by, sha = markdown.text(author(commit)), markdown.code(commit.sha[:12])
    return f"{by} in {sha}, {commit.at.date().isoformat()}: {markdown.text(subject(commit))}"


def _reasons(proof: Proof) -> str:
    lines = []
    for reason in proof.reasons:
        where = f" {markdown.code(reason.place)}" if reason.place else ""
        severity = f" ({reason.severity})" if reason.severity else ""
        lines.append(f"- {markdown.code(reason.rule)}{severity}{where}: {markdown.text(reason.text, 600)}")
    return "\n".join(lines)


def _footer(report: Report) -> str:
    words = [f"Cost: {report.cost_usd:.4f} USD."]
    if report.trace_id:
        words.append(f"Trace: {markdown.code(report.trace_id)}.")
    return " ".join(words)


def _safe(word: str) -> str:
    """Keep what an identifier or a path is made of; a title or a commit message needs no more."""
    return _SAFE_WORD.sub("", word)[:80]
