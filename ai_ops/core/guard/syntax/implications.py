"""What follows from what: ``x == 8`` says more than ``x >= 2``, and refuses less.

Parts of conditions are compared as words. What is not understood follows from itself alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ai_ops.core.guard.syntax.conditions import Condition
from ai_ops.core.guard.syntax.predicates import asks_no_less

_SIGNS = frozenset({"<", "<=", ">", ">=", "==", "===", "!=", "!==", "is", "is not"})
_EQUAL, _UNEQUAL = frozenset({"==", "===", "is"}), frozenset({"!=", "!==", "is not"})
_LITERAL = re.compile(
    r"-?\d[\d_]*(?:\.\d+)?|\"[^\"]*\"|'[^']*'|true|false|True|False|null|nil|None|undefined"
)
_NUMBER = re.compile(r"-?\d[\d_]*(?:\.\d+)?")
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ASKS_PATTERN = (
    re.compile(r"/ (?P<pattern>.{1,300}) / \. test \( (?P<of>.{1,200}) \)"),
    re.compile(
        r"re \. (?P<how>fullmatch|match|search) \( r?[\"'](?P<pattern>.{1,300})[\"'] (?P<of>.{1,200}) \)"
    ),
)
_NOBODY = frozenset({"null", "nil", "None", "undefined"})
_BEGINS = frozenset({"startswith", "startsWith", "starts_with", "HasPrefix"})
_ENDS = frozenset({"endswith", "endsWith", "ends_with", "HasSuffix"})
_HOLDS = frozenset({"includes", "contains", "Contains"})
_PARENTS = frozenset({"dirname", "Dir", "parent", "getParent"})
_MOST = 24  # parts of a condition that are compared, each with each
_LONGEST = 60  # words of a part


@dataclass(frozen=True, slots=True)
class _Compared:
    """``left sign factor * base``; the base is empty for a plain number, the factor None without any."""

    left: str
    sign: str
    right: str
    factor: float | None
    base: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question of what a text begins with, ends with or holds."""

    of: str
    how: str
    wanted: tuple[str, ...]


def says_less(before: Condition, after: Condition, *, demanded: bool) -> str:
    """Return the part in which a condition refuses less than it did; empty when that cannot be said."""
    old, new = before.either, after.either
    if not old or not new or max(sum(map(len, each)) for each in (old, new)) > _MOST:
        return ""
    stronger, weaker = (old, new) if demanded else (new, old)
    if not _follows(weaker, stronger) or _follows(stronger, weaker):
        return ""
    return " || ".join(sorted(" && ".join(sorted(way)) for way in new - old)) or after.code


def _follows(weaker: frozenset[frozenset[str]], stronger: frozenset[frozenset[str]]) -> bool:
    """Whether each way of the stronger condition is one of the weaker."""
    return all(any(all(_is_said(part, way) for part in each) for each in weaker) for way in stronger)


def _is_said(part: str, way: frozenset[str]) -> bool:
    return any(implies(said, part) for said in way)


def implies(one: str, other: str) -> bool:
    """Whether a part of a condition cannot hold without another."""
    if one == other or asks_no_less(one, other):
        return True
    first, second = _positive(one), _positive(other)
    asked, wanted = _asked(first[0]), _asked(second[0])
    if asked is not None and wanted is not None and first[1] == second[1]:
        return _asks_less(asked, wanted) if first[1] else _asks_less(wanted, asked)
    if not first[1] and not second[1]:
        return implies(second[0], first[0])
    if (more := _chain(one)) and (less := _chain(other)):
        return all(any(implies(each, part) for each in more) for part in less)
    if (matched := _matched(one)) and (wider := _matched(other)) and matched[0] == wider[0]:
        return matched[1] >= wider[1]
    then, now = _compared(one), _compared(other)
    if (
        then is not None
        and then.sign in _EQUAL
        and then.right in _NOBODY
        and _asks_for_kind(other, then.left)
    ):
        return True
    return then is not None and now is not None and then.left == now.left and _within(then, now)


def _positive(part: str) -> tuple[str, bool]:
    """Return a part without the sign that turns it, and whether that holds."""
    for sign in ("not ", "! "):
        if part.startswith(sign):
            return part[len(sign) :], False
    return part, True


def _compared(part: str) -> _Compared | None:
    words = part.replace(" is not ", " is\tnot ").split(" ")
    found = [at for at, word in enumerate(words) if word.replace("\t", " ") in _SIGNS]
    if len(found) != 1 or len(words) > _LONGEST or not 0 < found[0] < len(words) - 1 or words[0] == "!":
        return None
    at = found[0]
    right = words[at + 1 :]
    sign = words[at].replace("\t", " ")
    if at == 1 and _NUMBER.fullmatch(words[0]) and sign in _TURNED:
        return _Compared(" ".join(right), _TURNED[sign], words[0], *_factor(words[:1]))
    factor, base = _factor(right)
    return _Compared(" ".join(words[:at]), sign, " ".join(right), factor, base)


def _chain(part: str) -> list[str]:
    """Return the two comparisons of ``1 <= x <= 5``; nothing for other parts."""
    words = part.split(" ")
    found = [at for at, word in enumerate(words) if word in _TURNED]
    if len(found) != 2 or words[0] in ("!", "not") or len(words) > _LONGEST:
        return []
    first, second = found
    return [" ".join(words[:second]), " ".join(words[first + 1 :])]


def _matched(part: str) -> tuple[tuple[str, ...], frozenset[str]] | None:
    """Return a pattern with what is held to it, and at which ends the whole text has to fit."""
    for asked in _ASKS_PATTERN:
        if (found := asked.fullmatch(part)) is not None:
            given = found.groupdict()
            pattern, how = given["pattern"], given.get("how") or "search"
            ends = {"^"} if pattern.startswith("^") or how in ("match", "fullmatch") else set()
            ends |= {"$"} if pattern.endswith("$") or how == "fullmatch" else set()
            return (pattern.strip("^$"), given["of"]), frozenset(ends)
    return None


def _factor(words: Sequence[str]) -> tuple[float | None, str]:
    """Return how many of what a limit is: ``10 * minute`` is ten, ``minute`` one."""
    if len(words) == 2 and words[0] == "-" and _NUMBER.fullmatch(words[1]):
        return -float(words[1].replace("_", "")), ""
    if len(words) == 1 and _NUMBER.fullmatch(words[0]):
        return float(words[0].replace("_", "")), ""
    if len(words) > 2 and words[1] == "*" and _NUMBER.fullmatch(words[0]):
        return float(words[0].replace("_", "")), " ".join(words[2:])
    if len(words) > 2 and words[-2] == "*" and _NUMBER.fullmatch(words[-1]):
        return float(words[-1].replace("_", "")), " ".join(words[:-2])
    return (None, "") if _LITERAL.fullmatch(" ".join(words)) else (1.0, " ".join(words))


def _within(then: _Compared, now: _Compared) -> bool:
    """Whether all values of one comparison are values of another about the same thing."""
    if then.sign in _EQUAL and now.sign in _UNEQUAL:
        return (
            bool(_LITERAL.fullmatch(then.right) and _LITERAL.fullmatch(now.right)) and then.right != now.right
        )
    if then.factor is None or now.factor is None or then.base != now.base:
        return False
    one, other = then.factor, now.factor
    if now.sign in _UNEQUAL and then.sign in _TURNED:
        return {"<": other >= one, "<=": other > one, ">": other <= one, ">=": other < one}[then.sign]
    if then.sign in _EQUAL:
        return {"<": one < other, "<=": one <= other, ">": one > other, ">=": one >= other}.get(
            now.sign, False
        )
    if then.sign[0] != now.sign[0] or then.sign in _UNEQUAL:
        return False
    strict = "=" in now.sign or "=" not in then.sign
    further = one < other if then.sign[0] == "<" else one > other
    return further or (one == other and strict)


def _asks_for_kind(part: str, name: str) -> bool:
    """Whether a part refuses all that is not of a kind, nothing at all included."""
    return part.startswith((f"not isinstance ( {name} ", f"! ( {name} instanceof ", f"typeof {name} !"))


def _asked(part: str) -> _Asked | None:
    """Read ``x . startswith ( wanted )`` and ``strings . HasPrefix ( x wanted )``."""
    words = part.split(" ")
    if len(words) > _LONGEST or words[-1] != ")":
        return None
    for at, word in enumerate(words[:-1]):
        if word in _BEGINS | _ENDS | _HOLDS and words[at + 1] == "(":
            how = "begins" if word in _BEGINS else "ends" if word in _ENDS else "holds"
            given = words[at + 2 : -1]
            if word[0].isupper() and words[:at] == ["strings", "."] and len(given) > 1:
                return _Asked(given[0], how, tuple(given[1:]))
            said = _plainly(words[: at - 1]), how, tuple(_plainly(given).split(" "))
            return _Asked(*said) if given else None
    return None


def _plainly(words: Sequence[str]) -> str:
    """Return what is asked about, whether or not it is made a text first."""
    return " ".join(words).removesuffix(" . toString ( )")


def _asks_less(asked: _Asked, wanted: _Asked) -> bool:
    """Whether one question about a text is answered with yes wherever another is."""
    if asked.of != wanted.of or (asked.how != wanted.how and wanted.how != "holds"):
        return False
    more, less = asked.wanted, wanted.wanted
    if len(less) == 1 and less[0].strip("\"'`") in ("", "/", ".", "\\\\"):
        return len(more) > 1 or more[0].strip("\"'`") != less[0].strip("\"'`")
    if not _PARENTS.isdisjoint(set(less) - set(more)) and set(more) & set(less) - {".", "(", ")"}:
        return True
    if wanted.how == "begins":
        return more[: len(less)] == less
    if wanted.how == "ends":
        return more[-len(less) :] == less
    return any(more[at : at + len(less)] == less for at in range(len(more)))
