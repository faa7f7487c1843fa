"""The ports: what the rules and the orchestrator need from the outside, as small Protocols.

An adapter implements one of them and knows none of the others. Every port ships an honest twin
(in-memory or scripted), and one contract suite in ``tests/contract`` runs over every implementation.
All failures are ``TemporaryError`` or ``PermanentError`` with the codes named here.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from ai_ops.core.budgets import PlannedCall, Spent, Stop
from ai_ops.core.flood import ReleaseChange
from ai_ops.core.pausing import Pause
from ai_ops.errors import TemporaryError
from ai_ops.flow.bug_case import BugCase, BugCaseOutcome, KnownBug, Likeness, Reach
from ai_ops.flow.event import Event
from ai_ops.flow.fixing import FixAnswer, FixRequest, Watch
from ai_ops.flow.issue import Issue, IssueDecision, TriageDecision
from ai_ops.flow.notification import Notification
from ai_ops.flow.pull_request import HostedPullRequest, NewPullRequest, PullRequest, PullRequestState
from ai_ops.flow.report import RunEnd
from ai_ops.flow.repository import Base, Repository
from ai_ops.flow.run import Artifact, Run, Step, TraceEvent, Usage
from ai_ops.flow.suspects import SuspectCommit
from ai_ops.flow.task import Task, TaskState

T = TypeVar("T")

Outcome = dict[str, Any]
"""What a step returns: a small JSON object. Big things go to artifacts and patches."""


class Clock(Protocol):
    """The time, so that tests can set it."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        ...


class Steps(Protocol):
    """Runs the steps of one run so that each outcome is committed before anything follows from it."""

    async def run(self, name: str, round: int, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Do ``work`` once for (run, name, round) and return its outcome; entered again, return that.

        ``work`` may be called again after a crash, so its outward effects look before they create.
        """
        ...

    async def wait(self, seconds: float) -> None:
        """Wait durably; a restart goes on with the remaining time."""
        ...


Worker = Callable[[str, int, Steps], Awaitable[None]]
"""What an engine calls for (task id, run number, steps): the orchestrator's entry.

It leaves the task in a state that says how the run went, and handles the failures it knows itself.
"""


Fail = Callable[[Task, Mapping[str, str]], Awaitable[None]]
"""What an engine calls when a run broke that the worker did not end: the task, and why in
``{"code", "message", "next_step"}``. It moves the task to ``failed``; harmless when it is over."""


class Engine(Protocol):
    """Queues tasks and gives each to the worker once its turn has come. One per process."""

    async def start(self) -> None:
        """Take up what is unfinished, and work from now on.

        Raises:
            PermanentError: ``data_dir_in_use`` when another process works on the same data,
                ``engine_running``, ``engine_unavailable``.
        """
        ...

    async def stop(self) -> None:
        """Interrupt what runs; the next start goes on with it."""
        ...

    async def enqueue(self, task: Task) -> None:
        """Queue the task's present run. Call it after the task is committed; harmless when repeated."""
        ...

    async def cancel(self, task: Task) -> None:
        """Interrupt the task's present run at once. Call it after the task was moved (cancelled, paused)."""
        ...

    async def queue_depth(self) -> int:
        """Return how many runs wait for their turn."""
        ...


class Trace(Protocol):
    """The append-only record of runs. Everything given to it is redacted before it is stored."""

    async def run_started(self, run: Run) -> None:
        """Record that a run began; harmless when it is known."""
        ...

    async def run_ended(self, run_id: str, outcome: str) -> None:
        """Record how a run ended, and append the ``complete`` event."""
        ...

    async def step_outcome(self, run_id: str, name: str, round: int) -> Outcome | None:
        """Return the committed outcome of a step, or None."""
        ...

    async def step_started(self, run_id: str, name: str, round: int) -> None:
        """Record that a step begins (again)."""
        ...

    async def step_done(self, run_id: str, name: str, round: int, outcome: Outcome) -> None:
        """Commit a step's outcome. ``outcome["usage"]``, when there, is added to the run's usage."""
        ...

    async def step_failed(self, run_id: str, name: str, round: int, failure: Mapping[str, str]) -> None:
        """Record that an entry of a step failed."""
        ...

    async def add_usage(self, run_id: str, usage: Usage) -> None:
        """Add what a call that failed had cost; what a step used comes with its outcome."""
        ...

    async def emit(self, run_id: str, kind: str, data: Mapping[str, Any]) -> None:
        """Append an event to the run's history."""
        ...

    async def put_artifact(self, run_id: str, name: str, text: str, media_type: str = "text/plain") -> None:
        """Keep a named text with the run; the same name replaces."""
        ...

    async def artifact(self, run_id: str, name: str) -> Artifact | None:
        """Return an artifact."""
        ...

    async def artifacts(self, run_id: str) -> Sequence[Artifact]:
        """Return a run's artifacts, by name, each with empty text."""
        ...

    async def put_patch(self, run_id: str, name: str, patch: str) -> None:
        """Keep a working patch byte for byte; patches are never served."""
        ...

    async def patch(self, run_id: str, name: str) -> str | None:
        """Return a working patch."""
        ...

    async def runs(self, *, limit: int = 50, cursor: str | None = None) -> tuple[Sequence[Run], str | None]:
        """Return runs, newest first, and the cursor of the next page."""
        ...

    async def find_run(self, run_id: str) -> Run | None:
        """Return a run."""
        ...

    async def steps(self, run_id: str) -> Sequence[Step]:
        """Return a run's steps in the order they first began."""
        ...

    async def events_after(self, run_id: str, seq: int, limit: int = 500) -> Sequence[TraceEvent]:
        """Return the run's history after ``seq``."""
        ...

    def follow(self, run_id: str, seq: int = 0) -> AsyncIterator[TraceEvent]:
        """Yield the run's history after ``seq`` as it grows; ends after ``complete``."""
        ...


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of one batch. ``tasks`` are the new tasks that want to be enqueued.

    ``only_counted`` of the accepted events came faster than their issue's limit. ``withdrawn`` are tasks
    that were taken back, because a deploy storm's task stands for them.
    """

    accepted: int
    duplicates: int
    tasks: tuple[Task, ...] = ()
    only_counted: int = 0
    withdrawn: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True)
class NewTask:
    """A repair or prompt that a person asked for; ``event`` is there for a repair.

    With ``issue_id`` the event is one of that issue already, and is not counted again.
    """

    kind: str
    repository: Repository | None
    priority: str
    payload: dict[str, Any]
    event: Event | None = None
    idempotency_key: str | None = None
    issue_id: str | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """A new task, or the one that is already there, and why."""

    task: Task
    created: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; ``next_cursor`` is None on the last."""

    items: tuple[T, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Merged:
    """The issue that others were merged into, and the tasks of theirs that were taken back.

    ``tasks`` want to be enqueued: a deploy storm goes on that one of those carried.
    """

    issue: Issue
    withdrawn: tuple[Task, ...] = ()
    tasks: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """What ``GET /v1/tasks`` narrows by; empty means any."""

    states: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    priorities: tuple[str, ...] = ()
    issue_id: str | None = None


class Issues(Protocol):
    """Issues and the events under them."""

    async def ingest(self, events: Sequence[tuple[Event, Repository]]) -> Ingested:
        """Take events in one durable commit: new ids only, issues opened or raised, tasks created."""
        ...

    async def find(self, issue_id: str) -> Issue | None:
        """Return an issue."""
        ...

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> Page[Issue]:
        """Return issues, newest first."""
        ...

    async def titles(self, ids: Collection[str]) -> Mapping[str, str]:
        """Return the titles of these; ids that are not there are left out."""
        ...

    async def release_change(self, issue: Issue) -> ReleaseChange | None:
        """Return the release that an issue's episode began with, and the one before it in the same place."""
        ...

    async def release_waiting(self) -> Sequence[Task]:
        """Start repairs that waited for a spike to pass, as far as there is room; to be enqueued."""
        ...

    async def waiting(self) -> Mapping[str, int]:
        """Return how many open issues wait, by ``spike`` and ``storm``."""
        ...

    async def fingerprints(self, issue_id: str) -> Sequence[str]:
        """Return the fingerprints whose events come to an issue, its own first."""
        ...

    async def decisions(self, issue_id: str) -> Sequence[IssueDecision]:
        """Return what people decided about an issue, oldest first."""
        ...

    async def decide(self, issue_id: str, verb: str, who: str) -> Issue:
        """Ignore, resolve or reopen an issue.

        Raises:
            PermanentError: ``issue_not_found``, ``issue_merged``.
        """
        ...

    async def judged(self, issue_id: str, decision: TriageDecision) -> None:
        """Record what triage says of an issue now."""
        ...

    async def merge(self, issue_id: str, into: str, who: str) -> Merged:
        """Hand the fingerprints and the count of one issue over to another of the same repository.

        Raises:
            PermanentError: ``issue_not_found``, ``issue_merged``, ``cannot_merge``.
        """
        ...

    async def split(self, issue_id: str, fingerprint: str, who: str) -> Issue:
        """Take a fingerprint out of an issue again and return the issue that it has from now on.

        Raises:
            PermanentError: ``issue_not_found``, ``cannot_split``.
        """
        ...


class Tasks(Protocol):
    """Tasks: the truth about what is to be done and how it went."""

    async def create(self, new: NewTask) -> Created:
        """Create a task, or return the one that already answers the same wish."""
        ...

    async def find(self, task_id: str) -> Task | None:
        """Return a task."""
        ...

    async def list(self, wanted: TaskFilter, *, limit: int = 50, cursor: str | None = None) -> Page[Task]:
        """Return tasks, newest first."""
        ...

    async def move(
        self, task_id: str, to: TaskState, *, mail: Notification | None = None, **changes: Any
    ) -> Task:
        """Move a task along the table of transitions and change other fields in the same commit.

        ``mail`` is put into the outbox by that commit too: it is sent if the task moved, and only then.

        Raises:
            PermanentError: ``illegal_transition`` or ``task_not_found``.
        """
        ...

    async def update(self, task_id: str, **changes: Any) -> Task:
        """Change fields other than the state."""
        ...

    async def unfinished(self) -> Sequence[Task]:
        """Return the tasks that a worker has or should have: pending, processing, retrying, waiting."""
        ...


class PullRequests(Protocol):
    """Our records of pull requests."""

    async def record(self, pull_request: PullRequest) -> PullRequest:
        """Insert, or return the record with the same (repo_key, branch)."""
        ...

    async def find(self, pull_request_id: str) -> PullRequest | None:
        """Return a pull request."""
        ...

    async def find_by_branch(self, repo_key: str, branch: str) -> PullRequest | None:
        """Return the pull request of a branch."""
        ...

    async def list(self, *, limit: int = 50, cursor: str | None = None) -> Page[PullRequest]:
        """Return pull requests, newest first."""
        ...

    async def states(self, ids: Collection[str]) -> Mapping[str, PullRequestState]:
        """Return what became of these, as far as we know; ids that are not there are left out."""
        ...

    async def set_state(self, pull_request_id: str, state: PullRequestState) -> PullRequest:
        """Record what became of it."""
        ...

    async def open_in(self, repo_key: str) -> Sequence[PullRequest]:
        """Return those of ours that are open in a repository, as far as we know, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class BugCaseFilter:
    """What ``GET /v1/bug-cases`` narrows by; empty means any. ``fingerprint`` may be a beginning."""

    repo_key: str = ""
    exception_type: str = ""
    fingerprint: str = ""
    outcomes: tuple[BugCaseOutcome, ...] = ()


class BugCases(Protocol):
    """The bug library. Cases are made where issues and pull requests are closed, by the same commit."""

    async def find(self, case_id: str) -> BugCase | None:
        """Return a case."""
        ...

    async def find_all(self, ids: Sequence[str]) -> Sequence[BugCase]:
        """Return these cases in this order; ids that are not there are left out."""
        ...

    async def list(
        self, wanted: BugCaseFilter, *, limit: int = 50, cursor: str | None = None
    ) -> Page[BugCase]:
        """Return cases, newest first."""
        ...

    async def alike(self, wanted: Likeness, repo_key: str, *, owner: str, reach: Reach) -> Sequence[KnownBug]:
        """Return cases that share something with an error: fingerprint, place, message or type.

        Of each kind the newest fifty of its repository, and as many of those that ``reach`` allows; so
        the work does not grow with the library.
        """
        ...


class Ids(Protocol):
    """Ids as people type them."""

    async def beginning_with(self, noun: str, beginning: str, limit: int = 5) -> Sequence[str]:
        """Return ids of a noun that begin like this: a task, issue, trace, pull_request or bug_case."""
        ...


class Outbox(Protocol):
    """Notifications that wait to be delivered."""

    async def put(self, notification: Notification) -> Notification:
        """Keep it; the same key returns the one already kept."""
        ...

    async def due(self, now: datetime, limit: int = 20) -> Sequence[Notification]:
        """Return pending notifications whose time has come."""
        ...

    async def mark_sent(self, key: str) -> None:
        """Record a delivery."""
        ...

    async def mark_failed(self, key: str, error: str, next_attempt_at: datetime | None) -> None:
        """Record a failed try; no further time means it is final."""
        ...


class Notifier(Protocol):
    """Delivers one notification."""

    async def deliver(self, notification: Notification) -> str:
        """Deliver, and say where to, for people.

        Raises:
            TemporaryError: ``mail_unavailable``, ``mail_deferred``.
            PermanentError: ``mail_refused``, ``mail_auth_failed``.
        """
        ...


class Git(Protocol):
    """Real git on a mirror per repository. Never runs hooks, filters, fsmonitor or submodules.

    Codes: ``git_auth_failed``, ``git_not_found``, ``git_unreachable`` (temporary), ``git_empty_repository``,
    ``git_timeout`` (temporary), ``git_failed``, ``unrelated_history``, ``push_refused``,
    ``push_protected_branch``, ``push_secret_detected``, ``branch_taken``, ``merge_conflict``,
    ``nothing_to_commit``, ``patch_does_not_apply``, ``git_commit_missing``, ``git_damaged``, ``git_missing``,
    ``checkout_damaged``, ``checkout_missing``, ``target_not_empty``, ``diff_too_large``,
    ``base_moved`` and ``disk_full`` (temporary), ``bad_repository_url``, ``bad_branch_name``,
    ``bad_commit_id``.
    """

    async def refresh(self, repository: Repository, branch: str = "") -> Base:
        """Clone or fetch the mirror and return the head of ``branch``, or of the default branch."""
        ...

    async def export(self, repository: Repository, sha: str, target: Path) -> None:
        """Make ``target`` a self-contained checkout: its own ``.git``, one base commit, no remote."""
        ...

    async def diff(self, checkout: Path) -> str:
        """Return everything that differs from the base commit, new files too, as a git patch."""
        ...

    async def apply(self, checkout: Path, patch: str) -> None:
        """Apply a patch made by ``diff`` to a checkout at the same base."""
        ...

    async def commit(self, repository: Repository, base_sha: str, patch: str, message: str) -> str:
        """Commit ``base + patch`` in the mirror with a fixed author and date: same input, same SHA."""
        ...

    async def push(self, repository: Repository, sha: str, branch: str) -> bool:
        """Push a commit to a branch. True when it was there already; a foreign commit is never overwritten.

        A branch that exists moves only forward: one that holds a commit which ``sha`` does not contain
        is ``branch_taken``. ``git_commit_missing`` when the mirror lost ``sha``: commit it again.
        """
        ...

    async def remote_branch(self, repository: Repository, branch: str) -> str | None:
        """Return the remote head of a branch, or None."""
        ...

    async def read_file(self, repository: Repository, sha: str, path: str) -> bytes | None:
        """Return a file at a commit, or None."""
        ...

    async def list_files(self, repository: Repository, sha: str) -> Sequence[str]:
        """Return the paths at a commit."""
        ...

    async def merge(self, repository: Repository, branch: str, into: str, message: str, *, head: str) -> str:
        """Merge a branch on the remote, if it is at ``head``, and return the merge commit."""
        ...


class History(Protocol):
    """What a repository's commits say, read from its mirror: the remote is not asked. Codes as ``Git``."""

    async def find_commit(self, repository: Repository, name: str) -> str | None:
        """Return the full id of a commit named by its id or a beginning of seven letters or more, or None."""
        ...

    async def blame(
        self, repository: Repository, sha: str, path: str, lines: Sequence[int]
    ) -> Mapping[int, SuspectCommit]:
        """Return the commit that touched each line of a file last, for the lines that are there."""
        ...

    async def between(
        self, repository: Repository, before: str, after: str, paths: Sequence[str], limit: int
    ) -> tuple[int, Sequence[SuspectCommit]] | None:
        """Return how many commits ``after`` has over ``before``, and at most ``limit`` of them, newest first.

        Those that touch ``paths``, or of all where none does; None when ``before`` is not in ``after``.
        """
        ...


class Workspaces(Protocol):
    """The folders of a run."""

    async def ensure(self, run_id: str, name: str, repository: Repository, sha: str, patch: str = "") -> Path:
        """Return a fresh checkout at ``sha`` with ``patch`` applied, in the run's own folder."""
        ...

    async def scratch(self, run_id: str, name: str) -> Path:
        """Return an empty folder of the run."""
        ...

    async def discard(self, run_id: str) -> None:
        """Remove everything of a run."""
        ...


@dataclass(frozen=True, slots=True)
class Bind:
    """A host path that is visible inside."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """One command in a sandbox. ``cwd`` is inside; ``env`` is the whole environment.

    ``niceness`` is how far it stands back for the server, 0 to 19.
    """

    argv: tuple[str, ...]
    binds: tuple[Bind, ...]
    cwd: str = "/workspace"
    env: Mapping[str, str] = field(default_factory=dict)
    network: bool = False
    wall_seconds: float = 600.0
    idle_seconds: float | None = None
    output_limit: int = 10_000_000
    niceness: int = 10


@dataclass(frozen=True, slots=True)
class SandboxResult:
    """How it ended; ``output`` is stdout and stderr together, decoded, capped at the limit."""

    end: RunEnd
    exit_code: int | None
    output: str
    duration_seconds: float


class Prepared(Protocol):
    """A sandboxed command that somebody else starts as a child, in a group of its own."""

    @property
    def argv(self) -> Sequence[str]:
        """The whole command line."""
        ...

    @property
    def pass_fds(self) -> Sequence[int]:
        """File descriptors that the child inherits."""
        ...

    async def watch(self, pid: int, begun: Callable[[], None] = lambda: None) -> RunEnd:
        """Let the command of the child ``pid`` begin; return when it uses too much, and not otherwise.

        ``begun`` is called when it is let in; the time before that is the sandbox's own.

        What it may use are memory, processes, processor time, and what it writes. The caller, who kills
        the child's group then, watches the clock and the output.
        """
        ...

    async def stood(self, exit_code: int) -> bool:
        """Whether there was a sandbox and the command ran in it, of a child that ended by itself."""
        ...


class Sandbox(Protocol):
    """Runs untrusted commands. Refuses with ``sandbox_unavailable`` when it cannot isolate."""

    async def probe(self) -> str:
        """Prove that it works and describe it in a few words, or raise ``sandbox_unavailable``."""
        ...

    def prepare(self, spec: SandboxSpec) -> AbstractAsyncContextManager[Prepared]:
        """Prepare a command for a child that the caller starts; leaving ends what is left of it.

        ``spec``'s limits on time and output are the caller's to hold.
        """
        ...

    async def run(self, spec: SandboxSpec) -> SandboxResult:
        """Run a command to its end or its limits; no process of it survives."""
        ...


class Fixer(Protocol):
    """Asks a model. Codes of its failures are in ``core.failures``."""

    async def ask(self, request: FixRequest, watch: Watch) -> FixAnswer:
        """Ask once and return the whole answer; in agentic mode the checkout is edited meanwhile."""
        ...


@dataclass(frozen=True, slots=True)
class Granted:
    """A call that may be made: its number in the ledger, and what is set aside for it, in US dollars."""

    number: int
    usd: float


class Ledger(Protocol):
    """What every call to the model costs, set aside durably before the call is made."""

    async def reserve(self, call: PlannedCall) -> Granted | Stop:
        """Set money aside for a call, in the transaction that judges the budgets.

        Raises:
            TemporaryError: ``storage_unavailable``; nothing is set aside.
        """
        ...

    async def settle(self, number: int, usd: float) -> None:
        """Replace what was set aside by what the call cost. The first word stands."""
        ...

    async def settle_lost(self, run_id: str) -> None:
        """Settle the calls of a run whose process died, with what they can have cost since they were made.

        Nobody may be at work on the run.
        """
        ...

    async def spent(self, run_id: str) -> Spent:
        """Return what counts now against a run, the hour and the day."""
        ...


class Pauses(Protocol):
    """The pause of the queue after a limit of the model's API. It outlives the process."""

    async def current(self) -> Pause | None:
        """Return the pause, None when the queue is not paused."""
        ...

    async def enter(self, run_id: str) -> Pause | None:
        """Come to ask for a run; it may if there is no pause, or it is the pause's prober now."""
        ...

    async def meet(self, run_id: str, limit: TemporaryError) -> Pause:
        """Begin the pause, or prolong it: a run met a limit."""
        ...

    async def give_up(self, run_id: str) -> None:
        """Let another run try: this one ended without a word on the limit."""
        ...

    async def end(self, run_id: str) -> None:
        """End the pause: its prober was answered. What another run says changes nothing."""
        ...


class CodeHost(Protocol):
    """Where pull requests live.

    Codes: ``host_unauthorized`` (401), ``host_forbidden`` (403), ``host_not_found`` (404),
    ``host_conflict`` (409), ``host_rejected`` (422), ``host_rate_limited`` (temporary),
    ``host_unavailable`` (temporary: 5xx, refused, timeout), ``host_bad_answer``.
    """

    async def find_pull_request(
        self, repository: Repository, branch: str, base: str
    ) -> HostedPullRequest | None:
        """Return the newest pull request of a head branch in any state; an open one first."""
        ...

    async def open_pull_request(self, repository: Repository, wanted: NewPullRequest) -> HostedPullRequest:
        """Open a pull request, or adopt the one that the branch already has."""
        ...

    async def merge_pull_request(self, repository: Repository, pull_request: PullRequest) -> str:
        """Merge and return the merge commit. Hosts where people merge refuse with ``merge_on_host``."""
        ...

    async def check(self) -> str:
        """Reach the host, for ``doctor``; a short description, or a failure."""
        ...
