"""Puts the rules in order and repeats them until nothing is left to mask."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from ai_ops.core.redaction.assignments import assigned, is_secret_at
from ai_ops.core.redaction.mask import mask
from ai_ops.core.redaction.personal import personal
from ai_ops.core.redaction.tokens import tokens

_SHORTEST_LITERAL = 4
_ROUNDS = 4
_DEEPEST = 64


class Redactor:
    """The built-in rules, and what this installation knows besides.

    Args:
        extra_patterns: regular expressions; group 1, when there is one, is the secret, else the whole
            match. They run on untrusted text, so they should be linear.
        literals: secrets known word for word, found also URL-encoded or inside JSON. Shorter than four
            characters they are ignored.
    """

    def __init__(
        self, extra_patterns: Iterable[str | re.Pattern[str]] = (), literals: Iterable[str] = ()
    ) -> None:
        self._extra = tuple(re.compile(pattern) for pattern in extra_patterns)
        self._literals = _one_of(literals)

    def redact(self, text: str) -> str:
        """Return the text without secrets. Never raises; redacting again changes nothing."""
        # Masking can bring a neighbour into sight, so it goes on until a round changes nothing.
        for _ in range(_ROUNDS):
            before, text = text, self._round(text)
            if text == before:
                break
        return text

    def redact_json(self, value: Any) -> Any:
        """Return the same structure of dicts, lists and tuples with every text redacted, keys too."""
        return self._walk(value, "", 0)

    def _round(self, text: str) -> str:
        if self._literals:
            text = self._literals.sub(lambda found: mask(found.group()), text)
        for pattern in self._extra:
            text = pattern.sub(_extra_mask, text)
        return personal(assigned(tokens(text)))

    def _walk(self, value: Any, name: str, depth: int) -> Any:
        if depth > _DEEPEST:
            return "***"
        if isinstance(value, str):
            return self._named(name, self.redact(value))
        if isinstance(value, dict):
            return {
                self.redact(key) if isinstance(key, str) else key: self._walk(item, str(key), depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, (list, tuple)):
            return type(value)(self._walk(item, name, depth + 1) for item in value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return self._number(name, value)
        return value

    def _named(self, name: str, value: str) -> str:
        return mask(value) if name and value and is_secret_at(name, value) else value

    def _number(self, name: str, value: int | float) -> Any:
        text = str(value) if abs(value) < 1e40 else ""
        redacted = self._named(name, self.redact(text))
        return value if redacted == text else redacted


def redact(text: str) -> str:
    """Return the text without secrets and personal data, by the built-in rules."""
    return _BUILT_IN.redact(text)


def _extra_mask(found: re.Match[str]) -> str:
    group = 1 if found.re.groups and found.group(1) is not None else 0
    start, end = (at - found.start() for at in found.span(group))
    whole = found.group()
    return whole[:start] + mask(whole[start:end]) + whole[end:]


def _one_of(literals: Iterable[str]) -> re.Pattern[str] | None:
    forms: set[str] = set()
    for literal in literals:
        if len(literal) >= _SHORTEST_LITERAL and literal.strip("*"):
            forms |= {literal, quote(literal, safe=""), json.dumps(literal)[1:-1]}
    ordered = sorted(forms, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, ordered))) if ordered else None


_BUILT_IN = Redactor()
