"""Where an agentic answer tried to write: what is out of bounds, and what is only wrong."""

import pytest

from ai_ops.core.code_blocks import Tree
from ai_ops.core.orchestrator.reaching import reached_out, written_path

TREE = Tree.of(["shop/ratings.py", "tests/test_ratings.py"])


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/workspace/../../outside.txt", "path_traversal"),
        ("../outside.txt", "path_traversal"),
        ("/etc/cron.d/job", "path_outside_root"),
        ("/home/ai-ops/.bashrc", "path_outside_root"),
        ("/workspace/.git/hooks/pre-commit", "git_path"),
    ],
)
def test_a_write_out_of_bounds_refuses_the_answer(path, rule):
    refused = reached_out(["/workspace/shop/ratings.py", path], TREE, ())
    assert refused is not None and refused.final
    assert [(problem.rule, problem.place) for problem in refused.problems] == [(rule, path)]


@pytest.mark.parametrize(
    "path",
    [
        "/workspace/shop/ratings.py",
        "shop/new.py",
        pytest.param("/srv/shop/shop/ratings.py", id="where the log saw it"),
        pytest.param("/srv/app/tests/test_new.py", id="a new file beneath the root of the log"),
        pytest.param("/workspace/shop", id="a folder"),
    ],
)
def test_a_path_that_is_only_wrong_does_not(path):
    assert reached_out([path], TREE, ("/srv/app",)) is None


@pytest.mark.parametrize(
    ("kind", "data", "path"),
    [
        ("tool_use", {"name": "Write", "input": {"file_path": "a", "content": ""}}, "a"),
        ("tool_use", {"name": "Edit", "input": {"file_path": "a"}}, "a"),
        ("tool_use", {"name": "Read", "input": {"file_path": "/etc/passwd"}}, None),
        ("tool_use", {"name": "Write", "input": "a"}, None),
        ("tool_use", {"name": "Write", "input": {"file_path": 7}}, None),
        ("text", {"text": "a"}, None),
    ],
    ids=["writes", "edits", "reads", "no input", "no path", "talks"],
)
def test_only_what_writes_is_judged(kind, data, path):
    assert written_path(kind, data) == path
