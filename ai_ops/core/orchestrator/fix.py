"""The second request: the smallest change that removes the cause; then it is guarded and verified."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace

from ai_ops.core import context, guard, prompts, proof
from ai_ops.core.diagnosis import tried_in_vain
from ai_ops.core.orchestrator.asking import Asked, Question, ask
from ai_ops.core.orchestrator.money import Purse, accounted
from ai_ops.core.orchestrator.recalling import failed_fixes, is_again, recall, told
from ai_ops.core.orchestrator.records import (
    budget_reason,
    proof_from_json,
    proof_to_json,
    reasons_from_json,
    reasons_to_json,
    usage_to_json,
)
from ai_ops.core.orchestrator.reproduce import Reproduction
from ai_ops.core.orchestrator.scene import Scene
from ai_ops.core.orchestrator.showing import both, chosen, evidence, head, named_files
from ai_ops.core.orchestrator.suites import checkout_of, collected_files
from ai_ops.core.orchestrator.together import together
from ai_ops.core.orchestrator.verify import RUNS, base_report, verify_base, verify_fix
from ai_ops.core.ports import Outcome
from ai_ops.core.wording import counted
from ai_ops.errors import PermanentError
from ai_ops.flow.fixing import Purpose
from ai_ops.flow.pull_request import PullRequest
from ai_ops.flow.task import Proof, Reason, Verdict


@dataclass(frozen=True, slots=True)
class Fix:
    """The last change that was tried, and what was judged of it.

    ``final`` when no further answer is wanted: it is proved, it was an attack, or what is missing is not
    the fix's to give. ``tried`` are the changes before it; ``bug_cases`` the ids of those that were shown.
    """

    proof: Proof
    words: prompts.Words
    patch: str = ""
    commands: tuple[str, ...] = ()
    final: bool = False
    tried: tuple[str, ...] = ()
    bug_cases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asking:
    """How a change is asked for: the purpose, which names the step too, and the request.

    ``ask`` takes round, feedback and purse, and returns the answer with the ids of the cases that it was
    shown. ``unchanged`` is the patch of an answer that does nothing, ``nothing`` what is said of one;
    with ``may_decline`` such an answer is taken for a word, and is not asked for again.
    """

    purpose: Purpose
    ask: Callable[[int, str, Purse], Awaitable[tuple[Asked, tuple[str, ...]]]]
    unchanged: str
    nothing: str
    may_decline: bool = False


async def find_fix(scene: Scene, reproduction: Reproduction, *, earlier: tuple[str, ...] = ()) -> Fix:
    """Ask for a fix and judge it, at most as often as the policy and the budget allow.

    ``earlier`` is what is told of a change of before, masked; it comes before similar bugs of the past.
    """

    async def first(round: int, feedback: str, purse: Purse) -> tuple[Asked, tuple[str, ...]]:
        cases = await recall(scene)
        past = (*earlier, *told(scene, cases))
        failed = await failed_fixes(scene)
        asked = await _ask(scene, reproduction, round, feedback, purse, past, failed)
        return asked, tuple(case.id for case in cases)

    nothing = "the answer changes nothing but the tests"
    return await find_change(scene, reproduction, Asking(Purpose.FIX, first, reproduction.patch, nothing))


async def find_change(scene: Scene, reproduction: Reproduction, asking: Asking) -> Fix:
    """Ask for a change and judge it, at most as often as the policy and the budget allow."""
    flaky = await verify_base(scene, reproduction)
    fix = Fix(Proof(Verdict.UNPROVED, reproduction.reasons), prompts.Words())
    feedback = ""
    tried: tuple[str, ...] = ()
    for round in range(1, scene.tools.policy.max_rounds + 1):
        try:
            answered = await _round(scene, reproduction, asking, flaky, round, feedback)
            fix = replace(answered, tried=tried)
        except PermanentError as failure:
            reasons = (budget_reason(failure), *fix.proof.reasons)
            return replace(fix, proof=replace(fix.proof, reasons=reasons))
        if fix.final:
            break
        tried = (*tried, tried_in_vain(asking.purpose, round, fix.proof.reasons))
        if round < scene.tools.policy.max_rounds:
            feedback = await evidence(scene, fix.proof.reasons, *(f"{name}-{round}-report" for name in RUNS))
    return fix


async def _round(
    scene: Scene,
    reproduction: Reproduction,
    asking: Asking,
    flaky: Sequence[Reason],
    round: int,
    feedback: str,
) -> Fix:
    """Ask, then judge what was answered."""

    async def change() -> Outcome:
        async with accounted(scene.tools, scene.run_id) as purse:
            return await _change(scene, asking, round, feedback, purse)

    asked = await scene.steps.run(asking.purpose, round, change)
    words, shown = prompts.Words(**asked["said"]), tuple(asked.get("bug_cases", ()))
    if asked["proof"]:
        return Fix(proof_from_json(asked["proof"]), words, final=asked["final"], bug_cases=shown)
    patch = await scene.tools.trace.patch(scene.run_id, asked["patch"]) or ""
    judged = await judge(scene, reproduction, flaky, round, patch)
    return replace(judged, words=words, bug_cases=shown)


async def judge(
    scene: Scene, reproduction: Reproduction, flaky: Sequence[Reason], round: int, patch: str
) -> Fix:
    """Guard, verify. What the guard blocks is not run. ``flaky`` is what ``verify_base`` found."""
    words = prompts.Words()

    async def check() -> Outcome:
        return await _guard(scene, reproduction, patch)

    guarded = await scene.steps.run("guard", round, check)
    if guarded["proof"]:
        return Fix(proof_from_json(guarded["proof"]), words, patch)

    async def verify() -> Outcome:
        return await verify_fix(scene, reproduction, flaky, round, patch)

    verified = await scene.steps.run("verify", round, verify)
    judged = proof_from_json(verified["proof"])
    judged = replace(judged, reasons=judged.reasons + reasons_from_json(guarded["warnings"]))
    return Fix(judged, words, patch, tuple(verified["commands"]), verified["final"])


async def _change(scene: Scene, asking: Asking, round: int, feedback: str, purse: Purse) -> Outcome:
    asked, cases = await asking.ask(round, feedback, purse)
    outcome: Outcome = {"said": asdict(asked.words), "usage": usage_to_json(purse.usage), "patch": ""}
    outcome |= {"bug_cases": list(cases), "session": asked.session}
    if asked.problems:
        return outcome | _refused(*asked.problems, blocked=asked.out_of_bounds, final=asked.out_of_bounds)
    if asked.patch.strip() == asking.unchanged.strip():
        return outcome | _refused(Reason("no_change", "", asking.nothing), final=asking.may_decline)
    masked = await asyncio.to_thread(scene.tools.redact, asked.patch)
    once_more = is_again(masked, scene.project.base.sha, await failed_fixes(scene))
    if once_more is not None:
        words = f"this change was merged in episode {once_more.episode}, and the error came back with it"
        return outcome | _refused(Reason("same_fix_again", once_more.url, words))
    name = f"{asking.purpose}-{round}"
    await scene.tools.trace.put_patch(scene.run_id, name, asked.patch)
    await scene.tools.trace.put_artifact(scene.run_id, f"{name}-diff", asked.patch, "text/x-diff")
    return outcome | {"patch": name, "proof": None, "words": asked.words.summary[:200]}


async def _ask(
    scene: Scene,
    reproduction: Reproduction,
    round: int,
    feedback: str,
    purse: Purse,
    past: tuple[str, ...],
    failed: tuple[PullRequest, ...],
) -> Asked:
    project = scene.project
    checkout = await checkout_of(scene, "fix", reproduction.patch)
    tests = await asyncio.to_thread(named_files, scene, checkout, reproduction.paths)
    changes = tuple(one.diff for one in failed)
    taken = sum(map(context.tokens, (*past, *changes, *(test.text for test in tests))))
    shown = await asyncio.to_thread(chosen, scene, checkout, taken=taken, but=reproduction.paths)

    def prompt_for(block: str, report: str) -> str:
        return prompts.fix(
            head(scene, round, block),
            scene.error,
            scene.issue.sample.context,
            shown,
            project.plan,
            reproduction=tests,
            past=past,
            failed=changes,
            suspects=scene.suspects,
            feedback=both(feedback, report),
        )

    return await ask(
        Question(
            scene,
            Purpose.FIX,
            round=round,
            checkout=checkout,
            prompt_for=prompt_for,
            purse=purse,
            choice=shown,
            feedback=feedback,
            tests=tests,
        )
    )


def _refused(*reasons: Reason, blocked: bool = False, final: bool = False) -> Outcome:
    """Return the outcome of an answer that could not become a change."""
    verdict = Verdict.BLOCKED if blocked else Verdict.UNPROVED
    return {
        "proof": proof_to_json(Proof(verdict, reasons)),
        "final": final,
        "words": reasons[0].text,
    }


def _logged(scene: Scene) -> str:
    """Return what the log says of the error: its message, its record, and the lines before it."""
    error, context = scene.error, scene.issue.sample.context
    return "\n".join((error.message, error.raw_excerpt, *context))


async def _guard(scene: Scene, reproduction: Reproduction, patch: str) -> Outcome:
    """Ask the guard. Before and after are read from checkouts of ours, not from the fixer's."""
    tools = scene.tools
    base = await base_report(scene)
    before, after, proved = await together(
        checkout_of(scene, "base"),
        checkout_of(scene, "after", patch),
        checkout_of(scene, "proved", reproduction.patch),
    )

    def review() -> tuple[guard.Finding, ...]:
        return guard.review(
            patch,
            lambda path: tools.edits.read(before, path),
            lambda path: tools.edits.read(after, path),
            protected=scene.project.settings.protected_paths,
            reproduction={path: tools.edits.read(proved, path) or b"" for path in reproduction.paths},
            redact=tools.redact,
            exception_type=scene.error.exception_type,
            cause_types=scene.error.cause_types,
            test_files=collected_files(base),
            logged=_logged(scene),
            policy=scene.project.settings.guard,
        )

    findings = await asyncio.to_thread(review)
    if proof.is_blocked(findings):
        judged = proof.blocked(findings)
        return {"proof": proof_to_json(judged), "warnings": [], "words": judged.reasons[0].text}
    warnings = reasons_to_json(map(proof.reason, findings))
    return {"proof": None, "warnings": warnings, "words": f"allowed, {counted(len(warnings), 'warning')}"}
