"""Errors that an installation expects: ``[[expected]]`` in ``ai-ops.toml``.

Some errors are an answer to a user, or the business of another team, and only people know which. A rule
names them and says why; their issues keep the reason, go on counting, and start no repair by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ai_ops.core.triage import short_type, triage
from ai_ops.flow.event import ErrorDetail
from ai_ops.flow.issue import TriageClass, TriageDecision


@dataclass(frozen=True, slots=True)
class ExpectedRule:
    """What an expected error looks like; all that is given must fit.

    Attributes:
        reason: why it is expected, for people.
        type: a glob over the exception's type, with or without its package.
        message: a text that the message holds, in any case of letters.
        path: a glob over the files of the application's frames, from the root or from any folder.
        repo: a glob over the repository's key, ``github.com/acme/*``.
    """

    reason: str
    type: str = ""
    message: str = ""
    path: str = ""
    repo: str = ""

    def fits(self, error: ErrorDetail, repo_key: str) -> bool:
        """Return whether the rule means this error of this repository."""
        return (
            self._fits_type(error.exception_type)
            and self.message.casefold() in (error.message or error.raw_excerpt).casefold()
            and self._fits_path(error)
            and (not self.repo or fnmatchcase(repo_key, self.repo))
        )

    def _fits_type(self, name: str) -> bool:
        return not self.type or any(fnmatchcase(word, self.type) for word in (name, short_type(name)))

    def _fits_path(self, error: ErrorDetail) -> bool:
        if not self.path:
            return True
        files = [frame.file.replace("\\", "/") for frame in error.frames if frame.in_app]
        return any(fnmatchcase(file, glob) for file in files for glob in (self.path, f"*/{self.path}"))


def judge(
    error: ErrorDetail, level: str, repo_key: str, rules: Sequence[ExpectedRule] = ()
) -> TriageDecision:
    """Return the first rule's word on an error, or what triage says of it."""
    for rule in rules:
        if rule.fits(error, repo_key):
            return TriageDecision(
                TriageClass.EXPECTED, False, f"A rule of this server expects it: {rule.reason}"
            )
    return triage(error, level)
