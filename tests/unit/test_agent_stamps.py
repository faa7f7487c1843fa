"""The time that a record names, in each way that a log writes it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from ai_ops.agent.kinds import occurred_at

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC).timestamp()
EIGHT = datetime(2026, 11, 3, 8, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _here_is_utc(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        (b"2026-11-03 08:00:00,000 ERROR x", EIGHT),
        (b"2026-11-03T09:00:00.000000000+01:00 stderr F x", EIGHT),
        (b"2026/11/03 08:00:00 [error] 7#7: *1 x", EIGHT),
        (b'10.0.0.1 - - [03/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 500', EIGHT),
        (b'10.0.0.1 - - [03/Nov/2026:10:00:00 +0200] "GET / HTTP/1.1" 500', EIGHT),
        (b"Nov  3 08:00:00 host shop[7]: ERROR x", EIGHT),
        (b"<11>Nov 03 08:00:00 host shop: ERROR x", EIGHT),
        (b"[Tue Nov 03 08:00:00.000000 2026] [php:error] x", EIGHT),
        (b"Dec 31 08:00:00 host shop: ERROR x", datetime(2025, 12, 31, 8, tzinfo=UTC)),
    ],
    ids=[
        "logging",
        "cri",
        "nginx",
        "access",
        "access in a zone",
        "syslog",
        "priority",
        "apache",
        "last year's",
    ],
)
def test_a_record_is_as_old_as_it_says(line, moment):
    assert occurred_at(line, NOW) == moment


@pytest.mark.parametrize(
    "line",
    [
        b"ERROR x",
        b"99/Nov/2026:08:00:00",
        b"Nov 39 08:00:00 x",
        b"2026/13/03 08:00:00 x",
        b"2027-11-03 08:00:00",
    ],
    ids=["none", "no such day", "no such day of syslog", "no such month", "ahead"],
)
def test_a_record_without_a_time_that_can_be_is_of_now(line):
    assert occurred_at(line, NOW).timestamp() == NOW
