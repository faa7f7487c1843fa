"""Secrets in the rows of an ``INSERT``: their names stand in the list of columns, by their places."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai_ops.core.redaction.mask import mask
from ai_ops.core.redaction.names import secret_name
from ai_ops.core.redaction.values import is_nothing, looks_secret

_HEAD = re.compile(
    r"\b(?:INSERT|REPLACE)\s{1,8}(?:\w{1,16}\s{1,8}){0,2}INTO\s{1,8}[\w.`\"\[\]]{1,200}\s{0,8}"
    r"\((?P<columns>[^()]{1,4000})\)\s{0,8}VALUES?\s{0,8}(?=\()",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"\s*(?:[EeNnBb]?(?P<q>'|\"|\\\"|\\')(?P<text>(?:(?!(?P=q))[^\\\n]|\\.|'')*+)(?P=q)|(?P<bare>[^'\",()\s]{1,8192})"
    r"|(?P<call>\w{1,64}\([^()]{0,2000}\)))\s*(?P<next>[,)])"
)
_ROW = re.compile(r"\s*,?\s*\(")


def inserted(text: str) -> str:
    """Return the text with the values of secret columns masked, in every row of every statement."""
    if "values" not in text.lower():
        return text
    parts: list[str] = []
    done = 0
    for head in _HEAD.finditer(text):
        if head.start() < done:
            continue
        columns = [secret_name(each.strip(" \t\n`\"'[]\\")) for each in head["columns"].split(",")]
        if not any(columns):
            continue
        for start, end, place in _values(text, head.end()):
            column = columns[place] if place < len(columns) else None
            value = text[start:end]
            if column and not is_nothing(value) and (column.strong or looks_secret(value)):
                parts += [text[done:start], mask(value)]
                done = end
    return "".join([*parts, text[done:]]) if parts else text


def _values(text: str, at: int) -> Iterator[tuple[int, int, int]]:
    """Yield where each value lies, without its quotes, and its place in the row."""
    while row := _ROW.match(text, at):
        at, place = row.end(), 0
        while value := _VALUE.match(text, at):
            group = "text" if value["text"] is not None else "bare" if value["bare"] else ""
            if group and not _is_slot(value[group], quoted=group == "text"):
                yield (*value.span(group), place)
            at, place = value.end(), place + 1
            if value["next"] == ")":
                break
        else:
            return


def _is_slot(value: str, *, quoted: bool) -> bool:
    """Whether a value stands for one that is filled in: ``?``, ``$1``, ``:name``, ``%s``, or a call."""
    return not quoted and (value[0] in "?$:%@&" or value.isalpha())
