"""Issues, traces, artifacts and pull requests over HTTP; the merge of local ones; health and figures."""

import asyncio
import re
from datetime import UTC, datetime

import pytest

import ai_ops
from ai_ops.core.identity import run_id
from ai_ops.errors import TemporaryError
from ai_ops.flow.pull_request import NewPullRequest, PullRequestState
from ai_ops.flow.run import Run
from tests.support.git_server import create_repository, git
from tests.support.running_server import PUBLIC_URL, a_prompt, a_repair, running, wire_event
from tests.support.store import pull_request

HOSTILE = "<script>alert(1)</script>\u202e"


@pytest.fixture
async def server(tmp_path):
    async with running(tmp_path) as started:
        yield started


async def a_run(server, task_id="t", number=1):
    run = run_id(task_id, number)
    await server.trace.run_started(Run(run, task_id, number, datetime.now(UTC)))
    return run


async def test_a_trace_shows_its_steps_usage_and_artifacts(server):
    run = await a_run(server)
    await server.trace.step_started(run, "fix", 1)
    usage = {"input_tokens": 10, "output_tokens": 2, "cost_usd": 0.5}
    await server.trace.step_done(run, "fix", 1, {"words": "one edit", "usage": usage})
    await server.trace.step_started(run, "verify", 1)
    await server.trace.step_failed(run, "verify", 1, {"code": "x", "message": "m", "next_step": "n"})
    await server.trace.put_artifact(run, "diff", "--- a", "text/x-diff")
    trace = (await server.get(f"/v1/traces/{run}")).json
    assert trace["usage"] == usage
    fix, verify = trace["steps"]
    assert (fix["name"], fix["state"], fix["output"]["words"]) == ("fix", "done", "one edit")
    assert fix["duration_seconds"] >= 0
    assert (verify["state"], verify["error"]["code"]) == ("failed", "x")
    (artifact,) = trace["artifacts"]
    assert (await server.get(artifact["href"])).body == b"--- a"
    assert (await server.get(f"/v1/traces/{run}/artifacts")).json["items"] == [artifact]
    assert [one["trace_id"] for one in (await server.get("/v1/traces")).json["items"]] == [run]


@pytest.mark.parametrize(
    "media_type", ["text/html", "image/svg+xml", "text/markdown", "application/xhtml+xml"]
)
async def test_an_artifact_is_inert_text_whatever_it_says_it_is(server, media_type):
    run = await a_run(server)
    await server.trace.put_artifact(run, "answer", HOSTILE, media_type)
    answer = await server.get(f"/v1/traces/{run}/artifacts/answer")
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.body.decode() == HOSTILE
    assert answer.headers["X-Artifact-Media-Type"] == media_type


async def test_working_patches_are_never_served(server):
    run = await a_run(server)
    await server.trace.put_patch(run, "candidate", "secret bytes")
    assert (await server.get(f"/v1/traces/{run}/artifacts/candidate")).status == 404
    assert (await server.get(f"/v1/traces/{run}")).json["artifacts"] == []


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/tasks/x", "task_not_found"),
        ("/v1/issues/x", "issue_not_found"),
        ("/v1/traces/x", "trace_not_found"),
        ("/v1/traces/x/artifacts", "trace_not_found"),
        ("/v1/traces/x/artifacts/y", "artifact_not_found"),
        ("/v1/pull-requests/x", "pull_request_not_found"),
    ],
)
async def test_what_is_not_there_is_named(server, path, code):
    answer = await server.get(path)
    assert (answer.status, answer.json["code"]) == (404, code)


async def known_ids(server):
    """Return the path and id of something of each noun."""
    task = (await server.post("/v1/tasks", a_repair())).json
    await server.pull_requests.record(pull_request(id="0a1b2c3d-0000-4000-8000-000000000001"))
    return {
        "tasks": task["task_id"],
        "issues": task["issue_id"],
        "traces": await a_run(server),
        "pull-requests": "0a1b2c3d-0000-4000-8000-000000000001",
    }


@pytest.mark.parametrize("noun", ["tasks", "issues", "traces", "pull-requests"])
async def test_the_beginning_of_an_id_stands_for_it(server, noun):
    whole = (await known_ids(server))[noun]
    key = {"pull-requests": "pull_request_id"}.get(noun, f"{noun[:-1]}_id")
    for length in (6, 8, 35, 36):
        assert (await server.get(f"/v1/{noun}/{whole[:length]}")).json[key] == whole
    for other in (whole[:6] + "z", whole[:6] + "_"):
        assert (await server.get(f"/v1/{noun}/{other}")).status == 404
    short = await server.get(f"/v1/{noun}/{whole[:5]}")
    assert (short.status, short.json["code"]) == (422, "id_too_short")


async def test_an_artifact_is_found_by_the_beginning_of_its_trace(server):
    run = await a_run(server)
    await server.trace.put_artifact(run, "diff", "a change")
    assert (await server.get(f"/v1/traces/{run[:6]}/artifacts/diff")).body == b"a change"


async def test_a_beginning_that_several_ids_have_is_a_conflict_that_names_them(server):
    for number in range(3):
        await server.pull_requests.record(pull_request(number, id=f"abcdef0{number}-0000"))
    answer = await server.get("/v1/pull-requests/abcdef")
    assert (answer.status, answer.json["code"]) == (409, "ambiguous_id")
    assert "abcdef00-0000, abcdef01-0000, abcdef02-0000" in answer.json["detail"]
    assert (await server.get("/v1/pull-requests/abcdef02")).json["pull_request_id"] == "abcdef02-0000"


async def test_a_verb_takes_the_beginning_of_an_id(server):
    task_id = (await server.post("/v1/tasks", a_repair())).json["task_id"]
    answer = await server.post(f"/v1/tasks/{task_id[:8]}/cancel")
    assert (answer.json["task_id"], answer.json["state"]) == (task_id, "cancelled")


async def test_a_task_says_what_its_pull_request_is_now(server):
    task_id = (await server.post("/v1/tasks", a_repair())).json["task_id"]
    await server.pull_requests.record(pull_request())
    await server.tasks.update(task_id, pull_request_id="pr-1", pr_url=pull_request().url)
    for state in ("open", "merged", "closed"):
        await server.pull_requests.set_state("pr-1", state)
        task = (await server.get(f"/v1/tasks/{task_id}")).json
        (listed,) = (await server.get("/v1/tasks")).json["items"]
        assert task["pull_request_state"] == listed["pull_request_state"] == state
        assert task["pr_url"] == task["mr_url"] == "https://git.example/acme/app/pull/1"


async def test_a_local_link_is_made_with_the_address_of_today(local):
    server, record, _, _ = local
    wanted = f"{PUBLIC_URL}/v1/pull-requests/{record.id}"
    assert record.url == f"/v1/pull-requests/{record.id}"
    assert (await server.get(f"/v1/pull-requests/{record.id}")).json["url"] == wanted
    assert (await server.get("/v1/pull-requests")).json["items"][0]["url"] == wanted
    assert (await server.post(f"/v1/pull-requests/{record.id}/merge")).json["url"] == wanted
    task_id = (await server.post("/v1/tasks", a_prompt())).json["task_id"]
    await server.tasks.update(task_id, pull_request_id=record.id, pr_url=record.url)
    assert (await server.get(f"/v1/tasks/{task_id}")).json["pr_url"] == wanted


async def test_issues_and_pull_requests_are_listed_in_pages(server):
    kinds = ("ValueError", "KeyError", "TypeError", "OSError", "IndexError")
    trace = 'Traceback (most recent call last):\n  File "/a/b.py", line 1, in f\n'
    events = [wire_event(error={"raw_excerpt": f"{trace}{kind}: x"}) for kind in kinds]
    assert (await server.post("/v1/events", {"events": events})).json["accepted"] == 5
    for number in range(5):
        await server.pull_requests.record(pull_request(number))
    for path, key, wanted in (
        ("issues", "exception_type", list(kinds[::-1])),
        ("pull-requests", "pull_request_id", [f"pr-{n}" for n in (4, 3, 2, 1, 0)]),
    ):
        first = (await server.get(f"/v1/{path}?limit=3")).json
        second = (await server.get(f"/v1/{path}?limit=3&cursor={first['next_cursor']}")).json
        assert [one[key] for one in first["items"] + second["items"]] == wanted
        assert second["next_cursor"] is None


async def test_issues_and_pull_requests_are_narrowed_by_state_page_by_page(server):
    kinds = ("ValueError", "KeyError", "TypeError", "OSError", "IndexError")
    events = [wire_event(error={"raw_excerpt": f"{kind}: x"}) for kind in kinds]
    assert (await server.post("/v1/events", {"events": events})).json["accepted"] == 5
    issues = [item["issue_id"] for item in (await server.get("/v1/issues")).json["items"]]
    for number in range(5):
        await server.pull_requests.record(pull_request(number))
        if number % 2:
            await server.post(f"/v1/issues/{issues[number]}/ignore")
            await server.pull_requests.set_state(f"pr-{number}", PullRequestState.CLOSED)
    for path, key, wanted in (
        ("issues?state=open", "issue_id", issues[::2]),
        ("pull-requests?state=open", "pull_request_id", ["pr-4", "pr-2", "pr-0"]),
    ):
        first = (await server.get(f"/v1/{path}&limit=2")).json
        second = (await server.get(f"/v1/{path}&limit=2&cursor={first['next_cursor']}")).json
        assert [len(first["items"]), len(second["items"]), second["next_cursor"]] == [2, 1, None]
        assert [one[key] for one in first["items"] + second["items"]] == wanted
    both = (await server.get("/v1/pull-requests?state=open&state=closed")).json["items"]
    assert len(both) == 5
    assert len((await server.get("/v1/issues?state=ignored")).json["items"]) == 2
    for path in ("issues", "pull-requests"):
        assert "must be one of" in (await server.get(f"/v1/{path}?state=none")).json["detail"]


async def test_tasks_are_narrowed_by_the_beginning_of_an_issues_id(server):
    task = (await server.post("/v1/tasks", a_repair())).json
    for given in (task["issue_id"], task["issue_id"][:8]):
        found = (await server.get(f"/v1/tasks?issue_id={given}")).json["items"]
        assert [one["task_id"] for one in found] == [task["task_id"]]
    assert (await server.get("/v1/tasks?issue_id=00000000")).json["items"] == []


async def test_a_pull_request_shows_its_diff_and_proof(server):
    await server.pull_requests.record(pull_request())
    shown = (await server.get("/v1/pull-requests/pr-1")).json
    assert shown["diff"].startswith("--- a")
    assert shown["proof"] == {
        "verdict": "proved",
        "reasons": [
            {"rule": "red_to_green", "place": "tests/x", "text": "failed before, passed after"}
        ],
    }  # fmt: skip


# The merge of local pull requests


@pytest.fixture
async def local(tmp_path):
    """A server of local repositories, and one open pull request of ours."""
    bare = create_repository(tmp_path / "remote", "acme/shop", {"app.py": "a = 1\n"})
    allowed = (str(tmp_path / "remote"),)
    async with running(tmp_path, code_host="local", allowed_repos=allowed) as server:
        repository = server.services.repository(str(bare), "")
        base = await server.git.refresh(repository)
        checkout = tmp_path / "checkout"
        await server.git.export(repository, base.sha, checkout)
        (checkout / "app.py").write_text("a = 2\n")
        patch = await server.git.diff(checkout)
        sha = await server.git.commit(repository, base.sha, patch, "Fix")
        await server.git.push(repository, sha, "ai-ops/fix-1-1")
        host = server.services.hosts["local"]
        opened = await host.open_pull_request(
            repository, NewPullRequest("ai-ops/fix-1-1", base.branch, "Fix", "because")
        )
        record = pull_request(
            id=opened.url.rsplit("/", 1)[-1],
            number=opened.number,
            url=opened.url,
            head_sha=sha,
            base=base.branch,
            branch="ai-ops/fix-1-1",
            repo_key=repository.key,
            repo_url=repository.url,
            code_host="local",
        )
        await server.pull_requests.record(record)
        yield server, record, bare, base


async def test_merging_a_local_pull_request_is_done_once_however_often_it_is_asked(local):
    server, record, bare, base = local
    path = f"/v1/pull-requests/{record.id}/merge"
    answers = await asyncio.gather(*[server.post(path) for _ in range(4)])
    assert {answer.status for answer in answers} == {200}
    assert {answer.json["state"] for answer in answers} == {"merged"}
    merges = git("rev-list", "--merges", base.branch, cwd=bare).split()
    assert {answer.json["merge_sha"] for answer in answers} - {None} == set(merges)
    assert len(merges) == 1
    assert git("show", f"{base.branch}:app.py", cwd=bare).strip() == "a = 2"
    again = await server.post(path)
    assert (again.status, again.json["state"]) == (200, "merged")


async def test_a_merge_whose_answer_was_lost_is_found_again(local):
    server, record, bare, base = local
    path = f"/v1/pull-requests/{record.id}/merge"
    first = await server.post(path)
    await server.pull_requests.set_state(record.id, "open")  # as if it had died before it was recorded
    second = await server.post(path)
    assert second.json["merge_sha"] == first.json["merge_sha"]
    assert len(git("rev-list", "--merges", base.branch, cwd=bare).split()) == 1


async def test_a_merge_that_conflicts_is_a_conflict_and_changes_nothing(local):
    server, record, bare, base = local
    repository = server.services.repository(str(bare), "")
    other = server.folder / "other"
    await server.git.export(repository, base.sha, other)
    (other / "app.py").write_text("a = 3\n")
    sha = await server.git.commit(repository, base.sha, await server.git.diff(other), "Another")
    await server.git.push(repository, sha, "elsewhere")
    git("update-ref", f"refs/heads/{base.branch}", sha, cwd=bare)
    answer = await server.post(f"/v1/pull-requests/{record.id}/merge")
    assert (answer.status, answer.json["code"]) == (409, "merge_conflict")
    assert (await server.get(f"/v1/pull-requests/{record.id}")).json["state"] == "open"
    assert git("rev-parse", base.branch, cwd=bare).strip() == sha


async def test_a_merge_whose_remote_is_gone_is_a_conflict_with_its_name(local):
    server, record, bare, _ = local
    bare.rename(bare.with_suffix(".gone"))
    answer = await server.post(f"/v1/pull-requests/{record.id}/merge")
    assert answer.status == 409, answer.body
    assert answer.json["code"].startswith("git_")
    assert (await server.get(f"/v1/pull-requests/{record.id}")).json["state"] == "open"


async def test_a_closed_pull_request_is_not_merged(local):
    server, record, _, _ = local
    await server.pull_requests.set_state(record.id, "closed")
    answer = await server.post(f"/v1/pull-requests/{record.id}/merge")
    assert (answer.status, answer.json["code"]) == (409, "pull_request_not_open")


async def test_people_merge_on_github_themselves(server):
    await server.pull_requests.record(pull_request(repo_url="https://github.com/acme/app"))
    answer = await server.post("/v1/pull-requests/pr-1/merge")
    assert (answer.status, answer.json["code"]) == (409, "merge_on_host")


async def test_a_pull_request_of_a_host_that_is_no_longer_configured_is_no_fault(server):
    await server.pull_requests.record(
        pull_request(repo_url="https://gitlab.com/acme/app", code_host="gitlab")
    )
    assert (await server.post("/v1/pull-requests/pr-1/merge")).status == 422


# Health


async def test_health_version_and_readiness_need_no_key(server):
    assert (await server.get("/healthz", key="")).json == {"status": "ok"}
    assert (await server.get("/readyz", key="")).json == {"status": "ready"}
    said = (await server.get("/version", key="")).json
    assert (said["name"], said["version"]) == ("ai-ops", ai_ops.__version__)


async def test_a_server_whose_database_cannot_be_written_lives_but_is_not_ready(server):
    await server.database.close()
    for path in (server.folder / "data").iterdir():
        path.rename(path.with_suffix(".gone"))
    (server.folder / "data").rename(server.folder / "elsewhere")
    answer = await server.get("/readyz", key="")
    assert (answer.status, answer.json["code"]) == (503, "storage_unavailable")
    assert answer.headers["Retry-After"]
    assert (await server.get("/healthz", key="")).status == 200
    assert (await server.get("/v1/tasks")).status == 503


async def test_figures_are_kept_by_route_and_say_what_waits(server):
    await server.post("/v1/tasks", a_repair())
    await server.post("/v1/tasks", a_prompt())
    await server.get("/v1/tasks/some-id")
    await server.get("/nowhere/at/all")
    text = (await server.get("/metrics")).body.decode()
    assert 'ai_ops_http_requests_total{method="POST",route="/v1/tasks",status="201"} 2.0' in text
    assert 'route="/v1/tasks/{id}",status="404"' in text
    assert 'route="unknown",status="404"' in text
    assert "some-id" not in text and "nowhere" not in text
    assert "ai_ops_queue_depth" in text
    assert 'ai_ops_tasks_unfinished{state="' in text


async def test_a_paused_queue_stands_in_the_figures_until_it_goes_on(server):
    assert "ai_ops_queue_pause_seconds{" not in (await server.get("/metrics")).body.decode()
    limit = TemporaryError("model_session_limit", "limited", delay=900.0)
    await server.services.pauses.meet("r1", limit)
    text = (await server.get("/metrics")).body.decode()
    (value,) = re.findall(r'^ai_ops_queue_pause_seconds\{reason="model_session_limit"\} (.*)$', text, re.M)
    assert 0 < float(value) <= 900


async def test_odd_methods_do_not_fill_the_figures(server):
    for method in ("PROPFIND", "MKCOL", "TRACE", "PURGE"):
        await server.call(method, "/v1/tasks")
    text = (await server.get("/metrics")).body.decode()
    assert "PROPFIND" not in text
    assert 'ai_ops_http_requests_total{method="other",route="unknown",status="405"} 4.0' in text
