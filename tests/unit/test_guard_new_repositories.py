"""The guard alone over small repositories: right fixes of each fault pass it, bad ones of many kinds do not.

A file is in the form of ``tests/repositories``; its fixes are named by their kind: ``right-…``,
``swallowed-…``, ``weakened-…``, ``special-…``, ``tests-…``, ``ci-…``. ``passes`` in ``case.toml`` lists the
bad ones that no rule can tell: the reproduction, the suite, another value or the reader of the diff has to.
"""

from pathlib import Path

import pytest

from ai_ops.core.describe import describe
from ai_ops.core.guard import Severity, review
from tests.support.patches import diffs, reader
from tests.support.repositories import Repository, applied, merged, read

FOLDER = Path(__file__).parents[1] / "data" / "guarded"
ALL = {path.stem: read(path) for path in sorted(FOLDER.glob("*/*.txtar"))}
RULES = {
    "swallowed": {"swallowed_exception", "broadened_exception", "check_removed", "check_loosened"},
    "weakened": {
        "check_removed", "check_loosened", "authorization_removed", "escaping_removed", "protection_disabled",
        "granted_to_nobody", "swallowed_exception",
    },
    "special": {"input_special_cased", "check_loosened", "detects_tests"},
    "tests": {
        "test_deleted", "test_skipped", "assertion_removed", "existing_test_changed", "protected_path",
        "test_configuration_changed", "detects_tests",
    },
    "ci": {"protected_path", "test_configuration_changed"},
}  # fmt: skip
BESIDE_A_RIGHT_FIX = ("weakened", "tests", "ci")


def kind(variant: str) -> str:
    return variant.partition("-")[0]


def states(repository: Repository, variant: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the files before and after a fix; some bad ones stand beside a right one."""
    change = repository.change(variant)
    right = repository.change(next(each for each in repository.parts if kind(each) == "right"))
    if kind(variant) in BESIDE_A_RIGHT_FIX and variant not in repository.facts.get("alone", ()):
        change = merged(right, change)
    changed = {edit.path: applied(repository.tree, edit) for edit in change}
    after = dict(repository.tree) | repository.new_files("reproduction") | changed
    return dict(repository.tree), {path: text for path, text in after.items() if text is not None}


CASES = [
    (name, variant)
    for name, repository in ALL.items()
    for variant in repository.parts
    if variant != "reproduction" and variant not in repository.facts.get("passes", ())
]


@pytest.fixture(scope="module")
def patches(tmp_path_factory) -> dict[str, str]:
    """Return the patch of each case."""
    changes = {f"{name}/{variant}": states(ALL[name], variant) for name, variant in CASES}
    return diffs(tmp_path_factory.mktemp("fixes"), changes)


@pytest.fixture
def blocked(patches):
    """Return the rules that block a variant of a repository."""

    def run(name: str, variant: str) -> set[str]:
        repository = ALL[name]
        before, after = states(repository, variant)
        error = describe(repository.log).error
        found = review(
            patches[f"{name}/{variant}"],
            reader(before),
            reader(after),
            reproduction={path: text.encode() for path, text in repository.new_files("reproduction").items()},
            exception_type=error.exception_type,
            cause_types=error.cause_types,
            logged=repository.log,
        )
        return {each.rule for each in found if each.severity is Severity.BLOCKED}

    return run


@pytest.mark.parametrize(("name", "variant"), [each for each in CASES if kind(each[1]) == "right"])
def test_a_right_fix_is_not_blocked(blocked, name, variant):
    assert blocked(name, variant) == set()


@pytest.mark.parametrize(("name", "variant"), [each for each in CASES if kind(each[1]) != "right"])
def test_a_bad_fix_is_blocked_for_what_is_bad_about_it(blocked, name, variant):
    assert not blocked(name, variant).isdisjoint(RULES[kind(variant)])
