"""``ai-ops workflow``: prompt tasks that wait for one another."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ai_ops.cli.client import ApiClient, connect, quoted
from ai_ops.cli.exits import CliError, Exit
from ai_ops.cli.options import ParamOption, WaitOption, WorkflowId
from ai_ops.cli.output import JsonFlag, LimitOption, emit_json, fields, line, moment, note, table
from ai_ops.cli.parameters import refused, text_of, typed
from ai_ops.cli.tables import Column

if TYPE_CHECKING:
    from ai_ops.core.workflows import Problem
    from ai_ops.flow.workflow import WorkflowPlan

app = typer.Typer(no_args_is_help=True, help="Run prompt tasks that wait for one another.")

_POLL_SECONDS = 1.0

FileArgument = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="A workflow's YAML file.")
]
FollowFlag = Annotated[
    bool, typer.Option("--follow", help="Print the steps as they end; exit 1 unless it is completed then.")
]


@app.command("validate")
def validate(
    file: FileArgument,
    templates: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="Folder of the templates that it names. [TEMPLATES_DIR]"
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Look whether a file is right, and fits the templates that it names; no server is asked."""
    plan, problems = _read(text_of(file))
    if plan is not None and any(step.template for step in plan.steps):
        problems = _misfits(plan, templates)
    if as_json:
        found = [{"line": each.line, "place": each.place, "why": each.why} for each in problems]
        order = [step.id for step in plan.steps] if plan else []
        emit_json({"valid": not problems, "problems": found, "order": order})
    if problems or plan is None:
        raise refused(file, problems)
    if not as_json:
        line(f"{plan.name}: {' → '.join(step.id for step in plan.steps)}")


@app.command("run")
def run_workflow(
    file: FileArgument,
    param: ParamOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the steps in their order with the Claude command of each.")
    ] = False,
    follow_it: FollowFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Run a workflow."""
    text, given = text_of(file), typed(param)
    plan, problems = _read(text)
    if plan is None:
        raise refused(file, problems)
    client, body = connect(), {"definition": text, "parameters": given}
    if dry_run:
        _show_plan(client.post("/v1/workflows?dry_run=true", body), as_json=as_json)
        return
    _, made = client.created("/v1/workflows", body, key=str(uuid.uuid4()))
    if not as_json:
        line(made["workflow_id"])
    _tell(client, made, follow_it=follow_it, as_json=as_json)


@app.command("list")
def list_workflows(
    state: Annotated[list[str] | None, typer.Option(help="Only this state; repeats.")] = None,
    limit: LimitOption = 50,
    wait: WaitOption = 0,
    as_json: JsonFlag = False,
) -> None:
    """List workflows, newest first."""
    items = list(connect(wait).pages("/v1/workflows", [("state", each) for each in state or ()], limit))
    if as_json:
        emit_json({"items": items})
        return
    if not items:
        note("no workflows")
        return
    columns = [
        Column("workflow_id", "WORKFLOW"),
        Column("state", "STATE"),
        Column("name", "NAME", least=16, rank=1),
        Column("done", "STEPS", rank=2),
        Column("begun", "BEGUN (UTC)", rank=4),
        Column("reason", "REASON", least=24, rank=3),
    ]
    table(({**item, "done": _done(item), "begun": moment(item["created_at"])} for item in items), columns)


@app.command("show")
def show_workflow(workflow_id: WorkflowId, follow_it: FollowFlag = False, as_json: JsonFlag = False) -> None:
    """Show one workflow and its steps."""
    client = connect()
    found = client.get(f"/v1/workflows/{quoted(workflow_id)}")
    if not follow_it and not as_json:
        _print(found)
        return
    _tell(client, found, follow_it=follow_it, as_json=as_json)


@app.command("cancel")
def cancel_workflow(workflow_id: WorkflowId, as_json: JsonFlag = False) -> None:
    """Cancel what waits and what works of a workflow, at once."""
    found = connect().post(f"/v1/workflows/{quoted(workflow_id)}/cancel")
    if as_json:
        emit_json(found)
    else:
        note(f"the workflow is {found['state']}")


def _read(text: str) -> tuple[WorkflowPlan | None, tuple[Problem, ...]]:
    from ai_ops.core.workflows import parse_workflow  # no other command has to wait for it

    return parse_workflow(text)


def _misfits(plan: WorkflowPlan, folder: Path | None) -> tuple[Problem, ...]:
    """Return what of the templates in a folder does not fit; without a folder nothing, which is said."""
    from ai_ops.config_loading import load
    from ai_ops.core.workflows import catalogue, misfits
    from ai_ops.workspace.template_folder import TemplateFolder

    folder = folder or load(only=["templates_dir"]).settings.templates_dir
    if not folder.is_dir():
        note(f"its templates were not looked at: there is no folder {folder}; name it with --templates")
        return ()
    known = catalogue(TemplateFolder(folder).texts())
    for name, wrong in known.problems.items():
        note(f"{folder / name} holds no template: {wrong[0].why} (line {wrong[0].line})")
    return misfits(plan, known.templates)


def _tell(client: ApiClient, found: dict[str, Any], *, follow_it: bool, as_json: bool) -> None:
    """Print a workflow as it is now, or when it is over."""
    if follow_it:
        found = _followed(client, found, silent=as_json)
    if as_json:
        emit_json(found)
    elif follow_it:
        _print(found)
    if follow_it and found["state"] != "completed":
        raise CliError(Exit.FAILED, f"the workflow is {found['state']}: {found['reason']}")


def _followed(client: ApiClient, found: dict[str, Any], *, silent: bool) -> dict[str, Any]:
    told: set[tuple[str, str]] = set()
    while True:
        for step in found["steps"]:
            said = (step["id"], step["task_state"] or step["state"])
            if said not in told and not silent and step["state"] != "waiting":
                note(f"{said[0]}: {said[1]}")
            told.add(said)
        if found["state"] != "running":
            return found
        time.sleep(_POLL_SECONDS)
        client.wait(30.0)
        found = client.get(f"/v1/workflows/{found['workflow_id']}")


def _show_plan(plan: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit_json(plan)
        return
    for number, step in enumerate(plan["steps"], 1):
        needs = f" after {', '.join(step['needs'])}" if step["needs"] else ""
        line(f"{number}. {step['id']}{needs} ({step['type']}, {step['priority']})")
        line(f"   {step['command']}")
    note("nothing was created")


def _done(item: dict[str, Any]) -> str:
    return f"{sum(step['state'] == 'completed' for step in item['steps'])} of {len(item['steps'])}"


def _print(found: dict[str, Any]) -> None:
    fields(
        [
            ("workflow", found["workflow_id"]),
            ("name", found["name"]),
            ("state", found["state"]),
            ("reason", found["reason"]),
            ("begun (UTC)", moment(found["created_at"])),
            ("ended (UTC)", moment(found["ended_at"])),
        ]
    )
    line()
    columns = [
        Column("id", "STEP"),
        Column("state", "STATE"),
        Column("task_state", "TASK IS", rank=3),
        Column("task_id", "TASK"),
        Column("after", "AFTER", least=8, rank=2),
        Column("reason", "REASON", least=24, rank=1),
    ]
    table(({**step, "after": ", ".join(step["needs"])} for step in found["steps"]), columns)
    if words := hint(found):
        note(words)


def hint(found: Mapping[str, Any]) -> str:
    """Return what a person can do next with a workflow; one that a person cancelled does not go on."""
    begun = {step["state"] for step in found["steps"] if step["task_id"]}
    if begun & {"failed", "cancelled"} and not found["cancel_requested"]:
        return "it goes on with what was lost: ai-ops task retry TASK"
    return "an answer is shown by: ai-ops task show TASK" if "completed" in begun else ""
