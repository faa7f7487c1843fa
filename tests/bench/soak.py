"""The full soak: ``python -m tests.bench soak [--tasks 2000] [--kills 50] [--seed S]``; 0: all is well."""

import argparse
import asyncio
import tempfile
from pathlib import Path

from tests.support.nursery import nursery
from tests.support.scenario import build_toolbox, installed
from tests.support.soak import FINAL, Plan, Soak
from tests.support.soaking import seed_of


def main(arguments):
    """Soak, with a line of progress every few seconds, and print a summary."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench soak")
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", default="")
    given = parser.parse_args(arguments)
    plan = Plan(seed_of(given.seed), given.tasks, given.kills, chance=0.03)
    print(
        f"soak: {plan.tasks} tasks, {plan.kills} kills, {plan.windows} windows of a limit, --seed {plan.seed}"
    )
    with tempfile.TemporaryDirectory(prefix="ai-ops-soak-") as folder:
        result = _soaked(Path(folder), plan)
    print(f"states         {dict(result.states)}")
    print(f"failures met   {sum(result.met.values())} of {len(result.met)} kinds")
    print(f"outside        {result.pull_requests} pull requests, {result.mails} mails, each once")
    print(f"took           {result.seconds:.0f} s")
    wrong = [*result.wrong, *(f"not final: {state}" for state in result.states if state not in FINAL)]
    for each in wrong:
        print(f"WRONG          {each}")
    return 1 if wrong else 0


def _soaked(folder, plan):
    toolbox = build_toolbox(folder / "toolbox")

    async def soaked():
        async with installed(folder / "soak", toolbox=toolbox, nursery=warm) as scenario:
            return await Soak(scenario, plan, lambda words: print(f"  {words}", flush=True)).run()

    with nursery() as warm:
        return asyncio.run(soaked())
