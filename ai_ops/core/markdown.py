"""The one way for outside text into Markdown: what a log or a model wrote never becomes active.

Code hosts act on what they find in a body: mentions, closing words, issue references, chat commands,
HTML, links and images. ``text`` takes their power; ``block`` shows lines verbatim inside a fence.
"""

from __future__ import annotations

import re
import unicodedata

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~$@:%^])")
_GAP = "&#8203;"
# Read by hosts in the finished page, where an entity is its character again: only a gap breaks these.
_REFERENCES = re.compile(r"""[@#!$~%^&](?=[\w"])|:(?=//)|\bwww\.|\bGH-(?=\d)""", re.IGNORECASE)
_HIDDEN = {"Cf", "Cc", "Co", "Cs"}


def visible(untrusted: str) -> str:
    """Drop control and invisible characters, newlines and tabs excepted."""
    return "".join(char for char in untrusted if char in "\n\t" or unicodedata.category(char) not in _HIDDEN)


def text(untrusted: str, limit: int = 2000) -> str:
    """Return outside text as one harmless paragraph of Markdown.

    Every character with a meaning to Markdown becomes an HTML entity. Mentions, references and addresses
    are broken by a space of no width as well: hosts look for them after rendering.
    """
    words = " ".join(visible(untrusted).split())
    if len(words) > limit:
        words = words[:limit] + " …"
    # "/merge" and "- item" mean something at the start of a line only.
    start = f"&#{ord(words[0])};" if words[:1] and words[0] in "/-=." else ""
    rest = words[1:] if start else words
    # A private character stands for the gap meanwhile; ``visible`` has dropped any other of its kind.
    marked = _REFERENCES.sub(lambda match: f"{match.group()}\ue000", rest)
    safe = _SPECIAL.sub(lambda match: f"&#{ord(match.group(1))};", marked.replace("&", "&amp;"))
    return start + safe.replace("\ue000", _GAP)


def code(untrusted: str, limit: int = 200) -> str:
    """Return outside text as an inline code span."""
    words = " ".join(visible(untrusted).split())[:limit]
    if not words:
        return ""
    ticks = "`" * (_longest_run(words, "`") + 1)
    pad = " " if words.startswith("`") or words.endswith("`") else ""
    return f"{ticks}{pad}{words}{pad}{ticks}"


def block(untrusted: str, language: str = "", limit: int = 6000) -> str:
    """Return outside text in a fenced block whose fence the text cannot close."""
    shown = visible(untrusted).replace("\r", "")
    if len(shown) > limit:
        shown = shown[:limit] + "\n… (cut)"
    fence = "`" * max(3, _longest_run(shown, "`") + 1)
    return f"{fence}{language}\n{shown.rstrip(chr(10))}\n{fence}"


def _longest_run(haystack: str, char: str) -> int:
    return max((len(run) for run in re.findall(f"{re.escape(char)}+", haystack)), default=0)
