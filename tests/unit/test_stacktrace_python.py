"""Python's tracebacks, made by the interpreter that runs the tests."""

from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_ops.core.stacktrace import Follower, Verdict, last_python_exception, parse, python_frames
from tests.support.joining import records, records_of

DATA = Path(__file__).parent.parent / "data" / "stacktraces"


def _price(item: dict[str, int]) -> int:
    return item["price"]


def plain() -> None:
    _price({})


def implicit_chain() -> None:
    try:
        _price({})
    except KeyError:
        int("x")


def explicit_chain() -> None:
    try:
        _price({})
    except KeyError as failure:
        raise RuntimeError("no total") from failure


def three_links() -> None:
    try:
        explicit_chain()
    except RuntimeError as failure:
        raise OSError("not saved") from failure


def multi_line_then_chain() -> None:
    try:
        raise ValueError("one\ntwo\nthree")
    except ValueError:
        raise TypeError("last")  # noqa: B904 - the implicit chain is the point


def cause_without_traceback() -> None:
    raise RuntimeError("outer") from KeyError("never raised")


def group() -> None:
    failures = []
    for work in (plain, implicit_chain):
        try:
            work()
        except Exception as failure:
            failures.append(failure)
    raise ExceptionGroup("two failed", failures)


def nested_group() -> None:
    try:
        group()
    except ExceptionGroup as inner:
        raise ExceptionGroup("outer", [inner, OSError("beside")]) from None


def chain_with_group() -> None:
    try:
        group()
    except ExceptionGroup as failure:
        raise RuntimeError("all lost") from failure


def group_after_plain() -> None:
    try:
        plain()
    except KeyError:
        group()


def syntax_error() -> None:
    compile("x = = 1\n", "settings.py", "exec")


def recursion() -> None:
    recursion()


def without_message() -> None:
    raise KeyboardInterrupt


class Shop:
    class EmptyError(Exception):
        pass


def nested_class() -> None:
    raise Shop.EmptyError("nothing: at all")


RAISERS: list[Callable[[], None]] = [
    plain,
    implicit_chain,
    explicit_chain,
    three_links,
    multi_line_then_chain,
    group,
    nested_group,
    chain_with_group,
    group_after_plain,
    syntax_error,
    recursion,
    without_message,
    nested_class,
]


BAD_NUMBER = "invalid literal for int() with base 10: 'x'"
MEMBERS = ("KeyError", "KeyError", "ValueError")


def printed(raiser: Callable[[], None]) -> str:
    try:
        raiser()
    except BaseException:
        return traceback.format_exc().rstrip("\n")
    raise AssertionError


def name(raiser: Callable[[], None]) -> str:
    return raiser.__name__


@pytest.mark.parametrize("raiser", RAISERS, ids=name)
@pytest.mark.parametrize(
    "first",
    [
        "",
        "2026-01-02 03:04:05,678 ERROR shop.cart ",
        "ERROR:root:",
        "[2026-01-02 03:04:05 +0000] [7] [ERROR] ",
    ],
    ids=["bare", "timestamp", "basic", "gunicorn"],
)
def test_a_traceback_is_one_record_behind_any_first_prefix(raiser: Callable[[], None], first: str) -> None:
    trace = (first + printed(raiser)).encode().split(b"\n")
    before = b"2026-01-02 03:04:04,000 INFO shop.cart ready"
    after = b"2026-01-02 03:04:06,000 INFO shop.cart next"
    found = records([before, *trace, after])
    assert found == [[before], trace, [after]]


@pytest.mark.parametrize("raiser", RAISERS, ids=name)
@pytest.mark.parametrize(
    "prefix",
    [
        "2016-10-06T00:17:09.669794202Z stderr F ",
        "Jan  2 03:04:05 web-1 shop[812]: ",
        "web-1     | ",
        "2026-01-02 03:04:05,678 ERROR shop.cart ",
        "[worker-3] ",
    ],
    ids=["cri", "syslog", "compose", "logger", "worker"],
)
def test_a_traceback_is_one_record_when_every_line_carries_the_prefix(
    raiser: Callable[[], None], prefix: str
) -> None:
    trace = [(prefix + line).encode() for line in printed(raiser).split("\n")]
    after = (prefix + "INFO ready again").encode()
    assert records([*trace, after]) == [trace, [after]]
    parsed = parse(b"\n".join(trace).decode())
    bare = parse(printed(raiser))
    assert parsed is not None and bare is not None
    assert (parsed.exception_type, parsed.message, parsed.frames) == (
        bare.exception_type,
        bare.message,
        bare.frames,
    )


@pytest.mark.parametrize("raiser", RAISERS, ids=name)
def test_an_error_line_takes_the_traceback_that_follows_it(raiser: Callable[[], None]) -> None:
    lines = [b"2026-01-02 03:04:05 ERROR shop: order failed", *printed(raiser).encode().split(b"\n")]
    after = b"2026-01-02 03:04:06 INFO shop: next"
    assert records([*lines, after]) == [lines, [after]]


def test_an_error_line_with_more_message_still_takes_its_traceback() -> None:
    lines = [
        b"ERROR asyncio Task exception was never retrieved",
        b"future: <Task finished coro=<work() done> exception=KeyError('price')>",
        *printed(plain).encode().split(b"\n"),
    ]
    assert records(lines) == [lines]


def test_a_cause_that_was_never_raised_belongs_to_the_record_of_its_error_line() -> None:
    lines = [b"2026-01-02 ERROR x: failed", *printed(cause_without_traceback).encode().split(b"\n")]
    assert records(lines) == [lines]
    parsed = parse(b"\n".join(lines).decode())
    assert parsed is not None
    assert (parsed.exception_type, parsed.cause_types) == ("RuntimeError", ("KeyError",))


def test_an_information_line_does_not_take_the_traceback_after_it() -> None:
    trace = printed(plain).encode().split(b"\n")
    assert records([b"INFO started", *trace]) == [[b"INFO started"], trace]


MESSAGES = {
    "pydantic": """pydantic_core._pydantic_core.ValidationError: 1 validation error for M
x
  Input should be a valid integer [type=int_parsing, input_value='a', input_type=str]
    For further information visit https://errors.pydantic.dev/2.7/v/int_parsing""",
    "sqlalchemy": """sqlalchemy.exc.IntegrityError: (psycopg2.errors.UniqueViolation) duplicate key value
DETAIL:  Key (email)=(x) already exists.

[SQL: INSERT INTO error_log VALUES (1)]
(Background on this error at: https://sqlalche.me/e/20/gkpj)""",
    "a database's own error": """RuntimeError: migration failed:
ERROR: relation "users" does not exist
LINE 1: select""",
}
RAISED = 'Traceback (most recent call last):\n  File "/srv/a.py", line 3, in f\n    run()\n'
DATED = "2026-01-01 10:00:01 INFO next"


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_the_lines_of_a_message_are_the_record_s_up_to_the_next_record(tmp_path, message) -> None:
    record = f"2026-01-01 10:00:00 ERROR deploy failed\n{RAISED}{message}"
    assert records_of(tmp_path, f"{record}\n{DATED}\n{DATED}\n") == [record]
    parsed = parse(record)
    assert parsed is not None
    assert parsed.message == message.split(": ", 1)[1]
    assert last_python_exception(record)[1] == parsed.message.split("\n")[0]


@pytest.mark.parametrize(
    "next_line",
    [DATED, "ERROR:root:another", "INFO ready", "OSError: closed", "panic: boom", RAISED.split("\n")[0]],
    ids=["dated", "logging's own", "a level", "an exception", "a panic", "a traceback"],
)
def test_a_message_ends_where_something_else_begins(next_line) -> None:
    trace = f"{RAISED}ValueError: one\ntwo".encode().split(b"\n")
    assert records([*trace, next_line.encode()])[0] == trace
    assert records([*trace, b"", next_line.encode()])[0] == trace


@pytest.mark.parametrize(
    ("line", "taken"), [(b"words", 50), (b"w" * 1000, 8)], ids=["fifty lines", "eight kilobytes"]
)
def test_a_message_takes_no_more_than_so_much(line, taken) -> None:
    trace = f"{RAISED}ValueError: one".encode().split(b"\n")
    follower = Follower(trace[0])
    assert all(follower.verdict(frame) is Verdict.BELONGS for frame in trace[1:])
    assert [follower.verdict(line) for _ in range(99)].count(Verdict.BELONGS) == taken


def test_an_exception_without_a_traceback_takes_no_lines_for_its_message() -> None:
    assert records([b"ValueError: one", b"two"]) == [[b"ValueError: one"], [b"two"]]


def test_a_message_of_several_lines_may_stand_within_a_chain() -> None:
    trace = f"{RAISED}ValueError: one\ntwo".encode().split(b"\n")
    chain = [
        *trace,
        b"",
        b"The above exception was the direct cause of the following exception:",
        b"",
        *trace,
    ]
    assert records(chain) == [chain]


def test_two_tracebacks_in_a_row_are_two_records() -> None:
    one, two = printed(plain).encode().split(b"\n"), printed(explicit_chain).encode().split(b"\n")
    assert records([*one, *two]) == [one, two]


def test_lines_taken_provisionally_are_given_back() -> None:
    trace = printed(plain).encode().split(b"\n")
    rest = [b"", b"", b"2026-01-02 03:04:05 INFO x"]
    assert records([*trace, *rest])[0] == trace


def test_a_refused_line_changes_nothing() -> None:
    lines = printed(explicit_chain).encode().split(b"\n")
    follower = Follower(lines[0])
    for line in lines[1:]:
        assert not follower.accept(b"2026-01-02 03:04:05 INFO interleaved")
        assert follower.accept(line)
    assert follower.pending == 0


def test_a_script_that_does_not_compile_has_no_header_and_is_still_a_trace(tmp_path: Path) -> None:
    script = tmp_path / "broken.py"
    script.write_text("x = = 1\n")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, check=False)
    lines = done.stderr.rstrip().split(b"\n")
    assert records(lines) == [lines]
    parsed = parse(done.stderr.decode())
    assert parsed is not None
    assert parsed.exception_type == "SyntaxError"
    assert parsed.frames[-1].file == str(script)


@pytest.mark.parametrize(
    ("raiser", "kind", "message", "causes", "last"),
    [
        (plain, "KeyError", "'price'", (), "_price"),
        (implicit_chain, "ValueError", BAD_NUMBER, ("KeyError",), "implicit_chain"),
        (explicit_chain, "RuntimeError", "no total", ("KeyError",), "_price"),
        (three_links, "OSError", "not saved", ("RuntimeError", "KeyError"), "_price"),
        (group, "ExceptionGroup", "two failed (2 sub-exceptions)", MEMBERS, "_price"),
        (chain_with_group, "RuntimeError", "all lost", ("ExceptionGroup", *MEMBERS), "_price"),
        (without_message, "KeyboardInterrupt", "", (), "without_message"),
        (nested_class, f"{__name__}.Shop.EmptyError", "nothing: at all", (), "nested_class"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)  # fmt: skip
def test_the_escaped_exception_is_named_and_the_path_leads_to_its_root(
    raiser: Callable[[], None], kind: str, message: str, causes: tuple[str, ...], last: str
) -> None:
    parsed = parse("ERROR it broke\n" + printed(raiser))
    assert parsed is not None
    assert (parsed.language, parsed.exception_type, parsed.message) == ("python", kind, message)
    assert parsed.cause_types == causes
    assert parsed.frames[0].function == "printed"
    assert parsed.frames[-1].function == last
    assert parsed.header == "ERROR it broke"


def test_a_path_through_an_explicit_cause_names_no_call_twice() -> None:
    parsed = parse(printed(three_links))
    assert parsed is not None
    assert [frame.function for frame in parsed.frames] == [
        "printed",
        "three_links",
        "explicit_chain",
        "_price",
    ]


@pytest.mark.parametrize(
    ("file", "in_app"),
    [
        ("/srv/shop/cart.py", True),
        ("shop/cart.py", True),
        ("C:\\apps\\shop\\cart.py", True),
        ("/srv/lib/pricing/python_tax.py", True),
        ("/srv/shop/.venv/lib/python3.11/site-packages/flask/app.py", False),
        ("/usr/lib/python3/dist-packages/apt/cache.py", False),
        ("/usr/lib/python3.11/json/decoder.py", False),
        ("C:\\Python311\\Lib\\asyncio\\runners.py", False),
        ("C:\\shop\\venv\\Lib\\site-packages\\flask\\app.py", False),
        ("<frozen importlib._bootstrap>", False),
        ("<string>", False),
    ],
)
def test_frames_of_installed_code_are_not_in_the_application(file: str, in_app: bool) -> None:
    [frame] = python_frames(f'  File "{file}", line 7, in work')
    assert (frame.file, frame.line, frame.function, frame.in_app) == (file, 7, "work", in_app)


def test_pytest_native_text_gives_type_and_frames(tmp_path: Path) -> None:
    test = tmp_path / "test_cart.py"
    test.write_text("def total():\n    return {}['price']\n\ndef test_total():\n    assert total() == 1\n")
    argv = [sys.executable, "-m", "pytest", "-q", "--tb=native", "-p", "no:cacheprovider", str(test)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert last_python_exception(done.stdout) == ("KeyError", "'price'")
    mine = [frame for frame in python_frames(done.stdout) if frame.in_app]
    assert [(frame.function, frame.line) for frame in mine] == [("test_total", 5), ("total", 2)]


def test_a_real_trace_of_another_runtime_is_read() -> None:
    text = (DATA / "python_exc.txt").read_text()
    lines = text.encode().splitlines()
    assert records([*lines, DATED.encode()])[0] == lines
    parsed = parse(text)
    assert parsed is not None
    assert (parsed.exception_type, parsed.message) == ("Exception", "('spam', 'eggs')")
    assert [frame.function for frame in parsed.frames if frame.in_app] == ["start", "get"]


@pytest.mark.parametrize(
    "text",
    [
        (DATA / "arbitrary_text.txt").read_text(),
        "INFO nothing wrong",
        "",
        "ValueError: alone",
        'see File "x.py" for more',
    ],
    ids=["prose", "info", "empty", "message", "mention"],
)
def test_text_without_a_trace_has_none(text: str) -> None:
    assert parse(text) is None
    assert last_python_exception(text) == ("", "")


def test_very_many_frames_lose_their_middle() -> None:
    lines = [f'  File "/srv/a.py", line {at}, in f{at}' for at in range(1, 5001)]
    parsed = parse("\n".join(["Traceback (most recent call last):", *lines, "ValueError: x"]))
    assert parsed is not None
    assert (parsed.frames[0].line, parsed.frames[-1].line, len(parsed.frames)) == (1, 5000, 300)


def test_groups_in_groups_without_end_are_read() -> None:
    steps = [
        f"{' ' * at}| A{at}: x\n{' ' * at}+-+---------------- 1 ----------------" for at in range(2, 800)
    ]
    parsed = parse("\n".join(["  + Exception Group Traceback (most recent call last):", *steps]))
    assert parsed is not None
    assert parsed.exception_type == "A2"


TRACE_WORDS = st.sampled_from(
    [
        "Traceback (most recent call last):",
        '  File "a.py", line 1, in f',
        "    x = 1",
        "ValueError: x",
        "",
        "During handling of the above exception, another exception occurred:",
        "  + Exception Group Traceback (most recent call last):",
        "  | ExceptionGroup: x (1 sub-exception)",
        "  +-+---------------- 1 ----------------",
        "    | KeyError: 1",
        "    +------------------------------------",
        "java.lang.IllegalStateException: x",
        "\tat a.b.C.d(C.java:1)",
        "Caused by: a.B: c",
        "\t... 3 more",
        "2026-01-02 03:04:05 ERROR x",
    ]
)


@given(st.lists(TRACE_WORDS | st.text(max_size=20), max_size=30))
def test_any_lines_are_parsed_and_joined_without_loss(lines: list[str]) -> None:
    parse("\n".join(lines))
    raw = [line.encode("utf-8", "surrogatepass") for line in lines]
    assert [line for record in records(raw) for line in record] == raw
