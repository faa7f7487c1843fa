"""Prepared statements write and read the same as SQLAlchemy's own, on both databases."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import bindparam, insert, select
from sqlalchemy.exc import StatementError

from ai_ops.errors import PermanentError
from ai_ops.store import tables
from ai_ops.store.prepared import LONGEST, Moments, Reading, inserting, padded, places, updating
from tests.support.store import event, pairs

STEPS = tables.steps.c
COLUMNS = [column for column in STEPS if column.name != "seq"]
NAMES = [column.name for column in COLUMNS]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MOMENTS = [NOON, NOON.replace(microsecond=7), NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))]


def step(number, at=NOON, output=None):
    return ["run", f"é {number}", number, "done", at, None, 1, output, None, 2**40, 0, 0.25]


def write(connection, *rows):
    inserting(COLUMNS, connection.dialect).execute(connection, rows, Moments(connection.dialect))


def read(connection):
    return [list(row) for row in connection.execute(select(*COLUMNS).order_by(STEPS.round))]


def driver_values(connection):
    return [tuple(row) for row in connection.exec_driver_sql("SELECT * FROM steps ORDER BY round")]


@pytest.mark.parametrize("at", MOMENTS, ids=["whole second", "microseconds", "another zone"])
@pytest.mark.parametrize("output", [None, {"a": ["é", "\ud800", 1.5, True]}], ids=["nothing", "json"])
async def test_a_row_is_written_as_sqlalchemy_writes_it(database, at, output):
    def written_twice(connection):
        write(connection, step(1, at, output))
        connection.execute(insert(tables.steps), [dict(zip(NAMES, step(2, at, output), strict=True))])
        return read(connection), driver_values(connection)

    async with database.write() as connection:
        rows, (ours, theirs) = await connection.run(written_twice)
    assert rows == [step(1, at, output), step(2, at, output)]
    named = tables.steps.c.keys().index("name")
    apart = [at for at, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1]]
    assert apart == [0, named, named + 1]  # seq, name and round


async def test_sqlite_keeps_a_moment_as_text_whose_order_is_that_of_time(database):
    def kept(connection):
        if connection.dialect.name != "sqlite":
            pytest.skip("PostgreSQL has a type of its own")
        write(connection, *(step(n, at) for n, at in enumerate(MOMENTS)))
        return list(connection.exec_driver_sql("SELECT started_at FROM steps ORDER BY round").scalars())

    async with database.write() as connection:
        found = await connection.run(kept)
    assert found == ["2026-01-01 12:00:00.000000", "2026-01-01 12:00:00.000007", "2026-01-01 12:00:00.000000"]


async def test_a_moment_without_a_zone_is_refused_by_either(database):
    naive = NOON.replace(tzinfo=None)
    async with database.write() as connection:
        with pytest.raises(ValueError, match="without a time zone"):
            await connection.run(write, step(1, naive))
    with pytest.raises((PermanentError, StatementError)):
        async with database.write() as connection:
            await connection.execute(insert(tables.steps), dict(zip(NAMES, step(1, naive), strict=True)))


async def test_a_query_returns_our_values_and_an_update_changes_one_row(database):
    def changed(connection):
        write(connection, step(1), step(2, output={"a": 1}))
        number = bindparam("number")
        query = Reading(select(*COLUMNS).where(STEPS.round == number), ["number"], connection.dialect)
        some = [STEPS.state, STEPS.ended_at, STEPS.output]
        rows = [["failed", NOON, [1], 2]]
        updating(some, STEPS.round, connection.dialect).execute(connection, rows, Moments(connection.dialect))
        return query.rows(connection, [1]), query.rows(connection, [2])

    async with database.write() as connection:
        (first,), (second,) = await connection.run(changed)
    assert first == step(1)
    assert second == ["run", "é 2", 2, "failed", NOON, NOON, 1, [1], None, 2**40, 0, 0.25]


async def test_a_statement_that_wants_its_values_in_another_order_is_not_prepared(database):
    async with database.read() as connection:
        dialect = await connection.run(lambda made: made.dialect)
    if not dialect.positional:
        pytest.skip("this driver takes names")
    query = select(STEPS.seq).where(STEPS.round == bindparam("b"), STEPS.name == bindparam("a"))
    with pytest.raises(ValueError, match="takes"):
        Reading(query, ["a", "b"], dialect)


@pytest.mark.parametrize(("length", "to"), [(1, 1), (2, 2), (3, 4), (5, 8), (LONGEST, LONGEST)])
def test_a_list_is_filled_up_to_a_power_of_two_with_what_is_in_it(length, to):
    values = [str(n) for n in range(length)]
    filled = padded(values)
    assert (len(filled), filled[:length], set(filled)) == (to, values, set(values))
    assert len({one.key for one in places("x", to)}) == to


async def test_more_events_and_errors_than_a_list_holds_are_looked_up_all(issues):
    many = [event(number) for number in range(LONGEST * 2 + 3)]
    assert (await issues.ingest(pairs(*many))).accepted == len(many)
    again = await issues.ingest(pairs(*many, *(event(number) for number in range(LONGEST * 2 + 3))))
    assert (again.accepted, again.duplicates, again.tasks) == (len(many), len(many), ())
