"""What a prompt task's change is called, and what is said of it. No title can close or call anything.

There is no logged error, so nothing can be proved of it: what the guard and the suite have to say stands
there as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ai_ops.core import markdown
from ai_ops.flow.task import Proof, Reason, Verdict

_PLAIN = re.compile(r"[^\w .,:()/-]+")
_LINKED = re.compile(r"\b([A-Z][A-Z0-9_]*|(?i:gh|gl))-(?=\d)|\b(?i:www)\.", re.ASCII)
_MOST_TITLE = 72
_MOST_ASKED = 4000
_MOST_REASONS = 20

HEAD = "**Made for a task, not proved: a person has to judge this change.**"
"""The line that a body begins with."""

NO_SUITE = "suite_missing"
"""The rule of a change whose tests could not be run."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the body of a pull request says; all of it is redacted. Money in US dollars."""

    asked: str
    summary: str
    proof: Proof
    commands: Sequence[str]
    refused: Sequence[str]
    cost_usd: float
    trace_id: str
    task_id: str


def title(name: str, task_id: str) -> str:
    """Return the title: the task's name without what a host or a tracker would obey."""
    plain = _PLAIN.sub("", _LINKED.sub("", " ".join(name.split())))
    plain = " ".join(plain.split())[:_MOST_TITLE].rstrip(" .,:-/")
    return plain or f"Task {task_id[:8]}"


def commit_message(first_line: str, task_id: str, run_id: str, trailers: Sequence[str]) -> str:
    """Return the commit's message."""
    last = "\n".join((f"AI-Ops-Run: {run_id}", *trailers))
    return f"{first_line}\n\nMade for task {task_id}.\n\n{last}\n"


def body(told: Told, marker: str) -> str:
    """Return the Markdown body of the pull request. ``marker`` is hidden and finds it again."""
    reasons = [_reason(each) for each in told.proof.reasons[:_MOST_REASONS]]
    more = len(told.proof.reasons) - len(reasons)
    parts = [
        HEAD,
        f"### What was asked for\n\n{markdown.block(told.asked, limit=_MOST_ASKED)}",
        f"### Change, in Claude's words\n\n{markdown.text(told.summary)}" if told.summary else "",
        _list("Guard and tests", [*reasons, *([f"and {more} more, see the trace"] if more > 0 else [])]),
        _list("Commands run", [markdown.code(each, 600) for each in told.commands]),
        _list("Not reached", [markdown.text(each, 300) for each in told.refused[:_MOST_REASONS]]),
        f"Cost: {told.cost_usd:.4f} USD. Task: {markdown.code(told.task_id)}. "
        f"Trace: {markdown.code(told.trace_id)}.",
        f"<!-- {marker} -->",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _list(heading: str, lines: Sequence[str]) -> str:
    return f"### {heading}\n\n" + "\n".join(f"- {line}" for line in lines) if lines else ""


def _reason(reason: Reason) -> str:
    where = f" {markdown.code(reason.place)}" if reason.place else ""
    return f"{markdown.code(reason.rule)}{where}: {markdown.text(reason.text, 600)}"


def withheld(proof: Proof) -> bool:
    """Whether a change may not be published, whoever asked for it."""
    return proof.verdict in (Verdict.BLOCKED, Verdict.REFUTED)
