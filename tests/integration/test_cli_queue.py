"""``ai-ops system`` and the verbs of ``ai-ops task`` by subprocess, and every verb in every state."""

import asyncio
import json

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from ai_ops.cli.app import app
from ai_ops.cli.exits import Exit
from ai_ops.core.verbs import VERBS
from ai_ops.flow.task import TRANSITIONS
from tests.integration.test_server_tasks import ALLOWED, a_task_in
from tests.support.cli import ai_ops
from tests.support.local_server import LocalServer
from tests.support.running_server import running

MOMENT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT[\d:.]+Z$"}
QUEUE = {
    "type": "object",
    "required": [
        "accepting", "pending", "high", "low", "refused", "since", "working", "waiting_for_turn", "pause",
        "maintenance",
    ],
    "properties": {
        "accepting": {"type": "boolean"},
        "pending": {"type": "integer", "minimum": 0},
        "high": {"type": "integer"},
        "low": {"type": "integer"},
        "refused": {"type": "integer"},
        "since": {"anyOf": [MOMENT, {"type": "null"}]},
        "working": {"type": "integer"},
        "waiting_for_turn": {"type": "integer"},
        "waiting": {"type": "integer"},
        "pause": {
            "anyOf": [
                {"type": "null"},
                {
                    "type": "object",
                    "required": ["code", "since", "until", "seconds_left", "probing", "failures"],
                    "properties": {"until": MOMENT, "seconds_left": {"type": "integer", "minimum": 0}},
                },
            ]
        },
        "maintenance": {
            "anyOf": [
                {"type": "null"},
                {
                    "type": "object",
                    "required": ["since", "reason"],
                    "properties": {"since": MOMENT, "reason": {"type": "string"}},
                    "additionalProperties": False,
                },
            ]
        },
    },
    "additionalProperties": False,
}  # fmt: skip
TASK = {
    "type": "object",
    "required": ["task_id", "state", "status", "run_number", "waiting_until", "outcome_reason"],
    "properties": {
        "state": {"enum": [str(state) for state in TRANSITIONS]},
        "run_number": {"type": "integer"},
    },
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with LocalServer(tmp_path_factory.mktemp("queue"), QUEUE_HIGH="2", QUEUE_LOW="1") as running_server:
        yield running_server


def command(server, *arguments, code=0, schema=None):
    """Run a command and return what it prints, as JSON where a schema is given."""
    got, out, err = ai_ops(*arguments, *(["--json"] if schema else []), url=server.url)
    assert got == code, err
    if schema is None:
        return out + err
    Draft202012Validator(schema).validate(json.loads(out))
    return json.loads(out)


def test_a_full_queue_in_maintenance_from_the_first_command_to_the_last(server):
    assert command(server, "system", "maintenance", "status", schema=QUEUE)["maintenance"] is None
    begun = command(server, "system", "maintenance", "on", "--reason", "a new disk", schema=QUEUE)
    assert begun["maintenance"]["reason"] == "a new disk"
    assert "a new disk" in command(server, "system", "maintenance", "on")

    said = command(server, "task", "create", "One", "--description", "Look")
    task_id = said.split()[0]
    assert "maintenance" in said
    assert "maintenance since" in command(server, "task", "list")
    assert "maintenance since" in command(server, "task", "show", task_id)
    for number in range(2):
        command(server, "task", "create", str(number), "--description", "Look")
    refused = command(server, "task", "create", "Four", "--description", "Look", code=4)
    assert "queue_full" in refused and "urgent" in refused
    command(server, "task", "create", "Five", "--description", "Look", "--priority", "urgent")
    assert "the queue is full" in command(server, "system", "queue")
    assert not command(server, "system", "queue", schema=QUEUE)["accepting"]

    for verb, state in [
        ("pause", "paused"), ("pause", "paused"), ("resume", "pending"), ("resume", "pending"),
        ("cancel", "cancelled"), ("cancel", "cancelled"), ("retry", "pending"), ("retry", "pending"),
    ]:  # fmt: skip
        task = command(server, "task", verb, task_id, schema=TASK)
        assert task["state"] == state
    assert task["run_number"] == 2
    assert "illegal_transition" in command(server, "task", "approve", task_id, code=4)
    assert "not_found" in command(server, "task", "pause", "nobody", code=3)
    assert command(server, "system", "resume", schema=QUEUE)["waiting"] == 0
    assert "no task waits for the end of a limit" in command(server, "system", "resume")
    assert command(server, "system", "maintenance", "off", schema=QUEUE)["maintenance"] is None
    assert "off" in command(server, "system", "maintenance", "off")


@pytest.mark.parametrize(
    "words", [("maintenance",), ("maintenance", "perhaps"), ("queue", "--loud")], ids=" ".join
)
def test_a_command_that_is_not_understood_is_a_usage_error(words):
    assert ai_ops("system", *words)[0] == 2


def test_without_a_server_it_says_so():
    assert ai_ops("system", "maintenance", "status", url="http://127.0.0.1:9")[0] == 5


async def test_every_verb_in_every_state_moves_the_task_or_is_refused(tmp_path, monkeypatch):
    async with running(tmp_path) as server:
        server.engine.hold(True)
        monkeypatch.setenv("AI_OPS_URL", server.listening.url)
        monkeypatch.setenv("AI_OPS_API_KEY", server.key)
        for verb in VERBS:
            for state in TRANSITIONS:
                task_id = await a_task_in(server, state)
                done = await asyncio.to_thread(CliRunner().invoke, app, ["task", verb, task_id, "--json"])
                wanted = ALLOWED.get((verb, state))
                if wanted:
                    assert (done.exit_code, json.loads(done.stdout)["state"]) == (0, wanted), (verb, state)
                else:
                    assert done.exception.code is Exit.REFUSED, (verb, state)
