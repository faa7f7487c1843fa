"""Secrets whose name stands on the line before: pretty-printed JSON, dumps of PHP, a container's environment.

Within a line ``assignments`` knows the name; here only what follows the end of a line is looked at, so that
lines stay independent of each other otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ai_ops.core.redaction.mask import mask
from ai_ops.core.redaction.names import may_name, secret_name
from ai_ops.core.redaction.values import is_code, is_nothing, looks_secret

_TAIL = 160  # characters: a name and its sign
_ENDS = (":", "=", ">", "{", "[", "|", "-", "+")
_OPEN = re.compile(
    r"([\w.-]{2,64})\\{0,3}[\"']?\]?[ \t]{0,8}(?::|=>?|->)[ \t]{0,8}(?P<holds>[\[{]|[|>][-+]?)?[ \t]{0,8}\Z"
)
_NAMED = re.compile(
    r"\b(?:key|name)[\"']?[ \t]{0,8}[:=][ \t]{0,8}[\"']?([\w.-]{2,64})[\"']?,?[ \t]{0,8}\Z", re.I
)
_TYPE = r"(?:string\(\d{1,9}\)[ \t]{1,4})?"
_QUOTED = re.compile(
    rf"[ \t]*{_TYPE}(?P<q>\\?[\"'])(?P<value>(?:[^\"'\\\n]|\\.){{1,8192}})(?P=q)[ \t\]}},;]*\Z"
)
_BARE = re.compile(r"[ \t]+(?P<value>[^\s\"'{}\[\],;]{3,8192}),?[ \t]*\Z")
_VALUE = re.compile(
    r"[ \t]*[\"']?(?:value|plain|text|raw|data|current|string)[\"']?\]?[ \t]{0,8}(?::|=>?)[ \t]{0,8}"
    rf"{_TYPE}(?P<q>[\"']?)(?P<value>[^\"'\n]{{1,8192}}?)(?P=q)[ \t\]}},;]*\Z",
    re.IGNORECASE,
)


def over_lines(lines: Sequence[str]) -> list[str]:
    """Return the lines with the values masked that are named at the end of the line before them."""
    kept = list(lines)
    for at in range(len(kept) - 1):
        tail = kept[at][-_TAIL:].rstrip("\r")
        ends = tail.rstrip().endswith(_ENDS)
        if not (ends or ":" in tail or "=" in tail) or not may_name(tail):
            continue
        opened = _OPEN.search(tail) if ends else None
        named = _NAMED.search(tail) if opened is None else None
        if opened is not None:
            kept[at + 1] = _masked_below(kept[at + 1], opened[1], opened["holds"] or "")
        elif named is not None:
            kept[at + 1] = _masked(kept[at + 1], named[1], _VALUE)
    return kept


def _masked_below(line: str, name: str, holds: str) -> str:
    if holds == "{":
        return _masked(line, name, _VALUE)
    quoted = _masked(line, name, _QUOTED)
    if quoted != line or holds == "[":
        return quoted
    found = _BARE.match(line)
    # A word below a heading is prose; what has a digit, or is mixed, is no word.
    if found is None or not (re.search(r"\d", found["value"]) or looks_secret(found["value"])):
        return line
    return line if is_code(found["value"]) else _masked(line, name, _BARE)


def _masked(line: str, name: str, form: re.Pattern[str]) -> str:
    found = form.match(line.rstrip("\r"))
    secret = secret_name(name)
    if found is None or secret is None or is_nothing(found["value"]):
        return line
    value = found["value"]
    if not secret.strong and not looks_secret(value):
        return line
    start, end = found.span("value")
    return line[:start] + mask(value) + line[end:]
