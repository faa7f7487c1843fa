"""Grouping on traces that a person labelled: no two causes are one, hardly a cause is two."""

from __future__ import annotations

import pytest

from ai_ops.core.describe import describe
from tests.support.labelled import merged, split, traces

LANGUAGES = ["python", "java"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_causes_have_one_fingerprint(language: str) -> None:
    labels, texts = zip(*traces(language), strict=True)
    assert merged(labels, [describe(text).error.fingerprint for text in texts]) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_cause_has_one_fingerprint(language: str) -> None:
    labels, texts = zip(*traces(language), strict=True)
    assert split(labels, [describe(text).error.fingerprint for text in texts]) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_trace_is_known_as_one_of_its_language(language: str) -> None:
    assert {describe(text).error.language for _, text in traces(language)} == {language}
