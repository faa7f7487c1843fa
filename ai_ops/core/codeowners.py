"""Who owns a path, by a repository's CODEOWNERS: the dialects of GitHub and of GitLab. Pure.

The file comes from the base branch and is data: nothing in it is a failure. Lines that the host would
pass over are passed over here. Matching takes time in the product of the lengths, whatever a pattern holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

_MOST_BYTES = 3_000_000  # GitHub reads no larger file
_MOST_RULES = 20_000
_OWNER = re.compile(r"[^\s@#]+@[^\s@#]+\.[^\s@#]+|@[\w.-]+(?:/[\w.-]+)*")
_SECTION = re.compile(r"\^?\[(?P<name>[^\]]+)\](?:\[\d*\])?(?P<owners>(?:\s.*)?)")
_WORD = re.compile(r"(?:\\.|[^\s\\])+|\\")


class Dialect(StrEnum):
    """Whose rules a file is read by."""

    GITHUB = "github"
    GITLAB = "gitlab"


PLACES = {
    Dialect.GITHUB: (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"),
    Dialect.GITLAB: ("CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"),
}
"""Where each host looks; the first file that is there is the one that counts."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A line: whose the paths of a pattern are.

    ``section`` is empty outside of any; ``excludes`` is GitLab's ``!``.

    ``pattern`` is one tuple of tokens for each folder or file that it names: ``=x`` for the letter x,
    ``*``, ``?``, or ``[…]`` for a set of letters.
    """

    pattern: tuple[tuple[str, ...], ...]
    owners: tuple[str, ...]
    section: str = ""
    excludes: bool = False


@dataclass(frozen=True, slots=True)
class CodeOwners:
    """The rules of one file, in its order."""

    rules: tuple[Rule, ...] = ()

    def of(self, path: str) -> tuple[str, ...]:
        """Return the owners of a path: ``@login``, ``@org/team`` or an address, each once.

        The last rule that matches wins; one without owners leaves the path to nobody. In GitLab's files
        that holds in each section, and the owners of all sections count.
        """
        won: dict[str, tuple[str, ...]] = {}
        excluded: set[str] = set()
        segments = tuple(path.strip("/").split("/"))
        for rule in self.rules:
            if rule.section not in excluded and _matches(rule.pattern, segments):
                won[rule.section] = () if rule.excludes else rule.owners
                if rule.excludes:
                    excluded.add(rule.section)
        return tuple(dict.fromkeys(owner for owners in won.values() for owner in owners))


def place_of(files: Sequence[str], code_host: str) -> tuple[str, Dialect] | None:
    """Return the CODEOWNERS file that counts and its dialect; on a plain remote any host's place will do."""
    there = frozenset(files)
    named = [Dialect(code_host)] if code_host in set(Dialect) else [*Dialect]
    for dialect in named:
        for place in PLACES[dialect]:
            if place in there:
                return place, dialect
    return None


def parse(data: bytes, dialect: Dialect) -> CodeOwners:
    """Return what a file says; a file that is too large says nothing, as on the host."""
    if len(data) > _MOST_BYTES:
        return CodeOwners()
    lines = data.decode("utf-8-sig", "replace").splitlines()
    read = _github(lines) if dialect is Dialect.GITHUB else _gitlab(lines)
    return CodeOwners(tuple(rule for rule, _ in zip(read, range(_MOST_RULES), strict=False)))


def _github(lines: Sequence[str]) -> Iterator[Rule]:
    for line in lines:
        words = _WORD.findall(line)
        if not words or words[0].startswith(("#", "!")) or set(words[0]) & set("[]"):
            continue  # ranges and exclusions are no syntax there, and a line with them is not read
        comment = next((at for at, word in enumerate(words) if word.startswith("#")), len(words))
        named = words[1:comment]
        if all(_OWNER.fullmatch(word) for word in named):
            yield Rule(_segments(words[0], Dialect.GITHUB), tuple(named))


def _gitlab(lines: Sequence[str]) -> Iterator[Rule]:
    section, defaults = "", dict[str, tuple[str, ...]]()
    for line in map(str.strip, lines):
        if not line or line.startswith("#"):
            continue
        if header := _SECTION.fullmatch(line):
            section = header["name"].strip().lower()
            named = _owners(header["owners"])
            defaults[section] = named or defaults.get(section, ())
            continue
        pattern, *rest = _WORD.findall(line)
        excludes = pattern.startswith("!")
        owners = () if excludes else _owners(" ".join(rest)) or defaults.get(section, ())
        yield Rule(_segments(pattern.removeprefix("!"), Dialect.GITLAB), owners, section, excludes)


def _owners(text: str) -> tuple[str, ...]:
    """Return those that are people or groups; a role (``@@developer``) is neither."""
    return tuple(word for word in text.split() if _OWNER.fullmatch(word))


# --- matching: a path is its segments, a pattern likewise; ``**`` stands for any number of them ---

_ANY, _ONE = "*", "?"
_DEEP, _BELOW = ("**",), ("/",)


def _segments(pattern: str, dialect: Dialect) -> tuple[tuple[str, ...], ...]:
    """Return a pattern as ``Rule`` has it.

    One that begins without a slash may lie anywhere, on GitHub only if it has none inside either. There it
    also stands for all that is in a folder of its name, but for ``docs/*``, which goes no deeper.
    """
    rooted = pattern.startswith("/")
    folder = pattern.endswith("/")
    parts = [part for part in pattern.split("/") if part]
    found = [_DEEP if part == "**" else _tokens(part, dialect) for part in parts]
    inner = len(parts) > 1
    if not rooted and (dialect is Dialect.GITLAB or not inner):
        found.insert(0, _DEEP)
    if folder:
        found += [_DEEP, (_ANY,)]
    elif dialect is Dialect.GITHUB and found and not (inner and parts[-1] == "*"):
        found.append(_BELOW)
    return tuple(found)


def _tokens(part: str, dialect: Dialect) -> tuple[str, ...]:
    tokens: list[str] = []
    at = 0
    while at < len(part):
        char, width = part[at], 1
        if char == "\\" and at + 1 < len(part):
            tokens.append("=" + part[at + 1])
            width = 2
        elif char in "*?":
            if char != "*" or tokens[-1:] != [_ANY]:
                tokens.append(char)
        elif char == "[" and dialect is Dialect.GITLAB and (end := part.find("]", at + 2)) > 0:
            tokens.append(part[at : end + 1])
            width = end + 1 - at
        else:
            tokens.append("=" + char)
        at += width
    return tuple(tokens)


def _matches(pattern: Sequence[tuple[str, ...]], path: Sequence[str]) -> bool:
    """Whether the segments of a pattern stand for those of a path: a table, row by row."""
    if not pattern:
        return False
    reached = {0}  # how many segments of the path the pattern so far may stand for
    for part in pattern:
        if part == _DEEP:
            reached = set(range(min(reached), len(path) + 1))
        elif part == _BELOW:
            return True
        else:
            reached = {at + 1 for at in reached if at < len(path) and _stands_for(part, path[at])}
        if not reached:
            return False
    return len(path) in reached


def _stands_for(tokens: Sequence[str], word: str) -> bool:
    """Whether a segment's tokens stand for a name, going back to the last ``*`` only."""
    at = token = 0
    star, resume = -1, 0
    while at < len(word):
        if token < len(tokens) and tokens[token] == _ANY:
            star, resume = token, at
            token += 1
        elif token < len(tokens) and _is(tokens[token], word[at]):
            at, token = at + 1, token + 1
        elif star >= 0:
            resume += 1
            at, token = resume, star + 1
        else:
            return False
    return all(rest == _ANY for rest in tokens[token:])


def _is(token: str, char: str) -> bool:
    if token == _ONE:
        return True
    if token[0] == "=":
        return token[1:] == char
    return _in_set(token[1:-1], char)


def _in_set(body: str, char: str) -> bool:
    negated = body[:1] in ("^", "!")
    body = body[negated:]
    at, found = 0, False
    while at < len(body):
        if body[at + 1 : at + 2] == "-" and at + 2 < len(body):
            found = found or body[at] <= char <= body[at + 2]
            at += 3
        else:
            found = found or body[at] == char
            at += 1
    return found is not negated
