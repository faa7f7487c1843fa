"""The catalogue of failures: each is provoked by the real thing, and is what its row says."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_ops.core.failures import CATALOGUE, Kind
from ai_ops.errors import AiOpsError, PermanentError, TemporaryError
from tests.support.provoking import PROVOKED

TESTS = Path(__file__).parents[1]
HERE = {"test_failure_catalogue.py", "test_docs.py"}


@pytest.mark.parametrize("code", PROVOKED)
async def test_a_failure_that_really_happens_is_what_its_row_says(code: str, tmp_path: Path) -> None:
    row = CATALOGUE[code]
    with pytest.raises(AiOpsError) as met:
        await PROVOKED[code](tmp_path)
    failure = met.value
    assert failure.code == code
    assert type(failure) is (TemporaryError if row.temporary else PermanentError)
    assert failure.message and failure.next_step


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_of_failure_is_provoked(kind: Kind) -> None:
    assert [code for code in PROVOKED if CATALOGUE[code].kind is kind]


def test_every_failure_has_a_test() -> None:
    elsewhere = "".join(path.read_text("utf-8") for path in TESTS.rglob("test_*.py") if path.name not in HERE)
    assert [code for code in CATALOGUE.keys() - PROVOKED.keys() if code not in elsewhere] == []


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_row_says_what_happened_and_what_to_do(code: str) -> None:
    row = CATALOGUE[code]
    assert row.words.endswith(".") and row.next_step
    assert row.delay is None or row.temporary
