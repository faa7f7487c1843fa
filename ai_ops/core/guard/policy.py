"""What a repository asks of the guard beyond its rules: it may be stricter, it cannot be looser.

There is no word for allowing something: a policy raises warnings, lowers limits and adds paths.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ai_ops.core.guard.findings import Finding, Limits, Severity

ALL = "all"

RULE_NAMES = {
    "unreadable_diff": "the patch itself cannot be read",
    "path_outside_root": "a path leaves the repository or reaches into `.git`",
    "protected_path": "git, CI, ownership, agents, secrets, lock files, and what the repository protects",
    "symlink_added": "a symbolic link is added, changed or removed",
    "submodule_changed": "a submodule is added, changed or removed",
    "mode_changed": "a file becomes executable or changes its mode",
    "binary_file": "a binary file is added, changed or removed",
    "test_configuration_changed": "a file, or its part, decides which tests run and how",
    "shadows_module": "a new module takes the place of one of Python's or of the test tools",
    "too_many_files": "more files than anybody reads",
    "diff_too_large": "more lines or characters than anybody reads",
    "secret_in_diff": "an added line holds a credential, or personal data",
    "hidden_characters": "invisible characters make code read otherwise than it runs",
    "package_index_changed": "packages are taken from another place",
    "dependency_added": "a manifest names a new dependency",
    "dependency_changed": "a manifest wants another version of a dependency",
    "licence_changed": "a licence file, or the header about it, is changed or gone",
    "swallowed_exception": "an error is caught, dropped or suppressed and nobody hears of it",
    "broadened_exception": "a handler takes more than before",
    "check_removed": "a check that raised or refused is gone, or its function is asked no more",
    "check_loosened": "a check refuses less than before, or a value is changed before the check sees it",
    "granted_to_nobody": "a function that judges says yes where there is nobody, or nothing, to judge",
    "check_changed": "a check has another condition, of which no rule can say whether it is looser",
    "authorization_removed": "what asks who may do something, or whose data is meant, is gone",
    "escaping_removed": "what makes a text harmless is gone",
    "protection_disabled": "verification, escaping or the like is switched off",
    "input_special_cased": "a value of the failure itself is treated otherwise",
    "detects_tests": "code can notice, end or forge a test run",
    "existing_test_changed": "an existing test is changed",
    "existing_test_extended": "tests are added to an existing file",
    "test_deleted": "a test is removed or renamed",
    "test_skipped": "a test is kept from running",
    "assertion_removed": "a test checks less than before",
    "reproduction_changed": "the fix touches the evidence",
    "not_a_new_file": "a reproduction changes what is there",
    "not_a_test": "a reproduction adds something that is no test",
    "looks_at_source": "a reproduction reads the code in place of running it",
    "probes_code": "a reproduction asks which names the code has",
    "syntax_error": "a Python file cannot be parsed any more",
    "unread_code": "a file is not understood, so it was read by its words or not at all",
}
"""Every rule of the guard by its stable name, and what it finds."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What ``guard:`` in ``.ai-ops.yml`` says.

    ``block`` names rules whose warnings withhold the change as well; ``all`` names every one. The sizes are
    those of ``Limits``, None where it says nothing.
    """

    block: frozenset[str] = frozenset()
    files: int | None = None
    lines: int | None = None
    characters: int | None = None
    protected_paths: tuple[str, ...] = ()

    def limits(self, server: Limits) -> Limits:
        """Return the smaller of each limit: a larger one than the server's has no effect."""
        return Limits(
            _smaller(self.files, server.files),
            _smaller(self.lines, server.lines),
            _smaller(self.characters, server.characters),
        )

    def raised(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Return findings with the warnings blocked that the policy names; none becomes milder."""
        return tuple(
            replace(each, severity=Severity.BLOCKED) if {ALL, each.rule} & self.block else each
            for each in findings
        )


def _smaller(wanted: int | None, most: int) -> int:
    return most if wanted is None else min(wanted, most)
