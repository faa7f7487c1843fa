"""Runs commands of ``ai-ops`` as processes of their own that need not import the package each time.

One interpreter imports it and forks for each command, so a whole table of them takes seconds. What a
command gets is what a shell gives it: arguments, environment, folder and three streams.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self


class Said(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    err: str


class ForkedCommands:
    """Commands while entered; ``environment`` is all that they see."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = dict(environment)

    def __enter__(self) -> Self:
        root = Path(__file__).parents[2]
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forked_commands"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
            env={"PYTHONPATH": str(root), **self._environment},
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.communicate(timeout=30)

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> Said:
        """Run a command in the folder."""
        wanted = {"argv": arguments, "env": environment, "cwd": str(self._folder), "stdin": stdin}
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.write(json.dumps(wanted) + "\n")
        self._child.stdin.flush()
        return Said(**json.loads(self._child.stdout.readline()))


def _serve() -> None:
    _import_all()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_forked(json.loads(line))) + "\n")
        sys.stdout.flush()


def _import_all() -> None:
    """Import what commands import when they are called: what is there now is there in every fork."""
    for module in (
        "ai_ops.cli.app", "ai_ops.cli.client", "ai_ops.settings", "ai_ops.wiring.serving", "ai_ops.preflight",
        "ai_ops.wiring.system", "rich.table", "rich.console", "typer.rich_utils",
    ):  # fmt: skip
        import_module(module)
    gc.freeze()


def _forked(wanted: Mapping[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        stdin.write(wanted["stdin"].encode())
        for stream in (stdin, out, err):
            stream.seek(0)
        child = os.fork()
        if child == 0:
            _become(wanted, stdin.fileno(), out.fileno(), err.fileno())
        _, status = os.waitpid(child, 0)
        out.seek(0)
        err.seek(0)
        said = {"out": out.read().decode(), "err": err.read().decode()}
        return {"code": os.waitstatus_to_exitcode(status), **said}


def _become(wanted: Mapping[str, Any], *streams: int) -> None:
    from ai_ops.cli.app import run

    code = 70
    try:
        for ours, stream in enumerate(streams):
            os.dup2(stream, ours)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - the loop's has a buffer
        os.chdir(wanted["cwd"])
        os.environ.update(wanted["env"])
        sys.argv = ["ai-ops", *wanted["argv"]]
        code = run()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    _serve()
