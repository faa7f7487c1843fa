"""Settings in, what watches over the installation out: workers, health, alerts, cleaning."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from sqlalchemy.engine import make_url

from ai_ops.core.failures import failed
from ai_ops.core.orchestrator.cleaning import Cleaning, Forget, RunFolders
from ai_ops.core.orchestrator.crew import Crew
from ai_ops.core.orchestrator.health_watch import HealthWatch
from ai_ops.core.orchestrator.measuring import Measuring
from ai_ops.core.orchestrator.oversight import Oversight
from ai_ops.core.orchestrator.supervising import Supervisor
from ai_ops.core.orchestrator.tools import Tools
from ai_ops.core.ports import Clock, Engine
from ai_ops.core.supervision import WorkerRules
from ai_ops.core.tally import Tally
from ai_ops.engine.data_lock import DataLock
from ai_ops.flow.health import HealthRules, Reached
from ai_ops.integrations.alert_file import AlertFile
from ai_ops.integrations.reachability import reach
from ai_ops.settings import Settings
from ai_ops.store import restore
from ai_ops.store.alerts import AlertRepository
from ai_ops.store.backup import Places
from ai_ops.store.database import Database
from ai_ops.store.figures import FigureRepository
from ai_ops.store.retention import Retention
from ai_ops.store.worker_losses import WorkerLossRepository
from ai_ops.workspace import host_use
from ai_ops.workspace.process_trees import ProcessNursery

_MARGIN_SECONDS = 60.0


def crew(settings: Settings, clock: Clock) -> Crew:
    """Return the workers."""
    return Crew(settings.max_concurrent_tasks, clock, ProcessNursery(), Tally())


def worker_rules(settings: Settings) -> WorkerRules:
    """Return what a worker may use. Tests that sleep show no life, and have a limit of their own."""
    silent = max(settings.worker_silent_seconds, settings.test_wall_seconds + _MARGIN_SECONDS)
    return WorkerRules(settings.worker_memory_mb * 2**20, silent, settings.worker_most_losses)


def oversight(
    settings: Settings,
    tools: Tools,
    engine: Engine,
    database: Database,
    crew: Crew,
    retention: Retention,
    folders: RunFolders,
    caches: Mapping[str, Forget],
) -> Oversight:
    """Return what watches over the installation. Nothing is begun."""
    data_dir = settings.data_dir.absolute()
    rules = worker_rules(settings)
    supervisor = Supervisor(
        tools,
        engine,
        crew,
        WorkerLossRepository(database),
        rules,
        every_seconds=settings.heartbeat_seconds,
    )
    cleaning = Cleaning(
        retention,
        folders,
        tools.tasks,
        tools.clock,
        lambda: shutil.disk_usage(data_dir).free,
        caches,
        settings.cache_retention_days,
    )
    alerts, figures = AlertRepository(database), FigureRepository(database)

    async def ready() -> None:
        async with database.write():
            return

    gauges = Measuring(
        partial(host_use.look, data_dir),
        ready,
        figures,
        crew,
        tools.pauses,
        tools.clock,
        peers=peers(settings),
    )
    alert_file = AlertFile(
        data_dir / "alerts.jsonl", most_bytes=settings.log_file_mb * 10**6, kept=settings.log_files
    )
    health = HealthWatch(
        tools,
        gauges,
        alerts,
        alert_file,
        HealthRules(int(settings.disk_floor_gb * 1000**3), rules.silent_seconds),
        repairs={"disk": cleaning.repair, "inodes": cleaning.repair},
        every_seconds=settings.health_check_seconds,
    )
    look = partial(asyncio.to_thread, host_use.look, data_dir)
    return Oversight(crew, supervisor, health, alerts, figures, cleaning, look)


def peers(settings: Settings) -> dict[str, Callable[[], Awaitable[Reached]]]:
    """Return what asks the services that runs need whether they answer."""
    found = {}
    if settings.code_host == "github" or settings.github_token or settings.github_app_id:
        found["github"] = partial(reach, settings.github_base_url)
    if settings.code_host == "gitlab" or settings.gitlab_token:
        found["gitlab"] = partial(reach, settings.gitlab_base_url)
    if settings.scripted_answers is None:
        found["model"] = partial(reach, settings.anthropic_base_url)
    return dict(found)


def backup_places(settings: Settings) -> Places:
    """Return where the files of a backup lie.

    Raises:
        PermanentError: ``backup_unsupported``.
    """
    url = make_url(settings.database)
    if url.get_backend_name() != "sqlite" or not url.database:
        raise failed("backup_unsupported")
    return Places(settings.data_dir.absolute(), Path(url.database).absolute())


def finish_restoring(data_dir: Path) -> None:
    """Finish a restoring that a crash broke off, before anything is opened.

    Raises:
        PermanentError: ``data_dir_in_use``.
    """
    if restore.is_broken_off(data_dir):
        with restoring(data_dir):
            restore.finish(data_dir)


@contextlib.contextmanager
def restoring(data_dir: Path) -> Iterator[None]:
    """Hold a data folder's lock while entered: no server works there.

    Raises:
        PermanentError: ``data_dir_in_use``.
    """
    lock = DataLock(data_dir)
    lock.take()
    try:
        yield
    finally:
        lock.release()
