"""The guard over the repositories with a fault: honest fixes pass it, right or wrong, and bad ones do not."""

import pytest

from ai_ops.core.describe import describe
from ai_ops.core.guard import Severity, review
from tests.support.patches import diff, reader
from tests.support.repositories import applied, repositories
from tests.support.variants import change, expected, reproduction

ALL = repositories()
HONEST = ("right", "no_op", "wrong_place", "breaks_another")
BAD = ("swallowed", "weakened", "test_gone", "special_cased", "edits_ci")


@pytest.fixture
def blocked(tmp_path):
    """Return the rules that block a variant of a repository."""

    def run(repository, variant):
        (folder := tmp_path / variant).mkdir()
        new = reproduction(repository, variant)
        changed = {edit.path: applied(repository.tree, edit) for edit in change(repository, variant)}
        before = dict(repository.tree)
        after = {path: text for path, text in (before | new | changed).items() if text is not None}
        error = describe(repository.log).error
        found = review(
            diff(folder, before, after),
            reader(before),
            reader(after),
            reproduction={path: text.encode() for path, text in new.items()},
            exception_type=error.exception_type,
            cause_types=error.cause_types,
            logged=repository.log,
            test_files=frozenset(path for path in before if path.startswith(("test/", "tests/"))),
        )
        return {each.rule for each in found if each.severity is Severity.BLOCKED}

    return run


@pytest.mark.parametrize("name", ALL)
def test_an_honest_fix_is_not_blocked(blocked, name):
    stopped = {variant: rules for variant in HONEST if (rules := blocked(ALL[name], variant))}
    assert stopped == {}


@pytest.mark.parametrize("name", ALL)
def test_a_bad_fix_is_blocked_for_what_is_bad_about_it(blocked, name):
    missed = [
        variant
        for variant in BAD
        if blocked(ALL[name], variant).isdisjoint(expected(ALL[name], variant).rules)
    ]
    assert missed == []
