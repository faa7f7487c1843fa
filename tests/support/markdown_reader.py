"""Reads Markdown as a code host does: a real renderer, then what hosts look for in the finished page.

Code is left alone by hosts once it is rendered; what is obeyed in the raw text is looked for there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from markdown_it import MarkdownIt

_RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
_PLAIN = {
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "ul",
    "ol",
    "li",
    "strong",
    "em",
    "code",
    "pre",
    "blockquote",
    "hr",
    "br",
}
_SHAPE = {"s", "table", "thead", "tbody", "tr", "th", "td"}

# What GitHub and GitLab make links, calls or pictures of in rendered text outside of code.
_ACTIVE = {
    "a mention": re.compile(r"@\w", re.ASCII),
    "a reference": re.compile(r"""[#!$~%^&][\w"]""", re.ASCII),
    "a tracker's key": re.compile(r"\b(?!UTF-|SHA-|ISO-)[A-Z][A-Z0-9_]+-\d|\b(?i:GH|GL)-\d", re.ASCII),
    "an address": re.compile(r"\w://|\bwww\.\w|\bmailto:\w", re.ASCII),
    "an emoji": re.compile(r":(?=[+-]?\w)[+\w-]+:", re.ASCII),
    "a directive": re.compile(r"\[TOC\]|\[\[|\[[a-z_]+:\d|\*iteration:\d", re.ASCII),
}
# What is obeyed in the raw text, and in the message of a squashed commit that it becomes.
_OBEYED = {
    "a quick action": re.compile(r"^[ \t]*/[a-z]+(?:[ \t]|$)", re.IGNORECASE | re.MULTILINE),
    "a call": re.compile(r"(?<![\w/@])@\w", re.ASCII),
    "a closing word": re.compile(
        r"\b(?:close[sd]?|closing|fix(?:e[sd]|ing)?|resolve[sd]?|resolving|implement(?:s|ed|ing)?):?\s+"
        r"(?:[\w./-]*[#!]\d|GH-\d|[A-Z][A-Z0-9]+-\d|https?://\S+/(?:issues|merge_requests)/\d)",
        re.IGNORECASE,
    ),
    "a word that skips CI": re.compile(
        r"\[(?:(?:skip|no)[ _-](?:ci|actions)|(?:ci|actions)[ _-]skip)\]|\*\*\*NO_CI|skip-checks:",
        re.IGNORECASE,
    ),
    "a chat command": re.compile(r"^[ \t]*bors\b", re.IGNORECASE | re.MULTILINE),
}


@dataclass
class Page(HTMLParser):
    """What a reader and a host see of Markdown."""

    source: str
    tags: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)
    comments: list[str] = field(default_factory=list)
    prose: list[str] = field(default_factory=list)
    everything: list[str] = field(default_factory=list)
    _code: int = 0

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(_RENDERER.render(self.source))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._code += tag == "code"
        if tag not in ("strong", "em", "code"):
            self.prose.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag == "code"

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        self.everything.append(data)
        self.prose.append("\0" if self._code else data)

    @property
    def text(self) -> str:
        """All that a reader sees, without gaps, on one line."""
        return " ".join("".join(self.everything).replace("\u200b", "").split())

    @property
    def speech(self) -> str:
        """What a reader sees outside of code, on one line."""
        return " ".join("".join(self.prose).split())

    def active(self) -> list[str]:
        """Return what is more than text in it, in words."""
        prose = "".join(self.prose)
        found = [f"<{tag}>" for tag in sorted(self.tags - _PLAIN - _SHAPE)]
        found += [f"attribute {name}" for name in sorted(self.attributes - {"class", "start", "style"})]
        found += [f"{name}: {hit.group()!r}" for name, rule in _ACTIVE.items() if (hit := rule.search(prose))]
        found += [
            f"{name}: {hit.group()!r}" for name, rule in _OBEYED.items() if (hit := rule.search(self.source))
        ]
        return found


def obeyed(message: str) -> list[str]:
    """Return what a host would obey in a commit's message or a branch's name."""
    return [name for name, rule in (_OBEYED | _ACTIVE).items() if name != "an emoji" and rule.search(message)]
