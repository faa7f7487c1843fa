"""What a soak does inside the server: failures of the catalogue at random, and windows of a limit.

Any failure may be met before a step's work or behind it, when its effect is there and nobody knows; those of
a host, of git, of the network and of mail are met in the adapters too. ``SOAK_CHANCE`` is how likely each is,
``SOAK_SEED`` makes the choice, and each is said in a line of stderr, ``injected: CODE``.
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ai_ops.core.failures import CATALOGUE, SECTIONS, failed
from ai_ops.core.ports import Outcome, Steps
from ai_ops.integrations.mail.smtp import SmtpNotifier
from ai_ops.integrations.scripted import ScriptedFixer
from ai_ops.vcs.git import GitClient
from ai_ops.vcs.github import GitHubHost

SOON = 0.02  # seconds that a failure asks to wait: time goes fast here


class Weather:
    """The failures of one life of the server. ``drawn`` is a file as long as all lives drew of the deck."""

    def __init__(self, seed: str, chance: float, drawn: Path) -> None:
        self._random = random.Random(f"{seed}:{time.time_ns()}")  # else each life would die of the same
        self._chance = chance
        self._drawn = drawn
        self._deck = random.Random(seed).sample(ALL, len(ALL))

    def meet(self, codes: Sequence[str]) -> None:
        """Fail with one of these, or not; of all codes each has its turn before one comes again."""
        if self._random.random() >= self._chance:
            return
        code = self._random.choice(codes) if codes is not ALL else self._draw()
        print(f"injected: {code}", file=sys.stderr, flush=True)
        raise failed(code, delay=SOON)

    def _draw(self) -> str:
        with self._drawn.open("ab") as file:
            place = file.tell()
            file.write(b".")
        return self._deck[place % len(self._deck)]


class SoakedSteps:
    """Steps whose work meets any failure before it begins, or once it is done."""

    def __init__(self, steps: Steps, weather: Weather) -> None:
        self._steps, self._weather = steps, weather

    async def run(self, name: str, round: int, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        async def surrounded() -> Outcome:
            self._weather.meet(ALL)
            outcome = await work()
            self._weather.meet(ALL)
            return outcome

        return await self._steps.run(name, round, surrounded)

    async def wait(self, seconds: float) -> None:
        await self._steps.wait(seconds)


ALL = tuple(CATALOGUE)
_NETWORK = tuple(row.code for row in SECTIONS["The network"])
_HOST = tuple(row.code for row in SECTIONS["The code host"]) + _NETWORK
_GIT = tuple(row.code for row in SECTIONS["Git"]) + _NETWORK
_MAIL = tuple(code for code in ALL if code.startswith("mail_")) + _NETWORK


def weather_of(environment: Mapping[str, str]) -> Weather | None:
    """Return the weather that the environment asks for, put around the adapters; None: none."""
    if "SOAK_CHANCE" not in environment:
        return None
    limit = Path(environment["SOAK_LIMIT"])
    chance = float(environment["SOAK_CHANCE"])
    weather = Weather(environment["SOAK_SEED"], chance, limit.with_name("drawn"))
    _around(GitHubHost, "open_pull_request", weather, _HOST, behind=True)
    _around(GitHubHost, "find_pull_request", weather, _HOST)
    _around(GitClient, "refresh", weather, _GIT)
    _around(GitClient, "push", weather, _GIT, behind=True)
    # A mail that was taken and not known to be is sent again by any client: only before.
    _around(SmtpNotifier, "deliver", weather, _MAIL)
    _limit(limit)
    return weather


def _around(
    owner: type, method: str, weather: Weather, codes: Sequence[str], *, behind: bool = False
) -> None:
    work = getattr(owner, method)

    async def surrounded(self: Any, *arguments: Any, **named: Any) -> Any:
        weather.meet(codes)
        answer = await work(self, *arguments, **named)
        if behind:
            weather.meet(codes)
        return answer

    setattr(owner, method, surrounded)


def _limit(until: Path) -> None:
    """Meet the subscription's limit until the time, in seconds of the epoch, that a file says."""
    ask = ScriptedFixer.ask

    async def limited(self: ScriptedFixer, *arguments: Any) -> Any:
        end = float(until.read_text()) if until.exists() else 0.0
        if (left := end - time.time()) > 0:
            print("injected: window", file=sys.stderr, flush=True)
            raise failed("model_session_limit", delay=left)
        return await ask(self, *arguments)

    ScriptedFixer.ask = limited  # type: ignore[method-assign]


def injected(log: Path) -> list[str]:
    """Return what was injected, as the log of the server's lives has it."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return [line.removeprefix("injected: ") for line in lines if line.startswith("injected: ")]


def seed_of(argument: str = "") -> str:
    """Return the seed of a soak: the one that is given, or ``SOAK_SEED``, or a new one."""
    return argument or os.environ.get("SOAK_SEED", "") or str(time.time_ns())
