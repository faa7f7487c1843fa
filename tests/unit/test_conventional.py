"""Titles follow the history's own way, and take from it no more than a plain scope."""

import re

import pytest

from ai_ops.core import conventional
from tests.support.hostile_texts import HOSTILE_TEXTS, named

PLAIN = "Fix KeyError in cart.py (total)"


@pytest.mark.parametrize(
    ("subjects", "used"),
    [
        ([], False),
        (["fix: a", "feat: b"], False),
        (["fix: a", "feat(x): b", "docs!: c"], True),
        (["fix: a", "feat: b", "docs: c", "Add d", "Mend e"], True),
        (["fix: a", "feat: b", "Add c", "Add d", "Mend e"], False),
        (["fix: a", "feat: b", "docs: c", "Merge x", "Revert y", "Merge z", "fixup! w"], True),
        (["fix:a", "fixes: b", "FIX: c", "note: d"], False),
    ],
    ids=["none", "too few", "three", "60 %", "40 %", "merges aside", "look-alikes"],
)
def test_a_history_uses_them_from_three_in_five_on(subjects, used):
    assert conventional.is_used(subjects) is used


@pytest.mark.parametrize(
    ("changed", "subjects", "title"),
    [
        ("src/cart.py", ["Add a", "Add b"], PLAIN),
        ("src/cart.py", ["fix: a"] * 4, "fix: stop KeyError in cart.py (total)"),
        ("shop/cart.py", ["fix(shop): a"] * 4, "fix(shop): stop KeyError in cart.py (total)"),
        (
            "shop/cart.py",
            ["fix(cart): a", *["fix(shop): a"] * 4],
            "fix(cart): stop KeyError in cart.py (total)",
        ),
        ("src/cart.py", ["fix(api): a"] * 4, "fix(cart): stop KeyError in cart.py (total)"),
        ("src/cart.py", ["fix(api): a", *["fix: b"] * 4], "fix: stop KeyError in cart.py (total)"),
        ("", ["fix(api): a"] * 4, "fix: stop KeyError in cart.py (total)"),
        ("src/[id].tsx", ["fix(api): a"] * 4, "fix(id): stop KeyError in cart.py (total)"),
    ],
    ids=["plain", "no scopes", "a folder", "the file", "none fits", "seldom", "no file", "an odd name"],
)
def test_the_scope_is_one_of_the_historys_that_names_the_place(changed, subjects, title):
    assert conventional.title(PLAIN, changed, subjects) == title


def test_a_first_line_stays_short():
    long = f"Fix {'E' * 80} in {'f' * 80}.py"
    assert len(conventional.title(long, "a.py", ["fix: a"] * 3)) <= 100


@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=map(named, HOSTILE_TEXTS))
def test_no_subject_of_a_history_gets_into_a_title(text):
    subjects = [f"fix({text}): {text}"] * 4 + [f"fix: {text}"] * 4 + [text]
    for changed in ("src/cart.py", f"{text}/{text}.py", text):
        title = conventional.title(PLAIN, changed, subjects)
        assert re.fullmatch(
            r"(?:Fix|fix(?:\([a-z0-9][a-z0-9_./-]*\))?: stop) KeyError in cart\.py \(total\)", title
        )
