"""A rule about a yes that is said for nobody: a missing user is let in where none was expected."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai_ops.core.guard.comparing import compared
from ai_ops.core.guard.findings import Change, Finding, Severity
from ai_ops.core.guard.syntax.checks import Check, grants
from ai_ops.core.guard.syntax.implications import says_less
from ai_ops.core.guard.words import is_about_safety

RULE = "granted_to_nobody"
_ABSENT = re.compile(
    r"(?:not|!) ?[\w. ]{1,80}|[\w. ]{1,80} (?:is|==|===) (?:None|null|nil|undefined|\"\"|'')"
    r"|(?:None|null|nil|undefined) (?:==|===) [\w. ]{1,80}|[\w. ]{1,80}\. (?:is_none|isEmpty|is_empty) \( \)"
    r"|len \( [\w. ]{1,80} \) == 0|[\w. ]{1,80}\. length (?:==|===) 0"
)
_ABOUT_LEAVE = re.compile(
    r"allow|permi|grant|access|privileg|admin|trusted|authentic|logged|verif", re.IGNORECASE
)

_MAY = re.compile(r"_*(?i:can|may)(?=[A-Z_])")


def granted_to_nobody(change: Change) -> Iterator[Finding]:
    """Find functions that judge and now say yes where there is nothing to judge.

    Blocked where the function decides who may do something. Elsewhere a value may be optional: a warning.
    """
    for path, before, after in compared(change):
        known = {(each.scope, each.when.code) for each in grants(before)}
        for each in grants(after):
            if (each.scope, each.when.code) in known or not _is_for_nobody(each):
                continue
            name = each.scope.rpartition(".")[2]
            severe = _ABOUT_LEAVE.search(name) or is_about_safety(name)
            text = f"{name or 'a function'} now says yes when {each.when.code[:120]}"
            severity = Severity.BLOCKED if severe else Severity.WARNING
            yield Finding(RULE, f"{path}:{each.line}", text, severity)


def granted_to_more(change: Change) -> Iterator[Finding]:
    """Find functions that decide who may do something and say yes under a weaker condition than before."""
    for path, before, after in compared(change):
        old, new = grants(before), grants(after)
        known = {(each.scope, each.when.code) for each in old}
        kept = {(each.scope, each.when.code) for each in new}
        gone: dict[str, list[Check]] = {}
        for one in old:
            if (one.scope, one.when.code) not in kept:
                gone.setdefault(one.scope, []).append(one)
        for each in new:
            if (each.scope, each.when.code) in known or each.otherwise or not _decides(each):
                continue
            more = next((code for one in gone.get(each.scope, ()) if (code := _more(one, each))), "")
            if more:
                text = f"{each.scope.rpartition('.')[2]} now says yes to more: {more[:120]}"
                yield Finding("check_loosened", f"{path}:{each.line}", text)


def _more(before: Check, after: Check) -> str:
    return "" if before.otherwise else says_less(before.when, after.when, demanded=True)


def _decides(grant: Check) -> bool:
    name = grant.scope.rpartition(".")[2]
    return bool(_ABOUT_LEAVE.search(name) or _MAY.match(name) or is_about_safety(name))


def _is_for_nobody(grant: Check) -> bool:
    """Whether one of the ways to a yes asks for nothing but an absence."""
    return not grant.otherwise and any(
        way and all(_ABSENT.fullmatch(part) for part in way) for way in grant.when.either
    )
