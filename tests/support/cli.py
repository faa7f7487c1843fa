"""The command line in tests, as a process of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.forked_commands import run_command

ROOT = Path(__file__).parents[2]
AI_OPS = (sys.executable, "-m", "ai_ops")


def ai_ops(
    *arguments: str, url: str = "", cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Run a command and return (exit code, stdout, stderr)."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "PYTHONPATH": str(ROOT),
        "NO_COLOR": "1",
        "COLUMNS": "200",
        **({"AI_OPS_URL": url} if url else {}),
        **(environment or {}),
    }
    return run_command(arguments, env, cwd)
