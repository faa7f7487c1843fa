"""The engine of the server: durable, on DBOS, with our tables as the truth.

DBOS keeps which run is at work or over, and how far a wait has come. It may lose all of it:
the reconciler gives unfinished tasks back, and the steps they had committed are not done again.
Who comes next is decided here (``line``, ``slots``), over all priorities and repositories.

Runs live on the event loop that called ``start``, each in an asyncio task that is held here. To cancel
is to cancel that task, which acts within the step at once. A clean stop interrupts the same way and
tells DBOS nothing, so that the next start goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Set
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ai_ops.core.identity import run_id
from ai_ops.core.ports import Fail, Tasks, Trace, Worker
from ai_ops.engine.data_lock import DataLock
from ai_ops.engine.dbos_adapter import Dbos, interrupt_self
from ai_ops.engine.duty import Duty
from ai_ops.engine.line import Line, rank, task_id_of, workflow_id
from ai_ops.engine.reconcile import WORKER_LOST, Fate, Life, fate
from ai_ops.engine.slots import Seat, Slots
from ai_ops.engine.steps import DurableSteps
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.task import Task, TaskState

_LOG = logging.getLogger(__name__)
_STOP_SECONDS = 4.0
_CANCEL_SECONDS = 5.0
_BEGIN_SECONDS = 30.0
_KEEP_ENDED = timedelta(days=1)


class DurableEngine:
    """Implements ``core.ports.Engine``.

    Args:
        system_database_url: SQLAlchemy address of the engine's own database.
        data_dir: locked while the engine runs; one process each.
        worker: called once for each run whose turn has come.
        tasks: the truth about what is to be done.
        trace: where the outcomes of steps are.
        failing: fails a task whose run broke; without it the task is moved and no more.
        max_concurrent: runs that work at once in this process.
        reconcile_seconds: how often our tables and the engine's are compared.
    """

    def __init__(
        self,
        system_database_url: str,
        data_dir: Path,
        worker: Worker,
        tasks: Tasks,
        trace: Trace,
        *,
        failing: Fail | None = None,
        max_concurrent: int = 2,
        reconcile_seconds: float = 30.0,
    ) -> None:
        self._duty = Duty(tasks, trace, worker, failing)
        self._lock = DataLock(data_dir)
        self._dbos = Dbos(system_database_url, data_dir)
        self._line = Line(self._begin)
        self._slots = Slots(max_concurrent, self._line)
        self._seated: set[str] = set()  # begun from the line, with their place
        self._beginning: dict[str, asyncio.Task[None]] = {}
        self._entered: dict[str, asyncio.Event] = {}
        self._reconcile_seconds = reconcile_seconds
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._just_left: set[str] = set()  # since the tables were last compared
        self._cancelled: set[str] = set()
        self._suspects: frozenset[str] = frozenset()
        self._queueing = asyncio.Lock()
        self._held = self._stopping = False
        self._reconciler: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take up what is unfinished, and work from now on.

        Raises:
            PermanentError: ``data_dir_in_use``, ``engine_running``, ``engine_unavailable``.
        """
        self._lock.take()
        held, self._stopping = self._held, False
        self._slots.hold(True)  # until it is known who stands already, and has which turn
        try:
            await self._dbos.launch(self._run)
        except BaseException:
            self._lock.release()
            raise
        await self._reconcile_once()
        self.hold(held)
        self._reconciler = asyncio.create_task(self._keep_reconciling(), name="engine-reconciler")

    async def stop(self) -> None:
        """Interrupt what runs, within five seconds; the next start goes on with it."""
        if self._reconciler is None:
            return
        self._stopping = True
        self._slots.hold(True)
        self._reconciler.cancel()
        interrupted = [self._reconciler, *self._beginning.values(), *self._running.values()]
        for one in interrupted:
            one.cancel()
        _, deaf = await asyncio.wait(interrupted, timeout=_STOP_SECONDS)
        if deaf:
            _LOG.error("%d runs did not end when they were interrupted", len(deaf))
        self._reconciler = None
        await self._dbos.destroy()
        self._lock.release()

    async def enqueue(self, task: Task) -> None:
        """Queue the task's present run; harmless when it is queued, or over.

        A run that ended while its task is not over (paused and resumed) is begun again: the steps it
        committed are kept in the trace.
        """
        name = workflow_id(task)
        try:
            async with self._queueing:
                if self._has(name) and name not in self._cancelled:
                    return
                known = await self._dbos.find([name])
                if known and known[0].life is Life.LIVE and name not in self._cancelled:
                    return
                wanted = await self._duty.wanted(task.id, task.run_number)
                if wanted:
                    await self._queue(wanted, forget=bool(known))
        except TemporaryError as error:
            # The task itself is committed, and the reconciler will find it.
            _LOG.warning("task %s is queued later: %s", task.id, error)

    async def cancel(self, task: Task) -> None:
        """Interrupt the task's present run at once, and return when it has stopped."""
        name = workflow_id(task)
        if not self._line.drop(name):
            self._cancelled.add(name)
            if beginning := self._beginning.get(name):  # until then the library does not know it
                await asyncio.wait({beginning})
            marked = False
            try:
                await self._dbos.cancel(name)
                marked = True
            except TemporaryError as error:
                # Begun again by chance, the run would see that its task does not want it.
                _LOG.warning("the run %s is not marked as cancelled: %s", name, error)
            await self._interrupt(name)
            if marked and name not in self._running:  # the library says so from now on
                self._cancelled.discard(name)
        await self._duty.close(task)

    async def restart(self, task: Task, reason: str) -> None:
        """Interrupt the task's present run, and queue it again if the task still wants it.

        When the queue's own database does not answer, the reconciler finds the interrupted run.
        """
        await self._interrupt(workflow_id(task))
        try:
            async with self._queueing:
                wanted = await self._duty.reopened(task, outcome_reason=reason)
                if wanted is not None:
                    await self._queue(wanted, forget=True)
        except TemporaryError as error:
            _LOG.warning("task %s is queued later: %s", task.id, error)

    def hold(self, held: bool) -> None:
        """Begin nothing while held; what works goes on to its end."""
        self._held = held
        self._slots.hold(held)

    async def queue_depth(self) -> int:
        """Return how many runs wait for their turn or a place."""
        return self._slots.waiting

    # One run

    async def _run(self, name: str, task_id: str, run_number: int) -> None:
        here = asyncio.current_task()
        if here is None:  # pragma: no cover - a coroutine always runs in a task
            raise RuntimeError("there is no task to hold")
        self._running[name] = here
        if entered := self._entered.get(name):
            entered.set()
        here.add_done_callback(lambda _: self._left(name, here))
        try:
            if self._stopping or name in self._cancelled:
                await interrupt_self()
            await self._serve(name, task_id, run_number)
        except Exception:  # noqa: BLE001 - the edge of a run
            # The tables do not answer, so there is no better place for it: the reconciler tries again.
            _LOG.exception("the run %s could not be served", name)
            await interrupt_self()

    def _left(self, name: str, run: asyncio.Task[Any]) -> None:
        """Free what a run that is over had."""
        if self._running.get(name) is run:
            del self._running[name]
            self._just_left.add(name)
            self._line.leave(name)
            if name in self._seated:  # it was interrupted before it sat down
                self._seated.discard(name)
                self._slots.give()
            self._slots.hand_out()

    async def _serve(self, name: str, task_id: str, run_number: int) -> None:
        task = await self._duty.wanted(task_id, run_number)
        if task is None:
            await self._duty.close_run(task_id, run_number)
            return
        taken = name in self._seated
        self._seated.discard(name)
        async with Seat(self._slots, rank(task), taken=taken) as seat:
            task = await self._duty.wanted(task_id, run_number)  # it may have waited long for its place
            if task is not None:
                run = run_id(task_id, run_number)
                self._line.stand(task)
                await self._duty.work(task, DurableSteps(self._dbos, self._duty.trace, run, seat))

    def _begin(self, task: Task) -> None:
        """Begin a run whose turn has come; the line calls it, with a place taken."""
        name = workflow_id(task)
        self._seated.add(name)
        self._entered[name] = asyncio.Event()
        self._beginning[name] = asyncio.create_task(self._begun(name, task))

    async def _begun(self, name: str, task: Task) -> None:
        """Wait until the run has begun; where it has not, the reconciler finds its task."""
        try:
            await self._dbos.begin(name, task.id, task.run_number)
            async with asyncio.timeout(_BEGIN_SECONDS):
                await self._entered[name].wait()
        except (TemporaryError, TimeoutError) as error:
            _LOG.warning("the run %s begins later: %s", name, error)
            self._line.leave(name)
            self._seated.discard(name)
            self._slots.give()
        finally:
            del self._entered[name], self._beginning[name]

    def _has(self, name: str) -> bool:
        """Whether a run waits, begins or stands here, whatever the library knows of it."""
        return name in self._line or name in self._beginning or name in self._running

    async def _interrupt(self, name: str) -> None:
        if beginning := self._beginning.get(name):
            await asyncio.wait({beginning})
        running = self._running.get(name)
        if running is not None:
            running.cancel()
            await asyncio.wait({running}, timeout=_CANCEL_SECONDS)

    # The two sets of tables

    async def _queue(self, task: Task, *, forget: bool) -> None:
        """Let a run wait for its turn, begun before or not."""
        name = workflow_id(task)
        await self._interrupt(name)
        self._cancelled.discard(name)
        if forget:
            await self._dbos.forget([name])
        self._line.leave(name)
        self._line.add(task)
        self._slots.hand_out()

    async def _keep_reconciling(self) -> None:
        while True:
            await asyncio.sleep(self._reconcile_seconds)
            try:
                await self._reconcile_once()
            except Exception:  # noqa: BLE001 - the edge: the next round may go better
                _LOG.exception("the queue could not be compared with the tasks")

    async def _reconcile_once(self) -> None:
        """Compare our tables with the engine's, and mend what a crash between the two has left."""
        self._just_left.clear()
        unfinished = {workflow_id(task): task for task in await self._duty.tasks.unfinished()}
        known = {one.id: one for one in await self._dbos.live()}
        lost = frozenset(name for name, one in known.items() if one.claimed and name not in self._running)
        for name in known.keys() - unfinished.keys():
            if await self._duty.wanted(*task_id_of(name)) is None:
                await self._dbos.cancel(name)
                await self._interrupt(name)
                await self._duty.close_run(*task_id_of(name))
        for name in self._line.waiting - unfinished.keys():  # taken back, and nobody said so here
            if await self._duty.wanted(*task_id_of(name)) is None:
                self._line.drop(name)
                await self._duty.close_run(*task_id_of(name))
        unknown = [name for name in unfinished if name not in known and name not in self._line]
        known |= {one.id: one for one in await self._dbos.find(unknown)}
        self._stand(unfinished, {name for name, one in known.items() if one.life is Life.LIVE})
        for name, task in unfinished.items():
            if self._has(name):
                continue
            life = known[name].life if name in known else Life.UNKNOWN
            # A claim that nobody works on may only just have been made, so it is looked at twice.
            life = Life.LOST if name in lost & self._suspects else life
            with contextlib.suppress(PermanentError):
                await self._mend(task, life)
        self._suspects = lost
        async with self._queueing:  # one of them may just be begun again
            old = await self._dbos.ended_before(datetime.now(UTC) - _KEEP_ENDED)
            await self._dbos.forget([one.id for one in old])

    def _stand(self, unfinished: Mapping[str, Task], live: Set[str]) -> None:
        """Let those stand that the library has begun, and nobody else: who stands keeps its repository.

        Both sets are some moments old, so who is here, or has just been, is left as it is.
        """
        here = self._running.keys() | self._beginning.keys() | self._just_left
        for name in live & (unfinished.keys() - here):
            if name not in self._line:  # one that waits would wait for itself
                self._line.stand(unfinished[name])
        for name in self._line.standing - live - here:
            self._line.leave(name)
        self._slots.hand_out()

    async def _mend(self, task: Task, life: Life) -> None:
        decision = fate(task.state, life, task.cancel_requested)
        if decision is Fate.LEAVE:
            return
        now = await self._duty.wanted(task.id, task.run_number)
        name = workflow_id(task)
        if now is None or now.state is not task.state or self._has(name):  # it moved on while we looked
            return
        _LOG.info("task %s is %s and its run %s: %s", task.id, task.state, life, decision)
        if decision is Fate.FAIL:
            await self._duty.fail(task, WORKER_LOST)
        elif decision is Fate.CANCEL:
            await self._duty.move(task, TaskState.CANCELLED)
            await self._duty.close(task)
        else:
            async with self._queueing:
                now = await self._duty.reopened(task)
                if now is not None and not self._has(name):
                    await self._queue(now, forget=True)
