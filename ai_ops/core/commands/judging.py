"""All the rules, as one question: which of them does a command meet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ai_ops.core.commands import (
    administering,
    clouds,
    credentials,
    deleting,
    exhausting,
    machine,
    packages,
    programs,
    repositories,
    sending,
    stores,
    windows,
)
from ai_ops.core.commands.call import Call

_RULES: Final = (
    deleting.deletions,
    deleting.disks,
    deleting.rights,
    administering.administration,
    administering.attacks,
    sending.shells,
    sending.downloads,
    sending.leaks,
    credentials.credentials,
    machine.later,
    machine.traces,
    machine.stops,
    exhausting.exhaustion,
    packages.packages,
    repositories.repositories,
    clouds.infrastructure,
    stores.containers,
    stores.databases,
    programs.programs,
    programs.options,
    windows.windows,
)


def rules_of(call: Call) -> Iterator[str]:
    """Yield the names of the rules that a command meets."""
    for rule in _RULES:
        yield from rule(call)
