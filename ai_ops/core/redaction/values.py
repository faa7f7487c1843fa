"""Whether a value could be a secret, or is a word, a placeholder, a path or a piece of source code."""

from __future__ import annotations

import re

from ai_ops.core.redaction.mask import is_masked

_NO_VALUES = """
none null nil undefined true false yes no empty required missing invalid expired incorrect wrong
mismatch unknown unset set absent present optional string str int integer bool boolean bytes object
unauthorized denied failed error redacted filtered hidden masked secret password passwd token must
cannot should is was not the a an for and or of in on to from with at has does did too expected
unexpected got received provided given found ok valid changed reset updated rotated revoked
"""
_NOTHING = frozenset(_NO_VALUES.split())
_CODE = re.compile(
    r"(?:(?:self|cls|this|os|settings|config|conf|cfg|env|environ|process|request|req|response|args|kwargs|options|opts|"
    r"ctx|context|app|data|params|payload|body|user|credentials|props|System)(?:\.|\[|->)|"
    r"[A-Za-z_][\w.]{0,255}(?:\(|\[['\"]?\w)|\$\{|\{\{|\$[A-Z_]{2,}\b|<[\w-]+>|%[({]|%s|\{[\w!]|0x[0-9a-fA-F]+\b)"
)
_PLACEHOLDER = re.compile(r"\$\{|\{\{|\{\w*\}|<|%s|%\(")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\Z")
_LETTERS = re.compile(r"[A-Za-z+/=-]+")
_PATH = re.compile(r"(?:[A-Za-z]:\\|\.{0,2}/|~/)[\w./\\@-]*\Z")
_WORD = re.compile(r"[a-z_.-]+")
_NAMES_SECRET = re.compile(r"[._]|auth\Z|cred|pw\Z|passw|secret\Z|token\Z|key\Z|str\Z|bytes\Z|options?\Z")
_GOES_ON = re.compile(r"\s[A-Za-z|=]")


def is_nothing(value: str) -> bool:
    """Return whether a value only says that there is none, or stands for one filled in later."""
    word = value.strip(".,:;!?()[]").lower()
    if not word or word in _NOTHING:
        return True
    return value[0] in "*${<%" and (is_masked(value) or _PLACEHOLDER.match(value) is not None)


def is_code(value: str) -> bool:
    """Return whether a value reads like an expression in a source line."""
    return _CODE.match(value) is not None


def is_path(value: str) -> bool:
    """Return whether a value is the path of a file."""
    return _PATH.match(value) is not None


def repeats_name(value: str, name: str) -> bool:
    """Return whether a value only repeats the name: ``password=self_password`` in a source line."""
    word = value.strip(".,:;!?()[]").lower()
    return word == name or (word.endswith(name) and not word.removesuffix(name).isalnum())


def is_prose(value: str, rest: str, *, spaced: bool) -> bool:
    """Return whether a value is a word of a sentence, or of a source line when blanks stand around it."""
    word = value.strip(".,:;!?()[]").lower()
    if not (word.isascii() and _WORD.fullmatch(word)):
        return False
    return _GOES_ON.match(rest) is not None or (spaced and _NAMES_SECRET.search(word) is not None)


def looks_secret(value: str) -> bool:
    """Return whether a value could be a random token: letters and digits mixed, or long and mixed."""
    if len(value) < 6 or value[0] == "(" or is_path(value) or is_code(value):
        return False
    digits = sum(map(str.isdigit, value))
    if digits:
        return not (digits <= 2 and _DOTTED.match(value)) and (
            digits == len(value) or any(map(str.isalpha, value))
        )
    if not _LETTERS.fullmatch(value):
        return False
    mixed = value != value.lower() and value != value.upper()
    return len(value) >= 28 or (len(value) >= 12 and mixed and not _is_words(value))


def _is_words(value: str) -> bool:
    """Return whether letters are cased as words are: Upper, UPPER or CamelCase."""
    humps = re.findall(r"[A-Z]+[a-z]*|[a-z]+", value)
    return len(humps) <= max(1, len(value) // 4)
