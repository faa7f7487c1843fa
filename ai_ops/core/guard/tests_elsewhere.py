"""Existing files of tests in other languages than Python: whether tests are only added, or weakened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ai_ops.core.guard.findings import Finding
from ai_ops.core.guard.syntax import Tree
from ai_ops.core.guard.syntax.tests import Unit, imports_more, units


def only_adds(before: Tree, after: Tree) -> bool:
    """Whether everything that was there stays as it is, and what is new are plain tests with other names.

    They may stand in a group of their own.
    """
    old, new = units(before), units(after)
    places = {unit.place for unit in old}
    at, added = 0, 0
    for unit in new:
        if at < len(old) and _same(old[at], unit):
            at += 1
        elif unit.plain and (unit.is_import or (unit.is_group and unit.place not in places)):
            continue
        elif not (unit.is_test and unit.plain and unit.checks):
            return False
        else:
            added += 1
    names = [(unit.place, unit.name) for unit in new if unit.is_test]
    return at == len(old) and added > 0 and len(names) == len(set(names))


def _same(old: Unit, new: Unit) -> bool:
    if (old.place, old.code) == (new.place, new.code):
        return True
    return old.is_import and new.is_import and imports_more(old, new)


def weakened(path: str, before: Tree, after: Tree) -> Iterator[Finding]:
    """Find tests that are gone, and tests that check less."""
    now = _by_name(units(after))
    for (place, name), unit in _by_name(units(before)).items():
        there = now.get((place, name))
        if there is None:
            yield Finding("test_deleted", f"{path}::{place}{name}", "the test is removed or renamed")
        elif there.checks < unit.checks:
            text = f"it had {unit.checks} checks and has {there.checks}"
            yield Finding("assertion_removed", f"{path}::{place}{name}", text)


def _by_name(found: Sequence[Unit]) -> dict[tuple[str, str], Unit]:
    return {(unit.place, unit.name): unit for unit in found if unit.is_test}
