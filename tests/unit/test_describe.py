"""Describing a record: level, message, type, frames and fingerprint, the same on agent and server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_ops.core.describe import describe, level_of
from ai_ops.core.redaction import Redactor

DATA = Path(__file__).parent.parent / "data" / "stacktraces"
TRACE = """\
Traceback (most recent call last):
  File "/srv/shop/cart.py", line 3, in total
    x["a"]
KeyError: 'a'"""


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("2026-01-02 03:04:05,678 - shop.cart - ERROR - {}", "ERROR"),
        ("2026-01-02T03:04:05.678Z ERROR [main] c.e.Foo - {}", "ERROR"),
        ("2026-01-02 03:04:05.678  WARN 123 --- [  main] c.e.Foo : {}", "WARNING"),
        ("ERROR:root:{}", "ERROR"),
        ("CRITICAL:    {}", "CRITICAL"),
        ("[2026-01-02 03:04:05 +0000] [123] [ERROR] {}", "ERROR"),
        ("[2026-01-02 03:04:05,678] ERROR in app: {}", "ERROR"),
        ("[2026-01-02 03:04:05,678: ERROR/ForkPoolWorker-1] {}", "ERROR"),
        ("2026-01-02 03:04:05.678 | ERROR    | mod.sub:func:12 - {}", "ERROR"),
        ("Jan  2 03:04:05 host app[123]: ERROR {}", "ERROR"),
        ("2026-01-02T00:17:09.669794202Z stderr F ERROR {}", "ERROR"),
        ("E0102 03:04:05.678901   123 file.cc:1] {}", "ERROR"),
        ('time=2026-01-02T03:04:05Z level=error msg="{}" x=1', "ERROR"),
        ("2026/01/02 03:04:05 [error] 123#123: *1 {}", "ERROR"),
        ("[main] ERROR x.y.Z - {}", "ERROR"),
        ("[ERROR] 2026-01-02 03:04:05 {}", "ERROR"),
        ("03:04:05.678 [main] ERROR com.acme.Foo - {}", "ERROR"),
        ("2026-01-02 03:04:05.678 UTC [42] FATAL:  {}", "CRITICAL"),
        ("web-1  | ERROR {}", "ERROR"),
        ('{{"level":"error","message":"{}","ts":1}}', "ERROR"),
        ('{{"level":50,"msg":"{}"}}', "ERROR"),
        ('{{"log.level":"WARN","message":"{}"}}', "WARNING"),
        ('{{"severity":"CRITICAL","textPayload":1,"message":"{}"}}', "CRITICAL"),
        ("{}", ""),
    ],
)
def test_level_and_message_are_found_behind_every_logger_s_prefix(line: str, level: str) -> None:
    described = describe(line.format("open() failed for user 42"))
    assert (described.level, described.error.message) == (level, "open() failed for user 42")
    assert described.error.fingerprint == describe("open() failed for user 7").error.fingerprint


def test_a_traceback_gives_type_frames_and_fingerprint() -> None:
    error, level = describe("2026-01-02 03:04:05 ERROR shop: order 7 failed\n" + TRACE)
    assert (level, error.language, error.exception_type, error.message) == (
        "ERROR",
        "python",
        "KeyError",
        "'a'",
    )
    assert [(frame.file, frame.line, frame.function) for frame in error.frames] == [
        ("/srv/shop/cart.py", 3, "total")
    ]
    assert error.grouping_version == "v1"
    assert error.fingerprint == describe(TRACE).error.fingerprint


@pytest.mark.parametrize("name", ["exc_info", "exception", "stack_trace", "error.stack_trace", "error"])
def test_a_traceback_inside_a_json_record_is_the_same_fault(name: str) -> None:
    outer, _, inner = name.partition(".")
    record = {"level": "error", "message": "order failed", outer: {inner: TRACE} if inner else TRACE}
    described = describe(json.dumps(record))
    assert described.error.fingerprint == describe(TRACE).error.fingerprint
    assert described.level == "ERROR"


def test_json_stays_readable_when_a_number_in_it_was_masked() -> None:
    described = describe('{"level":"error","phone":13812345678,"password":12345,"message":"no answer"}')
    assert (described.level, described.error.message) == ("ERROR", "no answer")
    assert "13812345678" not in described.error.raw_excerpt


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("ERROR ValueError: bad price", "ValueError", "bad price"),
        ("2026-01-02 03:04:05 ERROR x - java.io.IOException: closed", "java.io.IOException", "closed"),
        ("Exception: no", "Exception", "no"),
        ("ERROR Timeout: no answer", "", "Timeout: no answer"),
    ],
)
def test_an_exception_named_without_a_trace_is_the_type(text: str, kind: str, message: str) -> None:
    error, _ = describe(text)
    assert (error.exception_type, error.message, error.frames) == (kind, message, ())


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("2026-01-02 INFO handled ERROR 7", "INFO"),
        ("Error: nothing works", "ERROR"),
        ("warning: low disk", "WARNING"),
        ("java.lang.IllegalStateException: closed", "ERROR"),
        ("level=debug msg=x", "DEBUG"),
        ('{"levelname": "Warning"}', "WARNING"),
        ('{"level": 30, "msg": "ERROR"}', "INFO"),
        ("the terror of errors", ""),
        ("", ""),
    ],
)
def test_the_first_level_named_is_the_level(text: str, level: str) -> None:
    assert level_of(text) == level


def test_a_hint_wins_when_it_is_a_level() -> None:
    assert describe("ERROR x", "warn").level == "WARNING"
    assert describe("ERROR x", "nonsense").level == "ERROR"


def test_secrets_are_gone_from_every_field_and_own_ones_too() -> None:
    redactor = Redactor(literals=["tr0mbone"])
    raw = f"ERROR login with password=hunter2 at tr0mbone\n{TRACE} hunter2 password=hunter2"
    text = repr(describe(raw, redactor=redactor))
    assert "password=hunter2" not in text
    assert "tr0mbone" not in text


@pytest.mark.parametrize("file", sorted(DATA.glob("*.txt")), ids=lambda file: file.stem)
def test_what_the_agent_sent_is_described_the_same_by_the_server(file: Path) -> None:
    first = describe("2026-01-02 03:04:05 ERROR password=hunter2 " + file.read_text())
    assert describe(first.error.raw_excerpt, first.level) == first


PIECES = """ERROR { } "message": " password= hunter2 7""".split()  # noqa: SIM905 - read as a line


@given(
    st.lists(
        st.sampled_from(
            [
                *TRACE.split("\n"),
                "ERROR",
                "{",
                "}",
                '"message":',
                '"',
                "password=",
                "hunter2",
                "\n",
                ": ",
                "7",
            ]
        )
        | st.text(max_size=8),
        max_size=20,
    ).map("".join)
)
def test_describing_again_changes_nothing(text: str) -> None:
    first = describe(text)
    assert describe(first.error.raw_excerpt, first.level) == first


@pytest.mark.parametrize(
    "unit",
    [
        "Traceback (most recent call last):\n",
        '  File "x", line 1, in f\n',
        "\tat a.b(C.java:1)\n",
        "Caused by: a.B: c\n",
        "Caused by: a.B: c\n\tat a.b(C.java:1)\n\t... 99999 more\n",
        "  | ",
        "  +-",
        "2026-01-02 ",
        "[a] ",
        "ERROR ",
        "a.b.C.",
        "java.lang.Exception",
        'msg="',
        "level=",
        '{"a":',
        "| ",
        "During handling of the above exception, another exception occurred:\n",
        "aError",
        "\n",
        "\r",
        "\x00",
        "(",
        "a: ",
    ],
)
def test_naughty_records_end(unit: str) -> None:
    describe(unit * (65536 // len(unit)))
