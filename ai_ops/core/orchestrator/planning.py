"""How a prompt task is put to Claude: in one place, so that what is shown before is what is run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ai_ops.core.orchestrator.tools import Folders, Policy
from ai_ops.core.task_commands import command_line, powers
from ai_ops.core.task_recovery import BY_TYPE, CHUNK_TURNS, PLAIN_TURNS, Recovery
from ai_ops.flow.fixing import FixMode, FixRequest, Purpose
from ai_ops.flow.task import TaskType


def type_of(payload: Mapping[str, Any]) -> TaskType:
    """Return the type of a prompt task; a payload without one may do least."""
    return TaskType(payload.get("type") or TaskType.LIGHTWEIGHT)


def plan_request(payload: Mapping[str, Any], policy: Policy, *, budget_usd: float) -> FixRequest:
    """Return the first request of a prompt task, without what only its run knows: ids, prompt and folder."""
    kind = type_of(payload)
    may, chunked = powers(kind, payload.get("allowed_tools")), BY_TYPE[kind] is Recovery.CHECKPOINT
    return FixRequest(
        run_id="",
        purpose=Purpose.TASK,
        round=1,
        nonce="",
        mode=FixMode.AGENTIC,
        prompt="",
        checkout=None,
        tools=may.tools,
        rules=may.rules,
        writes=may.writes,
        egress=may.egress,
        budget_usd=budget_usd,
        max_turns=CHUNK_TURNS if chunked else PLAIN_TURNS,
        model=policy.model,
        wall_seconds=float(payload.get("timeout_seconds") or policy.wall_seconds),
        idle_seconds=policy.idle_seconds,
        keep_session=chunked,
        pauses=chunked,
    )


@dataclass(frozen=True, slots=True)
class Planning:
    """Says what a task that is not there yet would do on this server.

    ``egress_allow`` are the hosts that a task with a way to the web may reach.
    """

    policy: Policy
    folders: Folders
    egress_allow: Sequence[str] = ()

    def open(self, folder: str) -> Path:
        """Return the real path of a folder that a task may work in; ``folder_not_allowed`` otherwise."""
        return self.folders.open(folder)

    def shown(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Return the plan of a prompt task as JSON: the command line, and what stands behind it."""
        own, most = payload.get("budget_usd"), self.policy.budget_usd_per_run
        request = plan_request(payload, self.policy, budget_usd=min(own, most) if own else most)
        kind = type_of(payload)
        return {
            "type": kind,
            "command": command_line(request, self.policy.claude_args),
            **asdict(powers(kind, payload.get("allowed_tools"))),
            "egress_allow": list(self.egress_allow) if request.egress else [],
            "recovery": BY_TYPE[kind],
            "budget_usd": request.budget_usd,
            "wall_seconds": request.wall_seconds,
            "idle_seconds": request.idle_seconds,
            "folder": payload.get("folder"),
            "pull_request": bool(payload.get("pull_request")),
        }
