"""Names that make what they stand before a secret.

Names such as ``password`` make any value one. Names such as ``token`` stand in front of ordinary words
too, so the value has to look like a secret as well.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_STRONG = (
    r"pass[_-]?words?|passwd|passphrase|pass[_-]?code|passwort|pwd|secret|api[_-]?key|access[_-]?key|"
    r"(?:private|encryption|signing|account|storage|master|service|license|auth|ssh|subscription|hmac|shared)[_-]?key|"
    r"(?:db|database|smtp|mail|ftp|ssh|redis|mysql|pg|postgres|mongo|amqp|ldap|proxy|admin|root)[_-]?pass|"
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
_NAME_BACKWARDS = re.compile(r"[\w.-]+")
# Every name has one of these in it.
_STEM_WORDS = """
pass pwd secret key cred cvv cvc token auth sess sid sig pw csrf xsrf otp jwt bearer verifier 密 口令 秘 令牌
"""
_STEMS = tuple(_STEM_WORDS.split())
_LAST_WORDS = """
word words passwd phrase code wort pwd credential credentials cvv cvc 密码 口令 密钥 秘钥 令牌 authorization
sessionid session_id session-id sessid sid sig pw csrf xsrf otp jwt signature verifier
"""
_ENDINGS = (*_MORE.split("|"), *_LAST_WORDS.split())
_LAST_TWO = frozenset(ending[-2:] for ending in _ENDINGS)
BLANKS = " \t\u00a0\u2007\u202f\u3000"
_CLOSERS = f"{BLANKS}\"'\\[]"


def endings() -> str:
    """Return a pattern for how the text before a separator ends if it could be a name at all."""
    first: dict[str, str] = {}  # letters by the one that follows them
    for two in filter(str.isascii, sorted(_LAST_TWO)):
        first[two[1]] = first.get(two[1], "") + two[0]
    pairs = (f"[{ones}{ones.upper()}][{last}{last.upper()}]" for last, ones in first.items())
    return rf"(?:{'|'.join(pairs)}|[\s\S](?:[{re.escape(_CLOSERS)}0-9]|[^\x00-\x7f])|[^\x00-\x7f][\s\S])"


class Name(NamedTuple):
    """The name of a value. ``own`` is the word that makes it one, in lower case."""

    own: str
    strong: bool
    quoted: bool = False


def may_name(text: str) -> bool:
    """Return whether a text has a word in it that every name of a secret has."""
    lower = text.lower()
    for stem in _STEMS:  # noqa: SIM110 - a plain loop: this is asked of nearly every line
        if stem in lower:
            return True
    return False


def secret_name(word: str) -> Name | None:
    """Return what makes a word the name of a secret, None when nothing does."""
    return name_before(word, len(word))


def name_before(text: str, end: int) -> Name | None:
    """Return the secret name that ends here, but for quotes, blanks and brackets."""
    head = text[max(0, end - 72) : end]
    tail = head.rstrip(_CLOSERS)
    if tail[-2:].lower() not in _LAST_TWO and not tail[-1:].isdigit():
        return None
    run = _NAME_BACKWARDS.match(tail[::-1])
    name = _secret_name(tail[len(tail) - run.end() :]) if run else None
    if not name:
        return None
    closed = head[len(tail) :]
    return name._replace(quoted=True) if '"' in closed or "'" in closed else name


@lru_cache(maxsize=512)
def _secret_name(word: str) -> Name | None:
    """Return what makes a word a secret's name. Remembered: a log has few names, and they come again."""
    if not word.lower().rstrip("0123456789").endswith(_ENDINGS):
        return None
    found = _NAME.search(word)
    if not found:
        return None
    own = found.group("strong") or found.group("weak")
    return Name(own.lower(), bool(found.group("strong")))
