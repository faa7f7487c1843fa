"""Entries of one stream to records, released in the order of their positions.

Several writers share a stream, each with lines of its own to be joined. A position may be committed only
where no record is cut by it: one that is complete waits for older ones that are still open, and for those
that its own lines overlap. So that a busy stream has such places, all records are closed together when
records have overlapped for twice the debounce time.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from ai_ops.core.stacktrace import leads
from ai_ops.monitoring.detect import Detector
from ai_ops.monitoring.encoding import shortened
from ai_ops.monitoring.followed import CONTEXT_LINES, Record
from ai_ops.monitoring.multiline import Fed, Joiner
from ai_ops.monitoring.sources.port import Entry, Mark

_CONTEXT_LINE_BYTES = 1000
_MAX_LANES = 1000


@dataclass(slots=True)
class _Slot:
    """What lies between two positions.

    ``last`` is the number of the slot that holds the last line of the records that began here. It may be
    released with its position when nothing is open and no such line lies behind it.
    """

    number: int = 0
    last: int = 0
    position: str = ""
    open: int = 0
    records: list[Record] = field(default_factory=list)


class _Lane:
    """The lines of one writer."""

    def __init__(self, debounce_seconds: float) -> None:
        self.joiner = Joiner(debounce_seconds)
        self.context: deque[bytes] = deque(maxlen=CONTEXT_LINES)
        self.slot = _Slot()
        self.first: Entry | None = None
        self.loose: deque[Entry] = deque(maxlen=2)  # the last lines, as far as they are of no record
        self.before: tuple[bytes, ...] = ()


class StreamJoiner:
    """Joins the entries of one stream.

    Args:
        detector: which lines begin an error.
        debounce_seconds: how long a record may wait for its lines.
    """

    def __init__(self, detector: Detector, debounce_seconds: float) -> None:
        self._detector = detector
        self._debounce = debounce_seconds
        self._lanes: OrderedDict[tuple[str, str], _Lane] = OrderedDict()
        self._slots: deque[_Slot] = deque()
        self._made = 0
        self._held = 0
        self._open_count = 0
        self._overlapping_since = 0.0

    @property
    def held(self) -> int:
        """How many complete records wait."""
        return self._held

    @property
    def held_bytes(self) -> int:
        """How many bytes of records wait and will be given out in time; 0 within a page, which ends first."""
        if not self._slots or not self._slots[-1].position:
            return 0
        complete = sum(len(record.raw) for slot in self._slots for record in slot.records)
        return complete + sum(lane.joiner.size for lane in self._open())

    @property
    def is_empty(self) -> bool:
        """Whether everything that was taken was released."""
        return not self._slots

    @property
    def waits_until(self) -> float | None:
        """When the next open record is due, in monotonic seconds."""
        return min((lane.joiner.deadline for lane in self._open()), default=None)

    def take(self, entry: Entry | Mark, now: float) -> None:
        """Take the next entry; ``now`` in monotonic seconds."""
        if not self._slots or self._slots[-1].position:
            self._made += 1
            self._slots.append(_Slot(self._made, self._made))
        slot = self._slots[-1]
        if isinstance(entry, Entry):
            lane = self._lane(entry)
            if entry.whole or b"\n" in entry.text:
                self._take_whole(lane, entry, slot)
            else:
                self._take_line(lane, entry, slot, now)
        slot.position = entry.position
        if slot.position and not slot.open and not slot.records and len(self._slots) > 1:
            self._slots.pop()  # nothing begins in it: it only moves the position on
            self._slots[-1].position = slot.position
        if isinstance(entry, Entry) and lane.joiner.is_open:
            lane.slot.last = self._slots[-1].number

    def close_due(self, now: float) -> None:
        """Close the records whose time is up."""
        for lane in self._open():
            if now >= lane.joiner.deadline:
                self._close(lane, on_time=True)

    def close_all(self) -> None:
        """Close every record, because nothing more will come."""
        for lane in self._open():
            self._close(lane)

    def release(self, limit: int) -> tuple[list[Record], str]:
        """Return the next records and the position after them; '' when there is none.

        ``limit`` is how many there may be; more only when records overlap so that no fewer can be parted.
        """
        found = reach = whole = 0  # records looked at; the slot that they end in; slots to be released
        for number, slot in enumerate(self._slots, 1):
            found += len(slot.records)
            reach = max(reach, slot.last)
            if slot.open or not slot.position or (found > limit and (whole or limit <= 0)):
                break
            if reach <= slot.number:
                whole = number
        released = [self._slots.popleft() for _ in range(whole)]
        records = [record for slot in released for record in slot.records]
        self._held -= len(records)
        return records, released[-1].position if released else ""

    def _open(self) -> list[_Lane]:
        return [lane for lane in self._lanes.values() if lane.joiner.is_open]

    def _lane(self, entry: Entry) -> _Lane:
        key = (entry.origin, entry.lane)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(self._debounce)
            if len(self._lanes) > _MAX_LANES:
                _, oldest = self._lanes.popitem(last=False)
                if oldest.joiner.is_open:
                    self._close(oldest)
        self._lanes.move_to_end(key)
        return lane

    def _take_whole(self, lane: _Lane, entry: Entry, slot: _Slot) -> None:
        lane.loose.clear()
        if lane.joiner.is_open:
            self._close(lane)
        lines = entry.text.split(b"\n")
        if any(self._is_error(line, entry.level) for line in lines):
            self._add(slot, _record(entry, entry.text, tuple(lane.context)))
        lane.context.extend(shortened(line, _CONTEXT_LINE_BYTES) for line in lines[-CONTEXT_LINES:])

    def _take_line(self, lane: _Lane, entry: Entry, slot: _Slot, now: float) -> None:
        line, joiner = entry.text, lane.joiner
        is_error = partial(self._is_error, line, entry.level)
        lead = _lead_of(lane.loose, line, joiner.first_line)
        if joiner.is_open:
            # Other writers have lanes of their own, so an error beside the open one ends it.
            if not lead and (fed := joiner.feed(line, is_error)) not in (Fed.OVER, Fed.BESIDE):
                lane.context.append(shortened(line, _CONTEXT_LINE_BYTES))
                if fed is Fed.STRANGER:
                    lane.loose.append(entry)
                else:
                    lane.loose.clear()
                return
            self._close(lane)
        elif joiner.has_late and joiner.is_late(line, is_error):
            lane.loose.clear()
            return
        if lead:
            for _ in lead:
                lane.context.pop()  # it is no context but the error
            lane.loose.clear()
            self._begin(lane, lead[0], slot, now, led=True)
            for between in lead[1:]:
                joiner.feed(between.text, lambda: False)
            joiner.feed(line, lambda: False)
        elif is_error():
            lane.loose.clear()
            self._begin(lane, entry, slot, now)
        else:
            lane.loose.append(entry)
        lane.context.append(shortened(line, _CONTEXT_LINE_BYTES))

    def _begin(self, lane: _Lane, entry: Entry, slot: _Slot, now: float, *, led: bool = False) -> None:
        self._part(now)
        lane.joiner.begin(entry.text, 0, now, led=led)
        lane.slot, lane.first, lane.before = slot, entry, tuple(lane.context)
        slot.open += 1
        self._open_count += 1

    def _part(self, now: float) -> None:
        """Before a record begins: see that the open ones do not overlap for ever."""
        if not self._open_count:
            self._overlapping_since = now
        elif now - self._overlapping_since > 2 * self._debounce:
            for lane in self._open():
                self._close(lane, on_time=True)
            self._overlapping_since = now

    def _close(self, lane: _Lane, *, on_time: bool = False) -> None:
        assert lane.first is not None  # it is open
        lane.slot.open -= 1
        self._open_count -= 1
        ((_, raw),) = lane.joiner.close(on_time=on_time)
        self._add(lane.slot, _record(lane.first, raw, lane.before))

    def _add(self, slot: _Slot, record: Record) -> None:
        slot.records.append(record)
        self._held += 1

    def _is_error(self, line: bytes, level: str) -> bool:
        # The detector takes a level at its word, and knows what each filter makes of it.
        said = b"%s %s" % (level.encode(), line) if level else line
        return self._detector.hits(said).next(0) >= 0 and self._detector.is_error(said)


def _record(entry: Entry, raw: bytes, before: tuple[bytes, ...]) -> Record:
    return Record(raw, entry.origin, entry.identity, entry.offset, lambda: before, entry.time, entry.level)


def _lead_of(loose: Sequence[Entry], line: bytes, within: bytes) -> list[Entry]:
    """Return the entries that a line makes an error's, if it is a call: the first names the error."""
    if b"at " not in line and b":in " not in line and b"Causes:" not in line:
        return []
    between: bytes | None = None
    for at in range(len(loose) - 1, -1, -1):
        if loose[at].level:
            break
        if leads(loose[at].text, line, between, within):
            return list(loose)[at:]
        between = loose[at].text
    return []
