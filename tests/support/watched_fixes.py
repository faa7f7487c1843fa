"""A merged fix and what is logged after it: a real remote, the local host, a database, and fake time.

Days are counted from the merge. Only the model is not there: the repair is put on record as if it had run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from ai_ops.core.flood import IntakeRules
from ai_ops.core.identity import fix_branch, pull_request_id
from ai_ops.core.orchestrator.fix_watching import FixWatching
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.flow.event import Event, EventRepo
from ai_ops.flow.fix_watch import FixWatch
from ai_ops.flow.issue import Issue
from ai_ops.flow.pull_request import PullRequest, PullRequestState
from ai_ops.flow.repository import Repository
from ai_ops.flow.task import Task, TaskState
from ai_ops.integrations.mail.files import FileNotifier
from ai_ops.integrations.mail.mailroom import Mailroom
from ai_ops.store.bug_cases import BugCaseRepository
from ai_ops.store.comments import CommentRepository
from ai_ops.store.database import Database
from ai_ops.store.fix_watches import FixWatchRepository
from ai_ops.store.issues import IssueRepository
from ai_ops.store.outbox import OutboxRepository
from ai_ops.store.places import PlaceRepository
from ai_ops.store.pull_requests import PullRequestRepository
from ai_ops.store.tasks import TaskRepository
from ai_ops.vcs.git import GitClient
from ai_ops.vcs.local import LocalHost
from tests.support.git_server import create_repository, git, push_files
from tests.support.store import FixedClock, event, fingerprint
from tests.support.workshop import POLICY

BROKEN, MENDED = "def half(n):\n    return n / 0\n", "def half(n):\n    return n / 2\n"
BEFORE_DAYS = 20
"""How long the error was there before its fix was merged."""


class Enqueued:
    """An engine that notes what it is given."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    async def enqueue(self, task: Task) -> None:
        self.tasks.append(task)

    async def cancel(self, task: Task) -> None:
        raise AssertionError("nothing is cancelled")


class WatchedFix:
    """One issue whose fix is merged, and the duty that watches it."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.bare = create_repository(folder / "remote", "acme/shop", {"calc.py": BROKEN})
        self.repository = Repository("local/acme/shop", f"file://{self.bare}", "local")
        self.database, self.clock = database, FixedClock()
        self.git = GitClient(folder / "mirrors", lambda _: None, allow_file=True)
        self.issues = IssueRepository(database, self.clock)
        self.tasks = TaskRepository(database, self.clock)
        self.pulls = PullRequestRepository(database, self.clock)
        self.places: Any = PlaceRepository(database, self.clock)
        self.cases = BugCaseRepository(database)
        self.watches: Any = FixWatchRepository(database, self.clock, IntakeRules())
        self.comments = CommentRepository(database, self.clock)
        self.host: Any = LocalHost(self.pulls, self.comments, self.git)
        self.outbox = OutboxRepository(database)
        self.mailroom = Mailroom(
            self.outbox, FileNotifier(folder / "mail", "a@example.test"), self.clock, lambda text: text
        )
        self.engine = Enqueued()
        self.pull_request_id = ""
        self.merged_at = self.clock.time
        self.base = git("rev-parse", "main", cwd=self.bare)
        self.old_release = self.base  # what the builds before the merge call themselves

    # --- before the merge ---

    async def broken(self, *services: str, times: int = 20) -> Task:
        """Let the error happen once a day in each service, and return its repair."""
        found: list[Task] = []
        for _ in range(times):
            self.clock.forward(86_400)
            for service in services or ("shop",):
                found += await self.fails(self.old_release, service)
        (task,) = found
        return task

    async def proposed(self, task: Task) -> PullRequest:
        """Put the repair of a task on record, with its branch and its open pull request."""
        branch = fix_branch(task.fingerprint, task.episode)
        head = push_files(self.bare, {"calc.py": MENDED}, branch)
        for state in (TaskState.PROCESSING, TaskState.COMPLETED):
            await self.tasks.move(task.id, state)
        identity = pull_request_id(self.repository.key, branch)
        made = PullRequest(
            id=identity,
            repo_key=self.repository.key,
            repo_url=self.repository.url,
            code_host="local",
            number=7 + task.episode,
            url=f"/v1/pull-requests/{identity}",
            state=PullRequestState.OPEN,
            branch=branch,
            base="main",
            base_sha=self.base,
            head_sha=head,
            title="Fix ZeroDivisionError in calc.py",
            body="",
            diff=git("diff", self.base, head, cwd=self.bare) + "\n",
            task_id=task.id,
            run_id="run",
            issue_id=task.issue_id,
            fingerprint=task.fingerprint,
            episode=task.episode,
            created_at=self.clock.time,
            updated_at=self.clock.time,
            summary="asks first",
        )
        self.pull_request_id = made.id
        return await self.pulls.record(made)

    async def merged(self, *services: str, how: str = "merge") -> str:
        """Let the error happen, mend it and merge that as a host does; return the merge commit."""
        proposed = await self.proposed(await self.broken(*services))
        self.clock.forward(3600)
        self.merged_at = self.clock.time
        if how == "merge":
            return await self.host.merge_pull_request(self.repository, proposed)
        sha = push_files(self.bare, {"calc.py": MENDED}, message="Fix (#8)")
        await self.pulls.update(proposed.id, state=PullRequestState.MERGED, merge_sha=sha)
        return sha

    # --- after it ---

    def build(self, name: str = "work", branch: str = "main") -> str:
        """Push further work on a branch and return its commit."""
        return push_files(self.bare, {f"{name}.txt": name}, branch, name)

    async def fails(self, release: str, service: str = "shop", number: int = 1) -> Sequence[Task]:
        """Let a build log the watched error, or another one; return the repairs that follow at once."""
        made: Event = replace(
            event(number, at=self.clock.time),
            repo=EventRepo(self.repository.url, "local"),
            release=release,
            service=service,
        )
        return (await self.issues.ingest([(made, self.repository)])).tasks

    async def is_seen(self, release: str, service: str = "shop") -> None:
        """Let a build log another error."""
        await self.fails(release, service, number=2)

    def day(self, days: float) -> None:
        """Go to so many days after the merge."""
        self.clock.time = self.merged_at + timedelta(days=days)

    def tools(self) -> Tools:
        """Return the tools, as far as there are any."""
        nothing: Any = None
        return Tools(
            tasks=self.tasks,
            issues=self.issues,
            pull_requests=self.pulls,
            places=self.places,
            bug_cases=self.cases,
            fix_watches=self.watches,
            trace=nothing,
            outbox=self.outbox,
            git=self.git,
            history=self.git,
            builds=self.git,
            workspaces=nothing,
            suites=nothing,
            setup_layers=nothing,
            edits=nothing,
            fixer=nothing,
            hosts={"local": self.host},
            mailroom=self.mailroom,
            sandbox=nothing,
            clock=self.clock,
            policy=POLICY,
            redact=lambda text: text.replace("hunter2", "***"),
            ledger=nothing,
            pauses=nothing,
            folders=nothing,
        )

    def duty(self, **options: Any) -> FixWatching:
        """Return a duty as a server makes one when it starts."""
        engine: Any = self.engine
        return FixWatching(self.tools(), engine, **{"grace": timedelta(hours=24), **options})

    async def look(self, days: float | None = None, **options: Any) -> FixWatch:
        """Let the duty go round once, at that day, and return the watch."""
        if days is not None:
            self.day(days)
        await self.duty(**options).round()
        return await self.watch()

    async def watch(self) -> FixWatch:
        """Return the watch of the merged pull request."""
        (found,) = await self.watches.of_pull_request(self.pull_request_id)
        return found

    async def issue(self) -> Issue:
        """Return the issue of the error."""
        found = [each for each in (await self.issues.list()).items if each.fingerprint == fingerprint(1)]
        assert len(found) == 1
        return found[0]

    async def mails(self) -> list[str]:
        """Return the subjects of the mails that there are, oldest first."""
        return [each.subject for each in reversed((await self.outbox.list()).items)]

    async def said(self) -> list[str]:
        """Return what we said below the merged pull request."""
        return [each.body for each in await self.comments.of(self.pull_request_id)]
