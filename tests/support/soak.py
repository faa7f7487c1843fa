"""A soak in fast time: very many tasks, every failure at random, kills -9, windows of a limit.

Afterwards every task must stand in a final state, none may be lost, and nothing may have been done twice
outside: one pull request a branch, one mail a message, however often the server died.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import aiohttp

from ai_ops.core.failures import CATALOGUE
from tests.support import shop
from tests.support.children import commands, reap_adopted, until
from tests.support.scenario import Scenario, wire_event
from tests.support.soaking import injected

FINAL = {"completed", "failed", "cancelled", "needs_human_review"}
REPOSITORIES = 6
SETTINGS = {
    "QUEUE_HIGH": "1000000",
    "QUEUE_LOW": "500000",
    "MAX_CONCURRENT_TASKS": "8",
    "RETRY_FIRST_SECONDS": "0.02",
    "RETRY_LONGEST_SECONDS": "0.1",
    "DEFAULT_UNBAN_WAIT": "0.1",
    "MAX_OPEN_PULL_REQUESTS": "100000",
    "PULL_REQUESTS_PER_HOUR": "0",
    "PULL_REQUESTS_PER_DAY": "0",
    "PULL_REQUESTS_PER_HOUR_TOTAL": "0",
    "PULL_REQUESTS_PER_DAY_TOTAL": "0",
    "WORKER_MOST_LOSSES": "1000",
    "LOG_FORMAT": "json",
}


@dataclass(frozen=True)
class Plan:
    """How much of what: tasks, kills, windows of a limit; ``chance`` of a failure at each place."""

    seed: str
    tasks: int
    kills: int
    windows: int = 3
    chance: float = 0.02
    window_seconds: float = 1.0


@dataclass(frozen=True)
class Result:
    """What came of it: states of tasks, failures met by code, and what went wrong; empty: nothing."""

    states: Counter[str]
    met: Counter[str]
    pull_requests: int
    mails: int
    seconds: float
    wrong: tuple[str, ...]


class Soak:
    """One soak on an installation whose server does not run yet."""

    def __init__(self, scenario: Scenario, plan: Plan, say: Callable[[str], None]) -> None:
        self._scenario, self._plan, self._say = scenario, plan, say
        self._random = random.Random(plan.seed)
        self._limit = scenario.folder / "limit"
        self._asked: dict[str, str] = {}
        self._tasks: dict[str, Any] = {}
        self._kills = 0
        self._ended = 0

    async def run(self) -> Result:
        """Soak, and look at what is left."""
        begun = time.monotonic()
        self._prepare()
        await self._scenario.start_server()
        storm = asyncio.create_task(self._storm())
        try:
            await asyncio.gather(self._create(), self._until_over(storm))
        finally:
            storm.cancel()
            await asyncio.gather(storm, return_exceptions=True)
        return await self._judged(time.monotonic() - begun)

    def _prepare(self) -> None:
        scenario = self._scenario
        scenario.script({**shop.script(), "task": [{"answer": "Done.", "files": {"notes.md": "Seen.\n"}}]})
        scenario.settings |= SETTINGS | {
            "SOAK_SEED": self._plan.seed,
            "SOAK_CHANCE": str(self._plan.chance),
            "SOAK_LIMIT": str(self._limit),
        }
        for number in range(REPOSITORIES):
            scenario.repository(f"acme/soak{number}", {"README.md": "A place to soak.\n"})

    # --- work ---

    async def _create(self) -> None:
        for number in range(self._plan.tasks):
            key = f"soak-{number}"
            answer = await self._insist("/v1/tasks", self._body(number), key)
            self._asked[key] = answer["task_id"]
            if self._random.random() < 0.03:
                await self._insist(f"/v1/tasks/{answer['task_id']}/cancel", {}, "")

    def _body(self, number: int) -> dict[str, Any]:
        """A mix: most only answer; some propose a change; a few repair an error."""
        kind = self._random.random()
        name = f"Task {number}"
        if number == 0:
            error = wire_event(shop.error(), self._scenario.repo_url())["error"]["raw_excerpt"]
            return {"error_content": error, "repo_url": self._scenario.repo_url()}
        if kind < 0.25:
            url = self._scenario.repo_url(f"acme/soak{number % REPOSITORIES}")
            change = {"type": "medium_context", "repo_url": url, "pull_request": True}
            return {"prompt": f"Write {number} down.", "name": name, **change}
        sort = self._random.choice(["lightweight", "medium_context", "heavy_context"])
        priority = self._random.choice(["low", "normal", "high", "urgent"])
        return {"prompt": f"Look at {number}.", "name": name, "type": sort, "priority": priority}

    async def _insist(self, path: str, body: Any, key: str) -> Any:
        """Send until it is answered: the server may just be dead. With a key it makes one thing only."""
        headers = {"Idempotency-Key": key} if key else {}
        while True:
            try:
                async with self._scenario.client.post(path, json=body, headers=headers) as answer:
                    said = await answer.json()
                    if answer.status < 500 and answer.status != 429:
                        assert answer.status < 300 or (not key and answer.status == 409), said
                        return said
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.05)

    # --- trouble ---

    async def _storm(self) -> None:
        """Kill the server again and again, and limit the model in between."""
        plan = self._plan
        windows = {plan.kills * number // plan.windows for number in range(plan.windows)}
        for number in range(plan.kills):
            if number in windows:
                await self._limit_the_model()
            while self._ended < plan.tasks * 0.9 * number / plan.kills:
                await asyncio.sleep(0.05)
            await asyncio.sleep(self._random.uniform(0.1, 1.0))
            await self._scenario.server.kill()
            self._kills += 1
            await self._scenario.restart_server()

    async def _limit_the_model(self) -> None:
        """Limit the model for some seconds from when a task has met it, which may be late."""
        before = self._limits_met()
        while self._limits_met() == before and self._ended < self._plan.tasks:
            self._limit.write_text(str(time.time() + self._plan.window_seconds))
            await asyncio.sleep(0.2)

    def _limits_met(self) -> int:
        return Counter(injected(self._scenario.server.log))["window"]

    async def _until_over(self, storm: asyncio.Task[None]) -> None:
        said = 0.0
        while True:
            if storm.done():
                storm.result()
            over = self._ended = max(self._ended, await self._over())
            if time.monotonic() - said > 5:
                said = time.monotonic()
                self._say(f"{over} of {self._plan.tasks} tasks ended, {self._kills} kills")
            if storm.done() and over == self._plan.tasks and len(self._asked) == self._plan.tasks:
                return
            await asyncio.sleep(0.3 + self._plan.tasks / 2000)

    async def _over(self) -> int:
        """Return how many tasks stand in a final state."""
        with_cursor = ""
        found: dict[str, Any] = {}
        try:
            while True:
                page = await self._scenario.get(f"/v1/tasks?limit=200{with_cursor}")
                found |= {task["task_id"]: task for task in page["items"]}
                if page["next_cursor"] is None:
                    break
                with_cursor = f"&cursor={page['next_cursor']}"
        except (aiohttp.ClientError, TimeoutError):
            return 0
        self._tasks = found
        return sum(task["state"] in FINAL for task in found.values())

    # --- what is left ---

    async def _judged(self, seconds: float) -> Result:
        scenario = self._scenario
        await scenario.server.stop()

        def gone() -> bool:
            reap_adopted()
            return not scenario.processes()

        await until("every process is gone", gone, 20, lambda: str(commands(scenario.processes())))
        await scenario.leaves_nothing_behind()
        wrong = []
        if lost := set(self._asked.values()) - self._tasks.keys():
            wrong.append(f"lost: {sorted(lost)}")
        if more := self._tasks.keys() - set(self._asked.values()):
            wrong.append(f"made twice: {sorted(more)}")
        pulls = [
            (name, pull["head"])
            for name in ("acme/shop", *(f"acme/soak{number}" for number in range(REPOSITORIES)))
            for pull in scenario.pulls(name)
        ]
        wrong += [
            f"two pull requests of {where}" for where, count in Counter(map(str, pulls)).items() if count > 1
        ]
        mails = Counter(str(mail["Message-ID"]) for mail in scenario.mail.messages)
        again = sum(mails.values()) - len(mails)
        if (
            again > self._kills
        ):  # a kill between the server's 250 and our commit repeats one mail, with its id
            wrong.append(f"{again} mails were sent again in {self._kills} kills")
        met = Counter(injected(scenario.server.log))
        if met["window"] == 0:
            wrong.append("no task met a limit")
        if sum(met.values()) > 2 * len(CATALOGUE) and (never := CATALOGUE.keys() - met.keys()):
            wrong.append(f"never met: {sorted(never)}")
        states = Counter(task["state"] for task in self._tasks.values())
        return Result(states, met, len(pulls), len(mails), seconds, tuple(wrong))
