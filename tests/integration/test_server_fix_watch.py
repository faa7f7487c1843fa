"""The API says whether a merged fix holds, where people look: at its issue and at its pull request."""

import pytest

from ai_ops.flow.pull_request import PullRequestState
from ai_ops.store.database import open_database
from tests.support.running_server import running
from tests.support.store import sqlite_url
from tests.support.watched_fixes import WatchedFix


@pytest.fixture
async def fix(tmp_path):
    """A merged fix in the database of a server that is started later."""
    database = await open_database(sqlite_url(tmp_path))
    made = WatchedFix(tmp_path, database)
    await made.merged()
    yield made
    await database.close()


async def test_issue_and_pull_request_tell_how_the_watch_stands(fix, tmp_path):
    fix.day(0.5)
    await fix.fails(fix.base)
    await fix.is_seen(fix.build())
    await fix.look()
    async with running(tmp_path) as server:
        issue = (await server.get(f"/v1/issues/{(await fix.issue()).id}")).json
        pull = (await server.get(f"/v1/pull-requests/{fix.pull_request_id}")).json
        (watch,) = issue["fix_watches"]
        assert pull["fix_watches"] == [watch]
        assert (watch["state"], watch["by_time"], watch["revert_url"]) == ("quiet", False, None)
        assert watch["since"] < watch["until"] and watch["merge_sha"] == (await fix.watch()).merge_sha
        assert (watch["old_build_events"], watch["old_build"]) == (1, fix.base)
        (place,) = watch["places"]
        assert (place["service"], place["environment"]) == ("shop", "production")
        assert place["per_day"] == pytest.approx(1.0, abs=0.1) and place["old_build_at"]
        assert "an old build still runs in shop/production" in watch["reason"]


async def test_before_the_merge_there_is_no_watch(tmp_path):
    async with running(tmp_path) as server:
        made = WatchedFix(tmp_path / "shop", server.database)
        proposed = await made.proposed(await made.broken(times=1))
        assert (await server.get(f"/v1/pull-requests/{proposed.id}")).json["fix_watches"] == []
        assert (await server.get(f"/v1/issues/{proposed.issue_id}")).json["fix_watches"] == []
        await made.pulls.set_state(proposed.id, PullRequestState.MERGED)
        await made.duty().round()
        (watch,) = (await server.get(f"/v1/issues/{proposed.issue_id}")).json["fix_watches"]
        assert watch["state"] == "waiting_for_deploy"
