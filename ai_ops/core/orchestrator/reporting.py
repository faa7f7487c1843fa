"""From what a run found to the report that people read; every text is redacted on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ai_ops.core import report as words
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.report import Report
from ai_ops.flow.issue import Issue
from ai_ops.flow.task import Proof, Task, Verdict


@dataclass(frozen=True, slots=True)
class Findings:
    """What a run found out: the verdict, the fixer's words, the commands, the change."""

    proof: Proof
    cause: str = ""
    summary: str = ""
    commands: tuple[str, ...] = ()
    reproduction: tuple[str, ...] = ()
    patch: str = ""


def build_report(
    tools: Tools, task: Task, issue: Issue, run_id: str, findings: Findings, *, diagnosis: str = ""
) -> Report:
    """Return the report of a run."""
    redact = tools.redact
    policy = tools.policy
    reasons = tuple(replace(r, text=redact(r.text)) for r in findings.proof.reasons)
    sample = issue.sample
    return Report(
        title=words.title(sample.error),
        error=sample.error,
        proof=Proof(findings.proof.verdict, reasons),
        cause=redact(findings.cause),
        summary=redact(findings.summary),
        diagnosis=redact(diagnosis),
        commands=tuple(redact(command) for command in findings.commands),
        reproduction=findings.reproduction,
        occurrences=issue.count,
        service=sample.service,
        environment=sample.environment,
        release=sample.release,
        cost_usd=task.cost_usd,
        trace_id=run_id,
        trace_url=f"{policy.public_url}/v1/traces/{run_id}" if policy.public_url else "",
        task_url=f"{policy.public_url}/v1/tasks/{task.id}" if policy.public_url else "",
        diff=findings.patch,
        banners=_banners(tools, findings.proof),
    )


def _banners(tools: Tools, proof: Proof) -> tuple[str, ...]:
    banners = []
    if proof.verdict is Verdict.UNPROVED:
        banners.append(
            "This change is not proved. It is here because a person, or REQUIRE_PROOF=false, asked."
        )
    if tools.policy.sandbox == "off":
        banners.append("SANDBOX=off: the tests ran without isolation on the server.")
    return tuple(banners)
