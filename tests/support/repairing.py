"""Repairs of many repositories by one server in this process: the agent's reading, the API, the worker,
git, the sandbox and the Claude CLI are the real ones; only what the model says is written down.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from ai_ops.monitoring.checkpoint import Checkpoint
from ai_ops.monitoring.detect import Detector, LogFilter
from ai_ops.monitoring.followed import FollowedFile
from ai_ops.settings import Settings
from ai_ops.wiring.adapters import with_free_port
from ai_ops.wiring.serving import serving
from ai_ops.wiring.system import System
from tests.support.conversations import Conversations, conversation
from tests.support.git_server import create_repository, git
from tests.support.repositories import Repository
from tests.support.scenario import RESTING, stands, wire_event
from tests.support.variants import End, expected

MODES = ("code_blocks", "agentic")
_KEYWORDS = ("ERROR", "Exception", "CRITICAL")
_NO_LIMIT = 0


@dataclass(frozen=True)
class Outcome:
    """What became of one repair. ``problems`` are empty when it ended as it has to."""

    repository: str
    variant: str
    mode: str
    seconds: float
    ended: str
    expected: End
    problems: tuple[str, ...]


class Repairs:
    """Runs repairs in one fix mode. ``system`` is the server's."""

    def __init__(self, folder: Path, mode: str) -> None:
        self._folder, self._mode = folder, mode
        self._conversations: dict[str, Mapping[str, Any]] = {}
        self._url = ""
        self.system: System

    @contextlib.asynccontextmanager
    async def running(self, toolbox: Path | None = None) -> AsyncIterator[Repairs]:
        """Serve while entered; the toolbox is built when none is given."""
        data = self._folder / "data"
        if toolbox is not None:
            shutil.copytree(toolbox, data / "toolbox", symlinks=True, copy_function=os.link)
        (self._folder / "remotes").mkdir(parents=True)
        async with Conversations(self._conversation) as model:
            settings = Settings(
                code_host="local",
                allowed_repos=(str(self._folder / "remotes"),),
                data_dir=data,
                workspaces_dir=self._folder / "workspaces",
                http_port=0,
                claude_fix_mode=self._mode,
                anthropic_base_url=model.url,
                max_rounds=1,
                max_concurrent_tasks=2,
                budget_usd_per_hour=_NO_LIMIT,
                budget_usd_per_day=10_000.0,
                spike_tasks_per_hour=_NO_LIMIT,
                storm_fingerprints=_NO_LIMIT,
                pull_requests_per_hour_total=_NO_LIMIT,
                pull_requests_per_day_total=_NO_LIMIT,
            )
            async with serving(with_free_port(settings)) as (self.system, listening):
                self._url = listening.url
                yield self

    async def _conversation(self, run_id: str) -> Mapping[str, Any]:
        """Return what is said in a run: its task knows the repository, and each repair has its own."""
        run = await self.system.tools.trace.find_run(run_id)
        task = await self.system.tools.tasks.find(run.task_id) if run else None
        assert task is not None, run_id
        return self._conversations[Path(task.repo_url).stem]

    async def repair(self, repository: Repository, variant: str) -> Outcome:
        """Let one error of a repository be repaired with one answer, and see how it ends."""
        began = time.monotonic()
        name = f"{repository.name}-{variant}"
        remote = create_repository(self._folder / "remotes", name, repository.tree)
        self._conversations[name] = conversation(repository, variant, self._mode)
        async with aiohttp.ClientSession(self._url) as client:
            await self._report(client, repository, remote)
            task = await self._ended(client, name)
            pulls = await _items(client, "/v1/pull-requests")
        pulls = [pull for pull in pulls if pull["repo_key"] == task["repo_key"]]
        wanted = expected(repository, variant)
        state, verdict, word = stands(task)
        first = next(map(_shown, task["proof"]["reasons"]), word)
        ended = f"{verdict or state}: {first}"
        return Outcome(
            repository.name,
            variant,
            self._mode,
            time.monotonic() - began,
            ended,
            wanted,
            tuple(_problems(wanted, task, pulls, remote)),
        )

    async def _report(self, client: aiohttp.ClientSession, repository: Repository, remote: Path) -> None:
        log = self._folder / f"{remote.stem}.log"
        log.write_text(repository.log, encoding="utf-8")
        events = [wire_event(text, str(remote)) for text in await asyncio.to_thread(records, log)]
        assert events, f"the agent finds no error in {repository.name}'s log"
        async with client.post("/v1/events", json={"events": events}) as answer:
            said = await answer.json()
        assert said["accepted"] == len(events), said

    async def _ended(self, client: aiohttp.ClientSession, name: str) -> Any:
        async with asyncio.timeout(120):
            while True:
                listed = await _items(client, "/v1/tasks")
                tasks = [each for each in listed if Path(each["repo_url"]).stem == name]
                if tasks and all(task["state"] in RESTING for task in tasks):
                    assert len(tasks) == 1, f"one error, {len(tasks)} tasks"
                    return tasks[0]
                await asyncio.sleep(0.1)


def records(log: Path) -> list[str]:
    """Return the errors in a log, as the agent reads them."""
    detector = Detector(_KEYWORDS, LogFilter.BALANCED)
    status = log.stat()
    file = FollowedFile(Checkpoint(status.st_dev, status.st_ino, str(log)), detector, 0.0)
    try:
        reading = file.read(1000, time.monotonic(), final=True)
    finally:
        file.close()
    assert reading is not None and not reading.more
    return [record.raw.decode() for record in reading.records]


async def _items(client: aiohttp.ClientSession, path: str) -> list[Any]:
    async with client.get(path, params={"limit": 200}) as answer:
        return (await answer.json())["items"]


def _shown(reason: Any) -> str:
    return f"{reason['rule']} {reason['place']}".strip()


def _problems(wanted: End, task: Any, pulls: list[Any], remote: Path) -> list[str]:
    state, verdict, word = stands(task)
    reasons = task["proof"]["reasons"]
    problems = []
    if (state, verdict) != (wanted.state, wanted.verdict):
        problems.append(f"{state}, {verdict}: {task['outcome_reason']}")
    right = [reason for reason in reasons if reason["rule"] in wanted.rules]
    if not any(wanted.place in reason["place"] for reason in right):
        problems.append(f"the reasons are {', '.join(_shown(each) for each in reasons) or word}")
    branches = git("for-each-ref", "--format=%(refname:short)", cwd=remote).split()
    published = (len(pulls), len(branches) - 1)
    if published != ((1, 1) if wanted.verdict == "proved" else (0, 0)):
        problems.append(f"{published[0]} pull requests, {published[1]} branches")
    if wanted.verdict == "proved" and not any(reason["rule"] == "suite_clean" for reason in reasons):
        problems.append("its suite is not clean")
    return problems
