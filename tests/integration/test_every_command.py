"""Every command of ``ai-ops``, each run as a process: its JSON by a schema, and its exit codes.

A command that is added without a row in ``COMMANDS`` fails here. ``tests/data/cli_schemas.json`` has the
schemas; what a row says of a command is what a shell would be given behind its name.
"""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.main import get_command

from ai_ops.cli.app import app
from ai_ops.cli.exits import Exit
from tests.support.forked_commands import Said, run_command
from tests.support.local_server import TRACEBACK, LocalServer

SCHEMAS = json.loads((Path(__file__).parents[1] / "data" / "cli_schemas.json").read_text("utf-8"))
NOBODY = "http://127.0.0.1:9"
NONE = "0" * 12
NO_JSON = {"server", "local", "demo", "agent"}
ASKS_NO_SERVER = {
    "server", "local", "demo", "doctor", "replay", "agent", "schedule preview", "system backup",
    "system restore", "security scan", "config show", "config check",
    "workflow validate",
}  # fmt: skip


@dataclass(frozen=True)
class Command:
    """What it is given where it does its work (None: it runs until it is stopped, and is run elsewhere),
    the exit code then, and what it is given to fail, with the exit code.
    """

    given: str | None = ""
    code: int = Exit.DONE
    fails: dict[str, int] = field(default_factory=dict)


def one_of(name: str, **more: int) -> Command:
    """A command that is given one thing, and does not find another."""
    return Command("{" + name + "}", fails={NONE: Exit.NOT_FOUND, **more})


def verb_on(task: str) -> Command:
    """A verb on a task, which a completed one refuses."""
    return Command("{" + task + "}", fails={"{completed}": Exit.REFUSED})


BAD_LIMIT = {"--limit none": Exit.USAGE}
COMMANDS = {
    # unsafe_listening, address_in_use
    "server": Command(None, fails={"--host 0.0.0.0": Exit.FAILED, "--port {port}": Exit.FAILED}),
    "local": Command(None, fails={"--no-such-flag": Exit.USAGE}),
    "demo": Command(None, fails={"--no-such-flag": Exit.USAGE}),
    "agent": Command(None, fails={"": Exit.USAGE}),
    "doctor": Command(fails={"--no-such-flag": Exit.USAGE}),
    "replay": Command("{log} --repo-url {remote}", fails={"no.log --repo-url {remote}": Exit.NOT_FOUND}),
    "task list": Command(fails={"--state nowhere": Exit.USAGE}),
    "task show": one_of("completed"),
    "task create": Command("Look --description 'Is all well?'", fails={"Wipe --description 'rm -rf /'": 4}),
    "task cancel": verb_on("pending"),
    "task pause": verb_on("pending_too"),
    "task resume": verb_on("paused"),
    "task retry": verb_on("failed"),
    "task approve": verb_on("reviewed"),
    "task reject": verb_on("reviewed_too"),
    "issue list": Command(fails=BAD_LIMIT),
    "issue show": one_of("issue"),
    "issue merge": Command("{other} --into {issue}", fails={"{issue} --into {issue}": Exit.REFUSED}),
    "issue split": Command(
        "{issue} --fingerprint {fingerprint}", fails={"{issue} --fingerprint none": Exit.REFUSED}
    ),
    "issue ignore": one_of("other"),
    "issue resolve": one_of("other"),
    "issue reopen": one_of("other"),
    "issue repair": one_of("other"),
    "trace list": Command(fails=BAD_LIMIT),
    "trace show": one_of("trace"),
    "pr list": Command(fails=BAD_LIMIT),
    "pr show": one_of("pr"),
    "pr diff": one_of("pr"),
    "pr comment": Command("{pr} 'Well done.'", fails={f"{NONE} x": Exit.NOT_FOUND}),
    "pr comments": one_of("pr"),
    "pr close": Command("{pr_too}", fails={NONE: Exit.NOT_FOUND}),
    "pr merge": Command("{pr}", fails={"{pr_too}": Exit.REFUSED}),
    "bug list": Command(fails=BAD_LIMIT),
    "bug show": one_of("bug"),
    "bug search": Command("--issue {issue}", fails={"": Exit.USAGE}),
    "notification list": Command(fails=BAD_LIMIT),
    "notification show": one_of("notification"),
    "notification retry": one_of("notification"),
    "schedule list": Command(fails=BAD_LIMIT),
    "schedule show": one_of("schedule"),
    "schedule create": Command(
        "nightly '0 3 * * *' --prompt Look", fails={"nightly often --prompt Look": Exit.USAGE}
    ),
    "schedule edit": Command("{schedule} --name weekly", fails={f"{NONE} --name x": Exit.NOT_FOUND}),
    "schedule enable": one_of("schedule"),
    "schedule disable": one_of("schedule"),
    "schedule run": one_of("schedule"),
    "schedule delete": one_of("schedule"),
    "schedule preview": Command("@daily", fails={"often": Exit.USAGE}),
    "schedule import": Command("{schedules}", fails={"none.json": Exit.USAGE}),
    "template list": Command(fails={"--no-such-flag": Exit.USAGE}),
    "template show": Command("look", fails={"none": Exit.NOT_FOUND}),
    "template apply": Command("look --param what=it", fails={"look": Exit.USAGE, "none": Exit.NOT_FOUND}),
    "workflow validate": Command("{workflow_file}", fails={"{schedules}": Exit.USAGE}),
    "workflow run": Command("{workflow_file}", fails={"{schedules}": Exit.USAGE}),
    "workflow list": Command(fails=BAD_LIMIT),
    "workflow show": one_of("workflow"),
    "workflow cancel": one_of("workflow"),
    "worker list": Command(fails={"--no-such-flag": Exit.USAGE}),
    "worker show": Command("1", fails={"99": Exit.NOT_FOUND}),
    "worker restart": Command("1", fails={"99": Exit.NOT_FOUND}),
    "alert list": Command(fails=BAD_LIMIT),
    "alert show": one_of("alert"),
    "system status": Command(code=Exit.FAILED, fails={"--no-such-flag": Exit.USAGE}),
    "system cleanup": Command("--days 3", fails={"--days few": Exit.USAGE}),
    "system backup": Command("new.tar --data-dir {data}", fails={"{log} --data-dir {data}": Exit.REFUSED}),
    "system restore": Command(
        "{backup} --data-dir spare", fails={"{backup} --data-dir {data}": Exit.REFUSED}
    ),
    "system queue": Command(fails={"--no-such-flag": Exit.USAGE}),
    "system resume": Command(fails={"--no-such-flag": Exit.USAGE}),
    "system maintenance on": Command("--reason 'a disk'", fails={"--no-such-flag": Exit.USAGE}),
    "system maintenance status": Command(fails={"--no-such-flag": Exit.USAGE}),
    "system maintenance off": Command(fails={"--no-such-flag": Exit.USAGE}),
    "security scan": Command("--text ls", fails={"--text 'rm -rf /' --strict": Exit.REFUSED}),
    "security report": Command(fails={"--severity none": Exit.USAGE}),
    "security audit": Command("--verify", fails={"--days none": Exit.USAGE}),
    "security unblock": Command(
        "{held} --reason ours --role reviewer",
        fails={"{completed} --reason ours --role admin": Exit.REFUSED},
    ),
    "config show": Command(fails={"--no-such-flag": Exit.USAGE}),
    "config check": Command(fails={"--no-such-flag": Exit.USAGE}),
}  # a row needs nothing that another has made: rows may be run in several processes


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield every command that does something, by its words."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from leaves(inner, (*path, name))
    if path and not hasattr(command, "commands"):
        yield " ".join(path)


@dataclass
class House:
    """A server with one of everything, the commands beside it, and the names of the things."""

    folder: Path
    environment: dict[str, str]
    names: dict[str, str]

    def run(self, command: str, given: str, *more: str, **environment: str) -> Said:
        words = [word.format(**self.names) for word in shlex.split(given)]
        return run_command(
            [*command.split(), *words, *more], {**self.environment, **environment}, self.folder
        )


def reported(server: LocalServer, text: str) -> dict[str, Any]:
    """Report an error, and return its issue."""
    event = {
        "schema_version": 1,
        "event_id": str(uuid.uuid4()),
        "occurred_at": "2026-01-01T12:00:00Z",
        "repo": {"repo_url": str(server.remote)},
        "error": {"raw_excerpt": text},
    }
    before = server.call("/v1/issues")["items"]
    server.call("/v1/events", {"events": [event]})
    (made,) = (item for item in server.call("/v1/issues")["items"] if item not in before)
    return made


def filled(server: LocalServer) -> dict[str, str]:
    """Make one of everything, and return the names: in maintenance, so that nothing moves by itself."""
    completed = server.finish_a_repair()
    (pr,) = server.call("/v1/pull-requests")["items"]
    held = server.call("/v1/tasks", {"prompt": "git push -f"})["task_id"]
    server.wait_for(held)
    server.call("/v1/system/maintenance", {"on": True})
    states = {
        "pending": "pending", "pending_too": "pending", "paused": "paused", "failed": "failed",
        "reviewed": "needs_human_review", "reviewed_too": "needs_human_review",
    }  # fmt: skip
    tasks = {name: server.call("/v1/tasks", {"prompt": name})["task_id"] for name in states}
    issue, other = reported(server, "PermissionError: no"), reported(server, "Http404: nothing here")
    server.call(f"/v1/issues/{issue['issue_id']}/resolve", {})
    schedule = server.call("/v1/schedules", {"name": "look", "cron": "@daily", "task": {"prompt": "Look"}})
    pr_too = str(uuid.uuid4())
    with sqlite3.connect(server.folder / "data" / "ai_ops.db") as database:
        for name, state in states.items():
            database.execute("UPDATE tasks SET state = ? WHERE id = ?", (state, tasks[name]))
        database.execute("UPDATE notifications SET state = 'failed'")
        columns = [row[1] for row in database.execute("PRAGMA table_info(pull_requests)")]
        new = {
            "id": f"'{pr_too}'",
            "number": "number + 1",
            "seq": "NULL",
            "branch": "branch || '-too'",
            "url": "url || '2'",
        }
        chosen = ", ".join(new.get(column, column) for column in columns)
        database.execute(
            f"INSERT INTO pull_requests ({', '.join(columns)}) SELECT {chosen} FROM pull_requests"
        )
    database.close()
    (server.folder / "old.log").write_text(TRACEBACK)
    steps = "name: looks\nsteps:\n  - id: look\n    prompt: Look\n"
    (server.folder / "looks.yml").write_text(steps)
    workflow = server.call("/v1/workflows", {"definition": steps})
    told = next(each for each in server.call("/v1/notifications")["items"] if each["kind"] == "pull_request")
    old = {"id": "1", "name": "n", "cron": "0 3 * * *", "prompt": "Look"}
    (server.folder / "schedules.json").write_text(json.dumps({"tasks": [old]}))
    return {
        **tasks,
        "completed": completed["task_id"],
        "held": held,
        "trace": completed["trace_id"],
        "pr": pr["pull_request_id"],
        "pr_too": pr_too,
        "issue": issue["issue_id"],
        "other": other["issue_id"],
        "fingerprint": other["fingerprint"],
        "schedule": schedule["schedule_id"],
        "workflow": workflow["workflow_id"],
        "workflow_file": str(server.folder / "looks.yml"),
        "bug": server.call("/v1/bug-cases")["items"][0]["bug_case_id"],
        "notification": told["notification_id"],
        "alert": server.call("/v1/alerts")["items"][0]["alert_id"],
        "port": server.url.rpartition(":")[2],
        "remote": str(server.remote),
        "log": str(server.folder / "old.log"),
        "schedules": str(server.folder / "schedules.json"),
        "backup": str(server.folder / "backup.tar"),
        "data": str(server.folder / "data"),
    }


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("every")
    (folder / "templates").mkdir()
    (folder / "templates" / "look.yml").write_text(
        "name: look\nparameters:\n  what: {}\ntask:\n  prompt: Look at {{ params.what }}\n"
    )
    settings = {
        "DISK_FLOOR_GB": "1000000",  # an alert that never ends
        "RECEIVER_EMAIL": "a@example.com",
        "TEMPLATES_DIR": str(folder / "templates"),
    }
    with LocalServer(folder, **settings) as server:
        names = filled(server)
        (folder / "elsewhere").mkdir()
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/nonexistent",
            "NO_COLOR": "1",
            "AI_OPS_URL": server.url,
            **{name: server.environment[name] for name in ("CODE_HOST", "ALLOWED_REPOS", "SCRIPTED_ANSWERS")},
        }
        house = House(folder / "elsewhere", environment, names)
        assert house.run("system backup", "{backup} --data-dir {data}").code == Exit.DONE
        yield house


def test_every_command_there_is_has_a_row() -> None:
    assert sorted(leaves(get_command(app))) == sorted(COMMANDS)


def test_every_command_with_json_has_a_schema() -> None:
    assert sorted(SCHEMAS) == sorted(COMMANDS.keys() - NO_JSON)


@pytest.mark.parametrize("command", [name for name, row in COMMANDS.items() if row.given is not None])
def test_a_command_does_its_work_and_says_it_as_its_schema_has_it(house: House, command: str) -> None:
    row = COMMANDS[command]
    assert row.given is not None
    said = house.run(command, row.given, *([] if command in NO_JSON else ["--json"]))
    assert said.code == row.code, said.err
    if command not in NO_JSON:
        Draft202012Validator(SCHEMAS[command]).validate(json.loads(said.out))


@pytest.mark.parametrize(
    ("command", "given", "code"),
    [(name, given, code) for name, row in COMMANDS.items() for given, code in row.fails.items()],
    ids=[f"{name} {given}".strip() for name, row in COMMANDS.items() for given in row.fails],
)
def test_a_command_that_fails_says_why_with_its_exit_code(
    house: House, command: str, given: str, code: int
) -> None:
    said = house.run(command, given)
    assert said.code == code, said.err
    assert said.err.strip() and "Traceback" not in said.err


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - ASKS_NO_SERVER))
def test_without_a_server_a_command_ends_with_5(house: House, command: str) -> None:
    said = house.run(command, COMMANDS[command].given or "", AI_OPS_URL=NOBODY)
    assert said.code == Exit.UNREACHABLE, said.err
    assert "no server answers" in said.err


def test_every_exit_code_is_provoked() -> None:
    provoked = {code for row in COMMANDS.values() for code in (row.code, *row.fails.values())}
    assert provoked | {Exit.UNREACHABLE} == set(Exit)
