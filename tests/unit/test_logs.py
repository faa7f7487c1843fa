"""What goes to stderr: one line a message, and nothing of what a library says about its own end."""

import logging

import pytest

from ai_ops.agent.__main__ import _log_to_stderr
from ai_ops.cli.logs import configure
from ai_ops.core.redaction import Redactor


@pytest.fixture(
    params=[
        pytest.param(lambda: _log_to_stderr(logging.INFO), id="agent"),
        pytest.param(lambda: configure("console", Redactor()), id="console"),
        pytest.param(lambda: configure("json", Redactor()), id="json"),
    ]
)
def logged(request, capsys):
    """Log as a process of ours does, and return what came to stderr."""
    root, watchdog = logging.getLogger(), logging.getLogger("watchdog")
    before = root.handlers[:], root.level, watchdog.level

    def log(name, level, *words):
        root.handlers[:] = []
        request.param()
        logging.getLogger(name).log(level, *words)
        return capsys.readouterr().err

    yield log
    root.handlers[:], root.level, watchdog.level = before


def test_the_name_of_a_file_cannot_forge_a_line_or_obey_a_terminal(logged):
    said = logged("ours", logging.WARNING, "following %s", "a\n2026-01-01 ERROR forged\x1b[2J.log")
    assert said.count("\n") == 1
    assert "following a 2026-01-01 ERROR forged [2J.log" in said
    assert "\x1b[2J" not in said


def test_hints_that_fail_are_no_error_of_ours(logged):
    assert logged("watchdog.observers.inotify", logging.ERROR, "called when inactive") == ""
