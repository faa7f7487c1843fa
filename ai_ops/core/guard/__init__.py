"""The guard: what a repair may not do, read from its diff by fixed rules and no model.

A rule is a function from a ``Change`` to findings; ``RULES`` is the whole list. A blocked finding
withholds the change for a person, a warning stands beside the proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from ai_ops.core import diff as patches
from ai_ops.core.guard import content, handlers, paths, suite
from ai_ops.core.guard.findings import Change, Finding, Limits, Reader, Severity
from ai_ops.core.redaction import redact as default_redact
from ai_ops.errors import PermanentError

__all__ = ["RULES", "Change", "Finding", "Limits", "Reader", "Severity", "review", "review_reproduction"]

Rule = Callable[[Change], Iterable[Finding]]

_FILE_RULES: tuple[Rule, ...] = (
    paths.outside_root,
    paths.protected,
    paths.links_and_modes,
    paths.binary,
    paths.steers_tests,
    content.size,
    content.secrets,
    content.hidden_characters,
    content.package_indexes,
)
RULES: tuple[Rule, ...] = (
    *_FILE_RULES,
    handlers.swallowed,
    handlers.removed_raise,
    suite.detects_tests,
    suite.existing_tests,
    suite.skipped,
    suite.reproduction,
)
_REPRODUCTION_RULES: tuple[Rule, ...] = (*_FILE_RULES, suite.only_new_files)


def review(
    diff: str,
    base: Reader,
    after: Reader,
    *,
    protected: Sequence[str] = (),
    limits: Limits | None = None,
    reproduction: Mapping[str, bytes] | None = None,
    redact: Callable[[str], str] | None = None,
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
    """
    return _review(RULES, diff, base, after, protected, limits, reproduction, redact)


def review_reproduction(
    diff: str,
    *,
    protected: Sequence[str] = (),
    limits: Limits | None = None,
    redact: Callable[[str], str] | None = None,
) -> tuple[Finding, ...]:
    """Return everything the rules find in a reproduction: it may add files and nothing else."""
    return _review(_REPRODUCTION_RULES, diff, _nothing, _nothing, protected, limits, None, redact)


def _nothing(_path: str) -> bytes | None:
    return None


def _review(
    rules: Sequence[Rule],
    diff: str,
    base: Reader,
    after: Reader,
    protected: Sequence[str],
    limits: Limits | None,
    reproduction: Mapping[str, bytes] | None,
    redact: Callable[[str], str] | None,
) -> tuple[Finding, ...]:
    try:
        files = patches.parse(diff)
    except PermanentError as error:
        return (Finding("unreadable_diff", "", error.message),)
    change = Change(
        files,
        len(diff),
        base,
        after,
        tuple(protected),
        limits or Limits(),
        reproduction or {},
        redact or default_redact,
    )
    found = dict.fromkeys(finding for rule in rules for finding in rule(change))
    return tuple(sorted(found, key=lambda finding: finding.severity is not Severity.BLOCKED))
