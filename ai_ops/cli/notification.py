"""``ai-ops notification``: who was told what, and what has not arrived."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ai_ops.cli.client import connect, quoted
from ai_ops.cli.options import NotificationId, WaitOption
from ai_ops.cli.output import JsonFlag, LimitOption, emit_json, fields, line, moment, note, table
from ai_ops.cli.tables import Column

app = typer.Typer(no_args_is_help=True, help="See who was told what, and try again what failed.")


@app.command("list")
def list_notifications(
    state: Annotated[
        list[str] | None, typer.Option(help="Only pending, digested, sent or failed ones; repeats.")
    ] = None,
    limit: LimitOption = 50,
    wait: WaitOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """List notifications, newest first: one for each message and receiver."""
    items = list(connect(wait).pages("/v1/notifications", [("state", each) for each in state or ()], limit))
    if as_json:
        emit_json({"items": items})
        return
    if not items:
        note("no notifications")
        return
    columns = [
        Column("notification_id", "NOTIFICATION"),
        Column("state", "STATE"),
        Column("kind", "KIND", rank=5),
        Column("recipient", "RECEIVER", rank=1),
        Column("subject", "SUBJECT", least=24, rank=2),
        Column("next", "NEXT TRY (UTC)", rank=4),
        Column("reason", "WHY NOT YET", least=20, rank=3),
    ]
    table(({**item, "next": moment(item["next_attempt_at"])} for item in items), columns)


@app.command("show")
def show_notification(notification_id: NotificationId, as_json: JsonFlag = False) -> None:
    """Show one notification with its text."""
    found = connect().get(f"/v1/notifications/{quoted(notification_id)}")
    if as_json:
        emit_json(found)
        return
    _print(found)
    line()
    line(found["text"].rstrip("\n"))


@app.command("retry")
def retry_notification(notification_id: NotificationId, as_json: JsonFlag = False) -> None:
    """Let a failed notification go out again, at once."""
    found = connect().post(f"/v1/notifications/{quoted(notification_id)}/retry")
    if as_json:
        emit_json(found)
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    fields(
        [
            ("notification", found["notification_id"]),
            ("state", found["state"]),
            ("why not yet", found["reason"]),
            ("receiver", found["recipient"]),
            ("way", found["way"]),
            ("kind", f"{found['kind']}{', urgent' if found['urgent'] else ''}"),
            ("subject", found["subject"]),
            ("link", found["url"]),
            ("made", moment(found["created_at"])),
            ("sent", moment(found["sent_at"])),
            ("tries", found["attempts"]),
            ("next try", moment(found["next_attempt_at"])),
            ("digest", found["digest_id"]),
        ]
    )
