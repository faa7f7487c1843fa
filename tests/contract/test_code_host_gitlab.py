"""What only GitLab can do to us: titles that make drafts, lists that shrink, pipelines of several sources."""

from dataclasses import replace

import pytest

from ai_ops.errors import AiOpsError, PermanentError
from ai_ops.flow.pull_request import Check, CheckState, PullRequestState
from ai_ops.flow.repository import Repository
from ai_ops.vcs.gitlab import GitLabHost
from ai_ops.vcs.gitlab_merges import undrafted
from tests.support.api_double import ApiFaults
from tests.support.host_settings import BRANCH, GITLAB_TOKEN, WANTED, gitlab_below_host, gitlab_host


@pytest.fixture
async def at(tmp_path):
    async with gitlab_host(tmp_path) as setting:
        yield setting


@pytest.fixture
async def below(tmp_path):
    async with gitlab_below_host(tmp_path) as setting:
        yield setting


async def refused(awaitable) -> AiOpsError:
    with pytest.raises(AiOpsError) as caught:
        await awaitable
    return caught.value


TITLES = ["Draft: Fix it", "draft: Fix it", "[Draft] Fix it", "(DRAFT) Draft: Fix it", "Fix it"]


@pytest.mark.parametrize("title", TITLES)
def test_a_title_loses_all_that_makes_a_draft(title):
    assert undrafted(title) == "Fix it"


async def test_a_title_that_only_looks_like_a_drafts_makes_none(at):
    opened = await at.open(title="Draft: Fix it")
    assert opened.draft is False


async def test_one_reviewer_is_all_that_some_plans_take(at):
    opened = await at.open(reviewers=())
    at.double.one_reviewer = True
    accepted = await at.host.request_reviewers(at.repository, opened.number, ["ada", "grace"])
    assert accepted == ("ada",)


async def test_reviewers_that_people_asked_stay(at):
    opened = await at.open(reviewers=("ada",))
    await at.host.request_reviewers(at.repository, opened.number, ["grace"])
    assert at.double.pulls(at.name)[0]["reviewers"] == ["ada", "grace"]


async def test_a_merge_request_of_a_fork_is_another_one(at):
    at.fix()
    await at.host.open_pull_request(at.repository, WANTED)
    real = at.double.basic
    at.double.basic = lambda name, kept: {**real(name, kept), "source_project_id": 99}
    assert await at.host.find_pull_request(at.repository, BRANCH, "main") is None


MERGED = [
    ({"merge_commit_sha": "a" * 40, "squash_commit_sha": "b" * 40}, "a" * 40),
    ({"merge_commit_sha": None, "squash_commit_sha": "b" * 40}, "b" * 40),
    ({"merge_commit_sha": None, "squash_commit_sha": None}, "head"),
]


@pytest.mark.parametrize(("fields", "sha"), MERGED, ids=["merge-commit", "squashed", "fast-forward"])
async def test_every_way_to_merge_names_the_commit_on_the_base(at, fields, sha):
    opened = await at.open()
    at.double.change(at.name, opened.number, state="merged", merged_at=at.double.moment(), **fields)
    shown = await at.host.pull_request(at.repository, opened.number)
    assert shown.state is PullRequestState.MERGED
    assert shown.merge_sha == (opened.head_sha if sha == "head" else sha)


async def test_one_that_is_being_merged_is_open_still(at):
    opened = await at.open()
    at.double.change(at.name, opened.number, state="locked")
    assert (await at.host.pull_request(at.repository, opened.number)).state is PullRequestState.OPEN


async def test_a_job_that_may_fail_and_one_that_nobody_started_hold_up_nothing(at):
    opened = await at.open()
    at.double.ci(at.name, opened.head_sha, "flaky", "failed")["allow_failure"] = True
    manual = at.double.ci(at.name, opened.head_sha, "deploy", "pending")
    manual |= {"status": "manual", "allow_failure": True}
    for pipeline in at.double.listed("pipelines", at.name):
        pipeline["status"] = "success"
    checks = await at.host.checks(at.repository, opened.head_sha)
    assert checks.state is CheckState.PASSED


async def test_a_pipeline_that_failed_without_a_failed_job_has_failed(at):
    """Another pipeline that it started has, or its file could not be read."""
    opened = await at.open()
    at.double.ci(at.name, opened.head_sha, "tests", "passed")
    at.double.listed("pipelines", at.name)[0]["status"] = "failed"
    checks = await at.host.checks(at.repository, opened.head_sha)
    assert checks.state is CheckState.FAILED
    assert [run.state for run in checks.runs] == [CheckState.PASSED, CheckState.FAILED]
    assert await at.host.check_log(at.repository, checks.runs[1]) == ""


async def test_a_pipeline_of_the_merged_result_counts(at):
    opened = await at.open()
    at.double.ci(at.name, "f" * 40, "tests", "failed")
    at.double.listed("pipelines", at.name)[0]["merge"] = opened.number
    assert (await at.host.checks(at.repository, opened.head_sha)).state is CheckState.FAILED


async def test_a_log_that_was_erased_is_empty(at):
    assert await at.host.check_log(at.repository, Check("job-424242", "x", CheckState.FAILED)) == ""


async def test_of_what_gitlab_notes_by_itself_only_a_reviews_word_counts(at):
    opened = await at.open()
    at.double.review(at.name, opened.number, "ada", "")
    at.double._note(at.name, opened.number, "ada", "assigned to @grace", system=True)
    at.double._note(at.name, opened.number, "grace", "approved this merge request", system=True)
    [review, approval] = await at.host.comments(at.repository, opened.number)
    assert (review.wants_changes, review.body) == (True, "")
    assert (approval.wants_changes, approval.body, approval.author) == (False, "", "grace")


async def test_a_token_that_may_only_read_is_named_by_doctor_and_by_a_write(at):
    at.fix()
    at.double.scopes = ["read_api"]
    failure = await refused(at.host.check())
    assert (type(failure), failure.code) == (PermanentError, "host_scope_missing")
    assert "read_api" in failure.message and "api scope" in failure.next_step
    failure = await refused(at.host.open_pull_request(at.repository, WANTED))
    assert failure.code == "host_scope_missing"


async def test_a_token_that_tells_no_scopes_is_tried(at):
    at.double.faults = ApiFaults(status=404, path="/personal_access_tokens")
    assert "ai-ops-bot" in await at.host.check()


async def test_a_private_address_of_gitlab_names_its_account(at):
    sha = "0" * 40
    known = await at.host.login_of(at.repository, sha, "7-ada@users.noreply.gitlab.example")
    assert known == "ada"
    assert await at.host.login_of(at.repository, sha, "") == ""


async def test_an_instance_below_a_path_serves_nothing_beside_it(below):
    beside = replace(below.repository, key=below.repository.key.replace("/forge/", "/other/"))
    failure = await refused(below.host.find_pull_request(beside, BRANCH, "main"))
    assert failure.code == "host_not_found" and "/forge" in failure.message


async def test_a_moved_instance_is_said_to_have_moved(at):
    opened = await at.open()
    moved = {"Location": f"{at.double.base_url}/api/v4/user"}
    for method in ("POST", ""):
        at.double.faults = ApiFaults(status=301, headers=moved, method=method)
        failure = await refused(at.host.comment(at.repository, opened.number, "Done.", marker="m"))
        assert (type(failure), failure.code) == (PermanentError, "host_not_found")
        assert "redirects" in failure.next_step


async def test_gitlab_com_is_the_default():
    host = GitLabHost("", GITLAB_TOKEN)
    assert host._path(Repository("gitlab.com/acme/team/shop", "", "gitlab")) == "acme/team/shop"
