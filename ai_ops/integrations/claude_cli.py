"""The Claude CLI as a child of ours: which program, which environment, and its pipes.

The SDK's own transport hands the parent's whole environment to the child and gives it ten seconds to
leave. Ours starts it with nothing but what stands here, in a process group of its own that dies with us,
and ends it at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from claude_agent_sdk import CLIConnectionError, CLIJSONDecodeError, ProcessError, Transport

from ai_ops import process
from ai_ops.core.model_failures import failure
from ai_ops.core.ports import Prepared
from ai_ops.flow.report import RunEnd

LEAST_VERSION: Final = (2, 1, 248)
"""The first CLI with ``--restricted`` and ``--permission-prompts``."""

PLACEHOLDER_KEY: Final = "ssh-placeholder"
"""What the CLI takes for a key when another process holds the real one. It fetches no pages with it."""

_FETCHING_KEY: Final = "sk-ant-held-by-the-gateway"
"""What it takes for a key of its own, so that it has its tool for pages. It opens nothing either."""

MODEL_URL: Final = "http://model.invalid"
"""Where the CLI believes the API is; every byte goes to the socket instead."""

_LINE_BYTES = 64 * 2**20
OUTPUT_BYTES = 50_000_000
"""What one call may print unless it is said otherwise, both streams together."""
_STDERR_BYTES = 64 * 1024
_REAP_SECONDS = 5.0


def locate(command: str = "") -> Path:
    """Return the CLI's program: the bundled one, or what ``CLAUDE_COMMAND`` names.

    Raises:
        PermanentError: ``model_cli_missing``.
    """
    if command:
        found = shutil.which(command)
        path = Path(found) if found else None
    else:
        spec = find_spec("claude_agent_sdk")
        path = Path(spec.origin).parent / "_bundled" / "claude" if spec and spec.origin else None
    if path is None or not path.is_file():
        raise failure("model_cli_missing", command)
    return path.resolve()


async def version(program: Path) -> str:
    """Return the CLI's version.

    Raises:
        PermanentError: ``model_cli_missing``, ``model_cli_outdated``.
    """
    env = process.clean_environment({"HOME": "/nonexistent"})
    try:
        done = await process.run([str(program), "--version"], env=env, limits=process.Limits(wall_seconds=30))
    except OSError as error:
        raise failure("model_cli_missing", str(error)) from error
    found = re.match(r"(\d+)\.(\d+)\.(\d+)", done.text.strip())
    if not found:
        told = (done.complaint or done.text).strip().partition("\n")[0]
        raise failure("model_cli_missing", f"{program} tells no version: {told}")
    if tuple(map(int, found.groups())) < LEAST_VERSION:
        needed = ".".join(map(str, LEAST_VERSION))
        raise failure("model_cli_outdated", f"{found[0]}, at least {needed} is needed")
    return found[0]


def build_environment(
    home: str, socket: str, silence_seconds: float, retries: int, *, fetches: bool = False
) -> dict[str, str]:
    """Return the CLI's whole environment. The key in it is a word that opens nothing."""
    milliseconds = str(int(silence_seconds * 1000))
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "HOME": home,
        "ANTHROPIC_UNIX_SOCKET": socket,
        "ANTHROPIC_BASE_URL": MODEL_URL,
        "ANTHROPIC_API_KEY": _FETCHING_KEY if fetches else PLACEHOLDER_KEY,
        "API_TIMEOUT_MS": milliseconds,
        "CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS": milliseconds,
        "CLAUDE_CODE_MAX_RETRIES": str(retries),
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_DISABLE_FILE_MENTIONS": "1",
        "CLAUDE_CODE_DISABLE_CLAUDE_MDS": "1",
        "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
        "CLAUDE_CODE_ENTRYPOINT": "sdk-py",
    }


class CliTransport(Transport):
    """Carries the SDK's messages to and from one CLI child.

    ``last_activity`` is the monotonic time of its last word, ``return_code`` is None while it lives.
    """

    def __init__(self, command: Prepared, env: Mapping[str, str], output_bytes: int = OUTPUT_BYTES) -> None:
        self.last_activity = time.monotonic()
        self._output_bytes = output_bytes
        self._command = command
        self._env = dict(env)
        self._watching: asyncio.Task[RunEnd] | None = None
        self._heard_bytes = 0
        self._child: asyncio.subprocess.Process | None = None
        self._stderr = bytearray()
        self._stderr_task: asyncio.Task[None] | None = None

    @property
    def return_code(self) -> int | None:
        """Return how the child ended, negative for a signal."""
        return self._child.returncode if self._child else None

    @property
    def excess(self) -> RunEnd | None:
        """Return the limit on what the child uses that it has passed. It lives until it is killed."""
        if self._heard_bytes > self._output_bytes:
            return RunEnd.OUTPUT_LIMIT
        watching = self._watching
        return watching.result() if watching and watching.done() and not watching.cancelled() else None

    @property
    def stderr(self) -> str:
        """Return the last words of its stderr."""
        return self._stderr.decode("utf-8", "replace")

    async def connect(self) -> None:
        """Start the child."""
        self._child = await process.start(
            self._command.argv, env=self._env, pass_fds=self._command.pass_fds, line_bytes=_LINE_BYTES
        )
        self._watching = asyncio.create_task(self._command.watch(self._child.pid, self._begun))
        self._stderr_task = asyncio.create_task(self._read_stderr())

    def _begun(self) -> None:
        self.last_activity = time.monotonic()

    async def write(self, data: str) -> None:
        """Write a message to its stdin."""
        if self._child is None or self._child.stdin is None:
            raise CLIConnectionError("the CLI is not running")
        try:
            self._child.stdin.write(data.encode("utf-8", "replace"))
            await self._child.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            # It has left; what it said before that and its exit code tell why.
            return

    async def end_input(self) -> None:
        """Close its stdin."""
        if self._child is not None and self._child.stdin is not None:
            self._child.stdin.close()

    def read_messages(self) -> AsyncIterator[dict[str, Any]]:
        """Yield its messages; ends with ``ProcessError`` when it left before a result, or complaining.

        A result may come before the SDK's greeting is answered, which would be waited for in vain.
        """
        return self._read()

    async def _read(self) -> AsyncIterator[dict[str, Any]]:
        if self._child is None or self._child.stdout is None:
            raise CLIConnectionError("the CLI is not running")
        ended_well = False
        while line := await self._read_line(self._child.stdout):
            self.last_activity = time.monotonic()
            self._heard_bytes += len(line)
            if not line.startswith(b"{"):
                continue
            try:
                message = json.loads(line)
            except ValueError as error:
                if not line.endswith(b"\n"):  # cut off in the middle of a word
                    break
                raise CLIJSONDecodeError(line[:200].decode("utf-8", "replace"), error) from error
            ended_well = message.get("type") == "result"
            yield message
        code = await self._child.wait()
        if code or not ended_well:
            raise ProcessError("the CLI left without a result", exit_code=code)

    async def _read_line(self, stdout: asyncio.StreamReader) -> bytes:
        try:
            return await stdout.readline()
        except ValueError as error:  # longer than the limit
            raise CLIJSONDecodeError(f"a line of more than {_LINE_BYTES} bytes", error) from error

    async def _read_stderr(self) -> None:
        if self._child is None or self._child.stderr is None:
            return
        while chunk := await self._child.stderr.read(4096):
            self.last_activity = time.monotonic()
            self._heard_bytes += len(chunk)
            self._stderr += chunk
            del self._stderr[:-_STDERR_BYTES]

    def is_ready(self) -> bool:
        """Whether the child runs."""
        return self._child is not None and self._child.returncode is None

    def kill(self) -> None:
        """Kill the child and all of its group, now."""
        if self._child is not None:
            process.kill_group(self._child.pid)

    async def close(self) -> None:
        """Kill what is left of it and reap it. Unless its pipes are read to their end, they stay open."""
        if self._child is None:
            return
        self.kill()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self.end_input()
        ends: list[Awaitable[object]] = [self._child.wait(), _drain(self._child.stdout)]
        if self._stderr_task is not None:
            ends.append(self._stderr_task)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*ends, return_exceptions=True), _REAP_SECONDS)


async def _drain(stream: asyncio.StreamReader | None) -> None:
    while stream is not None and await stream.read(_STDERR_BYTES):
        pass
