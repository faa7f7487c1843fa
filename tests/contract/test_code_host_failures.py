"""What GitHub and GitLab refuse, limit and lose: each has a name, and a lost answer has one effect."""

import contextlib
import time
from dataclasses import replace

import pytest

from ai_ops.errors import AiOpsError, PermanentError, TemporaryError
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.vcs.github import GitHubHost
from ai_ops.vcs.gitlab import GitLabHost
from tests.support.api_double import ApiFaults
from tests.support.git_server import create_repository, git
from tests.support.host_settings import BRANCH, WANTED, github_host, gitlab_below_host, gitlab_host


@pytest.fixture(params=[github_host, gitlab_host], ids=["github", "gitlab"])
async def at(request, tmp_path):
    async with request.param(tmp_path) as setting:
        yield setting


async def refused(awaitable) -> AiOpsError:
    with pytest.raises(AiOpsError) as caught:
        await awaitable
    return caught.value


def calls(at, number):
    """Return every call of the port that reaches the host, as functions."""
    host, repository = at.host, at.repository
    return {
        "find": lambda: host.find_pull_request(repository, BRANCH, "main"),
        "open": lambda: host.open_pull_request(repository, WANTED),
        "show": lambda: host.pull_request(repository, number),
        "update": lambda: host.update_pull_request(repository, number, body="Another."),
        "draft": lambda: host.update_pull_request(repository, number, draft=True),
        "close": lambda: host.close_pull_request(repository, number),
        "reviewers": lambda: host.request_reviewers(repository, number, ["grace"]),
        "comments": lambda: host.comments(repository, number),
        "comment": lambda: host.comment(repository, number, "Done.", marker="m"),
        "checks": lambda: host.checks(repository, git("rev-parse", "main", cwd=at.bare)),
        "may_write": lambda: host.may_write(repository, "ada"),
        "own_login": lambda: host.own_login(repository),
        "check": lambda: host.check(),
    }


STATUSES = [
    (401, {}, "planned", "host_unauthorized", PermanentError, None),
    (403, {}, "planned", "host_forbidden", PermanentError, None),
    (409, {}, "planned", "host_conflict", PermanentError, None),
    (409, {}, "Git Repository is empty.", "host_empty_repository", PermanentError, None),
    (422, {}, "planned", "host_rejected", PermanentError, None),
    (403, {}, "Repository was archived so is read-only.", "host_archived", PermanentError, None),
    (403, {}, "Resource not accessible by integration", "host_scope_missing", PermanentError, None),
    (403, {}, "insufficient_scope", "host_scope_missing", PermanentError, None),
    (
        403,
        {"X-OAuth-Scopes": "read:org", "X-Accepted-OAuth-Scopes": "repo"},
        "planned",
        "host_scope_missing",
        PermanentError,
        None,
    ),
    (403, {"Retry-After": "7"}, "planned", "host_rate_limited", TemporaryError, 7.0),
    (429, {"Retry-After": "7"}, "planned", "host_rate_limited", TemporaryError, 7.0),
    (429, {}, "planned", "host_rate_limited", TemporaryError, 60.0),
    (403, {}, "You have exceeded a secondary rate limit.", "host_rate_limited", TemporaryError, 60.0),
    (500, {}, "planned", "host_unavailable", TemporaryError, None),
    (503, {"Retry-After": "9"}, "planned", "host_unavailable", TemporaryError, 9.0),
    (418, {}, "planned", "host_bad_answer", PermanentError, None),
]


@pytest.mark.parametrize(
    ("status", "headers", "words", "code", "family", "delay"),
    STATUSES,
    ids=[f"{s[0]}-{s[3]}-{'-'.join(s[1])}" for s in STATUSES],
)
async def test_an_answer_has_a_name(at, status, headers, words, code, family, delay):
    opened = await at.open()
    at.double.faults = ApiFaults(status=status, headers=headers, message=words)
    for name, call in calls(at, opened.number).items():
        failure = await refused(call())
        assert (type(failure), failure.code) == (family, code), name
        assert failure.next_step, name
        if family is TemporaryError:
            assert failure.delay == delay, name
    assert len(at.double.pulls(at.name)) == 1


@pytest.mark.parametrize("prefix", ["X-RateLimit", "RateLimit"])
async def test_a_limit_is_waited_for_until_it_is_reset(at, prefix):
    reset = {f"{prefix}-Remaining": "0", f"{prefix}-Reset": str(int(time.time()) + 900)}
    for status in (403, 429):
        at.double.faults = ApiFaults(status=status, headers=reset)
        failure = await refused(at.host.find_pull_request(at.repository, BRANCH, "main"))
        assert failure.code == "host_rate_limited"
        assert 890 <= failure.delay <= 900
        assert at.double.exchanges[-1].status == status
    assert len(at.double.exchanges) == 2  # the library does not wait and try by itself


async def test_a_token_that_is_wrong_or_missing_is_never_shown(at):
    build = GitHubHost if at.repository.code_host == "github" else GitLabHost
    root = at.double.api_url if build is GitHubHost else at.double.base_url
    failure = await refused(build(root, lambda: "planted-wrong-token").check())
    assert failure.code == "host_unauthorized" and "planted-wrong-token" not in str(failure)
    assert (await refused(build(root, "").check())).code == "host_unauthorized"


async def test_a_repository_that_is_not_there_is_not_found(at):
    missing = replace(at.repository, key=at.repository.key + "-gone")
    failure = await refused(at.host.find_pull_request(missing, BRANCH, "main"))
    assert (type(failure), failure.code) == (PermanentError, "host_not_found")
    nameless = replace(at.repository, key=at.repository.key.rpartition("/")[0])
    assert (await refused(at.host.find_pull_request(nameless, BRANCH, "main"))).code == "host_not_found"


async def test_an_archived_repository_is_named(at):
    at.fix()
    at.double.archived.add(at.name)
    failure = await refused(at.host.open_pull_request(at.repository, WANTED))
    assert (type(failure), failure.code) == (PermanentError, "host_archived")
    assert "nothing" not in failure.next_step and failure.next_step


async def test_nobody_listening_is_temporary(at, unused_tcp_port):
    root = f"http://127.0.0.1:{unused_tcp_port}"
    build = GitHubHost if at.repository.code_host == "github" else GitLabHost
    failure = await refused(build(root, "planted-token", timeout_seconds=2).check())
    assert (type(failure), failure.code) == (TemporaryError, "host_unavailable")


async def test_something_that_is_no_such_host_is_a_bad_answer(at):
    at.double.faults = ApiFaults(status=200, body=["not", "an", "object"])
    failure = await refused(at.host.check())
    assert (type(failure), failure.code) == (PermanentError, "host_bad_answer")


async def test_an_answer_that_does_not_come_is_temporary(tmp_path, at):
    build = GitHubHost if at.repository.code_host == "github" else GitLabHost
    root = at.double.api_url if build is GitHubHost else at.double.base_url
    token = at.double.token
    at.double.faults = ApiFaults(delay=5.0)
    failure = await refused(build(root, token, timeout_seconds=1).check())
    assert (type(failure), failure.code) == (TemporaryError, "host_unavailable")


LOST = [{"drop": True}, {"status": 502}]
CHANGING = "POST PUT PATCH"
WRITES = ["open", "update", "draft", "close", "reviewers", "comment", "reply"]


@pytest.mark.parametrize("lost", LOST, ids=["dropped", "502"])
@pytest.mark.parametrize("write", WRITES)
async def test_a_write_whose_answer_is_lost_has_one_effect(at, write, lost):
    """The answer of the changing request is lost after the work, and the call is made again."""
    name, double = at.name, at.double
    if write == "open":
        at.fix()
        number = 1
    else:
        number = (await at.open(reviewers=())).number
    work = calls(at, number).get(write)
    if write == "reply":
        double.on_line(name, number, "ada", "app.py", 1, "Why?")
        [asked] = await at.host.comments(at.repository, number)

        def work():
            return at.host.comment(at.repository, number, "So.", marker="m", reply_to=asked.thread)

    double.faults = ApiFaults(**lost, after=True, method=CHANGING, times=1)
    # What makes something new looks again by itself; what sets something may simply be set again.
    looks_again = write in ("open", "comment", "reply")
    with contextlib.nullcontext() if looks_again else contextlib.suppress(TemporaryError):
        await work()
    assert double.faults.times == 0
    await work()
    assert_one_effect(at, write)


def assert_one_effect(at, write):
    [kept] = at.double.pulls(at.name)
    if write == "update":
        assert kept["body"] == "Another."
    elif write == "draft":
        assert kept["draft"] is True and kept["title"].count("Draft:") <= 1
    elif write == "close":
        assert kept["state"] == "closed"
    elif write == "reviewers":
        assert kept["reviewers"] == ["grace"]
    elif write in ("comment", "reply"):
        written = [
            one
            for kind in ("comments", "lines", "notes")
            for one in at.double.listed(kind, at.name)
            if one["login"] == at.double.login
        ]
        assert len(written) == 1


@pytest.mark.parametrize("write", WRITES)
async def test_a_write_that_was_dropped_before_it_was_done_is_temporary(at, write):
    number = 1
    if write != "open":
        number = (await at.open(reviewers=())).number
    else:
        at.fix()
    if write == "reply":
        write = "comment"
    at.double.faults = ApiFaults(drop=True, method=CHANGING)
    before = len(at.double.exchanges)
    failure = await refused(calls(at, number)[write]())
    assert (type(failure), failure.code) == (TemporaryError, "host_unavailable")
    sent = [exchange for exchange in at.double.exchanges[before:] if exchange.method != "GET"]
    assert len(sent) == 1  # nothing is repeated behind our back


async def test_a_creation_that_somebody_was_faster_with_is_adopted(at):
    """The list was empty, and between it and the creation another server opened one."""
    at.fix()
    words = {
        "github": {"message": "Validation Failed", "errors": [{"message": "A pull request already exists"}]},
        "gitlab": {"message": ["Another open merge request already exists for this source branch: !1"]},
    }[at.repository.code_host]
    status = 422 if at.repository.code_host == "github" else 409
    at.double.faults = ApiFaults(
        status=status,
        body=words,
        after=True,
        method="POST",
        path=f"/{KINDS[at.repository.code_host]}",
        times=1,
    )
    opened = await at.host.open_pull_request(at.repository, WANTED)
    assert (opened.number, opened.adopted, opened.state) == (1, True, PullRequestState.OPEN)


KINDS = {"github": "pulls", "gitlab": "merge_requests"}

# --- git, through the same doubles -------------------------------------------------------------------

REFUSALS = [
    ("GH006: Protected branch update failed for refs/heads/ai-ops/x.", "push_protected_branch"),
    (
        "GitLab: You are not allowed to push code to protected branches on this project.",
        "push_protected_branch",
    ),
    ("GH013: Repository rule violations found. Push cannot contain secrets", "push_secret_detected"),
    ("PUSH BLOCKED: Secrets detected in code changes", "push_secret_detected"),
    ("refusing to allow an OAuth App to create or update workflow without `workflow` scope", "push_refused"),
    ("This repository was archived so it is read-only.", "push_refused"),
    ("GitLab: You cannot push commits for an archived project.", "push_refused"),
    ("GitLab: Commit message does not follow the pattern", "push_refused"),
]


@pytest.mark.parametrize(("words", "code"), REFUSALS, ids=[f"{r[1]}-{n}" for n, r in enumerate(REFUSALS)])
async def test_a_push_that_a_rule_of_the_host_refuses_is_named(at, words, code):
    sha = await a_commit(at)
    at.double.git.reject_pushes(at.name, words)
    failure = await refused(at.git.push(at.repository, sha, BRANCH))
    assert (type(failure), failure.code) == (PermanentError, code)
    assert failure.next_step


async def test_a_branch_with_somebody_elses_commits_is_taken(at):
    sha = await a_commit(at)
    at.fix(line="x = 9")
    failure = await refused(at.git.push(at.repository, sha, BRANCH))
    assert (type(failure), failure.code) == (PermanentError, "branch_taken")


GIT_STATUSES = [
    (401, "git_auth_failed", PermanentError),
    (403, "git_auth_failed", PermanentError),
    (404, "git_not_found", PermanentError),
    (429, "git_unreachable", TemporaryError),
    (503, "git_unreachable", TemporaryError),
]


@pytest.mark.parametrize(("status", "code", "family"), GIT_STATUSES, ids=[str(s[0]) for s in GIT_STATUSES])
async def test_a_status_that_git_is_given_is_named(at, status, code, family):
    at.double.git.faults.status = status
    failure = await refused(at.git.refresh(at.repository))
    assert (type(failure), failure.code) == (family, code)


async def test_an_empty_repository_is_named(at):
    create_repository(at.double.root, "acme/empty")
    root = at.repository.key.removesuffix(f"/{at.name}")
    empty = replace(at.repository, key=f"{root}/acme/empty", url=f"http://{root}/acme/empty")
    failure = await refused(at.git.refresh(empty))
    assert (type(failure), failure.code) == (PermanentError, "git_empty_repository")


async def test_branches_without_a_common_commit_have_nothing_to_merge(at):
    """Somebody replaced the repository: our branch and the base share no history."""
    tree = git("rev-parse", "main^{tree}", cwd=at.bare)
    alone = git("commit-tree", tree, "-m", "Start anew", cwd=at.bare)
    sha = at.fix()
    git("update-ref", "refs/heads/main", alone, cwd=at.bare)
    failure = await refused(at.git.merge(at.repository, BRANCH, "main", "Merge", head=sha))
    assert (type(failure), failure.code) == (PermanentError, "unrelated_history")


async def test_a_project_below_a_path_and_in_groups_is_reached_by_git_and_by_the_api(tmp_path):
    async with gitlab_below_host(tmp_path) as at:
        sha = await a_commit(at)
        await at.git.push(at.repository, sha, BRANCH)
        opened = await at.host.open_pull_request(at.repository, WANTED)
        assert opened.url == f"{at.double.base_url}/acme/web.apps/shop/-/merge_requests/1"
        paths = {e.path for e in at.double.exchanges}
        assert any("/forge/api/v4/projects/acme%2Fweb.apps%2Fshop/" in path for path in paths)


async def a_commit(at):
    base = await at.git.refresh(at.repository)
    patch = "diff --git a/app.py b/app.py\n--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
    return await at.git.commit(at.repository, base.sha, patch, "Fix")
