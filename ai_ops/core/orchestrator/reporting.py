"""From what a run found to the report that people read; every text is redacted on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ai_ops.core import diff
from ai_ops.core import report as words
from ai_ops.core.identity import personal
from ai_ops.core.orchestrator.money import cost_of
from ai_ops.core.orchestrator.recalling import precedents
from ai_ops.core.orchestrator.scene import Job
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import Outcome
from ai_ops.core.report import Report
from ai_ops.core.risks import risks
from ai_ops.core.suspects import author, subject
from ai_ops.core.wording import counted
from ai_ops.flow.issue import Issue
from ai_ops.flow.pull_request import Reviewer
from ai_ops.flow.suspects import SuspectCommit, Suspects
from ai_ops.flow.task import Priority, Proof, Task, Verdict


@dataclass(frozen=True, slots=True)
class Findings:
    """What a run found out: the verdict, the fixer's words, the commands, the change.

    ``tried`` is what came before it in vain; ``bug_cases`` are the ids of those that the fixer was shown.
    ``where`` is the innermost line of the trace in the repository.
    """

    proof: Proof
    cause: str = ""
    summary: str = ""
    commands: tuple[str, ...] = ()
    reproduction: tuple[str, ...] = ()
    patch: str = ""
    tried: tuple[str, ...] = ()
    bug_cases: tuple[str, ...] = ()
    suspects: Suspects = field(default_factory=Suspects)
    where: str = ""

    @property
    def changed(self) -> str:
        """The first file of the change that is not its own test; empty when there is none."""
        paths = (file.path for file in diff.parse(self.patch))
        return next((path for path in paths if path not in self.reproduction), "")


async def build_report(
    job: Job,
    findings: Findings,
    *,
    diagnosis: str = "",
    next_step: str = "",
    pr_url: str = "",
    reviewers: Sequence[Reviewer] = (),
) -> Report:
    """Return the report of a run."""
    tools, task, sample = job.tools, job.task, job.issue.sample
    redact, url = tools.redact, tools.policy.public_url
    return Report(
        title=words.title(sample.error, findings.changed),
        error=sample.error,
        proof=redacted(findings.proof, redact),
        cause=redact(findings.cause),
        summary=redact(findings.summary),
        diagnosis=redact(diagnosis),
        next_step=next_step,
        commands=tuple(redact(command) for command in findings.commands),
        reproduction=findings.reproduction,
        occurrences=job.issue.count,
        service=sample.service,
        environment=sample.environment,
        release=sample.release,
        cost_usd=await cost_of(tools, task),
        trace_id=job.run_id,
        trace_url=f"{url}/v1/traces/{job.run_id}" if url else "",
        task_id=task.id,
        task_url=f"{url}/v1/tasks/{task.id}" if url else "",
        pr_url=pr_url,
        where=findings.where,
        issue_id=job.issue.id,
        tried=tuple(redact(each) for each in findings.tried),
        risks=tuple(redact(each) for each in risks(findings.proof, findings.patch, findings.reproduction)),
        precedents=await precedents(job, findings.bug_cases),
        diff=redact(findings.patch),
        suspects=_shown(findings.suspects, redact),
        banners=_banners(tools, task, findings.proof, published=not next_step),
        reviewers=tuple(_person(each, redact) for each in reviewers),
        urgent=task.priority is Priority.URGENT,
    )


def redacted(proof: Proof, redact: Callable[[str], str]) -> Proof:
    """Return a proof whose reasons hold no secrets: they quote tests and answers."""
    reasons = (replace(each, place=redact(each.place), text=redact(each.text)) for each in proof.reasons)
    return replace(proof, reasons=tuple(reasons))


def _person(reviewer: Reviewer, redact: Callable[[str], str]) -> Reviewer:
    """Return a reviewer whose name and reason hold no secrets; the address is for mail alone."""
    return replace(reviewer, name=redact(reviewer.name), reason=redact(reviewer.reason))


def _shown(suspects: Suspects, redact: Callable[[str], str]) -> Suspects:
    """Return suspects whose names and subjects hold no secrets."""

    def shown(commits: tuple[SuspectCommit, ...]) -> tuple[SuspectCommit, ...]:
        return tuple(replace(c, author=redact(author(c)), subject=redact(subject(c))) for c in commits)

    release = suspects.release
    return Suspects(shown(suspects.commits), release and replace(release, commits=shown(release.commits)))


def redacted_issue(issue: Issue, redact: Callable[[str], str]) -> Issue:
    """Return an issue without the secrets that this server knows and its agent did not."""
    error = issue.sample.error
    error = replace(error, raw_excerpt=redact(error.raw_excerpt), message=redact(error.message))
    context = tuple(redact(line) for line in issue.sample.context)
    return replace(issue, sample=replace(issue.sample, error=error, context=context))


async def send(job: Job, key: str, report: Report) -> Outcome:
    """Put the report's mails into the outbox, durably, and try to deliver them at once.

    One goes to all of ``RECEIVER_EMAIL``, and one to each reviewer with an address, which says why it comes:
    so nobody learns of the others' addresses, and one that is refused keeps no other mail back.
    """
    tools = job.tools
    letters = list(_letters(key, report, tools.policy.recipients))
    if not letters:
        return {"words": "no mail: RECEIVER_EMAIL is not set"}
    for each, told, to in letters:
        await tools.outbox.put(tools.mailroom.render(each, told, to, tools.clock.now()))
    sent = await tools.mailroom.deliver_due()
    readers = len({address.lower() for _, _, to in letters for address in to})
    words = f"one mail to {counted(readers, 'receiver')}"
    waits = any(each not in sent for each, _, _ in letters)
    return {"key": key, "words": f"{words} (waits in the outbox)" if waits else words}


def _letters(
    key: str, report: Report, recipients: Sequence[str]
) -> Iterator[tuple[str, Report, tuple[str, ...]]]:
    """Yield each mail's key, report and receivers. Nobody gets two."""
    if recipients:
        yield key, report, tuple(recipients)
    told = {address.lower() for address in recipients}
    for reviewer in report.reviewers:
        address = reviewer.email.lower()
        if address and address not in told:
            told.add(address)
            because = f"you could review it: {reviewer.reason}"
            yield f"{key}:{personal(address)}", replace(report, because=because), (reviewer.email,)


def _banners(tools: Tools, task: Task, proof: Proof, *, published: bool) -> tuple[str, ...]:
    banners = []
    if storm := task.payload.get("storm"):
        others = counted(len(storm["fingerprints"]) - 1, "other new error")
        releases = tools.redact(f"{storm['release_before']} to {storm['release_after']}")
        banners.append(f"It stands for {others} since the release changed from {releases}; they wait for it.")
    if published and proof.verdict is Verdict.UNPROVED:
        banners.append(
            "This change is not proved. It is here because a person, or REQUIRE_PROOF=false, asked."
        )
    if tools.policy.sandbox == "off":
        banners.append("SANDBOX=off: the tests ran without isolation on the server.")
    return tuple(banners)
