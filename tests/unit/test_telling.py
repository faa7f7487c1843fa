"""What the log says of a task: one line, masked, with nothing hidden in it."""

import pytest

from ai_ops.core.telling import queued, told
from tests.support.memory_ports import a_task


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"issue_id": "i1"}, "task t1 queued: repair of issue i1 in git.example/acme/app"),
        ({"kind": "prompt", "repo_key": ""}, "task t1 queued: prompt"),
        (
            {"kind": "prompt", "repo_key": "planted/x\n\x1b[31mforged"},
            "task t1 queued: prompt in ***/x [31mforged",
        ),
    ],
    ids=["repair", "prompt", "hostile"],
)
def test_a_queued_task_says_what_it_is_for_and_where(changes, words):
    assert queued(a_task(**changes), lambda text: text.replace("planted", "***")) == words


def test_what_is_told_is_one_line_with_a_bound():
    assert told("a\n b\u2028c\x1b[2J" + "x" * 1000) == "a b c[2J" + "x" * 492
