"""Whatever is in a log: no exception, no line twice, no line that was not there."""

# ruff: noqa: E501 - traces are as wide as they are printed
from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai_ops.core.describe import describe
from ai_ops.core.stacktrace import Follower, may_begin, parse
from ai_ops.core.stacktrace.languages import LANGUAGES
from ai_ops.monitoring.detect import Detector
from ai_ops.monitoring.encoding import cleaned
from tests.support.joining import records, records_of

DATA = Path(__file__).parent.parent / "data" / "stacktraces"
SAMPLES = [line for file in sorted(DATA.rglob("*.txt")) for line in file.read_text().split("\n")]
PREFIXES = [
    "", "", "2026-03-01 12:00:00,123 ERROR [main] ", "2026-03-01T12:00:00.1Z stderr F ", "2026-03-01T12:00:00.1Z stderr P ",
    "web-1  | ", "web-2  | ", "Mar  1 12:00:00 host shop[812]: ", '{"log":"', "E, [2026-03-01T12:00:00.1 #812] ERROR -- : ",
]  # fmt: skip
LINES = st.lists(
    st.builds(
        lambda prefix, line, cut: (prefix + line)[cut:],
        st.sampled_from(PREFIXES),
        st.sampled_from(SAMPLES) | st.text(max_size=40),
        st.integers(0, 3),
    ).map(lambda line: line.replace("\n", " ").replace("\r", " ")),
    max_size=25,
)
relaxed = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@given(LINES)
@relaxed
def test_a_record_holds_lines_of_the_file_in_their_order(tmp_path, lines) -> None:
    encoded = [cleaned(line.encode("utf-8", "replace")) for line in lines]
    text = "".join(f"{line.decode()}\n" for line in encoded)
    for record in records_of(tmp_path, text):
        rest = iter(encoded)
        assert all(line.encode() in rest for line in record.split("\n"))


PLANTED = "2026-03-01 12:00:00,123 ERROR [main] shop.pay: no answer"


@given(LINES, st.sets(st.integers(0, 24), min_size=1, max_size=6))
@relaxed
def test_every_error_is_in_exactly_one_record_and_no_other_line_in_two(tmp_path, lines, places) -> None:
    for place in sorted(places):
        lines.insert(place, PLANTED)
    numbered = [f"{line} ·{at}·" for at, line in enumerate(lines)]
    found = "\n".join(records_of(tmp_path, "".join(f"{line}\n" for line in numbered)))
    for at, line in enumerate(lines):
        count = found.count(f" ·{at}·")
        assert count == 1 if line == PLANTED else count <= 1, (at, line)


@given(LINES)
@relaxed
def test_the_reference_joiner_splits_lines_and_loses_none(lines) -> None:
    encoded = [line.encode("utf-8", "replace") for line in lines]
    assert [line for record in records(encoded) for line in record] == encoded


@given(LINES)
@relaxed
def test_parsers_take_anything(lines) -> None:
    text = "\n".join(lines)
    parse(text)
    describe(text)
    for language in LANGUAGES:
        language.parse(list(lines))


@given(st.binary(max_size=300), st.lists(st.binary(max_size=80), max_size=8))
@relaxed
def test_bytes_of_any_kind_are_taken(first, rest) -> None:
    follower = Follower(first)
    for line in rest:
        follower.accept(line)
        may_begin(line)
        Detector().is_error(line)


@given(LINES)
@relaxed
def test_only_what_holds_a_language_s_marks_is_parsed_by_it(lines) -> None:
    text = "\n".join(lines)
    for language in LANGUAGES:
        if language.parse(list(lines)) is not None:
            assert any(mark in text for mark in language.MARKS)
        for line in lines:
            if language.start(line) is not None:
                assert any(needle in line for needle in language.NEEDLES), line
