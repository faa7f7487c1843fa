"""Entries to records: joined by writer, released in the order of their positions."""

import random

import pytest

from ai_ops.monitoring.detect import Detector
from ai_ops.monitoring.sources.joining import StreamJoiner
from ai_ops.monitoring.sources.port import Entry, Mark

TRACE = [
    "Traceback (most recent call last):",
    '  File "/app/a.py", line 1, in f',
    "    g()",
    "ValueError: no",
]


def entry(number, text, lane="", **more):
    return Entry("s", str(number), "journald:shop", text.encode(), f"id{number}", lane=lane, **more)


def joiner():
    return StreamJoiner(Detector(), debounce_seconds=0.5)


def texts(records):
    return [record.raw.decode() for record in records]


def test_a_message_of_several_lines_is_one_record_where_each_line_is_an_error_to_its_source():
    stream = joiner()
    lines = [*TRACE, "the rest", "", "and its end"]
    for number, line in enumerate(lines):
        stream.take(entry(number, line, lane="1", level="ERROR"), 0.0)
    stream.close_all()
    assert texts(stream.release(10)[0]) == ["\n".join(lines)]


def test_lines_of_two_writers_are_joined_apart():
    stream = joiner()
    for number, line in enumerate(TRACE):
        stream.take(entry(2 * number, line, lane="1"), 0.0)
        stream.take(entry(2 * number + 1, line.replace("no", "yes"), lane="2"), 0.0)
    stream.close_all()
    records, position = stream.release(10)
    assert texts(records) == ["\n".join(TRACE), "\n".join(TRACE).replace("no", "yes")]
    assert [record.identity for record in records] == ["id0", "id1"]
    assert position == "7"


def test_a_call_makes_an_error_of_the_line_before_it():
    stream = joiner()
    lines = [
        "started",
        "Rejected: no stock",
        "    at place (/srv/orders.js:3:1)",
        "    at /srv/main.js:9:1",
        "on",
    ]
    for number, line in enumerate(lines):
        stream.take(entry(number, line, lane="1"), 0.0)
        stream.take(entry(10 + number, line, lane="quiet", level="info"), 0.0)
    stream.close_all()
    (record,) = stream.release(10)[0]
    assert (record.raw.decode(), record.identity) == ("\n".join(lines[1:4]), "id1")
    assert record.context() == (b"started",)


def test_a_call_makes_an_error_of_what_rails_writes_two_lines_above_it():
    stream = joiner()
    calls = ["[a1] app/models/order.rb:10:in 'Order#charge'", "[a1] app/jobs/pay.rb:5:in 'PayJob#perform'"]
    lines = ["[a1] started", "[a1] Stripe::CardDeclined (no):", "[a1]   ", *calls, "[a1] on"]
    for number, line in enumerate([*lines, *lines]):
        stream.take(entry(number, line), 0.0)
    stream.close_all()
    records = stream.release(10)[0]
    assert texts(records) == ["\n".join(lines[1:5])] * 2
    assert [record.identity for record in records] == ["id1", "id7"]
    assert records[0].context() == (b"[a1] started",)


def test_a_call_makes_no_error_of_a_line_that_another_entry_stands_behind():
    stream = joiner()
    stream.take(entry(1, "Rejected: no stock"), 0.0)
    stream.take(entry(2, "a page\nof words"), 0.0)
    stream.take(entry(3, "    at place (/srv/orders.js:3:1)"), 0.0)
    stream.close_all()
    assert stream.release(10)[0] == []


def test_a_complete_record_waits_for_an_older_one_that_is_open():
    stream = joiner()
    stream.take(entry(1, TRACE[0], lane="slow"), 0.0)
    stream.take(entry(2, "ERROR a\nin one entry", lane="quick"), 0.1)
    assert stream.release(10) == ([], "")
    assert (stream.held, stream.waits_until) == (1, 0.5)
    stream.close_due(0.5)
    records, position = stream.release(10)
    assert texts(records) == [TRACE[0], "ERROR a\nin one entry"]
    assert (position, stream.held) == ("2", 0)


def test_lines_without_an_error_move_the_position_on():
    stream = joiner()
    for number in range(1000):
        stream.take(entry(number, "INFO all is well"), 0.0)
        stream.take(Mark("s", f"{number}+"), 0.0)
    assert len(stream._slots) == 1
    assert stream.release(0) == ([], "999+")


def test_an_error_keeps_the_position_before_it_while_it_is_open():
    stream = joiner()
    stream.take(entry(1, "all is well"), 0.0)
    stream.take(entry(2, "ERROR a"), 0.0)
    stream.take(entry(3, "all is well", lane="other"), 0.0)
    assert stream.release(10) == ([], "1")


def test_no_more_records_are_released_than_there_is_room_for():
    stream = joiner()
    for number in range(5):
        stream.take(entry(number, f"ERROR {number}", whole=True), 0.0)
    assert [stream.release(2)[1] for _ in range(4)] == ["1", "3", "4", ""]


def test_records_without_a_position_wait_for_it():
    stream = joiner()
    stream.take(Entry("s", "", "elk", b"ERROR a", "a", whole=True), 0.0)
    stream.close_all()
    assert stream.release(10) == ([], "")
    stream.take(Mark("s", "page"), 0.0)
    records, position = stream.release(10)
    assert (texts(records), position) == (["ERROR a"], "page")


@pytest.mark.parametrize(
    ("text", "level", "taken"),
    [
        ("something", "ERROR", True),
        ("something", "CRITICAL", True),
        ("something", "", False),
        ("an ERROR it says", "INFO", False),
        ("an ERROR it says", "WARNING", True),
        ("an ERROR it says", "", True),
    ],
)
def test_the_level_of_the_source_counts(text, level, taken):
    stream = joiner()
    stream.take(entry(1, text, level=level, whole=True), 0.0)
    assert bool(stream.release(10)[0]) is taken


def test_a_record_carries_the_lines_before_it_its_time_and_its_level():
    stream = joiner()
    for number in range(30):
        stream.take(entry(number, f"line {number}"), 0.0)
    stream.take(entry(30, "boom", level="ERROR", time=7.0), 0.0)
    stream.close_all()
    (record,), _ = stream.release(10)
    assert record.context() == tuple(b"line %d" % n for n in range(10, 30))
    assert (record.time, record.level, record.path) == (7.0, "ERROR", "journald:shop")


@pytest.mark.parametrize("whole", [False, True], ids=["line", "whole record"])
def test_no_line_before_a_record_ends_within_a_word(whole):
    stream = joiner()
    stream.take(entry(1, f"{'x, ' * 330}ghp_{'a1B2' * 9}", whole=whole), 0.0)
    stream.take(entry(2, "boom", level="ERROR", whole=whole), 0.0)
    stream.close_all()
    (record,), _ = stream.release(10)
    assert record.context() == (("x, " * 330).encode(),)


def test_many_writers_cost_bounded_memory_and_lose_nothing():
    stream = joiner()
    for number in range(3000):
        stream.take(entry(number, f"ERROR {number}", lane=str(number)), 0.0)
    assert len(stream._lanes) == 1000
    stream.close_all()
    assert len(stream.release(5000)[0]) == 3000


def test_reading_on_after_a_kill_gives_what_an_unbroken_reading_gives():
    dice = random.Random(7)
    log = []
    for n in range(20):
        for part in (["noise"], TRACE):
            left = {lane: list(part) for lane in "abc"}
            order = [lane for lane in left for _ in part]
            dice.shuffle(order)
            for lane in order:
                log.append(entry(len(log), left[lane].pop(0).replace("no", f"{lane}{n}"), lane=lane))

    def read(begin, end, now, stream):
        for one in log[begin:end]:
            stream.take(one, now)

    unbroken = joiner()
    read(0, len(log), 0.0, unbroken)
    unbroken.close_all()
    wanted = [(r.identity, r.raw) for r in unbroken.release(10_000)[0]]
    assert len(wanted) == 60
    got, done = [], 0
    while done < len(log):
        stream = joiner()
        read(done, min(len(log), done + dice.randrange(60, 90)), 0.0, stream)
        if done + 90 > len(log):
            read(done, len(log), 0.0, stream := joiner())
            stream.close_all()
        records, position = stream.release(10_000)
        got += [(r.identity, r.raw) for r in records]
        done = int(position) + 1 if position else done
    assert sorted(got) == sorted(wanted)


def test_records_that_overlap_without_end_are_parted():
    stream, now, got, held = joiner(), 0.0, 0, 0
    for number in range(4000):
        now += 0.05
        lane = "ab"[number % 2]
        stream.take(entry(number, f"ERROR {lane} {number}", lane=lane), now)
        stream.close_due(now)
        records, _ = stream.release(100)
        got += len(records)
        held = max(held, stream.held)
    assert got > 3900
    assert held < 50


def test_a_position_never_cuts_a_record():
    stream = joiner()
    for number, (lane, line) in enumerate(
        [("a", TRACE[0]), ("a", TRACE[1]), ("b", "ERROR b"), ("a", TRACE[2]), ("a", TRACE[3])]
    ):
        stream.take(entry(number, line, lane=lane), 0.0)
    stream.take(entry(5, "ERROR a", lane="a"), 0.0)  # ends the trace of a, and b is open still
    assert stream.release(10) == ([], "")
    stream.take(entry(6, "ERROR c", lane="b"), 0.0)
    records, position = stream.release(10)
    assert (texts(records), position) == (["\n".join(TRACE), "ERROR b"], "4")
