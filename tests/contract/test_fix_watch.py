"""The fix watch over simulated weeks: real git, the local host, SQLite and PostgreSQL."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from ai_ops.core.fix_watch import assess
from ai_ops.core.ports import BugCaseFilter, TaskFilter
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.store import outbox, tables
from ai_ops.store.fix_watches import FixWatchRepository
from tests.support.git_server import git, push_files
from tests.support.watched_fixes import BROKEN, WatchedFix


@pytest.fixture
def fix(tmp_path, database):
    return WatchedFix(tmp_path, database)


def days_after(fix, moment):
    return (moment - fix.merged_at).total_seconds() / 86_400


# --- resolved ---


async def test_a_fix_that_holds_is_resolved_once_and_said_once(fix):
    await fix.merged()
    waiting = await fix.look(0.1)
    assert (waiting.state, waiting.since) == ("waiting_for_deploy", fix.merged_at)
    fix.day(0.5)
    await fix.is_seen(fix.build())
    quiet = await fix.look(0.5)
    assert (quiet.state, quiet.by_time) == ("quiet", False)
    assert days_after(fix, quiet.until) == pytest.approx(0.5 + 4.605, abs=0.4)  # it came once a day
    assert (await fix.issue()).state == "open"
    done = await fix.look(6)
    assert (done.state, done.until) == ("resolved", None)
    issue = await fix.issue()
    assert (issue.state, issue.episode) == ("resolved", 1)
    (decided,) = await fix.issues.decisions(issue.id)
    assert (decided.who, decided.verb, decided.at) == ("fix watch", "resolve", fix.clock.time)
    (case,) = await cases_of(fix)
    assert (case.outcome, case.resolved, case.recurrences) == ("merged", True, 0)
    for day in (7, 8, 30):
        assert (await fix.look(day)).state == "resolved"
    (subject,) = await fix.mails()
    assert subject == "[AI-Ops] Resolved: [shop] ZeroDivisionError in divide (app/calc.py)"
    assert await fix.said() == []


async def cases_of(fix):
    return (await fix.cases.list(BugCaseFilter())).items


async def test_an_issue_that_a_person_has_resolved_is_not_told_of_again(fix):
    await fix.merged()
    fix.day(0.5)
    await fix.is_seen(fix.build())
    issue = await fix.issue()
    await fix.issues.decide(issue.id, "resolve", "a person")
    assert (await fix.look(6)).state == "resolved"
    assert [each.who for each in await fix.issues.decisions(issue.id)] == ["a person"]
    assert await fix.mails() == []


@pytest.mark.parametrize("how", ["merge", "squash"])
async def test_only_the_hosts_merge_commit_says_what_holds_the_fix(fix, how):
    merge = await fix.merged(how=how)
    fix.day(0.5)
    await fix.fails(git("rev-parse", (await fix.pulls.find(fix.pull_request_id)).branch, cwd=fix.bare))
    assert (await fix.look()).old_events == 1  # the branch itself, which nobody merged as it was
    fix.day(1)
    await fix.fails(merge[:12])
    again = await fix.look()
    assert (again.state, again.recurred_release) == ("recurred", merge[:12])


async def test_a_release_that_is_a_tag_is_looked_up_on_the_remote(fix):
    git("tag", "v1.4.1", fix.base, cwd=fix.bare)
    merge = await fix.merged()
    git("tag", "-a", "-m", "words", "v1.4.2", merge, cwd=fix.bare)
    fix.day(0.5)
    await fix.fails("1.4.1")
    assert (await fix.look()).old_release == "1.4.1"
    await fix.is_seen("1.4.2")
    assert (await fix.look(0.6)).state == "quiet"
    await fix.fails("1.4.1")
    assert (await fix.look(0.7)).old_events == 2
    await fix.fails("1.4.2")
    assert (await fix.look(0.8)).state == "recurred"


# --- recurred ---


async def test_an_error_that_comes_back_opens_the_next_episode_and_a_revert_is_proposed(fix):
    merge = await fix.merged()
    fix.day(0.5)
    newer = fix.build()
    assert await fix.fails(newer) == ()  # intake only counts it
    assert (await fix.issue()).state == "open"
    again = await fix.look(0.6)
    assert (again.state, again.recurred_release, again.by_time) == ("recurred", newer, False)
    issue = await fix.issue()
    assert (issue.state, issue.episode, issue.sample.release) == ("open", 2, newer)
    (task,) = fix.engine.tasks
    assert (task.episode, task.issue_id, task.state) == (2, issue.id, "pending")
    (decided,) = await fix.issues.decisions(issue.id)
    assert (decided.who, decided.verb, decided.detail["release"]) == ("fix watch", "reopen", newer)
    (case,) = await cases_of(fix)
    assert (case.outcome, case.resolved, case.recurrences) == ("merged", False, 1)
    (said,) = await fix.said()
    assert f"git revert -m 1 {merge}" in said and newer in said
    assert [each.branch for each in (await fix.pulls.list()).items] == [case_branch(fix)]
    assert await fix.mails() == ["[AI-Ops] Came back: [shop] ZeroDivisionError in divide (app/calc.py)"]
    for day in (1, 2, 3):
        fix.day(day)
        await fix.fails(newer)
        await fix.look()
    assert (len(fix.engine.tasks), len(await fix.mails()), len(await fix.said())) == (1, 1, 1)
    assert (await fix.issue()).episode == 2


def case_branch(fix):
    return git("for-each-ref", "--format=%(refname:short)", "refs/heads/ai-ops", cwd=fix.bare)


async def test_a_squashed_change_is_taken_back_without_a_main_line(fix):
    merge = await fix.merged(how="squash")
    fix.day(0.5)
    await fix.fails(merge)
    await fix.look()
    (said,) = await fix.said()
    assert f"git revert {merge}" in said


async def test_a_resolved_issue_is_opened_by_a_build_with_the_fix_and_by_no_other(fix):
    merge = await fix.merged()
    fix.day(0.5)
    await fix.is_seen(merge)
    await fix.look(6)
    fix.day(20)
    assert await fix.fails(fix.base) == ()
    kept = await fix.look()
    assert (kept.state, kept.old_events, (await fix.issue()).state) == ("resolved", 1, "resolved")
    fix.day(40)
    await fix.fails(merge)
    assert (await fix.look()).state == "recurred"
    assert ((await fix.issue()).state, (await fix.issue()).episode) == ("open", 2)
    resolved, came_back = await fix.mails()
    assert resolved.startswith("[AI-Ops] Resolved: ")
    assert came_back == f"Re: {resolved}"  # in the issue's thread of mails


async def test_a_revert_is_opened_where_that_is_wished_and_merged_by_nobody(fix):
    merge = await fix.merged()
    later = fix.build("others")
    fix.day(0.5)
    await fix.fails(later)
    again = await fix.look(reverts=True)
    (said,) = await fix.said()
    newest, merged = (await fix.pulls.list()).items
    assert (newest.branch, newest.state) == (f"ai-ops/revert-{merge[:12]}", PullRequestState.OPEN)
    assert (newest.issue_id, newest.fingerprint, newest.title) == (None, "", f"Revert: {merged.title}")
    assert again.revert_url == newest.url
    assert f"http://ai-ops.test{newest.url}" in said
    assert git("show", f"{newest.branch}:calc.py", cwd=fix.bare) == BROKEN.strip()
    assert git("show", f"{newest.branch}:others.txt", cwd=fix.bare) == "others"
    assert git("rev-parse", "main", cwd=fix.bare) == later


async def test_a_revert_that_does_not_apply_is_left_to_people(fix):
    await fix.merged()
    later = push_files(fix.bare, {"calc.py": "def half(n):\n    return n // 2\n"})
    fix.day(0.5)
    await fix.fails(later)
    assert (await fix.look(reverts=True)).revert_url == ""
    (said,) = await fix.said()
    assert "No pull request could be opened for it: `patch_does_not_apply`" in said
    assert len((await fix.pulls.list()).items) == 1


# --- builds without the fix ---


async def test_an_old_build_that_still_runs_is_shown_and_opens_nothing(fix):
    await fix.merged()
    fix.day(0.5)
    await fix.is_seen(fix.build())
    for day in (0.6, 0.7, 0.8):
        fix.day(day)
        assert await fix.fails(fix.base) == ()
        watch = await fix.look()
    assert (watch.state, watch.old_events, watch.old_release) == ("quiet", 3, fix.base)
    assert "an old build still runs in shop/production" in watch.reason
    assert (await fix.look(6)).state == "resolved"
    fix.day(6.1)
    assert await fix.fails(fix.base) == ()
    await fix.look()
    assert ((await fix.issue()).state, fix.engine.tasks, await fix.said()) == ("resolved", [], [])


async def test_a_rollback_stops_the_window_until_the_fix_is_back(fix):
    merge = await fix.merged()
    fix.day(0.5)
    await fix.is_seen(merge)
    assert (await fix.look()).state == "quiet"
    git("update-ref", "refs/heads/hotfix", fix.base, cwd=fix.bare)
    hotfix = fix.build("hotfix", "hotfix")
    fix.day(1.5)
    await fix.fails(hotfix)
    back = await fix.look()
    assert (back.state, back.until) == ("rolled_back", None)
    assert hotfix in back.reason
    assert (await fix.look(30)).state == "rolled_back"
    assert (await fix.issue()).state == "open"
    fix.day(31)
    await fix.is_seen(fix.build("again"))
    assert (await fix.look()).state == "quiet"
    assert (await fix.look(31.5)).state == "quiet"
    assert (await fix.look(37)).state == "resolved"
    assert fix.engine.tasks == []


async def test_of_two_services_the_one_that_lags_opens_nothing(fix):
    merge = await fix.merged("shop", "worker")
    fix.day(0.5)
    await fix.is_seen(merge, "shop")
    fix.day(2)
    await fix.fails(fix.base, "worker")
    quiet = await fix.look()
    assert (quiet.state, quiet.old_events) == ("quiet", 1)
    assert {place.service for place in quiet.places} == {"shop", "worker"}
    await fix.is_seen(merge, "worker")
    assert (await fix.look(2.2)).state == "quiet"
    fix.day(2.5)
    await fix.fails(merge, "worker")
    assert (await fix.look()).state == "recurred"


# --- nobody says which build it is ---


async def test_without_releases_it_is_counted_by_time_and_says_so(fix):
    fix.old_release = ""
    await fix.merged(how="squash")
    fix.day(0.5)
    assert await fix.fails("") == ()
    assert (await fix.look()).state == "waiting_for_deploy"
    quiet = await fix.look(1.1)
    assert (quiet.state, quiet.by_time) == ("quiet", True)
    assert (await fix.look(7)).state == "resolved"
    assert "counted by time" in (await fix.watch()).reason
    fix.day(9)
    assert await fix.fails("") == ()
    again = await fix.look()
    assert (again.state, again.by_time, (await fix.issue()).episode) == ("recurred", True, 2)


async def test_a_release_that_nobody_knows_counts_by_time_and_is_asked_about_again(fix):
    await fix.merged()
    fix.day(0.5)
    await fix.fails("nightly")
    watch = await fix.look()
    assert (watch.state, watch.old_events) == ("waiting_for_deploy", 1)
    assert await fix.watches.builds(watch) == {"nightly": None}
    fix.day(0.6)
    assert await fix.watches.builds(watch) == {}
    git("tag", "nightly", fix.build(), cwd=fix.bare)
    await fix.fails("nightly")
    assert (await fix.look()).state == "recurred"


async def test_a_build_is_asked_about_once(fix):
    await fix.merged()
    fix.day(0.5)
    await fix.fails(fix.base)
    await fix.look()

    async def refuse(*_):
        raise AssertionError("git was asked again")

    fix.git.holds = refuse
    fix.day(3)
    await fix.fails(fix.base)
    assert (await fix.look()).old_events == 2


# --- records ---


async def test_a_merge_that_was_only_noticed_gets_its_watch_and_its_commit(fix):
    proposed = await fix.proposed(await fix.broken())
    merge = await fix.git.merge(fix.repository, proposed.branch, "main", "Merge", head=proposed.head_sha)
    await fix.pulls.set_state(proposed.id, PullRequestState.MERGED)
    fix.merged_at = fix.clock.time
    hosted = fix.host.pull_request

    async def told(repository, number):
        return replace(await hosted(repository, number), merge_sha=merge)

    fix.host.pull_request = told
    assert (await fix.look(0.1)).merge_sha == merge
    await fix.fails(fix.base)
    assert (await fix.look(2)).old_events == 1


async def test_a_pull_request_that_is_open_or_closed_has_no_watch(fix):
    proposed = await fix.proposed(await fix.broken())
    await fix.duty().round()
    assert await fix.watches.of_pull_request(proposed.id) == []
    await fix.pulls.set_state(proposed.id, PullRequestState.CLOSED)
    await fix.duty().round()
    assert await fix.watches.of_pull_request(proposed.id) == []


async def test_an_error_that_joined_the_pull_request_of_another_is_watched_by_itself(fix):
    (other,) = await fix.fails(fix.base, number=3)
    merge = await fix.merged()
    await fix.tasks.update(other.id, pull_request_id=fix.pull_request_id)
    await set_task(fix, other, "completed")
    fix.day(0.5)
    await fix.fails(merge, number=3)
    await fix.duty().round()
    states = {each.issue_id: each.state for each in await fix.watches.of_pull_request(fix.pull_request_id)}
    assert states == {other.issue_id: "recurred", (await fix.issue()).id: "quiet"}
    (joined,) = await fix.watches.of_issue(other.issue_id)
    assert (joined.state, (await fix.issues.find(other.issue_id)).episode) == ("recurred", 2)
    assert (await fix.issue()).episode == 1


async def test_what_a_person_decides_ends_the_watch_and_gives_it_back(fix):
    await fix.merged()
    issue = await fix.issue()
    await fix.issues.decide(issue.id, "ignore", "a person")
    assert (await fix.look(1)).state == "ended"
    await fix.issues.decide(issue.id, "reopen", "a person")
    assert (await fix.look(2)).state == "quiet"


async def test_git_that_cannot_be_reached_leaves_the_watch_for_later(fix):
    await fix.merged()
    fix.day(3)
    newer = fix.build()
    await fix.fails(newer)
    holds = fix.git.holds

    async def unreachable(*_):
        raise TemporaryError("git_unreachable", "no")

    fix.git.holds = unreachable
    assert (await fix.look()).state == "waiting_for_deploy"
    fix.git.holds = holds
    assert (await fix.look()).recurred_release == newer


async def test_an_error_that_came_back_waits_while_its_repair_is_in_hand(fix):
    merge = await fix.merged()
    (task,) = (await fix.tasks.list(TaskFilter())).items
    fix.day(0.5)
    await fix.fails(merge)
    await set_task(fix, task, "processing")
    assert (await fix.look()).state == "waiting_for_deploy"
    await set_task(fix, task, "completed")
    assert (await fix.look()).state == "recurred"


async def set_task(fix, task, state):
    async with fix.database.write() as connection:
        change = update(tables.tasks).where(tables.tasks.c.id == task.id).values(state=state)
        await connection.execute(change)


async def test_two_servers_conclude_a_watch_once(fix):
    merge = await fix.merged()
    fix.day(0.5)
    await fix.fails(merge)
    before = await begun(fix)
    after_one, after_two = await judged(fix, before), await judged(fix, before)
    other = FixWatchRepository(fix.database, fix.clock)
    assert len(await fix.watches.recur(before, after_one, None)) == 1
    assert await other.recur(before, after_two, None) is None
    assert await other.keep(before, before) is False
    assert await other.resolve(before, after_two, None) is False


async def begun(fix):
    await fix.watches.begin()
    return await fix.watch()


async def judged(fix, watch):
    facts = await fix.watches.facts(watch)
    holds = dict.fromkeys(facts.releases, True)
    return assess(watch, facts, holds, fix.clock.time, timedelta(hours=24))


# --- killed at any point ---


class Killed(BaseException):
    """What a kill is to the duty: nothing after it happens."""


class Mortal:
    """Passes calls on, and dies before or after one of them, which is named ``"before push"``."""

    def __init__(self, inner, point):
        self._inner, self._point = inner, point

    def __getattr__(self, name):
        found = getattr(self._inner, name)

        async def call(*arguments, **options):
            if self._point == f"before {name}":
                raise Killed
            result = await found(*arguments, **options)
            if self._point == f"after {name}":
                raise Killed
            return result

        return call


def around(*names):
    return [f"{when} {name}" for name in names for when in ("before", "after")]


async def killed_at_each(fix, points, **options):
    """Kill the duty at each point in turn, as it comes to them, and let it go on after the last one."""
    parts = {name: getattr(fix, name) for name in ("watches", "host", "git", "engine", "pulls")}
    for point in points:
        for name, part in parts.items():
            setattr(fix, name, Mortal(part, point))
        with pytest.raises(Killed):
            await fix.duty(**options).round()
        for name, part in parts.items():
            setattr(fix, name, part)
    for _ in range(2):
        await fix.duty(**options).round()


ASKING = around("begin", "due", "find", "facts", "builds", "holds", "remember")
REVERTING = around(
    "unproposed", "reversal", "refresh", "find_pull_request", "commit", "push", "open_pull_request", "record",
    "comment", "proposed",
)  # fmt: skip


async def test_a_duty_that_is_killed_at_any_point_reopens_once_and_tells_once(fix):
    merge = await fix.merged()
    fix.day(0.5)
    await fix.fails(merge)
    await killed_at_each(fix, [*ASKING, *around("recur"), *REVERTING], reverts=True)
    issue = await fix.issue()
    assert (issue.state, issue.episode) == ("open", 2)
    assert len([task for task in (await fix.tasks.list(TaskFilter())).items if task.episode == 2]) == 1
    assert len(await fix.issues.decisions(issue.id)) == 1
    assert len(await fix.mails()) == 1 and len(await fix.said()) == 1
    assert len((await fix.pulls.list()).items) == 2
    assert len(git("for-each-ref", "--format=%(refname)", "refs/heads/ai-ops", cwd=fix.bare).split()) == 2
    (case,) = await cases_of(fix)
    assert case.recurrences == 1


async def test_a_repair_that_a_kill_left_in_the_records_is_found_there(fix):
    merge = await fix.merged()
    fix.day(0.5)
    await fix.fails(merge)
    await killed_at_each(fix, ["before enqueue"])
    assert fix.engine.tasks == []  # the reconciler hands it over
    assert [task.episode for task in await fix.tasks.unfinished()] == [2]


async def test_a_duty_that_is_killed_at_any_point_resolves_once_and_tells_once(fix):
    merge = await fix.merged()
    fix.day(0.5)
    await fix.is_seen(merge)
    fix.day(10)
    await killed_at_each(fix, [*ASKING, *around("resolve")])
    issue = await fix.issue()
    assert issue.state == "resolved"
    assert (len(await fix.issues.decisions(issue.id)), len(await fix.mails())) == (1, 1)


@pytest.mark.parametrize("concluding", ["resolve", "recur"])
async def test_what_a_watch_concludes_is_one_commit(fix, concluding, monkeypatch):
    merge = await fix.merged()
    fix.day(0.5)
    await (fix.is_seen if concluding == "resolve" else fix.fails)(merge)

    async def refuse(*_):
        raise PermanentError("storage_failed", "no")

    with monkeypatch.context() as broken:
        broken.setattr(outbox, "keep", refuse)
        await fix.look(10)
    assert (await fix.watch()).state == "waiting_for_deploy"
    issue = await fix.issue()
    assert (issue.state, issue.episode, await fix.issues.decisions(issue.id)) == ("open", 1, [])
    await fix.look(10)
    assert (await fix.watch()).state == {"resolve": "resolved", "recur": "recurred"}[concluding]
