"""Small rules of English for messages: one event, two events; sentences that end."""

from __future__ import annotations

import re

_OF_CLASS = re.compile(r"(?<=\w)#(?=[^\W\d])")


def counted(number: int, one: str, many: str = "") -> str:
    """Return ``number`` with the words that fit it: ``1 event``, ``2 events``, or as ``many`` says."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def sentences(*parts: str) -> str:
    """Join what is said into sentences: each ends, and empty ones are left out."""
    said = [
        text if text.endswith((".", "?", "!", "…")) else f"{text}."
        for part in parts
        if (text := part.strip())
    ]
    return " ".join(said)


def shortened(text: str, limit: int, line_limit: int = 500) -> str:
    """Return a text of at most about ``limit`` characters, and lines of at most ``line_limit``.

    What is left out is in the middle and is counted: a trace says at its beginning or at its end what
    went wrong.
    """
    return _cut("\n".join(_cut(line, line_limit, " ") for line in text.split("\n")), limit, "\n")


def _cut(text: str, limit: int, around: str) -> str:
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}{around}[… {len(text) - 2 * half:,} characters left out …]{around}{text[-half:]}"


def one_line(text: str, limit: int) -> str:
    """Return at most ``limit`` characters for a log line: whatever a terminal would obey becomes a space."""
    return "".join(c if c.isprintable() else " " for c in text[:limit])


def time_left(seconds: float) -> str:
    """Return a span for people: ``in 5 h 2 min``, ``in 40 s``, ``now``."""
    whole = round(seconds)
    if whole <= 0:
        return "now"
    if whole < 60:
        return f"in {whole} s"
    minutes = whole // 60
    days, hours = minutes // 1440, minutes // 60 % 24
    if days:
        return f"in {days} d {hours} h"
    return f"in {hours} h {minutes % 60} min" if hours else f"in {minutes} min"


def dotted(name: str) -> str:
    """Return a function's name, ``Order#pay`` as ``Order.pay``: a hash sign would refer to something."""
    return _OF_CLASS.sub(".", name)
