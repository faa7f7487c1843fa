"""The Fixer that asks Claude: the real CLI, in the sandbox, behind our gateway, under our watchdogs.

One call is one child with a HOME and a socket of its own. Nothing of it survives the call but the record of
its session, if that was asked for: the call that goes on with it finds it in its own HOME. The gateway's
account is the usage; ``core.model_failures`` names what went wrong.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from claude_agent_sdk import ClaudeAgentOptions, Message, query

from ai_ops import process
from ai_ops.core.egress import Refusal
from ai_ops.core.failures import failed
from ai_ops.core.model_failures import CliEnd, CliFacts, classify
from ai_ops.core.ports import Bind, Sandbox, SandboxSpec
from ai_ops.core.task_commands import build_flags
from ai_ops.errors import AiOpsError
from ai_ops.flow.fixing import FixAnswer, FixRequest, Watch
from ai_ops.integrations import claude_cli, claude_sessions, egress_bridge
from ai_ops.integrations.claude_account import GatewaySession
from ai_ops.integrations.claude_args import parse_args
from ai_ops.integrations.claude_cli import CliTransport
from ai_ops.integrations.claude_gateway import ClaudeGateway
from ai_ops.integrations.claude_hooks import ToolHook
from ai_ops.integrations.claude_messages import Listener
from ai_ops.integrations.egress import EgressProxy
from ai_ops.integrations.private_folder import private_folder

_HOME = "/home/ai-ops"
_PROGRAM = "/opt/ai-ops/claude"
_SOCKET = "/run/ai-ops/model.sock"
_EGRESS = "/run/ai-ops/egress.sock"
_BRIDGE = "/opt/ai-ops/egress_bridge.py"
_MOST_REFUSALS = 100
_WORKSPACE = "/workspace"
_TICK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class _Desk:
    """The folders of one call; they go away with it."""

    home: Path
    empty: Path
    socket: Path
    egress: Path


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
        egress: the way to the web of requests that have one; None is no way for any.
        output_bytes: what one call may print.

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
        egress: EgressProxy | None = None,
        output_bytes: int = claude_cli.OUTPUT_BYTES,
    ) -> None:
        self._gateway = gateway
        self._sandbox = sandbox
        self._command = command
        self._extra = parse_args(args)
        self._model = model
        self._allowed_models = tuple(allowed_models)
        self._retries = retries
        self._egress = egress
        self._output_bytes = output_bytes
        self._checked: set[tuple[Path, int]] = set()

    async def ask(self, request: FixRequest, watch: Watch) -> FixAnswer:
        """Ask once and return the whole answer; in agentic mode the checkout is edited meanwhile.

        Raises:
            TemporaryError, PermanentError: one of ``MODEL_CODES``; ``cost_usd`` says what was spent.
        """
        started = time.monotonic()
        program = await self._program()
        request = replace(request, model=request.model or self._model)
        listener = Listener(watch)
        kept = None
        refusals: dict[Refusal, None] = {}
        async with (
            _desk() as desk,
            self._open(desk, request) as session,
            self._reaching(desk, request, watch, refusals),
            self._sandbox.prepare(self._spec(request, program, desk)) as prepared,
        ):
            transport = CliTransport(prepared, process.clean_environment(), self._output_bytes)
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
        unfinished = error is not None and _paused(request, error)
        if error is not None and not unfinished:
            error.cost_usd, error.session = session.usage.cost_usd, kept
            raise error
        return FixAnswer(
            text=facts.text,
            usage=session.usage,
            session_id=listener.session_id,
            turns=listener.turns,
            duration_seconds=time.monotonic() - started,
            model=listener.model,
            session=kept,
            unfinished=unfinished,
            refused=tuple(refusal.words for refusal in refusals),
        )

    def _open(
        self, desk: _Desk, request: FixRequest
    ) -> contextlib.AbstractAsyncContextManager[GatewaySession]:
        return self._gateway.open(desk.socket, request.run_id, request.budget_usd, self._allowed_models)

    @contextlib.asynccontextmanager
    async def _reaching(
        self, desk: _Desk, request: FixRequest, watch: Watch, refusals: dict[Refusal, None]
    ) -> AsyncIterator[None]:
        """Open the call's way to the web, if it has one, and tell each place once that it refuses."""
        if not request.egress or self._egress is None:
            yield
            return

        async def tell(refusal: Refusal) -> None:
            if refusal not in refusals and len(refusals) < _MOST_REFUSALS:
                refusals[refusal] = None
                await watch("error", {"message": refusal.words})

        async with self._egress.open(desk.egress, tell):
            yield

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
        argv: tuple[str, ...] = (_PROGRAM, *build_flags(request, self._extra))
        if request.egress and self._egress is not None:
            interpreter, more = _bridge(desk)
            argv, binds = (interpreter, "-I", "-S", _BRIDGE, _EGRESS, *argv), [*more, *binds]
        silence = 2 * request.idle_seconds
        fetches = "WebFetch" in request.tools
        return SandboxSpec(
            argv=argv,
            binds=tuple(binds),
            cwd=_WORKSPACE,
            env=claude_cli.build_environment(_HOME, _SOCKET, silence, self._retries, fetches=fetches),
            wall_seconds=request.wall_seconds,
            idle_seconds=request.idle_seconds,
            niceness=0,  # somebody waits for its next word, and takes silence for a hang
        )


def _bridge(desk: _Desk) -> tuple[str, list[Bind]]:
    """Return the interpreter that runs the bridge inside, and what has to be visible for it."""
    home = Path(sys.base_prefix).resolve()
    interpreter = home / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    binds = [Bind(desk.egress, _EGRESS), Bind(Path(egress_bridge.__file__).resolve(), _BRIDGE)]
    if not home.is_relative_to("/usr"):
        binds.insert(0, Bind(home, str(home)))
    return str(interpreter), binds


def _paused(request: FixRequest, error: AiOpsError) -> bool:
    """Whether what stopped a call is only that its turns are used up, and it may go on in another."""
    return request.pauses and error.code == "model_turns_spent"


@contextlib.asynccontextmanager
async def _desk() -> AsyncIterator[_Desk]:
    """Make the folders of one call, which only we can enter."""
    async with private_folder() as root:
        yield _furnish(root)


def _furnish(root: Path) -> _Desk:
    desk = _Desk(root / "home", root / "empty", root / "model.sock", root / "egress.sock")
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


def _no_sandbox(why: str) -> AiOpsError:
    step = "`ai-ops doctor` says what the sandbox needs."
    return failed("sandbox_unavailable", f"the CLI could not be started: {why}", next_step=step)


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
