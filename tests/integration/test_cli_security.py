"""``ai-ops security`` as a subprocess: its JSON, its exit codes, and what it masks."""

from __future__ import annotations

import json
import sqlite3

import pytest
from jsonschema import validate

from tests.support.cli import ai_ops
from tests.support.local_server import LocalServer

TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
TEXT = {"type": "string"}
ITEMS = {
    "scan": {"file": TEXT, "line": {"type": "integer"}, "kind": TEXT, "text": TEXT},
    "report": {
        "finding_id": TEXT,
        "at": TEXT,
        "rule": TEXT,
        "severity": {"enum": ["low", "medium", "high", "critical"]},
        "decision": {"enum": ["allow", "ask", "block"]},
        "place": TEXT,
        "text": TEXT,
        "task_id": {"type": ["string", "null"]},
        "trace_id": {"type": ["string", "null"]},
        "unblocked_by": {"type": ["string", "null"]},
        "reason": TEXT,
    },
    "audit": {
        "seq": {"type": "integer"},
        "at": TEXT,
        "who": TEXT,
        "verb": TEXT,
        "subject": TEXT,
        "detail": {"type": "object"},
        "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    },
}


def fits(command, found):
    """Hold an answer against the schema of its command."""
    item = {
        "type": "object",
        "properties": ITEMS[command],
        "required": [*ITEMS[command]],
        "additionalProperties": False,
    }
    validate(
        found,
        {"type": "object", "properties": {"items": {"type": "array", "items": item}}, "required": ["items"]},
    )
    return found["items"]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with LocalServer(tmp_path_factory.mktemp("security")) as running:
        yield running


def security(*arguments, server=None, code=0, **more):
    got, out, err = ai_ops("security", *arguments, url=server.url if server else "", **more)
    assert got == code, (out, err)
    return out, err


def test_a_text_a_file_and_a_folder_are_scanned_without_a_server(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "src" / "a.py").write_text(f"x = 1\ntoken = '{TOKEN}'\n")
    (tmp_path / ".git" / "config").write_text(TOKEN)
    (tmp_path / "b.bin").write_bytes(b"\0" + TOKEN.encode())
    (tmp_path / "link").symlink_to(tmp_path / "src" / "a.py")
    out, _ = security("scan", str(tmp_path), "--json")
    items = fits("scan", json.loads(out))
    assert [(item["file"], item["line"], item["kind"]) for item in items] == [
        ("src/a.py", 2, "sensitive_data")
    ]
    assert "***" in items[0]["text"] and TOKEN not in out
    out, _ = security("scan", "--text", f"use {TOKEN} and `rm -rf /`", "--json")
    assert [item["kind"] for item in fits("scan", json.loads(out))] == [
        "sensitive_data",
        "destructive_delete",
    ]
    security("scan", str(tmp_path / "src" / "a.py"), "--strict", code=4)
    (tmp_path / "long.txt").write_text("a line\n" * 700_000)
    assert "only its first 4 MiB" in security("scan", str(tmp_path / "long.txt"))[1]
    security("scan", "--text", "nothing here", "--strict")
    security("scan", str(tmp_path / "missing"), code=3)
    security("scan", code=2)


def test_a_refused_task_is_reported_audited_and_exits_4(server):
    code, _, err = ai_ops("task", "create", "Bad", "--description", "run `rm -rf /`", url=server.url)
    assert code == 4 and "destructive_delete" in err
    out, _ = security("report", "--severity", "critical", "--json", server=server)
    (item,) = fits("report", json.loads(out))
    assert (item["rule"], item["decision"]) == ("destructive_delete", "block")
    assert (
        fits("report", json.loads(security("report", "--severity", "low", "--json", server=server)[0])) == []
    )
    out, err = security("audit", "--days", "1", "--verify", "--json", server=server)
    found = json.loads(out)
    assert found["verified"]["intact"] and "as they were written" in err
    verbs = [item["verb"] for item in fits("audit", found)]
    assert {"config.changed", "POST /v1/tasks", "command.block", "POST /v1/tasks refused"} <= {*verbs}
    assert "destructive_delete" in security("report", server=server)[0]
    assert "config.changed" in security("audit", server=server)[0]
    out, err = security("audit", "--verify", server=server)
    assert (out, "as they were written" in err) == ("", True)


def test_a_held_task_goes_on_when_it_is_unblocked(server):
    out = ai_ops("task", "create", "Push", "--description", "git push -f", "--json", url=server.url)[1]
    task = json.loads(out)["task_id"]
    shown = ai_ops("task", "show", task, "--follow", url=server.url)
    assert "history_rewrite" in shown[1] + shown[2]
    err = security("unblock", task, code=2, server=server)[1]
    assert "give --reason and --role (reviewer or admin)" in err
    err = security("unblock", task, "--reason", "ours", code=2, server=server)[1]
    assert "give --role (reviewer or admin)" in err
    security("unblock", task, "--reason", "ours", "--role", "boss", code=2, server=server)
    out, _ = security("unblock", task, "--reason", "ours", "--role", "reviewer", "--json", server=server)
    validate(json.loads(out), {"type": "object", "required": ["task_id", "state", "trace_id"]})
    ai_ops("task", "show", task, "--follow", url=server.url)
    after = json.loads(ai_ops("task", "show", task, "--json", url=server.url)[1])
    assert after["state"] == "completed"
    security("unblock", task, "--reason", "ours", "--role", "admin", code=4, server=server)
    security("unblock", "ffffffffff", "--reason", "ours", "--role", "admin", code=3, server=server)


def test_no_server_is_exit_5():
    assert ai_ops("security", "report", url="http://127.0.0.1:9")[0] == 5


def test_a_log_that_was_touched_is_exit_1(server):
    (path,) = server.folder.rglob("ai_ops.db")
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TRIGGER audit_log_no_update")
        connection.execute("UPDATE audit_log SET who = 'nobody' WHERE seq = 1")
    _, err = security("audit", "--verify", server=server, code=1)
    assert "line 1: was changed" in err
