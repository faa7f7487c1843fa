"""Values ↔ the small JSON that steps return and working data is kept as."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from ai_ops.core.budgets import BUDGET_CODES
from ai_ops.errors import PermanentError
from ai_ops.flow.event import Frame
from ai_ops.flow.issue import TriageClass, TriageDecision, TriageJudge
from ai_ops.flow.pull_request import HostedPullRequest, PullRequestState
from ai_ops.flow.report import CaseOutcome, CaseResult, RunEnd, SuiteReport
from ai_ops.flow.run import Usage
from ai_ops.flow.suspects import SuspectCommit, SuspectRelease, Suspects
from ai_ops.flow.task import Proof, Reason, Verdict

_TIMES = ("merged_at", "closed_at")


def reasons_to_json(reasons: Iterable[Reason]) -> list[dict[str, str]]:
    """Return reasons as ``{rule, place, text, severity}`` objects."""
    return [asdict(reason) for reason in reasons]


def reasons_from_json(values: Iterable[Mapping[str, str]]) -> tuple[Reason, ...]:
    """Return reasons."""
    return tuple(
        Reason(value["rule"], value["place"], value["text"], value.get("severity", "")) for value in values
    )


def proof_to_json(proof: Proof) -> dict[str, Any]:
    """Return a proof as ``{verdict, reasons}``."""
    return {"verdict": proof.verdict, "reasons": reasons_to_json(proof.reasons)}


def proof_from_json(value: Mapping[str, Any]) -> Proof:
    """Return a proof."""
    verdict = Verdict(value["verdict"]) if value["verdict"] else None
    return Proof(verdict, reasons_from_json(value["reasons"]))


def budget_reason(failure: PermanentError) -> Reason:
    """Return why a run stopped where it is; a failure that is not a spent budget goes on its way."""
    if failure.code not in BUDGET_CODES:
        raise failure
    return Reason(failure.code, "", f"{failure.message}. {failure.next_step}")


def triage_from_json(value: Mapping[str, Any]) -> TriageDecision:
    """Return a triage decision."""
    judge = TriageJudge(value.get("judge", TriageJudge.RULES))  # before models judged, none was said
    return TriageDecision(TriageClass(value["triage_class"]), value["repair"], value["reason"], judge)


def suspects_to_json(suspects: Suspects) -> dict[str, Any]:
    """Return suspects; times as ISO text."""
    release = suspects.release
    return {
        "commits": [_commit_to_json(commit) for commit in suspects.commits],
        "release": release
        and asdict(release) | {"commits": [_commit_to_json(commit) for commit in release.commits]},
    }


def suspects_from_json(value: Mapping[str, Any] | None) -> Suspects:
    """Return suspects; none where nothing was kept."""
    if not value:
        return Suspects()
    release = value["release"]
    return Suspects(
        tuple(_commit_from_json(commit) for commit in value["commits"]),
        release
        and SuspectRelease(**{**release, "commits": tuple(_commit_from_json(c) for c in release["commits"])}),
    )


def _commit_to_json(commit: SuspectCommit) -> dict[str, Any]:
    return asdict(commit) | {"at": commit.at.isoformat()}


def _commit_from_json(value: Mapping[str, Any]) -> SuspectCommit:
    at = datetime.fromisoformat(value["at"])
    return SuspectCommit(**{**value, "at": at, "places": tuple(value["places"])})


def usage_to_json(usage: Usage) -> dict[str, Any]:
    """Return a usage; the trace adds it to its run."""
    return asdict(usage)


def hosted_to_json(hosted: HostedPullRequest) -> dict[str, Any]:
    """Return what a code host answered; times as ISO text."""
    times = {name: at.isoformat() if (at := getattr(hosted, name)) else None for name in _TIMES}
    return asdict(hosted) | times


def hosted_from_json(value: Mapping[str, Any]) -> HostedPullRequest:
    """Return what a code host answered."""
    times = {name: datetime.fromisoformat(value[name]) for name in _TIMES if value.get(name)}
    return HostedPullRequest(**{**value, **times, "state": PullRequestState(value["state"])})


def report_to_json(report: SuiteReport) -> str:
    """Return a test report as JSON text."""
    return json.dumps(asdict(report))


def report_from_json(text: str) -> SuiteReport:
    """Return a test report."""
    value = json.loads(text)
    results = value["results"]
    cases = None if results is None else tuple(_case(result) for result in results)
    return SuiteReport(
        RunEnd(value["end"]),
        value["exit_code"],
        cases,
        value["output"],
        value["duration_seconds"],
        tuple(value.get("argv", ())),
    )


def _case(value: Mapping[str, Any]) -> CaseResult:
    frames = tuple(Frame(**frame) for frame in value["frames"])
    return CaseResult(
        value["id"], CaseOutcome(value["outcome"]), value["exception_type"], value["message"], frames
    )


def command_of(report: SuiteReport) -> str:
    """Return the command of a test run, for people: that of a shell as it was written, with its paths."""
    match report.argv:
        case ("sh", "-c", line, _, *words):
            return line.replace('"$@"', " ".join(words))
    return " ".join(report.argv)


def describe_report(report: SuiteReport) -> str:
    """Return a test report for people: what ran, what failed and how, and the end of the output."""
    results = report.results or ()
    failed = [r for r in results if r.outcome in (CaseOutcome.FAILED, CaseOutcome.ERROR)]
    lines = [
        f"$ {command_of(report)}",
        f"ended: {report.end}, exit code {report.exit_code}, {report.duration_seconds:.2f} s",
        f"tests: {len(results)}, failed: {len(failed)}" if report.results is not None else "no report",
    ]
    lines += [f"FAILED {r.id}: {r.exception_type}: {r.message}" for r in failed[:200]]
    return "\n".join([*lines, "", report.output[-20_000:]])
