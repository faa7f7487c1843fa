"""Findings, the audit log and secrets, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text

from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.judgement import Decision, Finding, Severity
from ai_ops.store.audit import AuditLog
from ai_ops.store.findings import FindingRepository
from ai_ops.store.secrets import SecretKey, SecretStore, key_file
from tests.support.store import START

SECRET = "hunter2-hunter2-hunter2"
FINDING = Finding(
    "f1",
    START,
    "destructive_delete",
    Severity.CRITICAL,
    Decision.ASK,
    "Bash",
    "rm -rf /",
    "d" * 64,
    "t1",
    "r1",
)
OPEN = ("DROP TRIGGER audit_log_no_update", "DROP TRIGGER audit_log_no_delete")


@pytest.fixture
def audit(database, clock, tmp_path):
    return AuditLog(database, clock, tmp_path / "audit-head.json")


@pytest.fixture
def findings(database):
    return FindingRepository(database)


async def written(audit, count=5):
    for number in range(count):
        words = "é\x00" if number == 2 else "x"
        await audit.append("key", "task.cancel", f"t{number}", {"n": number, "words": words})


def tampered(tmp_path, *statements):
    """Change the file as somebody with the rights of its owner would."""
    (path,) = tmp_path.rglob("ai_ops.db")
    with sqlite3.connect(path) as connection:
        for statement in (*OPEN, *statements):
            connection.execute(statement)


async def test_a_log_that_nobody_touched_is_whole(audit, clock):
    await written(audit)
    clock.forward(60)
    await audit.append("key", "task.retry", "t9")
    assert await audit.verify() == (6, ())
    assert [entry.verb for entry in await audit.since(START)][:2] == ["task.retry", "task.cancel"]
    assert [entry.subject for entry in await audit.since(clock.now())] == ["t9"]


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET who = 'x'", "DELETE FROM audit_log"])
async def test_the_database_refuses_to_change_a_line(audit, database, statement):
    await written(audit)
    with pytest.raises(PermanentError):
        async with database.write() as connection:
            await connection.execute(text(statement))
    assert await audit.verify() == (5, ())


async def test_postgresql_refuses_to_empty_the_log(audit, store_url, request):
    if store_url.startswith("sqlite"):
        pytest.skip("SQLite has no TRUNCATE")
    await written(audit)
    engine = create_engine(store_url.replace("postgresql://", "postgresql+psycopg://"))
    with pytest.raises(Exception, match="append-only"), engine.begin() as connection:
        connection.execute(text("TRUNCATE audit_log"))
    engine.dispose()
    assert await audit.verify() == (5, ())


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        pytest.param(["UPDATE audit_log SET who = 'x' WHERE seq = 3"], "was changed", id="a line is changed"),
        pytest.param(["UPDATE audit_log SET detail = '{}' WHERE seq = 3"], "was changed", id="its detail is"),
        pytest.param(["UPDATE audit_log SET at = '2026-01-02 00:00:00.000000'"], "changed", id="its time is"),
        pytest.param(["DELETE FROM audit_log WHERE seq = 3"], "are missing", id="a line is removed"),
        pytest.param(["DELETE FROM audit_log WHERE seq = 1"], "are missing", id="the first is removed"),
        pytest.param(["DELETE FROM audit_log WHERE seq = 5"], "ends before line 5", id="the last is removed"),
        pytest.param(["DELETE FROM audit_log"], "ends before line 5", id="all are removed"),
        pytest.param(
            ["UPDATE audit_log SET seq = 99 WHERE seq = 2", "UPDATE audit_log SET seq = 2 WHERE seq = 3",
             "UPDATE audit_log SET seq = 3 WHERE seq = 99"], "was changed", id="two are exchanged",
        ),
        pytest.param(
            ["DELETE FROM audit_log WHERE seq = 3", "UPDATE audit_log SET seq = seq - 1 WHERE seq > 3"],
            "does not follow", id="one is removed and the others move up",
        ),
    ],
)  # fmt: skip
async def test_every_change_to_the_log_is_found(audit, store_url, tmp_path, statements, words):
    if not store_url.startswith("sqlite"):
        pytest.skip("the file is changed from outside")
    await written(audit)
    tampered(tmp_path, *statements)
    _, faults = await audit.verify()
    assert any(words in fault.words for fault in faults), faults


async def test_a_log_that_is_made_anew_is_found_by_its_anchor(audit, database, clock, store_url, tmp_path):
    if not store_url.startswith("sqlite"):
        pytest.skip("the file is changed from outside")
    await written(audit)
    tampered(tmp_path, "DELETE FROM audit_log")
    clock.forward(1)
    await written(AuditLog(database, clock, tmp_path / "forged.json"), 7)
    _, faults = await audit.verify()
    assert [fault.words for fault in faults] == ["is not the line that this server wrote"]
    (tmp_path / "audit-head.json").unlink()
    _, faults = await audit.verify()
    assert "the anchor is missing" in faults[0].words


async def test_the_anchor_is_the_owners_alone_and_may_lag_by_a_kill(audit, tmp_path):
    await written(audit)
    anchor = tmp_path / "audit-head.json"
    assert anchor.stat().st_mode & 0o777 == 0o600
    before = anchor.read_text()
    await audit.append("key", "task.retry")
    anchor.write_text(before)
    assert await audit.verify() == (6, ())
    anchor.write_text(json.dumps({**json.loads(before), "hash": "f" * 64}))
    assert (await audit.verify())[1]


async def test_a_finding_is_kept_once_a_run_and_unblocked_once(findings, clock):
    await findings.keep(FINDING)
    assert (await findings.keep(replace(FINDING, id="f2"))).id == "f1"
    await findings.keep(replace(FINDING, id="f3", run_id="r2"))
    assert [each.id for each in await findings.of_task("t1")] == ["f1", "f3"]
    await findings.unblock(["f1"], "admin", "it is a test")
    await findings.unblock(["f1"], "other", "again")
    (first, second) = await findings.of_task("t1")
    assert (first.unblocked_by, first.reason, second.unblocked_by) == ("admin", "it is a test", "")


async def test_findings_are_listed_by_time_severity_and_decision(findings):
    await findings.keep(FINDING)
    await findings.keep(
        replace(FINDING, id="f2", run_id="r2", severity=Severity.MEDIUM, decision=Decision.BLOCK)
    )
    assert [each.id for each in await findings.since(START)] == ["f2", "f1"]
    assert [each.id for each in await findings.since(START, severities=[Severity.CRITICAL])] == ["f1"]
    assert [each.id for each in await findings.since(START, decisions=[Decision.BLOCK])] == ["f2"]


async def test_a_secret_comes_back_and_stands_nowhere_in_plain(database, clock, store_url, tmp_path):
    store = SecretStore(database, clock, [SecretKey(key_file(tmp_path))])
    await store.put("webhook/1", SECRET)
    await store.put("webhook/1", SECRET + "!")
    assert await store.get("webhook/1") == SECRET + "!"
    assert await store.names() == ["webhook/1"]
    assert (tmp_path / "secret.key").stat().st_mode & 0o777 == 0o600
    if store_url.startswith("sqlite"):
        assert not [p for p in tmp_path.rglob("*") if p.is_file() and SECRET.encode() in p.read_bytes()]
    await store.delete("webhook/1")
    assert await store.get("webhook/1") is None


async def test_a_secret_that_was_changed_or_moved_does_not_open(database, clock):
    store = SecretStore(database, clock, [SecretKey("k" * 32)])
    await store.put("a", SECRET)
    async with database.write() as connection:
        await connection.execute(text("UPDATE secrets SET name = 'b'"))
    with pytest.raises(PermanentError, match="secret_unreadable"):
        await store.get("b")


async def test_a_changed_key_seals_everything_anew(database, clock):
    old, new = SecretKey("o" * 32), SecretKey("n" * 32)
    await SecretStore(database, clock, [old]).put("a", SECRET)
    with pytest.raises(PermanentError, match="not among the keys"):
        await SecretStore(database, clock, [new]).get("a")
    both = SecretStore(database, clock, [new, old])
    assert (await both.rotate(), await both.rotate()) == (1, 0)
    assert await SecretStore(database, clock, [new]).get("a") == SECRET


@pytest.mark.parametrize("key", ["", "short", "a" * 31])
def test_a_key_that_could_be_guessed_is_refused(key):
    with pytest.raises(PermanentError, match="secret_key_invalid"):
        SecretKey(key)


def test_a_key_file_that_others_may_read_is_refused(tmp_path):
    key_file(tmp_path)
    (tmp_path / "secret.key").chmod(0o644)
    with pytest.raises(PermanentError, match="can be read by others"):
        key_file(tmp_path)


@pytest.mark.parametrize(
    "anew", [pytest.param(False, id="by the same server"), pytest.param(True, id="by the next one")]
)
@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(["DELETE FROM audit_log WHERE seq > 3"], id="its end cut off"),
        pytest.param(["DELETE FROM audit_log"], id="all of it gone"),
    ],
)
async def test_a_log_that_goes_on_after_its_end_was_cut_off_says_so_for_ever(
    audit, database, clock, store_url, tmp_path, statements, anew
):
    """The anchor moves on with the next line: without a word in the log the cut would be healed."""
    if not store_url.startswith("sqlite"):
        pytest.skip("the file is changed from outside")
    await written(audit)
    tampered(tmp_path, *statements)
    if anew:
        audit = AuditLog(database, clock, tmp_path / "audit-head.json")
    await written(audit, 4)
    _, faults = await audit.verify()
    assert [fault.words for fault in faults] == ["was written after a break: line 5 was gone"]


@pytest.mark.parametrize("anchor", [None, "{", "[]", '{"seq": 0}'])
async def test_a_log_that_goes_on_without_its_anchor_says_so(audit, database, clock, tmp_path, anchor):
    await written(audit)
    place = tmp_path / "audit-head.json"
    place.unlink() if anchor is None else place.write_text(anchor)
    anew = AuditLog(database, clock, place)
    await written(anew, 1)
    assert [fault.seq for fault in (await anew.verify())[1]] == [6]


async def test_a_server_that_joins_others_at_their_log_is_no_break(audit, database, clock, tmp_path):
    await written(audit)
    other = AuditLog(database, clock, tmp_path / "other.json", shared=True)
    await written(other, 2)
    await written(audit, 1)
    assert await other.verify() == (8, ())


async def test_an_anchor_that_cannot_be_written_is_a_named_failure_and_no_break(audit, tmp_path):
    await written(audit, 1)
    place = tmp_path / "audit-head.json"
    place.unlink()
    place.mkdir()
    with pytest.raises(TemporaryError) as failure:
        await written(audit, 1)
    assert failure.value.code == "storage_unavailable"
    assert failure.value.next_step
    place.rmdir()
    await written(audit, 1)
    assert await audit.verify() == (3, ())
