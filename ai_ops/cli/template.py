"""``ai-ops template``: prompt tasks that are written down once, with parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ai_ops.cli.client import connect, quoted
from ai_ops.cli.exits import CliError, Exit
from ai_ops.cli.options import FollowFlag, ParamOption, WaitOption
from ai_ops.cli.output import JsonFlag, emit_json, fields, line, note, table
from ai_ops.cli.parameters import refused, text_of, typed
from ai_ops.cli.tables import Column
from ai_ops.cli.task import show_plan, tell_created

app = typer.Typer(no_args_is_help=True, help="Make prompt tasks from templates.")

TemplateName = Annotated[str, typer.Argument(metavar="TEMPLATE", help="Name of a template of the server.")]


@app.command("list")
def list_templates(wait: WaitOption = 0, as_json: JsonFlag = False) -> None:
    """List the server's templates, and the files that hold none."""
    found = connect(wait).get("/v1/templates")
    if as_json:
        emit_json(found)
        return
    if found["items"]:
        columns = [
            Column("name", "TEMPLATE"),
            Column("takes", "PARAMETERS", least=16, rank=2),
            Column("description", "DESCRIPTION", least=24, rank=1),
        ]
        table(({**item, "takes": _takes(item["parameters"])} for item in found["items"]), columns)
    else:
        note("no templates: there is no YAML file in the folder that TEMPLATES_DIR names to the server")
    for broken in found["broken"]:
        note(f"{broken['file']}: {'; '.join(broken['problems'])}")


@app.command("show")
def show_template(name: TemplateName, as_json: JsonFlag = False) -> None:
    """Show one template: its parameters, and what its task is made of."""
    found = connect().get(f"/v1/templates/{quoted(name)}")
    if as_json:
        emit_json(found)
        return
    fields([("template", found["name"]), ("description", found["description"])])
    if found["parameters"]:
        line()
        columns = [
            Column("name", "PARAMETER"),
            Column("type", "TYPE"),
            Column("value", "VALUE", least=12, rank=2),
            Column("description", "DESCRIPTION", least=24, rank=1),
        ]
        table(({**each, "value": _value(each)} for each in found["parameters"]), columns)
    line()
    fields((name, _set_in(value)) for name, value in found["task"].items())


@app.command("apply")
def apply_template(
    template: Annotated[
        str, typer.Argument(metavar="TEMPLATE", help="Name of a template of the server, or a file (*.yml).")
    ],
    param: ParamOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the Claude command it would run, and create nothing.")
    ] = False,
    follow_it: FollowFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Make the task of a template."""
    given, client = typed(param), connect()
    suffix = "?dry_run=true" if dry_run else ""
    if template.endswith((".yml", ".yaml")):
        made = client.post(f"/v1/tasks{suffix}", _of_file(Path(template), given))
    else:
        made = client.post(f"/v1/templates/{quoted(template)}/apply{suffix}", {"parameters": given})
    if dry_run:
        show_plan(made, as_json=as_json)
    else:
        tell_created(client, made, follow_it=follow_it, as_json=as_json)


def _of_file(file: Path, given: dict[str, str]) -> dict[str, Any]:
    from ai_ops.core.workflows import parse_template, task_of  # no other command has to wait for it

    found, problems = parse_template(text_of(file))
    if found is None:
        raise refused(file, problems)
    body, wrong = task_of(found, given)
    if wrong:
        raise CliError(
            Exit.USAGE, "\n".join(f"--param {name}: {why}".replace(" :", ":") for name, why in wrong)
        )
    return body


def _set_in(value: Any) -> Any:
    """Return a text of several lines set in below its name."""
    lines = str(value).strip().splitlines()
    return "".join(f"\n    {each}" for each in lines) if len(lines) > 1 else value


def _takes(parameters: list[dict[str, Any]]) -> str:
    return ", ".join(each["name"] + ("" if each["required"] else "?") for each in parameters)


def _value(parameter: dict[str, Any]) -> str:
    if parameter["choices"]:
        choices = " | ".join(map(str, parameter["choices"]))
        return choices if parameter["default"] is None else f"{choices} (default {parameter['default']})"
    if parameter["required"]:
        return "needed"
    return "" if parameter["default"] is None else f"default {parameter['default']}"
