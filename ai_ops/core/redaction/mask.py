"""What stands where a secret stood."""

from __future__ import annotations

import re

_MASKED = re.compile(r"\*{3,}\S{0,4}\Z")
_LONG = 12


def mask(secret: str) -> str:
    """Return ``***``, with the last four characters of a secret of twelve or more."""
    if is_masked(secret):
        return secret
    tail = secret[-4:] if len(secret) >= _LONG else ""
    return "***" + (tail if tail.split() == [tail] else "")


def is_masked(text: str) -> bool:
    """Return whether a text is already a mask."""
    return _MASKED.match(text) is not None
