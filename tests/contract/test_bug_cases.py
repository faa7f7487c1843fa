"""The bug library: what every implementation of its port keeps, finds and leaves out."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import insert, text

from ai_ops.core.bug_cases import owner_of
from ai_ops.core.ports import BugCaseFilter
from ai_ops.core.similarity import likeness
from ai_ops.flow.bug_case import BugCaseOutcome, Reach
from ai_ops.flow.event import Frame
from ai_ops.store import tables
from ai_ops.store.bug_cases import MOST_ALIKE, BugCaseRepository
from ai_ops.store.database import open_database
from ai_ops.store.ids import IdRepository
from ai_ops.store.issues import IssueRepository
from tests.support import postgres
from tests.support.bug_cases import a_case, an_error
from tests.support.memory_ports import MemoryBugCases
from tests.support.store import APP, START, FixedClock, event, migrated_url, pairs, sqlite_url

SIBLING = {"repo_key": "git.example/acme/billing", "repo_url": "https://git.example/acme/billing"}
STRANGER = {"repo_key": "git.example/other/app", "repo_url": "https://git.example/other/app"}


class Stored(BugCaseRepository):
    """A library whose cases may be of any issue."""

    def __init__(self, database):
        super().__init__(database)
        self.database = database

    async def keep(self, case):
        async with self.database.write() as connection:
            found = await connection.execute(
                text("SELECT count(*) FROM issues WHERE id = :id").bindparams(id=case.issue_id)
            )
            if not found.scalar_one():
                await connection.execute(insert(tables.issues), await self._issue(case))
        return await super().keep(case)

    async def _issue(self, case):
        return {
            "id": case.issue_id, "repo_key": case.repo_key, "repo_url": case.repo_url, "code_host": "github",
            "fingerprint": case.issue_id, "grouping_version": "v1", "episode": 1, "state": "open",
            "title": case.title, "language": "python", "exception_type": "x", "culprit": "", "count": 1,
            "payloads": 0, "first_seen": START, "last_seen": START, "triage_class": "code_fault",
            "triage_repair": True, "triage_reason": "", "sample": {},
        }  # fmt: skip


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def library(request, tmp_path):
    if request.param == "memory":
        yield MemoryBugCases()
        return
    sqlite = request.param == "sqlite"
    url = migrated_url(tmp_path) if sqlite else postgres.renewed(request.getfixturevalue("postgres_url"))
    database = await open_database(url)
    yield Stored(database)
    await database.close()


async def found(library, error=None, repo_key=APP.key, reach=Reach.OWNER):
    wanted = likeness(error or an_error())
    bugs = await library.alike(wanted, repo_key, owner=owner_of(repo_key), reach=reach)
    return {bug.issue_id for bug in bugs}


async def test_an_episode_has_one_case_however_often_it_is_kept(library):
    first = await library.keep(a_case())
    assert first == await library.find(first.id) == a_case()
    later = START + timedelta(days=1)
    again = await library.keep(
        replace(a_case(), outcome=BugCaseOutcome.CLOSED, created_at=later, updated_at=later)
    )
    assert (again.outcome, again.created_at, again.updated_at) == ("closed", START, later)
    assert (await library.list(BugCaseFilter())).items == (again,)
    await library.keep(a_case(episode=2))
    assert len((await library.list(BugCaseFilter())).items) == 2


async def test_cases_are_found_in_the_order_they_are_asked_for(library):
    one, two = await library.keep(a_case(1)), await library.keep(a_case(2))
    assert await library.find_all([two.id, "none", one.id]) == [two, one]
    assert await library.find_all([]) == []
    assert await library.find("none") is None


async def test_the_newest_come_first_page_by_page(library):
    for number in range(1, 6):
        await library.keep(a_case(number))
    first = await library.list(BugCaseFilter(), limit=3)
    rest = await library.list(BugCaseFilter(), limit=3, cursor=first.next_cursor)
    assert [case.issue_id for case in (*first.items, *rest.items)] == [
        f"issue-{number}" for number in (5, 4, 3, 2, 1)
    ]
    assert rest.next_cursor is None


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (BugCaseFilter(repo_key=SIBLING["repo_key"]), [2]),
        (BugCaseFilter(exception_type="KeyError"), [3]),
        (BugCaseFilter(fingerprint="abcdef"), [4]),
        (BugCaseFilter(outcomes=(BugCaseOutcome.CLOSED, BugCaseOutcome.RESOLVED)), [5]),
        (BugCaseFilter(repo_key=APP.key, exception_type="ZeroDivisionError"), [5, 4, 1]),
    ],
    ids=["repository", "type", "beginning of a fingerprint", "outcome", "several"],
)
async def test_a_list_is_narrowed(library, wanted, numbers):
    await library.keep(a_case(1))
    await library.keep(a_case(2, **SIBLING))
    await library.keep(a_case(3, an_error(3, exception_type="builtins.KeyError")))
    await library.keep(a_case(4, an_error(fingerprint="abcdef0123")))
    await library.keep(a_case(5, outcome=BugCaseOutcome.CLOSED))
    page = await library.list(wanted)
    assert [case.issue_id for case in page.items] == [f"issue-{number}" for number in numbers]


FAR = {
    "exception_type": "KeyError",
    "message": "no such spoon",
    "frames": (Frame("/srv/app/drawer.py", 1, "open"),),
}


@pytest.mark.parametrize(
    ("error", "is_found"),
    [
        (an_error(7, **FAR), False),
        (an_error(1, **FAR), True),
        (an_error(7, **{**FAR, "exception_type": "ZeroDivisionError"}), True),
        (an_error(7, **{**FAR, "message": "division by zero"}), True),
        (an_error(7, **{**FAR, "frames": (Frame("/opt/x/calc.py", 90, "divide"),)}), True),
    ],
    ids=["nothing in common", "fingerprint", "type", "message", "place"],
)
async def test_a_case_is_found_by_what_it_shares(library, error, is_found):
    await library.keep(a_case())
    assert await found(library, error) == ({"issue-1"} if is_found else set())


@pytest.mark.parametrize(
    ("reach", "seen"),
    [
        (Reach.REPOSITORY, {"issue-1"}),
        (Reach.OWNER, {"issue-1", "issue-2"}),
        (Reach.ALL, {"issue-1", "issue-2", "issue-3"}),
    ],
)
async def test_no_search_goes_further_than_it_may(library, reach, seen):
    await library.keep(a_case(1))
    await library.keep(a_case(2, **SIBLING))
    await library.keep(a_case(3, **STRANGER))
    assert await found(library, reach=reach) == seen


async def test_the_owners_name_as_the_beginning_of_another_is_another_owner(library):
    await library.keep(a_case(1, repo_key="git.example/acme-labs/app"))
    await library.keep(a_case(2, repo_key="git.example/acme/sub/app"))
    assert await found(library) == set()


async def test_an_error_without_a_type_finds_those_of_its_words(library):
    bare = {"exception_type": "", "frames": ()}
    await library.keep(a_case(1, an_error(1, message="payment 17 was lost", **bare)))
    assert await found(library, an_error(9, message="payment 18 was lost", **bare)) == {"issue-1"}


async def test_text_that_no_database_holds_and_long_diffs_are_kept_as_far_as_they_can_be(database):
    library = Stored(database)
    kept = await library.keep(a_case(1, cause="a\0b\ud800", diff="+x\n" * 100_000))
    assert kept.cause == "a\ufffdb?"
    assert len(kept.diff) == 65_536
    assert await library.find(kept.id) == kept


async def test_a_case_is_named_by_the_beginning_of_its_id(database):
    case = await Stored(database).keep(a_case())
    assert await IdRepository(database).beginning_with("bug_case", case.id[:8]) == [case.id]


async def filled(database, number):
    """Put so many cases into a library at once, all of one type and message, in one repository."""
    issues = IssueRepository(database, FixedClock())
    await issues.ingest(pairs(event(1)))
    (issue,) = (await issues.list()).items
    kept = await BugCaseRepository(database).keep(a_case(1, issue_id=issue.id))
    async with database.write() as connection:
        row = (await connection.execute(text("SELECT * FROM bug_cases"))).mappings().one()
        rows = [
            dict(row) | {"seq": n + 10, "id": f"case-{n}", "episode": n + 10, "fingerprint": f"{n:032x}"}
            for n in range(number)
        ]
        columns = ", ".join(row)
        values = ", ".join(f":{name}" for name in row)
        await connection.execute(text(f"INSERT INTO bug_cases ({columns}) VALUES ({values})"), rows)
    return kept


async def test_a_search_looks_at_no_more_cases_however_many_there_are(tmp_path):
    database = await open_database(sqlite_url(tmp_path))
    await filled(database, 10 * MOST_ALIKE)
    asked = []

    def note(connection, cursor, statement, parameters, context, many):
        if "bug_cases" in statement and statement.startswith("SELECT"):
            asked.append((statement, parameters))

    engine = database._engines[1]
    sqlalchemy_event.listen(engine, "before_cursor_execute", note)
    for reach in Reach:
        bugs = await BugCaseRepository(database).alike(
            likeness(an_error()), APP.key, owner=owner_of(APP.key), reach=reach
        )
        assert len(bugs) <= 5 * MOST_ALIKE
    assert len(asked) == 4 + 6 + 8
    async with database.read() as connection:
        for statement, parameters in asked:
            plan = await connection.run(
                lambda c, s, p: c.exec_driver_sql(f"EXPLAIN QUERY PLAN {s}", p).all(), statement, parameters
            )
            said = " ".join(step[-1] for step in plan)
            assert "USING INDEX" in said and "SCAN" not in said and "TEMP B-TREE" not in said, statement
            assert "LIMIT" in statement
    await database.close()
