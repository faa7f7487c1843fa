"""Grouping of messages without a trace, on lines that a person labelled, in the style of many systems."""

from __future__ import annotations

from statistics import mean

from ai_ops.core.grouping.v1 import template
from tests.support.labelled import accuracy, lines, merged


def test_nineteen_lines_of_twenty_stand_in_exactly_their_group() -> None:
    scores = []
    for labelled in lines(count=400).values():
        labels, texts = zip(*labelled, strict=True)
        scores.append(accuracy(labels, [template(text) for text in texts])[0])
    assert len(scores) == 16
    assert mean(scores) >= 0.95


def test_no_two_templates_are_merged() -> None:
    for system, labelled in lines(count=400).items():
        labels, texts = zip(*labelled, strict=True)
        assert merged(labels, [template(text) for text in texts]) == [], system
