"""``ai-ops template`` and ``ai-ops workflow`` by subprocess, against a real server."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.support.cli import ai_ops
from tests.support.local_server import LocalServer

EXAMPLES = Path(__file__).parents[2] / "examples"
WHAT_IS_IT = EXAMPLES / "workflows" / "what-is-it.yml"
NOBODY = "http://127.0.0.1:9"

TEXT = {"type": "string"}
WORD_OR_NOTHING = {"type": ["string", "null"]}
PARAMETER = {
    "type": "object",
    "required": ["name", "type", "description", "required", "default", "choices"],
    "properties": {
        "type": {"enum": ["text", "integer", "number", "boolean"]},
        "required": {"type": "boolean"},
    },
    "additionalProperties": True,
}
TEMPLATE = {
    "type": "object",
    "required": ["name", "description", "parameters"],
    "properties": {"name": TEXT, "parameters": {"type": "array", "items": PARAMETER}},
}
TEMPLATES = {
    "type": "object",
    "required": ["items", "broken"],
    "properties": {"items": {"type": "array", "items": TEMPLATE}, "broken": {"type": "array"}},
    "additionalProperties": False,
}
STEP_STATES = ["waiting", "queued", "completed", "failed", "skipped", "cancelled"]
WORKFLOW = {
    "type": "object",
    "required": [
        "workflow_id", "name", "state", "reason", "cancel_requested", "steps", "created_at", "updated_at",
        "ended_at",
    ],
    "properties": {
        "workflow_id": TEXT,
        "name": TEXT,
        "state": {"enum": ["running", "completed", "failed", "cancelled"]},
        "reason": TEXT,
        "cancel_requested": {"type": "boolean"},
        "created_at": TEXT,
        "updated_at": TEXT,
        "ended_at": WORD_OR_NOTHING,
        "steps": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "state", "reason", "task_id", "task_state", "needs", "on_failed_need"],
                "properties": {
                    "id": TEXT,
                    "state": {"enum": STEP_STATES},
                    "reason": TEXT,
                    "needs": {"type": "array", "items": TEXT},
                    "task_id": WORD_OR_NOTHING,
                    "task_state": WORD_OR_NOTHING,
                    "on_failed_need": {"enum": ["skip", "run"]},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}  # fmt: skip
WORKFLOWS = {"type": "object", "required": ["items"], "properties": {"items": {"items": WORKFLOW}}}
PLANNED = {
    "type": "object",
    "required": ["id", "needs", "on_failed_need", "answers", "prompt", "priority", "command", "type"],
    "properties": {"command": {"type": "string", "pattern": "^claude "}},
}
PLAN = {
    "type": "object",
    "required": ["name", "steps"],
    "properties": {"name": TEXT, "steps": {"type": "array", "minItems": 1, "items": PLANNED}},
    "additionalProperties": False,
}
VALID = {
    "type": "object",
    "required": ["valid", "problems", "order"],
    "properties": {
        "valid": {"type": "boolean"},
        "problems": {"type": "array", "items": {"type": "object", "required": ["line", "place", "why"]}},
        "order": {"type": "array", "items": TEXT},
    },
    "additionalProperties": False,
}
TASK = {"type": "object", "required": ["task_id", "state", "name"]}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    script = {"task": [{"answer": "A shop that rates teas."}] * 50}
    folder = tmp_path_factory.mktemp("workflows")
    with LocalServer(folder, script, TEMPLATES_DIR=str(EXAMPLES / "templates"), QUEUE_HIGH="100") as running:
        yield running


def as_json(schema, *arguments, url, code=0):
    got, out, err = ai_ops(*arguments, "--json", url=url)
    assert got == code, err
    found = json.loads(out)
    Draft202012Validator(schema).validate(found)
    return found


def test_the_templates_of_the_server_are_listed_shown_and_applied(server):
    found = as_json(TEMPLATES, "template", "list", url=server.url)
    assert [item["name"] for item in found["items"]] == ["review-file"] and found["broken"] == []
    shown = as_json(TEMPLATE, "template", "show", "review-file", url=server.url)
    assert "{{ params.path }}" in shown["task"]["prompt"]
    code, out, _ = ai_ops("template", "show", "review-file", url=server.url)
    assert code == 0 and "bugs | naming | tests (default bugs)" in out
    given = ["--param", f"repo_url={server.remote}", "--param", "path=shop/ratings.py"]
    plan = as_json(
        {"type": "object"}, "template", "apply", "review-file", *given, "--dry-run", url=server.url
    )
    assert plan["command"].startswith("claude ") and plan["budget_usd"] == 0.5
    made = as_json(TASK, "template", "apply", "review-file", *given, url=server.url)
    assert made["name"] == "Review shop/ratings.py"
    file = str(EXAMPLES / "templates" / "review-file.yml")
    of_a_file = as_json(TASK, "template", "apply", file, *given, url=server.url)
    assert of_a_file["name"] == made["name"] and of_a_file["task_id"] != made["task_id"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["template", "show", "nothing"], 3),
        (["template", "apply", "review-file"], 2),
        (["template", "apply", "review-file", "--param", "path"], 2),
        (["template", "apply", "nothing.yml"], 2),
        (["workflow", "show", "00000000"], 3),
        (["workflow", "cancel", "00000000"], 3),
        (["workflow", "run", str(WHAT_IS_IT)], 2),
        (["workflow", "list", "--state", "odd"], 2),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_says_so_with_its_code(server, arguments, code):
    got, out, err = ai_ops(*arguments, url=server.url)
    assert (got, out) == (code, "") and err


def test_a_template_that_is_not_there_is_told_with_those_that_are(server):
    err = ai_ops("template", "show", "nothing", url=server.url)[2]
    assert f"in {EXAMPLES / 'templates'} (TEMPLATES_DIR); there is " in err
    assert "review-file" in err


def test_a_workflow_is_planned_run_to_its_end_and_shown(server):
    given = ["--param", f"repo_url={server.remote}"]
    plan = as_json(PLAN, "workflow", "run", str(WHAT_IS_IT), *given, "--dry-run", url=server.url)
    assert [step["id"] for step in plan["steps"]] == ["purpose", "layout", "guide"]
    code, out, err = ai_ops("workflow", "run", str(WHAT_IS_IT), *given, "--dry-run", url=server.url)
    assert code == 0 and "3. guide after purpose, layout" in out and "nothing was created" in err
    done = as_json(WORKFLOW, "workflow", "run", str(WHAT_IS_IT), *given, "--follow", url=server.url)
    assert done["state"] == "completed"
    guide = server.call(f"/v1/tasks/{done['steps'][2]['task_id']}")
    code, prompt, _ = ai_ops(
        "trace", "show", guide["trace_id"], "--artifact", "work-1-prompt", url=server.url
    )
    before, _, data = prompt.partition("## What comes with it")
    assert code == 0 and "[the answer of the step purpose, below]" in before
    assert 'name="answer of layout"' in data and data.count("A shop that rates teas.") == 2
    assert "teas" not in before
    short = done["workflow_id"][:8]
    assert as_json(WORKFLOW, "workflow", "show", short, url=server.url) == done
    code, out, _ = ai_ops("workflow", "show", short, url=server.url)
    assert code == 0 and "purpose, layout" in out and "what-is-it" in out
    listed = as_json(WORKFLOWS, "workflow", "list", "--state", "completed", url=server.url)
    assert done["workflow_id"] in [item["workflow_id"] for item in listed["items"]]
    got, _, err = ai_ops("workflow", "cancel", short, url=server.url)
    assert got == 4 and "illegal_transition" in err


def test_a_file_is_looked_at_without_a_server_and_what_is_wrong_is_told_by_line(tmp_path):
    found = as_json(VALID, "workflow", "validate", str(WHAT_IS_IT), url=NOBODY)
    assert found == {"valid": True, "problems": [], "order": ["purpose", "layout", "guide"]}
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WHAT_IS_IT.read_text().replace("  - id: purpose", "  - id: purpose\n    needs: [guide]"))
    found = as_json(VALID, "workflow", "validate", str(wrong), url=NOBODY, code=2)
    assert "purpose → guide → purpose" in found["problems"][0]["why"]
    code, out, err = ai_ops("workflow", "run", str(wrong), url=NOBODY)
    assert (code, out) == (2, "") and f"wrong.yml:{found['problems'][0]['line']}: " in err


def test_a_file_is_held_against_the_templates_that_it_names(tmp_path):
    file = str(EXAMPLES / "workflows" / "review-and-fix.yml")
    here = ["--templates", str(EXAMPLES / "templates")]
    found = as_json(VALID, "workflow", "validate", file, *here, url=NOBODY)
    assert found == {"valid": True, "problems": [], "order": ["bugs", "tests", "fix"]}
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(Path(file).read_text().replace("focus: tests", "focus: style"))
    found = as_json(VALID, "workflow", "validate", str(wrong), *here, url=NOBODY, code=2)
    assert [(each["place"], each["line"]) for each in found["problems"]] == [("tests.with.focus", 17)]
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "half.yml").write_text("name: half\n")
    code, out, err = ai_ops("workflow", "validate", file, cwd=tmp_path)
    assert (code, out) == (2, "") and "there is no template 'review-file'" in err
    assert "half.yml holds no template" in err
    code, out, err = ai_ops("workflow", "validate", file, environment={"TEMPLATES_DIR": "elsewhere"})
    assert code == 0 and out and "no folder elsewhere" in err


def test_a_template_is_followed_to_its_answer(server):
    given = ["--param", f"repo_url={server.remote}", "--param", "path=shop/ratings.py"]
    code, out, err = ai_ops("template", "apply", "review-file", *given, "--follow", url=server.url)
    assert code == 0, err
    assert "completed" in out and out.endswith("\nA shop that rates teas.\n")


def test_a_workflow_survives_a_kill_of_the_server_and_is_cancelled(tmp_path):
    with LocalServer(tmp_path) as server:
        server.call("/v1/system/maintenance", {"on": True})
        given = ["--param", f"repo_url={server.remote}"]
        made = as_json(WORKFLOW, "workflow", "run", str(WHAT_IS_IT), *given, url=server.url)
        assert [step["state"] for step in made["steps"]] == ["queued", "queued", "waiting"]
        server.stop(9)
        server.start()
        same = as_json(WORKFLOW, "workflow", "show", made["workflow_id"], url=server.url)
        tasks = [step["task_id"] for step in made["steps"]]
        assert [step["task_id"] for step in same["steps"]] == tasks
        assert len(server.call("/v1/tasks")["items"]) == 2
        gone = as_json(WORKFLOW, "workflow", "cancel", made["workflow_id"], url=server.url)
        assert [step["task_state"] for step in gone["steps"]] == ["cancelled", "cancelled", None]
        assert gone["state"] == "cancelled"
