"""Runs commands of ``ai-ops`` as processes of their own that need not import the package each time.

One interpreter imports it and forks for each command, so a whole table of them takes seconds. What a
command gets is what a shell gives it: arguments, environment, folder and three streams.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

_LONGEST_SECONDS = 60


class Said(NamedTuple):
    """What came of a command."""

    code: int
    out: str
    err: str


class ForkedCommands:
    """An interpreter that has imported the package, and forks for each command."""

    def __init__(self) -> None:
        root = Path(__file__).parents[2]
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forked_commands"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(root)},
            start_new_session=True,  # what it forks is killed with it
        )

    def close(self) -> None:
        """End it, and a command that it still waits for."""
        assert self._child.stdin is not None and self._child.stdout is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait()
        self._child.stdin.close()
        self._child.stdout.close()

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, stdin: str = ""
    ) -> Said:
        """Run a command in a folder; ``environment`` is all that it sees."""
        wanted = {"argv": arguments, "env": dict(environment), "cwd": str(folder), "stdin": stdin}
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.write(json.dumps(wanted) + "\n")
        self._child.stdin.flush()
        if not select.select([self._child.stdout], [], [], _LONGEST_SECONDS)[0]:
            raise subprocess.TimeoutExpired(list(arguments), _LONGEST_SECONDS)
        return Said(**json.loads(self._child.stdout.readline()))


_IDLE: list[ForkedCommands] = []


def run_command(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path | None = None, stdin: str = ""
) -> Said:
    """Run ``ai-ops`` with arguments; several threads may at once."""
    commands = _IDLE.pop() if _IDLE else ForkedCommands()
    try:
        said = commands.run(arguments, environment, folder or Path.cwd(), stdin)
    except BaseException:  # an answer may still come, which nobody waits for
        commands.close()
        raise
    _IDLE.append(commands)
    return said


@atexit.register
def _end() -> None:
    while _IDLE:
        _IDLE.pop().close()


def _serve() -> None:
    _import_all()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_forked(json.loads(line))) + "\n")
        sys.stdout.flush()


def _import_all() -> None:
    """Import what commands import when they are called: what is there now is there in every fork."""
    for module in (
        "ai_ops.cli.app", "ai_ops.cli.client", "ai_ops.cli.importing", "ai_ops.config_loading",
        "ai_ops.preflight", "ai_ops.wiring.serving", "ai_ops.wiring.system", "ai_ops.agent.__main__",
        "ai_ops.agent.replay", "rich.table", "rich.console", "typer.rich_utils",
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
    from ai_ops.__main__ import main

    code = 1
    try:
        for ours, stream in enumerate(streams):
            os.dup2(stream, ours)
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - the loop's has a buffer
        os.chdir(wanted["cwd"])
        os.environ.clear()
        os.environ.update(wanted["env"])
        sys.argv = ["ai-ops", *wanted["argv"]]
        code = main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()
