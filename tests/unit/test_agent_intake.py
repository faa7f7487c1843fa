"""From records to events and counts."""

from datetime import UTC, datetime

import pytest

from ai_ops.agent.dedup import DedupWindows
from ai_ops.agent.intake import Intake
from ai_ops.agent.kinds import _shape, occurred_at
from ai_ops.agent.options import Options, Source
from ai_ops.core.describe import describe
from ai_ops.monitoring.followed import Record

NOW = datetime(2026, 3, 1, 13, tzinfo=UTC).timestamp()


def record(text, offset=0):
    return Record(text.encode(), "/logs/app.log", "fe.1.0.aa", offset, lambda: (b"before",))


def intake(*, window=3600.0, **source):
    options = Options(
        sources=(Source("a.log", "https://git.example/a/b", service="shop", **source),),
        dedup_window_seconds=window,
        node="node-1",
        api_key="agent-key-4711",
    )
    windows = DedupWindows(window)
    return Intake(options, windows), windows


def taken_by(made, *records, now=NOW):
    return list(made.take(records, 0, now))


def test_an_event_is_what_the_interface_says():
    made, _ = intake(window=0.0)
    (event,) = taken_by(made, record("2026-03-01 12:00:00Z ERROR db: no connection\nmore", 17))
    first, last = "schema_version event_id occurred_at node service", "environment release repo source"
    assert list(event) == f"{first} {last} level context error count".split()
    assert event["occurred_at"] == "2026-03-01T12:00:00.000Z"
    assert event["source"] == {"path": "/logs/app.log", "offset": 17}
    assert event["context"] == ["before"]
    assert event["level"] == "ERROR"
    assert event["count"] == 1
    assert len(event["error"]["fingerprint"]) == 32


def test_the_same_record_has_the_same_id_and_another_place_another():
    made, _ = intake(window=0.0)
    records = (record("ERROR x", offset) for offset in (0, 0, 9))
    ids = [event["event_id"] for event in taken_by(made, *records)]
    assert ids[0] == ids[1] != ids[2]


def test_the_same_record_for_another_repository_is_another_event():
    ids = []
    for repository in ("https://git.example/a/b", "https://git.example/a/c", "https://git.example/a/b"):
        options = Options(sources=(Source("a.log", repository),), dedup_window_seconds=0.0, node="node-1")
        (event,) = taken_by(Intake(options, DedupWindows(0.0)), record("ERROR x"))
        ids.append(event["event_id"])
    assert ids[0] == ids[2] != ids[1]


def test_secrets_leave_neither_in_the_excerpt_nor_in_the_context():
    made, _ = intake(window=0.0)
    text = record("ERROR login with agent-key-4711 failed")
    (event,) = taken_by(made, text._replace(context=lambda: (b"sent X-API-Key: agent-key-4711",)))
    assert "agent-key-4711" not in str(event)


def test_repeats_with_other_numbers_are_counted():
    made, windows = intake()
    lines = [f"2026-03-01 12:00:0{n},{n}23 ERROR request {n} took {n}7 ms" for n in range(5)]
    (event,) = taken_by(made, *(record(line, n) for n, line in enumerate(lines)))
    assert event["source"]["offset"] == 0
    windows.settle(NOW, everything=True)
    assert [window.count for window in windows.take_settled()] == [4]


def test_another_release_opens_another_window(tmp_path):
    options = Options(
        sources=(Source("a.log", "https://git.example/a/b"),), release_file=tmp_path / "release", node="n"
    )
    made = Intake(options, DedupWindows(3600))
    (tmp_path / "release").write_text("one\n")
    assert [event["release"] for event in taken_by(made, record("ERROR x"))] == ["one"]
    (tmp_path / "release").write_text("two\n")
    assert [event["release"] for event in taken_by(made, record("ERROR x", 1), now=NOW + 2)] == ["two"]


def test_what_is_to_be_ignored_is_passed_over():
    made, _ = intake(ignore=("health check",))
    events = taken_by(made, record("ERROR health check failed"), record("ERROR x", 1))
    assert [event["source"]["offset"] for event in events] == [1]


_TEXTS = [
    "ERROR request 5 failed",
    "ERROR request 77 failed",
    "2026-03-01 12:00:00,123 ERROR request 8 failed",
    "ERROR step_1 failed",
    "ERROR step_2 failed",
    "ERROR [Errno 2] no such thing",
    "ERROR [Errno 13] no such thing",
    "ERROR SQLSTATE[23505] in 3",
    "ERROR SQLSTATE[40001] in 3",
    "ERROR ORA-00942 in 3",
    "ERROR ORA-00001 in 3",
    "ERROR took 1.5 s on 10.0.0.1:80",
    "ERROR took 1.5 s on 10.0.0.2:81",
    "ERROR took 2 s on 10.0.0.1:80",
    "ERROR GET /orders/12 HTTP 500",
    "ERROR GET /orders/13 HTTP 502",
    "AxiosError: Request failed with status code 401 after 12 tries",
    "AxiosError: Request failed with status code 503 after 13 tries",
    "OSError: [Errno 2] no such thing in 12",
    "OSError: [Errno 2] no such thing in 13",
    "ERROR a b",
    "ERROR a: b",
    'Traceback (most recent call last):\n  File "/app/a.py", line 1, in f\nValueError: 1',
    'Traceback (most recent call last):\n  File "/app/a.py", line 2, in f\nValueError: 2',
    'Traceback (most recent call last):\n  File "/app/a.py", line 2, in g\nValueError: 2',
]


def test_records_of_one_shape_have_one_fingerprint():
    prints = {}
    for text in _TEXTS:
        prints.setdefault(_shape(text.encode(), "s"), set()).add(describe(text).error.fingerprint)
    assert all(len(different) == 1 for different in prints.values())
    assert len(prints) < len(_TEXTS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[Errno 2] x", "[Errno 13] x"),
        ("[WinError 2] x", "[WinError 5] x"),
        ("x (os error 2)", "x (os error 13)"),
        ("SQLSTATE[23505] x", "SQLSTATE[40001] x"),
        ("step_1 x", "step_2 x"),
        ("ORA-00942", "ORA-00001"),
        (
            "AxiosError: Request failed with status code 401",
            "AxiosError: Request failed with status code 503",
        ),
        ("IOError: HTTP response code: 401 x", "IOError: HTTP response code: 503 x"),
        ("Error 1062 (23000): x", "Error 1213 (23000): x"),
    ],
)
def test_numbers_that_tell_errors_apart_are_kept(one, other):
    assert _shape(one.encode(), "s") != _shape(other.encode(), "s")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T12:00:00Z ERROR", "2026-03-01T12:00:00+00:00"),
        ("2026-03-01T12:00:00.123456789+02:00 ERROR", "2026-03-01T10:00:00.123456+00:00"),
        ("[2026-03-01 12:00:00,5 +0100] ERROR", "2026-03-01T11:00:00.500000+00:00"),
        ("2099-03-01T12:00:00Z ERROR", "2026-03-01T13:00:00+00:00"),
        ("2026-99-01T12:00:00Z ERROR", "2026-03-01T13:00:00+00:00"),
        ("ERROR without a time", "2026-03-01T13:00:00+00:00"),
    ],
)
def test_the_time_is_the_records_own_when_it_names_one(text, expected):
    assert occurred_at(text.encode(), NOW).isoformat() == expected
