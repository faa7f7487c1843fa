"""What Rust's test harness prints, read into results and held against its own sums.

Each test program announces how many tests it runs and sums them up at its end. A program that ended
early, printed a result more than once or other sums than its results is no report.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ai_ops.flow.report import CaseOutcome

_PROGRAM = re.compile(
    r"\s{3,8}Running (?P<unit>unittests )?(?P<source>[^\s()][^()\n]{0,1000})"
    r" \((?P<program>[^()\n]{1,1000})\)\s*\Z"
)
_DOC = re.compile(r"\s{3,8}Doc-tests (?P<crate>\S{1,200})\s*\Z")
_BEGIN = re.compile(r"running (\d{1,9}) tests?\Z")
_TEST = re.compile(
    r"test (?P<name>\S[^\n]{0,1000}?)(?: - (?:should panic|compile fail|compile))? \.\.\. "
    r"(?P<outcome>ok|FAILED|ignored)(?:, [^\n]{0,1000})?(?: <\d+\.\d+s>)?\s*\Z"
)
_END = re.compile(
    r"test result: (?:ok|FAILED)\. (\d{1,9}) passed; (\d{1,9}) failed; (\d{1,9}) ignored; "
    r"(\d{1,9}) measured; \d{1,9} filtered out(?:;|\s*\Z)"
)
_SAID = re.compile(
    r"---- (?P<name>\S[^\n]{0,1000}?)(?: - (?:should panic|compile fail|compile))? stdout ----\Z"
)
_OUTCOMES = {"ok": CaseOutcome.PASSED, "FAILED": CaseOutcome.FAILED, "ignored": CaseOutcome.SKIPPED}


@dataclass(slots=True)
class Program:
    """One test program: its source file and path, or the crate whose documentation is tested.

    ``results`` are outcomes by the name of the test, ``said`` what failed ones printed.
    """

    source: str = ""
    program: str = ""
    is_unit: bool = False
    documented: str = ""
    results: dict[str, CaseOutcome] = field(default_factory=dict)
    said: dict[str, list[str]] = field(default_factory=dict)


def parse_libtest(text: str) -> tuple[Program, ...] | None:
    """Return the programs that ran, or None when one of them did not come to its end or does not add up."""
    programs: list[Program] = []
    announced: int | None = None
    in_failures, speaking = False, ""
    for line in text.splitlines():
        if announced is None:
            if found := _PROGRAM.match(line) or _DOC.match(line):
                programs.append(_program(found))
            elif begin := _BEGIN.match(line):
                if not programs or programs[-1].results or programs[-1].said:
                    return None  # nobody started it, or it began twice
                announced, in_failures, speaking = int(begin[1]), False, ""
            continue
        now = programs[-1]
        if end := _END.match(line):
            if not _adds_up(now, announced, [int(each) for each in end.groups()]):
                return None
            announced = None
        elif in_failures:
            if (said := _SAID.match(line)) and said["name"] in now.results:
                speaking = said["name"]
                now.said.setdefault(speaking, [])
            elif speaking:
                now.said[speaking].append(line)
        elif line.rstrip() == "failures:":
            in_failures = True
        elif test := _TEST.match(line):
            if test["name"] in now.results:
                return None
            now.results[test["name"]] = _OUTCOMES[test["outcome"]]
        elif _BEGIN.match(line) or _PROGRAM.match(line) or _DOC.match(line):
            return None  # another began while this one had not ended
    return None if announced is not None else tuple(programs)


def _program(found: re.Match[str]) -> Program:
    words = found.groupdict()
    if "crate" in words:
        return Program(documented=words["crate"])
    return Program(words["source"], words["program"], words["unit"] is not None)


def _adds_up(program: Program, announced: int, sums: list[int]) -> bool:
    passed, failed, ignored, measured = sums
    seen = list(program.results.values())
    counted = [seen.count(each) for each in (CaseOutcome.PASSED, CaseOutcome.FAILED, CaseOutcome.SKIPPED)]
    return counted == [passed, failed, ignored] and len(seen) + measured == announced
