"""A repository's template for pull requests: where it is, and how a report is put in below its headings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ai_ops.core.template_text import Kind, harmless

MOST = 20_000
"""Characters; a longer file is no form that anybody fills in, and is left out."""

_GITHUB_FOLDERS = (".github/", "", "docs/")
_GITHUB_NAMES = ("pull_request_template.md", "pull_request_template.txt", "pull_request_template")
_GITHUB = tuple(folder + name for folder in _GITHUB_FOLDERS for name in _GITHUB_NAMES)
_GITLAB = (".gitlab/merge_request_templates/default.md",)
_PLACES = {"github": _GITHUB, "gitlab": _GITLAB}

_HEADING = re.compile(r"(#{1,6})\s+(.*)")
_ABOUT = re.compile(
    r"descri|summary|overview|what|change|motivation|purpose|context|why|about|概述|描述|说明", re.IGNORECASE
)
# Which of a template's headings each of our sections belongs to.
_HOMES = {
    "Cause": r"cause|problem|原因",
    "Change, in the fixer's words": r"change|solution|implementation|修改|变更",
    "Tests before and after": r"test|verif|validat|\bqa\b|测试",
    "Risks": r"risk|impact|风险",
    "How to turn it off": r"roll.?back|revert|回滚",
    "Reviewers": r"reviewer",
}
_ALWAYS_ABOUT = ("Cause", "Change, in the fixer's words")


def place_of(files: Sequence[str], code_host: str) -> str:
    """Return the path of the template that the host would take, in upper or lower case, or nothing."""
    there = {path.lower(): path for path in reversed(files)}
    return next((there[place] for place in _PLACES.get(code_host, _GITHUB + _GITLAB) if place in there), "")


@dataclass(slots=True)
class _Part:
    """A heading of the template and what stands below it; the first part has no heading."""

    heading: str = ""
    level: int = 2
    lines: list[str] = field(default_factory=list)
    ours: list[str] = field(default_factory=list)


def fill(template: str, lead: Sequence[str], sections: Sequence[tuple[str, str]]) -> list[str]:
    """Return a template as paragraphs of Markdown, with a report in it.

    Args:
        template: the file's text.
        lead: what stands first, below the heading that asks what it is about.
        sections: our own, as heading and Markdown; those that no heading asks for come last.
    """
    parts = _parts(template)
    headed = parts[1:]
    about = next((part for part in headed if _ABOUT.search(part.heading)), headed[0] if headed else parts[0])
    about.ours += lead
    rest = []
    for heading, text in sections:
        home = _home(heading, headed) or (about if heading in _ALWAYS_ABOUT else None)
        if home is None:
            rest.append(f"{'#' * (headed[0].level if headed else 3)} {heading}\n\n{text}")
        else:
            home.ours.append(f"{'#' * min(home.level + 1, 6)} {heading}\n\n{text}")
    paragraphs = (text for part in parts for text in (part.heading, "\n".join(part.lines), *part.ours))
    return [text.strip("\n") for text in (*paragraphs, *rest) if text.strip()]


def _home(heading: str, headed: Sequence[_Part]) -> _Part | None:
    asked = _HOMES.get(heading)
    found = (part for part in headed if asked and re.search(asked, part.heading, re.IGNORECASE))
    return next(found, None)


def _parts(template: str) -> list[_Part]:
    parts = [_Part()]
    for piece in harmless(template):
        heading = _HEADING.fullmatch(piece.text) if piece.kind is Kind.PROSE else None
        if heading:
            parts.append(_Part(piece.text, len(heading[1])))
        else:
            parts[-1].lines.append(piece.text)
    return parts
