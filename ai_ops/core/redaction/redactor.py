"""Puts the rules in order and repeats them until nothing is left to mask."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from ai_ops.core.redaction.assignments import assigned_seen, is_secret_at
from ai_ops.core.redaction.inserts import inserted
from ai_ops.core.redaction.keys import private_keys
from ai_ops.core.redaction.mask import mask
from ai_ops.core.redaction.names import may_name, secret_name
from ai_ops.core.redaction.over_lines import over_lines
from ai_ops.core.redaction.personal import personal
from ai_ops.core.redaction.tokens import tokens_seen

_SHORTEST_LITERAL = 4
_SHORTEST_LINE = 5  # pwd=x
_ROUNDS = 4
_DEEPEST = 64
_SAYS_NOTHING = frozenset({"value", "plain", "text", "raw", "data", "current", "string"})
_REMEMBERED_LINES, _REMEMBERED_CHARS = 2048, 256


class Redactor:
    """The built-in rules, and what this installation knows besides.

    Args:
        extra_patterns: regular expressions; group 1, when there is one, is the secret, else the whole
            match. They run on untrusted text: ``rules.compiled`` refuses those that could hang.
        literals: secrets known word for word, found also URL-encoded or inside JSON. Shorter than four
            characters they are ignored.
    """

    def __init__(
        self, extra_patterns: Iterable[str | re.Pattern[str]] = (), literals: Iterable[str] = ()
    ) -> None:
        self._extra = tuple(re.compile(pattern) for pattern in extra_patterns)
        self._literals = _forms(literals)
        self._clean: set[str] = set()  # lines in which the built-in rules find nothing

    def redact(self, text: str) -> str:
        """Return the text without secrets. Never raises; redacting again changes nothing."""
        text = self._built_in(self._own(text))
        for _ in range(_ROUNDS):
            again = self._own(text)
            if again == text:
                break
            text = self._built_in(again)
        return text

    def redact_json(self, value: Any) -> Any:
        """Return the same structure of dicts, lists and tuples with every text redacted, keys too."""
        return self._walk(value, "", 0)

    def _own(self, text: str) -> str:
        for literal, masked in self._literals:
            if literal in text:
                text = text.replace(literal, masked)
        for pattern in self._extra:
            text = pattern.sub(_extra_mask, text)
        return text

    def _built_in(self, text: str) -> str:
        # Little goes over several lines; a line without the signs of a secret skips most rules.
        text = inserted(private_keys(text))
        if "\n" not in text:
            return self._masked(text)
        lines = [self._masked(line) for line in text.split("\n")]
        return "\n".join(over_lines(lines) if may_name(text) else lines)

    def _masked(self, line: str) -> str:
        """Mask a line. Frames come again and again: what has nothing to mask, and no other, is remembered."""
        if line in self._clean:
            return line
        masked = _line(line)
        if masked == line and len(line) <= _REMEMBERED_CHARS:
            if len(self._clean) >= _REMEMBERED_LINES:
                self._clean.clear()
            self._clean.add(line)
        return masked

    def _walk(self, value: Any, name: str, depth: int) -> Any:
        if depth > _DEEPEST:
            return "***"
        if isinstance(value, str):
            return self._named(name, self.redact(value))
        if isinstance(value, dict):
            return {
                self.redact(key) if isinstance(key, str) else key: self._walk(
                    item, _name_of(str(key), name, value), depth + 1
                )
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


def _name_of(key: str, above: str, beside: dict[Any, Any]) -> str:
    """Return what a value is called: by its key, else by the name beside or above it."""
    if key.lower() not in _SAYS_NOTHING:
        return key
    named = beside.get("name", beside.get("key"))
    for name in (named, above):
        if isinstance(name, str) and secret_name(name):
            return name
    return key


def _personal_seen(text: str) -> tuple[str, bool]:
    return personal(text), True  # a number may come into sight when others are masked


# Each returns the text, and whether it could mask more of it when others have masked theirs.
_PASSES = (tokens_seen, assigned_seen, _personal_seen)
_REPEATED = tuple(enumerate(_PASSES)) * _ROUNDS


def _line(line: str) -> str:
    """Mask one line until every pass has seen the result: masking can bring a neighbour into sight."""
    if len(line) < _SHORTEST_LINE:
        return line
    idle, may_hold = 0, [True] * len(_PASSES)
    for place, one in _REPEATED:
        before = line
        if may_hold[place]:
            line, may_hold[place] = one(line)
        if one is _personal_seen and line != before:
            may_hold = [True] * len(_PASSES)  # what stands behind a sign or before a word is another now
        # What names or shapes give away is masked at once; a number may wait for the one before it.
        idle = idle + 1 if line == before else int(one is not _personal_seen)
        if idle == len(_PASSES):
            break
    return line


def redact(text: str) -> str:
    """Return the text without secrets and personal data, by the built-in rules."""
    return _BUILT_IN.redact(text)


def _extra_mask(found: re.Match[str]) -> str:
    group = 1 if found.re.groups and found.group(1) is not None else 0
    start, end = (at - found.start() for at in found.span(group))
    whole = found.group()
    return whole[:start] + mask(whole[start:end]) + whole[end:]


def _forms(literals: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return (form, mask) of each literal, plain, URL-encoded and inside JSON, the longest first."""
    forms: set[str] = set()
    for literal in literals:
        if len(literal) >= _SHORTEST_LITERAL and literal.strip("*"):
            forms |= {literal, quote(literal, safe=""), json.dumps(literal)[1:-1]}
    return tuple((form, mask(form)) for form in sorted(forms, key=lambda form: (-len(form), form)))


_BUILT_IN = Redactor()
