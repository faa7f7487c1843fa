"""What a log holds is anybody's: no line, however it was made, takes more than linear time to read.

Processor time of n and of 4n bytes of one shape is compared, in a child that is stopped when it takes
too long, so that a pattern that turns back without end fails and does not hang.
"""

# ruff: noqa: E501 - shapes are as wide as they are
from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import linear

STOP_SECONDS = 30


def growth(shapes: list[linear.Shape]) -> list[float]:
    """Measure shapes in a child and return how much longer four times as much of each takes."""
    child = [sys.executable, "-m", "tests.support.linear"]
    try:
        done = subprocess.run(
            child,
            input=linear.dumped(shapes),
            capture_output=True,
            text=True,
            timeout=STOP_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired:
        pytest.fail(f"not over after {STOP_SECONDS} s: {shapes}")
    return [float(line) for line in done.stdout.split()]


SHAPES = {
    "closures in a call of PHP": linear.Shape("{closure}", "PHP Fatal error:  Uncaught Error: x in /a.php:3\n#0 /a.php(3): "),
    "closures that do not end": linear.Shape("{closure", "PHP Fatal error:  Uncaught Error: x in /a.php:3\n#0 /a.php(3): "),
    "errors of PHP before places": linear.Shape("Error: " * 290 + " in /" * 400 + ".php\n"),
    "errors of PHP before places that have no line": linear.Shape("Error: " * 290 + " in /" * 400 + "a.php:\n"),
    "places of PHP": linear.Shape(" in /", "2026-01-01 ERROR boom\nError: ", ".php:3x"),
    "places on a line of PHP": linear.Shape(" in /a on line", "PHP Parse error: "),
    "errors of Symfony": linear.Shape('Uncaught PHP Exception A: "' * 70 + '" at ' * 400 + "\n"),
    "blanks behind a call of PHP": linear.Shape(" ", "PHP Fatal error:  Uncaught Error: x in /a.php:3\n#0 /a.php(3)", "x"),
    "blanks behind a call of JavaScript": linear.Shape(" ", "Error: x\n    at [", "!"),
    "blanks behind an error of JavaScript": linear.Shape("Error" + " " * 2000 + "!\n"),
    "blanks behind a call of Rust": linear.Shape(" ", "thread 'main' panicked at a.rs:1:1:\nx\nstack backtrace:\n 1: x", "!"),
    "ends of an old panic of Rust": linear.Shape("', a", "thread 'main' panicked at 'x\n"),
    "blanks behind a call of .NET": linear.Shape(" ", "System.Exception: x\n   at A.b(x) in c", ":"),
    "blanks behind a place of Go": linear.Shape(" ", "panic: x\n\ngoroutine 1 [running]:\nmain.f()\n\t/a.go:1 fp=", "!"),
    "underlines of Ruby": linear.Shape("~", "a.rb:1:in `f': x (KeyError)\n\t", "!"),
    "words before a place of Ruby": linear.Shape("a " * 990 + ".rb:1:in x\n"),
    "words before a syntax error of Ruby": linear.Shape("a " * 990 + ".rb:1: syntax\n"),
    "words between places of Ruby": linear.Shape("a.rb:1:in 'x" + " a" * 990 + ".rb:1: syntax error\n"),
    "places of Ruby": linear.Shape("a.rb:1:in 'x'", "", " x\n"),
    "places of Ruby in lines": linear.Shape(("a.rb:1:in '" + " a" * 30) * 28 + "\n"),
    "dots in a call of Java": linear.Shape("\tat " + "a." * 256 + "b" * 250 + "(!\n", "java.lang.Exception: x\n"),
    "causes of .NET": linear.Shape(" ---> A.B", "System.Exception: x"),
    "tags of Rails": linear.Shape("[a] ", "", "A::B (x):"),
    "classes of Rails": linear.Shape("A::B (", "", "):"),
    "exceptions of Rails that do not end": linear.Shape("Information for: A::B (x\n"),
    "a message of Python": linear.Shape("a\n", "Traceback (most recent call last):\n  File \"/a.py\", line 1\nKeyError: x\n"),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_reading_takes_linear_time(shape) -> None:
    assert max(growth([shape])) <= linear.MOST


UNITS = [
    " ",
    "\t",
    "a",
    "1",
    ":",
    ".",
    "(",
    ")",
    "'",
    '"',
    "[",
    "#",
    "{",
    "|",
    "/",
    "~",
    "Error",
    ": ",
    " in ",
    "at ",
    "\n",
]
LINES = [
    "", "#0 /a.php(3): ", "    at f (", "\tat a.b.C.d(", "   at A.B.c(int x) in ", "a.rb:3:in `f': ", "#1      f (package:a/b.dart:1",
    "\t/a.go:1 +0x1", " 1: x", "  File \"/a.py\", line 3, in ", "Caused by: ", "2026-01-01 10:00:00 ERROR ", " ---> ", "Next E: ",
]  # fmt: skip
shapes = st.builds(
    linear.Shape,
    st.lists(st.sampled_from(UNITS), min_size=1, max_size=3).map("".join),
    st.tuples(st.sampled_from(["Error: x\n", "PHP Fatal error:  x\n", ""]), st.sampled_from(LINES)).map(
        "".join
    ),
    st.sampled_from(["", "!", "\n"]),
)


@given(st.lists(shapes, min_size=5, max_size=5))
@settings(max_examples=4, deadline=None, database=None)
def test_made_up_shapes_take_linear_time_too(made) -> None:
    assert max(growth(made)) <= linear.MOST
