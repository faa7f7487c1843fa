"""The report: what was found, done and proved, for people. Pull request and mail say the same.

It claims nothing beyond the proof. Everything that came from a log or a model passes through
``core.markdown`` here, or through the mail template's escaping.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ai_ops.core import markdown, pr_template
from ai_ops.core.suspects import author, subject
from ai_ops.core.wording import counted, dotted, shortened
from ai_ops.flow.event import ErrorDetail, Frame
from ai_ops.flow.pull_request import Reviewer
from ai_ops.flow.suspects import SuspectCommit, Suspects
from ai_ops.flow.task import Proof, Reason, Verdict

_SAFE_WORD = re.compile(r"[^\w.$/-]+")
# A tracker's key, a snippet of GitLab, an address without a scheme: links in a commit's message.
_LINKED = re.compile(r"\b([A-Z][A-Z0-9_]*|(?i:gh|gl))-(?=\d)|(?<!\w)\$|\b((?i:www))\.", re.ASCII)
_BEFORE_AND_AFTER = ("reproduced", "passes_after", "suite_clean")
_MOST_LINES = 20  # of a list in a body
_MOST_LOG = 6000
_MOST_COMMANDS = 3000
_MOST_BODY = 60_000  # characters: GitHub refuses more than 65,536

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

    ``failure_code`` and ``failure`` are there when the run failed, ``waits`` until that has passed, or is
    ``held`` until a person has decided about a command; ``progress`` is then what it did before.
    ``next_step`` is what a person can do. ``tried`` is what the run tried in vain before; ``precedents``
    are similar bugs of the repository's own past. ``where`` is the innermost line of the trace in the
    repository, ``path:line``, empty when no file could be matched. ``because`` says why a mail of it comes,
    ``urgent`` that it waits for nothing. ``news`` is what happened after the merge, ``lead`` the same in a
    word or two.
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
    where: str = ""
    task_id: str = ""
    task_url: str = ""
    pr_url: str = ""
    diff: str = ""
    suspects: Suspects = field(default_factory=Suspects)
    failure_code: str = ""
    failure: str = ""
    waits: bool = False
    held: bool = False
    next_step: str = ""
    progress: tuple[str, ...] = ()
    issue_id: str = ""
    lead: str = ""
    news: str = ""
    tried: tuple[str, ...] = ()
    risks: tuple[str, ...] = ()
    precedents: tuple[str, ...] = ()
    banners: tuple[str, ...] = field(default_factory=tuple)
    reviewers: tuple[Reviewer, ...] = ()
    because: str = "RECEIVER_EMAIL names this address"
    urgent: bool = False

    @property
    def headline(self) -> str:
        """The end, or the verdict, in one sentence."""
        if self.news:
            return self.news
        if self.waits:
            return "The run waits, and goes on by itself."
        if self.held:
            return "A command waits for your decision; nothing of it was run."
        if self.failure_code:
            return "The run failed."
        if self.proof.verdict is Verdict.UNPROVED and not self.diff:
            return "No change: nothing that was tried could be proved."
        return HEADLINES[self.proof.verdict]

    @property
    def place(self) -> str:
        """Where the log says it happened: the line in the repository and the function, as far as is known."""
        logged = location(self.error)
        path, _, line = self.where.rpartition(":")
        name = f"{path.rpartition('/')[2]}:{line}"
        if path and logged.startswith(name):
            return f"{self.where}{logged.removeprefix(name)}"
        return self.where or logged


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
    function = _safe(dotted(frame.function))
    return f"{file} ({function})" if function else file


def turn_off(report: Report) -> tuple[str, ...]:
    """Return how to say no to this change, to repairs of this error and of its kind, and how to go back."""
    words = []
    if not report.news and (report.pr_url or not report.next_step):
        words.append(
            "Close this pull request to say no: the error is then left alone until there is new evidence."
        )
        words.append("After the merge: revert the merge commit; nothing else was changed.")
    if report.issue_id:
        words.append(f"To have this error counted and never repaired: ai-ops issue ignore {report.issue_id}")
        words.append("To have no error of its kind repaired unasked: an [[expected]] rule in ai-ops.toml.")
    return tuple(words)


def before_and_after(proof: Proof) -> tuple[tuple[str, str], ...]:
    """Return what speaks for a change: each test with what it did before and does now, then the suite."""
    told: dict[str, list[str]] = {}
    for rule in _BEFORE_AND_AFTER:
        for reason in proof.reasons:
            if reason.rule == rule:
                told.setdefault(reason.place or "the whole suite", []).append(reason.text)
    return tuple((test, "; ".join(texts)) for test, texts in told.items())


def open_points(proof: Proof) -> tuple[Reason, ...]:
    """Return what else there is to say of the proof: what it lacks, what speaks against it, warnings."""
    return tuple(reason for reason in proof.reasons if reason.rule not in _BEFORE_AND_AFTER)


def title(error: ErrorDetail, changed: str = "") -> str:
    """Return a title made of the exception type and the place, never of the message.

    ``changed`` is the path of the file that is repaired; its name stands in where the log names no place.
    """
    # "Fix GH-1" or "Fix ABC-1" would close something: a type has no hyphen.
    kind = _safe(error.exception_type.rsplit(".", 1)[-1]).replace("-", "").replace("/", "") or "error"
    where = place(error) or _safe(changed.rpartition("/")[2])
    return f"Fix {kind} in {where}" if where else f"Fix {kind}"


def commit_message(
    error: ErrorDetail,
    reproduction: tuple[str, ...],
    trace_id: str,
    changed: str = "",
    *,
    first_line: str = "",
    trailers: Sequence[str] = (),
) -> str:
    """Return the commit's message. No word of it comes from a log's message or a model.

    ``first_line`` is its title, made of type and place when empty; ``trailers`` are the operator's.
    """
    tests = ", ".join(_safe(path) for path in reproduction)
    body = f"Reproduced by {tests}." if tests else "Not reproduced by a test."
    last = "\n".join((f"AI-Ops-Run: {trace_id}", *trailers))
    return f"{first_line or title(error, changed)}\n\n{body}\n\n{last}\n"


def head(report: Report) -> tuple[str, ...]:
    """Return the lines of Markdown that a body begins with: the verdict, and what to beware of."""
    banners = (f"> **{markdown.text(banner)}**" for banner in report.banners)
    return (f"**{report.headline}**", *banners)


def body(report: Report, marker: str, template: str = "") -> str:
    """Return the Markdown body of a pull request. ``marker`` is hidden and finds it again.

    The order is that of a reader in a hurry, or that of the repository's own template. Sections there is no
    room for are left out, and named.
    """
    first = head(report)
    foot = [_footer(report), f"<!-- {marker} -->"]
    form = pr_template.fill(template, first, ()) if template.strip() else first
    room = _MOST_BODY - sum(len(part) + 2 for part in (*form, *foot))
    there, missing = [], []
    for heading, text in _sections(report):
        needed = len(heading) + len(text) + 12  # with marks and blank lines
        if text and needed <= room:
            room -= needed
            there.append((heading, text))
        elif text:
            missing.append(heading)
    if missing:
        foot.insert(0, f"Left out for want of room, see the trace: {', '.join(missing)}.")
    told = [*first, *(f"### {heading}\n\n{text}" for heading, text in there)]
    if template.strip():
        told = pr_template.fill(template, first, there)
    return "\n\n".join([*told, *foot]) + "\n"


def _sections(report: Report) -> Iterator[tuple[str, str]]:
    yield "Cause", _cause(report)
    yield "Change, in the fixer's words", markdown.text(report.summary) if report.summary else ""
    tests = [
        f"{markdown.code(test)}: {markdown.text(said, 600)}" for test, said in before_and_after(report.proof)
    ]
    yield "Tests before and after", _listed(tests)
    yield "Open points", _listed([_reason(reason) for reason in open_points(report.proof)])
    yield "Risks", _plain(report.risks)
    yield "Reviewers", _listed([_reviewer(each) for each in report.reviewers])
    log = markdown.block(shortened(report.error.raw_excerpt, _MOST_LOG), limit=_MOST_LOG + 100)
    yield "Evidence", f"{_facts(report)}\n\n{log}"
    yield "History", _history(report.suspects) if report.suspects else ""
    commands = shortened("\n".join(report.commands), _MOST_COMMANDS)
    yield "Commands run", markdown.block(commands) if commands else ""
    yield "Tried in vain", _plain(report.tried)
    yield "Similar bugs of the past", _plain(report.precedents)
    yield "How to turn it off", _plain(turn_off(report))


def _cause(report: Report) -> str:
    """Return the place, which the log tells, and the explanation, which no test proves."""
    place = f"Raised at {markdown.code(report.place)}, by the log." if report.place else ""
    said = f"In the fixer's words: {markdown.text(report.cause)}" if report.cause else ""
    return " ".join(filter(None, (place, said)))


def _plain(lines: Sequence[str]) -> str:
    return _listed([markdown.text(line, 600) for line in lines])


def _listed(lines: Sequence[str]) -> str:
    """Return lines of Markdown as a list, of very many the first and how many more there are."""
    more = len(lines) - _MOST_LINES
    rest = [f"- and {more} more, see the trace"] if more > 0 else []
    return "\n".join([*(f"- {line}" for line in lines[:_MOST_LINES]), *rest])


def _facts(report: Report) -> str:
    rows = [
        ("Exception", report.error.exception_type),
        ("Place", report.place),
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


def _reason(reason: Reason) -> str:
    where = f" {markdown.code(reason.place)}" if reason.place else ""
    severity = f" ({reason.severity})" if reason.severity else ""
    return f"{markdown.code(reason.rule)}{severity}{where}: {markdown.text(reason.text, 600)}"


def _footer(report: Report) -> str:
    words = [f"Cost: {report.cost_usd:.4f} USD."]
    if report.trace_id:
        words.append(f"Trace: {markdown.code(report.trace_id)}.")
    return " ".join(words)


def _reviewer(reviewer: Reviewer) -> str:
    who = markdown.code(reviewer.login) or markdown.text(reviewer.name, 80) or "somebody"
    known_as = f" ({markdown.text(reviewer.name, 80)})" if reviewer.login and reviewer.name else ""
    return f"{who}{known_as}: {markdown.text(reviewer.reason, 600)}"


def _safe(word: str) -> str:
    """Keep what an identifier or a path is made of; a title or a commit message needs no more."""
    safe = _SAFE_WORD.sub("", word)
    return _LINKED.sub(lambda match: match[1] or match[2] or "", safe)[:80]
