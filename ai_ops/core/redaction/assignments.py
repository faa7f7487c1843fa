"""Secrets known by the name they are given: assignments, JSON, query strings, headers, flags.

Names such as ``password`` make any value a secret. Names such as ``token`` stand in front of ordinary
words too (``unexpected token: EOF``), so there the value itself must look like one. The search goes from
separator to separator and looks back for a name: separators are rarer than the letters of names.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ai_ops.core.redaction.mask import mask
from ai_ops.core.redaction.values import is_code, is_nothing, is_path, is_prose, looks_secret, repeats_name

_STRONG = (
    r"pass[_-]?words?|passwd|passphrase|pass[_-]?code|passwort|pwd|secret|api[_-]?key|access[_-]?key|"
    r"(?:private|encryption|signing|account|storage|master|service|license|auth|ssh|subscription|hmac|shared)[_-]?key|"
    r"credentials?|cvv2?|cvc2?|密码|口令|密钥|秘钥|令牌"
)
_WEAK = (
    r"token|auth(?:orization)?|session[_-]?id|jsessionid|phpsessid|sessid|(?<![a-z])(?:sid|sig|pass|pw)|csrf|xsrf|otp|jwt|"
    r"signature|bearer|code[_-]?verifier"
)
_MORE = (
    "access|secret|key|value|hash|base|confirm|confirmation|again|repeat|new|old|current|plain|raw|text|string|token|pass|"
    "password|auth|bearer|middleware|prod|dev|test|live|main|bytes"
)
_NAME = re.compile(
    rf"(?:(?P<strong>{_STRONG})|(?P<weak>{_WEAK}))(?:[_.-]?(?:{_MORE}|id(?=[_-]?(?:token|key))|\d{{1,3}})){{0,3}}\Z",
    re.IGNORECASE,
)
_LAST_WORDS = """
word words passwd phrase code wort pwd credential credentials cvv cvc 密码 口令 密钥 秘钥 令牌 authorization
sessionid session_id session-id sessid sid sig pw csrf xsrf otp jwt signature verifier
"""
_ENDINGS = (*_MORE.split("|"), *_LAST_WORDS.split())
_CLOSERS = " \t\"'\\[]"
_SEPARATOR = re.compile(r"=>|:=|==?|[:＝：>]")
_FLAG = re.compile(r"(?<![\w-])--[A-Za-z][\w-]{1,63}([ \t])[ \t]{0,8}(?=[^\s-])")
_OPEN = re.compile(r"[ \t]{0,8}(?:[bru]?(\\{0,3}[\"']))?", re.IGNORECASE)

# A separator inside an unquoted value belongs to it unless blank, end or the next name follows.
_BARE = re.compile(
    r"(?:[^\s\"'&;,<>|()\[\]{}\\]|\\(?![nrt\"'])|[,;](?![\s\"']|[\w.-]{1,40}\s?[=:]|\Z)|[)\]}](?=[A-Za-z0-9])|[(\[{\"'](?=\w))+"
)
_QUOTED = {
    '"': re.compile(r'(?:[^"\\\n]|\\[^\n])*'),
    "'": re.compile(r"(?:[^'\\\n]|\\[^\n])*"),
    '\\"': re.compile(r'(?:[^"\\\n]|\\[^"\n])*'),
    "\\'": re.compile(r"(?:[^'\\\n]|\\[^'\n])*"),
}
_SCHEME = re.compile(
    r"(?:Bearer|Basic|Token|Digest|ApiKey|Negotiate|NTLM|OAuth|JWT|Hawk|AWS4-HMAC-SHA256)[ \t]{1,4}",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(?:Bearer|Basic)[ \t]{1,4}([A-Za-z0-9._~+/=-]{8,})", re.IGNORECASE)
_COOKIE = re.compile(
    r"\b(?:Set-)?Cookie[\"']?[ \t]{0,4}[:=][ \t]{0,4}(?:[bru]?[\"'])?(?=[\w.$!%-]{1,128}=)"
    r"((?:[^\n\"'\\]|(?<==)\"[^\"\n]*\")+)",
    re.IGNORECASE,
)
_IDENTIFIED = re.compile(r"\b(?:IDENTIFIED[ \t]{1,4}BY|PASSWORD)[ \t]{1,4}'([^'\n]+)'", re.IGNORECASE)
_DECIDE_ON = 256


class _Name(NamedTuple):
    """The name of a value. ``own`` is the word that makes it one, in lower case."""

    own: str
    strong: bool
    quoted: bool = False


def assigned(text: str) -> str:
    """Return the text with the values of secret names masked."""
    lower = text.lower()
    if "cookie" in lower:
        text = _COOKIE.sub(lambda found: _keep(found, mask(found.group(1).strip())), text)
    if "bearer " in lower or "basic " in lower:
        text = _BEARER.sub(_bearer, text)
    if "identified" in lower or "password '" in lower:
        text = _IDENTIFIED.sub(lambda found: _keep(found, mask(found.group(1))), text)
    text = _named_values(text, _SEPARATOR)
    return _named_values(text, _FLAG) if "--" in text else text


def is_secret_at(name: str, value: str) -> bool:
    """Return whether a value that stands under a key is a secret."""
    found = _name_before(name, len(name))
    if not found:
        return "cookie" in name.lower()
    return found.strong or looks_secret(value)


def _keep(found: re.Match[str], masked: str) -> str:
    whole, start = found.group(), found.start()
    return whole[: found.start(1) - start] + masked + whole[found.end(1) - start :]


def _bearer(found: re.Match[str]) -> str:
    value = found.group(1)
    return (
        _keep(found, mask(value))
        if looks_secret(value.rstrip("=.")) or value.endswith("=")
        else found.group()
    )


def _named_values(text: str, separator: re.Pattern[str]) -> str:
    parts: list[str] = []
    done = at = 0
    while found := separator.search(text, at):
        at = found.end()
        group = 1 if separator is _FLAG else 0
        name = _name_before(text, found.start(group))
        span = name and _value(text, name, found.end(), found.group(group))
        if span:
            start, end = span
            parts += [text[done:start], mask(text[start:end])]
            done, at = end, max(at, end)
    return "".join([*parts, text[done:]]) if parts else text


def _name_before(text: str, end: int) -> _Name | None:
    """Return the secret name that ends here, but for quotes, blanks and brackets."""
    head = text[max(0, end - 72) : end]
    tail = head.rstrip(_CLOSERS)
    if not tail.lower().rstrip("0123456789").endswith(_ENDINGS):
        return None
    found = _NAME.search(tail.rsplit(None, 1)[-1])
    if not found:
        return None
    closed = head[len(tail) :]
    own = found.group("strong") or found.group("weak")
    return _Name(own.lower(), bool(found.group("strong")), '"' in closed or "'" in closed)


def _value(text: str, name: _Name, at: int, separator: str) -> tuple[int, int] | None:
    """Return where the secret after a name is, or None when it is none."""
    opened = _OPEN.match(text, at)
    start = opened.end() if opened else at
    scheme = _SCHEME.match(text, start)
    start = scheme.end() if scheme else start
    if opened and opened.group(1):
        return _quoted_value(text, name, start, separator, opened.group(1), bool(scheme))
    head = _BARE.match(text, start, start + _DECIDE_ON)
    if not head or (separator == ">" and not text.startswith("</", head.end())):
        return None
    rest = text[head.end() : head.end() + 8]
    if not _is_secret(head.group(), name, separator, rest, spaced=start > at, scheme=bool(scheme)):
        return None
    whole = _BARE.match(text, start)
    return start, _trimmed(text, start, whole.end() if whole else head.end())


def _quoted_value(
    text: str, name: _Name, start: int, separator: str, opened: str, scheme: bool
) -> tuple[int, int] | None:
    quote = "\\" + opened[-1] if len(opened) > 1 else opened
    head = _QUOTED[quote].match(text, start, start + _DECIDE_ON)
    value = head.group() if head else ""
    if separator == ">" or is_nothing(value):
        return None
    if not name.strong and not (scheme and " " not in value) and not looks_secret(value):
        return None
    if name.strong and " " in value and not name.quoted and separator not in ("=", ":="):
        return None
    whole = _QUOTED[quote].match(text, start)
    end = whole.end() if whole else start
    # A quote that is never closed is more likely the end of 'Password: ' than a value's beginning.
    closed = text.startswith(quote, end) or name.quoted or separator == "="
    return (start, end) if closed else None


def _is_secret(value: str, name: _Name, separator: str, rest: str, *, spaced: bool, scheme: bool) -> bool:
    """Decide on an unquoted value, of which at most the first 256 characters are given."""
    if is_nothing(value) or repeats_name(value, name.own) or is_code(value + rest[:1]) or separator == "==":
        return False
    if not name.strong:
        if name.own in ("sid", "sig", "pass", "pw") and not (name.quoted or separator == "="):
            return False
        return looks_secret(value.rstrip("=")) or (scheme and len(value) >= 8 and not value.isalpha())
    if name.own.startswith("cv"):
        return value.isdigit() and 3 <= len(value) <= 4
    if is_path(value) and not name.own.startswith(("pass", "pwd")):
        return False
    if separator.isspace():  # --password-options and the like stand in prose too
        return not value.isalpha() or rest.startswith(" -")
    return not ((spaced or separator in (":", "：", "=>")) and is_prose(value, rest, spaced=spaced))


def _trimmed(text: str, start: int, end: int) -> int:
    """Return the end without the full stop of a sentence."""
    return end - 1 if end - start > 1 and text[end - 1] in ".,:" else end
