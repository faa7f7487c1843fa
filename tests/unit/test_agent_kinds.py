"""What is remembered of a kind of error is what describing it again would say."""

import json
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_ops.agent.kinds import (
    _HELD_BYTES,
    _SHORT_BYTES,
    Kinds,
    _marked,
    _marked_in_pieces,
    _Outlines,
    _same_length,
    _shape,
)
from ai_ops.core.redaction import Redactor

REDACTOR = Redactor()
HEAD = "2026-01-01 10:00:00 ERROR "


def python(*files):
    frames = "".join(f'  File "{file}", line 3, in f\n    x\n' for file in files)
    return f"{HEAD}boom\nTraceback (most recent call last):\n{frames}KeyError: 7"


def go(function, file):
    return f"panic: boom 7\n\ngoroutine 1 [running]:\nmain.{function}(0x3)\n\t{file}:3 +0x1d\n"


def as_json(text):
    return json.dumps({"level": "error", "message": text})


def told(*raws):
    """Return the fingerprint of the last record, after the others were met, and as described anew."""
    kinds = Kinds(REDACTOR)
    return [kinds.of(raw.encode())[0] for raw in raws][-1], Kinds(REDACTOR).of(raws[-1].encode())[0]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (f"{HEAD}task 3 of queue failed", f"{HEAD}task of queue 3 failed"),
        (f"{HEAD}a ,b c failed", f"{HEAD}a b, c failed"),
        (f"x {HEAD}y", f"{HEAD}x y"),
        (python("/srv/1/a.py", "/srv/2/b.py"), python("/srv/1/a.py", "/srv/7/b.py")),
        (python("1.py", "2.py"), python("1.py", "7.py")),
        (as_json(python("/srv/1/a.py", "/srv/2/b.py")), as_json(python("/srv/1/a.py", "/srv/7/b.py"))),
        (go("f.func1.2", "/srv/a.go"), go("f.func1.3", "/srv/a.go")),
        (go("f", "/srv/2/a.go"), go("f", "/srv/7/a.go")),
        (
            "2.rb:3:in `f': x (ArgumentError)\n\tfrom b.rb:9:in `g'",
            "7.rb:3:in `f': x (ArgumentError)\n\tfrom b.rb:9:in `g'",
        ),
        (f"{HEAD}{'1 ab ' * 450}odd", f"{HEAD}{'12345678 ab ' * 450}odd"),
    ],
    ids=[
        "a number at another place",
        "punctuation at another place",
        "the time at another place",
        "folders of a trace",
        "files of a trace",
        "folders of a trace in JSON",
        "functions of a trace",
        "folders of a Go trace",
        "the file in a Ruby trace's first line",
        "a message that grouping cuts",
    ],
)
def test_what_describing_tells_apart_is_not_remembered_as_one(first, second):
    remembered, described = told(first, second)
    assert remembered == described


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (f"{HEAD}request 7 failed", "2027-02-02T11:00:00.123Z ERROR request 1234 failed"),
        (f"{HEAD}GET /orders/7 took 1.5 s", f"{HEAD}GET /orders/12 took 22.75 s"),
        (python("/srv/a.py"), python("/srv/a.py").replace("KeyError: 7", "KeyError: 1234")),
    ],
    ids=["time and number", "path and fraction", "a trace's message"],
)
def test_what_differs_in_numbers_alone_is_described_once(first, second):
    kinds = Kinds(REDACTOR)
    assert kinds.of(first.encode())[1] is not None
    assert kinds.of(second.encode())[1] is None


WORDS = st.one_of(
    st.sampled_from(
        ["task", "of", "queue", "failed", "user", "for", "Jan", "Mon", "Traceback", "null", "ms"]
    ),
    st.sampled_from(
        ["ORA:", "ORA-942", "code=", "a.b", "x/y", "/srv/", "v1", "7.py", "10.0.0.1", "KeyError:"]
    ),
    st.sampled_from(["a@b.de", "\\n", *"%-$()[],.:=#\"'"]),
)
NUMBERS = st.sampled_from(["0", "7", "42", "404", "1234567", "4111111111111111"])
TRACES = [
    'Traceback (most recent call last):\n  File "/srv/{}/a.py", line {}, in f\n    x\nValueError: {}',
    "panic: boom {}\n\ngoroutine {} [running]:\nmain.f.{}(0x3)\n\t/srv/{}/a.go:3 +0x1d",
    "java.io.IOException: {} is odd\n\tat com.shop.C{}.f(C.java:{})\nCaused by: java.lang.Error: {}",
    "{}.rb:{}:in `f': x {} (ArgumentError)\n\tfrom b/{}.rb:9:in `g'",
    "Error: odd {}\n    at f (/srv/{}/a.js:{}:2)\n    at g ({}.js:3:4)",
]


@st.composite
def records(draw):
    """Two records of the same words with other numbers."""
    head = draw(st.sampled_from([HEAD, "", "ERROR ", "10:00 ERROR [7] "]))
    words = draw(st.lists(st.one_of(WORDS, st.just("{}")), max_size=10))
    text = head + "".join(word + draw(st.sampled_from([" ", "", " "])) for word in words)
    text += draw(st.sampled_from(["", *(f"\n{trace}" for trace in TRACES), *TRACES]))
    if draw(st.booleans()):
        text = as_json(text)
    parts = text.split("{}")
    return tuple(
        "".join(part + (draw(NUMBERS) if n < len(parts) - 1 else "") for n, part in enumerate(parts))
        for _ in range(2)
    )


@given(records())
@settings(max_examples=300, deadline=None)
def test_equal_shapes_have_equal_fingerprints(pair):
    remembered, described = told(*pair)
    assert remembered == described


def with_digits(text, digits):
    """Return the text with other digits in the place of its own."""
    return re.sub(r"\d", lambda _: str(digits.randrange(10)), text)


@given(records(), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_a_record_with_other_digits_has_the_shape_that_marking_gives_it(pair, digits):
    outlines = _Outlines()
    for text in (pair[0], pair[0], *(with_digits(pair[0], digits) for _ in range(3)), pair[0]):
        for scope in ("one", "other"):
            assert outlines.shape(text.encode(), scope) == _shape(text.encode(), scope)


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}card 4111111111111111 of 7",
        f"{HEAD}HTTP 503 from 10.0.0.7",
        f"{HEAD}x\nOSError: [Errno 28] left on 7",
        "ERROR 2026-01-01 10:00:00 took 7 ms",
        python("/srv/1/a.py", "/srv/b.py"),
        f"{HEAD}{'7 ab ' * 450}",
    ],
    ids=["a card", "a status", "a system's code", "a level at the time", "a trace", "a long message"],
)
def test_digits_that_count_are_not_taken_for_others(text):
    outlines, digits = _Outlines(), random.Random(3)
    for other in (text, text, *(with_digits(text, digits) for _ in range(300)), text):
        assert outlines.shape(other.encode(), "s") == _shape(other.encode(), "s")


def test_marking_is_done_once_for_records_that_differ_in_their_digits_alone(monkeypatch):
    outlines, marked = _Outlines(), []
    monkeypatch.setattr("ai_ops.agent.kinds._shape", lambda raw, scope: marked.append(raw) or b"shape")
    for number in range(100, 200):
        outlines.shape(f"{HEAD}request {number} failed".encode(), "s")
    assert len(marked) == 3  # when it is met, when it is learnt, and for those after


def test_what_is_held_of_outlines_is_bounded():
    outlines = _Outlines()
    for number in range(600):
        name = "".join(chr(97 + number // 26**place % 26) for place in range(4))
        for _ in range(3):
            outlines.shape(f"{HEAD}{name * 1000} 7".encode(), "s")
    assert sum(map(len, outlines._known)) <= _HELD_BYTES


@given(
    st.lists(st.sampled_from([*"1 a\n\\n.:", "22", "\\n", "/x.py:3", " 4111111111111111", HEAD]), max_size=60)
)
@settings(max_examples=300, deadline=None)
def test_a_large_text_is_marked_in_pieces_as_it_is_whole(parts):
    text = ("x" * _SHORT_BYTES + "".join(parts)).encode()
    assert b"".join(_marked_in_pieces(text)) == _marked(text, _same_length)


def test_large_records_that_differ_in_numbers_alone_are_of_one_shape():
    first, second = (f"{HEAD}{f'order {n} failed ' * 10_000}".encode() for n in (1, 2))
    kinds = Kinds(REDACTOR)
    assert kinds.of(first)[1] is not None
    assert kinds.of(second) == (Kinds(REDACTOR).of(first)[0], None)
