"""Rules about code of other languages than Python that plays to the run of its tests.

Their runners can be deceived in the same ways as pytest: the process ends early with 0, the report is
written or printed by the code itself, or the code is compiled otherwise for tests. Ending with a number
that is not 0 is free: no runner takes that for a pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai_ops.core.diff import FileDiff
from ai_ops.core.guard.findings import Change, Finding
from ai_ops.core.guard.reading import CODE, PYTHON
from ai_ops.core.guard.suite import is_test

_WINDOW = 2000
_FAILS = r"(?!\s*-?[1-9]\d{0,8}\s*\))"
_ENDS = re.compile(
    # JavaScript
    rf"\bprocess\s*\.\s*exit\s*\({_FAILS}|\bprocess\s*\.\s*(?:reallyExit|kill|binding|_linkedBinding|dlopen)\b"
    r"|\bprocess\s*\.\s*exitCode\s*=(?!=|\s*[1-9])|\bprocess\s*\[|\}\s*=\s*(?:globalThis\s*\.\s*)?process\b"
    r"|(?:from|require\(|import\()\s*[\"'](?:node:)?(?:process|v8|inspector)[\"']"
    r"|\bprocess\s*\.\s*(?:on|once|prependListener)\s*\(\s*[\"'`](?:exit|beforeExit|uncaughtException|unhandledRejection)"
    # Rust
    rf"|\bprocess::exit\s*\({_FAILS}|\bprocess::\{{[^}}\n]{{0,200}}\bexit\b|\bprocess::exit\s*;|\bCommandExt\b"
    r"|\bfn\s+_?exit\s*\(|\blibc::(?:exit|exec\w{1,4}|write|dup2)\b|\bfrom_raw_fd\b"
    # Java, Go
    rf"|\bSystem\s*\.\s*exit\s*\({_FAILS}|\bimport\s+static\s+java\.lang\.System\b"
    rf"|\b(?:os|syscall)\.Exit\s*\({_FAILS}|\bsyscall\.Exec\b"
)
_PRINTS = re.compile(
    r"\btest result: |\bTAP version \d|[\"'`](?:\\n)?(?:not )?ok \d"
    r"|\"?Action\\?\"\s*:\s*\\?\"(?:pass|fail|run)"
    r"|=== RUN\b|--- (?:PASS|FAIL)\b|\brunning (?:\d|\{[^}\n]{0,20}\}|\$\{[^}\n]{0,40}\}) tests?\b"
    r"|surefire-reports|/test-results/|target/nextest"
)
_KNOWS = re.compile(
    r"\bNODE_TEST_CONTEXT\b|\b(?:process\.env|env)\b.{0,20}\b(?:VITEST|MOCHA)\w{0,20}|\bimport\.meta\.env\.(?:MODE|VITEST)\b"
    r"|\benv::vars?(?:_os)?\s*\(\s*(?:\"(?:CARGO|RUST_|NEXTEST)|\))|\boption_env!|\bsurefire\.|\borg\.gradle\.test\b"
    r"|\bcfg(?:_attr)?!?\s*\([^)\n]{0,80}\b(?:test|debug_assertions)\b|\btesting\.(?:Testing|Short|Verbose)\s*\("
)
_TOOLS = re.compile(
    r"[\"'](?:node:test|@jest/globals|jest|vitest|mocha|chai|sinon)(?:/[\w/-]{0,40})?[\"']|^\s*import\s+(?:static\s+)?org\.junit\b"
    r"|^\s*\"testing\"\s*$|^\s*import\s+\"testing\""
)
_UNIT_TESTS = re.compile(r"\s*#\[cfg\(test\)\]\s*(?:mod\s+\w+.*)?\Z")
_MODULE = re.compile(r"\s*(?:pub\s+)?mod\s+\w+")


def plays_to_runner(change: Change) -> Iterator[Finding]:
    """Find code that newly ends the run, prints or writes its report, or knows that it is tested.

    What a file said before stays free. A reproduction is looked at when it is proposed.
    """
    for file in _code(change):
        if file.path in change.reproduction:
            continue
        product = not is_test(change, file.path)
        before = change.text(change.base, file.path) or ""
        yield from _found(file, before, (_ENDS, _PRINTS, *((_KNOWS, _TOOLS) if product else ())))


def forges_run(change: Change) -> Iterator[Finding]:
    """Find a reproduction that ends the run, or prints or writes its report."""
    for file in _code(change):
        yield from _found(file, "", (_ENDS, _PRINTS))


def _code(change: Change) -> Iterator[FileDiff]:
    for file in change.files:
        if file.path.endswith(CODE) and not file.path.endswith(PYTHON) and not file.is_deleted:
            yield file


def _found(file: FileDiff, before: str, patterns: tuple[re.Pattern[str], ...]) -> Iterator[Finding]:
    known = {each.group() for pattern in patterns for each in pattern.finditer(before)}
    added = file.added_lines
    for at, (number, text) in enumerate(added):
        if _UNIT_TESTS.match(text) and (
            "mod" in text or (at + 1 < len(added) and _MODULE.match(added[at + 1][1]))
        ):
            continue  # a module of unit tests, beside the code as Rust has it
        starts = range(0, max(len(text), 1), _WINDOW - 200)
        windows = [text[start : start + _WINDOW] for start in starts]
        if any(each.group() not in known for p in patterns for w in windows for each in p.finditer(w)):
            words = "the code reaches for the test run: its end, its report, or whether there is one"
            yield Finding("detects_tests", f"{file.path}:{number}", words)
