"""Where an agentic answer tried to write, judged by the same rule as the paths of code blocks.

The sandbox keeps such a write from happening. But what tried it obeyed something else than the request,
and the rest of the answer is worth no more for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ai_ops.core.code_blocks import Problem, Refused, Tree, resolve

_READING = ("Read", "Glob", "Grep")


def written_path(kind: str, data: Mapping[str, Any]) -> str | None:
    """Return the path that a watched event writes to, None when it writes nothing."""
    if kind != "tool_use" or data.get("name") in _READING:
        return None
    given = data.get("input")
    path = given.get("file_path") if isinstance(given, Mapping) else None
    return path if isinstance(path, str) else None


def reached_out(paths: Sequence[str], tree: Tree, roots: Sequence[str]) -> Refused | None:
    """Refuse the answer when one of the paths it wrote to is out of bounds for good.

    A path that is only wrong, such as the one in the log, was refused by the tool, and Claude goes on.
    """
    judged = (resolve(path, tree, roots) for path in dict.fromkeys(paths))
    problems = tuple(each for each in judged if isinstance(each, Problem) and each.final)
    return Refused(problems) if problems else None
