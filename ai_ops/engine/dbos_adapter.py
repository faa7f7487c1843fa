"""DBOS behind a handful of calls. The only module that imports it; its types and errors stop here.

DBOS is one per process (its instance and registry are module state), so there is one ``Dbos`` at a
time. It makes no outgoing connection: telemetry and its hosted console are off.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sqlite3
import threading
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeVar

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID, StepOptions, WorkflowStatus
from dbos import error as dbos_error
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from ai_ops.core.failures import failed
from ai_ops.engine.reconcile import Life

T = TypeVar("T")
Body = Callable[[str, str, int], Awaitable[None]]
"""What a workflow does, given its id, a task id and a run number."""

# Work is only taken up by the version that queued it. The outcomes of steps are in our own tables and
# outlive any change of the code, so all releases are one version, and no deploy strands older work.
_VERSION = "1"
_APPLICATION = "ai-ops"
_WORKFLOW = "run"
# A run that took the process down with it this often is not begun again by itself.
_MOST_RECOVERIES = 50
# The queue of an older release, which left the order of work to this library. Only recovery queues now.
_FORMER_QUEUE = "work"
_LIVE = ("PENDING", "ENQUEUED", "DELAYED")
_LIVES = {
    "SUCCESS": Life.FINISHED,
    "ERROR": Life.BROKEN,
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": Life.WORN_OUT,
    "CANCELLED": Life.CANCELLED,
}
_VENDOR_ERRORS = (dbos_error.DBOSException, SQLAlchemyError, sqlite3.Error, OSError)


class OutOfStepError(Exception):
    """The checkpoints of a workflow belong to another order of steps than the code now has."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """One workflow as the engine knows it. ``claimed`` when this process has begun it."""

    id: str
    life: Life
    claimed: bool


async def interrupt_self() -> NoReturn:
    """Raise CancelledError here as if this task had been cancelled: DBOS then records nothing."""
    here = asyncio.current_task()
    if here is not None:
        here.cancel()
    await asyncio.sleep(0)
    raise asyncio.CancelledError


async def _aside(work: Coroutine[Any, Any, T]) -> T:
    """Await ``work`` in a context of its own: called by a worker, it is no step of that workflow."""
    try:
        return await asyncio.create_task(work, context=contextvars.Context())
    except _VENDOR_ERRORS as error:
        raise failed(
            "engine_unavailable",
            f"The queue's database does not answer: {type(error).__name__}.",
        ) from error


def _prepare_sqlite(url: str) -> None:
    """Make the database file ours alone, and let readers and the writer work side by side."""
    where = make_url(url)
    if where.get_backend_name() != "sqlite" or not where.database:
        return
    path = Path(where.database)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o600)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def _executor_id(url: str, data_dir: Path) -> str:
    """Return who takes up work here. On SQLite there is one; servers that share a database differ.

    DBOS recovers what its own id had at work, so two live servers of one name would do it twice.
    """
    if make_url(url).get_backend_name() == "sqlite":
        return _APPLICATION
    kept = data_dir / "engine.id"
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(f"{_APPLICATION}-{uuid.uuid4()}")
    return kept.read_text()


class Dbos:
    """A launched DBOS.

    Args:
        url: SQLAlchemy address of its database, ``sqlite:///…`` or ``postgresql://…``.
        data_dir: names who takes up work here, the same after a restart, so that it is recovered.
    """

    _in_use: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, url: str, data_dir: Path) -> None:
        self._url = url
        self._data_dir = data_dir
        self._executor_id = ""
        self._body: Callable[[str, int], Coroutine[Any, Any, None]] | None = None

    async def launch(self, body: Body) -> None:
        """Bring DBOS up on this event loop. It begins to recover what was at work at once.

        Raises:
            PermanentError: ``engine_running``, ``engine_unavailable``.
        """
        if not self._in_use.acquire(blocking=False):
            raise failed("engine_running")
        try:
            await asyncio.to_thread(self._prepare)
            self._launch(body)
        except BaseException as error:
            await self.destroy()
            if isinstance(error, _VENDOR_ERRORS):
                raise failed("engine_unusable", f"The queue's database cannot be opened: {error}") from error
            raise

    def _prepare(self) -> None:
        """Bring the database up to date."""
        log = logging.getLogger("dbos")
        log.setLevel(logging.ERROR)
        if not log.handlers:  # or it would install a console of its own
            log.addHandler(logging.NullHandler())
        _prepare_sqlite(self._url)
        self._executor_id = _executor_id(self._url, self._data_dir)
        DBOS.migrate(self._url)

    def _launch(self, body: Body) -> None:
        DBOS(
            config=DBOSConfig(
                name=_APPLICATION,
                system_database_url=self._url,
                executor_id=self._executor_id,
                application_version=_VERSION,
                serializer=DBOSPortableJSONSerializer(),
                enable_otlp=False,
                log_level="ERROR",
                max_executor_threads=64,
            )
        )

        @DBOS.workflow(name=_WORKFLOW, max_recovery_attempts=_MOST_RECOVERIES)
        async def run(task_id: str, run_number: int) -> None:
            await body(DBOS.workflow_id or "", task_id, run_number)

        self._body = run
        DBOS.launch()

    async def destroy(self) -> None:
        """Take DBOS down. What is at work must have been interrupted; it stays to be recovered."""
        loop = asyncio.get_running_loop()
        # Its threads may still call into this loop, so it is not blocked meanwhile.
        with ThreadPoolExecutor(1) as aside:
            await loop.run_in_executor(aside, lambda: DBOS.destroy(destroy_registry=True))
        # DBOS had made its own pool, now closed, the one behind asyncio.to_thread.
        loop.set_default_executor(ThreadPoolExecutor(thread_name_prefix="asyncio"))
        self._in_use.release()

    async def begin(self, workflow: str, task_id: str, run_number: int) -> None:
        """Begin a workflow under an id that is not known; it is recovered after a crash from then on."""
        run = self._body
        if run is None:
            raise RuntimeError("the engine is not launched")

        async def start() -> None:
            with SetWorkflowID(workflow):
                await DBOS.start_workflow_async(run, task_id, run_number)

        await _aside(start())

    async def cancel(self, workflow: str) -> None:
        """Mark a workflow as cancelled, unless it is over."""
        await _aside(DBOS.cancel_workflow_async(workflow))

    async def forget(self, workflows: Sequence[str]) -> None:
        """Remove workflows and their checkpoints."""
        if workflows:
            await _aside(DBOS.delete_workflows_async(list(workflows)))

    async def find(self, workflows: Sequence[str]) -> list[Workflow]:
        """Return those of the workflows that are known."""
        found: list[Workflow] = []
        for start in range(0, len(workflows), 500):
            found += await self._list(workflow_ids=list(workflows[start : start + 500]))
        return found

    async def live(self) -> list[Workflow]:
        """Return all workflows that have begun and are not over, or are being recovered."""
        return await self._list(status=list(_LIVE))

    async def ended_before(self, moment: datetime) -> list[Workflow]:
        """Return workflows that were over before ``moment``, at most 1,000."""
        return await self._list(completed_before=moment.isoformat(), limit=1000)

    async def _list(self, **wanted: Any) -> list[Workflow]:
        rows = await _aside(
            DBOS.list_workflows_async(name=_WORKFLOW, load_input=False, load_output=False, **wanted)
        )
        return [self._workflow(row) for row in rows]

    def _workflow(self, row: WorkflowStatus) -> Workflow:
        claimed = row.status == "PENDING" and row.executor_id == self._executor_id
        life = _LIVES.get(row.status, Life.LIVE)
        if row.queue_name == _FORMER_QUEUE and row.status != "PENDING" and life is Life.LIVE:
            life = Life.UNKNOWN
        return Workflow(row.workflow_id, life, claimed)

    async def step(
        self, name: str, work: Callable[[], Coroutine[Any, Any, dict[str, Any]]]
    ) -> dict[str, Any]:
        """Within a workflow: do ``work`` and checkpoint what it returns, or return the checkpoint.

        Raises:
            OutOfStepError: another step stands in this place.
            TemporaryError: ``engine_unavailable``.
            CancelledError: the workflow was cancelled, or belongs to another process by now.
        """
        return await self._within(DBOS.run_step_async(StepOptions(name=name), work))

    async def sleep(self, seconds: float) -> None:
        """Within a workflow: sleep, counted from the first time this line was reached."""
        await self._within(DBOS.sleep_async(seconds))

    async def _within(self, call: Coroutine[Any, Any, T]) -> T:
        try:
            return await call
        except (dbos_error.DBOSUnexpectedStepError, dbos_error.DBOSStepNondeterminismError) as error:
            raise OutOfStepError(str(error)) from error
        except (dbos_error.DBOSWorkflowCancelledError, dbos_error.DBOSWorkflowConflictIDError):
            await interrupt_self()
        except _VENDOR_ERRORS as error:
            raise failed(
                "engine_unavailable", f"The queue's database does not answer: {type(error).__name__}."
            ) from error
