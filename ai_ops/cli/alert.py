"""``ai-ops alert``: what is or was wrong with the installation."""

from __future__ import annotations

from typing import Annotated

import typer

from ai_ops.cli.client import connect, quoted
from ai_ops.cli.options import WaitOption
from ai_ops.cli.output import JsonFlag, LimitOption, emit_json, fields, moment, note, table
from ai_ops.cli.tables import Column

app = typer.Typer(no_args_is_help=True, help="Show alerts.")


@app.command("list")
def list_alerts(
    state: Annotated[list[str] | None, typer.Option(help="Only this state; repeats.")] = None,
    limit: LimitOption = 50,
    wait: WaitOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """List alerts, newest first."""
    items = list(connect(wait).pages("/v1/alerts", [("state", each) for each in state or ()], limit))
    if as_json:
        emit_json({"items": items})
        return
    if not items:
        note("no alerts")
        return
    columns = [
        Column("alert_id", "ALERT"),
        Column("severity", "SEVERITY"),
        Column("state", "STATE"),
        Column("key", "CHECK", rank=1),
        Column("text", "SEEN", least=24, rank=2),
        Column("first", "SINCE (UTC)", rank=3),
    ]
    table(({**item, "first": moment(item["first_at"])} for item in items), columns)


@app.command("show")
def show_alert(
    alert_id: Annotated[str, typer.Argument(metavar="ALERT", help="Id of the alert.")],
    as_json: JsonFlag = False,
) -> None:
    """Show one alert, and what was done about it."""
    found = connect().get(f"/v1/alerts/{quoted(alert_id)}")
    if as_json:
        emit_json(found)
        return
    moments = {"first_at", "last_at", "changed_at", "resolved_at"}
    fields(
        [
            (name.replace("_", " "), moment(value) if name in moments else value)
            for name, value in found.items()
        ]
    )
