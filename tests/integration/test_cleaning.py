"""What is no longer needed goes: rows by age, folders of dead runs, mirrors and layers that nobody uses."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from ai_ops import process
from ai_ops.core.clock import SystemClock
from ai_ops.core.identity import run_id
from ai_ops.core.orchestrator.cleaning import Cleaning
from ai_ops.core.ports import TreeUse
from ai_ops.core.repository import RepositoryRules
from ai_ops.flow import judgement
from ai_ops.flow.alert import Alert, AlertState
from ai_ops.flow.health import Severity
from ai_ops.flow.judgement import Decision, Finding
from ai_ops.flow.worker import Loss, LossReason, RecordedLoss
from ai_ops.store.alerts import AlertRepository
from ai_ops.store.audit import AuditLog
from ai_ops.store.database import open_database
from ai_ops.store.findings import FindingRepository
from ai_ops.store.retention import Retention
from ai_ops.store.worker_losses import WorkerLossRepository
from ai_ops.vcs.git import GitClient
from ai_ops.workspace.process_trees import ProcessTree
from ai_ops.workspace.setup_layer import SetupBuilder
from ai_ops.workspace.workspace_manager import WorkspaceManager
from tests.support.local_server import make_remote
from tests.support.memory_ports import MemoryTasks, a_task
from tests.support.store import FixedClock, sqlite_url

DAY = 86_400.0


def age(path, days):
    then = time.time() - days * DAY
    os.utime(path, (then, then))


@pytest.fixture
async def database(tmp_path):
    made = await open_database(sqlite_url(tmp_path))
    yield made
    await made.close()


def cleaning(database, *, tasks=None, folders=None, caches=None, cache_days=30, clock=None):
    clock = clock or SystemClock()
    return Cleaning(
        Retention(database, clock, 90, 90),
        folders or WorkspaceManager(Path("/nonexistent"), None),
        tasks or MemoryTasks(),
        clock,
        lambda: 7,
        caches or {},
        cache_days,
    )


async def test_folders_of_runs_go_when_the_run_is_over_and_the_folder_is_not_new(database, tmp_path):
    tasks, manager = MemoryTasks(), WorkspaceManager(tmp_path / "workspaces", None)
    alive = tasks.add(a_task())
    names = {"dead": "d" * 8, "new": "n" * 8, "alive": run_id(alive.id, alive.run_number)}
    for name in names.values():
        await manager.scratch(name, "out")
    for name in ("dead", "alive"):
        age(tmp_path / "workspaces" / names[name] / ".ai-ops-run", 2)
    done = await cleaning(database, tasks=tasks, folders=manager).clean()
    left = {path.name for path in (tmp_path / "workspaces").iterdir() if not path.name.startswith(".")}
    assert left == {names["new"], names["alive"]}
    assert done.removed["workspaces"] == 1 and "1 workspaces" in done.words


async def test_a_mirror_goes_when_nobody_used_it_for_long_and_comes_again_when_it_is_wanted(
    database, tmp_path
):
    remote = make_remote(tmp_path)
    rules = RepositoryRules(code_host="local", allowed_repos=(str(tmp_path),))
    repository = rules.resolve(str(remote), "local")
    git = GitClient(tmp_path / "mirrors", lambda _: None, allow_file=True)
    base = await git.refresh(repository)
    [mirror] = (tmp_path / "mirrors").glob("*.git")
    clean = cleaning(database, caches={"mirrors": git.forget_unused})
    age(mirror / "HEAD", 29)
    assert (await clean.clean()).removed["mirrors"] == 0
    age(mirror / "HEAD", 31)
    await git.refresh(repository)  # used again
    assert (await clean.clean()).removed["mirrors"] == 0
    age(mirror / "HEAD", 31)
    assert (await clean.clean()).removed["mirrors"] == 1
    assert list((tmp_path / "mirrors").glob("*.git")) == []
    assert await git.refresh(repository) == base


async def test_what_was_used_within_a_day_stays_whatever_is_asked(database):
    asked = []

    async def forget(before):
        asked.append(before)
        return 0

    clock = FixedClock()
    await cleaning(database, caches={"mirrors": forget}, clock=clock).clean(days=0.5)
    assert asked == [clock.now().timestamp() - DAY]


async def test_caches_are_kept_for_ever_where_the_setting_says_so(database):
    async def forget(_):
        raise AssertionError("nobody asked for this")

    clean = cleaning(database, caches={"mirrors": forget}, cache_days=0)
    assert (await clean.clean()).removed["mirrors"] == 0


async def test_a_set_up_layer_goes_with_its_mark_first(tmp_path):
    builder = SetupBuilder(None, type("Toolbox", (), {"key": "k"})(), tmp_path)
    for key, days in (("old", 31), ("new", 1)):
        (tmp_path / "setup" / key / "layer").mkdir(parents=True)
        (tmp_path / "setup" / key / "complete").touch()
        age(tmp_path / "setup" / key / "complete", days)
    assert await builder.forget_unused(time.time() - 30 * DAY) == 1
    assert [path.name for path in (tmp_path / "setup").iterdir()] == ["new"]


async def test_alerts_that_are_over_and_old_losses_go_with_the_traces(database):
    clock = FixedClock()
    alerts, losses, old = AlertRepository(database), WorkerLossRepository(database), clock.now()
    for key, state, over in (("a", AlertState.RESOLVED, old), ("b", AlertState.OPEN, None)):
        await alerts.save(Alert(key, key, Severity.P2, state, "", "", old, old, old, resolved_at=over))
    await losses.record(RecordedLoss("r", "t", 1, old, Loss(LossReason.HUNG, "x")))
    clock.forward(91 * DAY)
    await losses.record(RecordedLoss("s", "t", 1, clock.now(), Loss(LossReason.HUNG, "x")))
    await cleaning(database, clock=clock).clean()
    assert [alert.key for alert in (await alerts.list()).items] == ["b"]
    assert [lost.run_id for lost in await losses.recent(1)] == ["s"]


async def test_old_findings_go_with_the_traces_and_the_audit_log_stays(database, tmp_path):
    clock = FixedClock()
    findings, audit = FindingRepository(database), AuditLog(database, clock, tmp_path / "head.json")
    for name in ("old", "new"):
        high, block, at = judgement.Severity.HIGH, Decision.BLOCK, clock.now()
        await findings.keep(Finding(name, at, "elevated", high, block, "Bash", "sudo x", name, "t", "r"))
        await audit.append("rule", "command.block", name)
        clock.forward(91 * DAY)
    clock.forward(-91 * DAY)
    await cleaning(database, clock=clock).clean()
    assert [found.id for found in await findings.of_task("t")] == ["new"]
    assert await audit.verify() == (2, ())


async def test_more_goes_when_a_person_says_fewer_days(database):
    clock = FixedClock()
    losses = WorkerLossRepository(database)
    await losses.record(RecordedLoss("r", "t", 1, clock.now(), Loss(LossReason.HUNG, "x")))
    clock.forward(10 * DAY)
    clean = cleaning(database, clock=clock)
    await clean.clean()
    assert len(await losses.recent(1)) == 1
    await clean.clean(days=9)
    assert await losses.recent(1) == []


async def test_a_look_at_processes_that_are_gone_finds_none():
    tree = ProcessTree(process.Children({2**22 + 1}))
    assert await asyncio.to_thread(tree.look) == TreeUse(0, 0.0, 0)
    tree.kill()
