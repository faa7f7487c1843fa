"""Private keys, the one secret that goes over many lines, whole or cut off on either side.

A log's last lines, an excerpt and a rotated file cut wherever they like, so a key's body is known without
its first line, without its last, and without both: as lines of the length in which keys are written.
"""

from __future__ import annotations

import re

_MASK = "***"
_KIND = r"(?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
_BEGIN = re.compile(rf"-{{4,5}} ?BEGIN {_KIND}")
_END = re.compile(rf"-{{4,5}} ?END {_KIND}")
_BODY = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{40,}={0,2}(?=[\s\\]|\Z)")
_LAST = re.compile(r"[A-Za-z0-9+/]{1,76}={0,2}")
_LINE = re.compile(r"(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])(?=[^0-9]*[0-9])[A-Za-z0-9+/]{60,76}={0,2}")
_NARROWEST, _WIDEST = 60, 78
_FEWEST = 3


def private_keys(text: str) -> str:
    """Return the text with each private key, or the part of one that is there, replaced by ``***``."""
    if "PRIVATE KEY" in text:
        text = _ends(_blocks(text))
    return _bodies(text) if text.count("\n") >= _FEWEST - 1 else text


def _blocks(text: str) -> str:
    """Mask from each beginning to its end; one without an end goes on to the text's."""
    parts: list[str] = []
    at = 0
    while begin := _BEGIN.search(text, at):
        parts += [text[at : begin.start()], _MASK]
        end = _END.search(text, begin.end())
        at = end.end() if end else len(text)
    return "".join([*parts, text[at:]])


def _ends(text: str) -> str:
    """Mask what stands before an end whose beginning was cut off, from the first line of a key on."""
    parts: list[str] = []
    at = searched = 0
    for end in _END.finditer(text):
        start = _body_start(text, searched, end.start())
        searched = end.end()
        if start is not None:
            parts += [text[at:start], _MASK]
            at = searched
    return "".join([*parts, text[at:]])


def _body_start(text: str, at: int, end: int) -> int | None:
    """Return where a key's body begins; only its last, shorter line may be left of it."""
    if body := _BODY.search(text, at, end):
        return body.start()
    before = text[max(at, end - _WIDEST - 3) : end]
    last = before.rstrip().rsplit("\n", 1)[-1].lstrip()
    if before.endswith("\n") and _LAST.fullmatch(last):
        return end - len(before) + before.rindex(last)
    return None


def _bodies(text: str) -> str:
    """Mask lines in a row that end in the base64 of a key, and the shorter one behind them."""
    lines = text.split("\n")
    kept: list[str] = []
    at = 0
    while at < len(lines):
        stop = at
        while stop < len(lines) and _is_body(lines[stop]):
            stop += 1
        if stop - at >= _FEWEST:
            kept.append(_MASK)
            at = stop + (stop < len(lines) and _LAST.fullmatch(lines[stop].strip()) is not None)
        else:
            kept += lines[at : stop + 1]
            at = stop + 1
    return "\n".join(kept) if len(kept) < len(lines) else text


def _is_body(line: str) -> bool:
    """Return whether a line's last word, after whatever a logger or a runtime wrote, is a line of a key."""
    if len(line) < _NARROWEST:
        return False
    words = line[-_WIDEST - 3 :].split()
    return bool(words) and len(words[-1]) >= _NARROWEST and _LINE.fullmatch(words[-1]) is not None
