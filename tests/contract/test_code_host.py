"""The CodeHost port: one suite over the local host, GitHub (with a token, as an App) and GitLab."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.pull_request import CheckState, CommentKind, PullRequestState
from tests.support.git_server import git, push_files
from tests.support.host_settings import BRANCH, HOSTED, HOSTED_IDS, WANTED, local_host
from tests.support.store import pull_request


@pytest.fixture(params=[local_host, *HOSTED], ids=["local", *HOSTED_IDS])
async def at(request, tmp_path):
    async with request.param(tmp_path) as setting:
        yield setting


@pytest.fixture(params=HOSTED, ids=HOSTED_IDS)
async def hosted(request, tmp_path):
    async with request.param(tmp_path) as setting:
        yield setting


async def refused(awaitable) -> AiOpsError:
    with pytest.raises(AiOpsError) as caught:
        await awaitable
    return caught.value


# --- opened once -----------------------------------------------------------------------------------


async def test_a_branch_without_a_pull_request_has_none(at):
    at.fix()
    assert await at.host.find_pull_request(at.repository, BRANCH, "main") is None


async def test_opened_once_it_is_found_and_adopted(at):
    sha = at.fix()
    opened = await at.open()
    assert (opened.state, opened.branch, opened.base) == (PullRequestState.OPEN, BRANCH, "main")
    assert (opened.head_sha, opened.adopted, opened.number > 0) == (sha, False, True)
    found = await at.host.find_pull_request(at.repository, BRANCH, "main")
    again = await at.host.open_pull_request(at.repository, WANTED)
    assert found == again
    assert (again.number, again.url, again.adopted) == (opened.number, opened.url, True)
    assert at.double is None or len(at.double.pulls(at.name)) == 1


async def test_the_number_and_address_are_the_same_after_a_crash_before_the_record(at):
    at.fix()
    first = await at.host.open_pull_request(at.repository, WANTED)
    second = await at.host.open_pull_request(at.repository, WANTED)
    assert (first.number, first.url) == (second.number, second.url)


async def test_several_at_once_make_one_pull_request(hosted):
    hosted.fix()
    opened = await asyncio.gather(
        *(hosted.host.open_pull_request(hosted.repository, WANTED) for _ in range(6))
    )
    assert {one.number for one in opened} == {1}
    assert len(hosted.double.pulls(hosted.name)) == 1


async def test_a_pull_request_needs_a_branch_that_is_there(at):
    failure = await refused(at.host.open_pull_request(at.repository, WANTED))
    assert (type(failure), failure.code) == (PermanentError, "host_rejected")
    assert failure.next_step


async def test_a_pull_request_needs_a_commit_to_merge(at):
    git("branch", BRANCH, "main", cwd=at.bare)
    failure = await refused(at.host.open_pull_request(at.repository, WANTED))
    assert failure.code == "host_rejected"


async def test_what_a_person_closed_stays_closed(at):
    opened = await at.open()
    await at.close(opened.number)
    found = await at.host.find_pull_request(at.repository, BRANCH, "main")
    assert found.state is PullRequestState.CLOSED
    assert found.merge_sha == ""
    assert (await at.host.open_pull_request(at.repository, WANTED)).state is PullRequestState.CLOSED


async def test_another_branch_and_another_base_are_another_pull_request(at):
    await at.open()
    assert await at.host.find_pull_request(at.repository, f"{BRANCH}0", "main") is None
    assert await at.host.find_pull_request(at.repository, BRANCH, "release") is None


async def test_a_base_that_is_not_main_is_as_good(at):
    git("branch", "trunk", "main", cwd=at.bare)
    git("symbolic-ref", "HEAD", "refs/heads/trunk", cwd=at.bare)
    base = await at.git.refresh(at.repository)
    opened = await at.open(base=base.branch)
    assert (base.branch, opened.base) == ("trunk", "trunk")


async def test_title_body_draft_labels_and_reviewers_arrive(hosted):
    opened = await hosted.open(draft=True)
    [kept] = hosted.double.pulls(hosted.name)
    assert kept["title"].removeprefix("Draft: ") == WANTED.title
    assert (kept["body"], kept["draft"], opened.draft) == (WANTED.body, True, True)
    assert (kept["labels"], kept["reviewers"]) == (["ai-ops"], ["ada"])


async def test_a_push_by_git_and_a_pull_request_by_the_api_meet_in_one_repository(hosted):
    base = await hosted.git.refresh(hosted.repository)
    patch = "diff --git a/app.py b/app.py\n--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
    sha = await hosted.git.commit(hosted.repository, base.sha, patch, "Fix")
    await hosted.git.push(hosted.repository, sha, BRANCH)
    opened = await hosted.host.open_pull_request(hosted.repository, WANTED)
    assert opened.head_sha == sha
    users = {request.user for request in hosted.double.git.requests}
    assert users <= {"", "x-access-token" if hosted.repository.code_host == "github" else "oauth2"}


# --- what became of it -----------------------------------------------------------------------------


async def test_an_open_one_is_shown_as_it_is(at):
    opened = await at.open()
    shown = await at.host.pull_request(at.repository, opened.number)
    assert (shown.state, shown.branch, shown.base) == (PullRequestState.OPEN, BRANCH, "main")
    assert (shown.url, shown.head_sha) == (opened.url, opened.head_sha)
    assert (shown.draft, shown.conflicts, shown.merge_sha, shown.merged_at) == (False, False, "", None)
    assert shown.author == await at.host.own_login(at.repository)


async def test_what_a_person_merged_names_its_commit_on_the_base(at):
    opened = await at.open()
    sha = await at.merge(opened.number)
    assert git("rev-parse", "main", cwd=at.bare) == sha
    shown = await at.host.pull_request(at.repository, opened.number)
    assert (shown.state, shown.merge_sha) == (PullRequestState.MERGED, sha)
    found = await at.host.find_pull_request(at.repository, BRANCH, "main")
    assert (found.state, found.merge_sha) == (PullRequestState.MERGED, sha)


async def test_a_moved_base_that_conflicts_is_said(hosted):
    opened = await hosted.open()
    push_files(hosted.bare, {"app.py": "x = 3\n"}, "main")
    shown = await hosted.host.pull_request(hosted.repository, opened.number)
    assert shown.conflicts is True


async def test_a_commit_that_a_person_pushed_is_the_new_head(hosted):
    opened = await hosted.open()
    sha = push_files(hosted.bare, {"app.py": "x = 4\n"}, BRANCH)
    shown = await hosted.host.pull_request(hosted.repository, opened.number)
    assert shown.head_sha == sha != opened.head_sha


async def test_a_number_that_nobody_gave_is_not_found(at):
    for call in (
        at.host.pull_request(at.repository, 999),
        at.host.update_pull_request(at.repository, 999, body="text"),
        at.host.close_pull_request(at.repository, 999),
        at.host.comments(at.repository, 999),
        at.host.comment(at.repository, 999, "text", marker="m"),
    ):
        failure = await refused(call)
        assert (type(failure), failure.code) == (PermanentError, "host_not_found")


# --- changed ---------------------------------------------------------------------------------------


async def test_its_text_can_be_changed_and_the_rest_stays(at):
    opened = await at.open()
    await at.host.update_pull_request(at.repository, opened.number, body="Another text.")
    assert (await at.host.pull_request(at.repository, opened.number)).body == "Another text."
    if at.double is not None:
        [kept] = at.double.pulls(at.name)
        assert (kept["body"], kept["title"], kept["labels"]) == ("Another text.", WANTED.title, ["ai-ops"])
        assert kept["reviewers"] == ["ada"]
    else:
        record = await at.records.find_by_number(at.repository.key, opened.number)
        assert record.body == "Another text."


async def test_a_draft_becomes_ready_and_a_draft_again_and_doing_so_twice_changes_nothing(at):
    opened = await at.open(draft=True)
    for draft in (False, False, True, True, False):
        await at.host.update_pull_request(at.repository, opened.number, draft=draft)
        shown = await at.host.pull_request(at.repository, opened.number)
        assert shown.draft is draft
    if at.double is not None:
        assert at.double.pulls(at.name)[0]["title"] == WANTED.title


async def test_closing_twice_closes_once(at):
    opened = await at.open()
    for _ in range(2):
        await at.host.close_pull_request(at.repository, opened.number)
        shown = await at.host.pull_request(at.repository, opened.number)
        assert shown.state is PullRequestState.CLOSED
    if at.double is not None:
        assert shown.closed_at is not None
        assert at.double.count("PATCH") + at.double.count("PUT") == (
            1 if at.repository.code_host == "github" else 2  # GitLab was asked for a reviewer so
        )


async def test_closing_what_was_merged_leaves_it_merged(at):
    opened = await at.open()
    await at.merge(opened.number)
    await at.host.close_pull_request(at.repository, opened.number)
    assert (await at.host.pull_request(at.repository, opened.number)).state is PullRequestState.MERGED


# --- reviewers -------------------------------------------------------------------------------------


async def test_one_reviewer_who_is_refused_does_not_keep_the_others_out(hosted):
    opened = await hosted.open(reviewers=())
    own = await hosted.host.own_login(hosted.repository)
    asked = [own, "nobody", "stranger", "grace", "@ada", "grace"]
    accepted = await hosted.host.request_reviewers(hosted.repository, opened.number, asked)
    assert accepted == ("grace", "@ada")
    assert sorted(hosted.double.pulls(hosted.name)[0]["reviewers"]) == ["ada", "grace"]


async def test_who_is_asked_already_is_not_told_again(hosted):
    opened = await hosted.open()
    before = len([e for e in hosted.double.exchanges if e.method != "GET"])
    assert await hosted.host.request_reviewers(hosted.repository, opened.number, ["ada"]) == ("ada",)
    assert len([e for e in hosted.double.exchanges if e.method != "GET"]) == before


async def test_nobody_is_asked_without_a_request(hosted):
    opened = await hosted.open(reviewers=())
    before = len(hosted.double.exchanges)
    assert await hosted.host.request_reviewers(hosted.repository, opened.number, ()) == ()
    assert [e.method for e in hosted.double.exchanges[before:] if e.method != "GET"] == []


async def test_a_local_pull_request_has_no_reviewers(tmp_path):
    async with local_host(tmp_path) as at:
        opened = await at.open()
        assert await at.host.request_reviewers(at.repository, opened.number, ["ada"]) == ()


# --- comments --------------------------------------------------------------------------------------


async def test_a_comment_written_twice_stands_once(at):
    opened = await at.open()
    first = await at.host.comment(at.repository, opened.number, "Done.", marker="revision:1")
    second = await at.host.comment(at.repository, opened.number, "Done, again.", marker="revision:1")
    other = await at.host.comment(at.repository, opened.number, "More.", marker="revision:2")
    assert first == second
    assert first.ours and other.ours and first.author == await at.host.own_login(at.repository)
    listed = await at.host.comments(at.repository, opened.number)
    assert [comment.id for comment in listed] == [first.id, other.id]
    assert listed[0].body.startswith("Done.")


async def test_what_people_write_is_read_oldest_first_and_from_a_moment_on(at):
    opened = await at.open()
    await at.say(opened.number, "ada", "Please rename it.")
    await at.host.comment(at.repository, opened.number, "Done.", marker="m")
    await at.say(opened.number, "ada", "Thanks.")
    listed = await at.host.comments(at.repository, opened.number)
    assert [(c.author, c.ours) for c in listed] == [
        ("ada", False),
        (await at.host.own_login(at.repository), True),
        ("ada", False),
    ]
    assert [c.body for c in listed][::2] == ["Please rename it.", "Thanks."]
    assert all(c.created_at.tzinfo for c in listed)
    later = await at.host.comments(at.repository, opened.number, listed[2].created_at)
    assert later[-1].id == listed[2].id
    after = listed[2].created_at + timedelta(seconds=1)
    assert list(await at.host.comments(at.repository, opened.number, after)) == []


async def test_a_person_with_our_own_account_is_no_bot(hosted):
    """A token may be a person's; what that person writes is a person's word."""
    opened = await hosted.open()
    own = await hosted.host.own_login(hosted.repository)
    hosted.double.say(hosted.name, opened.number, own, "/ai-ops retry")
    [comment] = await hosted.host.comments(hosted.repository, opened.number)
    assert (comment.author, comment.ours) == (own, False)


async def test_our_mark_in_somebody_elses_comment_is_not_ours(hosted):
    opened = await hosted.open()
    ours = await hosted.host.comment(hosted.repository, opened.number, "Done.", marker="m")
    hosted.double.say(hosted.name, opened.number, "stranger", ours.body)
    listed = await hosted.host.comments(hosted.repository, opened.number)
    assert [comment.ours for comment in listed] == [True, False]
    forged = hosted.double.say(hosted.name, opened.number, "stranger", ours.body)
    again = await hosted.host.comment(hosted.repository, opened.number, "Done.", marker="m")
    assert again.id == ours.id and str(forged["id"]) not in again.id


async def test_a_marker_of_hostile_text_stays_hidden(at):
    opened = await at.open()
    marker = "--> <b>seen</b> @ada"
    first = await at.host.comment(at.repository, opened.number, "Done.", marker=marker)
    assert "seen" not in first.body and "@ada" not in first.body
    again = await at.host.comment(at.repository, opened.number, "Done.", marker=marker)
    assert again.id == first.id


async def test_a_comment_on_a_line_is_answered_in_its_thread(hosted):
    opened = await hosted.open()
    hosted.double.on_line(hosted.name, opened.number, "ada", "app.py", 1, "Why 2?")
    [asked] = await hosted.host.comments(hosted.repository, opened.number)
    assert (asked.kind, asked.path, asked.line) == (CommentKind.LINE, "app.py", 1)
    reply = await hosted.host.comment(
        hosted.repository, opened.number, "Because.", marker="m", reply_to=asked.thread
    )
    again = await hosted.host.comment(
        hosted.repository, opened.number, "Because.", marker="m", reply_to=asked.thread
    )
    assert reply == again
    listed = await hosted.host.comments(hosted.repository, opened.number)
    assert [(c.thread, c.ours) for c in listed] == [(asked.thread, False), (asked.thread, True)]


async def test_an_answer_to_a_thread_that_is_gone_goes_below(hosted):
    opened = await hosted.open()
    reply = await hosted.host.comment(
        hosted.repository, opened.number, "Because.", marker="m", reply_to="424242"
    )
    listed = await hosted.host.comments(hosted.repository, opened.number)
    assert [c.id for c in listed] == [reply.id] and reply.kind is CommentKind.COMMENT


async def test_a_review_that_wants_changes_says_so(hosted):
    opened = await hosted.open()
    hosted.double.review(hosted.name, opened.number, "ada", "Not like this.")
    listed = await hosted.host.comments(hosted.repository, opened.number)
    assert any(c.wants_changes and c.kind is CommentKind.REVIEW and c.author == "ada" for c in listed)
    assert "Not like this." in [c.body for c in listed]


async def test_who_may_push_is_known_and_asked_for_once(hosted):
    opened = await hosted.open()
    for _ in range(3):
        hosted.double.say(hosted.name, opened.number, "ada", "One.")
        hosted.double.say(hosted.name, opened.number, "stranger", "Two.")
    asked = len(hosted.double.exchanges)
    listed = await hosted.host.comments(hosted.repository, opened.number)
    assert [c.may_write for c in listed] == [True, False] * 3
    questions = [e for e in hosted.double.exchanges[asked:] if "members" in e.path or "permission" in e.path]
    assert len(questions) == 2
    assert await hosted.host.may_write(hosted.repository, "Ada") is True
    assert await hosted.host.may_write(hosted.repository, "nobody") is False


async def test_a_hundred_and_fifty_comments_are_all_read(hosted):
    opened = await hosted.open()
    for number in range(150):
        hosted.double.say(hosted.name, opened.number, "ada", f"Comment {number}")
    listed = await hosted.host.comments(hosted.repository, opened.number)
    assert [c.body for c in listed] == [f"Comment {number}" for number in range(150)]


# --- checks ----------------------------------------------------------------------------------------


async def test_without_ci_there_are_no_checks(at):
    opened = await at.open()
    checks = await at.host.checks(at.repository, opened.head_sha)
    assert (checks.state, checks.runs) == (CheckState.NONE, ())


STANDINGS = [
    (["passed"], CheckState.PASSED),
    (["passed", "skipped", "neutral"], CheckState.PASSED),
    (["skipped"], CheckState.PASSED),
    (["passed", "pending"], CheckState.PENDING),
    (["failed", "pending", "passed"], CheckState.FAILED),
]


@pytest.mark.parametrize(("states", "whole"), STANDINGS, ids=["-".join(s[0]) for s in STANDINGS])
async def test_checks_are_added_up(hosted, states, whole):
    opened = await hosted.open()
    for number, state in enumerate(states):
        hosted.double.ci(hosted.name, opened.head_sha, f"check-{number}", state)
    checks = await hosted.host.checks(hosted.repository, opened.head_sha)
    assert checks.state is whole
    assert [run.name for run in sorted(checks.runs, key=lambda run: run.name)] == [
        f"check-{number}" for number in range(len(states))
    ]


async def test_a_check_that_was_run_again_counts_as_it_is_now(hosted):
    opened = await hosted.open()
    for state in ("failed", "passed"):
        hosted.double.ci(hosted.name, opened.head_sha, "tests", state)
        hosted.double.ci(hosted.name, opened.head_sha, "lint", state, status=True)
    checks = await hosted.host.checks(hosted.repository, opened.head_sha)
    assert [run.state for run in checks.runs] == [CheckState.PASSED] * 2


async def test_a_status_of_another_service_counts_too(hosted):
    opened = await hosted.open()
    hosted.double.ci(hosted.name, opened.head_sha, "tests", "passed")
    hosted.double.ci(hosted.name, opened.head_sha, "coverage", "failed", status=True)
    assert (await hosted.host.checks(hosted.repository, opened.head_sha)).state is CheckState.FAILED


async def test_the_end_of_a_failed_checks_log_is_read(hosted):
    opened = await hosted.open()
    log = "".join(f"line {number} é\n" for number in range(20_000)) + "AssertionError: 1 != 2\n"
    hosted.double.ci(hosted.name, opened.head_sha, "tests", "failed", log=log)
    [check] = (await hosted.host.checks(hosted.repository, opened.head_sha)).runs
    read = await hosted.host.check_log(hosted.repository, check)
    assert read.endswith("AssertionError: 1 != 2\n") and read.startswith("line ")
    assert 60_000 < len(read.encode()) <= 64 * 1024


# --- accounts --------------------------------------------------------------------------------------


async def test_check_describes_the_host(at):
    who = await at.host.own_login(at.repository) if at.double else "local"
    assert who in await at.host.check()


async def test_the_author_of_a_commit_has_an_account(hosted):
    assert await hosted.host.login_of(hosted.repository, git("rev-parse", "main", cwd=hosted.bare), "") in (
        "ada",  # GitHub goes by the commit, GitLab by the address
        "",
    )
    sha = git("rev-parse", "main", cwd=hosted.bare)
    assert await hosted.host.login_of(hosted.repository, sha, "ada@example.test") == "ada"
    assert await hosted.host.login_of(hosted.repository, "0" * 40, "who@example.test") == ""


async def test_people_merge_on_a_host(hosted):
    opened = await hosted.open()
    failure = await refused(hosted.host.merge_pull_request(hosted.repository, pull_request(url=opened.url)))
    assert failure.code == "merge_on_host" and opened.url in failure.next_step


async def test_a_repository_of_another_host_is_not_looked_for_here(hosted):
    elsewhere = replace(hosted.repository, key=f"elsewhere.example/{hosted.name}")
    before = len(hosted.double.exchanges)
    failure = await refused(hosted.host.find_pull_request(elsewhere, BRANCH, "main"))
    assert failure.code == "host_not_found" and len(hosted.double.exchanges) == before
