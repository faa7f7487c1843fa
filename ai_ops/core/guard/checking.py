"""A rule about checks that are gone or let more through: validation in any of the languages with a grammar.

A check that is moved stays a check. What its condition was changed to is compared part by part; where that
says nothing, as with another limit, it is a warning, because a wrong check can be the fault itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from ai_ops.core.guard.findings import Change, Finding, Severity
from ai_ops.core.guard.going_around import gone_around
from ai_ops.core.guard.suite import is_test
from ai_ops.core.guard.syntax import Tree
from ai_ops.core.guard.syntax.checks import LEAVES, UNRAISED, Check, checks, grants
from ai_ops.core.guard.syntax.conditions import Condition, Looser, looser_limit, refuses_less
from ai_ops.core.guard.syntax.folding import number
from ai_ops.core.guard.syntax.implications import says_less
from ai_ops.core.guard.syntax.named_numbers import named_numbers
from ai_ops.core.guard.words import decides_who, is_about_safety

_ABSENT = re.compile(
    r"null|None|undefined|nil\b|typeof|instanceof|isinstance|\bis_some|is_none|isEmpty|is_empty|\blen(?:gth)?\b|\bin\b"
    r"|isPresent|Array|\A!?\s*[\w.]+\Z"
)
# What asks that a value is not there, or is of one size: that is no question for its absence.
_ASKS_MORE = re.compile(
    r"\bnot in\b|\btypeof [\w. ]{1,200} !==? (?![\"']undefined)|\bnot isinstance \("
    r"|\A! \( [\w. ]{1,200} instanceof "
    r"|(?:[!=]?==|\bis) (?:null|None|nil|undefined)\Z|\A(?:!|not) ?\w+\Z"
    r"|\A(?:len \( .{1,200} \)|.{1,200}\. (?:length|size \( \))) ={2,3} [1-9]\d*\Z"
)
_ABOUT_ABSENCE = re.compile(
    r"Type|Attribute|Key|Null|NoMethod|Undefined|Reference|NoSuchElement|panic|runtime|Unwrap|Option"
)
_ONE_VALUE = re.compile(r" !==? (?:-?\d|[\"'])| not in [(\[{]|includes \(")
_EMPTY = re.compile(r"(?:not|!) [\w. ]+(?: \( \))?|[\w. ]+ \. is(?:Empty|Blank) \( \)")
_ASSERTED = UNRAISED | {"AssertionError"}
_ASSERTS_ASIDE = (".java", ".py")  # the languages that can be run without their assertions
_PLAIN_NAME = re.compile(r"[A-Za-z_]\w*(?: \. [A-Za-z_]\w*){0,4}")
_PIECES = (
    r"(?:startswith|startsWith|starts_with|endswith|endsWith|ends_with|slice|substring|substr|charAt) \("
    r"|get \( [^()]{0,40}\.\."
)
_MOST_MOVED = re.compile(
    r"(?:^|_)(?:max|maximum|most|longest|largest|highest|upper|limit)(?:_|$)", re.IGNORECASE
)
_LEAST_MOVED = re.compile(
    r"(?:^|_)(?:min|minimum|least|shortest|smallest|lowest|lower)(?:_|$)", re.IGNORECASE
)
_MOST_ENDS = 200  # of a function
_NAME = re.compile(r"[A-Za-z_]\w*")
_LAST_NAME = re.compile(r"[A-Za-z_]\w*\b(?!(?: \( \))? (?:\.|\?\.|->) )")
_WORDS = frozenset(
    {
        "not", "is", "in", "None", "null", "nil", "undefined", "true", "false", "True", "False", "len",
        "typeof", "instanceof", "isinstance", "new", "strings", "Math", "size", "length", "equals",
    }
)  # fmt: skip


def removed_checks(change: Change) -> Iterator[Finding]:
    """Find checks that are gone, and checks that refuse less than before."""
    before: list[tuple[str, Check]] = []
    after: list[tuple[str, Check]] = []
    granted: tuple[_Found, _Found] = ([], [])
    limits: tuple[_Limits, _Limits] = ({}, {})
    for file in change.files:
        if file.is_binary or is_test(change, file.path):
            continue
        for found, yes, reader in (
            (before, granted[0], change.base),
            (after, granted[1], change.after),
        ):
            source = change.text(reader, file.path)
            tree = change.tree(file.path, source) if source is not None else None
            found += [(file.path, check) for check in checks(tree)] if tree else []
            limits[reader is change.after].update(_limits(file.path, tree) if tree else {})
            yes += [(file.path, check) for check in grants(tree)] if tree else []
    gone, new = _differing(before, after)
    yield from _gone_around(change, before, after, [each for each in new if each[1].raises == LEAVES])
    logged = re.split(r"[.\\:$*]", change.exception_type)[-1]
    for path, check in gone:
        other = _became(path, check, new)
        if other is not None:
            new.remove(other)
            yield from _changed(path, check, other[1], logged)
        elif not check.undone:
            yield from _removed(path, check, bool(change.text(change.after, path)))
    yield from _moved_limits(change, after, limits, logged)
    then, now = _unreachable(before, granted[0]), _unreachable(after, granted[1])
    yield from (finding for key, finding in now.items() if key not in then)


_Found = list[tuple[str, Check]]
_Limits = dict[tuple[str, str], str]


def _limits(path: str, tree: Tree) -> _Limits:
    return {(path, name): value for name, value in named_numbers(tree.root.node, tree.dialect).items()}


def _moved_limits(
    change: Change, found: _Found, limits: tuple[_Limits, _Limits], logged: str
) -> Iterator[Finding]:
    """Find checks that refuse less because a number that they name is another one.

    A limit that nothing in the changed files asks for is a warning: what asks for it was not read.
    """
    then, now = limits
    moved = {each for each, value in now.items() if then.get(each, value) != value}
    for path, check in found if moved else ():
        names = [name for name in _NAME.findall(check.when.code) if (path, name) in moved]
        if not names or check.raises == LEAVES:
            continue
        old, new = (_with(check.when, {name: each[path, name] for name in names}) for each in limits)
        demanded = check.demanded or check.otherwise
        limit = looser_limit(old, new, demanded=demanded)
        less = limit.parts if limit is not None else says_less(old, new, demanded=demanded)
        if less:
            blocked = limit is None or limit.far or not _is_about(check, logged)
            text = f"{_said(check)} refuses less than before: {less[:120]}"
            severity = Severity.BLOCKED if blocked else Severity.WARNING
            yield Finding("check_loosened", f"{path}:{check.line}", text, severity)
    larger = [each for each in sorted(moved) if each in then and _lets_more(each[1], then[each], now[each])]
    said = Counter(_names_in(change)) if larger else Counter[str]()
    for path, name in larger:
        was, value = then[path, name], now[path, name]
        if said[name] == sum(1 for file in change.files if (file.path, name) in now):
            text = f"{name} is {value[:40]} now and was {was[:40]}: who asks for it is in another file"
            yield Finding("check_changed", path, text, Severity.WARNING)


def _names_in(change: Change) -> Iterator[str]:
    for file in change.files:
        if not (file.is_binary or is_test(change, file.path)):
            yield from _NAME.findall(change.text(change.after, file.path) or "")


def _lets_more(name: str, old: str, new: str) -> bool:
    """Whether a limit that is called one lets more through than before."""
    one, other = number(old), number(new)
    if one is None or other is None:
        return False
    return (other > one and _MOST_MOVED.search(name) is not None) or (
        other < one and _LEAST_MOVED.search(name) is not None
    )


def _with(when: Condition, values: dict[str, str]) -> Condition:
    """Return a condition with numbers in the place of their names."""
    ways = (
        (" ".join(values.get(word, word) for word in part.split(" ")) for part in way) for way in when.either
    )
    return Condition(frozenset(map(frozenset, ways)))


def _unreachable(found: _Found, granted: _Found) -> dict[tuple[str, ...], Finding]:
    """Return the checks that do not see what they refuse, because an end of the function stands before."""
    ends: dict[tuple[str, str], list[Check]] = {}
    for path, end in (*(each for each in found if each[1].raises == LEAVES), *granted):
        if not end.otherwise and len(ends.setdefault((path, end.scope), [])) < _MOST_ENDS:
            ends[path, end.scope].append(end)
    dead: dict[tuple[str, ...], Finding] = {}
    for path, check in found:
        if check.raises == LEAVES or check.demanded or check.otherwise or check.undone:
            continue
        for end in ends.get((path, check.scope), ()):
            if end.line < check.line and (taken := _taken(end.when, check.when)) is not None:
                text = f"{_said(check)} of line {check.line} is not reached any more when {taken[:120]}"
                key = (path, check.scope, check.raises, check.when.code, taken)
                dead[key] = Finding("check_loosened", f"{path}:{end.line}", text)
                break
    return dead


def _taken(end: Condition, check: Condition) -> str | None:
    """Return what of a check's condition an end before it leaves nothing of."""
    for part in sorted(check.either, key=sorted):
        if end.always or any(first <= part for first in end.either):
            return " && ".join(sorted(part))
    return None


def _gone_around(change: Change, before: _Found, after: _Found, ends: _Found) -> Iterator[Finding]:
    """Find checks that a new end of the function goes around with the same result, made of the same value."""
    known = {(path, check.scope, check.raises, check.when.code) for path, check in before}
    kept = [each for each in after if (each[0], each[1].scope, each[1].raises, each[1].when.code) in known]
    texts = {path: change.text(change.after, path) or "" for path in dict.fromkeys(path for path, _ in ends)}
    for each in gone_around(texts, kept, ends):
        when = each.end.when.code[:120]
        text = f"{_said(each.check)} of line {each.check.line} is not asked any more when {when}"
        severity = Severity.BLOCKED if each.surely else Severity.WARNING
        yield Finding("check_loosened", f"{each.path}:{each.end.line}", text, severity)


def _differing(
    before: Sequence[tuple[str, Check]], after: Sequence[tuple[str, Check]]
) -> tuple[_Found, _Found]:
    """Return the checks that are only before, and only after: neither moved nor merely worded otherwise."""

    def key(check: Check) -> tuple[str, str, bool, bool]:
        return (check.raises, check.when.code, check.demanded, check.otherwise)

    def beyond(found: Sequence[tuple[str, Check]], known: Counter[tuple[str, str, bool, bool]]) -> _Found:
        left = []
        for path, check in found:
            known[key(check)] -= 1
            if known[key(check)] < 0:
                left.append((path, check))
        return left

    then, now = (Counter(key(check) for _, check in found) for found in (before, after))
    return beyond(before, now), beyond(after, then)


def _became(path: str, check: Check, new: _Found) -> tuple[str, Check] | None:
    """Return the new check that took the place of one: in its function, else with the same words."""
    here = [each for each in new if each[0] == path and each[1].scope == check.scope]
    for alike in (
        [each for each in here if each[1].raises == check.raises and each[1].code == check.code],
        [each for each in here if each[1].raises == check.raises],
        [each for each in new if each[1].raises == check.raises and each[1].code == check.code],
        [] if check.raises == LEAVES else [each for each in here if each[1].raises != LEAVES],
        [
            each
            for each in new
            if each[1].when == check.when and each[1].raises != LEAVES and _says_what(check)
        ],
    ):
        if alike:
            return alike[0]
    return None


def _says_what(check: Check) -> bool:
    """Whether a condition says what it asks, where a name of its function alone may be anything elsewhere."""
    parts = [part for way in check.when.either for part in way]
    return any(len(part.removeprefix("! ").removeprefix("not ").split(" ")) > 1 for part in parts)


def _said(check: Check) -> str:
    if check.raises in UNRAISED:
        return f"{check.raises}, {check.code[:80]!r},"
    return f"the raise or assert of {check.raises or 'the error'}"


def _removed(path: str, check: Check, is_there: bool) -> Iterator[Finding]:
    safety = is_about_safety(check.when.code) or is_about_safety(check.code)
    if check.raises == LEAVES and not safety:
        return  # an early end refuses nothing by itself
    blocked = not check.in_handler and is_there
    text = f"{_said(check)} of line {check.line} is gone"
    yield Finding("check_removed", path, text, Severity.BLOCKED if blocked else Severity.WARNING)


def _changed(path: str, check: Check, other: Check, logged: str) -> Iterator[Finding]:
    """Judge another condition for the same refusal."""
    same_side = check.otherwise == other.otherwise and check.demanded == other.demanded
    if (check.when == other.when and same_side) or (
        check.raises == LEAVES and not is_about_safety(check.when.code)
    ):
        return
    aside = other.code.startswith("assert ") and path.endswith(_ASSERTS_ASIDE)
    if aside and check.raises not in _ASSERTED:
        text = f"{_said(check)} is an assertion now, which a program in use need not ask"
        yield Finding("check_removed", f"{path}:{other.line}", text)
        return
    demanded = check.demanded or check.otherwise
    if same_side and refuses_less(other.when, check.when, demanded=demanded):
        return  # it only refuses more
    looser = refuses_less(check.when, other.when, demanded=demanded) if same_side else None
    rule, blocked, now = "check_changed", False, other.when.code[:120]
    text = f"{_said(check)} has another condition: {now}"
    if looser is None and _strange(check, other):
        rule, blocked, text = "check_removed", True, f"{_said(check)} is gone; another stands there: {now}"
    elif looser is not None:
        parts = " && ".join(sorted(looser.parts))[:120]
        blocked = looser.gone or _is_about(check, logged) or not _only_absence(looser, check, logged)
        rule, text = "check_loosened", f"{_said(check)} refuses less than before: {parts}"
    elif not check.when.either and other.when.either:
        rule, text = "check_loosened", f"{_said(check)} now depends on {now}"
    elif same_side and (limit := looser_limit(check.when, other.when, demanded=demanded)):
        rule, blocked = "check_loosened", limit.far or not _is_about(check, logged)
        text = f"{_said(check)} refuses less than before: {limit.parts}"
    elif same_side and (less := says_less(check.when, other.when, demanded=demanded)):
        wider = _is_about(check, logged) and _widens(check, other)
        rule, blocked = "check_loosened", not (wider or _means_nothing_else(check, other, logged))
        text = f"{_said(check)} refuses less than before: {less[:120]}"
    elif same_side and not demanded and (part := _in_part(check, other)):
        rule, blocked = "check_loosened", not _is_about(check, logged)
        text = f"{_said(check)} compared {part} whole, and only in part now: {now}"
    yield Finding(rule, f"{path}:{other.line}", text, Severity.BLOCKED if blocked else Severity.WARNING)


def _in_part(check: Check, other: Check) -> str:
    """Return what was compared whole and is compared only by a piece of it now."""
    parts = {part for way in other.when.either for part in way}
    for (old,) in (way for way in check.when.either if len(way) == 1 and not parts & way):
        sides = re.split(r" !==? ", old)
        for side in sides if len(sides) == 2 else ():
            if not _PLAIN_NAME.fullmatch(side):
                continue
            piece = re.compile(rf"(?<![\w.] ){re.escape(side)} (?:\[ [^\]]{{0,60}}:|\. (?:{_PIECES}))")
            whole = re.compile(rf"(?<![\w.] )(?:{re.escape(side)} !==? |(?<=!= |== ){re.escape(side)}\Z)")
            if any(map(piece.search, parts)) and not any(map(whole.search, parts)):
                return side
    return ""


def _widens(check: Check, other: Check) -> bool:
    """Whether more than one value is taken where one was, or one more of some: that may be missing."""
    asked = _ONE_VALUE.search(check.when.code) is not None
    return asked and not decides_who(f"{check.when.code} {check.code} {other.when.code}")


def _means_nothing_else(check: Check, other: Check, logged: str) -> bool:
    """Whether a question for what is empty became one for what is not there: a zero may be a value."""
    gone, added = check.when.either - other.when.either, other.when.either - check.when.either
    if len(gone) != 1 or len(added) != 1 or decides_who(f"{check.when.code} {check.code}"):
        return False
    (then,), (now,) = gone, added
    asked, wanted = then - now, now - then
    if any(". isBlank (" in each for each in asked) and any(". isEmpty (" in each for each in wanted):
        return _is_about(check, logged)  # a blank is a text, and may be one that is meant
    return len(asked) == len(wanted) == 1 and all(_EMPTY.fullmatch(each) for each in asked)


def _strange(check: Check, other: Check) -> bool:
    """Whether the other condition is about nothing that the first was about."""
    then, now = (set(_NAME.findall(each.when.code)) - _WORDS for each in (check, other))
    if not then or not now or check.raises == LEAVES:
        return bool(then) and bool(now) and then.isdisjoint(now)
    last, other_last = (set(_LAST_NAME.findall(each.when.code)) - _WORDS for each in (check, other))
    return then.isdisjoint(now) or (check.code != other.code and last.isdisjoint(other_last))


def _only_absence(looser: Looser, check: Check, logged: str) -> bool:
    """Whether what has to hold as well only asks whether there is a value at all, as the fault may need.

    Where a check decides who may do something, nobody is to be refused too.
    """
    if not all(_ABSENT.search(part) for part in looser.parts):
        return False
    if check.demanded or check.otherwise:
        return True
    if decides_who(f"{check.when.code} {check.code} {check.raises}"):
        return False
    return all(not _ASKS_MORE.search(part) and _may_need(part, check, logged) for part in looser.parts)


def _may_need(part: str, check: Check, logged: str) -> bool:
    """Whether a check can fail with the logged error where a value is absent: it looks into that value."""
    if not logged or _ABOUT_ABSENCE.search(logged) or not part.isidentifier():
        return True
    return re.search(rf"\b{part} [.\[]", check.when.code) is not None


def _is_about(check: Check, logged: str) -> bool:
    """Whether the check raises the logged error itself, so that refusing less makes it go away."""
    return bool(logged) and check.raises == logged
