"""What commands say when they have done something, with a server that only answers."""

import pytest

from ai_ops.cli import security, worker


class Answers:
    """A client whose every answer is given."""

    def __init__(self, *answers):
        self._answers = iter(answers)

    def get(self, path):
        return next(self._answers)

    def post(self, path, body=None):
        return next(self._answers)


def test_a_task_that_was_unblocked_is_told_with_how_to_watch_it(monkeypatch, capsys):
    client = Answers({"task_id": "t1", "state": "pending"})
    monkeypatch.setattr(security, "connect", lambda: client)
    security.unblock("t1", reason="ours", role=security._UnblockRole.ADMIN)
    said = capsys.readouterr()
    assert said.out == "t1 pending\n"
    assert said.err == "watch it with: ai-ops task show --follow t1\n"


@pytest.mark.parametrize(
    ("before", "after", "state", "words"),
    [
        (0, 1, "replacing", "worker 1 is replacing; it was replaced 1 time"),
        (1, 2, "idle", "worker 1 is idle; it was replaced 2 times"),
        (2, 2, "idle", "nothing was under way with worker 1: it stays as it is"),
        (2, 2, "replacing", "worker 1 is replacing; it was replaced 2 times"),
    ],
    ids=["working", "working, idle by now", "idle", "asked for already"],
)
def test_a_worker_is_said_to_be_replaced_only_where_it_was(monkeypatch, capsys, before, after, state, words):
    client = Answers({"replaced": before}, {"replaced": after, "state": state})
    monkeypatch.setattr(worker, "connect", lambda: client)
    worker.restart_worker(1)
    assert capsys.readouterr().err == f"{words}\n"
