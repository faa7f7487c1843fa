"""One request to the fixer, and what it did to the checkout. Both modes end in edited files.

A round after the first of a request goes on with the session of the round before it, in agentic mode, and
a revision with that of the change. Each begins from the same checkout as the first, so a new session can take
its place at any time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ai_ops.core import code_blocks, context, prompts
from ai_ops.core.identity import nonce
from ai_ops.core.orchestrator.money import Purse, call_budget
from ai_ops.core.orchestrator.reaching import reached_out, written_path
from ai_ops.core.orchestrator.scene import Scene
from ai_ops.core.orchestrator.sessions import Notice, exchange, keep, kept
from ai_ops.core.orchestrator.showing import head, say_what_is_shown
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.prompts import Words, parse_words
from ai_ops.errors import PermanentError
from ai_ops.flow.fixing import FixAnswer, FixMode, FixRequest, Purpose, Session
from ai_ops.flow.run import Usage
from ai_ops.flow.task import Reason

EDIT_TOOLS = ("Read", "Edit", "Write", "Glob", "Grep")
MAX_REPORTS = 2
"""How often an answer that could not be applied goes back with its problems."""
_BREACHES = frozenset({"diff_too_large", "checkout_damaged"})
"""Failures of taking the difference that are the fixer's doing."""

PromptFor = Callable[[str, str], str]
"""(nonce, report on the last answer) → the prompt."""
_GONE_ON_WITH = frozenset({Purpose.FIX, Purpose.REVISE})
"""Whose last session is kept, too: a revision of the change goes on with it."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """The session of an earlier run, and what is asked in it, for a nonce."""

    session: Session
    prompt_for: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked in a scene, about which checkout, from whose money.

    ``feedback`` is what was found of the last round's answer, empty in the first round. ``choice`` and
    ``tests`` are what the prompt holds of files: only one that is whole there may be replaced without a look.
    ``earlier`` is what the first round goes on with. With ``may_decline`` an answer may change nothing.
    """

    scene: Scene
    purpose: Purpose
    round: int
    checkout: Path
    prompt_for: PromptFor
    purse: Purse
    choice: context.Choice
    feedback: str = ""
    tests: Sequence[context.ContextFile] = ()
    earlier: Earlier | None = None
    may_decline: bool = False

    @property
    def shown(self) -> tuple[context.ContextFile, ...]:
        """The files and parts of files that the prompt holds."""
        return (*self.choice.files, *self.tests)

    @property
    def tools(self) -> Tools:
        """The ports."""
        return self.scene.tools

    @property
    def run_id(self) -> str:
        """The run."""
        return self.scene.run_id

    def nonce(self, attempt: int) -> str:
        """Return the word that marks the blocks of one answer; nobody else can know it."""
        return nonce(self.run_id, f"{self.purpose}:{attempt}", self.round, self.tools.policy.nonce_salt)

    @property
    def session_before(self) -> str:
        """Return the name that the session of the round before is kept under."""
        return f"{self.purpose}-{self.round - 1}-session"

    @property
    def session_of_this(self) -> str:
        """Return the name for the session of this round."""
        return f"{self.purpose}-{self.round}-session"


@dataclass(frozen=True, slots=True)
class Asked:
    """The answer's words for people, the change that it made, and why there is none, if so.

    ``session`` is the id of the conversation, where the fixer has one. ``out_of_bounds`` when the problems
    are an attack or a breach of limits, and not clumsiness: then nobody asks again.
    """

    words: Words
    patch: str = ""
    problems: tuple[Reason, ...] = ()
    session: str = ""
    out_of_bounds: bool = False


async def ask(question: Question) -> Asked:
    """Ask, apply the answer to the checkout, and keep prompt and answer as artifacts."""
    report = ""
    attempt = 0
    while True:
        answer, written = await _ask_once(question, attempt, report)
        words = parse_words(answer.text)
        refused = await _apply(question, answer, attempt, written)
        if refused is None:
            return replace(await _taken(question, words), session=answer.session_id)
        attempt += 1
        if refused.final or attempt > MAX_REPORTS:
            reasons = tuple(Reason(p.rule, p.place, p.text) for p in refused.problems)
            return Asked(words, problems=reasons, out_of_bounds=refused.final)
        report = code_blocks.report(refused.problems)
        await question.tools.trace.emit(question.run_id, "error", {"message": report})


async def _ask_once(question: Question, attempt: int, report: str) -> tuple[FixAnswer, tuple[str, ...]]:
    """Return the answer, and the paths that its tools wrote to or tried to."""
    tools, scene = question.tools, question.scene
    budget = await call_budget(tools, question.purse, scene.own_limit)
    name = f"{question.purpose}-{question.round}" + (f".{attempt}" if attempt else "")
    block = question.nonce(attempt)
    prompt = question.prompt_for(block, report)
    if attempt == 0:
        await say_what_is_shown(scene, name, question.choice)
    agentic = scene.mode is FixMode.AGENTIC
    goes_on = question.round < tools.policy.max_rounds or question.purpose in _GONE_ON_WITH
    request = FixRequest(
        run_id=question.run_id,
        purpose=question.purpose,
        round=question.round,
        nonce=block,
        mode=scene.mode,
        prompt=prompt,
        checkout=question.checkout if agentic else None,
        tools=EDIT_TOOLS if agentic else (),
        writes=agentic,
        budget_usd=budget,
        model=tools.policy.model,
        wall_seconds=tools.policy.wall_seconds,
        idle_seconds=tools.policy.idle_seconds,
        keep_session=agentic and goes_on,
    )
    written: list[str] = []

    def notice(kind: str, data: dict[str, Any]) -> None:
        if path := written_path(kind, data):
            written.append(path)

    answer = await _in_session(question, name, request, notice) if agentic else None
    if answer is None:
        written.clear()  # by a session that could not be gone on with
        answer = await exchange(tools, name, request, question.purse, notice)
    if agentic and goes_on:
        await keep(tools, question.run_id, question.session_of_this, answer)
    return answer, tuple(written)


async def _in_session(question: Question, name: str, request: FixRequest, notice: Notice) -> FixAnswer | None:
    """Ask in the session before; None when there is none, or it cannot be gone on with."""
    tools = question.tools
    found = await _earlier(question)
    if found is None:
        return None
    session, words = found.session, found.prompt_for(request.nonce)
    try:
        going_on = replace(request, prompt=words, session=session)
        return await exchange(tools, name, going_on, question.purse, notice)
    except PermanentError as failure:
        if failure.code != "model_session_lost":
            raise
        question.purse.add(Usage(cost_usd=failure.cost_usd))
        told = f"{failure.code}: {failure.message} A new session is asked, with what was found."
        await tools.trace.emit(question.run_id, "error", {"message": told})
        return None


async def _earlier(question: Question) -> Earlier | None:
    """Return the session to go on with: that of the round before, or an earlier run's."""
    if not question.feedback:
        return question.earlier
    session = await kept(question.tools, question.run_id, question.session_before)

    def prompt_for(block: str) -> str:
        return prompts.again(question.purpose, head(question.scene, question.round, block), question.feedback)

    return Earlier(session, prompt_for) if session else None


async def _apply(
    question: Question, answer: FixAnswer, attempt: int, written: tuple[str, ...]
) -> code_blocks.Refused | None:
    """Write all of the answer's blocks into the checkout, or none and say why."""
    if question.scene.mode is FixMode.AGENTIC:  # it has edited the checkout itself
        return await asyncio.to_thread(_judge_paths, question, written) if written else None
    # Matching a long answer takes its time; the loop goes on meanwhile.
    plan = await asyncio.to_thread(_plan, question, answer.text, question.nonce(attempt))
    if isinstance(plan, code_blocks.Refused):
        declined = question.may_decline and [p.rule for p in plan.problems] == ["no_blocks"]
        return None if declined else plan
    tools = question.tools
    await asyncio.to_thread(tools.edits.write, question.checkout, plan.changes)
    if plan.notes:
        await tools.trace.emit(question.run_id, "text", {"text": "applied with: " + "; ".join(plan.notes)})
    return None


def _judge_paths(question: Question, written: tuple[str, ...]) -> code_blocks.Refused | None:
    return reached_out(written, question.tools.edits.tree(question.checkout), _roots(question.scene))


def _roots(scene: Scene) -> tuple[str, ...]:
    return context.roots(scene.error.frames, scene.project.files)


def _plan(question: Question, text: str, block: str) -> code_blocks.Plan | code_blocks.Refused:
    blocks = code_blocks.parse(text, block)
    if isinstance(blocks, code_blocks.Refused):
        return blocks
    edits = question.tools.edits
    return code_blocks.plan(
        blocks,
        lambda path: edits.read(question.checkout, path),
        edits.tree(question.checkout),
        roots=_roots(question.scene),
        shown=frozenset(file.path for file in question.shown if file.whole),
        sent=_sent(question.shown),
        fuzzy=question.tools.policy.fuzzy_edits,
    )


def _sent(shown: Sequence[context.ContextFile]) -> dict[str, list[str]]:
    """Return the texts that were shown of each file."""
    sent: dict[str, list[str]] = {}
    for file in shown:
        sent.setdefault(file.path, []).append(file.text.removesuffix("\n"))
    return sent


async def _taken(question: Question, words: Words) -> Asked:
    """Take the difference to the base; one that cannot be taken is the answer's fault."""
    try:
        return Asked(words, await question.tools.git.diff(question.checkout))
    except PermanentError as failure:
        if failure.code not in _BREACHES:
            raise
        return Asked(words, problems=(Reason(failure.code, "", failure.message),), out_of_bounds=True)
