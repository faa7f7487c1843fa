"""Questions that are answered with yes wherever a narrower one is: what equals one of some is among them.

Parts of conditions are compared as words, as in ``implications``, which asks here for what it does not know.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_QUOTED = re.compile(
    r"\"[^\"]*\"|'[^']*'|\b(?:None|null|nil|undefined|True|False|true|false)\b|-?\b\d[\d.]*\b"
)
_LITERAL = re.compile(rf"(?:{_QUOTED.pattern})\Z")
_MEMBER = re.compile(r"(?P<of>.{1,200}?) (?P<no>not )?in [(\[{] (?P<some>.{1,500}) [)\]}]")
_AMONG = re.compile(r"(?P<no>! )?\[ (?P<some>.{1,500}) \] \. includes \( (?P<of>.{1,200}) \)")
_EQUALS = re.compile(r"(?P<of>.{1,200}) (?P<sign>!==?|===?) (?P<value>\S+)")
_HOLDS = re.compile(r"(?P<of>.{1,200}) \. (?:contains|includes|has|containsKey) \( .{1,200} \)")
_EMPTY = re.compile(r"(?P<of>.{1,200}) \. (?:isEmpty \( \)|length ===? 0|size ===? 0|size \( \) == 0)")
_PRESENT = re.compile(r"(?P<of>.{1,200}) (?:!==?|is not) (?:null|nil|None|undefined|\"\"|'')")
_ABSENT = (
    re.compile(r"(?P<of>[\w.\[\] ]{1,200}?) (?:===?|is) (?:null|nil|None|undefined|\"\"|'')"),
    re.compile(r"(?:not|!) (?P<of>\w+(?: \.{1,2} \w+){0,9})"),
    re.compile(r"(?P<of>.{1,200}) \. isEmpty \( \)"),
)
_BLANKS = (" . trim ( )", " . strip ( )")
_UNLIKE = re.compile(r"(?P<of>[\w. ]{1,200}?) !==? (?P<value>[\w. ]{1,200})")
_NUMERIC = re.compile(r"(?P<no>! )?Number \. (?P<asks>\w+) \( (?P<of>.{1,200}) \)")
_NUMBERS: Mapping[str, int] = {"isSafeInteger": 3, "isInteger": 2, "isFinite": 1}
_REGEX = re.compile(r"/ (?P<pattern>.{1,300}) / \. test \( (?P<of>.{1,200}) \)")
_BEGINS = re.compile(r"(?P<of>.{1,200}) \. starts[wW]ith \( [\"'](?P<text>[^\"']{1,80})[\"'] \)")
_PLAIN = re.compile(r"[^\\^$.|?*+()\[\]{}]+")


def asks_no_less(one: str, other: str) -> bool:
    """Whether ``one`` cannot hold without ``other``, which is asked in another way."""
    ways = (_of_members, _of_nothing, _of_absence, _of_numbers, _of_another, _of_pattern, _of_characters)
    return any(way(one, other) for way in ways)


def _members(part: str) -> tuple[str, bool, frozenset[str]] | None:
    """Return what is asked for, whether it must be one, and of which literals."""
    for form in (_MEMBER, _AMONG):
        if (found := form.fullmatch(part)) is not None:
            some = _QUOTED.findall(found["some"])
            return (found["of"], not found["no"], frozenset(map(_said, some))) if some else None
    found = _EQUALS.fullmatch(part)
    if found is None or not _LITERAL.fullmatch(found["value"]):
        return None
    return found["of"], found["sign"][0] == "=", frozenset({_said(found["value"])})


def _said(literal: str) -> str:
    return literal.replace('"', "'")


def _of_members(one: str, other: str) -> bool:
    then, now = _members(one), _members(other)
    if then is None or now is None or then[0] != now[0]:
        return False
    if then[1] and now[1]:
        return then[2] <= now[2]
    if not then[1] and not now[1]:
        return now[2] <= then[2]
    return then[1] and then[2].isdisjoint(now[2])


def _of_nothing(one: str, other: str) -> bool:
    """Whether what is empty is asked for what it holds."""
    empty, asked = _EMPTY.fullmatch(one), _HOLDS.fullmatch(other.removeprefix("! "))
    return empty is not None and asked is not None and other.startswith("! ") and empty["of"] == asked["of"]


def _of_absence(one: str, other: str) -> bool:
    """Whether what is not there is asked for being empty, blank, or another than some value of the code."""
    absent = next((found["of"] for form in _ABSENT if (found := form.fullmatch(one)) is not None), "")
    if not absent:
        return False
    if one != other and other in (
        *(f"{sign} {absent}{blank}" for sign in ("not", "!") for blank in ("", *_BLANKS)),
        f"{absent} . isBlank ( )",
        f'strings . TrimSpace ( {absent} ) == ""',
    ):
        return True
    unlike = _UNLIKE.fullmatch(other)
    return unlike is not None and unlike["of"] == absent and not _QUOTED.search(unlike["value"])


def _of_characters(one: str, other: str) -> bool:
    """Whether a text that holds another is asked for any of its characters."""
    return one.startswith("strings . Contains ( ") and other == one.replace(
        ". Contains (", ". ContainsAny (", 1
    )


def _of_numbers(one: str, other: str) -> bool:
    then, now = _NUMERIC.fullmatch(one), _NUMERIC.fullmatch(other)
    if then is None or now is None or then["of"] != now["of"]:
        return False
    kind, wanted = _NUMBERS.get(then["asks"], 0), _NUMBERS.get(now["asks"], 0)
    if then["asks"] == "isNaN":
        return not then["no"] and bool(now["no"]) and wanted > 0
    if now["asks"] == "isNaN":
        return bool(now["no"]) and not then["no"] and kind > 0
    if not kind or not wanted or bool(then["no"]) != bool(now["no"]):
        return False
    return kind <= wanted if then["no"] else kind >= wanted


def _of_another(one: str, other: str) -> bool:
    """Whether what equals another value of the code is asked for being there at all."""
    then = _EQUALS.fullmatch(one) or re.fullmatch(r"(?P<of>.{1,200}) (?P<sign>==) (?P<value>.{1,200})", one)
    if then is None or then["sign"][0] != "=" or _QUOTED.search(then["value"]):
        return False
    present = _PRESENT.fullmatch(other)
    return then["of"] == (present["of"] if present is not None else other)


def _of_pattern(one: str, other: str) -> bool:
    """Whether a text that fits a pattern begins with, or holds, what another question wants."""
    found = _REGEX.fullmatch(one)
    if found is None:
        return False
    anchored, plain = found["pattern"].startswith("^"), found["pattern"].removeprefix("^")
    begin = _PLAIN.match(plain)
    if begin is None:
        return False
    rest = plain[begin.end() :]
    prefix = begin[0][:-1] if rest[:1] in ("?", "*", "{") else begin[0]
    if "|" in plain or not prefix:
        return False
    wanted, less = _BEGINS.fullmatch(other), _REGEX.fullmatch(other)
    if wanted is not None:
        return anchored and wanted["of"] == found["of"] and prefix.startswith(wanted["text"])
    if less is None or less["of"] != found["of"] or less["pattern"] == found["pattern"]:
        return False
    inside = less["pattern"].removeprefix("^")
    if _PLAIN.fullmatch(inside) is None:
        return False
    at_begin = less["pattern"].startswith("^")
    return prefix.startswith(inside) and anchored if at_begin else inside in prefix
