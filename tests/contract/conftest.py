"""The databases that the contracts of the store are held on: SQLite, and PostgreSQL where it is installed."""

import pytest

from ai_ops.store.database import open_database
from ai_ops.store.issues import IssueRepository
from ai_ops.store.tasks import TaskRepository
from tests.support import postgres
from tests.support.store import FixedClock, migrated_url


@pytest.fixture(scope="session")
def postgres_url():
    if not postgres.installed():
        pytest.skip("PostgreSQL is not installed")
    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request, tmp_path):
    """The URL of a database with its tables and nothing in them."""
    if request.param == "sqlite":
        return migrated_url(tmp_path)
    return postgres.renewed(request.getfixturevalue("postgres_url"))


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
async def database(store_url):
    made = await open_database(store_url)
    yield made
    await made.close()


@pytest.fixture
def issues(database, clock):
    return IssueRepository(database, clock)


@pytest.fixture
def tasks(database, clock):
    return TaskRepository(database, clock)
