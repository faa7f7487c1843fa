"""How a change is named where the repository's people read it: title, commit message, body.

All follow from the base commit and the operator's settings, so that a step that runs again says the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from ai_ops.core import conventional, pr_template
from ai_ops.core import report as words
from ai_ops.core.orchestrator.reporting import Findings
from ai_ops.core.orchestrator.scene import Job
from ai_ops.flow.repository import Base


async def title_of(job: Job, base: Base, findings: Findings) -> str:
    """Return the title of a change, as the history has its own: plain, or a Conventional Commit."""
    history = job.tools.history
    commits = await history.recent(job.repository, base.sha, conventional.MOST_SUBJECTS)
    plain = words.title(job.error, findings.changed)
    return conventional.title(plain, findings.changed, [commit.subject for commit in commits])


async def message_of(job: Job, base: Base, findings: Findings) -> str:
    """Return the message of a change's commit."""
    return words.commit_message(
        job.error,
        findings.reproduction,
        job.run_id,
        first_line=await title_of(job, base, findings),
        trailers=job.tools.policy.commits.trailers,
    )


async def template_of(job: Job, base: Base, files: Sequence[str]) -> str:
    """Return the repository's template for pull requests; empty where there is none that can be used."""
    path = pr_template.place_of(files, job.repository.code_host)
    data = await job.tools.git.read_file(job.repository, base.sha, path) if path else None
    text = (data or b"").decode("utf-8-sig", "replace")
    return text if len(text) <= pr_template.MOST else ""
