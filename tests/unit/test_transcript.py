"""The course of an agentic request, for people."""

from __future__ import annotations

from typing import Any

import pytest

from ai_ops.core import transcript
from ai_ops.core.transcript import Transcript


@pytest.mark.parametrize(
    ("kind", "data", "told"),
    [
        ("text", {"text": "one\ntwo"}, "Claude says\n    one\n    two\n"),
        ("text", {"text": "Claude uses Write"}, "Claude says\n    Claude uses Write\n"),
        (
            "tool_use",
            {"id": "1", "name": "Read", "input": {"file_path": "a.py"}},
            'Claude uses Read\n    {\n      "file_path": "a.py"\n    }\n',
        ),
        ("tool_result", {"id": "1", "is_error": False, "content": "x = 1"}, "The tool gives\n    x = 1\n"),
        (
            "tool_result",
            {"id": "1", "is_error": True, "content": [{"type": "text", "text": "no"}]},
            "The tool fails\n    no\n",
        ),
        ("tool_result", {"id": "1", "is_error": False, "content": None}, "The tool gives\n    null\n"),
        ("step", {"text": "ours"}, ""),
    ],
)
def test_what_is_seen_is_told(kind: str, data: dict[str, Any], told: str) -> None:
    it = Transcript()
    it.add(kind, data)
    assert it.text == told


def test_a_long_course_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcript, "_MOST_CHARS", 100)
    it = Transcript()
    for _ in range(100):
        it.add("text", {"text": "words"})
    assert len(it.text) < 200
    assert it.text.endswith("[the rest is left out]\n")
