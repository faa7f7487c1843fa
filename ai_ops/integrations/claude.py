"""The Fixer that asks Claude: the real CLI, in the sandbox, behind our gateway, under our watchdogs.

One call is one child with a HOME and a socket of its own. Nothing of it survives the call but the record of
its session, if that was asked for: the call that goes on with it finds it in its own HOME. The gateway's
account is the usage; ``core.failures`` names what went wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from claude_agent_sdk import ClaudeAgentOptions, Message, query

from ai_ops import process
from ai_ops.core.failures import CliEnd, CliFacts, classify
from ai_ops.core.ports import Bind, Sandbox, SandboxSpec
from ai_ops.errors import PermanentError
from ai_ops.flow.fixing import FixAnswer, FixRequest, Watch
from ai_ops.integrations import claude_cli, claude_sessions
from ai_ops.integrations.claude_account import GatewaySession
from ai_ops.integrations.claude_args import parse_args
from ai_ops.integrations.claude_cli import CliTransport
from ai_ops.integrations.claude_gateway import ClaudeGateway
from ai_ops.integrations.claude_hooks import ToolHook
from ai_ops.integrations.claude_messages import Listener
from ai_ops.integrations.private_folder import private_folder

_HOME = "/home/ai-ops"
_PROGRAM = "/opt/ai-ops/claude"
_SOCKET = "/run/ai-ops/model.sock"
_WORKSPACE = "/workspace"
_TICK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class _Desk:
    """The folders of one call; they go away with it."""

    home: Path
    empty: Path
    socket: Path


class ClaudeFixer:
    """Asks Claude through its CLI.

    Args:
        gateway: the way to the model.
        sandbox: what the CLI runs in; ``OffSandbox`` leaves a clean environment and nothing else.
        command: ``CLAUDE_COMMAND``; empty is the bundled CLI.
        args: ``CLAUDE_ARGS``; only flags that cannot widen what a run may do.
        model: used when a request names none; empty is the CLI's own choice.
        allowed_models: globs of model ids, empty for all (``CLAUDE_ALLOWED_MODELS``).
        retries: how often the CLI itself repeats a failed API call.

    Raises:
        PermanentError: ``model_bad_flag`` for ``args``.
    """

    def __init__(
        self,
        gateway: ClaudeGateway,
        sandbox: Sandbox,
        *,
        command: str = "",
        args: str = "",
        model: str = "",
        allowed_models: Sequence[str] = (),
        retries: int = 3,
    ) -> None:
        self._gateway = gateway
        self._sandbox = sandbox
        self._command = command
        self._extra = parse_args(args)
        self._model = model
        self._allowed_models = tuple(allowed_models)
        self._retries = retries
        self._checked: set[tuple[Path, int]] = set()

    async def ask(self, request: FixRequest, watch: Watch) -> FixAnswer:
        """Ask once and return the whole answer; in agentic mode the checkout is edited meanwhile.

        Raises:
            TemporaryError, PermanentError: a code of ``core.failures``; ``cost_usd`` says what was spent.
        """
        started = time.monotonic()
        program = await self._program()
        request = replace(request, model=request.model or self._model)
        listener = Listener(watch)
        kept = None
        async with (
            _desk() as desk,
            self._open(desk, request) as session,
            self._sandbox.prepare(self._spec(request, program, desk)) as prepared,
        ):
            transport = CliTransport(prepared, process.clean_environment())
            if request.session is not None:
                await asyncio.to_thread(claude_sessions.put, desk.home, request.session)
            hook = ToolHook(request.judge, transport.kill) if request.judge else None
            end = await _converse(request, transport, listener, session, hook)
            if request.keep_session:
                kept = await asyncio.to_thread(claude_sessions.take, desk.home, listener.session_id)
            facts = _facts(request, end, transport, listener, session)
            code = facts.return_code
            waits = hook.failure() if hook else None
            if not (waits or facts.has_result) and code is not None and not await prepared.stood(code):
                raise _no_sandbox(facts.stderr.strip())
        error = waits or classify(facts, datetime.now(UTC))
        if error is not None:
            error.cost_usd = session.usage.cost_usd
            raise error
        return FixAnswer(
            text=facts.text,
            usage=session.usage,
            session_id=listener.session_id,
            turns=listener.turns,
            duration_seconds=time.monotonic() - started,
            model=listener.model,
            session=kept,
        )

    def _open(
        self, desk: _Desk, request: FixRequest
    ) -> contextlib.AbstractAsyncContextManager[GatewaySession]:
        return self._gateway.open(desk.socket, request.run_id, request.budget_usd, self._allowed_models)

    async def _program(self) -> Path:
        """Return the CLI's program, its version checked once per build of it."""
        program = claude_cli.locate(self._command)
        build = (program, (await asyncio.to_thread(program.stat)).st_mtime_ns)
        if build not in self._checked:
            await claude_cli.version(program)
            self._checked.add(build)
        return program

    def _spec(self, request: FixRequest, program: Path, desk: _Desk) -> SandboxSpec:
        checkout = (request.checkout or desk.empty).resolve()
        binds = [
            Bind(program, _PROGRAM),
            Bind(desk.home, _HOME, writable=True),
            Bind(desk.socket, _SOCKET),
            Bind(checkout, _WORKSPACE, writable=request.writes),
        ]
        if request.writes and (checkout / ".git").exists():
            binds.append(Bind(checkout / ".git", f"{_WORKSPACE}/.git"))
        return SandboxSpec(
            argv=(_PROGRAM, *claude_cli.build_flags(request, self._extra)),
            binds=tuple(binds),
            cwd=_WORKSPACE,
            env=claude_cli.build_environment(_HOME, _SOCKET, 2 * request.idle_seconds, self._retries),
            wall_seconds=request.wall_seconds,
            idle_seconds=request.idle_seconds,
            niceness=0,  # somebody waits for its next word, and takes silence for a hang
        )


@contextlib.asynccontextmanager
async def _desk() -> AsyncIterator[_Desk]:
    """Make the folders of one call, which only we can enter."""
    async with private_folder() as root:
        yield _furnish(root)


def _furnish(root: Path) -> _Desk:
    desk = _Desk(root / "home", root / "empty", root / "model.sock")
    desk.home.mkdir(mode=0o700)
    desk.empty.mkdir(mode=0o700)
    return desk


async def _converse(
    request: FixRequest,
    transport: CliTransport,
    listener: Listener,
    session: GatewaySession,
    hook: ToolHook | None,
) -> CliEnd:
    """Talk to the child until its result or our limit; it is dead when this returns."""
    talking = asyncio.create_task(_talk(request, transport, listener, hook))
    limiting = asyncio.create_task(_until_limit(request, transport, session))
    try:
        await asyncio.wait({talking, limiting}, return_when=asyncio.FIRST_COMPLETED)
        if not talking.done():
            return limiting.result()
        return talking.result()
    finally:
        transport.kill()
        limiting.cancel()
        talking.cancel()
        await asyncio.gather(talking, limiting, return_exceptions=True)
        await transport.close()


async def _talk(
    request: FixRequest, transport: CliTransport, listener: Listener, hook: ToolHook | None
) -> CliEnd:
    """Send the prompt and hear everything up to the result. A child that fails leaves its facts behind."""
    hooks = cast(Any, hook.matchers()) if hook else None
    options = ClaudeAgentOptions(verbatim_prompts=True, hooks=hooks)
    prompt = request.prompt.replace("\0", "")
    messages = cast(AsyncGenerator[Message], query(prompt=prompt, options=options, transport=transport))
    try:
        while (message := await _next(messages, listener)) is not None:
            if await listener.hear(message):
                break
    finally:
        transport.kill()
        await messages.aclose()
    return CliEnd.EXITED


async def _next(messages: AsyncGenerator[Message], listener: Listener) -> Message | None:
    """Return the next message, None at the end. What the SDK raises is taken down and goes no further."""
    try:
        return await anext(messages, None)
    except FileNotFoundError as error:
        raise _no_sandbox(f"{error.filename} is not installed") from error
    except Exception as error:  # noqa: BLE001 - the SDK raises bare exceptions for a broken conversation
        listener.complain(str(error))
        return None


def _no_sandbox(why: str) -> PermanentError:
    step = "`ai-ops doctor` says what the sandbox needs."
    return PermanentError("sandbox_unavailable", f"the CLI could not be started: {why}", next_step=step)


async def _until_limit(request: FixRequest, transport: CliTransport, session: GatewaySession) -> CliEnd:
    """Return when a limit is passed. A byte from the model or a word from the CLI is a sign of life."""
    wall = time.monotonic() + request.wall_seconds
    while True:
        now = time.monotonic()
        idle = max(transport.last_activity, session.last_activity) + request.idle_seconds
        if transport.excess is not None:
            return CliEnd.OVER_LIMIT
        if now >= wall:
            return CliEnd.WALL_TIMEOUT
        if now >= idle:
            return CliEnd.IDLE_TIMEOUT
        await asyncio.sleep(min(_TICK_SECONDS, wall - now, idle - now))


def _facts(
    request: FixRequest, end: CliEnd, transport: CliTransport, listener: Listener, session: GatewaySession
) -> CliFacts:
    return replace(
        listener.facts(session.stops),
        end=end,
        return_code=transport.return_code,
        stderr=transport.stderr,
        writes=request.writes,
        output_tokens=session.usage.output_tokens,
        api_failure=session.last_failure,
        refused=session.refused,
        resumed=request.session is not None,
        excess=transport.excess,
    )
