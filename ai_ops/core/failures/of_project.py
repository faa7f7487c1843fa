"""Failures of a repository's own tests, and of what was made for a repair of it."""

from __future__ import annotations

from typing import Final

from ai_ops.core.failures.row import P3, Failure, Kind, Recovery, rows

ROWS: Final[tuple[Failure, ...]] = (
    *rows(
        Kind.INPUT,
        Recovery.PERSON,
        P3,
        {
            "no_test_command": (
                "No tests were found, so no repair could be proved.",
                "Name the command in .ai-ops.yml, for example `test: python -m pytest`.",
            ),
            "project_file_invalid": (
                ".ai-ops.yml is wrong; the field is named.",
                "Correct .ai-ops.yml on the default branch.",
            ),
            "test_path_invalid": ("A test file's name is no path of the repository.", "Report it."),
        },
    ),
    *rows(
        Kind.PROCESS,
        Recovery.PERSON,
        P3,
        {
            "test_tool_missing": (
                "The program that runs the tests is not installed on the server's host.",
                "Install it where the server runs, or name a `setup` that puts it into "
                "$AI_OPS_SETUP_DIR/bin.",
            ),
            "setup_required": (
                "The tests need packages or plugins that are not installed.",
                "Name a `setup` command in .ai-ops.yml that installs them; see the README.",
            ),
            "setup_failed": (
                "The setup command failed; the end of its output is in the message.",
                "Correct `setup` in .ai-ops.yml, or set SETUP_NETWORK=true.",
            ),
        },
    ),
    *rows(
        Kind.DISK,
        Recovery.PERSON,
        P3,
        {
            "baseline_lost": ("The suite's report on the base is gone.", "Retry the task."),
            "candidate_lost": ("The approved change is no longer there.", "Retry the task."),
            "evidence_lost": (
                "The reproduction is gone; of a revision: the run that made the change kept none.",
                "Retry the task.",
            ),
        },
    ),
    *rows(
        Kind.SECURITY,
        Recovery.PERSON,
        P3,
        {
            "not_publishable": (
                "A refuted or blocked change is not published, whoever asks.",
                "Retry the task.",
            ),
        },
    ),
)
