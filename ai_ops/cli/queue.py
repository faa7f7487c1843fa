"""The queue as a whole, for ``ai-ops system`` and the notes of ``ai-ops task``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from ai_ops.cli.client import ApiClient, connect
from ai_ops.cli.output import JsonFlag, emit_json, fields, moment, note
from ai_ops.core.wording import counted, time_left

maintenance = typer.Typer(no_args_is_help=True, help="Let no new work begin, and let it begin again.")


def goes_on(until: str | None, now: datetime) -> str:
    """Return when something that waits goes on, and how long that is from now."""
    if until is None:
        return ""
    left = (datetime.fromisoformat(until) - now).total_seconds()
    return f"at {moment(until)} UTC, {time_left(left)}"


def note_holds(client: ApiClient) -> None:
    """Say on stderr what holds the whole queue up."""
    for said in held(client.get("/v1/system/queue"), datetime.now(UTC)):
        note(said)


def held(state: dict[str, Any], now: datetime) -> list[str]:
    """Return a line for each thing that holds the queue up."""
    lines = []
    if there := state["maintenance"]:
        because = f" ({there['reason']})" if there["reason"] else ""
        lines.append(f"maintenance since {moment(there['since'])} UTC{because}: no new work begins")
    if pause := state["pause"]:
        lines.append(f"the queue is paused ({pause['code']}); it goes on {goes_on(pause['until'], now)}")
    if not state["accepting"]:
        lines.append(
            f"the queue is full: {counted(state['pending'], 'prompt task')} pending; it takes new ones at "
            f"{state['low']}"
        )
    return lines


def _show(state: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit_json(state)
        return
    there = state["maintenance"]
    fields(
        [
            ("maintenance", f"since {moment(there['since'])} UTC" if there else "off"),
            ("reason", there and there["reason"]),
            ("working", str(state["working"])),
            ("waiting", str(state["waiting_for_turn"])),
            ("prompt tasks", f"{state['pending']} pending; above {state['high']} they are refused"),
        ]
    )
    for said in held(state, datetime.now(UTC)):
        note(said)


@maintenance.command("on")
def begin(
    reason: Annotated[str, typer.Option(help="Why, for others.")] = "", as_json: JsonFlag = False
) -> None:
    """Begin maintenance: what works goes on to its end, new work waits."""
    _show(connect().post("/v1/system/maintenance", {"on": True, "reason": reason}), as_json)


@maintenance.command("off")
def end(as_json: JsonFlag = False) -> None:
    """End maintenance."""
    _show(connect().post("/v1/system/maintenance", {"on": False}), as_json)


@maintenance.command("status")
def status(as_json: JsonFlag = False) -> None:
    """Say whether there is maintenance, and what still works."""
    _show(connect().get("/v1/system/queue"), as_json)


def show_queue(as_json: JsonFlag = False) -> None:
    """Say how the queue stands: what it takes, what waits, what holds it up."""
    _show(connect().get("/v1/system/queue"), as_json)


def resume_queue(as_json: JsonFlag = False) -> None:
    """Do not wait for the end of a limit: look at once whether it is over."""
    state = connect().post("/v1/system/resume")
    if as_json:
        emit_json(state)
        return
    if not state["waiting"]:
        note("no task waits for the end of a limit")
        return
    note(f"{counted(state['waiting'], 'task')} waiting; one of them looks whether the limit is over")
