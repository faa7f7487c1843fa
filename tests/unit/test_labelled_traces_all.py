"""Grouping on the labelled traces of every language: two hundred traces, no merge, one split in fifty."""

from __future__ import annotations

import pytest

from ai_ops.core.describe import describe
from tests.support.labelled import merged, split, traces

LANGUAGES = ["python", "java", "javascript", "go", "ruby", "php", "csharp", "rust"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_trace_is_known_as_one_of_its_language(language: str) -> None:
    unknown = [cause for cause, text in traces(language) if describe(text).error.language != language]
    assert unknown == []


def test_no_two_causes_are_merged_and_at_most_one_in_fifty_is_split() -> None:
    labelled = [(f"{language}: {cause}", text) for language in LANGUAGES for cause, text in traces(language)]
    labels, texts = zip(*labelled, strict=True)
    fingerprints = [describe(text).error.fingerprint for text in texts]
    assert len(labelled) >= 200
    assert merged(labels, fingerprints) == []
    apart = split(labels, fingerprints)
    assert len(apart) * 50 <= len(set(labels)), apart
