"""The CodeHost port: one suite over the local host and GitHub, then what only GitHub can do to us."""

import asyncio
import contextlib
import json
import re
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS30Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from ai_ops.core.identity import pull_request_id
from ai_ops.core.ports import CodeHost
from ai_ops.errors import AiOpsError, PermanentError, TemporaryError
from ai_ops.flow.pull_request import NewPullRequest, PullRequestState
from ai_ops.flow.repository import Repository
from ai_ops.store.comments import CommentRepository
from ai_ops.store.database import open_database
from ai_ops.store.pull_requests import PullRequestRepository
from ai_ops.vcs.credentials import token_credential
from ai_ops.vcs.git import GitClient
from ai_ops.vcs.github import GitHubHost
from ai_ops.vcs.local import LocalHost
from tests.support.git_server import create_repository, git, push_files
from tests.support.github_double import ApiFaults, GitHubDouble
from tests.support.store import FixedClock, pull_request, sqlite_url

TOKEN = "ghp_planted0123456789planted0123456789"
NAME = "acme/shop"
BRANCH = "ai-ops/fix-0123456789ab-1"
WANTED = NewPullRequest(
    BRANCH, "main", "Fix ZeroDivisionError", "The **cause**.\n", labels=("ai-ops",), reviewers=("@ada",)
)


@dataclass
class Setting:
    """A code host over one real bare repository."""

    host: CodeHost
    repository: Repository
    bare: Path
    git: GitClient
    double: GitHubDouble | None = None
    records: PullRequestRepository | None = None

    async def record(self, hosted):
        """Keep our record, as the orchestrator does after opening."""
        if self.records is not None:
            key = self.repository.key
            made = pull_request(
                id=pull_request_id(key, BRANCH),
                repo_key=key,
                number=hosted.number,
                url=hosted.url,
                branch=BRANCH,
                base=hosted.base,
                head_sha=hosted.head_sha,
            )
            await self.records.record(made)

    async def close(self, number):
        """Close a pull request as a person would."""
        if self.double is not None:
            self.double.close(NAME, number)
        else:
            identity = pull_request_id(self.repository.key, BRANCH)
            await self.records.set_state(identity, PullRequestState.CLOSED)


@contextlib.asynccontextmanager
async def local_host(folder: Path):
    bare = create_repository(folder / "remote", NAME, {"app.py": "x = 1\n"})
    client = GitClient(folder / "mirrors", lambda _: None, allow_file=True)
    database = await open_database(sqlite_url(folder))
    try:
        records = PullRequestRepository(database, FixedClock())
        host = LocalHost(records, CommentRepository(database, FixedClock()), client)
        yield Setting(host, Repository(f"local/{NAME}", str(bare), "local"), bare, client, records=records)
    finally:
        await database.close()


@contextlib.asynccontextmanager
async def github_host(folder: Path):
    double = GitHubDouble(folder / "remote", TOKEN)
    bare = create_repository(double.root, NAME, {"app.py": "x = 1\n"})
    async with double.running():
        at = double.url.removeprefix("http://")
        repository = Repository(f"{at}/{NAME}", f"{double.url}/{NAME}.git", "github")
        client = GitClient(folder / "mirrors", lambda _: token_credential("github", TOKEN), http_hosts=[at])
        yield Setting(GitHubHost(double.api_url, TOKEN, timeout_seconds=5), repository, bare, client, double)


@pytest.fixture(params=[local_host, github_host], ids=["local", "github"])
async def at(request, tmp_path):
    async with request.param(tmp_path) as setting:
        yield setting


@pytest.fixture
async def github(tmp_path):
    async with github_host(tmp_path) as setting:
        yield setting


@pytest.fixture
async def local(tmp_path):
    async with local_host(tmp_path) as setting:
        yield setting


async def refused(awaitable) -> AiOpsError:
    with pytest.raises(AiOpsError) as caught:
        await awaitable
    return caught.value


def a_fix(setting: Setting, branch: str = BRANCH) -> str:
    git("branch", branch, "main", cwd=setting.bare)
    return push_files(setting.bare, {"app.py": "x = 2\n"}, branch)


# --- both hosts ------------------------------------------------------------------------------------


async def test_a_branch_without_a_pull_request_has_none(at):
    a_fix(at)
    assert await at.host.find_pull_request(at.repository, BRANCH, "main") is None


async def test_opened_once_it_is_found_and_adopted(at):
    sha = a_fix(at)
    opened = await at.host.open_pull_request(at.repository, WANTED)
    assert (opened.state, opened.branch, opened.base) == (PullRequestState.OPEN, BRANCH, "main")
    assert (opened.head_sha, opened.adopted, opened.number > 0) == (sha, False, True)
    await at.record(opened)
    found = await at.host.find_pull_request(at.repository, BRANCH, "main")
    again = await at.host.open_pull_request(at.repository, WANTED)
    assert found == again
    assert (again.number, again.url, again.adopted) == (opened.number, opened.url, True)
    assert at.double is None or len(at.double.pulls(NAME)) == 1


async def test_the_number_and_address_are_the_same_after_a_crash_before_the_record(at):
    a_fix(at)
    first = await at.host.open_pull_request(at.repository, WANTED)
    second = await at.host.open_pull_request(at.repository, WANTED)
    assert (first.number, first.url) == (second.number, second.url)


async def test_a_pull_request_needs_a_branch_that_is_there(at):
    failure = await refused(at.host.open_pull_request(at.repository, WANTED))
    assert (type(failure), failure.code) == (PermanentError, "host_rejected")
    assert failure.next_step


async def test_a_pull_request_needs_a_commit_to_merge(at):
    git("branch", BRANCH, "main", cwd=at.bare)
    failure = await refused(at.host.open_pull_request(at.repository, WANTED))
    assert failure.code == "host_rejected"


async def test_what_a_person_closed_stays_closed(at):
    a_fix(at)
    opened = await at.host.open_pull_request(at.repository, WANTED)
    await at.record(opened)
    await at.close(opened.number)
    found = await at.host.find_pull_request(at.repository, BRANCH, "main")
    assert found.state is PullRequestState.CLOSED
    assert (await at.host.open_pull_request(at.repository, WANTED)).state is PullRequestState.CLOSED


async def test_another_branch_and_another_base_are_another_pull_request(at):
    a_fix(at)
    await at.record(await at.host.open_pull_request(at.repository, WANTED))
    assert await at.host.find_pull_request(at.repository, f"{BRANCH}0", "main") is None
    assert await at.host.find_pull_request(at.repository, BRANCH, "release") is None


async def test_check_describes_the_host(at):
    assert ("ai-ops-bot" if at.double else "local") in await at.host.check()


# --- the local host --------------------------------------------------------------------------------


async def test_a_local_pull_request_has_the_address_of_our_record(local):
    a_fix(local)
    opened = await local.host.open_pull_request(local.repository, WANTED)
    identity = pull_request_id(local.repository.key, BRANCH)
    assert opened.url == f"/v1/pull-requests/{identity}"


async def test_a_local_merge_lands_once_and_is_recorded(local):
    sha = a_fix(local)
    await local.record(await local.host.open_pull_request(local.repository, WANTED))
    record = await local.records.find_by_branch(local.repository.key, BRANCH)
    merged = await local.host.merge_pull_request(local.repository, record)
    assert git("log", "-1", "--format=%H %P", "main", cwd=local.bare).split()[::2] == [merged, sha]
    assert (await local.records.find(record.id)).state is PullRequestState.MERGED
    assert await local.host.merge_pull_request(local.repository, record) == merged


async def test_a_closed_local_pull_request_is_not_merged(local):
    a_fix(local)
    await local.record(await local.host.open_pull_request(local.repository, WANTED))
    record = await local.records.find_by_branch(local.repository.key, BRANCH)
    await local.close(record.number)
    failure = await refused(local.host.merge_pull_request(local.repository, record))
    assert failure.code == "host_conflict"


# --- GitHub ----------------------------------------------------------------------------------------


async def test_github_is_merged_on_github(github):
    failure = await refused(github.host.merge_pull_request(github.repository, pull_request()))
    assert failure.code == "merge_on_host" and pull_request().url in failure.next_step


async def test_what_was_merged_on_github_is_seen(github):
    a_fix(github)
    opened = await github.host.open_pull_request(github.repository, WANTED)
    github.double.merge(NAME, opened.number)
    found = await github.host.find_pull_request(github.repository, BRANCH, "main")
    assert found.state is PullRequestState.MERGED


async def test_an_open_one_comes_before_a_newer_closed_one(github):
    a_fix(github)
    await github.host.open_pull_request(github.repository, WANTED)
    kept = github.double.pulls(NAME)
    kept.append({**kept[0], "number": 2, "state": "closed"})
    found = await github.host.find_pull_request(github.repository, BRANCH, "main")
    assert (found.number, found.state) == (1, PullRequestState.OPEN)


async def test_title_body_draft_labels_and_reviewers_arrive(github):
    a_fix(github)
    await github.host.open_pull_request(github.repository, NewPullRequest(**{**fields(), "draft": True}))
    [kept] = github.double.pulls(NAME)
    assert (kept["title"], kept["body"], kept["draft"]) == (WANTED.title, WANTED.body, True)
    assert (kept["labels"], kept["reviewers"]) == (["ai-ops"], ["ada"])


def fields() -> dict[str, Any]:
    return {name: getattr(WANTED, name) for name in WANTED.__dataclass_fields__}


async def test_a_reviewer_who_cannot_be_asked_spoils_nothing(github, caplog):
    a_fix(github)
    reviewers = ("ai-ops-bot", "stranger", "grace", "acme/platform")
    opened = await github.host.open_pull_request(
        github.repository, NewPullRequest(**{**fields(), "reviewers": reviewers})
    )
    assert opened.state is PullRequestState.OPEN
    assert github.double.pulls(NAME)[0]["reviewers"] == ["grace"]
    assert "stranger" in caplog.text and "collaborators" in caplog.text


async def test_labels_that_are_refused_spoil_nothing(github, caplog):
    a_fix(github)
    github.double.faults = ApiFaults(status=403, method="POST", path="/labels")
    opened = await github.host.open_pull_request(github.repository, WANTED)
    assert opened.state is PullRequestState.OPEN
    assert "labels" in caplog.text


STATUSES = [
    (401, {}, "host_unauthorized", PermanentError),
    (403, {}, "host_forbidden", PermanentError),
    (404, {}, "host_not_found", PermanentError),
    (409, {}, "host_conflict", PermanentError),
    (422, {}, "host_rejected", PermanentError),
    (403, {"Retry-After": "7"}, "host_rate_limited", TemporaryError),
    (403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1"}, "host_rate_limited", TemporaryError),
    (429, {"Retry-After": "7"}, "host_rate_limited", TemporaryError),
    (429, {}, "host_rate_limited", TemporaryError),
    (500, {}, "host_unavailable", TemporaryError),
    (502, {}, "host_unavailable", TemporaryError),
    (503, {}, "host_unavailable", TemporaryError),
    (418, {}, "host_bad_answer", PermanentError),
]


@pytest.mark.parametrize(
    ("status", "headers", "code", "family"), STATUSES, ids=[f"{s[0]}-{'-'.join(s[1])}" for s in STATUSES]
)
async def test_an_answer_of_github_has_a_name(github, status, headers, code, family):
    a_fix(github)
    github.double.faults = ApiFaults(status=status, headers=headers)
    for call in (
        github.host.find_pull_request(github.repository, BRANCH, "main"),
        github.host.open_pull_request(github.repository, WANTED),
        github.host.check(),
    ):
        failure = await refused(call)
        assert (type(failure), failure.code) == (family, code)
        assert failure.next_step
        if "Retry-After" in headers:
            assert failure.delay == 7.0
    assert github.double.pulls(NAME) == []


async def test_a_secondary_limit_is_known_by_its_words(github):
    words = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    github.double.faults = ApiFaults(status=403, message=words)
    failure = await refused(github.host.find_pull_request(github.repository, BRANCH, "main"))
    assert failure.code == "host_rate_limited"


async def test_a_wrong_token_is_unauthorized_and_never_shown(github):
    host = GitHubHost(github.double.api_url, lambda: "ghp_wrong")
    failure = await refused(host.check())
    assert failure.code == "host_unauthorized" and "ghp_wrong" not in str(failure)
    assert (await refused(GitHubHost(github.double.api_url, "").check())).code == "host_unauthorized"


async def test_a_repository_that_is_not_there_or_is_none(github):
    host = github.double.url.removeprefix("http://")
    for key in (f"{host}/acme/none", f"{host}/acme", f"{host}/a/b/c"):
        failure = await refused(github.host.find_pull_request(Repository(key, "", "github"), BRANCH, "main"))
        assert failure.code == "host_not_found"


@pytest.mark.parametrize("lost", [{"drop": True}, {"status": 502}], ids=["dropped", "502"])
async def test_a_creation_whose_answer_is_lost_makes_one_pull_request(github, lost):
    a_fix(github)
    github.double.faults = ApiFaults(**lost, after=True, method="POST", path="/pulls", times=1)
    opened = await github.host.open_pull_request(github.repository, WANTED)
    assert opened.state is PullRequestState.OPEN
    assert len(github.double.pulls(NAME)) == github.double.count("POST", "/pulls") == 1


async def test_a_creation_that_was_dropped_before_it_was_done_is_temporary(github):
    a_fix(github)
    github.double.faults = ApiFaults(drop=True, method="POST", path="/pulls")
    failure = await refused(github.host.open_pull_request(github.repository, WANTED))
    assert (type(failure), failure.code) == (TemporaryError, "host_unavailable")
    assert github.double.count("POST", "/pulls") == 1


async def test_a_422_after_creation_is_looked_into(github):
    a_fix(github)
    github.double.faults = ApiFaults(
        status=422,
        message="Could not resolve to a node with the global id of 'PR_1'.",
        after=True,
        method="POST",
        path="/pulls",
        times=1,
    )
    opened = await github.host.open_pull_request(github.repository, WANTED)
    assert opened.number == 1


async def test_several_at_once_make_one_pull_request(github):
    a_fix(github)
    wishes = (github.host.open_pull_request(github.repository, WANTED) for _ in range(6))
    opened = await asyncio.gather(*wishes)
    assert {one.number for one in opened} == {1}
    assert len(github.double.pulls(NAME)) == 1


async def test_the_list_is_asked_for_by_owner_and_branch(github):
    await github.host.find_pull_request(github.repository, BRANCH, "main")
    asked = github.double.exchanges[-1].query
    assert (asked["head"], asked["state"], asked["base"]) == (f"acme:{BRANCH}", "all", "main")


async def test_nobody_listening_is_temporary(github, unused_tcp_port):
    host = GitHubHost(f"http://127.0.0.1:{unused_tcp_port}/api/v3", TOKEN, timeout_seconds=2)
    failure = await refused(host.check())
    assert (type(failure), failure.code) == (TemporaryError, "host_unavailable")


async def test_something_that_is_no_github_is_a_bad_answer(github):
    host = GitHubHost(f"{github.double.url}/{NAME}.git", TOKEN)
    failure = await refused(host.find_pull_request(github.repository, BRANCH, "main"))
    assert failure.code in ("host_bad_answer", "host_unauthorized", "host_not_found")


async def test_a_push_by_git_and_a_pull_request_by_the_api_meet_in_one_repository(github):
    base = await github.git.refresh(github.repository)
    patch = "diff --git a/app.py b/app.py\n--- a/app.py\n+++ b/app.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
    sha = await github.git.commit(github.repository, base.sha, patch, "Fix")
    await github.git.push(github.repository, sha, BRANCH)
    opened = await github.host.open_pull_request(github.repository, WANTED)
    assert opened.head_sha == sha
    assert opened.url == f"{github.double.url}/{NAME}/pull/1"


# --- the double ------------------------------------------------------------------------------------


@dataclass
class Description:
    """GitHub's published description, to hold exchanges against."""

    document: dict[str, Any]
    registry: Registry = field(init=False)

    def __post_init__(self) -> None:
        resource = Resource(contents=self.document, specification=DRAFT202012)
        self.registry = Registry().with_resource("urn:github", resource)

    def operation(self, method: str, path: str) -> dict[str, Any]:
        for template in sorted(self.document["paths"], key=lambda t: t.count("{")):
            pattern = re.sub(r"\\{ref\\}", ".+", re.escape(template))
            pattern = re.sub(r"\\{[^}]+\\}", "[^/]+", pattern)
            if re.fullmatch(pattern, path) and method.lower() in self.document["paths"][template]:
                return self.document["paths"][template][method.lower()]
        raise AssertionError(f"GitHub does not describe {method} {path}")

    def problems(self, schema: dict[str, Any], value: Any) -> list[str]:
        validator = OAS30Validator(absolute(schema), registry=self.registry)
        return [f"{e.json_path}: {e.message[:200]}" for e in validator.iter_errors(value)]


def absolute(schema: Any) -> Any:
    """Return a schema whose references name the whole document."""
    if isinstance(schema, dict):
        return {
            k: f"urn:github{v}" if k == "$ref" else absolute(v)
            for k, v in schema.items()
            if k != "discriminator"
        }
    return [absolute(part) for part in schema] if isinstance(schema, list) else schema


@pytest.fixture(scope="module")
def description():
    path = Path(__file__).parents[1] / "data" / "openapi" / "github.json"
    return Description(json.loads(path.read_text()))


async def test_every_exchange_is_as_github_describes_it(github, description):
    a_fix(github)
    host, double = github.host, github.double
    await host.check()
    await host.open_pull_request(github.repository, WANTED)
    await host.find_pull_request(github.repository, BRANCH, "main")
    await refused(host.open_pull_request(github.repository, NewPullRequest(**{**fields(), "branch": "none"})))
    await asyncio.to_thread(ask_for_the_rest, double)
    seen = set()
    for exchange in double.exchanges:
        path = exchange.path.removeprefix("/api/v3")
        operation = description.operation(exchange.method, path)
        seen.add((exchange.method, path if path.count("/") < 4 else re.sub(r"\d+|heads/.*", "#", path)))
        answers = operation["responses"][str(exchange.status)]
        if "$ref" in answers:
            answers = description.document["components"]["responses"][answers["$ref"].rsplit("/", 1)[1]]
        schema = answers["content"]["application/json"]["schema"]
        assert description.problems(schema, exchange.answer) == [], f"{exchange.method} {path} answer"
        if exchange.body is not None:
            # "You can also pass an array of labels directly", says GitHub in words alone.
            body = {"labels": exchange.body} if isinstance(exchange.body, list) else exchange.body
            asked = operation["requestBody"]["content"]["application/json"]["schema"]
            assert description.problems(asked, body) == [], f"{exchange.method} {path} request"
    assert len(seen) >= 9


def ask_for_the_rest(double: GitHubDouble) -> None:
    """Ask what the host does not ask but other tests may."""
    import github

    with contextlib.closing(
        github.Github(auth=github.Auth.Token(TOKEN), base_url=double.api_url, retry=None)
    ) as api:
        repository = api.get_repo(NAME)
        assert repository.default_branch == "main"
        assert repository.get_git_ref(f"heads/{BRANCH}").object.sha
        pull = repository.get_pull(1)
        pull.edit(title="Another title")
        assert pull.title == "Another title"
        assert [found.number for found in api.search_issues('"Another"')] == [1]
        assert pull.merge().merged


async def test_a_double_that_was_killed_comes_back_with_its_pull_requests(tmp_path):
    root = tmp_path / "remote"
    bare = create_repository(root, NAME, {"app.py": "x = 1\n"})
    git("branch", BRANCH, "main", cwd=bare)
    push_files(bare, {"app.py": "x = 2\n"}, BRANCH)

    async def with_double(work):
        module = [sys.executable, "-m", "tests.support.github_double", "--root", str(root)]
        child = await asyncio.create_subprocess_exec(
            *module, "--token", TOKEN, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        try:
            url = (await child.stdout.readline()).decode().split()[-1]
            repository = Repository(f"{url.removeprefix('http://')}/{NAME}", "", "github")
            return await work(GitHubHost(f"{url}/api/v3", TOKEN), repository)
        finally:
            child.send_signal(signal.SIGKILL)
            await child.wait()

    opened = await with_double(lambda host, repository: host.open_pull_request(repository, WANTED))
    found = await with_double(lambda host, repository: host.find_pull_request(repository, BRANCH, "main"))
    assert (found.number, found.head_sha) == (opened.number, opened.head_sha)
