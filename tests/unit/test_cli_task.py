"""``ai-ops task`` where a part of what it shows is no longer kept."""

import json

import pytest
from typer.testing import CliRunner

from ai_ops.cli import task
from ai_ops.cli.exits import CliError, Exit

KNOWN = {"task_id": "t1", "trace_id": "r1", "state": "failed"}


class Server:
    """Knows a task, and answers to its trace as told."""

    def __init__(self, code):
        self.code = code

    def get(self, path, query=()):
        if path.startswith("/v1/traces/"):
            raise CliError(self.code, "there is none (trace_not_found)")
        return KNOWN


@pytest.mark.parametrize(("code", "shown"), [(Exit.NOT_FOUND, True), (Exit.FAILED, False)], ids=str)
def test_a_task_whose_trace_was_removed_by_age_is_shown_without_it(monkeypatch, code, shown):
    monkeypatch.setattr(task, "connect", lambda: Server(code))
    done = CliRunner().invoke(task.app, ["show", "t1", "--show-logs", "--json"])
    assert (done.exception is None) is shown
    if shown:
        assert json.loads(done.stdout) == {**KNOWN, "trace": None}
