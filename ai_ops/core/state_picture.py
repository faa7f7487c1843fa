"""The table of task states as a picture for the documentation, drawn from the table and the verbs themselves.

``python -m ai_ops.core.state_picture`` prints it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime

from ai_ops.core.publishing_limits import NO_PLACE
from ai_ops.core.verbs import VERBS, decide
from ai_ops.errors import PermanentError
from ai_ops.flow.task import TRANSITIONS, Priority, Proof, Task, TaskKind, TaskState, Verdict

_S = TaskState
_BY_ITSELF = {
    (_S.PROCESSING, _S.PENDING): "its worker died",
    (_S.PROCESSING, _S.RETRYING): "a failure that may pass",
    (_S.PROCESSING, _S.WAITING_UNBAN): "a limit of the model, or of money",
    (_S.PROCESSING, _S.NEEDS_HUMAN_REVIEW): "a person has the word",
    (_S.NEEDS_HUMAN_REVIEW, _S.PENDING): "a place is free",
}
"""What moves a task besides a verb, where the states do not say it."""


def picture() -> str:
    """Return the diagram, in Mermaid's words."""
    lines = ["stateDiagram-v2", "  [*] --> pending"]
    for before, targets in TRANSITIONS.items():
        for after in TaskState:
            if after in targets:
                words = [*verbs_between(before, after)]
                if own := _BY_ITSELF.get((before, after)):
                    words.append(own)
                lines.append(f"  {before} --> {after}" + (f": {', '.join(words)}" if words else ""))
    lines += [f"  {state} --> [*]" for state in TaskState if state.final]
    return "\n".join(lines)


def verbs_between(before: TaskState, after: TaskState) -> list[str]:
    """Return the verbs that lead from one state to another, for some task at least."""
    return [verb for verb in VERBS if after in {_after(verb, task) for task in _tasks(before)}]


def _after(verb: str, task: Task) -> TaskState | None:
    try:
        return decide(verb, task).to
    except PermanentError:
        return None


def _tasks(state: TaskState) -> Iterator[Task]:
    """Yield one task of each sort that a verb tells apart."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for verdict, payload, waits in (
        (Verdict.REFUTED, {}, ""),
        (Verdict.UNPROVED, {"candidate_run": "run"}, ""),
        (None, {}, NO_PLACE),
    ):
        yield Task(
            "task",
            TaskKind.REPAIR,
            state,
            Priority.NORMAL,
            now,
            now,
            payload=dict(payload),
            trace_id="run",
            proof=Proof(verdict),
            waiting_for=waits,
        )


if __name__ == "__main__":
    sys.stdout.write(picture() + "\n")
