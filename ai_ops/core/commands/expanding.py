"""What the words of a command become: variables that are known, braces, and what a substitution prints.

A value that cannot be known stays as it is written (``$NAME``), so that a rule can see that it is open.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ai_ops.core.commands.parts import Kind, Part, Word

_KNOWN = {
    "HOME": "~",
    "PWD": ".",
    "IFS": " ",
    "TMPDIR": "/tmp",  # noqa: S108
    "SHELL": "sh",
    "BASH": "bash",
    "PATH": "/usr/bin:/bin",
    "OLDPWD": "..",
    "0": "sh",
}
_REFERENCE = re.compile(r"(!?)([A-Za-z_]\w*(?:\[[\w@*$-]+\])?|[0-9@*#?$!-])(.*)", re.DOTALL)
_CUTS = re.compile(r"\w:|\w+(:\d|[,^#%/@])")
_BRACES = re.compile(r"\{([^{}\s]*,[^{}\s]*)\}")
_MOST_STRIPPED = 200
_MOST_FIELDS = 64
_MOST_BRACES = 8
MOST_VALUE = 4096
"""Characters of a value that are followed; a longer one says so by its length."""

Printed = Callable[[str], str | None]
"""What a substituted command prints, None where it is not known."""


@dataclass(frozen=True, slots=True)
class Field:
    """A word as the command gets it. ``disguised``: it was put together so as not to be read."""

    text: str
    disguised: bool = False


def expand(word: Word, variables: Mapping[str, str], printed: Printed) -> list[Field]:
    """Return the fields of a word, split where an unquoted value holds blanks."""
    disguised = _is_disguised(word, variables)
    fields, open_field = [""], bool(word)
    for part in word:
        value = _value(part, variables, printed)
        if part.kind is Kind.VARIABLE and part.text in ("@", "*") and len(word) > 1 and value.startswith("$"):
            value = ""  # a script without arguments
        if part.kind is Kind.TEXT or (part.quoted and part.text != "@" and not part.text.endswith("[@]")):
            fields[-1] += value
            continue
        value = value[: MOST_VALUE + 1]
        pieces = re.split(rf"[ \t\n{re.escape(variables.get('IFS', ''))}]+", value)
        fields[-1] += pieces[0]
        fields.extend(pieces[1:])
    empty = open_field and any(part.quoted for part in word)
    kept = [field for field in fields if field or empty][:_MOST_FIELDS]
    made = [each for field in kept for each in _braces(field, word)]
    return [Field(text, disguised) for text in made[:_MOST_FIELDS]]


def _value(part: Part, variables: Mapping[str, str], printed: Printed) -> str:
    if part.kind is Kind.TEXT:
        return part.text
    if part.kind is Kind.VARIABLE:
        return variable(part.text, variables)
    if part.kind is Kind.COMMAND:
        known = printed(part.text)
        return _opened(part.text) if known is None else known.rstrip("\n")
    return _opened(part.text)


def _opened(text: str) -> str:
    """Return a substitution as it is written, in one piece."""
    return _in_one(f"$({text.strip()})")


def _in_one(text: str) -> str:
    return re.sub(r"\s", "\u00a0", text)


def variable(text: str, variables: Mapping[str, str]) -> str:
    """Return the value of what stands in ``${…}``: with a default, cut, or replaced in."""
    found = _REFERENCE.fullmatch(text)
    if not found:
        return f"${{{text}}}"
    indirect, name, how = found.groups()
    value = variables.get(name, _KNOWN.get(name))
    if indirect and value is not None:
        value = variables.get(value, _KNOWN.get(value))
    if value is None and re.match(r":?\?", how):
        return _in_one(f"${{{name}{how}}}")  # it ends the script rather than be empty
    if value is None:
        default = re.fullmatch(r":?[-=](.*)", how, re.DOTALL)
        return default[1] if default else f"${name}"
    if instead := re.fullmatch(r":?\+(.*)", how, re.DOTALL):
        return instead[1] if value else ""
    if cut := re.fullmatch(r":(\d+)(?::(\d+))?", how):
        start = int(cut[1])
        return value[start : start + int(cut[2])] if cut[2] else value[start:]
    if how[:1] in (",", "^"):
        return value.lower() if how[0] == "," else value.upper()
    if stripped := re.fullmatch(r"(##?|%%?)(.*)", how, re.DOTALL):
        return _stripped(value, *stripped.groups())
    if swap := re.fullmatch(r"//?([^/]+)/?(.*)", how, re.DOTALL):
        return value.replace(swap[1], swap[2])
    return value


def _stripped(value: str, side: str, pattern: str) -> str:
    """Return a value without the pattern before it (``#``) or behind it (``%``), the longest one for two."""
    if len(value) > _MOST_STRIPPED or len(pattern) > _MOST_STRIPPED:
        return value
    sizes = range(len(value) + 1)
    for size in sizes if len(side) == 1 else reversed(sizes):
        cut = len(value) - size if side[0] == "%" else size
        taken, rest = (value[cut:], value[:cut]) if side[0] == "%" else (value[:cut], value[cut:])
        if fnmatch.fnmatchcase(taken, pattern):
            return rest
    return value


def _braces(text: str, word: Word) -> list[str]:
    """Write ``{a,b}`` out, when it was not quoted."""
    made = [text]
    if not any(part.kind is Kind.TEXT and not part.quoted and "{" in part.text for part in word):
        return made
    for _ in range(_MOST_BRACES):
        if len(made) >= _MOST_FIELDS or not any(map(_BRACES.search, made)):
            break
        made = [one for each in made for one in _choices(each)]
    return made


def _choices(text: str) -> list[str]:
    found = _BRACES.search(text)
    if not found:
        return [text]
    return [text[: found.start()] + choice + text[found.end() :] for choice in found[1].split(",")]


def _is_disguised(word: Word, variables: Mapping[str, str]) -> bool:
    """Whether a word is written so that it cannot be read: escapes, quotes within, ``${IFS}``, cut values."""
    if any(part.escaped for part in word[1:]) or any(
        part.escaped and len(part.text) > 1 for part in word[:1]
    ):
        return True
    if (
        len(word) > 1
        and any(part.kind is Kind.VARIABLE and part.text in ("@", "*") for part in word)
        and not word[0].quoted
    ):
        return True
    if any(
        part.kind is Kind.VARIABLE and (part.text.startswith("IFS") or _CUTS.match(part.text))
        for part in word
    ):
        return True
    quotes = [part for part in word if part.kind is Kind.TEXT and part.quoted and len(part.text) <= 2]
    letters = "".join(part.text for part in word if part.kind is Kind.TEXT)
    return len(word) > 1 and bool(quotes) and letters.isalnum() and len(letters) <= 12
