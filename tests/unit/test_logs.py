"""What goes to stderr: one line a message, and nothing of what a library says about its own end."""

import logging

import pytest

from ai_ops.agent.__main__ import _log_to_stderr
from ai_ops.cli.logs import LogFile, configure
from ai_ops.core.redaction import Redactor
from ai_ops.errors import PermanentError


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


def test_a_log_file_is_rotated_masked_without_colours_and_for_its_owner_alone(tmp_path):
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        configure(
            "console", Redactor(literals=["swordfish-1234"]), LogFile(tmp_path / "logs" / "a.log", 2000, 3)
        )
        for number in range(100):
            logging.getLogger("ours").warning("line %d of swordfish-1234", number)
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:], root.level = before
    files = sorted((tmp_path / "logs").iterdir())
    assert [path.name for path in files] == ["a.log", "a.log.1", "a.log.2"]
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert all(path.stat().st_size <= 2000 for path in files)
    said = "".join(path.read_text() for path in reversed(files))
    assert "line 99 of" in said and "swordfish" not in said and "\x1b" not in said


def test_a_log_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "taken").touch()
    with pytest.raises(PermanentError, match="log_file_unwritable"):
        configure("json", Redactor(), LogFile(tmp_path / "taken" / "a.log"))
