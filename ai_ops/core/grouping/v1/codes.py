"""The codes in a message: numbers and names by which a system, a database or a server says what failed.

Where type and place are known the words of a message are left out, since they vary. Codes do not: a full
disk and too many open files are two causes of one ``OSError`` in one function.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import AnyStr

_LIMIT = 2000
_MOST = 4
_REASONS = (
    "Client Error|Server Error|Bad Request|Unauthorized|Payment Required|Forbidden|Not Found|"
    "Method Not Allowed|Not Acceptable|Request Time-?out|Conflict|Gone|Payload Too Large|Unprocessable|"
    "Locked|Too Many Requests|"
    "Internal Server Error|Not Implemented|Bad Gateway|Service Unavailable|Gateway Time-?out"
)
_STATUS = r"[45][0-9]{2}(?![0-9]|\.[0-9])"
# Alternatives are bounded and begin with plain letters, so that a search takes linear time.
_CODES = (
    # The system's: [Errno 28], errno=28, [WinError 5], (os error 2), ECONNREFUSED
    r"(?:[Ee]rrno|WinError|os error)[\s=:\]]{1,3}(-?[0-9]{1,5})",
    r"(E(?:CONN|ADDR|HOST|NET|AI_)[A-Z_]{2,16}|EACCES|EPERM|EMFILE|ENFILE|EEXIST|EPIPE|ETIMEDOUT|EISDIR|EBUSY"
    r"|ENO(?:ENT|SPC|MEM|TDIR|TEMPTY|TFOUND))(?![A-Za-z])",
    # A database's
    r"SQL(?:STATE|State|state)[\s=:\[(\"']{1,3}([0-9A-Z]{1,16})(?![0-9A-Za-z])",
    r"SQLCODE[ =:]{1,2}(-?[0-9]{1,5})",
    r"\(([1-4][0-9]{3}), ?[\"'](?=[A-Z][A-Za-z']{1,16} )",
    r"(?:Error|ERROR) ([1-4][0-9]{3})(?: \([0-9A-Z]{5}\))?:",
    r"Msg ([0-9]{3,5}), Level",
    r"((?:ORA|TNS|PLS)-[0-9]{4,5})(?![0-9])",
    # A server's
    r"HTTPS?(?:/[0-9](?:\.[0-9])?)?"
    rf"(?: (?:[Ss]tatus|[Rr]esponse|[Ee]rror)(?: [Cc]ode)?)?[ :=]{{1,2}}({_STATUS})",
    rf"(?:[Ss]tatus|[Cc]ode)[\"']?(?: (?:of|was|is))?[ :=]{{1,3}}[\"']?({_STATUS})",
    rf"not indicate success: ({_STATUS})",
    rf"({_STATUS}) (?:{_REASONS})",
    r"StatusCode\.([A-Z_]{2,24})",
    r"rpc error: code = ([A-Za-z]{2,24})",
    r"error occurred \(([A-Za-z0-9.]{2,64})\) when calling",
    r"\A\(([A-Za-z_][\w.]{2,120}(?:Error|Exception|Violation|Warning))\)",
)
_CODE = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(_CODES)})")
_CODE_IN_BYTES = re.compile(_CODE.pattern.encode())
# One of these stands before, or with, each code that is a word of digits alone.
_BEFORE_DIGITS = (
    *(
        b"rrno",
        b"WinError",
        b"os error",
        b"SQL",
        b"HTTP",
        b"tatus",
        b"code",
        b"Code",
        b" Error",
        b"Error ",
        b"Msg ",
    ),
    *(b"ERROR 1", b"ERROR 2", b"ERROR 3", b"ERROR 4", b"success:"),
)
_BEFORE_ANY_DIGITS = tuple(dict.fromkeys(re.sub(rb"\d", b"0", sign) for sign in _BEFORE_DIGITS))


def codes(message: str) -> tuple[str, ...]:
    """Return the codes that a message names, each once: ``28``, ``42P01``, ``503``. At most four."""
    return tuple(dict.fromkeys(_found(_CODE, message[:_LIMIT])))[:_MOST]


def digits_in(raw: bytes) -> Iterable[bytes]:
    """Return the codes of a record as it was logged, for whoever compares records without their numbers.

    A record in which no code could be made of digits alone has none.
    """
    return _found(_CODE_IN_BYTES, raw) if _holds_any(raw, _BEFORE_DIGITS) else ()


def may_have_digits(outline: bytes) -> bool:
    """Return whether ``digits_in`` could find codes in a record of which only the outline is known.

    Args:
        outline: the record with a 0 for each of its digits.
    """
    return _holds_any(outline, _BEFORE_ANY_DIGITS)


def _holds_any(raw: bytes, signs: Iterable[bytes]) -> bool:
    for sign in signs:  # noqa: SIM110 - a plain loop: this is done for every record
        if sign in raw:
            return True
    return False


def _found(pattern: re.Pattern[AnyStr], text: AnyStr) -> Iterator[AnyStr]:
    return (found[found.lastindex or 0] for found in pattern.finditer(text))
