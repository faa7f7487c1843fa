"""The help of flags: they take no value, and help should not ask for ``<bool>``."""

from __future__ import annotations

from typing import Any


def without_values(command: Any) -> Any:
    """Return a command that names no value for its flags, nor those beneath it for theirs."""
    waiting = [command]
    while waiting:
        at = waiting.pop()
        waiting += getattr(at, "commands", {}).values()
        for option in at.params:
            if getattr(option, "is_flag", False):
                option.metavar = ""
    return command
