"""What ``ai-ops workflow`` tells a person to do next."""

import pytest

from ai_ops.cli.workflow import hint

RETRY, SHOW = "ai-ops task retry TASK", "ai-ops task show TASK"


@pytest.mark.parametrize(
    ("steps", "cancelled", "told"),
    [
        ({"a": "completed", "b": "failed"}, False, RETRY),
        ({"a": "cancelled", "b": "skipped"}, False, RETRY),
        ({"a": "failed", "b": "cancelled"}, True, ""),
        ({"a": "completed", "b": "cancelled"}, True, SHOW),
        ({"a": "queued"}, False, ""),
    ],
    ids=["a lost step", "a cancelled task", "a cancelled workflow", "with an answer", "at work"],
)
def test_only_a_workflow_that_would_go_on_is_said_to(steps, cancelled, told):
    shown = [{"task_id": f"task-{step}", "state": state} for step, state in steps.items()]
    words = hint({"steps": shown, "cancel_requested": cancelled})
    assert words.endswith(told) and bool(words) is bool(told)


def test_a_step_that_was_refused_before_it_had_a_task_has_none_to_retry():
    assert hint({"steps": [{"task_id": None, "state": "failed"}], "cancel_requested": False}) == ""
