"""``ai-ops trace``: what happened, step by step."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ai_ops.cli.client import connect
from ai_ops.cli.output import JsonFlag, LimitOption, emit_json, fields, line, note, table

app = typer.Typer(no_args_is_help=True, help="Read the record of runs.")


@app.command("list")
def list_traces(limit: LimitOption = 50, as_json: JsonFlag = False) -> None:
    """List runs, newest first."""
    items = list(connect().pages("/v1/traces", [], limit))
    if as_json:
        emit_json({"items": items})
        return
    if not items:
        note("no traces")
        return
    columns = [
        ("trace_id", "TRACE"),
        ("task_id", "TASK"),
        ("run_number", "RUN"),
        ("started_at", "STARTED"),
        ("outcome", "OUTCOME"),
    ]
    table(items, columns)


@app.command("show")
def show_trace(
    trace_id: Annotated[str, typer.Argument(help="Id of the trace.")],
    artifact: Annotated[str | None, typer.Option(help="Print this artifact instead.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a run's steps, or one of its artifacts."""
    client = connect()
    if artifact is not None:
        line(client.text(f"/v1/traces/{trace_id}/artifacts/{artifact}"))
        return
    trace = client.get(f"/v1/traces/{trace_id}")
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
            ("tokens", f"{usage['input_tokens']} in, {usage['output_tokens']} out"),
            ("cost", f"{usage['cost_usd']:.4f} USD"),
        ]
    )
    line()
    print_steps(trace)


def print_steps(trace: dict[str, Any]) -> None:
    """Print the steps of a trace, and the artifacts' names."""
    rows = []
    for step in trace["steps"]:
        seconds = step["duration_seconds"]
        rows.append(
            {
                "name": step["name"] if step["round"] <= 1 else f"{step['name']} ({step['round']})",
                "state": step["state"],
                "seconds": "" if seconds is None else f"{seconds:.2f} s",
                "cost": f"{step['usage']['cost_usd']:.4f}" if step["usage"]["cost_usd"] else "",
                "words": (step["error"] or {}).get("message") or (step["output"] or {}).get("words", ""),
            }
        )
    columns = [
        ("name", "STEP"),
        ("state", "STATE"),
        ("seconds", "TIME"),
        ("cost", "USD"),
        ("words", "RESULT"),
    ]
    table(rows, columns)
    names = [artifact["name"] for artifact in trace["artifacts"]]
    if names:
        line()
        line("artifacts: " + ", ".join(names))
