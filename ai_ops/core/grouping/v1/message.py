"""A message's template: its words, with ``<*>`` for whatever varies between two occurrences.

What is delimited goes first (JSON, quotations, addresses, paths), then each token that no word of a
language would be (it has a digit, is a host, a package, a file), then neighbours are folded, so that
lists of any length and values with or without their unit are one. A pure function of the message: no
templates are learned, so agent and server agree and a fingerprint never depends on what came before.
"""

from __future__ import annotations

import re
from functools import lru_cache

WILDCARD = "<*>"
_MARK = "\x1a"
_LIMIT = 2000


def template(message: str) -> str:
    """Return ``user <*> not found`` for ``user 42 not found``. Only the first 2,000 characters count."""
    text = message[:_LIMIT].replace(_MARK, " ")
    text = _folded(_words_marked(_spans_marked(text)))
    return text.replace(_MARK, WILDCARD)


_JSON = re.compile(r"\{\s{0,8}[\"']|\[\s{0,8}\{")
_METHOD = "(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT|TRACE)"
_QUOTED = re.compile(
    rf"(?<!\w)(?:\"(?P<method>{_METHOD})? ?[^\"\n]{{0,500}}\"|'[^'\n]{{0,500}}'(?!\w)"
    r"|`[^`\n]{0,500}`|“[^”\n]{0,500}”|\\042[^\n]{0,500}?\\042)"
)
_SECRET = re.compile(r"\*\*\*[^\s\"',;)\]}]{0,4}")
_URL = re.compile(r"(?<![\w+.-])[A-Za-z][A-Za-z0-9+.-]{1,15}://[^\s\"'<>,;)\]}]+")
_PATH = re.compile(
    r"(?<![\w./\\*-])(?:~?/|[A-Za-z]:\\|\\\\)(?:[^\s\"'<>|;(){},:\]]|[,:\]](?=[^\s,:;\]\"')}]))*"
)
_COLONS = re.compile(r"(?<![\w:])(?:[0-9a-fA-F]{0,4}:){3,20}[0-9a-fA-F]{1,4}(?![\w:])")
# Who it was, as the words before say: user bob, Failed password for bob from.
_WHO = re.compile(
    r"(?<=\b[Uu]ser )(?!(?:not|is|was|has|had|does|did|must|can|could|cannot|may|with|without|from|by|in|on"
    r"|of|to|for|and|or|name|id|input|request|account|session|error|unknown|data|agent|defined|already|limit|auth\w*)\b)"
    r"[A-Za-z][\w.@$-]*"
    r"|(?<=\bfor )[A-Za-z][\w.@$-]*(?= from [\w.:]*\d)"
)


def _spans_marked(text: str) -> str:
    """Mark what has a beginning and an end of its own. Each search is only made where its sign stands."""
    text = _without_json(text)
    if '"' in text or "'" in text or "`" in text or "“" in text or "\\042" in text:
        text = _QUOTED.sub(_quotation, text)
    if "***" in text:
        text = _SECRET.sub(_MARK, text)
    if "://" in text:
        text = _URL.sub(_MARK, text)
    if "/" in text or "\\" in text:
        text = _PATH.sub(_MARK, text)
    if text.count(":") > 2:
        text = _COLONS.sub(_MARK, text)
    if "ser " in text or " for " in text:
        text = _WHO.sub(_MARK, text)
    return text


def _without_json(text: str) -> str:
    opened = _JSON.search(text)
    if not opened:
        return text
    end = text.rfind("}" if text[opened.start()] == "{" else "]")
    return f"{text[: opened.start()]}{_MARK}{text[end + 1 :]}" if end > opened.start() else text


def _quotation(found: re.Match[str]) -> str:
    return f'"{found["method"]} {_MARK}"' if found["method"] else _MARK


_MONTHS = frozenset(("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"))
_DAYS = frozenset(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"))
_CODED = ("Errno", "WinError")
_REMEMBERED = 40


def _words_marked(text: str) -> str:
    """Mark what varies in each word between blanks, and make each blank one."""
    words = text.split()
    for at, word in enumerate(words):
        if word.isalpha() and len(word) < 8:
            if word in _MONTHS and words[at + 1 : at + 2] and words[at + 1][0].isdigit():
                words[at] = _MARK
                if at and words[at - 1].rstrip(",") in _DAYS:
                    words[at - 1] = _MARK
        elif not _DIGIT.search(word):
            words[at] = _known(word) if len(word) <= _REMEMBERED else _parts_marked(word)
        # Codes of the system stay: they say what went wrong.
        elif not (at and words[at - 1].endswith(_CODED)):
            words[at] = _MARK if word.isdigit() else _parts_marked(word)
    return " ".join(words)


# Brackets, quotes and the signs that join a key to its value; rows of dots too.
_BETWEEN = re.compile(r"([,;()\[\]{}<>\"'=:]+|\.{2,})")
# What these keys name is an instance, not a kind of failure; a value that is missing is a value.
_WHO_KEYS = """
user username user_name name host hostname host_name rhost vhost ruser logname owner pkg package client
customer tenant account consumer
"""
_KEYS = frozenset(_WHO_KEYS.split())
_MISSING = frozenset(("null", "nil", "None", "undefined"))


def _parts_marked(word: str) -> str:
    parts = _BETWEEN.split(word)
    if len(parts) == 1:
        return _token(word)
    for at in range(0, len(parts), 2):
        part = parts[at]
        if not part:
            continue
        value = at and parts[at - 1] == "="
        if value and (parts[at - 2] in _KEYS or part in _MISSING):
            parts[at] = _MARK
        elif not (at and parts[at - 2] == "SQLSTATE"):
            parts[at] = _token(part)
    return "".join(parts)


@lru_cache(maxsize=2048)
def _known(word: str) -> str:
    """Remember the words that come again and again."""
    return _parts_marked(word)


_DIGIT = re.compile(r"\d")
_HEX = re.compile(r"[a-f]{8,}|[A-F]{8,}")
_ASCII = re.compile(r"[!-~]+")
# Tokens with a digit that are words all the same: codes that say what went wrong, names whose number is a
# part of them (utf8), and names made of words (Base64Decoder).
_KEPT = re.compile(
    r"(?:ORA|TNS|PLS|PG|DB|TS|CS|HY)-?\d{4,5}\.?"
    r"|(?i:utf-?(?:7|8|16|32)(?:le|be)?|ucs-?[24]|sha-?\d{1,3}|md[2-5]|base-?(?:16|32|36|58|64|85)|https?[123]|ipv[46]"
    r"|oauth[12]|u?int(?:8|16|32|64)|float(?:16|32|64)|latin1|win(?:32|64)|arm64|amd64|x(?:86|64|509)|s3|ec2|h26[45]"
    r"|k8s|i18n|l10n|bz2|lz4|mp[34]|python[23]|sqlite3|log4j2?)"
    r"|[A-Za-z]{2,}\d{1,2}(?:[A-Z][a-z]{2,}){1,8}"
)
_DOTTED = re.compile(r"[a-z][a-z_-]*(?:\.[a-z_-]+){2,}(?:[/@$].*)?")
_REVERSED = re.compile(
    r"(?:com|org|net|io|edu|gov)(?:\.[\w$-]+){2,}(?<!Exception)(?<!Error)(?<!Throwable)(?:[/@].*)?"
)
_HOST = re.compile(
    r"[A-Za-z][\w-]*(?:\.[\w-]+)*\.(?:com|org|net|edu|gov|mil|int|info|io|cn|uk|de|fr|jp|ru|br|it|nl|tw|hk|kr|us|local|internal|lan)",
    re.IGNORECASE,
)
_FILE = re.compile(
    r"[\w@%+~-]+\.(?:exe|log|txt|json|xml|csv|tmp|jar|war|zip|gz|tar|pdf|png|jpe?g|gif|ya?ml|conf|cfg|ini|properties|db|dat|bin|html?|css)",
    re.IGNORECASE,
)


def _token(token: str) -> str:
    """Return the token, or the mark when it is none of a message's own words."""
    if not token.isascii():  # words are not apart in every script
        return _ASCII.sub(lambda found: _token(found.group()), token)
    if _DIGIT.search(token):
        return token if token[0].isalpha() and _KEPT.fullmatch(token) else _MARK
    if token.isalpha():
        return _MARK if _HEX.fullmatch(token) else token
    word = token.rstrip(".")
    varies = (
        ("." in word and (_DOTTED.fullmatch(word) or _REVERSED.fullmatch(word) or _HOST.fullmatch(word)))
        or ("." in word and _FILE.fullmatch(word))
        or ("@" in word and "." in word)
        or word.count("/") + word.count("\\") > 1
    )
    return _MARK + token[len(word) :] if varies else token


_UNITS = (
    r"[kKMGTP]?i?[Bb](?:ytes?)?|[Bb]ytes?|%|ns|us|µs|μs|ms|msecs?|millis(?:econds?)?|MILLISECONDS|micros(?:econds?)?"
    r"|nanos(?:econds?)?|s|secs?|seconds?|m|min|mins|minutes?|h|hrs?|hours?|d|days?|[AP]M|UTC|GMT"
)
_UNIT = re.compile(rf"{_MARK} ?(?:{_UNITS})(?!\w)")
_RUN = re.compile(rf"{_MARK}(?:[\s:.,;|#@*+/\\_~&-]*{_MARK})+")
_IN_BRACKETS = re.compile(rf"{_MARK}\s?(?:\(\s?{_MARK}?\s?\)|\[\s?{_MARK}?\s?\])")
_DUMP = re.compile(rf"\b\w{{1,64}}\{{{_MARK}\}}")
_REPEATED = re.compile(rf"({_MARK} [^\s{_MARK}]{{1,16}})(?:,? \1)+(?: {_MARK})?")


def _folded(text: str) -> str:
    """Make one mark of those that belong together: a value and its unit, a list, a name and its number."""
    if _MARK not in text:
        return text
    text = text.replace(f"<{_MARK}>", _MARK).replace("<" + _MARK, _MARK)
    text = _UNIT.sub(_MARK, text)
    text = _RUN.sub(_MARK, text)
    if "(" in text or "[" in text:
        text = _IN_BRACKETS.sub(_MARK, text)
    if "{" in text:
        text = _DUMP.sub(_MARK, text)
    text = _RUN.sub(_MARK, text)
    return _REPEATED.sub(r"\1", text) if text.count(_MARK + " ") > 1 else text
