"""The table of states, held at every pair: by the store, and by the picture in the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert

from ai_ops.core.ports import TaskFilter
from ai_ops.core.state_picture import picture, verbs_between
from ai_ops.core.verbs import VERBS
from ai_ops.errors import PermanentError
from ai_ops.flow.task import TRANSITIONS, TaskState, status_word
from ai_ops.store import tables
from ai_ops.store.database import open_database
from ai_ops.store.rows import task_row
from ai_ops.store.tasks import TaskRepository
from tests.support.memory_ports import a_task
from tests.support.store import FixedClock, sqlite_url

ROOT = Path(__file__).parents[2]
S = TaskState


async def test_the_store_moves_a_task_where_the_table_says_and_nowhere_else(tmp_path):
    database = await open_database(sqlite_url(tmp_path))
    tasks = TaskRepository(database, FixedClock())
    pairs = [(before, after) for before in S for after in S]
    rows = [
        task_row(a_task(f"{before}-{after}", state=before, fingerprint=f"{before}-{after}"))
        for before, after in pairs
    ]
    try:
        async with database.write() as connection:
            await connection.execute(insert(tables.tasks), rows)
        for before, after in pairs:
            name = f"{before}-{after}"
            if after in TRANSITIONS[before]:
                assert (await tasks.move(name, after)).state is after
            else:
                with pytest.raises(PermanentError) as refused:
                    await tasks.move(name, after)
                assert refused.value.code == "illegal_transition"
                assert (await tasks.find(name)).state is before
        assert len((await tasks.list(TaskFilter(), limit=200)).items) == len(pairs) == 81
    finally:
        await database.close()


def test_every_state_has_its_row_and_can_be_reached_and_ends():
    assert set(TRANSITIONS) == set(S)
    reached = {S.PENDING}
    while more := {after for before in reached for after in TRANSITIONS[before]} - reached:
        reached |= more
    assert reached == set(S)
    assert {state for state in S if state.final} == {S.COMPLETED, S.FAILED, S.CANCELLED}
    assert all(status_word(state) in {"QUEUED", "RUNNING", "DONE", "FAILED"} for state in S)


def test_the_picture_in_the_documentation_is_the_table():
    assert f"```mermaid\n{picture()}\n```" in (ROOT / "doc" / "ARCHITECTURE.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_leads_along_the_table_alone(verb):
    led = {(a, b) for a in S for b in S if verb in verbs_between(a, b)}
    assert led and all(after in TRANSITIONS[before] for before, after in led)
