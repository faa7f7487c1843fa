"""A sample of the repositories with faults: a right fix is proved, a bad one is not, for the right reason.

All of them, with every answer in both modes, are ``python -m tests.bench repairs``.
"""

import asyncio
import re
import shutil

import pytest

from tests.support.recording import record
from tests.support.repairing import MODES, Repairs
from tests.support.repositories import repositories

TOOL = {"python": "python3", "javascript": "node", "java": "javac", "rust": "cargo"}
SAMPLE = {
    "code_blocks": {
        "renewals": ("swallowed",),
        "order_totals": ("right", "test_gone"),
        "seat_rows": ("right",),
        "file_names": ("swallowed",),
    },
    "agentic": {
        "renewals": ("right", "outside"),
        "order_totals": ("breaks_another",),
        "file_names": ("right",),
        "seat_rows": ("never_failed",),
    },
}
ALL = repositories()


def is_installed(repository):
    return shutil.which(TOOL[repository.language]) is not None


def undated(log):
    return re.sub(r"\d{4}-\d\d-\d\d[T ][\d:.,]+Z?", "now", log)


def test_there_are_twenty_repositories_in_four_languages():
    assert len(ALL) >= 20
    assert {each.language for each in ALL.values()} == set(TOOL)


@pytest.mark.timeout(240)  # toolchains are slow on a busy machine
@pytest.mark.parametrize("mode", MODES)
async def test_a_right_fix_is_proved_and_a_bad_one_is_not(tmp_path, toolbox, mode):
    chosen = {name: answers for name, answers in SAMPLE[mode].items() if is_installed(ALL[name])}
    async with Repairs(tmp_path / "repairs", mode).running(toolbox) as repairs:
        outcomes = await asyncio.gather(
            *(repairs.repair(ALL[name], variant) for name, answers in chosen.items() for variant in answers)
        )
    missed = {f"{each.repository} {each.variant}": each.problems for each in outcomes if each.problems}
    assert missed == {}


@pytest.mark.parametrize("name", ["renewals", "order_totals"])
def test_a_log_is_what_the_program_prints(name):
    if not is_installed(ALL[name]):
        pytest.skip("its language is not installed here")
    assert undated(record(ALL[name])) == undated(ALL[name].log)
