"""Secrets known by the name they are given: assignments, JSON, query strings, headers, flags.

Names such as ``password`` make any value a secret. Names such as ``token`` stand in front of ordinary
words too (``unexpected token: EOF``), so there the value itself must look like one. The search goes from
separator to separator and looks back for a name: separators are rarer than the letters of names.
"""

from __future__ import annotations

import re

from ai_ops.core.redaction.mask import mask
from ai_ops.core.redaction.names import BLANKS, Name, endings, may_name, name_before
from ai_ops.core.redaction.values import is_code, is_nothing, is_path, is_prose, looks_secret, repeats_name

# A sign with what stands right before it, and what may follow. Each alternative begins with the plain
# character, which the engine seeks fast.
_BACKSLASH = r"\\"
_BEHIND_NAME = f"(?<={endings()}%s)"
_SEPARATOR = re.compile(
    # The colons of a time are none, nor are those of a path (shop::token::parse).
    rf":(?!:|(?<=[^A-Za-z0-9]\d\d:)\d\d){_BEHIND_NAME % ':'}(?:=|(?<!::))"
    rf"|={_BEHIND_NAME % '='}[>=]?|%{_BEHIND_NAME % '%'}(?:25){{0,2}}3[dD]"
    # As some writers of JSON spell the sign.
    rf"|\\{_BEHIND_NAME % _BACKSLASH}u003[dD]"
    rf"|-{_BEHIND_NAME % '-'}>(?=[ \t])"
    rf"|>{_BEHIND_NAME % '>'}|＝{_BEHIND_NAME % '＝'}|：{_BEHIND_NAME % '：'}"
)
# Of a command as it is typed, and as a list of its words.
_FLAG = re.compile(
    r"--(?<![\w-]--)[A-Za-z][\w-]{1,63}(?:([ \t])[ \t]{0,8}(?=[^\s-])"
    r"|(\\{0,3}[\"'],)[ \t]{0,8}(?=[bru]?\\{0,3}[\"'][^\s-]))"
)
_OPEN = re.compile(
    rf"[{BLANKS}]{{0,8}}(?:string\(\d{{1,9}}\)[ \t]{{1,4}})?"
    rf"(?:(?P<list>\[)?[bru]?(?P<quote>\\{{0,3}}[\"']))?",
    re.IGNORECASE,
)
# A value that is kept in an object of its own, beside what else is said of it.
_NESTED = re.compile(
    r"[ \t]{0,8}\{(?:[^{}\n]{0,160}?[\s,;\"'])?(?:value|plain|text|raw|data|current|string)\\{0,3}[\"']?"
    r"[ \t]{0,4}(?::|=>?)",
    re.IGNORECASE,
)

# A separator inside an unquoted value belongs to it unless blank, end or the next name follows.
_BARE = re.compile(
    r"(?:[^\s\"'&;,<>|()\[\]{}\\]++|\\(?![nrt\"'])|[,;](?![\s\"']|[\w.-]{1,40}\s?[=:]|\Z)|[)\]}](?=[A-Za-z0-9])|[(\[{\"'](?=\w))+"
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
# The first letter in either case is a plain beginning; without regard to case it would be none.
_BEARER = re.compile(r"[Bb](?<!\w.)(?i:earer|asic)[ \t]{1,4}((?i:[A-Za-z0-9._~+/=-]{8,}))")
# Whatever stands behind the header and a scheme, but for what a sentence about it goes on with.
_HEADER = re.compile(
    r"[Aa](?i:uthorization)[\"']?[ \t]{0,4}[:=,][ \t]{0,4}[\[(]?\\{0,3}[\"']?"
    r"(?i:Bearer|Basic|Token|ApiKey|Negotiate|NTLM|OAuth|JWT)(?:[ \t]{1,4}|\+|%20)([^\s\"'\\,;<>]{3,8192})"
)
_ABOUT_SCHEMES = frozenset(
    ("auth", "authentication", "authorization", "scheme", "header", "realm", "challenge")
)
_COOKIE = re.compile(
    r"[Cc](?<!\w.)(?i:ookie)[\"']?[ \t]{0,4}[:=][ \t]{0,4}(?:\[?(?i:[bru])?[\"'])?(?=[\w.$!%-]{1,128}=)"
    r"((?:[^\n\"'\\]|(?<==)\"[^\"\n]*\")+)"
)
_IDENTIFIED = re.compile(r"\b(?:IDENTIFIED[ \t]{1,4}BY|PASSWORD)[ \t]{1,4}'([^'\n]+)'", re.IGNORECASE)
# Said in a sentence, and as a pair of name and value (XML settings, the environment of a container).
_SPOKEN = re.compile(
    r"(?:\b(?:password|passwd|passcode|passphrase)[ \t]{1,4}(?:is|was)[ \t:]{1,4}|密码[是为]\s?)"
    r"[\"']?([^\s\"'，。,;]{6,128})",
    re.IGNORECASE,
)
_PAIR = re.compile(
    r"\b(?:key|name)[\"']?\s?[=:]\s?[\"']([^\"'\n]{1,64})[\"'],?\s{0,8}[\"']?value[\"']?\s?[=:]\s?[\"']([^\"'\n]{1,512})",
    re.IGNORECASE,
)
_BARE_PAIR = re.compile(
    r"\b(?:key|name)[=:][ \t]?([\w.-]{2,64})(?:,[ \t]{0,8}|[ \t]{1,8})"
    r"value[=:][ \t]?([^\s\"',;{}()\[\]]{3,512})",
    re.IGNORECASE,
)
# A header as a pair, as HTTP libraries keep them: (b'x-api-key', b'...'), ["Cookie", "sid=..."].
_HEADER_PAIR = re.compile(
    r"[(\[][bru]?(\\{0,3}[\"'])([\w-]{3,64})\1,[ \t]{0,2}[bru]?(\\{0,3}[\"'])([^\"'\\\n]{6,8192})\3[)\]]"
)
_COOKIE_VALUE = re.compile(r"[\w.$!%-]{1,128}=")
_DECIDE_ON, _LOOKED_AHEAD = 96, 48
_MASKED = re.compile(r"[=:]\*{3}\w{0,4}\Z")


def assigned(text: str) -> str:
    """Return the text with the values of secret names masked."""
    return assigned_seen(text)[0]


def assigned_seen(text: str) -> tuple[str, bool]:
    """Return what ``assigned`` does, and whether any such value may be there.

    Where none may be, none appears by masking: no name does, and no sign right behind one.
    """
    lower = text.lower()
    kept, said = _said(text, lower)
    first = _SEPARATOR.search(kept)  # the quicker question first
    paired, flagged = "value" in lower, "--" in kept
    if not (first or paired or flagged) or not may_name(lower):
        return kept, said
    if paired:
        kept = _BARE_PAIR.sub(_pair, _PAIR.sub(_pair, kept))
        first = _SEPARATOR.search(kept)
    kept = _named_values(kept, _SEPARATOR, first)
    return (_named_values(kept, _FLAG, _FLAG.search(kept)) if flagged else kept), True


def _said(text: str, lower: str) -> tuple[str, bool]:
    """Mask what stands behind a header, a scheme, a statement or a sentence's words; say if one is there."""
    there = False
    if "cookie" in lower:
        text, there = _COOKIE.sub(lambda found: _keep(found, mask(found.group(1).strip())), text), True
    if "authorization" in lower:
        text, there = _HEADER.sub(_header, text), True
    if "bearer " in lower or "basic " in lower:
        text, there = _BEARER.sub(_bearer, text), True
    if "identified" in lower or "password '" in lower:
        text, there = _IDENTIFIED.sub(lambda found: _keep(found, mask(found.group(1))), text), True
    if ("pass" in lower and (" is" in lower or " was" in lower)) or "密码" in lower:
        text, there = _SPOKEN.sub(_spoken, text), True
    if "'," in text or '",' in text:
        text, there = _HEADER_PAIR.sub(_header_pair, text), True
    return text, there


def is_secret_at(name: str, value: str) -> bool:
    """Return whether a value that stands under a key is a secret."""
    found = name_before(name, len(name))
    if not found:
        return "cookie" in name.lower()
    return found.strong or looks_secret(value)


def _keep(found: re.Match[str], masked: str) -> str:
    whole, start = found.group(), found.start()
    return whole[: found.start(1) - start] + masked + whole[found.end(1) - start :]


def _header(found: re.Match[str]) -> str:
    value = found.group(1)
    word = value.rstrip(".:!?)]").lower()
    said = is_nothing(value) or word in _ABOUT_SCHEMES or value.lower().startswith("realm=")
    return found.group() if said else _keep(found, mask(value))


def _bearer(found: re.Match[str]) -> str:
    value = found.group(1)
    return (
        _keep(found, mask(value))
        if looks_secret(value.rstrip("=.")) or value.endswith("=")
        else found.group()
    )


def _spoken(found: re.Match[str]) -> str:
    value = found.group(1).rstrip(".!")
    return _keep(found, mask(found.group(1))) if looks_secret(value) else found.group()


def _pair(found: re.Match[str]) -> str:
    name, value = found.groups()
    start, end = (at - found.start() for at in found.span(2))
    if is_nothing(value) or not is_secret_at(name, value):
        return found.group()
    return found.group()[:start] + mask(value) + found.group()[end:]


def _header_pair(found: re.Match[str]) -> str:
    """Mask by the value too: two words in brackets may both be names."""
    name, value = found.group(2), found.group(4)
    if name.lower().endswith("cookie"):
        secret = _COOKIE_VALUE.match(value) is not None
    else:
        secret = name_before(name, len(name)) is not None and _is_one_token(value)
    start, end = (at - found.start() for at in found.span(4))
    return found.group()[:start] + mask(value) + found.group()[end:] if secret else found.group()


def _is_one_token(value: str) -> bool:
    return " " not in value and looks_secret(value)


def _named_values(text: str, separator: re.Pattern[str], found: re.Match[str] | None) -> str:
    """Mask what stands behind a name and a separator, of which ``found`` is the first."""
    parts: list[str] = []
    done = 0
    while found:
        at = found.end()
        group = found.lastindex or 0
        sign = "=" if found.group(group).startswith(("%", "\\")) else found.group(group)
        name = name_before(text, found.start(group))
        if name and sign.endswith(","):
            name = name._replace(quoted=True)
        span = name and _value(text, name, found.end(), sign)
        if span:
            start, end = span
            parts += [text[done:start], mask(text[start:end])]
            done, at = end, max(at, end)
        found = separator.search(text, at)
    return "".join([*parts, text[done:]]) if parts else text


def _value(text: str, name: Name, at: int, separator: str) -> tuple[int, int] | None:
    """Return where the secret after a name is, or None when it is none."""
    nested = _NESTED.match(text, at)
    at = nested.end() if nested else at
    opened = _OPEN.match(text, at)
    start = opened.end() if opened else at
    scheme = _SCHEME.match(text, start)
    start = scheme.end() if scheme else start
    if opened and opened["quote"]:
        span = _quoted_value(text, name, start, separator, opened["quote"], bool(scheme))
        # A list below a name mostly says what is wrong with its value.
        return span if not opened["list"] or (span and _is_one_token(text[slice(*span)])) else None
    if name.own in ("sid", "sig", "pass", "pw") and not (name.quoted or separator == "="):
        return None
    head = _BARE.match(text, start, start + _DECIDE_ON)
    if not head or (separator == ">" and not text.startswith("</", head.end())):
        return None
    if "***" in head.group() and _names_what_is_masked(head.group()):
        return None
    rest = text[head.end() : head.end() + 8]
    if not _is_secret(head.group(), name, separator, rest, spaced=start > at, scheme=bool(scheme)):
        return None
    cut = head.end() > start + _DECIDE_ON - _LOOKED_AHEAD
    whole = _BARE.match(text, start) if cut else head
    return start, _trimmed(text, start, whole.end() if whole else head.end())


def _names_what_is_masked(value: str) -> bool:
    """Return whether a value is another name with its own value, which is masked: ``password=***``."""
    found = _MASKED.search(value)
    return found is not None and name_before(value, found.start()) is not None


def _quoted_value(
    text: str, name: Name, start: int, separator: str, opened: str, scheme: bool
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


def _is_secret(value: str, name: Name, separator: str, rest: str, *, spaced: bool, scheme: bool) -> bool:
    """Decide on an unquoted value, of which only the beginning is given."""
    if is_nothing(value) or repeats_name(value, name.own) or is_code(value + rest[:1]) or separator == "==":
        return False
    if not name.strong:
        return looks_secret(value.rstrip("=")) or (scheme and len(value) >= 8 and not value.isalpha())
    if name.own.startswith("cv"):
        return value.isdigit() and 3 <= len(value) <= 4
    if is_path(value) and not name.own.startswith(("pass", "pwd")):
        return False
    if separator == "-":  # an arrow stands between words too, and between types
        return not value.isalpha()
    if separator.isspace():  # --password-options and the like stand in prose too
        return not value.isalpha() or rest.startswith(" -")
    return not ((spaced or separator in (":", "：", "=>")) and is_prose(value, rest, spaced=spaced))


def _trimmed(text: str, start: int, end: int) -> int:
    """Return the end without the full stop of a sentence."""
    return end - 1 if end - start > 1 and text[end - 1] in ".,:" else end
