"""What is sensitive in a text: the lines that the redactor would change, as they read then. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from ai_ops.core.commands import judge_words
from ai_ops.core.redaction import Redactor


@dataclass(frozen=True, slots=True)
class Sensitive:
    """A line with something in it that must not be seen, masked; ``line`` counts from 1, 0 for the whole."""

    line: int
    kind: str
    text: str


_SHOWN = 300


def scan(text: str, redactor: Redactor, *, commands: bool = True) -> tuple[Sensitive, ...]:
    """Return the secrets and personal data of a text; with ``commands``, what is dangerous in it too."""
    found = [Sensitive(at, "sensitive_data", masked[:_SHOWN]) for at, masked in _changed(text, redactor)]
    if commands:
        found += [
            Sensitive(0, each.rule, redactor.redact(each.command)[:_SHOWN]) for each in judge_words(text)
        ]
    return tuple(found)


def _changed(text: str, redactor: Redactor) -> Iterator[tuple[int, str]]:
    before, after = text.splitlines(), redactor.redact(text).splitlines()
    if len(before) == len(after):
        pairs = enumerate(zip(before, after, strict=True), 1)
        yield from ((number, new.strip()) for number, (old, new) in pairs if old != new)
        return
    changes = difflib.SequenceMatcher(None, before, after).get_opcodes()
    for tag, start, _, low, high in changes:
        if tag != "equal":  # a key over several lines became one mask
            yield start + 1, " ".join(after[low:high]).strip() or "***"
