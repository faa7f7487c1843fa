"""``ai-ops worker``: who works on what, and replacing one that does not get on."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ai_ops.cli.client import connect
from ai_ops.cli.options import WaitOption
from ai_ops.cli.output import JsonFlag, emit_json, fields, line, moment, note, table
from ai_ops.cli.tables import Column
from ai_ops.core.wording import counted

app = typer.Typer(no_args_is_help=True, help="Show and replace workers.")

WorkerNumber = Annotated[int, typer.Argument(metavar="WORKER", min=1, help="Its number.")]


@app.command("list")
def list_workers(wait: WaitOption = 0, as_json: JsonFlag = False) -> None:
    """List the workers: what each is at, and what it uses."""
    items = connect(wait).get("/v1/workers")["items"]
    if as_json:
        emit_json({"items": items})
        return
    columns = [
        Column("number", "WORKER"),
        Column("state", "STATE"),
        Column("task_id", "TASK", rank=1),
        Column("step", "STEP", rank=2),
        Column("heartbeat", "HEARTBEAT", rank=3),
        Column("memory", "MEMORY", rank=4),
        Column("cpu", "CPU", rank=5),
        Column("replaced", "REPLACED", rank=6),
    ]
    table((_shown(item) for item in items), columns)


def _shown(item: dict[str, Any]) -> dict[str, Any]:
    at_work = item["state"] != "idle"
    return {
        **item,
        "heartbeat": f"{item['heartbeat_seconds']:.0f} s ago" if at_work else None,
        "memory": f"{item['memory_bytes'] / 2**20:.0f} MB" if at_work else None,
        "cpu": f"{item['cpu_percent']:.0f} %" if at_work else None,
    }


@app.command("show")
def show_worker(number: WorkerNumber, as_json: JsonFlag = False) -> None:
    """Show one worker, its limits, and the runs that were taken from it."""
    item = connect().get(f"/v1/workers/{number}")
    if as_json:
        emit_json(item)
        return
    shown = _shown(item)
    fields([(name, shown[name]) for name in ("number", "state", "task_id", "run_id", "kind", "step")])
    fields([("since", moment(item["since"])), ("heartbeat", shown["heartbeat"]), ("memory", shown["memory"])])
    fields([("cpu", shown["cpu"]), ("processes", item["processes"] or None), ("replaced", item["replaced"])])
    limits = item["limits"]
    megabytes = f"{limits['memory_bytes'] // 2**20} MB"
    fields([("limits", f"{megabytes}, {limits['silent_seconds']:.0f} s without a sign of life")])
    if item["losses"]:
        line()
        rows = ({**loss, "when": moment(loss["at"])} for loss in item["losses"])
        table(rows, [("when", "LOST (UTC)"), ("reason", "REASON"), ("task_id", "TASK"), ("detail", "WHY")])


@app.command("restart")
def restart_worker(number: WorkerNumber, as_json: JsonFlag = False) -> None:
    """Replace a worker: its processes die, and its run goes on with another. An idle one stays as it is."""
    client = connect()
    before = client.get(f"/v1/workers/{number}")
    item = client.post(f"/v1/workers/{number}/restart")
    if as_json:
        emit_json(item)
    elif item["replaced"] == before["replaced"] and item["state"] == "idle":
        note(f"nothing was under way with worker {number}: it stays as it is")
    else:
        note(f"worker {number} is {item['state']}; it was replaced {counted(item['replaced'], 'time')}")
