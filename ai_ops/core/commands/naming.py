"""Sets of names, written as one text: most of what the rules know is names of programs."""

from __future__ import annotations


def names(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())
