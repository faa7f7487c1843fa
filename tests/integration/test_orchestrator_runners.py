"""Repairs in other languages than Python: the same proof, by the runner that the repository uses."""

import shutil

import pytest

from tests.support import shop
from tests.support.languages import CASES, NODE


def repository(case):
    """Return what differs from the shop: its Python files are gone, the case's are there."""
    return {**dict.fromkeys(shop.files()), **case.files}


def stands(task):
    return task.state.value, task.proof.verdict and task.proof.verdict.value, task.proof.reasons[0].rule


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request):
    for tool in request.param.tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed here")
    return request.param


async def test_a_good_fix_is_proved_and_published(workshop, case):
    script = shop.script({"files": {case.module: case.fixed}}, reproduce=case.reproduction)
    async with workshop(script, files=repository(case)) as floor:
        task = await floor.repaired(case.error)
        assert stands(task) == ("completed", "proved", "reproduced"), task
        (pull,) = await floor.pulls()
        assert floor.branches() == [pull.branch]
        assert case.command in pull.body


async def test_a_fix_that_changes_nothing_is_not_proved(workshop, case):
    script = shop.script({"files": {case.module: case.idle}}, reproduce=case.reproduction)
    async with workshop(script, files=repository(case), max_rounds=1) as floor:
        task = await floor.repaired(case.error)
        assert stands(task) == ("needs_human_review", "refuted", "still_failing"), task
        assert floor.branches() == []


async def test_a_fix_that_ends_the_process_early_is_blocked(workshop, case):
    script = shop.script({"files": {case.module: case.ends_early}}, reproduce=case.reproduction)
    async with workshop(script, files=repository(case), max_rounds=1) as floor:
        task = await floor.repaired(case.error)
        assert stands(task) == ("needs_human_review", "blocked", "detects_tests"), task


@pytest.mark.parametrize("case", [NODE], ids=["node:test"])
async def test_a_reproduction_that_passes_on_the_base_proves_nothing(workshop, case):
    script = shop.script(reproduce=case.passing)
    async with workshop(script, files=repository(case), max_rounds=1) as floor:
        task = await floor.repaired(case.error)
        assert stands(task) == ("needs_human_review", "unproved", "passes_on_base"), task


JAVA_ERROR = """\
2026-01-02 03:04:05,678 ERROR [shop] product infuser could not be listed
java.lang.ArithmeticException: / by zero
\tat com.acme.shop.Ratings.average(Ratings.java:7)
\tat com.acme.shop.Server.handle(Server.java:31)
"""


@pytest.mark.skipif(shutil.which("gradle") is not None, reason="Gradle is installed here")
async def test_a_tool_that_the_host_lacks_is_named_before_money_is_spent(workshop):
    files = {**dict.fromkeys(shop.files()), "build.gradle": "plugins { id 'java' }\n"}
    async with workshop(files=files) as floor:
        task = await floor.repaired(JAVA_ERROR)
        assert (task.state.value, task.failure["code"]) == ("failed", "test_tool_missing")
        assert "gradle" in task.failure["message"] and task.failure["next_step"]
        assert floor.fixer.requests == []
