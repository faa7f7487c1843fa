"""One long way of many lines: a writer that rotates, an agent that is killed, a server that is away.

``deliver`` runs it and says what arrived. The test runs a small one, the benchmark a million lines.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.support import rotating_writer
from tests.support.agents import EventServer, agent, until
from tests.support.nursery import ROOT

_SAID = re.compile(r"w(\d\d) number (\d+) ")


@dataclass(frozen=True)
class Delivered:
    """What was written and what arrived, after events that came twice were counted once."""

    lines: int
    rotations: int
    errors: int
    kills: int
    lost: dict[str, list[int]]
    doubled: dict[str, list[int]]
    foreign: list[str]


class Arrivals:
    """Counts the numbers of the errors that the server holds, each event once."""

    def __init__(self) -> None:
        self.seen: Counter[tuple[int, int]] = Counter()
        self.foreign: list[str] = []
        self._ids: set[str] = set()

    def take(self, server: EventServer) -> None:
        with server._lock:
            events, server.events = server.events, {}
        for event_id, event in events.items():
            if event_id in self._ids:
                continue
            self._ids.add(event_id)
            found = _SAID.findall(event["error"]["raw_excerpt"])
            if len(found) == 1 and event["count"] == 1:
                self.seen[int(found[0][0]), int(found[0][1])] += 1
            else:
                self.foreign.append(event["error"]["raw_excerpt"][:300])

    def tell(self, folder: Path) -> None:
        """Tell the writer how many errors of each log arrived."""
        each = Counter(log for log, _ in self.seen)
        (folder / "delivered.new").write_text(json.dumps({str(log): n for log, n in each.items()}))
        (folder / "delivered.new").replace(folder / "delivered.json")


def deliver(folder: Path, lines: int, *, kills: int = 10, seed: int = 1, seconds: float = 0.0) -> Delivered:
    """Write ``lines`` lines, kill the agent ``kills`` times, wait until all arrived or nothing more comes.

    Args:
        folder: for the logs and the agent.
        lines: about so many in all, over all logs.
        kills: how often the agent is killed while it works.
        seed: of everything that is left to chance.
        seconds: how long the writing takes, at least.
    """
    logs = folder / "logs"
    logs.mkdir()
    dice = random.Random(seed)
    flags = ["--from-start"]
    for pattern in ("w*.log", "dated-*.log"):
        flags += ["--log-path", str(logs / pattern)]
    for number in (1, 5):  # some by their exact name too; the glob would show their rotations as new files
        flags += ["--log-path", str(logs / f"w{number:02d}.log")]
    options = {"DEDUP_WINDOW_SECONDS": "0", "MAX_ERROR_QUEUE_SIZE": "1000000"}
    arrivals, server = Arrivals(), EventServer()
    port = int(server.url.rsplit(":", 1)[1])
    writer = subprocess.Popen(
        [
            sys.executable,
            "-m",
            rotating_writer.__name__,
            str(logs),
            str(lines),
            str(seed),
            str(seconds),
        ],
        cwd=ROOT,
    )
    until(lambda: (logs / "ready").exists())
    with agent(folder, server.url, *flags, **options) as running:
        until(lambda: running.said.count("following") == len(rotating_writer.KINDS))
        time.sleep(1)  # it says so before it is durable
        running.kill()
    (logs / "go").touch()
    said = logs / "written.json"

    def look() -> None:
        arrivals.take(server)
        arrivals.tell(logs)

    killed = 0
    try:
        while killed < kills:
            with agent(folder, server.url, *flags, **options) as running:
                end = time.monotonic() + dice.uniform(0.3, 1.5) * max(1.0, seconds / kills)
                away = killed % 3 == 1
                if away:
                    server.close()
                    arrivals.take(server)
                while time.monotonic() < end:
                    look()
                    time.sleep(0.05)
                running.kill()
                killed += 1
                if away:
                    server = EventServer(port)
            time.sleep(dice.uniform(0.0, 0.3))  # rotated while nobody looks
        with agent(folder, server.url, *flags, **options) as running:
            still, news_at = -1, time.monotonic()
            while time.monotonic() - news_at < 20:
                look()
                if len(arrivals.seen) != still:
                    still, news_at = len(arrivals.seen), time.monotonic()
                if said.exists() and still == sum(json.loads(said.read_text())["errors"].values()):
                    break
                time.sleep(0.05)
            running.terminate()
            look()
        assert said.exists(), "the writer did not come to its end"
        writer.wait(10)
    finally:
        server.close()
        if writer.poll() is None:
            writer.kill()
            writer.wait()
    written = json.loads(said.read_text())
    lost: dict[str, list[int]] = {}
    doubled: dict[str, list[int]] = {}
    for log, errors in written["errors"].items():
        for number in range(1, errors + 1):
            times = arrivals.seen[int(log), number]
            if times != 1:
                (doubled if times else lost).setdefault(log, []).append(number)
    return Delivered(
        written["lines"],
        written["rotations"],
        sum(written["errors"].values()),
        killed,
        lost,
        doubled,
        arrivals.foreign,
    )
