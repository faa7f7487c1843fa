"""``POST /v1/events``: acknowledged when durable, counted once, redacted and fingerprinted again here."""

import asyncio
import gzip
import json
import threading
import uuid

import pytest
from sqlalchemy import text

from ai_ops.core.describe import describe
from ai_ops.server import intake
from tests.support.running_server import AGENT_KEY, OWN_SECRET, TRACEBACK, running, wire_event

TOKEN = "ghp_" + "A1b2C3d4" * 4 + "E5f6"


@pytest.fixture
async def server(tmp_path):
    async with running(tmp_path) as started:
        yield started


async def send(server, *events, **more):
    return await server.post("/v1/events", {"events": list(events)}, key=AGENT_KEY, **more)


async def test_a_new_error_is_acknowledged_and_becomes_one_issue_and_one_task(server):
    answer = await send(server, wire_event())
    assert (answer.status, answer.json) == (200, {"accepted": 1, "duplicates": 0, "rejected": []})
    (issue,) = (await server.get("/v1/issues")).json["items"]
    assert (issue["exception_type"], issue["count"], issue["state"]) == ("ZeroDivisionError", 1, "open")
    (task,) = (await server.get("/v1/tasks")).json["items"]
    assert (task["kind"], task["issue_id"]) == ("repair", issue["issue_id"])
    while not server.worker.seen:
        await asyncio.sleep(0.01)
    assert server.worker.seen == [(task["task_id"], 1)]


async def test_ten_thousand_repeats_with_other_ids_and_times_are_one_issue_and_one_task(server):
    for start in range(0, 10_000, 500):
        events = [
            wire_event(
                occurred_at=f"2026-01-01T12:{n // 60 % 60:02}:{n % 60:02}Z",
                error={"raw_excerpt": TRACEBACK.replace("12:00:00", f"12:{n // 60 % 60:02}:{n % 60:02}")},
            )
            for n in range(start, start + 500)
        ]
        assert (await send(server, *events)).json["accepted"] == 500
    (issue,) = (await server.get("/v1/issues")).json["items"]
    assert issue["count"] == 10_000
    assert len((await server.get("/v1/tasks")).json["items"]) == 1


async def test_an_event_is_counted_once_however_often_it_comes(server):
    event = wire_event(count=3)
    assert (await send(server, event, event)).json == {"accepted": 1, "duplicates": 1, "rejected": []}
    upper = {**event, "event_id": event["event_id"].upper()}
    assert (await send(server, upper)).json == {"accepted": 0, "duplicates": 1, "rejected": []}
    (issue,) = (await server.get("/v1/issues")).json["items"]
    assert issue["count"] == 3


async def test_batches_with_the_same_ids_at_once_count_each_event_once(server):
    events = [wire_event() for _ in range(40)]
    answers = await asyncio.gather(*[send(server, *events[n:], *events[:n]) for n in range(0, 40, 5)])
    assert sum(answer.json["accepted"] for answer in answers) == 40
    assert sum(answer.json["duplicates"] for answer in answers) == 7 * 40
    assert len(await server.rows("events")) == 40
    assert len(await server.rows("tasks")) == 1
    assert (await server.get("/v1/issues")).json["items"][0]["count"] == 40


async def test_a_batch_may_be_compressed(server):
    body = gzip.compress(json.dumps({"events": [wire_event()]}).encode())
    headers = {"Content-Encoding": "gzip"}
    assert (await server.post("/v1/events", body=body, headers=headers)).json["accepted"] == 1


async def test_an_empty_batch_is_nothing(server):
    assert (await send(server)).json == {"accepted": 0, "duplicates": 0, "rejected": []}


async def test_five_hundred_events_are_taken_and_one_more_is_too_many(server):
    events = [wire_event() for _ in range(501)]
    refused = await send(server, *events)
    assert (refused.status, refused.json["code"]) == (413, "too_many_events")
    await server.nothing_happened()
    assert (await send(server, *events[:500])).json["accepted"] == 500


BAD = {
    "no object": "text",
    "null": None,
    "nothing": {},
    "no id": wire_event(event_id=None),
    "an id that is none": wire_event(event_id="17"),
    "an id as a number": wire_event(event_id=17),
    "no time": wire_event(occurred_at=None),
    "a time without a zone": wire_event(occurred_at="2026-01-01T12:00:00"),
    "a time as a number": wire_event(occurred_at=1_767_268_800),
    "a number as a time": wire_event(occurred_at="1767268800"),
    "the beginning of the calendar": wire_event(occurred_at="0001-01-01T00:00:00+23:59"),
    "the end of the calendar": wire_event(occurred_at="9999-12-31T23:59:59-23:59"),
    "no version": wire_event(schema_version=None),
    "version 0": wire_event(schema_version=0),
    "a version as text": wire_event(schema_version="1"),
    "a repository that is none": wire_event(repo=7),
    "no repository": wire_event(repo={"repo_url": None}),
    "no error": wire_event(error=None),
    "an empty error": wire_event(error={"raw_excerpt": ""}),
    "a blank error": wire_event(error={"raw_excerpt": " \n"}),
    "an error of a wrong type": wire_event(error={"raw_excerpt": 7}),
    "a huge error": wire_event(error={"raw_excerpt": "x" * 1_048_577}),
    "frames that are none": wire_event(error={"frames": [7]}),
    "a line below zero": wire_event(error={"frames": [{"file": "a.py", "line": -1}]}),
    "count 0": wire_event(count=0),
    "a huge count": wire_event(count=10**18),
    "half a count": wire_event(count=1.5),
    "a truth as a count": wire_event(count=True),
    "NUL in the service": wire_event(service="a\0b"),
    "context that is no list": wire_event(context="x"),
    "context of numbers": wire_event(context=[1]),
    "an offset below zero": wire_event(source={"path": "x", "offset": -1}),
}


async def test_what_is_wrong_is_named_by_its_index_and_the_rest_is_taken(server):
    batch = []
    for bad in BAD.values():
        batch += [bad, wire_event()]
    answer = await send(server, *batch)
    assert answer.status == 200
    assert answer.json["accepted"] == len(BAD)
    rejected = answer.json["rejected"]
    assert [one["index"] for one in rejected] == list(range(0, 2 * len(BAD), 2)), [
        name for name, n in zip(BAD, range(0, 2 * len(BAD), 2), strict=True)
        if n not in [one["index"] for one in rejected]
    ]  # fmt: skip
    assert {one["code"] for one in rejected} == {"invalid_event"}
    assert all(0 < len(one["reason"]) < 400 for one in rejected)


async def test_a_rejected_event_is_new_when_it_comes_again_with_an_address_that_is_allowed(server):
    event = wire_event(repo={"repo_url": "https://elsewhere.example/acme/shop"})
    answer = await send(server, event)
    assert (answer.json["accepted"], answer.json["duplicates"]) == (0, 0)
    assert answer.json["rejected"][0]["reason"] == (
        "elsewhere.example/acme/shop lies on another host than the configured one. "
        "Allow it in ALLOWED_REPOS, for example https://elsewhere.example/*."
    )
    await server.nothing_happened()
    mended = {**event, "repo": wire_event()["repo"]}
    assert (await send(server, mended)).json == {"accepted": 1, "duplicates": 0, "rejected": []}


async def test_a_batch_with_rejected_events_is_one_line_in_the_log(server, caplog):
    elsewhere = {"repo_url": "https://elsewhere.example/acme/shop"}
    batch = [
        wire_event(node="web-1", repo=elsewhere, service="words of the event"),
        wire_event(node="web-1", repo=elsewhere),
        wire_event(node="web-1", count=0),
        wire_event(node="web-2\nforged \x1b[31m", count=0),
        wire_event(node=7),
        "words of the event",
        wire_event(),
    ]
    await send(server, *batch)
    (said,) = [record.getMessage() for record in caplog.records if record.name == "ai_ops.server.intake"]
    assert said.startswith("rejected 6 of 7 events from node web-1, unnamed, web-2 forged  [31m: ")
    assert "2 repo_not_allowed: elsewhere.example/acme/shop lies on another host" in said
    assert "2 invalid_event: count: " in said
    assert "words of the event" not in said
    assert "\n" not in said


async def test_the_line_about_rejected_events_holds_no_secret_and_has_a_bound(server, caplog):
    batch = [wire_event(node=f"{TOKEN}-{n}-{'x' * 5000}", count=0, level=OWN_SECRET) for n in range(100)]
    await send(server, *batch, wire_event(node=OWN_SECRET, count=0))
    (said,) = [record.getMessage() for record in caplog.records if record.name == "ai_ops.server.intake"]
    assert TOKEN[:20] not in said and OWN_SECRET not in said
    assert len(said) < 4000


async def test_a_batch_without_a_rejected_event_is_no_line_in_the_log(server, caplog):
    await send(server, wire_event())
    assert [record for record in caplog.records if record.name == "ai_ops.server.intake"] == []


async def test_fields_of_a_newer_agent_are_ignored(server):
    event = wire_event(schema_version=2, mood="calm", error={"severity": {"x": 1}}, repo={"forge": "x"})
    assert (await send(server, {**event, "trailing": [1]})).json["accepted"] == 1


async def test_the_servers_own_fingerprint_counts(server):
    forged = wire_event(error={"fingerprint": "f" * 64, "grouping_version": "v99"})
    assert (await send(server, forged, wire_event())).json["accepted"] == 2
    (issue,) = (await server.get("/v1/issues")).json["items"]
    assert issue["fingerprint"] == describe(TRACEBACK).error.fingerprint
    assert issue["grouping_version"] == "v1"


async def test_what_only_a_newer_agent_can_read_is_grouped_by_what_it_read(server):
    def foreign(line, kind="BoomException"):
        return wire_event(
            error={
                "raw_excerpt": f"** something went wrong at {line}",
                "language": "newlang",
                "exception_type": kind,
                "message": "boom",
                "frames": [{"file": "a.nl", "line": line, "function": "f", "in_app": True}],
                "fingerprint": str(uuid.uuid4()),
            }
        )

    assert (await send(server, foreign(1), foreign(1), foreign(1, "OtherException"))).json["accepted"] == 3
    issues = (await server.get("/v1/issues")).json["items"]
    assert sorted((one["exception_type"], one["count"]) for one in issues) == [
        ("BoomException", 2),
        ("OtherException", 1),
    ]


async def test_a_secret_in_any_field_is_stored_nowhere_and_answered_nowhere(server):
    words = f"user said {OWN_SECRET} and {TOKEN}"
    key = ["-----BEGIN PRIVATE KEY-----", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj",
           "-----END PRIVATE KEY-----"]  # fmt: skip
    everywhere = {
        "node": TOKEN, "service": words, "environment": OWN_SECRET, "release": TOKEN, "level": TOKEN,
        "source": {"path": f"/var/log/{TOKEN}.log", "offset": 1},
        "context": [words, *key],
    }  # fmt: skip
    parsed_here = wire_event(
        **everywhere,
        repo={"default_branch": TOKEN},
        error={"raw_excerpt": f"{TRACEBACK}{words}\n", "message": words, "exception_type": TOKEN},
    )
    parsed_by_the_agent = wire_event(
        **everywhere,
        error={
            "raw_excerpt": f"** {words}",
            "language": TOKEN,
            "exception_type": TOKEN,
            "message": words,
            "frames": [{"file": f"{TOKEN}.py", "line": 1, "function": TOKEN}],
        },
    )
    answer = await send(server, parsed_here, parsed_by_the_agent)
    assert answer.json["accepted"] == 2
    shown = b"".join([(await server.get(path)).body for path in ("/v1/issues", "/v1/tasks")])
    stored = server.stored_bytes()
    assert b"user said" in stored and b"user said" in shown
    for secret in (TOKEN[:20], OWN_SECRET, key[1]):
        assert secret.encode() not in stored
        assert secret.encode() not in shown


async def test_a_log_line_is_never_refused_for_its_bytes(server):
    event = wire_event(error={"raw_excerpt": f"{TRACEBACK}\x00\ufffd\u202e"}, context=["a\x00b"])
    assert (await send(server, event)).json["accepted"] == 1


async def test_events_far_from_now_are_taken(server):
    late, early = (
        wire_event(occurred_at="2100-01-01T00:00:00Z"),
        wire_event(occurred_at="2001-01-01T00:00:00Z"),
    )
    assert (await send(server, late, early)).json["accepted"] == 2


async def full_disk(server):
    """Let SQLite have no more pages than it has."""
    async with server.database.write() as connection:
        pages = (await connection.execute(text("PRAGMA page_count"))).scalar_one()
        await connection.execute(text(f"PRAGMA max_page_count={pages}"))


async def test_nothing_is_acknowledged_when_the_disk_is_full_and_all_of_it_when_there_is_room(server):
    await full_disk(server)
    events = [wire_event(error={"raw_excerpt": TRACEBACK + "x" * 50_000}) for _ in range(50)]
    answer = await send(server, *events)
    assert (answer.status, answer.json["code"]) == (503, "storage_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert answer.headers["Content-Type"] == "application/problem+json"
    await server.nothing_happened()
    async with server.database.write() as connection:
        await connection.execute(text("PRAGMA max_page_count=1000000"))
    assert (await send(server, *events)).json == {"accepted": 50, "duplicates": 0, "rejected": []}
    assert len(await server.rows("tasks")) == 1


async def test_an_agent_keeps_its_events_when_the_database_is_broken(server):
    async with server.database.write() as connection:
        await connection.execute(text("DROP TABLE events"))
    answer = await send(server, wire_event())
    assert (answer.status, answer.json["code"]) == (503, "storage_failed")
    assert "Retry-After" in answer.headers


async def test_a_task_is_not_taken_either_when_the_disk_is_full(server):
    await full_disk(server)
    answer = await server.post("/v1/tasks", {"prompt": "x" * 500_000})
    assert (answer.status, answer.json["code"]) == (503, "storage_unavailable")
    await server.nothing_happened()


async def test_the_server_answers_others_while_it_reads_a_batch(server, monkeypatch):
    answered = threading.Event()
    read = intake.Reader.read

    def read_slowly(reader, item):
        assert answered.wait(10)
        return read(reader, item)

    monkeypatch.setattr(intake.Reader, "read", read_slowly)
    sending = asyncio.create_task(send(server, wire_event()))
    await asyncio.sleep(0.05)
    assert (await server.get("/healthz")).status == 200
    answered.set()
    assert (await sending).json["accepted"] == 1


async def test_a_task_that_intake_queues_is_one_line_in_the_log_and_a_repeat_is_none(server, caplog):
    caplog.set_level("INFO", "ai_ops")
    await send(server, wire_event())
    await send(server, wire_event())
    (task,) = (await server.get("/v1/tasks")).json["items"]
    queued = f"task {task['task_id']} queued: repair of issue {task['issue_id']} in github.com/acme/shop"
    assert [message for message in caplog.messages if "queued" in message] == [queued]
