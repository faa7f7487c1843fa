"""The course of an agentic request as people read it: what was said, which tools were used, what they gave.

It is made of what a ``Watch`` sees, so it is the same for every fixer, and there even when no answer came.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_MOST_CHARS = 1_000_000
_CUT = "\n[the rest is left out]\n"


class Transcript:
    """Grows by what is watched. What stands in it is indented, so that it cannot pass for a heading."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._room = _MOST_CHARS

    def add(self, kind: str, data: Mapping[str, Any]) -> None:
        """Add one thing that was seen: ``text``, ``tool_use`` or ``tool_result``; other kinds are ignored."""
        if self._room <= 0 or not (part := _told(kind, data)):
            return
        self._parts.append(part if len(part) <= self._room else part[: self._room] + _CUT)
        self._room -= len(part)

    @property
    def text(self) -> str:
        """The transcript so far."""
        return "\n".join(self._parts)


def _told(kind: str, data: Mapping[str, Any]) -> str:
    if kind == "text":
        return f"Claude says\n{_indented(data.get('text', ''))}"
    if kind == "tool_use":
        return f"Claude uses {data.get('name', '')}\n{_indented(data.get('input'))}"
    if kind == "tool_result":
        word = "fails" if data.get("is_error") else "gives"
        return f"The tool {word}\n{_indented(_plain(data.get('content')))}"
    return ""


def _plain(content: Any) -> Any:
    """Return the text of a result that is a list of one text."""
    match content:
        case [{"type": "text", "text": str(text)}]:
            return text
    return content


def _indented(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
    return "".join(f"    {line}\n" for line in text.splitlines())
