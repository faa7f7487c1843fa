"""The databases that the contracts of the store are held on: SQLite, and PostgreSQL where it is installed."""

import pytest

from tests.support import postgres
from tests.support.store import sqlite_url


@pytest.fixture(scope="session")
def postgres_url():
    if not postgres.installed():
        pytest.skip("PostgreSQL is not installed")
    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request, tmp_path):
    """The URL of an empty database."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path)
    return postgres.emptied(request.getfixturevalue("postgres_url"))
