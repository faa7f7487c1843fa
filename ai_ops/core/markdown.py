"""The one way for outside text into Markdown: what a log or a model wrote never becomes active.

Code hosts act on what they find in a body: mentions, closing words, references, quick actions, HTML, links,
images. ``text`` takes their power; ``code`` and ``block`` show text verbatim. Bodies become commit messages
too, where hosts squash: so even in a block nobody is called, nothing closed and no CI skipped.
"""

from __future__ import annotations

import html
import re
import unicodedata

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~$@:%^])")
GAP = "\u200b"
"""A space of no width: it breaks a word for a host, and not for a reader."""

# Read by hosts in the finished page, where an entity is its character again: only a gap breaks these.
# References and mentions; emoji; addresses; keys of trackers (not UTF-8); GitLab's [TOC] and [issue:1].
_REFERENCES = re.compile(
    r"""[@#!$~%^&](?=[\w"])|:(?=//|[+\w-]{1,60}:)|\b(?:www\.|mailto:)|\*(?=iteration:)"""
    r"""|\b(?:(?!UTF-|SHA-|ISO-)[A-Z][A-Z0-9_]{1,20}-|(?i:GH|GL)-)(?=\d)|\[(?=[\[_]|TOC\]|[a-z_]{1,30}:)""",
    re.ASCII,
)
# Obeyed in raw text: who is called, what a word closes, what keeps CI away, and lines that are commands.
_CLOSING = r"(?:clos(?:e[sd]?|ing)|fix(?:e[sd]|ing)?|resolv(?:e[sd]?|ing)|implement(?:s|ed|ing)?)"
_OBEYED = re.compile(
    rf"(?<![\w/@])@(?=\w)|\b{_CLOSING}\b:?\s{{1,9}}(?:issues?\s{{1,9}})?[\w./:-]{{0,200}}?(?:[#!]|[A-Za-z]-|/)(?=\d)"
    r"|[\[*](?=(?:skip|no)[ _-]?(?:ci|actions|cd)\b|(?:ci|actions|azurepipelines|travis)[ _-]skip\b)"
    r"|\bskip-checks(?=:)",
    re.ASCII | re.IGNORECASE,
)
_COMMAND_LINE = re.compile(
    r"^[^\S\n]*(?=/[a-z_-]+(?:[^\S\n]|$)|bors\b)", re.ASCII | re.IGNORECASE | re.MULTILINE
)
# "/merge", "1. x", "- item" and "bors r+" mean something at the start of a line only.
_START = re.compile(r"[/\-=.0-9]|bors\b", re.IGNORECASE)
_LINE_ENDS = re.compile("\r\n|\r|\x85|\u2028|\u2029")
_HIDDEN = {"Cf", "Cc", "Co", "Cs"}


def visible(untrusted: str) -> str:
    """Drop control and invisible characters, newlines and tabs excepted; every line end is a newline."""
    lines = _LINE_ENDS.sub("\n", untrusted)
    return "".join(char for char in lines if char in "\n\t" or unicodedata.category(char) not in _HIDDEN)


def text(untrusted: str, limit: int = 2000) -> str:
    """Return outside text as one harmless paragraph of Markdown.

    Every character with a meaning to Markdown becomes an HTML entity. Mentions, references and addresses
    are broken by a space of no width as well: hosts look for them after rendering.
    """
    words = " ".join(visible(untrusted).split())
    if len(words) > limit:
        words = words[:limit] + " …"
    start = f"&#{ord(words[0])};" if _START.match(words) else ""
    rest = words[1:] if start else words
    return start + escaped(rest, _SPECIAL)


def escaped(words: str, special: re.Pattern[str]) -> str:
    """Return one line with its special characters as entities, and with a gap in all that hosts look for."""
    # The gap becomes an entity last; ``visible`` has dropped any other of its kind.
    marked = broken(words).replace("&", "&amp;")
    return special.sub(lambda match: f"&#{ord(match.group(1))};", marked).replace(GAP, f"&#{ord(GAP)};")


def broken(words: str) -> str:
    """Return text with a gap in all that hosts look for in a finished page."""
    return _REFERENCES.sub(lambda match: match.group() + GAP, words)


def code(untrusted: str, limit: int = 200) -> str:
    """Return outside text as an inline code span."""
    words = unheard(" ".join(visible(untrusted).split())[:limit])
    if not words:
        return ""
    ticks = "`" * (_longest_run(words, "`") + 1)
    pad = " " if words.startswith("`") or words.endswith("`") else ""
    return f"{ticks}{pad}{words}{pad}{ticks}"


def block(untrusted: str, language: str = "", limit: int = 6000) -> str:
    """Return outside text in a fenced block whose fence the text cannot close."""
    shown = visible(untrusted)
    if len(shown) > limit:
        shown = shown[:limit] + "\n… (cut)"
    shown = unheard(shown)
    fence = "`" * max(3, _longest_run(shown, "`") + 1)
    return f"{fence}{language}\n{shown.rstrip(chr(10))}\n{fence}"


def unescaped(ours: str) -> str:
    """Return Markdown of ours for a terminal: entities are their characters again, and gaps are gone."""
    return html.unescape(ours).replace(GAP, "")


def unheard(shown: str) -> str:
    """Return verbatim text with a gap in what programs obey wherever it stands."""
    quiet = _OBEYED.sub(lambda match: match.group() + GAP, shown)
    return _COMMAND_LINE.sub(lambda match: match.group() + GAP, quiet)


def _longest_run(haystack: str, char: str) -> int:
    return max((len(run) for run in re.findall(f"{re.escape(char)}+", haystack)), default=0)
