"""Personal data: e-mail addresses, Chinese mobile and identity numbers, payment cards, IBANs.

Numbers must prove what they are (check digits, issuer, length), so that orders, times and ids stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai_ops.core.redaction.mask import mask

# An address is sought from the sign in it, which is rarer than what could begin one.
_SIGN = re.compile(r"@|%40")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-]|\.\w)", re.ASCII)
_LONGEST_USER = 64
_USER_BACKWARDS = re.compile(r"[\w.+'-]*", re.ASCII)
_USER = re.compile(
    r"(?:(?<![\w.+*%\\-])|(?<=\\[nrt])|(?<=\\)(?![nrt]))(?!(?:git|hg|svn)@)[A-Za-z0-9]", re.ASCII
)
_NOT_DOMAINS = re.compile(r".*\.(?:png|jpe?g|gif|webp|svg|ico|js|css|html?|json|jar)\Z", re.IGNORECASE)
# Each pattern begins with a plain character, which the engine seeks fast, and looks back from there.
_LONG_NUMBER = re.compile(r"[0-9][0-9][0-9](?:[0-9][0-9]{7}|[0-9]?[ -][0-9]{4}(?:[0-9]{2})?[ -][0-9]{4})")
_ALONE = r"(?:(?<![A-Za-z0-9_.].)(?<![0-9]-.)|(?<=\\[nrt].))"
_END = r"(?![A-Za-z0-9_]|[.-][0-9])"
_MOBILE = re.compile(
    rf"1(?:{_ALONE}|(?<=86[ -]1)|(?<=00861)|(?<![A-Za-z0-9_.]861)(?<=861))"
    rf"[3-9][0-9](?:[0-9]{{8}}|([ -])[0-9]{{4}}\1[0-9]{{4}}){_END}"
)
_IDENTITY = re.compile(
    rf"[1-9]{_ALONE}[0-9]{{5}}(?:18|19|20)[0-9]{{2}}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{{3}}[0-9Xx]{_END}"
)
_CARD = re.compile(
    rf"[2-6]{_ALONE}(?:[0-9]{{3}}([ -]?)[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{4}}(?:\1?[0-9]{{1,3}})?"
    rf"|[0-9]{{3}}([ -]?)[0-9]{{6}}\2[0-9]{{4,5}}){_END}"
)
_ISSUER = re.compile(
    r"4[0-9]{15}\Z|(?:5[1-5]|2[2-7])[0-9]{14}\Z|3[47][0-9]{13}\Z|3[068][0-9]{12}\Z|(?:6011|65|64[4-9])[0-9]*\Z|35(?:2[89]|[3-8])[0-9]{12,}\Z"
    r"|62[0-9]{14,17}\Z|(?:50|5[6-9]|6[037])[0-9]{14,17}\Z"
)
_IBAN = re.compile(r"[A-Z](?<![A-Za-z0-9].)[A-Z][0-9]{2}(?=[ ]?[A-Z0-9]{4})")
_IBAN_COUNTRIES = """
AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20
EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30
KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24
PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29
VA22 VG24 XK20
"""
_IBAN_LENGTHS = {code[:2]: int(code[2:]) for code in _IBAN_COUNTRIES.split()}


def personal(text: str) -> str:
    """Return the text with personal data masked."""
    if "@" in text or "%40" in text:
        text = _addresses(text)
    if _LONG_NUMBER.search(text):
        text = _numbers(text)
    return _ibans(text) if _IBAN.search(text) else text


def _addresses(text: str) -> str:
    parts: list[str] = []
    done = free = at = 0
    while sign := _SIGN.search(text, at):
        at = sign.end()
        domain = _DOMAIN.match(text, at)
        user = _user_before(text, free, sign.start()) if domain else None
        if not domain or user is None:
            continue
        at = free = domain.end()
        if not _NOT_DOMAINS.match(domain.group()):
            parts += [text[done:user], mask(text[user:at])]
            done = at
    return "".join([*parts, text[done:]]) if parts else text


def _user_before(text: str, free: int, end: int) -> int | None:
    """Return where the user's name begins that ends before the sign, not before ``free``."""
    before = text[max(free, end - _LONGEST_USER) : end]
    run = _USER_BACKWARDS.match(before[::-1])
    found = _USER.search(text, end - (run.end() if run else 0), end + 1)  # the sign itself must be seen
    return found.start() if found else None


def _numbers(text: str) -> str:
    text = _IDENTITY.sub(
        lambda found: mask(found.group()) if _identity(found.group()) else found.group(), text
    )
    text = _CARD.sub(lambda found: _card(found.group()), text)
    return _MOBILE.sub(lambda found: mask(found.group()), text)


_DOUBLED = str.maketrans("0123456789", "0246813579")  # the digits of 18 are added up: 9


def luhn(digits: str) -> bool:
    """Return whether a card number's check digit is right."""
    doubled = digits[-2::-2].translate(_DOUBLED)
    return (sum(map(int, digits[::-2])) + sum(map(int, doubled))) % 10 == 0


def _card(number: str) -> str:
    digits = re.sub(r"[ -]", "", number)
    return mask(digits) if len(set(digits)) > 1 and _ISSUER.match(digits) and luhn(digits) else number


def _identity(number: str) -> bool:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(number, weights, strict=False))
    return "10X98765432"[total % 11] == number[-1].upper()


def _ibans(text: str) -> str:
    parts: list[str] = []
    at = 0
    for start, end, account in _accounts(text):
        if start >= at:
            parts += [text[at:start], mask(account)]
            at = end
    return "".join([*parts, text[at:]])


def _accounts(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield (start, end, number without blanks) of every IBAN whose checksum is right."""
    for found in _IBAN.finditer(text):
        length = _IBAN_LENGTHS.get(found.group()[:2], 0)
        account, end = _collect(text, found.start(), length)
        if len(account) == length and length and _mod97(account):
            yield found.start(), end, account


def _collect(text: str, start: int, length: int) -> tuple[str, int]:
    """Return up to ``length`` characters of an account written in one piece or in fours, and its end."""
    taken: list[str] = []
    at = start
    while len(taken) < length and at < len(text):
        char = text[at]
        if char == " " and taken and len(taken) % 4 == 0 and text[at - 1] != " ":
            at += 1
            continue
        if not (char.isascii() and (char.isdigit() or char.isupper())):
            break
        taken.append(char)
        at += 1
    follows = text[at : at + 1]
    return ("" if follows.isascii() and follows.isalnum() else "".join(taken)), at


def _mod97(account: str) -> bool:
    moved = account[4:] + account[:4]
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1
