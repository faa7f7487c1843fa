"""A rule about tests that lie in the code they test, as Rust's unit tests do.

Their file is code that a fix may change, so the rule for files of tests does not reach them. Each test
function that was there has to stay, word for word, its texts too: they may be what is expected.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator

from ai_ops.core.guard.findings import Change, Finding
from ai_ops.core.guard.plain_code import enclosed, plain
from ai_ops.core.guard.suite import is_test

_TEST = re.compile(
    r"(?P<attributes>(?:#\[[^\]\n]{0,200}\]\s{0,200}){1,8})(?:pub\s+)?(?:async\s+)?fn\s+"
    r"(?P<name>\w{1,200})[^{};]{0,500}\{"
)
_LONGEST = 5000  # characters of one test that are compared; more would cost their square
_ATTRIBUTE = re.compile(r"#\[(?:\w{1,50}::){0,4}(?:test|rstest|test_case|should_panic)\b")


def changed_unit_tests(change: Change) -> Iterator[Finding]:
    """Find unit tests of Rust that a fix changes or removes."""
    for file in change.files:
        if not file.path.endswith(".rs") or file.is_new or file.is_binary or is_test(change, file.path):
            continue
        path = file.path
        before, after = (_tests(path, change.text(r, path) or "") for r in (change.base, change.after))
        for name, _words in before - after:
            text = "a repair does not change existing tests"
            yield Finding("existing_test_changed", f"{file.path}::{name}", text)


def _tests(path: str, text: str) -> Counter[tuple[str, str]]:
    """Return each test function: its name, and its lines with their attributes, without their layout."""
    code, lines = plain(path, text), text.split("\n")
    ends = [at for at, char in enumerate(code) if char == "\n"]
    found: Counter[tuple[str, str]] = Counter()
    for match in _TEST.finditer(code):
        if _ATTRIBUTE.search(match["attributes"]):
            body = enclosed(code[match.end() - 1 : match.end() + _LONGEST], 0)
            first, last = (bisect_left(ends, at) for at in (match.start(), match.end() + len(body)))
            words = " ".join(line[:_LONGEST] for line in lines[first : last + 1]).split()
            found[match["name"], " ".join(words)] += 1
    return found
