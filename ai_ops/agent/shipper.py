"""Bring the spool to its destination: in order, in batches, and delete only what was acknowledged.

Whatever may pass by itself is waited for, at most 30 seconds a time with jitter, or as long as the other
side says. A batch that is too large is split; an event that will never be taken is put aside.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import Counter
from pathlib import Path

from ai_ops.agent.delivery import Delivery
from ai_ops.agent.spool import Spool, Waiting
from ai_ops.core.failures import failed
from ai_ops.core.wording import counted, sentences
from ai_ops.errors import AiOpsError, PermanentError, TemporaryError

_log = logging.getLogger(__name__)

MAX_BATCH = 500
# A batch is several times as large while it is made ready; larger ones took the agent past its 50 MB.
MAX_BATCH_BYTES = 512 << 10
_LONGEST_PAUSE_SECONDS = 30.0
_FIRST_PAUSE_SECONDS = 0.5
_REASONS = 3


class Shipper:
    """Ships from a thread of its own.

    Args:
        spool: where events wait.
        delivery: where they go.
    """

    def __init__(self, spool: Spool, delivery: Delivery) -> None:
        self._spool = spool
        self._delivery = delivery
        self._news = threading.Event()
        self._finishing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shipper", daemon=True)
        self._limit = MAX_BATCH
        self._failures = 0
        self._trouble = ""
        self._shipped = 0  # since the spool was last empty

    def start(self) -> None:
        """Begin to ship."""
        self._thread.start()

    def notice(self) -> None:
        """Say that there is something new in the spool."""
        self._news.set()

    def finish(self, timeout: float | None) -> None:
        """Ship what waits until a failure, or for ``timeout`` seconds, and end."""
        self._finishing.set()
        self._news.set()
        self._thread.join(timeout)

    def _ship(self) -> float | None:
        """Ship all that waits; return seconds to pause after a failure, None when nothing failed."""
        while True:
            try:
                batch = self._spool.oldest(self._limit, MAX_BATCH_BYTES)
                if batch:
                    self._deliver(batch)
            except TemporaryError as failure:
                return self._pause(failure)
            self._recovered()
            if not batch:
                self._emptied()
                return None

    def _run(self) -> None:
        while True:
            self._news.clear()
            last = self._finishing.is_set()
            try:
                pause = self._ship()
            except Exception as error:  # noqa: BLE001 - the edge of the thread: it must not die silently
                _log.exception("shipping failed")
                pause = self._pause(failed("shipping_failed", type(error).__name__))
            if last:
                return
            if pause is None:
                self._news.wait()
            else:
                self._finishing.wait(pause)  # news does not shorten a pause

    def _deliver(self, batch: list[Waiting]) -> None:
        try:
            answer = self._delivery.deliver([waiting.event for waiting in batch])
        except PermanentError as failure:
            self._split(batch, failure)
            return
        rejected = {index: reason for index, reason in answer.rejected if 0 <= index < len(batch)}
        refused = [(batch[index], reason) for index, reason in sorted(rejected.items())]
        if refused:
            self._put_aside(refused)
        if answer.duplicates:
            known = counted(answer.duplicates, "event was", "events were")
            _log.info("%s known to the server already", known)
        taken = [waiting for index, waiting in enumerate(batch) if index not in rejected]
        self._spool.acknowledge(taken)
        self._shipped += len(taken)
        self._limit = min(MAX_BATCH, self._limit * 2)

    def _split(self, batch: list[Waiting], failure: PermanentError) -> None:
        if len(batch) == 1:
            self._put_aside([(batch[0], failure.message)])
            return
        middle = len(batch) // 2
        self._deliver(batch[:middle])
        self._deliver(batch[middle:])
        if failure.code == "batch_too_large":
            self._limit = max(1, middle)

    def _put_aside(self, refused: list[tuple[Waiting, str]]) -> None:
        lost = self._spool.reject(refused)
        _log.warning("%s", _rejection([reason for _, reason in refused], self._spool.rejected.path, lost))

    def _pause(self, failure: AiOpsError) -> float:
        self._failures += 1
        if self._trouble != failure.code:
            self._trouble = failure.code
            # Nothing is asked of the spool here: it may be what failed, and nobody catches what this raises.
            waiting = counted(self._spool.waiting, "event waits", "events wait")
            _log.warning("%s: %s", waiting, sentences(failure.message, failure.next_step))
        if isinstance(failure, TemporaryError) and failure.delay is not None:
            return failure.delay
        longest = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2.0 ** min(self._failures - 1, 10))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing

    def _emptied(self) -> None:
        """Say how much was shipped, once for all the batches that it took."""
        if self._shipped:
            _log.info("%s shipped", counted(self._shipped, "event"))
        self._shipped = 0

    def _recovered(self) -> None:
        if self._trouble:
            _log.info("shipping again")
        self._trouble, self._failures = "", 0


def _rejection(reasons: list[str], folder: Path, lost: int) -> str:
    """Return how many events were rejected and why, where they lie, and how to send them again."""
    numbers = Counter(reasons).most_common()
    why = " ".join(
        sentences(reason) if len(numbers) == 1 else f"{counted(number, 'time', 'times')}: {sentences(reason)}"
        for reason, number in numbers[:_REASONS]
    )
    more = len(numbers) - _REASONS
    head = counted(len(reasons), "event was rejected", "events were rejected")
    return sentences(
        f"{head}: {why}",
        f"And {counted(more, 'more reason', 'more reasons')}" if more > 0 else "",
        f"{counted(lost, 'was', 'were')} only counted, since {folder} is full" if lost else "",
        f"What is kept lies in {folder.absolute()}",
        "When the cause is mended, --resend-rejected sends it again",
    )
