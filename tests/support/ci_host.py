"""A pull request on a real remote whose host has CI, as its watchers see it; and a death at any call.

Records, tasks, comments and git are real; only what CI says is set by the test.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ai_ops.core.orchestrator.ci import CiWatch
from ai_ops.core.orchestrator.holding import Holding
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.orchestrator.watching import Watching
from ai_ops.core.ports import TaskFilter
from ai_ops.core.redaction import Redactor
from ai_ops.flow.pull_request import Check, Checks, CheckState, HostedPullRequest, PullRequest
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Task, TaskKind
from ai_ops.store.comments import CommentRepository
from ai_ops.store.database import open_database
from ai_ops.store.pull_requests import PullRequestRepository
from ai_ops.store.tasks import TaskRepository
from ai_ops.trace.trace_store import TraceStore
from ai_ops.vcs.git import GitClient
from ai_ops.vcs.local import LocalHost
from tests.support.git_server import create_repository, push_files
from tests.support.store import FixedClock, migrated_url, pull_request
from tests.support.workshop import POLICY

SECRET = "quite-an-ordinary-phrase"
BRANCH = "ai-ops/fix-1-1"
FILES = {"cart.py": "def total(items):\n    return sum(items) / len(items)\n", "notes.txt": "one\n"}
PATCH = """diff --git a/cart.py b/cart.py
--- a/cart.py
+++ b/cart.py
@@ -1,2 +1,2 @@
 def total(items):
-    return sum(items) / len(items)
+    return sum(items) / max(1, len(items))
"""


class CiHost(LocalHost):
    """The local host with CI: what it says of a commit is what ``says`` holds."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.says: dict[str, Checks] = {}
        self.logs: dict[str, str] = {}
        self.made_ready = 0
        self.drafts: dict[int, bool] = {}
        """What people made of a draft on the host."""
        self.conflicting: bool | None = None
        self.head: str | None = None
        """The head that the host knows of, where it has not heard of a push yet."""

    async def pull_request(self, repository: Repository, number: int) -> HostedPullRequest:
        if self.head is None:
            hosted = await super().pull_request(repository, number)
        else:
            record = await self._numbered(repository, number)
            found = await self.find_pull_request(repository, record.branch, record.base)
            assert found is not None
            hosted = replace(found, head_sha=self.head)
        conflicts = hosted.conflicts if self.conflicting is None else self.conflicting
        return replace(hosted, draft=self.drafts.get(number, hosted.draft), conflicts=conflicts)

    async def update_pull_request(
        self, repository: Repository, number: int, *, body: str | None = None, draft: bool | None = None
    ) -> None:
        if draft is not None:
            self.made_ready += self.drafts.get(number, True) and not draft
            self.drafts[number] = draft
        if body is not None:
            await super().update_pull_request(repository, number, body=body)

    async def checks(self, repository: Repository, sha: str) -> Checks:
        return self.says.get(sha, Checks(CheckState.NONE))

    async def check_log(self, repository: Repository, check: Check) -> str:
        return self.logs.get(check.name, "")


class Killed(BaseException):
    """The process died here."""


@dataclass
class Calls:
    """Counts calls, and dies at one of them, before or after it is done."""

    at: int = -1
    done: bool = False
    made: int = 0

    def through(self, port: Any) -> Any:
        """Return a port whose calls are counted."""
        return _Counted(port, self)


class _Counted:
    def __init__(self, port: Any, calls: Calls) -> None:
        self._port, self._calls = port, calls

    def __getattr__(self, name: str) -> Any:
        return partial(self._call, getattr(self._port, name))

    async def _call(self, call: Any, *arguments: Any, **named: Any) -> Any:
        self._calls.made += 1
        dies = self._calls.made == self._calls.at
        if dies and not self._calls.done:
            raise Killed
        answer = await call(*arguments, **named)
        if dies:
            raise Killed
        return answer


class Queue:
    """An engine that remembers which tasks it was given."""

    def __init__(self) -> None:
        self.tasks: list[str] = []

    async def enqueue(self, task: Task) -> None:
        self.tasks.append(task.id)


@dataclass
class Branch:
    """Everything that one test works with."""

    remote: Path
    repository: Repository
    tools: Tools
    host: CiHost
    clock: FixedClock
    base: str
    head: str
    queue: Queue = field(default_factory=Queue)

    def watching(self, calls: Calls | None = None) -> Watching:
        """Return the round, as a server that has just started has it."""
        tools, queue = self.tools, self.queue
        if calls:
            ports = {name: calls.through(getattr(tools, name)) for name in ("tasks", "pull_requests", "git")}
            tools = replace(tools, hosts={"local": calls.through(self.host)}, **ports)
            queue = calls.through(queue)
        return Watching(tools.pull_requests, tools.hosts, (Holding(tools), CiWatch(tools, queue)))  # type: ignore[arg-type]

    async def round(self, times: int = 1) -> PullRequest:
        """Go round, each time as a new server, and return the record as it is then."""
        for _ in range(times):
            watching = self.watching()
            await watching.round()
            assert watching.looks[("local", "failed")] == 0
        return await self.now()

    async def now(self) -> PullRequest:
        """Return the record."""
        found = await self.tools.pull_requests.find("pr-1")
        assert found is not None
        return found

    def ci(self, sha: str = "", **states: CheckState) -> None:
        """Have CI say this of a commit, ours when none is given."""
        runs = tuple(Check(f"id-{name}", name, state) for name, state in states.items())
        self.host.says[sha or self.head] = Checks(CheckState.PASSED, runs)

    async def said(self) -> list[str]:
        """Return our comments."""
        return [each.body for each in await self.host.comments(self.repository, 1)]

    async def follow_ups(self) -> list[Task]:
        """Return what was asked for, oldest first."""
        found = await self.tools.tasks.list(TaskFilter(kinds=(TaskKind.FOLLOW_UP,)))
        return list(reversed(found.items))

    def pushed(self, files: Mapping[str, str | None], branch: str = "main") -> str:
        """Push as a developer does."""
        return push_files(self.remote, files, branch)


@dataclass(frozen=True)
class Place:
    """A remote with a branch of ours."""

    remote: Path
    repository: Repository
    git: GitClient
    base: str
    head: str


async def make_place(folder: Path) -> Place:
    """Make a remote and push a branch as a run does."""
    remote = create_repository(folder, "remotes/shop", FILES)
    repository = Repository("local/acme/shop", f"file://{remote}", "local")
    git = GitClient(folder / "mirrors", lambda _: None, allow_file=True)
    base = await git.refresh(repository)
    head = await git.commit(repository, base.sha, PATCH, "Fix\n\nAI-Ops-Run: r\n")
    await git.push(repository, head, BRANCH)
    return Place(remote, repository, git, base.sha, head)


@asynccontextmanager
async def open_branch(folder: Path, at: Place | None = None, **record: Any) -> AsyncIterator[Branch]:
    """Open new records with the pull request of our branch on a remote, its own unless ``at`` is one.

    ``record`` is what differs in the record; its ``policy`` what differs in the policy.
    """
    allowed = replace(POLICY, **record.pop("policy", {}))
    place = at or await make_place(folder)
    git = place.git
    database = await open_database(migrated_url(folder))
    clock, redactor = FixedClock(), Redactor(literals=[SECRET])
    pull_requests = PullRequestRepository(database, clock)
    host = CiHost(pull_requests, CommentRepository(database, clock), git)
    ports: dict[str, Any] = dict.fromkeys(Tools.__dataclass_fields__)
    ports |= {
        "tasks": TaskRepository(database, clock),
        "pull_requests": pull_requests,
        "trace": TraceStore(database, clock, redactor),
        "git": git,
        "history": git,
        "hosts": {"local": host},
        "clock": clock,
        "policy": allowed,
        "redact": redactor.redact,
    }
    where = {
        "repo_key": place.repository.key,
        "repo_url": place.repository.url,
        "code_host": "local",
        "branch": BRANCH,
    }
    made = pull_request(1, base_sha=place.base, head_sha=place.head, diff=PATCH, **where)
    await pull_requests.record(replace(made, **record))
    try:
        yield Branch(place.remote, place.repository, Tools(**ports), host, clock, place.base, place.head)
    finally:
        await database.close()
