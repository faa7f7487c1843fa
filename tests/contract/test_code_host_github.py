"""What only GitHub can do to us: drafts, teams, job logs, and Apps with their short-lived tokens."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.pull_request import Check, CheckState, CommentKind, PullRequestState
from ai_ops.vcs.github_account import AppAccount
from tests.support.api_double import ApiFaults
from tests.support.github_app import APP_ID, key_pair
from tests.support.host_settings import BRANCH, WANTED, app_keys, github_app_host, github_host


@pytest.fixture
async def at(tmp_path):
    async with github_host(tmp_path) as setting:
        yield setting


@pytest.fixture
async def app(tmp_path):
    async with github_app_host(tmp_path) as setting:
        yield setting


async def refused(awaitable) -> AiOpsError:
    with pytest.raises(AiOpsError) as caught:
        await awaitable
    return caught.value


async def test_an_open_one_comes_before_a_newer_closed_one(at):
    await at.open()
    kept = at.double.pulls(at.name)
    kept.append({**kept[0], "number": 2, "state": "closed"})
    found = await at.host.find_pull_request(at.repository, BRANCH, "main")
    assert (found.number, found.state) == (1, PullRequestState.OPEN)


async def test_the_list_is_asked_for_by_owner_and_branch(at):
    await at.host.find_pull_request(at.repository, BRANCH, "main")
    asked = at.double.exchanges[-1].query
    assert (asked["head"], asked["state"], asked["base"]) == (f"acme:{BRANCH}", "all", "main")


async def test_a_422_after_creation_is_looked_into(at):
    at.fix()
    words = "Could not resolve to a node with the global id of 'PR_1'."
    at.double.faults = ApiFaults(status=422, message=words, after=True, method="POST", path="/pulls", times=1)
    opened = await at.host.open_pull_request(at.repository, WANTED)
    assert opened.number == 1


async def test_labels_that_are_refused_spoil_nothing(at, caplog):
    at.fix()
    at.double.faults = ApiFaults(status=403, method="POST", path="/labels")
    opened = await at.host.open_pull_request(at.repository, WANTED)
    assert opened.state is PullRequestState.OPEN
    assert "labels" in caplog.text


async def test_a_reviewer_who_cannot_be_asked_spoils_nothing(at, caplog):
    opened = await at.open(reviewers=("ai-ops-bot", "stranger", "grace", "acme/platform"))
    assert opened.state is PullRequestState.OPEN
    [kept] = at.double.pulls(at.name)
    assert (kept["reviewers"], kept["teams"]) == (["grace"], ["platform"])
    assert "stranger" in caplog.text and "collaborators" in caplog.text


async def test_a_host_that_goes_away_after_the_creation_spoils_nothing(at, caplog):
    at.fix()
    at.double.faults = ApiFaults(drop=True, method="POST", path="requested_reviewers")
    opened = await at.host.open_pull_request(at.repository, WANTED)
    assert opened.number == 1 and "no review asked" in caplog.text


async def test_teams_are_asked_by_their_last_name_and_not_twice(at):
    opened = await at.open(reviewers=())
    for _ in range(2):
        accepted = await at.host.request_reviewers(
            at.repository, opened.number, ["@acme/platform", "@acme/no"]
        )
        assert accepted == ("@acme/platform",)
    assert at.double.pulls(at.name)[0]["teams"] == ["platform"]


async def test_who_has_reviewed_is_not_asked_again(at):
    opened = await at.open(reviewers=())
    at.double.review(at.name, opened.number, "grace", "Fine.", "APPROVED")
    asked = at.double.count("POST", "requested_reviewers")
    assert await at.host.request_reviewers(at.repository, opened.number, ["grace"]) == ("grace",)
    assert at.double.count("POST", "requested_reviewers") == asked


async def test_a_plan_without_drafts_gets_an_ordinary_pull_request(at, caplog):
    at.double.without_drafts = True
    opened = await at.open(draft=True)
    assert (opened.number, opened.draft) == (1, False)
    assert "no drafts" in caplog.text


async def test_reviews_say_what_was_written_and_empty_ones_nothing(at):
    opened = await at.open()
    at.double.review(at.name, opened.number, "ada", "", "COMMENTED")
    at.double.review(at.name, opened.number, "ada", "", "CHANGES_REQUESTED")
    at.double.review(at.name, opened.number, "ada", "Nice.", "APPROVED")
    at.double.review(at.name, opened.number, "ada", "", "APPROVED")
    listed = await at.host.comments(at.repository, opened.number)
    assert [(c.kind, c.body, c.wants_changes) for c in listed] == [
        (CommentKind.REVIEW, "", True),
        (CommentKind.REVIEW, "Nice.", False),
        (CommentKind.REVIEW, "", False),
    ]


async def test_an_answer_in_a_thread_goes_to_its_first_comment(at):
    opened = await at.open()
    root = at.double.on_line(at.name, opened.number, "ada", "app.py", 1, "Why?")
    at.double.on_line(at.name, opened.number, "grace", "app.py", 1, "Yes, why?", reply_to=root["id"])
    listed = await at.host.comments(at.repository, opened.number)
    assert {comment.thread for comment in listed} == {str(root["id"])}
    before = len(at.double.exchanges)
    await at.host.comments(at.repository, opened.number)
    assert len(at.double.exchanges) - before == 3  # a list of each kind, and nothing for each comment
    await at.host.comment(at.repository, opened.number, "So.", marker="m", reply_to=listed[1].thread)
    assert at.double.count("POST", f"/comments/{root['id']}/replies") == 1


async def test_what_is_no_job_shows_its_own_words(at):
    opened = await at.open()
    at.double.ci(at.name, opened.head_sha, "scan", "failed")
    [check] = (await at.host.checks(at.repository, opened.head_sha)).runs
    assert check.summary == "scan says\none line is wrong"
    read = await at.host.check_log(at.repository, check)
    assert "one line is wrong" in read and "app.py:1: failure: x is wrong" in read
    assert await at.host.check_log(at.repository, Check("status-1", "x", CheckState.FAILED)) == ""


async def test_a_job_log_is_read_without_our_token(at):
    opened = await at.open()
    at.double.ci(at.name, opened.head_sha, "tests", "failed", log="boom\n")
    [check] = (await at.host.checks(at.repository, opened.head_sha)).runs
    assert await at.host.check_log(at.repository, check) == "boom\n"
    [stored] = [e for e in at.double.exchanges if e.path.startswith("/storage/")]
    assert "Authorization" not in stored.headers


# --- Apps ------------------------------------------------------------------------------------------


def account(app, now=lambda: datetime.now(UTC), key=None):
    return AppAccount(app.double.api_url, APP_ID, key or app_keys()[0], now=now)


async def test_an_app_opens_under_its_own_name(app):
    opened = await app.open()
    assert opened.author == "ai-ops[bot]" == await app.host.own_login(app.repository)
    assert "ai-ops[bot]" in await app.host.check()


async def test_a_token_is_kept_and_made_anew_before_its_end(app):
    moment = [datetime.now(UTC)]
    app.double.now = lambda: moment[0]
    who = account(app, lambda: moment[0])
    first = await asyncio.to_thread(who.token, "acme/shop")
    moment[0] += timedelta(minutes=45)
    assert await asyncio.to_thread(who.token, "acme/shop") == first
    moment[0] += timedelta(minutes=6)
    second = await asyncio.to_thread(who.token, "acme/shop")
    assert second != first
    assert app.double.count("POST", "/access_tokens") == 2


async def test_an_app_that_is_not_installed_says_so(app):
    app.double.installed.clear()
    failure = await refused(app.host.find_pull_request(app.repository, BRANCH, "main"))
    assert (type(failure), failure.code) == (PermanentError, "host_not_found")
    assert "not installed" in failure.message and "Install it" in failure.next_step


async def test_a_key_of_another_app_is_unauthorized(app):
    app.double.app_key = key_pair()[1]
    assert (await refused(app.host.check())).code == "host_unauthorized"


@pytest.mark.parametrize("key", ["", "not a key", "-----BEGIN RSA PRIVATE KEY-----\nbroken\n"])
def test_a_key_that_signs_nothing_is_named_and_not_shown(app, key):
    with pytest.raises(PermanentError) as caught:
        account(app, key=key or " ").token("acme/shop")
    assert caught.value.code == "host_unauthorized"
    assert "PRIVATE_KEY" in caught.value.next_step and "broken" not in str(caught.value)


async def test_a_host_without_the_app_is_temporary_when_it_is_away(app):
    app.double.faults = ApiFaults(status=503, path="/installation")
    failure = await refused(app.host.find_pull_request(app.repository, BRANCH, "main"))
    assert failure.code == "host_unavailable"


async def test_many_calls_at_once_and_two_spellings_share_a_token(app):
    who = account(app)
    names = ["acme/shop", "Acme/Shop", "acme/shop", "acme/shop"]
    assert len(set(await asyncio.gather(*(asyncio.to_thread(who.token, name) for name in names)))) == 1
    assert app.double.count("POST", "/access_tokens") == 1


async def test_labels_and_reviewers_arrive_though_the_answer_of_the_creation_is_lost(at):
    at.fix()
    at.double.faults = ApiFaults(drop=True, after=True, method="POST", path="/pulls", times=1)
    await at.host.open_pull_request(at.repository, WANTED)
    [kept] = at.double.pulls(at.name)
    assert (kept["labels"], kept["reviewers"]) == (["ai-ops"], ["ada"])


async def test_a_failed_status_that_is_not_listed_counts(at):
    opened = await at.open()
    for number in range(31):
        state = "failed" if number == 30 else "passed"
        at.double.ci(at.name, opened.head_sha, f"service-{number:02d}", state, status=True)
    checks = await at.host.checks(at.repository, opened.head_sha)
    assert checks.state is CheckState.FAILED and len(checks.runs) == 31


@pytest.mark.parametrize(
    ("scopes", "code"),
    [
        ("repo, read:org", None),
        ("public_repo", None),
        ("read:org", "host_scope_missing"),
        ("", "host_scope_missing"),
    ],
    ids=["repo", "public", "reading", "none"],
)
async def test_a_classic_token_without_its_scope_is_named_by_doctor(at, scopes, code):
    at.double.answer_headers = {"X-OAuth-Scopes": scopes}
    if code is None:
        assert "ai-ops-bot" in await at.host.check()
    else:
        failure = await refused(at.host.check())
        assert (type(failure), failure.code) == (PermanentError, code)
        assert "ai-ops-bot" in failure.message and "repo" in failure.next_step


async def test_what_has_not_changed_is_not_sent_again_and_what_has_is(at):
    opened = await at.open()
    at.double.say(at.name, opened.number, "ada", "Why?")
    first = await look(at, opened.number)
    seen = at.double.unchanged
    assert await look(at, opened.number) == first
    assert at.double.unchanged == seen + 4  # the pull request and three lists
    at.double.say(at.name, opened.number, "ada", "And how?")
    _, comments = await look(at, opened.number)
    assert [comment.body for comment in comments] == ["Why?", "And how?"]


async def look(at, number):
    shown = await at.host.pull_request(at.repository, number)
    return shown, list(await at.host.comments(at.repository, number))


async def test_more_comments_than_a_page_holds_are_all_read(at):
    opened = await at.open()
    for number in range(103):
        at.double.say(at.name, opened.number, "ada", f"{number}")
    _, comments = await look(at, opened.number)
    assert [comment.body for comment in comments] == [str(number) for number in range(103)]
