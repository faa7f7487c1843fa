"""The trace on a real database: outcomes stand, history only grows, secrets do not enter."""

import asyncio

import pytest
from sqlalchemy import select

from ai_ops.core.redaction import Redactor
from ai_ops.flow.run import Run, Usage
from ai_ops.store import tables
from ai_ops.store.database import open_database
from ai_ops.trace.trace_store import ARTIFACT_BYTES, TraceStore
from tests.support.store import START, FixedClock

SECRET = "hunter2-swordfish-9"
RUN = "0b1e5b6c-0000-5a52-8ed4-aa3f7f0b2f0c"


@pytest.fixture
async def trace(database):
    made = TraceStore(database, FixedClock(), Redactor(literals=[SECRET]))
    await made.run_started(Run(RUN, "task-1", 1, START))
    return made


def kinds(events):
    return [(event.kind, event.data.get("state", "")) for event in events]


async def test_a_run_is_known_once_and_ends_once(trace):
    await trace.run_started(Run(RUN, "task-1", 1, START, outcome="other"))
    assert await trace.find_run(RUN) == Run(RUN, "task-1", 1, START)
    await trace.run_ended(RUN, "completed")
    await trace.run_ended(RUN, "failed")
    assert (await trace.find_run(RUN)).outcome == "completed"
    assert kinds(await trace.events_after(RUN, 0)) == [("complete", "")]
    assert await trace.find_run("none") is None


async def test_an_outcome_stands_once_it_is_committed(trace):
    assert await trace.step_outcome(RUN, "fix", 1) is None
    await trace.step_started(RUN, "fix", 1)
    assert await trace.step_outcome(RUN, "fix", 1) is None
    await trace.step_done(RUN, "fix", 1, {"patch": "p1"})
    await trace.step_done(RUN, "fix", 1, {"patch": "p2"})
    await trace.step_failed(RUN, "fix", 1, {"code": "late"})
    await trace.step_started(RUN, "fix", 1)
    assert await trace.step_outcome(RUN, "fix", 1) == {"patch": "p1"}
    assert await trace.step_outcome(RUN, "fix", 2) is None
    assert kinds(await trace.events_after(RUN, 0)) == [("step", "started"), ("step", "done")]


async def test_a_step_begun_again_counts_its_entries(trace):
    await trace.step_started(RUN, "fix", 1)
    await trace.step_failed(RUN, "fix", 1, {"code": "model_overloaded", "message": "m", "next_step": ""})
    await trace.step_started(RUN, "fix", 1)
    await trace.step_started(RUN, "fix", 1)
    (step,) = await trace.steps(RUN)
    assert (step.entries, step.state, step.ended_at) == (3, "started", None)
    await trace.step_done(RUN, "fix", 1, {})
    (step,) = await trace.steps(RUN)
    assert (step.state, step.output, step.failure, step.ended_at) == ("done", {}, None, START)


async def test_steps_stand_in_the_order_they_first_began(trace):
    for name, round in (("checkout", 1), ("fix", 1), ("verify", 1), ("fix", 2)):
        await trace.step_started(RUN, name, round)
    await trace.step_done(RUN, "checkout", 1, {})
    assert [(s.name, s.round) for s in await trace.steps(RUN)] == [
        ("checkout", 1), ("fix", 1), ("verify", 1), ("fix", 2),
    ]  # fmt: skip


async def test_usage_is_added_to_the_run_once_for_each_step(trace):
    usage = {"input_tokens": 10, "output_tokens": 5, "cost_usd": 0.25}
    for _ in range(2):
        await trace.step_done(RUN, "fix", 1, {"usage": usage})
    await trace.step_done(RUN, "fix", 2, {"usage": usage})
    assert (await trace.find_run(RUN)).usage == Usage(20, 10, 0.5)
    assert (await trace.steps(RUN))[0].usage == Usage(10, 5, 0.25)


async def test_no_secret_reaches_the_file_and_patches_stay_as_they_are(trace, database):
    await trace.step_started(RUN, "fix", 1)
    await trace.step_failed(RUN, "fix", 1, {"code": "x", "message": SECRET})
    await trace.step_done(RUN, "fix", 1, {"output": [f"password is {SECRET}"]})
    await trace.emit(RUN, "text", {"text": SECRET, "deep": [{"a": SECRET}]})
    await trace.put_artifact(RUN, "prompt", f"quoted: {SECRET}")
    async with database.read() as connection:
        for table in tables.metadata.sorted_tables:
            assert SECRET not in str((await connection.execute(select(table))).all())
    assert SECRET not in str(await trace.events_after(RUN, 0)) + (await trace.artifact(RUN, "prompt")).text
    await trace.put_patch(RUN, "work", f"+{SECRET}\r\n\x00é\udcff")
    assert await trace.patch(RUN, "work") == f"+{SECRET}\r\n\x00é\udcff"
    await trace.put_patch(RUN, "work", "")
    assert await trace.patch(RUN, "work") == ""
    assert await trace.patch(RUN, "none") is None


async def test_artifacts_are_replaced_capped_and_listed_without_text(trace):
    await trace.put_artifact(RUN, "b", "é" * ARTIFACT_BYTES, "text/markdown")
    await trace.put_artifact(RUN, "a", "first")
    await trace.put_artifact(RUN, "a", "sec\x00ond\ud800")
    assert [(a.name, a.media_type, a.text) for a in await trace.artifacts(RUN)] == [
        ("a", "text/plain", ""), ("b", "text/markdown", ""),
    ]  # fmt: skip
    assert (await trace.artifact(RUN, "a")).text == "sec\ufffdond?"
    big = (await trace.artifact(RUN, "b")).text
    assert ARTIFACT_BYTES < len(big.encode()) < ARTIFACT_BYTES + 100
    assert big.endswith(f"[cut here: {ARTIFACT_BYTES} more bytes]\n")
    assert await trace.artifact(RUN, "none") is None


async def test_history_resumes_after_any_line(trace):
    for number in range(10):
        await trace.emit(RUN, "text", {"n": number})
        await trace.emit("other", "text", {"n": -1})
    everything = await trace.events_after(RUN, 0)
    assert [event.data["n"] for event in everything] == list(range(10))
    assert await trace.events_after(RUN, everything[6].seq) == everything[7:]
    assert await trace.events_after(RUN, everything[2].seq, limit=2) == everything[3:5]


async def test_lines_written_at_once_all_arrive(trace):
    await asyncio.gather(*(trace.emit(RUN, "text", {"n": n}) for n in range(200)))
    assert [event.data["n"] for event in await trace.events_after(RUN, 0)] == list(range(200))


async def test_followers_see_what_is_written_and_end_with_the_run(trace):
    async def read(seq=0):
        return [event async for event in trace.follow(RUN, seq)]

    await trace.step_started(RUN, "fix", 1)
    followers = [asyncio.create_task(read()) for _ in range(3)]
    for number in range(5):
        await trace.emit(RUN, "text", {"n": number})
        await asyncio.sleep(0)
    await trace.step_done(RUN, "fix", 1, {})
    await trace.run_ended(RUN, "completed")
    stories = await asyncio.gather(*followers)
    assert stories[0] == stories[1] == stories[2] == await trace.events_after(RUN, 0)
    assert stories[0][-1].kind == "complete"
    assert await read(stories[0][-1].seq) == []
    assert await read(stories[0][3].seq) == stories[0][4:]


async def test_a_follower_sees_what_another_process_writes(trace, store_url):
    async def first():
        async for event in trace.follow(RUN):
            return event

    follower = asyncio.create_task(first())
    await asyncio.sleep(0.05)
    elsewhere = await open_database(store_url)
    await TraceStore(elsewhere, FixedClock(), Redactor()).emit(RUN, "text", {})
    await elsewhere.close()
    assert (await follower).kind == "text"


async def test_runs_are_paged_newest_first(trace):
    for number in range(5):
        await trace.run_started(Run(f"run-{number}", "t", number, START))
    first, cursor = await trace.runs(limit=4)
    rest, end = await trace.runs(limit=4, cursor=cursor)
    assert [run.id for run in (*first, *rest)] == [*(f"run-{n}" for n in (4, 3, 2, 1, 0)), RUN]
    assert end is None
