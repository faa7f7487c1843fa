"""The guard: what a repair may not do, read from its diff by fixed rules and no model.

A rule is a function from a ``Change`` to findings; ``RULES`` is the whole list. A blocked finding
withholds the change for a person, a warning stands beside the proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ai_ops.core import diff as patches
from ai_ops.core.guard import (
    apart,
    checking,
    clamping,
    content,
    dependencies,
    forging,
    granting,
    handlers,
    licences,
    looking,
    paths,
    probing,
    protecting,
    running,
    scoping,
    shadowing,
    special_cases,
    suite,
    unit_tests,
    unreached,
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
    "review_task",
]

Rule = Callable[[Change], Iterable[Finding]]
_MOST_CAUSES = 5

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
    apart.handed_away,
    checking.removed_checks,
    clamping.clamped_before_checks,
    unreached.asked_no_more,
    granting.granted_to_nobody,
    granting.granted_to_more,
    scoping.widened,
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
_TASK_RULES: tuple[Rule, ...] = (*_FILE_RULES, protecting.removed_protection, protecting.disabled_protection)
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
    cause_types: Sequence[str] = (),
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
        cause_types: the types of its causes, of which the same holds.
        test_files: the files that the baseline's report names; they are tests whatever their name.
        logged: what the log says of the error, so that a change made for that one input is seen.
        policy: what the repository asks for beyond the rules; it can only be stricter.
    """
    policy = policy or Policy()
    found: list[Finding] = []
    for kind in dict.fromkeys((exception_type, *cause_types[:_MOST_CAUSES])):

        def read(files: tuple[patches.FileDiff, ...], kind: str = kind) -> Change:
            return Change(
                files,
                len(diff),
                base,
                after,
                (*protected, *policy.protected_paths),
                policy.limits(limits or Limits()),
                reproduction or {},
                redact or default_redact,
                kind,
                test_files,
                logged=logged,
            )

        found += _review(RULES, diff, read)
    return _in_order(found, policy)


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
    found = _review(
        _REPRODUCTION_RULES,
        diff,
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
    return _in_order(found, policy)


def review_task(
    diff: str,
    base: Reader,
    after: Reader,
    *,
    protected: Sequence[str] = (),
    redact: Callable[[str], str] | None = None,
    policy: Policy | None = None,
) -> tuple[Finding, ...]:
    """Return what the rules find in a change that a person asked for, of any kind and without an error.

    They are those about files, secrets and protection: what a repair may not do to tests and handlers may be
    just what was asked for. The arguments are those of ``review``.
    """
    policy = policy or Policy()
    found = _review(
        _TASK_RULES,
        diff,
        lambda files: Change(
            files,
            len(diff),
            base,
            after,
            (*protected, *policy.protected_paths),
            policy.limits(Limits()),
            {},
            redact or default_redact,
        ),
    )
    return _in_order(found, policy)


def _nothing(_path: str) -> bytes | None:
    return None


def _review(
    rules: Sequence[Rule],
    diff: str,
    read: Callable[[tuple[patches.FileDiff, ...]], Change],
) -> list[Finding]:
    try:
        change = read(patches.parse(diff))
    except PermanentError as error:
        return [Finding("unreadable_diff", "", error.message)]
    try:
        return [finding for rule in rules for finding in rule(change)]
    finally:
        change.forget()


def _in_order(findings: Iterable[Finding], policy: Policy) -> tuple[Finding, ...]:
    """Return findings once each, as severe as the policy wants them, those that block first."""
    raised = policy.raised(dict.fromkeys(findings))
    return tuple(sorted(raised, key=lambda each: each.severity is not Severity.BLOCKED))
