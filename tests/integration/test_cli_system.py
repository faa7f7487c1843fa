"""``ai-ops worker``, ``alert`` and ``system`` as they are typed: output, its shape, and exit codes."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from jsonschema import validate

from tests.support.cli import ai_ops
from tests.support.local_server import LocalServer

TEXT, NUMBER, WHOLE = {"type": "string"}, {"type": "number"}, {"type": "integer"}
MAYBE = {"type": ["string", "null"]}
COUNTS = {"type": "object", "additionalProperties": WHOLE}


def shape(**properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def many(item):
    return {"type": "array", "items": item}


WORKER = {
    "number": WHOLE,
    "state": {"enum": ["idle", "working", "replacing"]},
    "task_id": MAYBE,
    "run_id": MAYBE,
    "kind": MAYBE,
    "step": MAYBE,
    "since": MAYBE,
    "heartbeat_seconds": NUMBER,
    "memory_bytes": WHOLE,
    "cpu_percent": NUMBER,
    "processes": WHOLE,
    "replaced": WHOLE,
    "last_loss": {"anyOf": [{"type": "null"}, shape(reason=TEXT, detail=TEXT)]},
}
LOSS = shape(at=TEXT, reason=TEXT, detail=TEXT, task_id=TEXT, run_id=TEXT)
LIMITS = shape(memory_bytes=WHOLE, silent_seconds=NUMBER, most_losses=WHOLE)
SEVERITY = {"enum": ["P1", "P2", "P3"]}
ALERT = shape(
    alert_id=TEXT,
    key=TEXT,
    severity=SEVERITY,
    state={"enum": ["open", "resolved"]},
    text=TEXT,
    next_step=TEXT,
    repair=TEXT,
    seen=WHOLE,
    first_at=TEXT,
    last_at=TEXT,
    changed_at=TEXT,
    resolved_at=MAYBE,
)
CHECK = shape(name=TEXT, severity={"enum": ["P1", "P2", "P3", None]}, text=TEXT, next_step=TEXT)
STATUS = shape(
    version=TEXT,
    checked_at=TEXT,
    checks=many(CHECK),
    alerts=many(ALERT),
    tasks=COUNTS,
    issues=COUNTS,
    pull_requests=COUNTS,
    notifications=COUNTS,
    pending_since=MAYBE,
)
BACKUP = shape(file=TEXT, schema=TEXT, created_at=TEXT, files=many(shape(name=TEXT, bytes=WHOLE)))
RESTORED = shape(schema=TEXT, created_at=TEXT, version=TEXT, files=many(TEXT), kept=many(TEXT))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server whose disk is below its floor, so that an alert is open."""
    folder = tmp_path_factory.mktemp("system")
    with LocalServer(folder, DISK_FLOOR_GB="1000000", HEALTH_CHECK_SECONDS="0.5") as running:
        running.finish_a_repair()
        yield running


def as_json(server, schema, *arguments, code=0, **more):
    got, out, err = ai_ops(*arguments, "--json", url=server.url, **more)
    assert got == code, err
    told = json.loads(out)
    validate(told, schema)
    return told


def test_workers_are_listed_shown_and_restarted(server):
    items = as_json(server, shape(items=many(shape(**WORKER))), "worker", "list")["items"]
    assert [each["number"] for each in items] == [1, 2]
    shown = as_json(server, shape(**WORKER, limits=LIMITS, losses=many(LOSS)), "worker", "show", "1")
    assert shown["limits"] == {"memory_bytes": 5000 * 2**20, "silent_seconds": 1200.0, "most_losses": 3}
    assert as_json(server, shape(**WORKER), "worker", "restart", "2")["state"] == "idle"
    said = ai_ops("worker", "restart", "2", url=server.url)
    assert said == (0, "", "nothing was under way with worker 2: it stays as it is\n")
    code, out, _ = ai_ops("worker", "list", url=server.url)
    assert code == 0 and "WORKER" in out and "idle" in out
    code, out, _ = ai_ops("worker", "show", "1", url=server.url)
    assert code == 0 and "5000 MB" in out


@pytest.mark.parametrize("verb", ["show", "restart"])
def test_a_worker_that_is_not_there_is_not_found_and_none_is_a_usage_error(server, verb):
    assert ai_ops("worker", verb, "9", url=server.url)[0] == 3
    assert ai_ops("worker", verb, "one", url=server.url)[0] == 2


def test_an_open_alert_makes_the_status_fail_and_can_be_looked_at(server):
    found = as_json(server, STATUS, "system", "status", code=1)
    assert [alert["key"] for alert in found["alerts"]] == ["disk"] and found["tasks"] == {"completed": 1}
    assert datetime.fromisoformat(found["checked_at"]) > datetime.now(UTC) - timedelta(minutes=5)
    assert {check["name"] for check in found["checks"]} >= {"disk", "database", "queue", "workers", "clock"}
    code, out, err = ai_ops("system", "status", url=server.url)
    assert code == 1 and "1000000 GB is the floor" in out and "P1 disk" in err
    listed = as_json(server, shape(items=many(ALERT)), "alert", "list", "--state", "open")["items"]
    assert as_json(server, ALERT, "alert", "show", listed[0]["alert_id"][:8])["key"] == "disk"
    assert ai_ops("alert", "show", "0" * 8, url=server.url)[0] == 3
    assert ai_ops("alert", "list", "--state", "x", url=server.url)[0] == 2
    assert "disk" in ai_ops("alert", "list", url=server.url)[1]


def test_what_is_old_is_removed_and_counted(server):
    wanted = shape(removed=COUNTS, free_before=WHOLE, free_after=WHOLE)
    done = as_json(server, wanted, "system", "cleanup", "--days", "1")
    assert set(done["removed"]) == {"events", "traces", "workspaces", "mirrors", "setup_layers"}
    assert ai_ops("system", "cleanup", url=server.url)[0] == 2
    assert ai_ops("system", "cleanup", "--days", "0", url=server.url)[0] == 2
    code, out, _ = ai_ops("system", "cleanup", "--days", "30", url=server.url)
    assert code == 0 and "disk free:" in out


def test_a_backup_of_a_running_server_is_restored_when_it_does_not_run(server, tmp_path):
    more = {"cwd": server.folder, "environment": server.environment}
    file = str(tmp_path / "b.tar")
    made = as_json(server, BACKUP, "system", "backup", file, **more)
    assert [each["name"] for each in made["files"]] == ["engine.db", "ai_ops.db", "salt"]
    assert ai_ops("system", "backup", file, **more)[0] == 4
    code, _, err = ai_ops("system", "restore", file, **more)
    assert code == 4 and "data_dir_in_use" in err
    server.stop()
    try:
        with closing(sqlite3.connect(server.folder / "data" / "ai_ops.db")) as tables:
            tables.execute("DELETE FROM trace_events")
            tables.commit()
        done = as_json(server, RESTORED, "system", "restore", file, **more)
        assert done["schema"] == made["schema"] and len(done["kept"]) == 1
        assert ai_ops("system", "restore", str(tmp_path / "none.tar"), **more)[0] == 3
        (tmp_path / "c.tar").write_text("no backup")
        code, _, err = ai_ops("system", "restore", str(tmp_path / "c.tar"), **more)
        assert code == 1 and "cannot be used" in err
    finally:
        server.start()
    [task] = server.call("/v1/tasks")["items"]
    assert server.call(f"/v1/traces/{task['trace_id']}")["steps"]
    assert server.finish_a_repair()["state"] == "completed"


def test_a_backup_makes_no_folder_that_is_not_there(server, tmp_path):
    folder = tmp_path / "mistyped"
    more = {"cwd": server.folder, "environment": server.environment}
    code, _, err = ai_ops("system", "backup", str(folder / "b.tar"), **more)
    assert (code, folder.exists()) == (3, False)
    assert f"there is no folder {folder}; make it first" in err


def test_a_database_server_has_tools_of_its_own_for_backups(tmp_path):
    more = {"environment": {"DATABASE_URL": "postgresql://nobody@localhost/nothing"}, "cwd": tmp_path}
    code, _, err = ai_ops("system", "backup", str(tmp_path / "b.tar"), **more)
    assert code == 4 and "pg_dump" in err


@pytest.mark.parametrize(
    "words",
    [("worker", "list"), ("alert", "list"), ("system", "status"), ("system", "cleanup", "--days", "9")],
)
def test_without_a_server_the_commands_say_so(words):
    assert ai_ops(*words, url="http://127.0.0.1:9")[0] == 5
