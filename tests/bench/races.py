"""Races and kills in numbers: ``python -m tests.bench races [--processes N] [--workers N] [--kills N]``.

200 races of two processes, 25 rounds of eight workers (200 pull requests), and 25 kills of the server at each
moment between a push and its mail. It takes about half an hour; the result is no figure but a yes or no.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any

from tests.scenario.test_kill_server import proved_once
from tests.support import shop
from tests.support.nursery import Nursery, nursery
from tests.support.racing import ROOMY, race_processes, race_workers
from tests.support.scenario import build_toolbox, installed

MOMENTS = {
    "between push and create": (
        "push:1:after",
        "push:1:committed",
        "push:1:left",
        "open_pull_request:1:before",
    ),
    "between create and record": ("open_pull_request:1:inside",),
    "between record and mail": (
        "record:1:inside",
        "open_pull_request:1:after",
        "open_pull_request:1:committed",
        "open_pull_request:1:left",
        "notify:1:before",
    ),
}
"""Where the server is killed; those of one moment take turns."""


def main(arguments: Sequence[str]) -> int:
    """Run them and say how each ended; the first that goes wrong ends all."""
    parser = argparse.ArgumentParser("python -m tests.bench races")
    parser.add_argument("--processes", type=int, default=200, metavar="N")
    parser.add_argument("--workers", type=int, default=25, metavar="N")
    parser.add_argument("--kills", type=int, default=25, metavar="N")
    wanted = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="ai-ops-races-") as name, nursery() as warm:
        folder = Path(name)
        toolbox = build_toolbox(folder)
        _timed(f"two processes, {wanted.processes} times", race_processes(folder / "two", wanted.processes))
        _timed(
            f"eight workers, {wanted.workers} rounds",
            _workers(folder / "eight", toolbox, warm, wanted.workers),
        )
        for moment, points in MOMENTS.items():
            for number in range(wanted.kills):
                point = points[number % len(points)]
                what = f"kill {moment}, {number + 1} of {wanted.kills}: {point}"
                _timed(what, _killed(folder / f"{moment}-{number}".replace(" ", "-"), toolbox, warm, point))
    return 0


def _timed(what: str, work: Coroutine[Any, Any, None]) -> None:
    began = time.monotonic()
    asyncio.run(work)
    print(f"ok  {time.monotonic() - began:7.1f} s  {what}", flush=True)


async def _workers(folder: Path, toolbox: Path, warm: Nursery, rounds: int) -> None:
    async with installed(folder, toolbox=toolbox, nursery=warm, **ROOMY) as scenario:
        scenario.script(shop.script())
        await scenario.start_server()
        await race_workers(scenario, rounds)


async def _killed(folder: Path, toolbox: Path, warm: Nursery, point: str) -> None:
    async with installed(folder, toolbox=toolbox, nursery=warm) as scenario:
        scenario.script(shop.script())
        await scenario.start_server(crash_at=point)
        await scenario.report(shop.error())
        assert await scenario.server.died() == -9
        await scenario.restart_server()
        await proved_once(scenario)
