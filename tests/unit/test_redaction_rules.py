"""An installation's own redaction rules: harmless ones are taken, those that could hang are refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_ops.core.redaction import Redactor
from ai_ops.core.redaction.rules import compiled, rules_of

TAKEN = [
    r"badge-(\d+)",
    r"emp-\d{4,10}",
    r"\bCUST[0-9]{6}\b",
    r"(?i)employee no\. ?([a-z0-9]{4,12})",
    r"ticket: (?:INC|CHG)\d{7}",
    r"[A-Z]{2,3}-\d{4,10}",
    r"(?<![\w])LIC-[A-Z0-9]{5}(?:-[A-Z0-9]{5}){4}",
    r"patient=([^\s,;]+)",
    r"zone\d",
    r"账号[:：]?\s?(\d{6,20})",
]
REFUSED = [
    (r"(a+)+b", "without a bound"),
    (r"(a|a)*b", "without a bound"),
    (r"(a{1,50}){1,50}b", "too often"),
    (r"(?:a|aa){1,40}b", "too often"),
    (r"\d+x", "without a bound"),
    (r".*secret", "without a bound"),
    (r"\w{1,200}@", "too often"),
    (r"a{1,30}a{1,30}a{1,30}b", "too often"),
    ("-" * 40 + "[-x]{1,48}[-x]{1,48}!", "too often"),
    ("(?i)" + "aA" * 20 + "[ax]{1,48}[ax]{1,48}!", "too often"),
    (r"(\w)\1", "refers back"),
    (r"(x)?y(?(1)a|b)", "refers back"),
    (r"a*", "nothing at all"),
    (r"", "nothing at all"),
    (r"(", "no regular expression"),
    (r"a{99999999999}", "no regular expression"),
    ("a" * 501, "more than 500"),
    (r"key-.+?;", "without a bound"),
    (r"k(?:ab?)+", "without a bound"),
]


@pytest.mark.parametrize("pattern", TAKEN)
def test_a_harmless_pattern_is_taken(pattern: str) -> None:
    assert compiled(pattern).pattern == pattern


@pytest.mark.parametrize(("pattern", "reason"), REFUSED, ids=[pattern[:20] for pattern, _ in REFUSED])
def test_a_pattern_that_could_hang_is_refused_with_the_reason(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        compiled(pattern)


@pytest.mark.parametrize("pattern", TAKEN)
@pytest.mark.parametrize(
    "unit", ["a", "1", "A", "A-", "badge-", "emp-1", "LIC-AAAAA-", "patient=", "账号", " ", "ticket: INC1"]
)
def test_what_is_taken_ends_on_any_text(pattern: str, unit: str) -> None:
    Redactor(extra_patterns=[compiled(pattern)]).redact(unit * (65536 // len(unit)))


@given(st.text(alphabet="ab1.*+?{}()[]|\\d^$,-x:=!<>", max_size=24))
def test_any_pattern_is_taken_or_refused(pattern: str) -> None:
    try:
        found = compiled(pattern)
    except ValueError:
        return
    found.sub("", "ab1" * 500)


def test_tables_become_rules_that_mask() -> None:
    rules = rules_of([{"name": "badge", "pattern": r"badge-(\d+)"}, {"name": "zone", "pattern": r"zone\d"}])
    assert [rule.name for rule in rules] == ["badge", "zone"]
    redactor = Redactor(extra_patterns=[rule.pattern for rule in rules])
    assert redactor.redact("badge-123456789012 in zone7") == "badge-***9012 in ***"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"name": "x"}, "[[redact]] 1: name and pattern must both be there"),
        ({"pattern": "x"}, "[[redact]] 1: name and pattern must both be there"),
        ({"name": "x", "pattern": "y", "mask": "z"}, "[[redact]] 1: mask is not a key"),
        ({"name": "x", "pattern": 7}, "[[redact]] 1: must be a table of name and pattern, both text"),
        ({"name": "x", "pattern": "(a+)+b"}, "[[redact]] 1 (x): pattern repeats without a bound"),
        ("x", "[[redact]] 1: must be a table"),
    ],
)
def test_a_wrong_table_is_named(table: object, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        rules_of([table])  # type: ignore[list-item]
