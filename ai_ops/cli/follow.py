"""A run as it happens, and the steps of one that is over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import typer

from ai_ops.cli.client import ApiClient
from ai_ops.cli.exits import Exit
from ai_ops.cli.output import finish, line, passing, table
from ai_ops.cli.tables import Column

_GOOD, _BAD = "✓", "✗"
_ENDED = ("done", "failed")


def follow(client: ApiClient, task_id: str, *, silent: bool = False) -> dict[str, Any]:
    """Print the steps of a task's present run as they end, and return the task once the run is over."""
    for event in client.events(f"/v1/tasks/{task_id}/stream"):
        if event.kind == "step" and not silent:
            print_step(event.data)
            finish()
    task: dict[str, Any] = client.get(f"/v1/tasks/{task_id}")
    return task


def exit_as(task: Mapping[str, Any]) -> NoReturn:
    """Leave as the run that was followed ended: done, or not."""
    raise typer.Exit(Exit.DONE if task["state"] == "completed" else Exit.FAILED)


def print_step(data: Mapping[str, Any]) -> None:
    """Print a step of a run's history when it has ended; on a terminal also while it is at work."""
    name, state, output = _name(data["step"], data.get("round", 1)), data.get("state", ""), data.get("output")
    if state not in _ENDED:
        passing(f"  … {name}")
        return
    found, words = _finding(output), _words(data.get("failure"), output)
    mark = _GOOD if state == "done" and found in ("", "proved") else _BAD
    told = words if words.startswith(found) else f"{found}: {words}"
    passing("")
    line(f"  {mark} {name:<20} {told}".rstrip())


def print_steps(trace: Mapping[str, Any]) -> None:
    """Print the steps of a trace, and the artifacts' names."""
    rows = []
    for step in trace["steps"]:
        seconds, usd = step["duration_seconds"], step["usage"]["cost_usd"]
        rows.append(
            {
                "name": _name(step["name"], step["round"]),
                "state": (_finding(step["output"]) if step["state"] == "done" else "") or step["state"],
                "seconds": "" if seconds is None else f"{seconds:.2f} s",
                "cost": f"{usd:.4f}" if usd else "",
                "words": _words(step["error"], step["output"]),
            }
        )
    table(
        rows,
        [
            Column("name", "STEP"),
            Column("state", "STATE"),
            Column("seconds", "TIME", rank=2),
            Column("cost", "USD", rank=1),
            Column("words", "RESULT", least=20, wraps=True),
        ],
    )
    names = [artifact["name"] for artifact in trace["artifacts"]]
    if names:
        line()
        line("artifacts: " + ", ".join(names))


def _name(name: str, round: int) -> str:
    return name if round <= 1 else f"{name} ({round})"


def _finding(output: Mapping[str, Any] | None) -> str:
    """Return what a step that was done has found of a change: its verdict; empty where it judged nothing."""
    output = output or {}
    if output.get("reproduced") is False:
        return "not reproduced"
    if output.get("withheld"):
        return "withheld"
    return str((output.get("proof") or {}).get("verdict") or "")


def _words(failure: Mapping[str, Any] | None, output: Mapping[str, Any] | None) -> str:
    return str((failure or {}).get("message") or (output or {}).get("words", ""))
