"""Which models may be asked: ``CLAUDE_ALLOWED_MODELS``, globs of model ids."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase


def is_allowed(model: str, allowed: Sequence[str]) -> bool:
    """Whether a model is on the list; an empty list allows all."""
    return not allowed or any(fnmatchcase(model, glob) for glob in allowed)
