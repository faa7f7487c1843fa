"""Run the suite, print it, and keep the figures: ``python -m tests.bench [--no-history] [SUITE…]``.

``repairs``, ``races`` and ``soak`` are apart: they take ten minutes and more, and their result is yes or no.
"""

import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.agent_delivery import agent_delivery
from tests.bench.agent_following import agent_following
from tests.bench.agent_scan import agent_scan
from tests.bench.grouping import grouping
from tests.bench.ingest import ingest
from tests.bench.proving import proving
from tests.bench.queue import queue
from tests.bench.races import main as races
from tests.bench.redaction import redaction
from tests.bench.repairs import main as repairs
from tests.bench.soak import main as soak
from tests.bench.spine import spine
from tests.bench.workspaces import workspaces

HISTORY = Path(__file__).parents[2] / "doc" / "benchmarks.md"
SUITES = {
    "spine": spine,
    "workspaces": workspaces,
    "proving": proving,
    "ingest": ingest,
    "agent": agent_scan,
    "following": agent_following,
    "delivery": agent_delivery,
    "grouping": grouping,
    "redaction": redaction,
    "queue": queue,
}


def main(arguments):
    """Print each figure as it is measured; return 1 when a goal is missed, 2 for an unknown suite."""
    apart = {"repairs": repairs, "races": races, "soak": soak}
    if arguments and arguments[0] in apart:
        return apart[arguments[0]](arguments[1:])
    unknown = [word for word in arguments if word not in SUITES and word != "--no-history"]
    if unknown:
        print(f"usage: python -m tests.bench [--no-history] [{'|'.join(SUITES)}]…", file=sys.stderr)
        return 2
    wanted = [name for name in arguments if name in SUITES] or list(SUITES)
    figures = []
    for name in wanted:
        print(f"\n{name}")
        for figure in SUITES[name]():
            figures.append(figure)
            print("  " + figure.line(), flush=True)
    if "--no-history" not in arguments:
        _remember(figures)
    missed = [figure.name for figure in figures if figure.met is False]
    print(
        f"\n{len(figures)} figures, {len(missed)} goals missed" + (": " + "; ".join(missed) if missed else "")
    )
    return 1 if missed else 0


def _remember(figures):
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    rows = [f"\n## {when} UTC, {head.stdout.strip() or 'no commit'}, Python {platform.python_version()}\n"]
    rows += ["| figure | value | goal |", "|---|---|---|"]
    for figure in figures:
        sign = "≥" if figure.at_least else "≤"
        goal = f"{sign} {figure.goal:g} {figure.unit}" if figure.goal is not None else ""
        rows.append(f"| {figure.name} | {figure.value:.3f} {figure.unit} | {goal} |")
    with HISTORY.open("a", encoding="utf-8") as file:
        file.write("\n".join(rows) + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
