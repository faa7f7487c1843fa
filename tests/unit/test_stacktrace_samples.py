"""Real traces in every language: how many events each file is, and exactly what each of them says.

``expected.json`` was checked by eye against the files. Frames are ``file:line function``, outermost call
first; those outside the application end in `` -``.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ai_ops.core.describe import describe
from ai_ops.flow.event import ErrorDetail
from tests.support.joining import records_of

DATA = Path(__file__).parent.parent / "data" / "stacktraces"
EXPECTED = json.loads((DATA / "expected.json").read_text())
every_sample = pytest.mark.parametrize("name", EXPECTED)
BEFORE, AFTER = "2026-03-01 12:00:00,123 INFO before", "2026-03-01 12:00:01,123 INFO after"


def docker(line: str) -> str:
    return json.dumps(
        {"log": f"{line}\n", "stream": "stderr", "time": "2026-03-01T12:00:00.1Z"}, separators=(",", ":")
    )


WRAPPERS = {
    "cri": lambda line: f"2026-03-01T12:00:00.669794202Z stderr F {line}",
    "syslog": lambda line: f"Mar  1 12:00:00 web-1 shop[812]: {line}",
    "compose": lambda line: f"web-1     | {line}",
    "docker": docker,
}


def text_of(name: str) -> str:
    return (DATA / name).read_text().strip("\n")


def told(error: ErrorDetail) -> dict[str, object]:
    return {
        "language": error.language,
        "type": error.exception_type,
        "causes": list(error.cause_types),
        "message": error.message,
        "frames": [f"{f.file}:{f.line} {f.function}{'' if f.in_app else ' -'}" for f in error.frames],
    }


def events(records: list[str]) -> list[dict[str, object]]:
    return [told(describe(record).error) for record in records]


def test_every_file_has_its_expectation() -> None:
    assert sorted(EXPECTED) == sorted(str(file.relative_to(DATA)) for file in DATA.rglob("*.txt"))


@every_sample
def test_a_sample_becomes_its_events(name: str, tmp_path: Path) -> None:
    records = records_of(tmp_path, f"{BEFORE}\n{text_of(name)}\n{AFTER}\n")
    assert events(records) == EXPECTED[name]["events"]
    assert [record.count("\n") + 1 for record in records] == EXPECTED[name]["lines"]


@every_sample
@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_a_container_around_every_line_changes_nothing(wrap, name: str, tmp_path: Path) -> None:
    lines = [BEFORE, *text_of(name).split("\n"), AFTER]
    records = records_of(tmp_path, "".join(f"{wrap(line)}\n" for line in lines))
    assert events(records) == EXPECTED[name]["events"]


@every_sample
@pytest.mark.parametrize("field", ["stack", "exception", "error.stack_trace", "exc_info"])
def test_a_trace_in_a_field_of_a_json_line_says_the_same(field: str, name: str, tmp_path: Path) -> None:
    if len(EXPECTED[name]["events"]) != 1 or "\n" not in text_of(name):
        return
    outer, _, inner = field.partition(".")
    value = text_of(name)
    record = {"level": "error", "message": "failed", outer: {inner: value} if inner else value}
    found = records_of(tmp_path, f'{{"level":"info"}}\n{json.dumps(record)}\n{{"level":"info"}}\n')
    assert events(found) == EXPECTED[name]["events"]
