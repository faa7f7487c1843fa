"""Races for one pull request: of processes on one branch, and of all workers of one server."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

from tests.support import shop
from tests.support.children import until
from tests.support.git_server import create_repository, git
from tests.support.nursery import ROOT, die_with_parent
from tests.support.scenario import Scenario, stands, wire_event

WORKERS = 8
NAME = "acme/shop"
_SOON = 0.05  # seconds until both begin
_ROUND_SECONDS = 180.0

ROOMY = {
    "MAX_CONCURRENT_TASKS": str(WORKERS),
    "MAX_OPEN_PULL_REQUESTS": "1000",
    "PULL_REQUESTS_PER_HOUR": "0",
    "PULL_REQUESTS_PER_DAY": "0",
    "PULL_REQUESTS_PER_HOUR_TOTAL": "0",
    "PULL_REQUESTS_PER_DAY_TOTAL": "0",
    "SPIKE_TASKS_PER_HOUR": "0",
    "BUDGET_USD_PER_HOUR": "0",
}
"""Settings under which nothing but the races decides."""


@contextlib.asynccontextmanager
async def _started(module: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=die_with_parent,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _said(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()
    assert line, "the process has ended"
    return line


async def race_processes(folder: Path, rounds: int) -> None:
    """Let two processes open the pull request of one branch at the same moment, again and again.

    In every other round their commits differ, as those of two runs do; in the others they are the same one.
    """
    root, token = folder / "github", secrets.token_hex(16)
    bare = create_repository(root, NAME, {"app.py": "x = 1\n"})
    async with contextlib.AsyncExitStack() as stack:
        double = await stack.enter_async_context(
            _started("tests.support.github_double", "--root", str(root), "--token", token)
        )
        url = (await _said(double)).removeprefix("listening on ")
        racers = []
        for n in range(2):
            arguments = (f"{url}/api/v3", token, f"{url}/{NAME}", str(folder / f"mirror-{n}"))
            racers.append(await stack.enter_async_context(_started("tests.support.racer", *arguments)))
        for racer in racers:
            assert await _said(racer) == "ready"
        for turn in range(rounds):
            branch = f"ai-ops/fix-{turn:012x}-1"
            moment = time.time() + _SOON
            for number, racer in enumerate(racers):
                assert racer.stdin is not None
                message = f"Fix it {number if turn % 2 else ''}"
                racer.stdin.write(f"{branch} {moment} {message}\n".encode())
            numbers = await asyncio.gather(*map(_said, racers))
            assert numbers == [str(turn + 1)] * 2, f"round {turn}: {numbers}"
            assert len(_branches(bare)) == turn + 1


async def race_workers(scenario: Scenario, rounds: int) -> None:
    """Let all workers of a server be busy, each with an error that comes from everywhere at once.

    Eight repositories are new in each round, because one is worked on by one worker at a time.
    """
    for turn in range(rounds):
        names = [f"acme/shop-{turn}-{worker}" for worker in range(WORKERS)]
        for name in names:
            scenario.repository(name)
        wishes = [_wish(scenario, name, number) for number in range(WORKERS) for name in names]
        await asyncio.gather(*wishes)
        tasks = await until(
            "the round is over", lambda names=names: _ended(scenario, names), 180, scenario.server.tail
        )
        assert [stands(task) for task in tasks] == [("completed", "proved", "reproduced")] * WORKERS, tasks
        for name in names:
            (pull,) = scenario.pulls(name)
            assert scenario.branches(name) == [pull["head"]], name


async def _wish(scenario: Scenario, name: str, number: int) -> None:
    """Send an error, by an event or as a person's wish."""
    url = scenario.repo_url(name)
    if number % 2:
        body = {"repo_url": url, "error_content": shop.error(number)}
        async with scenario.client.post("/v1/tasks", json=body) as answer:
            assert answer.status in (200, 201), await answer.text()
        return
    await scenario.post("/v1/events", {"events": [wire_event(shop.error(number), url)]})


async def _ended(scenario: Scenario, names: list[str]) -> list[Mapping[str, Any]]:
    """Return the tasks of these repositories when all of them are over."""
    listed = (await scenario.get("/v1/tasks?limit=200"))["items"]
    urls = {scenario.repo_url(name) for name in names}
    tasks = [task for task in listed if task["repo_url"].removesuffix(".git") in urls]
    assert len(tasks) <= len(names), "an error has two tasks"
    over = len(tasks) == len(names) and all(
        task["state"] in ("completed", "failed", "cancelled", "needs_human_review") for task in tasks
    )
    return tasks if over else []


def _branches(bare: Path) -> list[str]:
    names = git("for-each-ref", "--format=%(refname:short)", cwd=bare).split()
    return [name for name in names if name != "main"]
