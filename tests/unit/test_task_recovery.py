"""What a prompt task goes on with by its type, and the last lines of its output."""

from datetime import UTC, datetime

from ai_ops.core.task_recovery import BY_TYPE, MOST_LINES, LastLines
from ai_ops.flow.run import TraceEvent
from ai_ops.flow.task import TaskType


def event(kind, **data):
    return TraceEvent(1, "r", datetime.now(UTC), kind, data)


def test_every_type_has_its_recovery():
    assert {kind: str(how) for kind, how in BY_TYPE.items()} == {
        TaskType.LIGHTWEIGHT: "restart",
        TaskType.MEDIUM_CONTEXT: "last_lines",
        TaskType.HEAVY_CONTEXT: "checkpoint",
    }


def test_the_last_500_lines_of_output_are_kept_and_no_more():
    lines = LastLines()
    lines.add([event("text", text="\n".join(f"line {n}" for n in range(900)))])
    lines.add([event("tool_result", content="the end", is_error=False), event("step", name="work")])
    kept = lines.text.splitlines()
    assert len(kept) == MOST_LINES == 500
    assert kept[-1].strip() == "the end"
    assert kept[0].strip() == "line 402"


def test_a_run_without_output_has_no_last_lines():
    lines = LastLines()
    lines.add([event("step", name="work"), event("error", message="no")])
    assert lines.text == ""


def test_a_huge_line_is_cut():
    lines = LastLines()
    lines.add([event("text", text="x" * 1_000_000)])
    assert len(lines.text) < 10_000
