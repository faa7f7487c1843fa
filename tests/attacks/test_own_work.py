"""What the product logs itself, and what fails on the branch of a repair, never starts another repair."""

import subprocess
import sys
from dataclasses import replace

import pytest

from ai_ops.core.describe import describe
from ai_ops.core.identity import fix_branch
from ai_ops.core.ports import NewTask
from ai_ops.flow.task import Priority, TaskKind
from ai_ops.store.database import open_database
from ai_ops.store.issues import IssueRepository
from ai_ops.store.tasks import TaskRepository
from tests.support import shop, store
from tests.support.children import ROOT

CRASH = """
import logging, sys
from ai_ops.cli.logs import configure
from ai_ops.core.identity import nonce
from ai_ops.core.redaction import Redactor
if sys.argv[1] == "uncaught":
    nonce("no run", "x", 1, "salt")
configure(sys.argv[1], Redactor())
try:
    nonce("no run", "x", 1, "salt")
except ValueError:
    logging.getLogger("ai_ops.server.problems").exception("POST /v1/tasks failed")
"""


@pytest.fixture
async def intake(tmp_path):
    """Return what takes an event in, and the repositories behind it."""
    database = await open_database(store.sqlite_url(tmp_path))
    yield IssueRepository(database, store.FixedClock()), TaskRepository(database, store.FixedClock())
    await database.close()


def event(text, **fields):
    error, level = describe(text)
    return replace(store.event(), error=error, level=level, **fields)


async def taken(issues, one):
    """Return how many repairs follow from an event, and why none does."""
    tasks = (await issues.ingest([(one, store.APP)])).tasks
    (issue,) = (await issues.list()).items
    return len(tasks), issue.triage.reason


@pytest.mark.parametrize("form", ["json", "console", "uncaught"])
async def test_an_error_of_our_own_code_starts_no_repair(intake, form):
    done = subprocess.run(
        [sys.executable, "-c", CRASH, form],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    one = event(done.stderr)
    assert one.error.exception_type == "ValueError"
    assert any(frame.in_app for frame in one.error.frames), "it would be repaired otherwise"
    repairs, reason = await taken(intake[0], one)
    assert (repairs, "AI-Ops" in reason) == (0, True)


BRANCH = fix_branch("0123456789abcdef", 3)
ON_A_BRANCH = {
    "as its release": {"release": BRANCH},
    "as its environment": {"environment": f"preview/{BRANCH}"},
    "as a host's name": {"environment": f"{BRANCH.replace('/', '-')}.preview.example"},
    "as its service": {"service": f"shop-{BRANCH}"},
    "as the branch": {"repo": replace(store.event().repo, default_branch=BRANCH)},
}


@pytest.mark.parametrize("fields", ON_A_BRANCH.values(), ids=ON_A_BRANCH)
async def test_an_error_on_the_branch_of_a_repair_starts_no_other(intake, fields):
    repairs, reason = await taken(intake[0], event(shop.error(), **fields))
    assert (repairs, "nobody has merged" in reason) == (0, True)


ORDINARY = {
    "the shop's": {},
    "a service of a similar name": {"service": "ai-ops-fixtures", "release": "ai-ops/fixes-12"},
    "one that speaks of us": {"text": shop.error().replace("zero", "zero, says ai_ops.server in [ai_ops]")},
    "a module that is named like ours": {"text": shop.error().replace("/ratings.py", "/ai_ops_client.py")},
}


@pytest.mark.parametrize("fields", ORDINARY.values(), ids=ORDINARY)
async def test_any_other_error_starts_its_repair(intake, fields):
    fields = dict(fields)
    assert (await taken(intake[0], event(fields.pop("text", shop.error()), **fields)))[0] == 1


async def test_the_same_error_in_production_is_repaired_whatever_the_branch_has_said(intake):
    issues, _ = intake
    assert (await taken(issues, event(shop.error(), release=BRANCH)))[0] == 0
    assert (await taken(issues, event(shop.error(), event_id="another", release="2.1.0")))[0] == 1


async def test_a_person_may_ask_for_it_nevertheless(intake):
    _, tasks = intake
    one = event(shop.error(), release=BRANCH)
    assert (await tasks.create(NewTask(TaskKind.REPAIR, store.APP, Priority.NORMAL, {}, one))).created


async def test_an_agent_that_follows_the_servers_log_feeds_nothing(install_warm):
    async with install_warm() as scenario:
        scenario.script({"reproduce": [{"failure": "model_refused"}]})
        await scenario.start_server()
        await scenario.report(shop.error())
        failed = await scenario.ended()
        assert failed["state"] == "failed"

        scenario.log = scenario.server.log
        scenario.start_agent("--once", LOG_FILTER="lenient", KEYWORDS="failed")
        assert await scenario.agent.died() == 0, scenario.agent.tail()
        assert [task["task_id"] for task in await scenario.items("/v1/tasks")] == [failed["task_id"]]
        ours = [
            issue for issue in await scenario.items("/v1/issues") if "AI-Ops" in issue["triage"]["reason"]
        ]
        assert ours, "the agent has read it"
