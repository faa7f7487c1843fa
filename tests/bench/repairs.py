"""Every repository with every answer in both fix modes: ``python -m tests.bench repairs [--only WORD]…``.

A word is a repository, a language, a variant or a fix mode; those that name one kind widen, those of
different kinds narrow.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ai_ops.workspace.toolbox import ensure_toolbox
from tests.support.repairing import MODES, Outcome, Repairs
from tests.support.repositories import Repository, repositories
from tests.support.variants import VARIANTS

_AT_ONCE = 2
Job = tuple[Repository, str]


def main(arguments: Sequence[str]) -> int:
    """Run the repairs and print how each ended; 1 when one did not end as it has to."""
    parser = argparse.ArgumentParser("python -m tests.bench repairs")
    parser.add_argument("--only", action="append", default=[], metavar="WORD")
    words = parser.parse_args(arguments).only
    known = repositories()
    groups = (set(known), {each.language for each in known.values()}, set(VARIANTS), set(MODES))
    if unknown := set(words).difference(*groups):
        parser.error(f"nothing is called {', '.join(sorted(unknown))}")
    names, languages, variants, modes = (group & set(words) or group for group in groups)
    jobs = [
        (repository, variant)
        for repository in known.values()
        if repository.name in names and repository.language in languages
        for variant in VARIANTS
        if variant in variants
    ]
    logging.getLogger("ai_ops").setLevel(
        logging.CRITICAL
    )  # a task that ends in review is logged as a warning
    with tempfile.TemporaryDirectory(prefix="ai-ops-repairs-") as folder:
        outcomes = asyncio.run(_run(Path(folder), jobs, [mode for mode in MODES if mode in modes]))
    _print_table(outcomes)
    return 1 if any(outcome.problems for outcome in outcomes) else 0


async def _run(folder: Path, jobs: Sequence[Job], modes: Sequence[str]) -> list[Outcome]:
    await ensure_toolbox(folder)
    outcomes: list[Outcome] = []
    total = len(jobs) * len(modes)
    for mode in modes:
        async with Repairs(folder / mode, mode).running(folder / "toolbox") as repairs:
            waiting = list(reversed(jobs))

            async def work(repairs: Repairs = repairs, waiting: list[Job] = waiting) -> None:
                while waiting:
                    outcomes.append(await repairs.repair(*waiting.pop()))
                    _print(outcomes[-1], f"{len(outcomes)}/{total}")

            async with asyncio.TaskGroup() as group:
                for _ in range(_AT_ONCE):
                    group.create_task(work())
    return outcomes


def _print(outcome: Outcome, place: str) -> None:
    sign = "MISS" if outcome.problems else "ok"
    what = f"{outcome.repository} {outcome.variant} {outcome.mode}"
    print(f"{place:>8} {sign:4} {outcome.seconds:5.1f} s  {what:56} {outcome.ended}", flush=True)
    for problem in outcome.problems:
        print(f"              wanted {outcome.expected}; {problem}", flush=True)


def _print_table(outcomes: Sequence[Outcome]) -> None:
    """Print how many of each variant ended as they have to."""
    print(f"\n{'variant':16}" + "".join(f"{mode:>16}" for mode in MODES))
    good = Counter((each.variant, each.mode) for each in outcomes if not each.problems)
    every = Counter((each.variant, each.mode) for each in outcomes)
    for variant in VARIANTS:
        cells = (f"{good[variant, mode]} of {every[variant, mode]}" for mode in MODES)
        print(f"{variant:16}" + "".join(f"{cell:>16}" for cell in cells))
    missed = sum(bool(each.problems) for each in outcomes)
    print(f"\n{len(outcomes)} repairs, {missed} not as they have to be")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
