"""The records in the lines of one file, chunk by chunk."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial

from ai_ops.monitoring.chunk import Chunk
from ai_ops.monitoring.detect import Detector
from ai_ops.monitoring.encoding import cleaned
from ai_ops.monitoring.lead import Lead, Leads
from ai_ops.monitoring.multiline import Fed, Joiner
from ai_ops.monitoring.plain import plain_records


class Scanner:
    """Finds and joins the records of one content of one file.

    Args:
        detector: which lines begin an error.
        debounce_seconds: how long a record may wait for its lines.
    """

    def __init__(self, detector: Detector, debounce_seconds: float) -> None:
        self._detector = detector
        self._joiner = Joiner(debounce_seconds)
        self._open_tail = b""
        self._before: Sequence[Lead] = ()  # the last lines of the last chunk that are of no record

    @property
    def is_open(self) -> bool:
        """Whether records wait for more lines."""
        return self._joiner.is_open

    @property
    def begin(self) -> tuple[int, bytes]:
        """Where in the file the first of the open records begins, and the bytes before that."""
        return self._joiner.offset, self._open_tail

    @property
    def deadline(self) -> float:
        """When the open records are due, in monotonic seconds."""
        return self._joiner.deadline

    @property
    def size(self) -> int:
        """How many bytes the open records hold."""
        return self._joiner.size if self._joiner.is_open else 0

    def recall(self, chunk: Chunk) -> None:
        """Take note of what was read before this was made, up to its last line: a call may follow.

        A line of a record leads nothing, and that is told as it was then: by finding the records.
        """
        joiner = Joiner(0.0)
        scan = _Scan(chunk, self._detector, joiner, (), 0.0, sys.maxsize, give_way=False)
        scan.run()
        self._before = () if joiner.is_open else scan.last_lines

    def scan(
        self, chunk: Chunk, limit: int, now: float, *, give_way: bool
    ) -> tuple[list[tuple[int, bytes]], int]:
        """Find the records of a chunk.

        Args:
            chunk: what follows the last one.
            limit: how many records may be taken, at least 1.
            now: monotonic seconds.
            give_way: begin no record when those that were open are over.

        Returns:
            The records, each as its offset in the file and its joined lines; how much of the text was used.
        """
        before, self._before = self._before, ()
        scan = _Scan(chunk, self._detector, self._joiner, before, now, limit, give_way=give_way)
        used = scan.run()
        self._open_tail = self._open_tail if scan.open_tail is None else scan.open_tail
        self._before = scan.last_lines
        return scan.records, used

    def close(self, *, on_time: bool = False) -> list[tuple[int, bytes]]:
        """End the open records, which it returns as ``scan`` does.

        ``on_time``: because their time is up, more of them may follow.
        """
        return self._joiner.close(on_time=on_time) if self.is_open else []


class _Scan:
    """One way through one chunk.

    ``last_lines`` may lead a call in the next chunk. ``open_tail`` is the bytes before the first of the
    records that it leaves open, None when it opened none or only more beside those that were.
    """

    def __init__(
        self,
        chunk: Chunk,
        detector: Detector,
        joiner: Joiner,
        before: Sequence[Lead],
        now: float,
        limit: int,
        *,
        give_way: bool,
    ) -> None:
        self.records: list[tuple[int, bytes]] = []
        self.last_lines: Sequence[Lead] = ()
        self.open_tail: bytes | None = None
        self._chunk = chunk
        self._detector = detector
        self._hits = detector.hits(chunk.text)
        self._joiner = joiner
        self._leads = Leads(chunk, before)
        self._now = now
        self._limit = limit
        self._give_way = give_way
        self._position = 0

    def run(self) -> int:
        """Go on until there is no more text, or no more room; return how much was used."""
        joiner, size = self._joiner, len(self._chunk.text)
        while self._position < size:
            if joiner.is_open:
                self._offer()
            elif joiner.has_late:
                self._pass_late()
            elif not self._begin_next():
                return self._position
        self.last_lines = self._leads.at(size)
        return size

    def _offer(self) -> None:
        """Offer the next line to the open records."""
        position, joiner = self._position, self._joiner
        line, end = self._line_at(position)
        if (self._leads.free < position or not position) and self._leads.of(
            position, line, joiner.first_line
        ):
            self._close()  # what was taken for a stranger is another error
            return
        fed = joiner.feed(line, partial(self._is_error, line, position, end))
        if fed is Fed.BESIDE and joiner.has_room(self._now, self._limit - len(self.records)):
            joiner.begin(line, self._chunk.offset(position), self._now)
        elif fed in (Fed.BESIDE, Fed.OVER):
            self._close()
            if self._give_way:
                self._limit = len(self.records)
            return
        if fed is not Fed.STRANGER:
            self._leads.free = end + 1
        self._position = end + 1

    def _pass_late(self) -> None:
        """Pass the next line when it is the rest of a record that was closed on time."""
        line, end = self._line_at(self._position)
        if self._joiner.is_late(line, partial(self._is_error, line, self._position, end)):
            self._position = end + 1
        self._leads.free = self._position

    def _begin_next(self) -> bool:
        """Find where the next record begins; return whether there was room for it."""
        text = self._chunk.text
        hit = self._hits.next(self._position)
        if hit < 0:
            self._position = len(text)
            return True
        start = text.rfind(b"\n", self._position, hit) + 1 or self._position
        line, end = self._line_at(start)
        is_error = self._detector.is_error(line)
        lead = None
        if not is_error or b"at " in line or b":in " in line:  # a call may hold such a word, too
            lead = self._leads.of(start, line)
        if lead:
            self._position = self._leads.free = start  # the call joins it
            if len(self.records) >= self._limit:
                self.last_lines = [lead]
                return False
            self._leads.forget_before()
            self._open(lead.line, lead.offset, lead.tail, led=True)
            if lead.between is not None:
                self._joiner.feed(lead.between, lambda: False)
        elif is_error:
            self._position = start
            if len(self.records) >= self._limit:
                return False
            self._take(line, end)
        else:
            self._position = end + 1
        return True

    def _take(self, line: bytes, end: int) -> None:
        """Take the records that plainly are whole, from an error's line on, or open the first of them."""
        chunk, records, begin = self._chunk, self.records, self._position
        offset, raw_offset, text = chunk.position, chunk.encoding.raw_offset, chunk.text
        for raw, stop in plain_records(line, text, end, self._detector.is_error, self._hits.next):
            records.append((offset + raw_offset(text, begin), raw))
            begin = stop + 1
            if len(records) >= self._limit:
                break
        if begin == self._position:
            self._open(line, chunk.offset(begin), chunk.tail_at(begin))
            begin = end + 1
        self._position = self._leads.free = begin

    def _open(self, line: bytes, offset: int, tail: bytes, *, led: bool = False) -> None:
        self.open_tail = tail
        self._joiner.begin(line, offset, self._now, led=led)

    def _close(self) -> None:
        self.records += self._joiner.close()

    def _line_at(self, begin: int) -> tuple[bytes, int]:
        end = self._chunk.text.find(b"\n", begin)
        return cleaned(self._chunk.text[begin:end]), end

    def _is_error(self, line: bytes, begin: int, end: int) -> bool:
        return 0 <= self._hits.next(begin) < end and self._detector.is_error(line)
