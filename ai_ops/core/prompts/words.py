"""The words for people at the end of an answer. They go to a report as data, and decide nothing."""

from __future__ import annotations

from dataclasses import dataclass

from ai_ops.core.untrusted import clean

_MOST = 4000


@dataclass(frozen=True, slots=True)
class Words:
    """What the fixer says the cause was and what it did; empty when it did not say."""

    cause: str = ""
    summary: str = ""


def _last(text: str, tag: str) -> str:
    start = text.rfind(f"<{tag}>")
    if start < 0:
        return ""
    start += len(tag) + 2
    end = text.find(f"</{tag}>", start)
    said = clean(text[start : end if end >= 0 else len(text)]).text.strip()
    return said if len(said) <= _MOST else said[:_MOST].rstrip() + " […]"


def parse_words(text: str) -> Words:
    """Return the last ``<cause>`` and ``<summary>`` of an answer, without hidden characters."""
    return Words(_last(text, "cause"), _last(text, "summary"))
