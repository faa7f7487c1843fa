"""Several writers in one file: each trace is whole, and nobody's line is in another's."""

from __future__ import annotations

from itertools import chain, zip_longest
from pathlib import Path

import pytest

from ai_ops.core.describe import describe
from ai_ops.core.envelope import Envelope, writer_of
from ai_ops.monitoring.multiline import writer_of_line
from tests.support.joining import records_of

DATA = Path(__file__).parent.parent / "data" / "stacktraces"
PYTHON = """Traceback (most recent call last):
  File "/app/shop/cart.py", line 12, in total
    return sum(prices) / count
  File "/app/shop/price.py", line 3, in price
    return 1 / 0
ZeroDivisionError: division by zero"""
OTHER = PYTHON.replace("cart.py", "order.py").replace("ZeroDivisionError: division by zero", "KeyError: 'x'")
JAVA = """java.lang.IllegalStateException: no customer
\tat com.acme.Order.total(Order.java:12)
\tat com.acme.Cart.sum(Cart.java:41)
Caused by: java.lang.NullPointerException: id
\tat com.acme.Order.id(Order.java:7)
\t... 2 more"""
TRACES = {
    "python": PYTHON,
    "other": OTHER,
    "java": JAVA,
    "node": (DATA / "node_js_exc.txt").read_text().strip("\n"),
    "csharp": (DATA / "csharp_exc.txt").read_text().strip("\n"),
    "go": (DATA / "own" / "go_nil.txt").read_text().strip("\n"),
    "php": (DATA / "own" / "php_next.txt").read_text().strip("\n"),
    "ruby": (DATA / "own" / "ruby_nil.txt").read_text().strip("\n"),
}
WRITERS = {
    "compose": ("web-1  | ", "web-2  | "),
    "compose services": ("web-1     | ", "worker-1  | "),
    "syslog pids": ("Mar  1 12:00:00 host shop[811]: ", "Mar  1 12:00:01 host shop[812]: "),
    "cri streams": ("2026-03-01T12:00:00.1Z stdout F ", "2026-03-01T12:00:00.25Z stderr F "),
    "docker streams": (
        '{"log":"%s\\n","stream":"stdout","time":"t"}',
        '{"log":"%s\\n","stream":"stderr","time":"t"}',
    ),
    "threads": ("2026-03-01 12:00:00,123 ERROR [main] - ", "2026-03-01 12:00:00,124 ERROR [exec-2] - "),
    "pids": ("[2026-03-01 12:00:00 +0000] [7] [ERROR] ", "[2026-03-01 12:00:01 +0000] [8] [ERROR] "),
    "workers": ("[worker-3] ", "[worker-4] "),
}


def prefixed(prefix: str, trace: str) -> list[str]:
    if "%s" in prefix:
        escaped = (
            line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t") for line in trace.split("\n")
        )
        return [prefix % line for line in escaped]
    return [prefix + line for line in trace.split("\n")]


def shuffled(first: list[str], second: list[str], run: int) -> str:
    """Mix two lists, ``run`` lines of each in turn."""
    turns = zip_longest(
        *([lines[at : at + run] for at in range(0, len(lines), run)] for lines in (first, second)),
        fillvalue=[],
    )
    return "".join(f"{line}\n" for line in chain.from_iterable(chain.from_iterable(turns)))


@pytest.mark.parametrize("run", [1, 2, 5])
@pytest.mark.parametrize("writers", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize(
    "pair",
    [
        ("python", "other"),
        ("python", "java"),
        ("java", "java"),
        ("node", "csharp"),
        ("go", "php"),
        ("java", "python"),
    ],
    ids="+".join,
)
def test_two_writers_who_sign_every_line_make_two_whole_traces(pair, writers, run, tmp_path) -> None:
    first, second = (prefixed(prefix, TRACES[name]) for prefix, name in zip(writers, pair, strict=True))
    found = records_of(tmp_path, shuffled(first, second, run))
    assert found == ["\n".join(first), "\n".join(second)]
    parsed = [describe(record).error for record in found]
    bare = [describe(TRACES[name]).error for name in pair]
    assert [(e.exception_type, e.frames) for e in parsed] == [(e.exception_type, e.frames) for e in bare]


def test_many_writers_at_once_are_all_whole(tmp_path) -> None:
    traces = [prefixed(f"web-{n}  | ", PYTHON) for n in range(7)]
    mixed = "".join(f"{line}\n" for lines in zip(*traces, strict=True) for line in lines)
    assert records_of(tmp_path, mixed) == ["\n".join(lines) for lines in traces]


def test_more_writers_than_are_held_at_once_lose_no_error(tmp_path) -> None:
    traces = [prefixed(f"web-{n}  | ", PYTHON) for n in range(20)]
    mixed = "".join(f"{line}\n" for lines in zip(*traces, strict=True) for line in lines)
    found = records_of(tmp_path, mixed)
    assert {record.split(" ", 1)[0] for record in found} == {f"web-{n}" for n in range(20)}


def test_ordinary_lines_of_another_writer_are_in_neither_trace(tmp_path) -> None:
    lines = prefixed("web-1  | ", PYTHON)
    mixed = [line for own in lines for line in (own, "web-2  | INFO all is well")]
    assert records_of(tmp_path, "".join(f"{line}\n" for line in mixed[:8] + lines[4:])) == ["\n".join(lines)]


def test_an_error_of_the_same_writer_ends_its_trace(tmp_path) -> None:
    lines = [*prefixed("web-1  | ", PYTHON), "web-1  | ERROR another"]
    assert records_of(tmp_path, "".join(f"{line}\n" for line in lines)) == ["\n".join(lines[:-1]), lines[-1]]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_no_reading_gives_more_records_than_there_is_room_for(limit, tmp_path) -> None:
    traces = [prefixed(f"web-{n}  | ", PYTHON) for n in range(5)]
    mixed = "".join(f"{line}\n" for lines in zip(*traces, strict=True) for line in lines)
    found = records_of(tmp_path, mixed, limit=limit)
    assert {record.split(" ", 1)[0] for record in found} == {f"web-{n}" for n in range(5)}


@pytest.mark.parametrize(
    ("line", "writer"),
    [
        ("2026-03-01 12:00:00,123 ERROR [main] c.a.s.Cart - failed [x]", "main"),
        ("2026-03-01 12:00:00.123 ERROR 7 --- [nio-8080-exec-1] c.a.Cart : failed", "7|nio-8080-exec-1"),
        ("[2026-03-01 12:00:00 +0000] [812] [ERROR] failed", "812"),
        ("[2026-03-01 12:00:00,123: ERROR/ForkPoolWorker-3] failed", "ForkPoolWorker-3"),
        ("E, [2026-03-01T12:00:00.123456 #812] ERROR -- : failed", "812"),
        ("2026-03-01 12:00:00 ERROR pid=812 failed", "812"),
        ("2026-03-01 12:00:00,123 ERROR shop: order [7] failed", ""),
        ("web-2  | ERROR failed", "web-2  |"),
        ("ERROR failed", ""),
        ("", ""),
    ],
)
def test_the_head_of_a_line_tells_its_writer(line: str, writer: str) -> None:
    assert writer_of(line) == writer


@pytest.mark.parametrize(
    "time",
    [
        "2026-03-01 12:00:00,123 ",
        "2026-03-01T12:00:00 ",
        "2026-03-01 12:00:00Z ",
    ],
)
@pytest.mark.parametrize(
    "names",
    [
        "ERROR [main] ",
        "[main] ERROR ",
        "ERROR ",
        "[ERROR] ",
        "[12] ERROR [a|b] ",
        "UTC ERROR [a] ",
        "ERROR [] ",
        "AM [a] ",
        "ERROR  [a] ",
        "ERROR: [a] ",
        "[a] [b] [c] [d] [e] ",
        "stdout F [a] ",
        "#7 [a] ",
        "ERROR 7 --- [a] ",
        f"[{'a' * 90}] ",
    ],
)
@pytest.mark.parametrize("message", ["failed", "pid 7 failed", "7 failed", "[x] failed", "Failed", "É", ""])
def test_the_heads_that_most_loggers_write_are_read_alike_when_read_fast(time: str, names: str, message: str):
    line = f"{time}{names}{message}"
    assert writer_of_line(line.encode("latin-1")) == writer_of(line)


@pytest.mark.parametrize(
    ("prefix", "line", "text"),
    [
        ("2026-03-01 12:00:00,123 ERROR [t-1] - ", "2026-03-01 12:00:07,001 ERROR [t-1] - x", "x"),
        ("2026-03-01 12:00:00,123 ERROR [t-1] - ", "2026-03-01 12:00:07,001 ERROR [t-2] - x", None),
        ("<34>Mar  1 12:00:00 host shop[8]: ", "<36>Mar  1 12:00:01 host shop[8]: x", "x"),
        ("2026-03-01T12:00:00.1Z stderr P ", "2026-03-01T12:00:00.123456Z stderr F x", "x"),
        ("web-1   | ", "web-1   |", ""),
        ("  ", "  x", None),
    ],
)
def test_an_envelope_differs_in_its_time_alone(prefix: str, line: str, text: str | None) -> None:
    assert Envelope(prefix).strip(line) == text
