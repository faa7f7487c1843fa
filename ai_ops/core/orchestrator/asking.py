"""One request to the fixer, and what it did to the checkout. Both modes end in edited files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ai_ops.core import code_blocks
from ai_ops.core.identity import nonce
from ai_ops.core.orchestrator.money import call_budget
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.prompts import Words, parse_words
from ai_ops.errors import AiOpsError
from ai_ops.flow.fixing import FixAnswer, FixMode, FixRequest, Purpose
from ai_ops.flow.run import Usage
from ai_ops.flow.task import Reason

EDIT_TOOLS = ("Read", "Edit", "Write", "Glob", "Grep")
MAX_REPORTS = 2
"""How often an answer that could not be applied goes back with its problems."""

PromptFor = Callable[[str, str], str]
"""(nonce, report on the last answer) → the prompt."""


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks what, about which checkout. ``spent`` is what the run used before."""

    run_id: str
    purpose: Purpose
    round: int
    mode: FixMode
    checkout: Path
    prompt_for: PromptFor
    spent: Usage
    own_limit: float | None = None
    roots: tuple[str, ...] = ()
    shown: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Asked:
    """The answer's words for people, what it cost, and why it could not be applied, if so.

    ``out_of_bounds`` when the problems are an attack or a breach of limits, and not clumsiness.
    """

    words: Words
    usage: Usage
    problems: tuple[Reason, ...] = ()
    out_of_bounds: bool = False


async def ask(tools: Tools, question: Question) -> Asked:
    """Ask, apply the answer to the checkout, and keep prompt and answer as artifacts."""
    usage = Usage()
    report = ""
    attempt = 0
    while True:
        try:
            answer = await _ask_once(tools, question, attempt, report, usage)
        except AiOpsError as failure:
            # The step has no outcome that could carry it, but the money is spent.
            await tools.trace.add_usage(question.run_id, usage + Usage(cost_usd=failure.cost_usd))
            raise
        usage += answer.usage
        words = parse_words(answer.text)
        if question.mode is FixMode.AGENTIC:
            return Asked(words, usage)
        refused = await _apply(tools, question, answer, attempt)
        if refused is None:
            return Asked(words, usage)
        attempt += 1
        if refused.final or attempt > MAX_REPORTS:
            reasons = tuple(Reason(p.rule, p.place, p.text) for p in refused.problems)
            return Asked(words, usage, reasons, refused.final)
        report = code_blocks.report(refused.problems)
        await tools.trace.emit(question.run_id, "error", {"message": report})


async def _ask_once(tools: Tools, question: Question, attempt: int, report: str, usage: Usage) -> FixAnswer:
    name = f"{question.purpose}-{question.round}" + (f".{attempt}" if attempt else "")
    block = _nonce(tools, question, attempt)
    prompt = question.prompt_for(block, report)
    await tools.trace.put_artifact(question.run_id, f"{name}-prompt", prompt)
    request = FixRequest(
        run_id=question.run_id,
        purpose=question.purpose,
        round=question.round,
        nonce=block,
        mode=question.mode,
        prompt=prompt,
        checkout=question.checkout if question.mode is FixMode.AGENTIC else None,
        tools=EDIT_TOOLS if question.mode is FixMode.AGENTIC else (),
        writes=question.mode is FixMode.AGENTIC,
        budget_usd=await call_budget(tools, question.spent + usage, question.own_limit),
        model=tools.policy.model,
        wall_seconds=tools.policy.wall_seconds,
        idle_seconds=tools.policy.idle_seconds,
    )

    async def watch(kind: str, data: dict[str, object]) -> None:
        await tools.trace.emit(question.run_id, kind, data)

    answer = await tools.fixer.ask(request, watch)
    await tools.trace.put_artifact(question.run_id, f"{name}-answer", answer.text, "text/markdown")
    return answer


def _nonce(tools: Tools, question: Question, attempt: int) -> str:
    name = f"{question.purpose}:{attempt}"
    return nonce(question.run_id, name, question.round, tools.policy.nonce_salt)


async def _apply(
    tools: Tools, question: Question, answer: FixAnswer, attempt: int
) -> code_blocks.Refused | None:
    """Write all of the answer's blocks into the checkout, or none and say why."""
    blocks = code_blocks.parse(answer.text, _nonce(tools, question, attempt))
    if isinstance(blocks, code_blocks.Refused):
        return blocks
    checkout = question.checkout
    tree = await asyncio.to_thread(tools.edits.tree, checkout)
    plan = code_blocks.plan(
        blocks,
        lambda path: tools.edits.read(checkout, path),
        tree,
        roots=question.roots,
        shown=question.shown or None,
    )
    if isinstance(plan, code_blocks.Refused):
        return plan
    await asyncio.to_thread(tools.edits.write, checkout, plan.changes)
    if plan.notes:
        await tools.trace.emit(question.run_id, "text", {"text": "applied with: " + "; ".join(plan.notes)})
    return None
