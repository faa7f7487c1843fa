"""The orchestrator's ports as real adapters in one folder, on the in-memory engine, without a server.

The model is the scripted fixer. Waits are noted and not slept; everything else is what a server has:
SQLite, git on a bare remote, bubblewrap with the toolbox, the outbox.
"""

from __future__ import annotations

import email
import email.policy
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

from ai_ops.core.budgets import Budgets, PlannedCall
from ai_ops.core.describe import describe
from ai_ops.core.identity import run_id
from ai_ops.core.orchestrator.fix_watching import FixWatching
from ai_ops.core.orchestrator.guarding import Guarding
from ai_ops.core.orchestrator.paced import PacedFixer
from ai_ops.core.orchestrator.tools import Policy, Tools
from ai_ops.core.orchestrator.worker import Worker
from ai_ops.core.ports import Granted, NewTask, Outcome, Place, Steps
from ai_ops.core.publishing_limits import PublishingLimits
from ai_ops.core.redaction import Redactor
from ai_ops.core.verbs import decide
from ai_ops.engine.memory import MemoryEngine
from ai_ops.flow.event import Event, EventRepo
from ai_ops.flow.fixing import FixAnswer, FixMode, FixRequest, Watch
from ai_ops.flow.pull_request import PullRequest
from ai_ops.flow.repository import Repository
from ai_ops.flow.run import Step
from ai_ops.flow.task import Priority, Task, TaskKind, TaskState
from ai_ops.integrations.mail.files import FileNotifier
from ai_ops.integrations.mail.mailroom import Mailroom
from ai_ops.integrations.scripted import ScriptedFixer
from ai_ops.store.audit import AuditLog
from ai_ops.store.bug_cases import BugCaseRepository
from ai_ops.store.comments import CommentRepository
from ai_ops.store.database import Database, open_database
from ai_ops.store.findings import FindingRepository
from ai_ops.store.fix_watches import FixWatchRepository
from ai_ops.store.issues import IssueRepository
from ai_ops.store.ledger import LedgerRepository
from ai_ops.store.outbox import OutboxRepository
from ai_ops.store.pauses import PauseRepository
from ai_ops.store.places import PlaceRepository
from ai_ops.store.pull_requests import PullRequestRepository
from ai_ops.store.tasks import TaskRepository
from ai_ops.trace.trace_store import TraceStore
from ai_ops.vcs.git import GitClient
from ai_ops.vcs.local import LocalHost
from ai_ops.workspace import edits
from ai_ops.workspace.choosing import choose
from ai_ops.workspace.setup_layer import SetupBuilder
from ai_ops.workspace.suite import SuiteRunner
from ai_ops.workspace.task_folders import TaskFolders
from ai_ops.workspace.toolbox import Toolbox
from ai_ops.workspace.workspace_manager import WorkspaceManager
from tests.support import shop
from tests.support.git_server import create_repository, git, push_files
from tests.support.host_settings import Setting
from tests.support.remembered import Memory, RememberedSuites
from tests.support.store import migrated_url

SERVER_SECRET = "quite-an-ordinary-phrase"
"""A secret that only this server knows: no rule would see one in it."""

POLICY = Policy(
    fix_mode=FixMode.CODE_BLOCKS,
    require_proof=True,
    max_rounds=2,
    budget_usd_per_run=2.0,
    budget_usd_per_hour=0.0,
    budget_usd_per_day=20.0,
    recipients=("on-call@example.test",),
    model="",
    wall_seconds=60.0,
    idle_seconds=60.0,
    public_url="http://ai-ops.test",
    nonce_salt="salt",
    sandbox="bwrap",
    mail_reviewers=False,  # one mail an end; the tests of reviewers turn it on
)


class Asked:
    """A fixer that notes what it was asked; ``failures`` come first, one for each call."""

    def __init__(self, script: Mapping[str, Any], failures: tuple[BaseException, ...] = ()) -> None:
        self._fixer = ScriptedFixer(script)
        self.failures = list(failures)
        self.requests: list[FixRequest] = []

    def answers_with(self, script: Mapping[str, Any]) -> None:
        """Answer with another script from now on."""
        self._fixer = ScriptedFixer(script)

    async def ask(self, request: FixRequest, watch: Watch) -> FixAnswer:
        self.requests.append(request)
        if self.failures:
            raise self.failures.pop(0)
        return await self._fixer.ask(request, watch)

    @property
    def purposes(self) -> list[str]:
        return [f"{request.purpose}:{request.round}" for request in self.requests]


class MovedClock:
    """The real time, and what was waited for without sleeping."""

    def __init__(self) -> None:
        self._ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def forward(self, seconds: float) -> None:
        self._ahead += timedelta(seconds=seconds)


@dataclass
class Waits:
    """Steps that do not sleep: the clock moves on. Each wait is noted with the task's state meanwhile."""

    steps: Steps
    find: Callable[[], Awaitable[Task | None]]
    noted: list[tuple[TaskState, float]]
    clock: MovedClock

    async def run(self, name: str, round: int, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        return await self.steps.run(name, round, work)

    async def wait(self, seconds: float) -> None:
        task = await self.find()
        assert task is not None
        self.noted.append((task.state, seconds))
        self.clock.forward(seconds)


@dataclass
class Workshop:
    """Everything that one test works with."""

    folder: Path
    remote: Path
    repository: Repository
    tools: Tools
    fixer: Asked
    engine: MemoryEngine
    database: Database
    waits: list[tuple[TaskState, float]] = field(default_factory=list)

    def event(self, text: str, context: tuple[str, ...] = ()) -> Event:
        """Return an event as the intake would make it."""
        error, level = describe(text)
        return Event(
            str(uuid.uuid4()),
            datetime.now(UTC),
            EventRepo(self.repository.url, self.repository.code_host),
            error,
            service="shop",
            level=level,
            context=context,
        )

    async def reported(self, text: str = "", **more: Any) -> Task:
        """Return the task of a new error, the shop's when none is given."""
        event = self.event(text or shop.error(), **more)
        (task,) = (await self.tools.issues.ingest([(event, self.repository)])).tasks
        return task

    async def wished(self, text: str = "", **payload: Any) -> Task:
        """Return the task of a repair that a person asked for."""
        event = self.event(text or shop.error())
        new = NewTask(TaskKind.REPAIR, self.repository, Priority.NORMAL, payload, event)
        return (await self.tools.tasks.create(new)).task

    async def prompted(self, *, repository: bool = True, **payload: Any) -> Task:
        """Return a prompt task."""
        place = self.repository if repository else None
        return (await self.tools.tasks.create(NewTask(TaskKind.PROMPT, place, "normal", payload))).task

    async def came_back(self, text: str = "") -> Task:
        """Return the repair of an error whose fix was merged, and that is logged once more."""
        assert (
            await self.tools.issues.ingest([(self.event(text or shop.error()), self.repository)])
        ).tasks == ()
        begun: list[Task] = []

        class Noting:
            async def enqueue(self, task: Task) -> None:
                begun.append(task)

        engine: Any = Noting()
        await FixWatching(self.tools, engine, grace=timedelta()).round()
        (task,) = begun
        return task

    async def worked(self, task: Task) -> Task:
        """Let the engine work on the task's present run to its end, and return what the task is then."""
        await self.engine.enqueue(task)
        async for _ in self.tools.trace.follow(run_id(task.id, task.run_number)):
            pass
        return await self.found(task)

    async def repaired(self, text: str = "", **payload: Any) -> Task:
        """Return the task of an error after its first run."""
        return await self.worked(await (self.wished(text, **payload) if payload else self.reported(text)))

    async def found(self, task: Task) -> Task:
        """Return the task as it is now."""
        now = await self.tools.tasks.find(task.id)
        assert now is not None
        return now

    async def done_to(self, task: Task, verb: str) -> Task:
        """Do to a task what a person can."""
        change = decide(verb, task)
        assert change.to is not None
        return await self.tools.tasks.move(task.id, change.to, **change.changes)

    async def paid(self, usd: float, *, run: str = "another", settled: bool = True) -> None:
        """Have a run spend money, on a call whose end was seen or not."""
        granted = await self.tools.ledger.reserve(PlannedCall(run, 1e6, "m", usd, usd))
        assert isinstance(granted, Granted), granted
        if settled:
            await self.tools.ledger.settle(granted.number, usd)

    def gives_its_place_away(self) -> None:
        """Let the next run find room when it begins, and none when its fix is ready, unless a person asks."""
        places, asked = self.tools.places, 0
        take = places.take

        async def gone(place: Place, *, beyond_limits: bool = False) -> str:
            nonlocal asked
            asked += 1
            if beyond_limits:
                return await take(place, beyond_limits=True)
            return "" if asked == 1 else "too many are open (MAX_OPEN_PULL_REQUESTS)"

        places.take = gone  # type: ignore[method-assign]

    # --- what came of it ---

    async def pulls(self) -> tuple[PullRequest, ...]:
        """Return our pull requests."""
        return (await self.tools.pull_requests.list()).items

    def branches(self) -> list[str]:
        """Return our branches on the remote."""
        names = git("for-each-ref", "--format=%(refname:short)", cwd=self.remote).split()
        return [name for name in names if name != "main"]

    def mails(self) -> list[EmailMessage]:
        """Return the mail that was written."""
        files = sorted((self.folder / "outbox").glob("*.eml"))
        return [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]  # type: ignore[misc]

    async def steps(self, task: Task) -> dict[str, Step]:
        """Return the steps of a task's present run."""
        steps = await self.tools.trace.steps(run_id(task.id, task.run_number))
        return {f"{step.name}:{step.round}": step for step in steps}

    async def first_failure(self, task: Task) -> dict[str, Any]:
        """Return what a step of the task's present run failed with first."""
        events = await self.tools.trace.events_after(run_id(task.id, task.run_number), 0)
        return next(event.data["failure"] for event in events if "failure" in event.data)

    async def artifact(self, task: Task, name: str) -> str:
        """Return an artifact's text."""
        kept = await self.tools.trace.artifact(run_id(task.id, task.run_number), name)
        assert kept is not None, name
        return kept.text

    async def everything_kept(self, task: Task) -> str:
        """Return all that a person may see of a task's present run, and of the task."""
        run, trace = run_id(task.id, task.run_number), self.tools.trace
        texts = [await self.artifact(task, each.name) for each in await trace.artifacts(run)]
        texts += [repr(each) for each in await trace.events_after(run, 0)]
        texts += [repr(each) for each in await trace.steps(run)]
        texts += [repr(each) for each in await self.pulls()]
        texts += [part.get_content() for mail in self.mails() for part in mail.iter_parts()]  # type: ignore[attr-defined]
        return "\n".join([*texts, repr(await self.found(task))])

    def leftovers(self) -> list[Path]:
        """Return the folders of runs that are still there."""
        return list((self.folder / "workspaces").glob("[!.]*"))


def mail_text(mail: EmailMessage) -> str:
    """Return a mail's plain words, on one line."""
    body = mail.get_body(("plain",))
    assert body is not None
    return " ".join(body.get_content().split())


@asynccontextmanager
async def open_workshop(
    folder: Path,
    toolbox: Toolbox,
    script: Mapping[str, Any] | None = None,
    *,
    files: Mapping[str, Any] | None = None,
    failures: tuple[BaseException, ...] = (),
    fixer: Any = None,
    steps: Callable[[Steps], Steps] = lambda steps: steps,
    max_open_pull_requests: int = 5,
    at: Setting | None = None,
    memory: Memory | None = None,
    **policy: Any,
) -> AsyncIterator[Workshop]:
    """Build the tools, and an engine over them.

    Args:
        folder: an empty folder.
        toolbox: what repositories are tested with.
        script: the fixer's answers, good ones when none are given.
        files: what differs from the shop in the repository; None leaves a file out.
        failures: what the fixer fails with first.
        fixer: another fixer.
        steps: put around the steps of each run.
        max_open_pull_requests: the one limit of what is published.
        at: where the repository lives instead of a folder: a code host.
        memory: what runs of suites ended with, to be asked before one is run; None runs each.
        policy: what differs from ``POLICY``.
    """
    there = {**shop.files(), **(files or {})}
    there = {name: content for name, content in there.items() if content is not None}
    if at is None:
        remote = create_repository(folder, "remotes/shop", there)
        repository = Repository("local/acme/shop", f"file://{remote}", "local")
    else:
        push_files(at.bare, there)
        remote, repository = at.bare, at.repository
    database = await open_database(migrated_url(folder))
    clock, redactor = MovedClock(), Redactor(literals=[SERVER_SECRET])
    allowed = replace(POLICY, **policy)
    budgets = Budgets(allowed.budget_usd_per_hour, allowed.budget_usd_per_day)
    trace = TraceStore(database, clock, redactor)
    outbox, pull_requests = OutboxRepository(database), PullRequestRepository(database, clock)
    git_client = at.git if at else GitClient(folder / "mirrors", lambda _: None, allow_file=True)
    local = LocalHost(pull_requests, CommentRepository(database, clock), git_client)
    sandbox = choose("bwrap")
    suites = SuiteRunner(sandbox, toolbox, wall_seconds=60.0)
    fixer = fixer or Asked(script or shop.script(), failures)
    pauses = PauseRepository(database, clock, "account")
    mail = FileNotifier(folder / "outbox", "ai-ops@example.test")
    mailroom = Mailroom(outbox, mail, clock, redactor.redact)
    tools = Tools(
        tasks=TaskRepository(database, clock),
        issues=IssueRepository(database, clock),
        pull_requests=pull_requests,
        places=PlaceRepository(database, clock, PublishingLimits(open_at_once=max_open_pull_requests)),
        bug_cases=BugCaseRepository(database),
        fix_watches=FixWatchRepository(database, clock),
        trace=trace,
        outbox=outbox,
        git=git_client,
        history=git_client,
        builds=git_client,
        workspaces=WorkspaceManager(folder / "workspaces", git_client),
        suites=suites if memory is None else RememberedSuites(suites, memory),
        setup_layers=SetupBuilder(sandbox, toolbox, folder / "data"),
        edits=edits,
        fixer=PacedFixer(fixer, pauses, clock),
        hosts={"local": local} | ({repository.code_host: at.host} if at else {}),
        mailroom=mailroom,
        sandbox=sandbox,
        clock=clock,
        policy=allowed,
        redact=redactor.redact,
        ledger=LedgerRepository(database, clock, budgets),
        pauses=pauses,
        folders=TaskFolders((folder / "projects",), (folder / "data",)),
        guarding=Guarding(
            FindingRepository(database),
            AuditLog(database, clock, folder / "audit-head.json"),
            clock,
            redactor.redact,
        ),
    )
    waits: list[tuple[TaskState, float]] = []

    async def worker(task_id: str, run_number: int, inner: Steps) -> None:
        noting = Waits(inner, partial(tools.tasks.find, task_id), waits, clock)
        await Worker(tools)(task_id, run_number, steps(noting))

    engine = MemoryEngine(worker, tools.tasks, trace, failing=Worker(tools).fail)
    try:
        yield Workshop(folder, remote, repository, tools, fixer, engine, database, waits)
    finally:
        await engine.stop()
        await mailroom.close()
        await database.close()
