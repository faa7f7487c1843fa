"""Finds the commands within a sentence: downloads, where they are piped to, and what loses data or rights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_FETCHER: Final = (
    r"(?:curl|wget2?|aria2c|axel|curlie|xh|lwp-download|iwr|irm|invoke-webrequest|invoke-restmethod|git clone"
    r"|(?:fetch|https?|lynx|ftp)(?= (?:-|https?://)))"
)
"""Programs that download. Those that are words too count with an option or an address after them."""
_START = re.compile(rf"(?<![A-Za-z0-9_./@$-]){_FETCHER}(?= )", re.IGNORECASE)
_LOSER = re.compile(
    r"(?<![A-Za-z0-9_./@$-])(?:rm|dd|mkfs(?:\.\w+)?|wipefs|shred|chmod|chown|git|docker|podman|kubectl|helm|terraform"
    r"|tofu|pulumi|aws|gcloud|gsutil|psql|mysql|mariadb|mongosh|redis-cli|pip3?|pipx|npm|pnpm|yarn|npx|cargo|gem"
    r"|twine|iptables|setenforce|crontab|rsync|scp|(?:source|eval)(?= (?:<\(|[\"$])))(?= )"
)
"""Programs whose name is no word of a language, and with which data, rights or packages come to harm."""
LIKE_SHELL: Final = re.compile(r"(^|\s)--?\w|[|<>;&$`]|(^|\s|=)[~.]?/|\(\)\s*\{")
_WITHIN: Final = {
    quote: re.compile(rf"(?:[^{quote}]|(?<=[\s=]){quote}[^{quote}]*{quote})*") for quote in ("'", '"')
}
"""What stands in quotes, to the quote that opens nothing of its own."""
_TO_OTHERS = re.compile(r"(?:scp|rsync) .{1,300}? [\w.-]+@[\w.-]+:[^ ,;]*")
_GOES_ON = re.compile(r"(?:[|;&(<>]|\s-[\w-]+)\s*$")
"""What stands before a program that belongs to the command before it."""
_MOST: Final = 1000
_LONGEST_WORD: Final = 40
_WRAPPED = re.compile(r"[ \t]*\\?\n(?![ \t]*(?:\n|[-*#>]|\d+[.)] |\|[^|\n]*\|))[ \t]*")
"""A line break within a paragraph: lists, tables and headings begin anew."""
_OPEN = re.compile(r"[|&\\][ \t]*$")
_BLANKS = re.compile(r"[ \t\u00a0]+")
_STOPS = re.compile(r"(?<=[\w/~\"'])[.,:!?…]+(?= |$)")
_TURNS = re.compile(
    r"(?:[.,;:] (?:(?:and|then|afterwards?|next|finally),? )*| (?:(?:and|then|afterwards?) )+)"
    r"(?:(?:run|execute|start|call|launch|do) )?",
    re.IGNORECASE,
)
"""What joins two commands in a sentence."""
_SHELL: Final = r"(?:(?:ba|z|da|k|a|fi)?sh|python(?:\d(?:\.\d+)?)?|perl|ruby|node|php|deno|bun|iex|pwsh)"
_INTO = re.compile(
    r"\| ?(?:(?:sudo|doas|env|exec|nohup|command|time|busybox|-[\w-]{1,20}|[A-Za-z_]\w{0,40}=\S{0,80}) ){0,6}"
    rf"(?:/[\w./]{{1,40}}/)?{_SHELL}"
    r"(?=[.,:;!?…)\]\"'’”]*(?:$| [A-Za-z'’(]+[.,:;!?)]*(?: |$)| [–—(]|[^\x00-\x7f]))",
    re.IGNORECASE,
)
"""A pipe into what runs that, where the sentence goes on or ends behind it."""


def commands_within(text: str) -> Iterator[str]:
    """Yield the commands that begin at any word of a text; no part is read twice as the same."""
    lines = text.split("\n")
    for at, line in enumerate(lines):
        known = _BLANKS.sub(" ", line) + " "
        if "://" in known or LIKE_SHELL.search(known):
            for piece in _split(known, _LOSER):
                yield _STOPS.sub("", piece)
                if found := _TO_OTHERS.match(piece):
                    yield found[0]
        if not _START.search(known):
            continue
        following = "\n".join(lines[at : at + 3]) if len(line) <= _MOST else line
        for piece in _split(_paragraph(following), _START):
            yield from _readings(piece)


def _paragraph(text: str) -> str:
    """Return a line with the next ones where it goes on in them."""
    first, found, rest = text.partition("\n")
    if found and (_OPEN.search(first[-80:]) or not re.search(r"[|;&]", first)):
        joined = _WRAPPED.sub(" ", f"\n{rest}"[:_MOST])
        first = first.rstrip("\\") + joined.partition("\n")[0]
    return _BLANKS.sub(" ", first)


def _split(line: str, start_of: re.Pattern[str]) -> Iterator[str]:
    """Yield what stands from each start to the next one that no operator joins to it."""
    starts: list[int] = []
    for found in start_of.finditer(line + " "):
        start = found.start()
        if not starts or not _GOES_ON.search(line[max(0, start - _LONGEST_WORD) : start]):
            starts.append(start)
    for start, end in zip(starts, [*starts[1:], len(line)], strict=False):
        piece = line[start : min(end, start + _MOST)]
        quote = line[start - 1 : start]
        if quote in ("'", '"'):
            within = _WITHIN[quote].match(piece)
            piece = within[0] if within else ""
        yield piece.strip(" '\"`*_")


def _readings(piece: str) -> Iterator[str]:
    """Yield a command as it stands in a sentence, without what belongs to the sentence."""
    name, blank, rest = piece.partition(" ")
    piece = name.lower() + blank + rest
    plain = _STOPS.sub("", piece)
    joined = _STOPS.sub("", _TURNS.sub(" ; ", piece))
    into = _INTO.search(piece)
    yield joined
    if into:
        yield piece[: into.end()]
    elif joined != plain:
        yield plain
