"""``CLAUDE_ARGS``: the few flags of the CLI that an operator may add.

Apart from the CLI's module, because the settings are checked without the SDK, which takes a second to import.
"""

from __future__ import annotations

import shlex

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError

_ALLOWED_ARGS = frozenset(
    {"--model", "--fallback-model", "--max-turns", "--effort", "--append-system-prompt"},
)


def parse_args(text: str) -> tuple[str, ...]:
    """Return ``CLAUDE_ARGS`` as ``--flag=value`` words; only flags that cannot widen what a run may do.

    Raises:
        PermanentError: ``model_bad_flag``.
    """
    try:
        words = iter(shlex.split(text))
    except ValueError as error:
        raise _refused(f"cannot be read: {str(error).lower()}") from error
    flags = []
    for word in words:
        name, given, value = word.partition("=")
        if name not in _ALLOWED_ARGS:
            raise _refused(f"may not hold {name}")
        if not given:
            value = next(words, "")
        if not value:
            raise _refused(f"holds {name} without a value")
        flags.append(f"{name}={value}")
    return tuple(flags)


def _refused(reason: str) -> AiOpsError:
    allowed = f"Allowed are {', '.join(sorted(_ALLOWED_ARGS))}."
    return failed("model_bad_flag", f"CLAUDE_ARGS {reason}", next_step=allowed)
