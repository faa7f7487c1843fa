"""The Claude command line of a request, derived and never written by hand: what is shown is what is run.

A task's type says which tools there are. Whoever asks may narrow them by ``allowed_tools`` and never widen
them. The flags that confine are the same for every request.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ai_ops.flow.fixing import FixRequest
from ai_ops.flow.task import TaskType

READ_TOOLS: Final = ("Read", "Glob", "Grep")
EDIT_TOOLS: Final = (*READ_TOOLS, "Write", "Edit")
GIT_RULES: Final = tuple(f"Bash(git {verb}:*)" for verb in ("status", "diff", "log", "show", "blame"))
"""What a task may say to git that does not work on the shell: to look. The server commits."""

_BUDGET_SLACK = 1.25  # the gateway's word comes first: the CLI's own limit loses the answer
_ENTRY = re.compile(r"([A-Za-z]{1,40})(?:\(([^()\n]{1,200})\))?")


@dataclass(frozen=True, slots=True)
class Powers:
    """What a prompt task may do.

    ``tools`` are the CLI's tools, ``rules`` what of them needs no permission beyond reading and editing;
    ``writes`` whether its folder is writable, ``egress`` whether it has a way to the hosts of
    ``EGRESS_ALLOW``.
    """

    tools: tuple[str, ...]
    rules: tuple[str, ...] = ()
    writes: bool = False
    egress: bool = False


BY_TYPE: Final[Mapping[TaskType, Powers]] = {
    TaskType.LIGHTWEIGHT: Powers(READ_TOOLS),
    TaskType.MEDIUM_CONTEXT: Powers((*EDIT_TOOLS, "Bash"), GIT_RULES, writes=True),
    TaskType.HEAVY_CONTEXT: Powers(
        (*EDIT_TOOLS, "Bash", "WebFetch"), ("Bash", "WebFetch"), writes=True, egress=True
    ),
}


def powers(kind: TaskType, allowed: Sequence[str] | None = None) -> Powers:
    """Return what a task of a type may do.

    Args:
        kind: the type.
        allowed: names of tools, or of uses of one as ``Bash(git log:*)``; what the type does not have is left
            out. None: all that the type has.
    """
    most = BY_TYPE[kind]
    if allowed is None:
        return most
    wanted = [found for entry in allowed if (found := _ENTRY.fullmatch(entry.strip()))]
    names = {found[1] for found in wanted}
    tools = tuple(tool for tool in most.tools if tool in names)
    rules = tuple(dict.fromkeys(rule for found in wanted for rule in _narrowed(most, found[0], found[1])))
    writes = most.writes and not set(tools).isdisjoint({"Write", "Edit", "Bash"})
    egress = most.egress and not set(tools).isdisjoint({"Bash", "WebFetch"})
    return Powers(tools, rules, writes, egress)


def _narrowed(most: Powers, entry: str, name: str) -> tuple[str, ...]:
    """Return the rules that an entry leaves of a type's own."""
    if name in most.rules or entry in most.rules:  # the whole tool is the type's, or just this use
        return (entry,)
    return tuple(rule for rule in most.rules if entry == name and rule.startswith(f"{name}("))


def build_flags(request: FixRequest, extra: Sequence[str]) -> list[str]:
    """Return the CLI's flags for a request. ``extra`` stands before ours: of two, the last counts."""
    flags = [
        "--print",
        *extra,
        "--restricted",
        "--setting-sources=",
        "--strict-mcp-config",
        "--disable-slash-commands",
        f"--tools={','.join(request.tools)}",
        "--permission-mode=acceptEdits",
        "--permission-prompts=none",
        f"--max-budget-usd={request.budget_usd * _BUDGET_SLACK:.4f}",
        "--input-format=stream-json",
        "--output-format=stream-json",
        "--verbose",
    ]
    if request.rules:
        flags.append(f"--allowedTools={','.join(request.rules)}")
    if "WebFetch" in request.tools:  # it would ask its maker about every host; the proxy decides here
        flags.append('--settings={"skipWebFetchPreflight":true}')
    if request.session is not None:
        flags.append(f"--resume={request.session.id}")
    elif not request.keep_session:
        flags.append("--no-session-persistence")
    if request.model:
        flags.append(f"--model={request.model}")
    if not any(flag.startswith("--max-turns=") for flag in extra):
        flags.append(f"--max-turns={request.max_turns}")
    return flags


def command_line(request: FixRequest, extra: Sequence[str]) -> str:
    """Return the command of a request as it could be typed; the prompt comes on its standard input."""
    return shlex.join(["claude", *build_flags(request, extra)])
