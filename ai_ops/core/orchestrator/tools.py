"""What a run works with: the ports, and the policy of this server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from ai_ops.core.code_blocks import Tree
from ai_ops.core.commit_rules import CommitRules
from ai_ops.core.failures import failed
from ai_ops.core.notices import Notice
from ai_ops.core.orchestrator.guarding import Guarding
from ai_ops.core.ports import (
    BugCases,
    Builds,
    Clock,
    CodeHost,
    Fixer,
    FixWatches,
    Git,
    History,
    Issues,
    Ledger,
    Outbox,
    Pauses,
    Places,
    PullRequests,
    Sandbox,
    Tasks,
    Trace,
    Workspaces,
)
from ai_ops.core.project import TestPlan
from ai_ops.core.report import Report
from ai_ops.core.retry import RetryRules
from ai_ops.flow.bug_case import Reach
from ai_ops.flow.edits import FileChange
from ai_ops.flow.fixing import FixMode
from ai_ops.flow.notification import Notification
from ai_ops.flow.report import SuiteReport
from ai_ops.flow.repository import Repository


class Suites(Protocol):
    """Runs a repository's test commands in the sandbox."""

    async def check(self, plan: TestPlan) -> None:
        """Look whether the programs are there that the tests need; ``test_tool_missing`` when not."""
        ...

    async def run(
        self,
        checkout: Path,
        plan: TestPlan,
        *,
        out: Path,
        paths: Sequence[str] = (),
        setup_layer: Path | None = None,
    ) -> SuiteReport:
        """Run the suite, or only the tests in ``paths``, and return what was reported."""
        ...


class SetupLayers(Protocol):
    """Prepares what a repository's tests need, before any edit of a model."""

    async def ensure(self, repository: Repository, plan: TestPlan, checkout: Path) -> Path | None:
        """Return the folder that ``setup`` made, cached; None when there is no setup command."""
        ...


class Edits(Protocol):
    """Reads and writes a checkout without following links out of it."""

    def write(self, checkout: Path, changes: Sequence[FileChange]) -> None:
        """Write all changes."""
        ...

    def tree(self, checkout: Path) -> Tree:
        """Return what the checkout holds, without ``.git``."""
        ...

    def read(self, checkout: Path, path: str) -> bytes | None:
        """Return a regular file's bytes, or None."""
        ...


class Folders(Protocol):
    """The folders of this server that prompt tasks may work in."""

    def open(self, folder: str) -> Path:
        """Return a folder's real path; ``folder_not_allowed`` where no task may work."""
        ...

    def changed(self, folder: Path, since: datetime) -> Sequence[str]:
        """Return the files beneath a folder that were written since then."""
        ...


class Mailroom(Protocol):
    """Puts into words what people are told, and delivers what waits in the outbox."""

    def render(self, key: str, report: Report, recipients: Sequence[str], now: datetime) -> Notification:
        """Return the message of a report to those of the recipients that want to know of its kind.

        ``key`` names it: put again with the same recipient it is the same notification.
        """
        ...

    def notice(self, key: str, notice: Notice, recipients: Sequence[str], now: datetime) -> Notification:
        """Return the message of other news, as ``render``."""
        ...

    async def deliver_unkept(self, notification: Notification) -> None:
        """Send at once and once, without the outbox; failures are told in the log."""
        ...

    async def deliver_due(self) -> frozenset[str]:
        """Try everything that is due once; failures stay in the outbox. Returns the keys of what was sent."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """What this server allows. Money in US dollars (no limit for the hour is 0), times in seconds.

    ``triage_model`` is asked first what kind of trouble an error is; empty: the rules alone decide. With
    ``fuzzy_edits`` a search may stand where the lines are only nearly the same. A head of a branch waits
    ``ci_wait_seconds`` for its CI, and a pull request has ``ci_repair_rounds`` repairs of what fails there.
    ``mail_domains`` are where reviewers may be written to; empty: see ``core.orchestrator.reviewers``.
    ``claude_args`` are the operator's flags of the CLI.
    """

    fix_mode: FixMode
    require_proof: bool
    max_rounds: int
    budget_usd_per_run: float
    budget_usd_per_hour: float
    budget_usd_per_day: float
    recipients: tuple[str, ...]
    model: str
    wall_seconds: float
    idle_seconds: float
    public_url: str
    nonce_salt: str
    sandbox: str
    bug_case_reach: Reach = Reach.REPOSITORY
    triage_model: str = ""
    fuzzy_edits: bool = False
    draft_until_green: bool = False
    ci_wait_seconds: float = 3600.0
    ci_repair_rounds: int = 2
    commits: CommitRules = field(default_factory=CommitRules)
    mail_reviewers: bool = True
    mail_domains: tuple[str, ...] = ()
    claude_args: tuple[str, ...] = ()
    retries: RetryRules = field(default_factory=RetryRules)


@dataclass(frozen=True, slots=True)
class Tools:
    """Everything the orchestrator may touch, built once in ``wiring``."""

    tasks: Tasks
    issues: Issues
    pull_requests: PullRequests
    places: Places
    bug_cases: BugCases
    fix_watches: FixWatches
    trace: Trace
    outbox: Outbox
    git: Git
    history: History
    builds: Builds
    workspaces: Workspaces
    suites: Suites
    setup_layers: SetupLayers
    edits: Edits
    fixer: Fixer
    hosts: Mapping[str, CodeHost]
    mailroom: Mailroom
    sandbox: Sandbox
    clock: Clock
    policy: Policy
    redact: Callable[[str], str]
    ledger: Ledger
    pauses: Pauses
    folders: Folders
    guarding: Guarding | None = None

    def host_of(self, repository: Repository) -> CodeHost:
        """Return the code host of a repository.

        Raises:
            PermanentError: ``code_host_unsupported``.
        """
        host = self.hosts.get(repository.code_host)
        if host is None:
            raise failed(
                "code_host_unsupported",
                f"this version opens no pull requests on {repository.code_host}",
                next_step=f"Use a repository on one of: {', '.join(sorted(self.hosts))}.",
            )
        return host
