"""The real server on a loopback port: real SQLite stores, the in-memory engine, and a small worker."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
from sqlalchemy import text

from ai_ops.core.admission import QueueRules
from ai_ops.core.clock import SystemClock
from ai_ops.core.flood import IntakeRules
from ai_ops.core.identity import run_id
from ai_ops.core.orchestrator.conversation import Conversation
from ai_ops.core.orchestrator.crew import Crew, WatchedWorker
from ai_ops.core.orchestrator.guarding import Guarding
from ai_ops.core.orchestrator.planning import Planning
from ai_ops.core.orchestrator.scheduling import Scheduling
from ai_ops.core.orchestrator.steering import Steering
from ai_ops.core.orchestrator.workflow_running import WorkflowRunning
from ai_ops.core.policies import Policy
from ai_ops.core.ports import CodeHost, Steps
from ai_ops.core.redaction import Redactor
from ai_ops.core.repository import RepositoryRules
from ai_ops.core.tally import Tally
from ai_ops.engine.maintenance import MaintenanceFile
from ai_ops.engine.memory import MemoryEngine
from ai_ops.flow.bug_case import Reach
from ai_ops.flow.run import Run
from ai_ops.flow.task import Task, TaskState
from ai_ops.server.auth import Keyring, RequestHandler
from ai_ops.server.http_server import Listening, build_app, listen
from ai_ops.server.node_rates import NodeRates
from ai_ops.server.senders.mapping import Senders
from ai_ops.server.services import Services
from ai_ops.server.webhooks import WebhookSecrets
from ai_ops.store.audit import AuditLog
from ai_ops.store.bug_cases import BugCaseRepository
from ai_ops.store.comments import CommentRepository
from ai_ops.store.database import Database, open_database
from ai_ops.store.deliveries import DeliveryRepository, SeenCommentRepository
from ai_ops.store.findings import FindingRepository
from ai_ops.store.fix_watches import FixWatchRepository
from ai_ops.store.gate import GateRepository
from ai_ops.store.ids import IdRepository
from ai_ops.store.issues import IssueRepository
from ai_ops.store.outbox import OutboxRepository
from ai_ops.store.pauses import PauseRepository
from ai_ops.store.pull_requests import PullRequestRepository
from ai_ops.store.schedules import ScheduleRepository
from ai_ops.store.tasks import TaskRepository
from ai_ops.store.workflows import WorkflowRepository
from ai_ops.trace.trace_store import TraceStore
from ai_ops.vcs.git import GitClient
from ai_ops.vcs.github import GitHubHost
from ai_ops.vcs.local import LocalHost
from ai_ops.workspace.process_trees import ProcessNursery
from ai_ops.workspace.task_folders import TaskFolders
from ai_ops.workspace.template_folder import TemplateFolder
from tests.support.oversight import an_oversight
from tests.support.store import migrated_url
from tests.support.workshop import POLICY

SERVER_KEY = "server-key-for-tests-0001"
AGENT_KEY = "agent-key-for-tests-0001"
OWN_SECRET = "swordfish-of-this-installation"
REPO = "https://github.com/acme/shop"
PUBLIC_URL = "https://ai-ops.test"


class SmallWorker:
    """Takes a task through one step; it waits at the gate before it ends."""

    def __init__(self, tasks: TaskRepository, trace: TraceStore) -> None:
        self._tasks = tasks
        self._trace = trace
        self.gate = asyncio.Event()
        self.ending = TaskState.COMPLETED
        self.changes: dict[str, Any] = {}
        self.seen: list[tuple[str, int]] = []

    async def __call__(self, task_id: str, run_number: int, steps: Steps) -> None:
        """Work on one run."""
        self.seen.append((task_id, run_number))
        run = run_id(task_id, run_number)
        await self._trace.run_started(Run(run, task_id, run_number, SystemClock().now()))
        await self._tasks.move(task_id, TaskState.PROCESSING, trace_id=run)

        async def work() -> dict[str, Any]:
            return {"words": "worked"}

        await steps.run("work", 1, work)
        await self.gate.wait()
        await self._tasks.move(task_id, self.ending, **self.changes)
        await self._trace.run_ended(run, self.ending)


class Nudges:
    """Notes which pull requests were to be looked at."""

    def __init__(self) -> None:
        self.looks: Counter[tuple[str, str]] = Counter()
        self.pauses: Mapping[str, float] = {}
        self.nudged: list[str] = []

    def nudge(self, pull_request_id: str) -> None:
        """Note one."""
        self.nudged.append(pull_request_id)


@dataclass
class Answer:
    """An answer of the server, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Running:
    """A server that answers, and what stands behind it."""

    listening: Listening
    services: Services
    session: aiohttp.ClientSession
    database: Database
    tasks: TaskRepository
    issues: IssueRepository
    pull_requests: PullRequestRepository
    trace: TraceStore
    engine: MemoryEngine
    worker: SmallWorker
    git: GitClient
    folder: Path
    key: str
    nudges: Nudges

    async def call(
        self,
        method: str,
        path: str,
        *,
        json_body: Any = None,
        body: bytes | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request with the server's key, or another one; an empty key sends none."""
        given = self.key if key is None else key
        sent = {"X-API-Key": given} if given else {}
        if json_body is not None:
            body = json.dumps(json_body).encode()
        if body is not None:
            sent["Content-Type"] = "application/json"
        sent |= dict(headers or {})
        async with self.session.request(
            method, self.listening.url + path, data=body, headers=sent, skip_auto_headers=["Content-Type"]
        ) as got:
            return Answer(got.status, dict(got.headers), await got.read())

    async def get(self, path: str, **more: Any) -> Answer:
        """Send a GET."""
        return await self.call("GET", path, **more)

    async def post(self, path: str, json_body: Any = None, **more: Any) -> Answer:
        """Send a POST."""
        return await self.call("POST", path, json_body=json_body, **more)

    async def raw(self, request: bytes, *, end: bool = False) -> bytes:
        """Send bytes as they are and return all that comes back until the connection closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listening.port)
        writer.write(request)
        if end:
            writer.write_eof()
        try:
            return await asyncio.wait_for(reader.read(), 20)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    @contextlib.asynccontextmanager
    async def engine_off(self) -> AsyncIterator[None]:
        """Take tasks without working on them while entered, as when a crash comes in between."""
        enqueue = self.engine.enqueue

        async def forget(task: Task) -> None:
            return

        self.engine.enqueue = forget  # type: ignore[method-assign]
        try:
            yield
        finally:
            self.engine.enqueue = enqueue  # type: ignore[method-assign]

    async def rows(self, table: str) -> list[Mapping[str, Any]]:
        """Return every row of a table."""
        async with self.database.read() as connection:
            found = await connection.execute(text(f"SELECT * FROM {table}"))
            return [dict(row) for row in found.mappings()]

    async def nothing_happened(self) -> None:
        """Hold that nothing is stored and nothing is queued."""
        for table in ("events", "issues", "tasks", "idempotency_keys", "runs"):
            assert await self.rows(table) == [], table
        assert self.worker.seen == []
        assert await self.engine.queue_depth() == 0

    def stored_bytes(self) -> bytes:
        """Return all bytes that the database's files hold."""
        return b"".join(path.read_bytes() for path in (self.folder / "data").iterdir() if path.is_file())


@contextlib.asynccontextmanager
async def running(
    folder: Path,
    *,
    server_key: str = SERVER_KEY,
    agent_keys: tuple[str, ...] = (AGENT_KEY,),
    code_host: str = "github",
    allowed_repos: tuple[str, ...] = (),
    add: tuple[str, str, RequestHandler] | None = None,
    rules: IntakeRules | None = None,
    node_rates: NodeRates | None = None,
    senders: Senders | None = None,
    bug_case_reach: Reach = Reach.REPOSITORY,
    webhooks: WebhookSecrets | None = None,
    policies: tuple[Policy, ...] = (),
    queue_rules: QueueRules | None = None,
) -> AsyncIterator[Running]:
    """Run a server while entered."""
    clock = SystemClock()
    queue_rules = queue_rules or QueueRules()
    redactor = Redactor(literals=[OWN_SECRET])
    database = await open_database(migrated_url(folder))
    tasks = TaskRepository(database, clock, queue_rules)
    issues = IssueRepository(database, clock, rules)
    pull_requests = PullRequestRepository(database, clock)
    comments, nudges = CommentRepository(database, clock), Nudges()
    trace = TraceStore(database, clock, redactor)
    worker = SmallWorker(tasks, trace)
    crew = Crew(4, clock, ProcessNursery(), Tally())
    engine = MemoryEngine(WatchedWorker(worker, tasks, crew), tasks, trace, max_concurrent=4)
    outbox = OutboxRepository(database)
    git = GitClient(folder / "mirrors", lambda _: None, allow_file=True)
    hosts: dict[str, CodeHost] = {
        "local": LocalHost(pull_requests, comments, git),
        "github": GitHubHost("https://api.github.com", ""),
    }

    talkers: Any = SimpleNamespace(
        tasks=tasks,
        issues=issues,
        pull_requests=pull_requests,
        redact=redactor.redact,
        host_of=lambda repository: hosts[repository.code_host],
    )
    conversation = Conversation(talkers, engine, SeenCommentRepository(database), "/ai-ops")

    async def ready() -> None:
        async with database.write():
            return

    repositories = RepositoryRules(code_host=code_host, allowed_repos=allowed_repos)
    schedules = ScheduleRepository(database, clock)
    pauses = PauseRepository(database, clock, "account")
    guarding = Guarding(
        FindingRepository(database),
        AuditLog(database, clock, folder / "audit-head.json"),
        clock,
        redactor.redact,
        policies=tuple(policies),
    )
    steering = Steering(tasks, engine, pauses, redactor.redact)
    gate = GateRepository(database, clock, queue_rules)
    services = Services(
        planning=Planning(POLICY, TaskFolders((folder / "projects",)), ("packages.example",)),
        issues=issues,
        tasks=tasks,
        pull_requests=pull_requests,
        comments=comments,
        deliveries=DeliveryRepository(database, clock),
        conversation=conversation,
        watched=nudges,
        webhooks=webhooks or WebhookSecrets(),
        bug_cases=BugCaseRepository(database),
        fix_watches=FixWatchRepository(database, clock),
        trace=trace,
        outbox=outbox,
        pauses=pauses,
        engine=engine,
        hosts=hosts,
        rules=repositories,
        redactor=redactor,
        keyring=Keyring(server_key, agent_keys),
        clock=clock,
        ready=ready,
        ids=IdRepository(database),
        schedules=schedules,
        scheduling=Scheduling(schedules, tasks, engine, clock, repositories.resolve),
        oversight=an_oversight(folder, database, crew, tasks, engine, outbox, clock),
        guarding=guarding,
        steering=steering,
        gate=gate,
        workflows=WorkflowRunning(
            WorkflowRepository(database, clock),
            tasks,
            trace,
            engine,
            steering,
            gate,
            guarding,
            clock,
            repositories.resolve,
        ),
        templates=TemplateFolder(folder / "templates"),
        queue_rules=queue_rules,
        maintenance=MaintenanceFile(folder / "data", clock),
        public_url=PUBLIC_URL,
        node_rates=node_rates or NodeRates(),
        senders=senders or Senders(),
        bug_case_reach=bug_case_reach,
    )
    app = build_app(services)
    if add is not None:
        app.router.add_route(*add)
    listening = await listen(app, "127.0.0.1", 0)
    async with aiohttp.ClientSession() as session:
        try:
            yield Running(
                listening=listening,
                services=services,
                session=session,
                database=database,
                tasks=tasks,
                issues=issues,
                pull_requests=pull_requests,
                trace=trace,
                engine=engine,
                worker=worker,
                git=git,
                folder=folder,
                key=server_key,
                nudges=nudges,
            )
        finally:
            await listening.stop()
            await engine.stop()
            await database.close()


TRACEBACK = """2026-01-01 12:00:00 ERROR request failed
Traceback (most recent call last):
  File "/srv/shop/app/main.py", line 10, in main
    rate(order)
  File "/srv/shop/app/rating.py", line 7, in rate
    return total / count
ZeroDivisionError: division by zero
"""


def wire_event(**changes: Any) -> dict[str, Any]:
    """Return an event as an agent sends it; ``error`` and ``repo`` are merged, the rest replaces."""
    event: dict[str, Any] = {
        "schema_version": 1,
        "event_id": str(uuid.uuid4()),
        "occurred_at": "2026-01-01T12:00:00.000Z",
        "node": "n1",
        "service": "shop",
        "environment": "production",
        "release": "abc",
        "repo": {"repo_url": REPO, "code_host": "github", "default_branch": "main"},
        "source": {"path": "/var/log/app.log", "offset": 17},
        "level": "ERROR",
        "context": ["a line before"],
        "error": {"raw_excerpt": TRACEBACK},
        "count": 1,
    }
    for name, value in changes.items():
        if name in ("error", "repo") and isinstance(value, dict):
            event[name] = {**event[name], **value}
        else:
            event[name] = value
    return event


def a_repair(**changes: Any) -> dict[str, Any]:
    """Return the body of a repair task."""
    return {"repo_url": REPO, "error_content": TRACEBACK, **changes}


def a_prompt(**changes: Any) -> dict[str, Any]:
    """Return the body of a prompt task."""
    return {"prompt": "Say hello.", **changes}
