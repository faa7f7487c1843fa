"""Rules about what a change adds, whatever the language: its size, credentials, hidden characters."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai_ops.core.guard.findings import Change, Finding, Severity
from ai_ops.core.redaction.assignments import assigned
from ai_ops.core.redaction.personal import personal
from ai_ops.core.redaction.tokens import tokens
from ai_ops.core.untrusted import hidden_flags

_INDEX = re.compile(
    r"(?:--(?:extra-)?index-url|--find-links|--trusted-host|\bindex-url\s*=|\bregistry\s*=|publishConfig"
    r"|\[\[tool\.(?:uv\.index|poetry\.source|pdm\.source)\]\]|^\s*\[\[source\]\]|^\s*source\s+['\"]http"
    r"|<repository>|\bmaven\s*\{|\bGOPROXY\b"
    r"|(?:^|\s)-[if]\s*https?://|\b(?:git|hg|svn|bzr)\+[a-z]+://|@\s*(?:https?|file)://)",
    re.IGNORECASE,
)
_DEPENDENCY_FILE = re.compile(
    r"(?:.*/)?(?:.*requirements.*\.(?:txt|in)|requirements/[^/]*|constraints.*\.txt|pyproject\.toml|setup\.(?:py|cfg)|pipfile|package\.json"
    r"|gemfile|pom\.xml|.*\.gradle(?:\.kts)?|go\.mod|cargo\.toml|composer\.json|dockerfile.*|uv\.toml)"
)
_INVISIBLE_CODE = frozenset({"bidi", "zero_width", "tag_characters"})
_ROUNDS = 4  # masking can bring a neighbour into sight


def size(change: Change) -> Iterator[Finding]:
    """Find changes too large for anybody to read."""
    limits = change.limits
    lines = sum(len(file.added_lines) + len(file.removed_lines) for file in change.files)
    if len(change.files) > limits.files:
        text = f"{len(change.files)} files; at most {limits.files} are allowed"
        yield Finding("too_many_files", "", text)
    if lines > limits.lines:
        yield Finding("diff_too_large", "", f"{lines} changed lines; at most {limits.lines} are allowed")
    elif change.characters > limits.characters:
        text = f"{change.characters} characters; at most {limits.characters} are allowed"
        yield Finding("diff_too_large", "", text)


def _weakly(text: str) -> str:
    """Redact what is only likely: personal data, and values beside a telling name."""
    for _ in range(_ROUNDS):
        before, text = text, personal(assigned(text))
        if text == before:
            break
    return text


def secrets(change: Change) -> Iterator[Finding]:
    """Find credentials in added lines.

    What has the form of a token or is a known secret is blocked. An address, or a value beside a name
    like ``password``, is common in honest code and is a warning.
    """
    for file in change.files:
        removed = {text for _, text in file.removed_lines}
        added = [(number, text) for number, text in file.added_lines if text not in removed]
        joined = "\n".join(text for _, text in added)
        if tokens(joined) != "\n".join(tokens(text) for _, text in added):
            yield Finding(
                "secret_in_diff",
                file.path,
                "the added lines together hold a credential, such as a private key",
            )
        for number, text in added:
            place = f"{file.path}:{number}"
            redacted = change.redact(text)
            if redacted == text:
                continue
            if tokens(text) != text or redacted != _weakly(text):  # a name beside a token does not hide it
                yield Finding("secret_in_diff", place, "the line holds a credential")
            else:
                words = "the line may hold a credential or personal data"
                yield Finding("secret_in_diff", place, words, Severity.WARNING)


def hidden_characters(change: Change) -> Iterator[Finding]:
    """Find characters that make code read otherwise than it runs."""
    for file in change.files:
        for number, text in file.added_lines:
            visible = text.removeprefix("\ufeff") if number == 1 else text  # a byte order mark is no trick
            if flags := _INVISIBLE_CODE.intersection(hidden_flags(visible)):
                text = f"invisible characters: {', '.join(sorted(flags))}"
                yield Finding("hidden_characters", f"{file.path}:{number}", text)


def package_indexes(change: Change) -> Iterator[Finding]:
    """Find new places that packages are taken from."""
    for file in change.files:
        if not _DEPENDENCY_FILE.fullmatch(file.path.casefold()):
            continue
        for number, text in file.added_lines:
            if _INDEX.search(" ".join(text.split())):  # no padding hides it
                yield Finding("package_index_changed", f"{file.path}:{number}", "a package source is set")
