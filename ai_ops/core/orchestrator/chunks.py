"""The work of a prompt task, piece by piece: each piece is one request, a recorded step and a checkpoint.

Most tasks are done in one. A ``heavy_context`` task whose turns are used up goes on in the next piece, in the
same Claude session and the same folder. ``core.task_recovery`` says what there is to go on with: after a kill
the session and the files come back from the last checkpoint, after a limit from where it stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ai_ops.core import prompts
from ai_ops.core.failures import failed
from ai_ops.core.identity import nonce
from ai_ops.core.model_failures import failure
from ai_ops.core.orchestrator.errand import Prepared
from ai_ops.core.orchestrator.grounds import Ground, ground_of
from ai_ops.core.orchestrator.money import Purse, accounted, call_budget
from ai_ops.core.orchestrator.planning import plan_request
from ai_ops.core.orchestrator.records import usage_to_json
from ai_ops.core.orchestrator.sessions import exchange, keep, kept
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import Outcome
from ai_ops.core.prompts import parse_words
from ai_ops.core.task_commands import command_line
from ai_ops.core.task_recovery import MOST_CHUNKS, LastLines, Recovery
from ai_ops.core.wording import counted
from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.fixing import FixAnswer, FixMode, FixRequest, Session
from ai_ops.flow.run import Usage

log = logging.getLogger(__name__)

_MADE = "work-made"
_LOST = "work-lost-seconds"
_LEAST_SECONDS = 1.0
_KEEP_EVERY = 1.0
_MOST_DONE = 500


@dataclass(frozen=True, slots=True)
class Worked:
    """What came of it: ``made`` is kept for the next step, ``left`` says for people what there is.

    ``refused`` are the places that were not reached, ``summary`` is the answer's own.
    """

    made: str
    left: str
    summary: str
    refused: tuple[str, ...]

    @property
    def not_reached(self) -> str:
        """What could not be reached, as the end of a sentence."""
        return f"; {'; '.join(self.refused[:5])}" if self.refused else ""


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    """What a piece goes on with: a session, or the last lines of what was put out, and what was written."""

    session: Session | None = None
    lines: str = ""
    made: str = ""


async def begin_with(tools: Tools, run_id: str, made: str) -> None:
    """Let the first piece of a run's work find what was written before, as ``Ground.kept`` told it."""
    for name in (_MADE, "work-0-made"):  # where pieces of either kind look
        await tools.trace.put_patch(run_id, name, made)


@dataclass(slots=True)
class Work:
    """The pieces of one run. The folder of a piece is the next one's too while this process lives."""

    prepared: Prepared
    _folder: Path | None = None
    _refused: dict[str, None] = field(default_factory=dict)

    async def done(self) -> Worked:
        """Work until Claude says that it is done.

        Raises:
            PermanentError: ``task_unfinished``; whatever a request fails with for good.
        """
        errand, seconds, done = self.prepared.errand, 0.0, ""
        run = await errand.tools.trace.find_run(errand.run_id)
        ground = ground_of(self.prepared, run.started_at if run else errand.tools.clock.now())
        for round in range(1, MOST_CHUNKS + 1):
            piece = partial(self._piece, ground, round, seconds, done)
            try:
                outcome = await errand.steps.run("work", round, piece)
            except PermanentError as failure:
                if failure.code == "task_unfinished":
                    await self._put_left(ground, round)
                raise
            seconds, done = seconds + outcome["seconds"], outcome["done"]
            self._refused |= dict.fromkeys(outcome["refused"])
            if not outcome["more"]:
                made = await errand.tools.trace.patch(errand.run_id, "made") or ""
                return Worked(made, outcome["left"], done, tuple(self._refused))
        await self._put_left(ground, MOST_CHUNKS + 1)
        raise _unfinished(f"it was not done after {counted(MOST_CHUNKS, 'piece')} of work")

    async def _put_left(self, ground: Ground, round: int) -> None:
        """Keep for people what was written before a piece; the task failed, and fails for that alone."""
        errand = self.prepared.errand
        if errand.powers.writes:
            with contextlib.suppress(AiOpsError):
                made = (await self._checkpoint(round)).made
                await ground.put_artifacts(await ground.open(made), made)

    async def _piece(self, ground: Ground, round: int, seconds: float, done: str) -> Outcome:
        errand = self.prepared.errand
        async with accounted(errand.tools, errand.run_id) as purse:
            point = await self._checkpoint(round)
            if self._folder is None:
                self._folder = await ground.open(point.made)
            folder, self._folder = self._folder, None  # a piece that fails leaves none to go on in
            lost = float(await errand.tools.trace.patch(errand.run_id, _LOST) or 0)
            request = await self._request(purse, round, folder, seconds + lost)
            started = time.monotonic()
            try:
                answer = await self._ask(ground, request, purse, point, done)
            except AiOpsError:  # the task's time goes on passing in the next try
                with contextlib.suppress(AiOpsError):
                    passed = lost + time.monotonic() - started
                    await errand.tools.trace.put_patch(errand.run_id, _LOST, str(passed))
                raise
            made = await ground.kept(folder)
            more = await self._keep(round, answer, made)
            left = "" if more else await self._finish(ground, folder, answer, made)
        self._folder = folder if more else None
        said = parse_words(answer.text).summary or answer.text.strip()[-_MOST_DONE:]
        return {
            "usage": usage_to_json(purse.usage),
            "seconds": time.monotonic() - started,
            "more": more,
            "session": answer.session_id,
            "done": errand.tools.redact(said) if said else done,
            "refused": list(answer.refused),
            "left": left,
            "words": counted(answer.turns, "turn") + (", there is more to do" if more else ""),
        }

    async def _request(self, purse: Purse, round: int, folder: Path, seconds: float) -> FixRequest:
        errand, policy = self.prepared.errand, self.prepared.errand.tools.policy
        guarding = errand.tools.guarding
        payload = errand.task.payload
        budget = await call_budget(errand.tools, purse, payload.get("budget_usd"))
        planned = plan_request(payload, policy, budget_usd=budget)
        own = payload.get("timeout_seconds")  # is for all pieces together, cut off or not
        wall = planned.wall_seconds - (seconds if own else 0.0)
        if wall < _LEAST_SECONDS and seconds:
            raise _unfinished(f"it was not done within {float(own or 0):g} seconds")
        return replace(
            planned,
            run_id=errand.run_id,
            round=round,
            nonce=nonce(errand.run_id, "task", round, policy.nonce_salt),
            checkout=folder,
            wall_seconds=wall,
            judge=guarding.tools(errand.task, errand.run_id) if guarding else None,
        )

    async def _checkpoint(self, round: int) -> _Checkpoint:
        """Return what a piece goes on with; one that was left half-way knows more than the one before."""
        errand = self.prepared.errand
        trace, run = errand.tools.trace, errand.run_id
        if errand.recovery is Recovery.RESTART:
            return _Checkpoint()
        if errand.recovery is Recovery.LAST_LINES:
            return _Checkpoint(lines=await self._last_lines(), made=await trace.patch(run, _MADE) or "")
        for name in (f"work-{round}-left", f"work-{round - 1}"):
            if session := await kept(errand.tools, run, f"{name}-session"):
                return _Checkpoint(session, made=await trace.patch(run, f"{name}-made") or "")
        lines = await self._last_lines() if round > 1 else ""
        return _Checkpoint(lines=lines, made=await trace.patch(run, f"work-{round - 1}-made") or "")

    async def _last_lines(self) -> str:
        errand, lines, seq = self.prepared.errand, LastLines(), 0
        while events := await errand.tools.trace.events_after(errand.run_id, seq):
            lines.add(events)
            seq = events[-1].seq
        return lines.text

    async def _ask(
        self, ground: Ground, request: FixRequest, purse: Purse, point: _Checkpoint, done: str
    ) -> FixAnswer:
        """Ask in the checkpoint's session; where there is none, or it is lost, in a new one."""
        if point.session is not None:
            words = prompts.task_goes_on(self._head(request), done)
            try:
                going_on = replace(request, prompt=words, session=point.session)
                return await self._exchange(ground, going_on, purse)
            except PermanentError as lost:
                if lost.code != "model_session_lost":
                    raise
                purse.add(Usage(cost_usd=lost.cost_usd))
                point = replace(point, lines=await self._last_lines())
                told = f"{lost.code}: {lost.message} A new session is begun, with the last lines."
                await self.prepared.errand.tools.trace.emit(request.run_id, "error", {"message": told})
        return await self._exchange(ground, replace(request, prompt=self._words(request, point)), purse)

    async def _exchange(self, ground: Ground, request: FixRequest, purse: Purse) -> FixAnswer:
        """Make one request, and keep how far it came whatever ends it."""
        errand = self.prepared.errand
        tools, name = errand.tools, f"work-{request.round}"
        if request.round == 1 and request.session is None:
            line = command_line(request, tools.policy.claude_args)
            await tools.trace.put_artifact(request.run_id, "command", f"{line}\n")
        async with self._keeping(ground, request) as notice:
            try:
                answer = await exchange(tools, name, request, purse, notice)
            except AiOpsError as cut_off:
                if isinstance(cut_off.session, Session) and request.checkout is not None:
                    await self._keep_left(ground, request, request.checkout, cut_off.session)
                raise
        if not answer.text.strip() and not answer.unfinished:
            raise failure("model_empty_answer")
        return answer

    async def _keep_left(self, ground: Ground, request: FixRequest, folder: Path, session: Session) -> None:
        """Keep a piece that was cut off; that it cannot be kept does not take the failure's place."""
        name, tools = f"work-{request.round}-left", self.prepared.errand.tools
        with contextlib.suppress(AiOpsError):
            await tools.trace.put_patch(request.run_id, f"{name}-made", await ground.kept(folder))
            await keep(tools, request.run_id, f"{name}-session", FixAnswer("", Usage(), session=session))

    @contextlib.asynccontextmanager
    async def _keeping(self, ground: Ground, request: FixRequest) -> AsyncIterator[Any]:
        """Yield what is to be told of each thing seen; edits are then kept while a long piece goes on."""
        if self.prepared.errand.recovery is not Recovery.LAST_LINES or not request.writes:
            yield lambda _kind, _data: None
            return
        touched = asyncio.Event()

        def notice(kind: str, _data: dict[str, Any]) -> None:
            if kind == "tool_result":
                touched.set()

        keeping = asyncio.create_task(self._keep_edits(ground, request, touched))
        try:
            yield notice
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)

    async def _keep_edits(self, ground: Ground, request: FixRequest, touched: asyncio.Event) -> None:
        trace = self.prepared.errand.tools.trace
        while request.checkout is not None:
            await touched.wait()
            touched.clear()
            try:
                await trace.put_patch(request.run_id, _MADE, await ground.kept(request.checkout))
            except AiOpsError as unkept:  # the next use of a tool tries again
                log.warning("run %s: its edits are not kept yet: %s", request.run_id, unkept.code)
            await asyncio.sleep(_KEEP_EVERY)

    async def _keep(self, round: int, answer: FixAnswer, made: str) -> bool:
        """Keep the checkpoint of a piece after which there is more to do, and say whether there is."""
        errand = self.prepared.errand
        if answer.unfinished:
            await errand.tools.trace.put_patch(errand.run_id, f"work-{round}-made", made)
            await keep(errand.tools, errand.run_id, f"work-{round}-session", answer)
        return answer.unfinished

    async def _finish(self, ground: Ground, folder: Path, answer: FixAnswer, made: str) -> str:
        """Keep what there is for people, and what a proposal is made of."""
        errand = self.prepared.errand
        trace, run = errand.tools.trace, errand.run_id
        await trace.put_artifact(run, "answer", answer.text, "text/markdown")
        await trace.put_patch(run, "made", made)
        refused = [*self._refused, *(each for each in answer.refused if each not in self._refused)]
        if refused:
            await trace.put_artifact(run, "refused-hosts", "\n".join(refused) + "\n")
        if not errand.powers.writes:
            return "it changes nothing by its type"
        return await ground.put_artifacts(folder, made)

    def _head(self, request: FixRequest) -> prompts.Head:
        return prompts.Head(request.run_id, request.round, request.nonce, request.nonce[:16], FixMode.AGENTIC)

    def _words(self, request: FixRequest, point: _Checkpoint) -> str:
        payload = self.prepared.errand.task.payload
        return prompts.task(
            self._head(request),
            str(payload.get("prompt", "")),
            name=str(payload.get("name") or ""),
            description=str(payload.get("description") or ""),
            resumed=point.lines,
            inputs=[(each["name"], each["text"]) for each in payload.get("inputs") or ()],
            commits=request.writes and self.prepared.base is not None,
        )


def _unfinished(why: str) -> AiOpsError:
    step = "Give it more time (timeout_seconds), or ask for less; what it wrote is with its trace."
    return failed("task_unfinished", why, next_step=step)
