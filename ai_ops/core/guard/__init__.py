"""The guard: what a repair may not do, read from its diff by fixed rules and no model.

A rule is a function from a ``Change`` to findings; ``RULES`` is the whole list. A blocked finding
withholds the change for a person, a warning stands beside the proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ai_ops.core import diff as patches
from ai_ops.core.guard import (
    checking,
    content,
    dependencies,
    forging,
    handlers,
    licences,
    looking,
    paths,
    probing,
    protecting,
    running,
    shadowing,
    special_cases,
    suite,
    unit_tests,
)
from ai_ops.core.guard.findings import Change, Finding, Limits, Reader, Severity
from ai_ops.core.guard.policy import Policy
from ai_ops.core.guard.suite import not_tests
from ai_ops.core.redaction import redact as default_redact
from ai_ops.errors import PermanentError

__all__ = [
    "RULES",
    "Change",
    "Finding",
    "Limits",
    "Policy",
    "Reader",
    "Severity",
    "not_tests",
    "review",
    "review_reproduction",
]

Rule = Callable[[Change], Iterable[Finding]]

_FILE_RULES: tuple[Rule, ...] = (
    paths.outside_root,
    paths.protected,
    paths.links_and_modes,
    paths.binary,
    paths.steers_tests,
    shadowing.shadows,
    content.size,
    content.secrets,
    content.hidden_characters,
    content.package_indexes,
    dependencies.dependencies,
    licences.licence_headers,
)
RULES: tuple[Rule, ...] = (
    *_FILE_RULES,
    handlers.unread,
    handlers.swallowed,
    handlers.hides_logged,
    checking.removed_checks,
    protecting.removed_protection,
    protecting.disabled_protection,
    special_cases.special_cases,
    forging.detects_tests,
    forging.looks_around,
    running.plays_to_runner,
    suite.existing_tests,
    unit_tests.changed_unit_tests,
    suite.skipped,
    suite.reproduction,
)
_REPRODUCTION_RULES: tuple[Rule, ...] = (
    *_FILE_RULES,
    suite.only_new_files,
    suite.only_tests,
    forging.forges_report,
    running.forges_run,
    looking.looks_at_source,
    probing.probes_code,
)


def review(
    diff: str,
    base: Reader,
    after: Reader,
    *,
    protected: Sequence[str] = (),
    limits: Limits | None = None,
    reproduction: Mapping[str, bytes] | None = None,
    redact: Callable[[str], str] | None = None,
    exception_type: str = "",
    test_files: frozenset[str] = frozenset(),
    logged: str = "",
    policy: Policy | None = None,
) -> tuple[Finding, ...]:
    """Return everything the rules find in a fix, blocked findings first.

    Args:
        diff: ``git diff --binary --full-index --no-renames`` of the fix against the base commit; it may
            contain the reproduction.
        base: returns a file's bytes at the base commit, None where there is none.
        after: returns a file's bytes after the fix.
        protected: further protected patterns, as in ``.ai-ops.yml``.
        limits: how large a change may be.
        reproduction: the reproduction's files as they failed on the base; the fix may not touch them.
        redact: a redactor's, to find credentials in added lines; the built-in rules when None.
        exception_type: the logged error's type; a new handler that may catch it has to raise.
        test_files: the files that the baseline's report names; they are tests whatever their name.
        logged: what the log says of the error, so that a change made for that one input is seen.
        policy: what the repository asks for beyond the rules; it can only be stricter.
    """
    policy = policy or Policy()
    return _review(
        RULES,
        diff,
        policy,
        lambda files: Change(
            files,
            len(diff),
            base,
            after,
            (*protected, *policy.protected_paths),
            policy.limits(limits or Limits()),
            reproduction or {},
            redact or default_redact,
            exception_type,
            test_files,
            logged=logged,
        ),
    )


def review_reproduction(
    diff: str,
    *,
    protected: Sequence[str] = (),
    limits: Limits | None = None,
    redact: Callable[[str], str] | None = None,
    collected: frozenset[str] | None = None,
    policy: Policy | None = None,
) -> tuple[Finding, ...]:
    """Return everything the rules find in a reproduction: it may add tests and nothing else.

    ``collected`` are the files that its report names. Before there is a report it is None, and whether
    every file is a test stays open: ask again, or ``not_tests``, with the report.
    """
    policy = policy or Policy()
    return _review(
        _REPRODUCTION_RULES,
        diff,
        policy,
        lambda files: Change(
            files,
            len(diff),
            _nothing,
            _nothing,
            (*protected, *policy.protected_paths),
            policy.limits(limits or Limits()),
            {},
            redact or default_redact,
            collected=collected,
        ),
    )


def _nothing(_path: str) -> bytes | None:
    return None


def _review(
    rules: Sequence[Rule],
    diff: str,
    policy: Policy,
    read: Callable[[tuple[patches.FileDiff, ...]], Change],
) -> tuple[Finding, ...]:
    try:
        change = read(patches.parse(diff))
    except PermanentError as error:
        return (Finding("unreadable_diff", "", error.message),)
    found = dict.fromkeys(finding for rule in rules for finding in rule(change))
    return tuple(sorted(policy.raised(found), key=lambda finding: finding.severity is not Severity.BLOCKED))
