"""``ai-ops trace``: what happened, step by step."""

from __future__ import annotations

from typing import Annotated

import typer

from ai_ops.cli.client import connect, quoted
from ai_ops.cli.follow import print_steps
from ai_ops.cli.options import TraceId, WaitOption
from ai_ops.cli.output import JsonFlag, LimitOption, emit_json, fields, line, moment, note, table
from ai_ops.cli.tables import Column

app = typer.Typer(no_args_is_help=True, help="Read the record of runs.")


@app.command("list")
def list_traces(limit: LimitOption = 50, wait: WaitOption = 0, as_json: JsonFlag = False) -> None:
    """List runs, newest first."""
    items = list(connect(wait).pages("/v1/traces", [], limit))
    if as_json:
        emit_json({"items": items})
        return
    if not items:
        note("no traces")
        return
    columns = [
        Column("trace_id", "TRACE"),
        Column("outcome", "OUTCOME"),
        Column("run_number", "RUN", rank=1),
        Column("started", "STARTED (UTC)", rank=2),
        Column("task_id", "TASK", rank=3),
    ]
    rows = [
        {**item, "started": moment(item["started_at"]), "outcome": item["outcome"] or "running"}
        for item in items
    ]
    table(rows, columns)


@app.command("show")
def show_trace(
    trace_id: TraceId,
    artifact: Annotated[str | None, typer.Option(help="Print this artifact instead.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a run's steps, or one of its artifacts."""
    client = connect()
    if artifact is not None:
        line(client.text(f"/v1/traces/{quoted(trace_id)}/artifacts/{quoted(artifact)}").removesuffix("\n"))
        return
    trace = client.get(f"/v1/traces/{quoted(trace_id)}")
    if as_json:
        emit_json(trace)
        return
    usage = trace["usage"]
    fields(
        [
            ("trace", trace["trace_id"]),
            ("task", trace["task_id"]),
            ("run", trace["run_number"]),
            ("outcome", trace["outcome"] or "running"),
            ("started", f"{moment(trace['started_at'])} UTC"),
            ("tokens", f"{usage['input_tokens']} in, {usage['output_tokens']} out"),
            ("cost", f"{usage['cost_usd']:.4f} USD"),
        ]
    )
    line()
    print_steps(trace)
