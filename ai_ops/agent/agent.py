"""The agent's loop: look, read, spool; and ship from a second thread.

What was read and what it became is one transaction. Reading stops while the spool is full and while it
cannot be written; log files are the better buffer.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ai_ops.agent.dedup import DedupWindows
from ai_ops.agent.delivery import Delivery
from ai_ops.agent.hints import Hints
from ai_ops.agent.intake import Intake
from ai_ops.agent.memory import return_freed
from ai_ops.agent.options import Options
from ai_ops.agent.paths import matches, source_of, why_nothing
from ai_ops.agent.shipper import Shipper
from ai_ops.agent.sources import open_streams
from ai_ops.agent.spool import Change, Outgoing, Spool, SpoolStats
from ai_ops.agent.wire import addressed, encode, recount
from ai_ops.core.failures import failed
from ai_ops.core.wording import counted, sentences
from ai_ops.errors import AiOpsError, TemporaryError
from ai_ops.monitoring.checkpoint import Checkpoint
from ai_ops.monitoring.detect import Detector
from ai_ops.monitoring.followed import Record
from ai_ops.monitoring.log_monitor import LogMonitor, Progress

if TYPE_CHECKING:
    from ai_ops.agent.streams import StreamProgress

_log = logging.getLogger(__name__)

_IDLE_POLL_SECONDS = 0.25
_BUSY_POLL_SECONDS = 0.02
_BUSY_SECONDS = 1.0
_DISCOVER_SECONDS = 1.0
_LAZY_COMMIT_SECONDS = 1.0
# A commit costs a sync of the disk, so what several files gave in one round shares it; up to so many events
# and bytes of them, which are held in memory meanwhile.
_COMMIT_EVENTS = 500
_COMMIT_BYTES = 1 << 20
_LAST_SHIP_SECONDS = 5.0
_FORGET_SECONDS = 30 * 86_400.0
_DAY_SECONDS = 86_400.0
_RETURN_SECONDS = 60.0


class Agent:
    """Follows logs and delivers their errors; each occurrence is counted exactly once.

    Args:
        options: what to follow and how.
        delivery: where events go.

    Raises:
        PermanentError: ``spool_in_use``, ``spool_damaged``, ``spool_unwritable``.
        TemporaryError: ``spool_unavailable``.
    """

    def __init__(self, options: Options, delivery: Delivery) -> None:
        self._options = options
        self._spool = Spool(Path(options.data_dir) / "spool", options.max_error_queue_size)
        self._windows = DedupWindows(options.dedup_window_seconds, windows=self._spool.windows())
        self._intake = Intake(options, self._windows)
        self._monitor = LogMonitor(
            [source.path for source in options.sources if source.kind == "file"],
            Detector(options.keywords, options.log_filter),
            options.debounce_seconds,
            known=self._spool.checkpoints(),
            followed_before=self._spool.patterns(),
            from_start=options.from_start,
        )
        self._hints = Hints()
        self._streams = open_streams(options, self._spool.positions(), self._hints.wake)
        self._shipper = Shipper(self._spool, delivery)
        self._change = Change()
        self._held_bytes = 0  # of the change's events
        self._committed_at = 0.0
        self._shipped_before = self._spool.stats().shipped
        self._full = False
        self._missing: set[str] | None = None  # patterns without a file so far; None before the first look
        self._unreadable: dict[str, str] = {}  # why some of them found nothing at the first look

    def stats(self) -> SpoolStats:
        """Return what waits in the spool and what became of the rest.

        Raises:
            TemporaryError: ``spool_unavailable``.
        """
        return self._spool.stats()

    def resend_rejected(self) -> int:
        """Move what was rejected back into the spool, as the options address it now; call it before ``run``.

        Returns how many events that were.

        Raises:
            TemporaryError: ``spool_unavailable``; some may have been moved.
        """
        folder = self._spool.rejected
        moved = self._spool.resend(self._addressed)
        again = counted(moved, "rejected event is", "rejected events are")
        _log.info("%s sent again from %s", again, folder.path.absolute())
        if left := folder.files():
            _log.warning("%s in %s cannot be read", counted(left, "file", "files"), folder.path.absolute())
        return moved

    def wake(self) -> None:
        """Make the loop look at once, for example because it is to stop."""
        self._hints.wake()

    def run(self, stop: threading.Event) -> SpoolStats:
        """Work until ``stop`` is set (noticed within a quarter of a second), or to the end with ``once``.

        Counts and the open records of streams are spooled before it returns, and shipped if that takes no
        longer than five seconds; an open record of a file is read again at the next start, with the lines
        that came to it meanwhile. The agent cannot be run again. Returns what became of the events.

        Raises:
            AiOpsError: with ``once``: a source could not be read, or a path finds nothing; what was read is
                spooled and shipped.
        """
        try:
            self._discover()
            self._change.patterns = self._monitor.patterns
            self._commit(stop)
            self._forget()
            self._shipper.start()
            if self._streams:
                self._streams.start()
            if self._options.once:
                self._read_all(stop)
            else:
                self._follow(stop)
            return self._finish(stop)
        finally:
            self._hints.close()
            if self._streams:
                self._streams.close()
            self._monitor.close()
            self._spool.close()

    def _follow(self, stop: threading.Event) -> None:
        looked_at = active_at = forgot_at = returned_at = time.monotonic()
        moved = False
        while not stop.is_set():
            now = time.monotonic()
            if moved or now - looked_at >= _DISCOVER_SECONDS:
                looked_at = now
                self._discover()
            if now - forgot_at >= _DAY_SECONDS:
                forgot_at = now
                self._forget()
            more = self._read(stop, now)
            self._settle_counts()
            if self._change.events or now - self._committed_at >= _LAZY_COMMIT_SECONDS:
                self._commit(stop)
            if more is not None:
                active_at = now
            quiet = now - active_at >= _BUSY_SECONDS
            if returned_at < active_at and (quiet or now - returned_at >= _RETURN_SECONDS):
                returned_at = now
                return_freed()
            moved = False if more else self._wait(now, active_at)

    def _wait(self, now: float, active_at: float) -> bool:
        """Wait for what may happen next; return whether files came or went."""
        if now - active_at < _BUSY_SECONDS:
            self._hints.disarm()
            seconds = _BUSY_POLL_SECONDS
        elif self._hints.arm(self._monitor.folders()):
            return True
        else:
            seconds = _IDLE_POLL_SECONDS
        for due in (self._monitor.waits_until, self._streams.waits_until if self._streams else None):
            if due is not None:
                seconds = min(seconds, max(0.001, due - time.monotonic()))
        return self._hints.wait(seconds)

    def _read_all(self, stop: threading.Event) -> None:
        while not stop.is_set():
            now = time.monotonic()
            more = self._read(stop, now)
            self._settle_counts()
            if self._change.events or now - self._committed_at >= _LAZY_COMMIT_SECONDS:
                self._commit(stop)
            if self._full:
                stop.wait(_BUSY_POLL_SECONDS)
            elif self._streams and not self._streams.ended:
                self._hints.wait(0 if more else _IDLE_POLL_SECONDS)
            elif not more and self._monitor.is_held_up:
                stop.wait(_BUSY_POLL_SECONDS)
            elif not more:
                break
        if not stop.is_set():
            for progress in self._monitor.read(lambda: 1 << 30, time.monotonic(), final=True):
                self._take(progress, stop)

    def _finish(self, stop: threading.Event) -> SpoolStats:
        """Spool what is open, and ship once more within a bound."""
        if self._streams:
            self._streams.close()
            for ending in self._streams.read(self._room, time.monotonic(), final=True):
                self._take_stream(ending)
        for progress in self._monitor.end_records():
            self._take(progress, stop)
        self._settle_counts(everything=True)
        self._commit(stop)
        self._shipper.finish(None if self._options.once and not stop.is_set() else _LAST_SHIP_SECONDS)
        stats = self._spool.stats()
        shipped = stats.shipped - self._shipped_before
        _log.info("%s shipped", counted(shipped, "occurrence was", "occurrences were"))
        if stats.waiting:
            waits = counted(stats.waiting, "event waits", "events wait")
            _log.info("%s in the spool for the next start", waits)
        _log.info(
            "since the spool was made: %s shipped, %d rejected, %d dropped",
            counted(stats.shipped, "occurrence"),
            stats.rejected,
            stats.dropped,
        )
        if self._streams and self._streams.failure:
            raise self._streams.failure
        unread = {**self._unreadable, **self._monitor.unread}
        if self._options.once and unread:
            raise _not_read(unread)
        return stats

    def _discover(self) -> None:
        new = self._monitor.discover()
        for checkpoint in new:
            _log.info("following %s from byte %d", checkpoint.place, checkpoint.offset)
            self._note(checkpoint)
        self._tell_missing([checkpoint.path for checkpoint in new])

    def _tell_missing(self, new: list[str]) -> None:
        """Say which patterns find nothing, once, and when that is over."""
        if self._missing is None:
            self._missing = {p for p in self._monitor.patterns if not any(matches(path, p) for path in new)}
            self._unreadable = {p: why for p in sorted(self._missing) if (why := why_nothing(p))}
            then = "There is nothing to read" if self._options.once else "The agent waits for it"
            for pattern, reason in self._unreadable.items():
                _log.warning("nothing to follow at %s: %s", pattern, sentences(reason, then))
            return
        for pattern in [p for p in self._missing if any(matches(path, p) for path in new)]:
            self._missing.discard(pattern)
            _log.info("a file for %s has appeared", pattern)

    def _addressed(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return a rejected event with the repository that its source has now."""
        index = source_of(event["source"]["path"], self._monitor.patterns)
        if index is None:
            return event
        source = self._options.sources[index]
        return addressed(event, source.repo_url, source.code_host)

    def _forget(self) -> None:
        """Forget the files that no look has found for 30 days, here and in the spool."""
        before = time.time() - _FORGET_SECONDS
        try:
            self._spool.forget(before, self._monitor.forget(before))
        except TemporaryError as failure:  # they are forgotten another day
            _log.error("positions of files that are gone are kept for now: %s", failure.message)

    def _read(self, stop: threading.Event, now: float) -> bool | None:
        """Read a burst of every file. True: more is there; False: something was; None: nothing."""
        more: bool | None = None
        for progress in self._monitor.read(self._room, now):
            more = bool(more) or progress.more
            self._take(progress, stop)
            if stop.is_set():
                break
        if self._streams:
            for reached in self._streams.read(self._room, now):
                more = bool(more) or reached.more
                self._take_stream(reached)
                if self._change.events:
                    self._commit(stop)
        return more and not self._full if more is not None else None

    def _room(self) -> int:
        room = self._spool.room(self._held_bytes) - len(self._change.events)
        if (room <= 0) != self._full:
            self._full = room <= 0
            _log.warning("the spool is full; reading pauses" if self._full else "the spool has room again")
        return room

    def _take(self, progress: Progress, stop: threading.Event) -> None:
        self._take_records(progress.records, progress.source)
        self._note(progress.checkpoint)
        if len(self._change.events) >= _COMMIT_EVENTS or self._held_bytes >= _COMMIT_BYTES:
            self._commit(stop)

    def _take_stream(self, progress: StreamProgress) -> None:
        self._take_records(progress.records, progress.source)
        self._change.positions[progress.stream] = progress.position

    def _take_records(self, records: Sequence[Record], source: int) -> None:
        for event in self._intake.take(records, source, time.time()):
            encoded = encode(event)
            self._held_bytes += len(encoded)
            self._change.events.append(Outgoing(event["event_id"], 1, encoded))

    def _settle_counts(self, *, everything: bool = False) -> None:
        if self._spool.room() > 0:  # else the counts go on where they are, durably
            self._windows.settle(time.time(), everything=everything)

    def _note(self, checkpoint: Checkpoint) -> None:
        self._change.checkpoints[*checkpoint.key, checkpoint.generation] = checkpoint

    def _commit(self, stop: threading.Event) -> None:
        """Write the change; while that is impossible nothing more is read."""
        change = self._change
        now = time.time()
        for window in self._windows.take_settled():
            self._intake.date(window, now)
            event_id, event = recount(window.event, window.count)
            change.counts.append(Outgoing(event_id, window.count, event))
        changes = self._windows.take_changes()
        for counting in filter(None, changes.values()):
            self._intake.date(counting, now)
        change.windows.update(changes)
        said = False
        while True:
            try:
                dropped = self._spool.commit(change)
                break
            except TemporaryError as failure:
                if not said:
                    _log.error("cannot write the spool, reading waits: %s", failure.message)
                    said = True
                if stop.wait(1.0):
                    return  # nothing is lost: the next start reads it again
        if dropped:
            _log.error(
                "the spool is full: %s",
                counted(dropped, "occurrence was dropped", "occurrences were dropped"),
            )
        if change.events or change.counts:
            self._shipper.notice()
        self._change = Change()
        self._held_bytes = 0
        self._committed_at = time.monotonic()


def _not_read(found: Mapping[str, str]) -> AiOpsError:
    """Return the failure that paths are which find nothing or cannot be read, by why that is."""
    return failed(
        "log_not_found",
        sentences(*(f"{pattern} was not read to its end: {reason}" for pattern, reason in found.items())),
        next_step="Mend the path, and put a glob in quotes. Without --once the agent waits for its files.",
    )
