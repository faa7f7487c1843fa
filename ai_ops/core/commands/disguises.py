"""What makes a command hard to read: a name that is put together, escapes, letters that nobody sees."""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from ai_ops.core.commands.expanding import Field
from ai_ops.core.commands.parts import Kind, Word
from ai_ops.core.commands.passing import WORTH_HIDING
from ai_ops.core.commands.unwrapping import SHELLS, base

HIDDEN = re.compile(
    "[A-Za-z][\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\U000e0000-\U000e007f]+[A-Za-z]"
)
_SETS_UP = re.compile(
    r"\$\((ssh-agent|direnv|pyenv|rbenv|nodenv|goenv|brew|/\S+/brew|starship|zoxide|dircolors|conda|mise"
    r"|asdf|fnm|opam|luarocks|docker-machine"
    r"|minikube|register-python-argcomplete|rustup|npm|gh|kubectl|thefuck|atuin|jump|lesspipe|resize"
    r"|setup-x-environment)"
    r"(\s[\w./=:-]+)*\)$"
)
"""What prints the settings of a shell, to be evaluated there."""
_OPEN_NAME = re.compile(r"\$([a-z_]\w*(\[[^\]]*\])?|[0-9@*]|\{[a-z_]\w*:?\?[^}]*\})$|[a-z]\$[^/]*$")
_OPEN_TEXT = re.compile(r"\$(\w+(\[[^\]]*\])?|[@*]|\{\w+:?\?[^}]*\})")
RUNS_TEXT: Final = SHELLS | {
    "eval",
    "source",
    ".",
    "python",
    "python3",
    "perl",
    "node",
    "ruby",
    "php",
    "exec",
    "xargs",
}


_LONGEST_GLOB = 200
"""Characters of a pattern that may stand for a program's name."""


def is_open(name: str) -> bool:
    """Whether a name can only be known when it runs; what prints a shell's settings is none."""
    return (name.startswith("$(") and not _SETS_UP.match(name)) or bool(_OPEN_NAME.match(name))


_OF_THE_WORK = re.compile(r"\$\(cat \w[\w./-]*\)$")
"""What prints a file of the checkout, which could be run itself."""
_READS_SETTINGS = re.compile(r"\$\((grep|sed|awk|envsubst)\b.*\)$")


def is_open_script(substitution: str) -> bool:
    """Whether a substitution prints a script that is neither a tool's settings nor chosen lines."""
    text = substitution.replace("\u00a0", " ")
    return not (
        _SETS_UP.match(text)
        or _OF_THE_WORK.match(text)
        or _READS_SETTINGS.match(text)
        or re.search(r"\bcompletions?\b", text)
    )


def is_open_text(text: str) -> bool:
    """Whether what is to be run is one value, which is not known before."""
    return bool(_OPEN_TEXT.fullmatch(text.strip()))


def argv_of(fields: Sequence[Field]) -> tuple[tuple[str, ...], bool]:
    """Return the argv that fields stand for, and whether its name was written so as not to be read."""
    first = fields[0]
    name = unicodedata.normalize("NFKC", first.text)
    disguised = first.disguised or (name != first.text.replace("\u00a0", " ") and name.isascii())
    if len(name) <= _LONGEST_GLOB and re.search(r"[?*\[]", name) and re.search(r"\w|/", name):
        known = next((one for one in sorted(WORTH_HIDING) if fnmatch.fnmatchcase(one, base(name))), "")
        name, disguised = known or name, disguised or bool(known)
    return (name, *(each.text for each in fields[1:])), disguised


def is_covered(words: Sequence[Word], fields: Sequence[Field]) -> bool:
    """Whether a command cannot be read where it stands: its name, a word in escapes, what is put together."""
    put_together = fields[0].text == "eval" and not all(map(is_plain, words))
    return (
        put_together
        or not is_plain(words[0])
        or any(each.disguised for each in fields)
        or len(fields) > len(words)
    )


def is_plain(word: Word) -> bool:
    """Whether a word stands there as it is."""
    return len(word) == 1 and word[0].kind is Kind.TEXT and not word[0].escaped
