"""Reads the sources that are not files, in a thread of its own, and hands their records to the agent's loop.

Between the two stands a bounded queue: when the agent cannot take more, sources are not read on. A source
that fails is asked again from the last position that was handed over.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError, PermanentError, TemporaryError
from ai_ops.monitoring.detect import Detector
from ai_ops.monitoring.followed import Record
from ai_ops.monitoring.sources.joining import StreamJoiner
from ai_ops.monitoring.sources.port import Entry, LogSource, Mark

_log = logging.getLogger(__name__)

_QUEUED_ENTRIES = 2000
_QUEUED_BYTES = 1 << 20
_HELD_RECORDS = 1000
_HELD_BYTES = 2 << 20
# So many streams that hold nothing keep the last lines before an error; containers come and go.
_QUIET_STREAMS = 256
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
_PERSON_SECONDS = 60.0
_TRIES_WITH_ONCE = 4


@dataclass(frozen=True, slots=True)
class StreamProgress:
    """Records, and the position of their stream after them, to be made durable together."""

    source: int
    records: list[Record]
    stream: str
    position: str
    more: bool


class Streams:
    """All sources that are not files.

    Args:
        sources: by their index in the agent's options.
        detector: which lines begin an error.
        debounce_seconds: how long a record may wait for its lines.
        positions: the durable ones, by stream.
        once: a failure that needs a person, or that did not pass in four tries, ends the source, instead of
            being tried again and again.
        wake: called when there is something to read.
    """

    def __init__(
        self,
        sources: Mapping[int, LogSource],
        detector: Detector,
        debounce_seconds: float,
        *,
        positions: Mapping[str, str],
        once: bool,
        wake: Callable[[], None],
    ) -> None:
        self._sources = dict(sources)
        self._detector = detector
        self._debounce = debounce_seconds
        self._positions = dict(positions)
        self._once = once
        self._wake = wake
        self._joiners: OrderedDict[tuple[int, str], StreamJoiner] = OrderedDict()  # the latest read last
        self._queue: deque[tuple[int, Entry | Mark]] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._room = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._all: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="streams", daemon=True)
        self._ended = not sources
        self.failure: AiOpsError | None = None

    @property
    def ended(self) -> bool:
        """Whether every source has ended and nothing of them is left to read."""
        with self._lock:
            return self._ended and not self._queue and not any(j.held for j in self._joiners.values())

    @property
    def waits_until(self) -> float | None:
        """When the next open record is due, in monotonic seconds."""
        return min((w for j in self._joiners.values() if (w := j.waits_until) is not None), default=None)

    def start(self) -> None:
        """Begin to read."""
        if self._sources:
            self._thread.start()

    def close(self) -> None:
        """End all reading; what was queued can still be read."""
        if not self._thread.is_alive():
            return
        with contextlib.suppress(RuntimeError):  # the loop ended by itself
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._cancel)
        self._thread.join(10.0)

    def read(self, room: Callable[[], int], now: float, *, final: bool = False) -> Iterator[StreamProgress]:
        """Return what is new, stream by stream.

        Args:
            room: how many records may be taken right now.
            now: monotonic seconds.
            final: nothing more comes: open records end.
        """
        if room() > 0 and not self._holds_much:
            self._take_queued(now)
        for (source, stream), joiner in self._joiners.items():
            joiner.close_due(now)
            if final:
                joiner.close_all()
            records, position = joiner.release(max(0, room()))
            if position:
                yield StreamProgress(source, records, stream, position, more=bool(self._queue or joiner.held))
        self._let_go()

    @property
    def _holds_much(self) -> bool:
        joiners = self._joiners.values()
        records, size = sum(j.held for j in joiners), sum(j.held_bytes for j in joiners)
        return records >= _HELD_RECORDS or size >= _HELD_BYTES

    def _let_go(self) -> None:
        """Forget the streams that were quiet for longest."""
        surplus = len(self._joiners) - _QUIET_STREAMS
        if surplus > 0:
            quiet = [key for key, joiner in self._joiners.items() if joiner.is_empty]
            for key in quiet[:surplus]:
                del self._joiners[key]

    def _take_queued(self, now: float) -> None:
        with self._lock:
            queued = list(self._queue)
            self._queue.clear()
            self._bytes = 0
        for source, entry in queued:
            key = (source, entry.stream)
            joiner = self._joiners.get(key)
            if joiner is None:
                joiner = self._joiners[key] = StreamJoiner(self._detector, self._debounce)
            self._joiners.move_to_end(key)
            joiner.take(entry, now)
        if queued and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop ended by itself
                self._loop.call_soon_threadsafe(self._room.set)

    def _run(self) -> None:
        try:
            asyncio.run(self._read_all())
        except asyncio.CancelledError:
            pass
        finally:
            self._ended = True
            self._wake()

    async def _read_all(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._all = asyncio.current_task()
        await asyncio.gather(*(self._read(index, source) for index, source in self._sources.items()))

    def _cancel(self) -> None:
        if self._all is not None:
            self._all.cancel()

    async def _read(self, index: int, source: LogSource) -> None:
        """Read one source until it ends, through its failures."""
        failures = 0
        while True:
            try:
                async with contextlib.aclosing(source.entries(dict(self._positions))) as entries:
                    async for entry in entries:
                        if isinstance(entry, Entry) or self._positions.get(entry.stream) != entry.position:
                            failures = 0
                        await self._put(index, entry)
                return
            except Exception as error:  # noqa: BLE001 - the edge of the thread: others must go on
                failures += 1
                failure = error if isinstance(error, AiOpsError) else _unforeseen(error)
                if failures == 1:
                    _log.warning("%s", ". ".join(filter(None, (failure.message, failure.next_step))))
                lasting = isinstance(failure, PermanentError) or failures >= _TRIES_WITH_ONCE
                if self._once and lasting:
                    self.failure = failure
                    return
                await asyncio.sleep(_pause(failure, failures))

    async def _put(self, index: int, entry: Entry | Mark) -> None:
        with self._lock:
            self._queue.append((index, entry))
            self._bytes += len(entry.text) if isinstance(entry, Entry) else 0
            full = len(self._queue) >= _QUEUED_ENTRIES or self._bytes >= _QUEUED_BYTES
            if full:
                self._room.clear()
        if entry.position:
            self._positions[entry.stream] = entry.position
        self._wake()
        if full:
            await self._room.wait()


def _unforeseen(error: Exception) -> AiOpsError:
    _log.error("reading a source failed", exc_info=error)
    return failed("source_failed", f"reading failed: {type(error).__name__}")


def _pause(failure: AiOpsError, failures: int) -> float:
    """Return how long to wait after a failure, in seconds."""
    if isinstance(failure, PermanentError):
        return _PERSON_SECONDS
    if isinstance(failure, TemporaryError) and failure.delay is not None:
        return failure.delay
    longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 10))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing
