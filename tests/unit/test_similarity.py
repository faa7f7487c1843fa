"""Similarity: what varies between two occurrences does not count, what differs between two faults does."""

from dataclasses import replace

import pytest

from ai_ops.core.describe import describe
from ai_ops.core.similarity import compare, kind_of, likeness, place_of
from ai_ops.flow.bug_case import Likeness
from ai_ops.flow.event import ErrorDetail, Frame

TRACE = """Traceback (most recent call last):
  File "{root}/shop/views.py", line {line}, in listing
    show(product)
  File "{root}/shop/ratings.py", line {other}, in average
    return total / count
{kind}: {message}
"""


def logged(root="/srv/app", line=10, other=6, kind="ZeroDivisionError", message="division by zero"):
    return likeness(describe(TRACE.format(root=root, line=line, other=other, kind=kind, message=message))[0])


def bare(text):
    return likeness(describe(text)[0])


def test_an_error_is_known_by_type_template_and_calls():
    found = logged(message="no rating for user 4711")
    assert found.types == ("ZeroDivisionError",)
    assert "4711" not in found.template and found.template.startswith("no rating for")
    assert [call.rpartition("/")[2] for call in found.calls] == ["views.py:listing", "ratings.py:average"]
    assert (kind_of(found), place_of(found)) == ("ZeroDivisionError", "ratings.py:average")


def test_what_varies_between_two_occurrences_does_not_count():
    other = logged(root="/opt/releases/20260101/code", line=99, other=107)
    assert compare(logged(), other).score == 1.0


def test_a_number_in_the_message_does_not_count():
    one, other = (bare(f"ERROR payment {number} was lost") for number in (17, 923))
    assert compare(one, other).score == 1.0


@pytest.mark.parametrize(
    ("other", "part", "value"),
    [
        (logged(kind="KeyError"), "type", 0.0),
        (logged(kind="billing.errors.ZeroDivisionError"), "type", 1.0),
        (logged(message="the spoon is gone"), "message", None),
        (bare("ZeroDivisionError: division by zero"), "frames", 0.0),
    ],
    ids=["another type", "the same name", "another message", "no frames on one side"],
)
def test_each_part_speaks_for_itself(other, part, value):
    seen = getattr(compare(logged(), other), part)
    assert seen == value if value is not None else 0 < seen < 0.7
    whole = compare(logged(), other)
    assert (whole.score < 1.0) is (seen < 1.0)


def test_one_root_cause_behind_two_exceptions_counts_for_most_of_the_type():
    one = Likeness(types=("OrderFailed", "TimeoutError"))
    assert compare(one, Likeness(types=("PaymentFailed", "TimeoutError"))).type == 0.8
    assert compare(one, Likeness(types=("PaymentFailed", "KeyError"))).type == 0.0


def paths(*calls):
    return Likeness(types=("KeyError",), calls=calls)


@pytest.mark.parametrize(
    ("one", "other", "value"),
    [
        (("a.py:f", "b.py:g"), ("a.py:f", "b.py:g"), 1.0),
        (("a.py:f", "b.py:g"), ("x/b.py:g",), 0.75),
        (("views.py:f", "orders/b.py:g"), ("views.py:f", "users/b.py:g"), 0.7),
        (("a.py:f", "b.py:g"), ("a.py:f", "c.py:h"), 0.25),
        (("a.py:f",), ("b.py:f",), 0.0),
        (("a.py:f",), ("a.py:g",), 0.0),
        (("a.py:f",), ("xa.py:f",), 0.0),
    ],
    ids=[
        "same", "shorter, one root further down", "same name in other folders", "only the way there",
        "another file", "another function", "a name that ends so",
    ],
)  # fmt: skip
def test_frames_are_compared_by_file_and_function_the_innermost_most_of_all(one, other, value):
    assert compare(paths(*one), paths(*other)).frames == value
    assert compare(paths(*other), paths(*one)).frames == value


def test_a_part_that_neither_side_has_is_no_part():
    seen = compare(Likeness(template="a b"), Likeness(template="a b"))
    assert (seen.score, seen.type, seen.frames) == (1.0, None, None)
    assert compare(Likeness(), Likeness()).score == 0.0


def test_only_the_frames_of_the_application_count():
    error = ErrorDetail(
        "x", "python", "KeyError", frames=(Frame("a.py", 1, "f"), Frame("lib.py", 1, "g", False))
    )
    assert place_of(likeness(error)) == "a.py:f"
    assert place_of(likeness(replace(error, frames=()))) == ""


def test_however_long_an_error_is_its_likeness_is_not():
    frames = tuple(Frame(f"/a/{'d' * 400}/{n}.py", n, "f" * 900) for n in range(200))
    error = ErrorDetail("x", "python", "T" * 9000, "w " * 9000, frames, cause_types=("C",) * 500)
    found = likeness(error)
    assert len(found.calls) == 20 and max(map(len, found.calls)) <= 300
    assert len(found.template) <= 500 and max(map(len, found.types)) <= 200
