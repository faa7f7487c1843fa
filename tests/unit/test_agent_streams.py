"""Sources in their thread: what was handed over, how much waits, and what a failure does."""

import threading
import time

import pytest

from ai_ops.agent import streams as module
from ai_ops.agent.streams import Streams
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.monitoring.detect import Detector
from ai_ops.monitoring.sources.port import Entry, Mark


class Numbers:
    """Yields numbered errors from the position on; at some of them it fails once."""

    def __init__(self, count, failures=None):
        self.count, self.failures = count, dict(failures or {})
        self.begun, self.yielded = [], 0

    async def entries(self, positions):
        begin = int(positions.get("s", 0))
        self.begun.append(begin)
        yield Mark("s", str(begin))
        for number in range(begin, self.count):
            if failure := self.failures.pop(number, None):
                raise failure
            self.yielded += 1
            yield Entry("s", str(number + 1), "o", b"ERROR %d" % number, f"i{number}", whole=True)


@pytest.fixture
def started(monkeypatch):
    monkeypatch.setattr(module, "_FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(module, "_PERSON_SECONDS", 0.01)
    made = []

    def start(source, *, once=False, positions=None):
        woken = threading.Event()
        streams = Streams({3: source}, Detector(), 0.0, positions=positions or {}, once=once, wake=woken.set)
        streams.start()
        made.append(streams)
        return streams

    yield start
    for streams in made:
        streams.close()


def read_all(streams, room=lambda: 10_000):
    """Read until everything has ended; return the texts and the last position."""
    texts, position, end = [], "", time.monotonic() + 20
    while True:
        ended = streams.ended
        for progress in streams.read(room, 0.0):
            assert (progress.source, progress.stream) == (3, "s")
            texts += [record.raw.decode() for record in progress.records]
            position = progress.position
        if ended:
            return texts, position
        assert time.monotonic() < end
        time.sleep(0.001)


def errors(*numbers):
    return [f"ERROR {number}" for number in numbers]


def test_everything_is_handed_over_in_order(started):
    assert read_all(started(Numbers(5000))) == (errors(*range(5000)), "5000")


def test_reading_begins_at_the_durable_position(started):
    assert read_all(started(Numbers(5), positions={"s": "3"})) == (errors(3, 4), "5")


@pytest.mark.parametrize(
    "failure",
    [TemporaryError("a", "b"), PermanentError("a", "b"), RuntimeError("a fault of ours")],
    ids=["temporary", "permanent", "unforeseen"],
)
def test_a_source_that_fails_goes_on_from_the_last_position_that_was_handed_over(started, failure):
    source = Numbers(10, {4: failure})
    assert read_all(started(source)) == (errors(*range(10)), "10")
    assert source.begun == [0, 4]


def test_with_once_a_failure_that_needs_a_person_ends_the_source_and_is_kept(started):
    failure = PermanentError("source_refused", "no")
    streams = started(Numbers(10, {4: failure}), once=True)
    assert read_all(streams) == (errors(*range(4)), "4")
    assert streams.failure is failure


class Away:
    """A source that cannot be reached; it says where it would begin."""

    def __init__(self):
        self.tries = 0

    async def entries(self, positions):
        self.tries += 1
        yield Mark("s", positions.get("s", "7"))
        raise TemporaryError("source_unreachable", "nobody listens")


def test_with_once_a_source_that_stays_away_ends_after_a_few_tries_and_says_why(started):
    source = Away()
    streams = started(source, once=True)
    assert read_all(streams) == ([], "7")
    assert source.tries == module._TRIES_WITH_ONCE
    assert streams.failure.message == "nobody listens"


def test_without_once_a_source_that_stays_away_is_waited_for(started):
    source = Away()
    streams = started(source)
    end = time.monotonic() + 20
    while source.tries <= module._TRIES_WITH_ONCE:
        assert time.monotonic() < end
        time.sleep(0.001)
    assert not streams.ended
    assert streams.failure is None


def test_with_once_a_source_that_gets_on_between_its_failures_is_read_to_its_end(started):
    failures = {number: TemporaryError("a", "b") for number in range(1, 9)}
    streams = started(Numbers(10, failures), once=True)
    assert read_all(streams) == (errors(*range(10)), "10")
    assert streams.failure is None


def test_a_source_is_not_read_on_while_the_agent_has_no_room(started):
    source = Numbers(20_000)
    streams = started(source)
    end = time.monotonic() + 20
    while source.yielded < module._QUEUED_ENTRIES - 1:
        assert time.monotonic() < end
        assert list(streams.read(lambda: 0, 0.0)) == []
        time.sleep(0.001)
    for _ in range(50):
        list(streams.read(lambda: 0, 0.0))
        time.sleep(0.001)
    assert source.yielded <= module._QUEUED_ENTRIES
    assert len(read_all(streams)[0]) == 20_000


class Containers:
    """Yields two lines of each of many streams; a trace begins in the first two, and stays open."""

    async def entries(self, positions):
        for number in range(500):
            last = b"Traceback (most recent call last):" if number < 2 else b"all is well"
            for position, text in (("1", b"before"), ("2", last)):
                yield Entry(f"s{number}", position, "o", text, f"i{number}", int(position))


def test_of_the_streams_that_hold_nothing_only_the_latest_are_remembered(monkeypatch):
    monkeypatch.setattr(module, "_QUIET_STREAMS", 10)
    streams = Streams({3: Containers()}, Detector(), 600.0, positions={}, once=False, wake=lambda: None)
    streams.start()
    end = time.monotonic() + 20
    while not streams.ended:
        assert time.monotonic() < end
        list(streams.read(lambda: 1000, 0.0))
    list(streams.read(lambda: 1000, 0.0))
    remembered = [stream for _, stream in streams._joiners]
    assert remembered == ["s0", "s1", *(f"s{number}" for number in range(492, 500))]
    closed = list(streams.read(lambda: 1000, 0.0, final=True))
    assert [(p.stream, p.position, p.records[0].context()) for p in closed] == [
        ("s0", "2", (b"before",)),
        ("s1", "2", (b"before",)),
    ]


def test_what_is_queued_when_it_is_closed_can_still_be_read(started):
    source = Numbers(100)
    streams = started(source)
    end = time.monotonic() + 20
    while source.yielded < 100:
        assert time.monotonic() < end
        time.sleep(0.001)
    streams.close()
    assert len(read_all(streams)[0]) == 100


class Writers:
    """Yields a large error of each of many processes; positions only at the end of a page."""

    size, page = 10_000, 1

    def __init__(self, count):
        self.count, self.yielded = count, 0

    async def entries(self, positions):
        for number in range(int(positions.get("s", 0)), self.count):
            self.yielded += 1
            text = b"ERROR %d " % number + b"x" * self.size
            position = str(number + 1) if (number + 1) % self.page == 0 else ""
            yield Entry("s", position, "o", text, f"i{number}", lane=str(number))


@pytest.mark.parametrize("page", [1, 50])
def test_records_that_wait_for_their_lines_hold_so_many_bytes_and_all_arrive(monkeypatch, page):
    monkeypatch.setattr(module, "_QUEUED_BYTES", 50_000)
    monkeypatch.setattr(module, "_HELD_BYTES", 100_000)
    source = Writers(300)
    source.page = page
    streams = Streams({0: source}, Detector(), 10.0, positions={}, once=True, wake=lambda: None)
    streams.start()
    found, most, now, taken = [], 0, 0.0, -1
    end = time.monotonic() + 20

    def read(*, final=False):
        for progress in streams.read(lambda: 1000, now, final=final):
            found.extend(int(record.raw.split()[1]) for record in progress.records)

    while not streams.ended:
        assert time.monotonic() < end
        read()
        most = max(most, source.yielded - len(found))
        now += 11.0 if source.yielded == taken else 0.0  # nothing more comes until they end
        taken = source.yielded
        time.sleep(0.005)
    read(final=True)
    assert found == list(range(300))
    assert most * source.size <= 150_000 + (page + 5) * source.size
