"""Tasks over HTTP: created once, answered again, listed, and moved by a person's word."""

import asyncio
from datetime import UTC, datetime

import pytest

from ai_ops.core.identity import run_id
from ai_ops.core.verbs import VERBS
from ai_ops.flow.task import TRANSITIONS, Proof, Reason, TaskState, Verdict
from tests.support.running_server import OWN_SECRET, REPO, TRACEBACK, a_prompt, a_repair, running
from tests.support.store import pull_request

TOKEN = "ghp_" + "A1b2C3d4" * 4 + "E5f6"


@pytest.fixture
async def server(tmp_path):
    async with running(tmp_path) as started:
        yield started


async def until(server, task_id, *states):
    """Wait for a task to stand in one of these states."""
    while True:
        task = (await server.get(f"/v1/tasks/{task_id}")).json
        if task["state"] in states:
            return task
        await asyncio.sleep(0.01)


async def a_task_in(server, state, **changes):
    """Return the id of a prompt task that stands in a state, put there along the table."""
    ways = {
        TaskState.PENDING: (),
        TaskState.PROCESSING: (TaskState.PROCESSING,),
        TaskState.PAUSED: (TaskState.PAUSED,),
        TaskState.CANCELLED: (TaskState.CANCELLED,),
        TaskState.FAILED: (TaskState.FAILED,),
    }
    way = ways.get(state, (TaskState.PROCESSING, state))
    async with server.engine_off():
        task_id = (await server.post("/v1/tasks", a_prompt())).json["task_id"]
    for step in way:
        await server.tasks.move(task_id, step)
    if changes:
        await server.tasks.update(task_id, **changes)
    return task_id


# Creation


async def test_a_new_repair_is_created_located_and_worked_on(server):
    answer = await server.post("/v1/tasks", a_repair(priority="high", fix_mode="agentic", service="shop"))
    assert answer.status == 201
    task = answer.json
    assert answer.headers["Location"] == f"/v1/tasks/{task['task_id']}"
    assert (task["kind"], task["state"], task["status"]) == ("repair", "pending", "QUEUED")
    assert (task["priority"], task["fix_mode"], task["repo_url"]) == ("high", "agentic", REPO)
    assert task["proof"] == {"verdict": None, "reasons": []}
    assert task["pr_url"] is None and task["mr_url"] is None and task["error"] is None
    assert "reason" not in task
    await until(server, task["task_id"], "processing")
    server.worker.gate.set()
    done = await until(server, task["task_id"], "completed")
    assert done["status"] == "DONE"
    assert done["trace_id"] == run_id(task["task_id"], 1)
    issue = (await server.get(f"/v1/issues/{task['issue_id']}")).json
    assert issue["exception_type"] == "ZeroDivisionError"
    assert issue["sample"]["service"] == "shop"


async def test_a_prompt_task_is_heavy_unless_it_says_otherwise(server):
    assert (await server.post("/v1/tasks", a_prompt())).json["type"] == "heavy_context"
    light = await server.post("/v1/tasks", a_prompt(type="lightweight", name="Review", description="utils"))
    assert light.status == 201
    assert (light.json["type"], light.json["name"], light.json["description"]) == (
        "lightweight", "Review", "utils",
    )  # fmt: skip


async def test_fields_that_are_null_or_empty_count_as_not_given(server):
    body = a_prompt(fix_mode=None, service="", repo_url=None, folder=None, budget_usd=None, code_host="")
    assert (await server.post("/v1/tasks", body)).status == 201


async def test_the_same_error_again_is_answered_with_its_task_and_why(server):
    first = await server.post("/v1/tasks", a_repair())
    other_words = a_repair(error_content=TRACEBACK.replace("12:00:00", "13:37:11"))
    for spelling in (REPO, f"{REPO}.git", "git@github.com:acme/shop.git", "HTTPS://GitHub.com/acme/shop/"):
        again = await server.post("/v1/tasks", {**other_words, "repo_url": spelling})
        assert again.status == 200
        assert again.json["task_id"] == first.json["task_id"]
        assert again.json["reason"].startswith("Its repair is")
    assert len(await server.rows("tasks")) == 1
    assert server.worker.seen == [(first.json["task_id"], 1)]


async def test_an_error_whose_pull_request_is_open_or_was_turned_down_gets_no_second_task(server):
    server.worker.gate.set()
    first = (await server.post("/v1/tasks", a_repair())).json
    done = await until(server, first["task_id"], "completed")
    issue = (await server.get(f"/v1/issues/{done['issue_id']}")).json
    record = pull_request(
        repo_key=issue["repo_key"], fingerprint=issue["fingerprint"], episode=1, issue_id=issue["issue_id"]
    )
    await server.pull_requests.record(record)
    for state, reason in (("open", "is open"), ("closed", "closed without a merge")):
        await server.pull_requests.set_state(record.id, state)
        again = await server.post("/v1/tasks", a_repair())
        assert (again.status, again.json["task_id"]) == (200, first["task_id"])
        assert reason in again.json["reason"]
    await server.pull_requests.set_state(record.id, "merged")
    fresh = await server.post("/v1/tasks", a_repair())
    assert fresh.status == 201 and fresh.json["episode"] == 2


async def test_an_idempotency_key_stands_for_one_task_also_at_once(server):
    headers = {"Idempotency-Key": "once"}
    answers = await asyncio.gather(
        *[server.post("/v1/tasks", a_prompt(), headers=headers) for _ in range(12)]
    )
    assert sorted(answer.status for answer in answers) == [200] * 11 + [201]
    assert len({answer.json["task_id"] for answer in answers}) == 1
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert all(answer.json["reason"] for answer in answers if answer.status == 200)
    other = await server.post("/v1/tasks", a_prompt(), headers={"Idempotency-Key": "twice"})
    assert other.status == 201
    assert len(await server.rows("tasks")) == 2
    assert "once" not in str(await server.rows("idempotency_keys"))


async def test_a_task_whose_first_request_failed_before_it_was_queued_is_queued_by_the_second(server):
    headers = {"Idempotency-Key": "once"}
    async with server.engine_off():
        first = await server.post("/v1/tasks", a_prompt(), headers=headers)
    assert server.worker.seen == []
    again = await server.post("/v1/tasks", a_prompt(), headers=headers)
    assert again.status == 200
    await until(server, first.json["task_id"], "processing")


async def test_secrets_in_any_field_of_a_task_are_stored_nowhere(server):
    words = f"password={OWN_SECRET} token {TOKEN}"
    repair = a_repair(
        error_content=f"{TRACEBACK}\n{words}", service=f"shop {TOKEN}", environment=TOKEN, release=OWN_SECRET
    )
    prompt = a_prompt(prompt=words, name=words, description=words, allowed_tools=[f"Bash({TOKEN})"])
    for body in (repair, prompt):
        answer = await server.post("/v1/tasks", body)
        assert answer.status == 201
        assert TOKEN.encode() not in answer.body
    server.worker.gate.set()
    stored = server.stored_bytes()
    assert b"shop" in stored
    assert TOKEN.encode() not in stored
    assert OWN_SECRET.encode() not in stored


# Lists


async def test_tasks_are_listed_newest_first_in_pages_that_follow_on(server):
    made = [(await server.post("/v1/tasks", a_prompt(name=str(n)))).json["task_id"] for n in range(7)]
    found, cursor = [], ""
    while cursor is not None:
        page = (await server.get(f"/v1/tasks?limit=3{'&cursor=' + cursor if cursor else ''}")).json
        assert len(page["items"]) <= 3
        found += [item["task_id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert found == made[::-1]


async def test_tasks_are_narrowed_by_state_kind_priority_and_issue(server):
    repair = (await server.post("/v1/tasks", a_repair(priority="urgent"))).json
    prompt = (await server.post("/v1/tasks", a_prompt())).json
    held = await a_task_in(server, TaskState.PAUSED)

    async def listed(query):
        return {item["task_id"] for item in (await server.get(f"/v1/tasks?{query}")).json["items"]}

    assert await listed("kind=repair") == {repair["task_id"]}
    assert await listed("kind=repair&kind=prompt") == {repair["task_id"], prompt["task_id"], held}
    assert await listed("priority=urgent") == {repair["task_id"]}
    assert await listed("state=paused") == {held}
    assert await listed(f"issue_id={repair['issue_id']}") == {repair["task_id"]}
    assert await listed("issue_id=unknown") == set()
    assert await listed("state=failed") == set()


# Verbs

REVIEW = TaskState.NEEDS_HUMAN_REVIEW
ALLOWED = {
    ("cancel", TaskState.PENDING): "cancelled",
    ("cancel", TaskState.PROCESSING): "cancelled",
    ("cancel", TaskState.PAUSED): "cancelled",
    ("cancel", TaskState.RETRYING): "cancelled",
    ("cancel", TaskState.WAITING_UNBAN): "cancelled",
    ("cancel", TaskState.CANCELLED): "cancelled",
    ("cancel", REVIEW): "cancelled",
    ("pause", TaskState.PENDING): "paused",
    ("pause", TaskState.PROCESSING): "paused",
    ("pause", TaskState.RETRYING): "paused",
    ("pause", TaskState.WAITING_UNBAN): "paused",
    ("pause", TaskState.PAUSED): "paused",
    ("resume", TaskState.PENDING): "pending",
    ("resume", TaskState.PROCESSING): "processing",
    ("resume", TaskState.PAUSED): "pending",
    ("resume", TaskState.RETRYING): "retrying",
    ("resume", TaskState.WAITING_UNBAN): "waiting_unban",
    ("retry", TaskState.PENDING): "pending",
    ("retry", TaskState.RETRYING): "retrying",
    ("retry", TaskState.WAITING_UNBAN): "waiting_unban",
    ("retry", TaskState.FAILED): "pending",
    ("retry", TaskState.CANCELLED): "pending",
    ("retry", REVIEW): "pending",
    ("approve", REVIEW): "completed",
    ("reject", REVIEW): "cancelled",
}


@pytest.mark.parametrize("verb", VERBS)
async def test_a_verb_moves_a_task_where_it_may_and_is_a_conflict_elsewhere(server, verb):
    server.engine.hold(True)  # what is seen is the verb's doing alone
    for state in TRANSITIONS:
        task_id = await a_task_in(server, state)
        answer = await server.post(f"/v1/tasks/{task_id}/{verb}")
        wanted = ALLOWED.get((verb, state))
        if wanted:
            assert (answer.status, answer.json["state"]) == (200, wanted), state
        else:
            assert (answer.status, answer.json["code"]) == (409, "illegal_transition"), state
            assert (await server.get(f"/v1/tasks/{task_id}")).json["state"] == state


async def test_a_verb_on_no_task_is_not_found(server):
    for verb in VERBS:
        answer = await server.post(f"/v1/tasks/nobody/{verb}")
        assert (answer.status, answer.json["code"]) == (404, "task_not_found")


async def test_a_running_task_is_interrupted_when_it_is_cancelled(server):
    task_id = (await server.post("/v1/tasks", a_prompt())).json["task_id"]
    await until(server, task_id, "processing")
    answer = await server.post(f"/v1/tasks/{task_id}/cancel")
    assert (answer.status, answer.json["state"], answer.json["status"]) == (200, "cancelled", "FAILED")
    run = await server.trace.find_run(run_id(task_id, 1))
    assert run.ended_at is not None and run.outcome == "cancelled"


async def test_a_retry_is_a_new_run_of_the_same_task(server):
    task_id = await a_task_in(
        server, TaskState.FAILED, failure={"code": "x", "message": "m", "next_step": "n"}, attempts=3
    )
    answer = await server.post(f"/v1/tasks/{task_id}/retry")
    assert (answer.json["run_number"], answer.json["attempts"], answer.json["error"]) == (2, 0, None)
    server.worker.gate.set()
    await until(server, task_id, "completed")
    assert server.worker.seen[-1] == (task_id, 2)


async def test_only_one_of_two_retries_at_once_counts(server):
    task_id = await a_task_in(server, TaskState.FAILED)
    answers = await asyncio.gather(*[server.post(f"/v1/tasks/{task_id}/retry") for _ in range(6)])
    assert {answer.status for answer in answers} <= {200, 409}  # said again it changes nothing
    assert [worked for worked in server.worker.seen if worked[0] == task_id] == [(task_id, 2)]
    assert (await server.get(f"/v1/tasks/{task_id}")).json["run_number"] == 2


async def in_review(server, verdict, candidate="run-1", trace="run-1"):
    proof = Proof(verdict, (Reason("rule", "place", "text"),))
    payload = {"candidate_run": candidate} if candidate else {}
    return await a_task_in(server, REVIEW, proof=proof, payload=payload, trace_id=trace)


async def test_approving_a_change_publishes_it_in_a_new_run(server):
    task_id = await in_review(server, Verdict.UNPROVED)
    answer = await server.post(f"/v1/tasks/{task_id}/approve")
    assert (answer.json["state"], answer.json["run_number"]) == ("pending", 2)
    assert answer.json["proof"]["verdict"] == "unproved"  # it stays marked as what it is
    assert (await server.tasks.find(task_id)).action == "publish"
    await until(server, task_id, "processing")


@pytest.mark.parametrize(
    ("verdict", "why"), [(Verdict.REFUTED, "the evidence"), (Verdict.BLOCKED, "the guard withheld it")]
)
async def test_approving_never_publishes_what_was_refuted_or_blocked(server, verdict, why):
    task_id = await in_review(server, verdict)
    answer = await server.post(f"/v1/tasks/{task_id}/approve")
    assert answer.json["state"] == "completed"
    assert answer.json["outcome_reason"].startswith(f"accepted without a change: {why}")
    assert server.worker.seen == []


async def test_approving_does_not_publish_the_refuted_change_of_an_earlier_run(server):
    task_id = await in_review(server, Verdict.REFUTED)
    async with server.engine_off():
        await server.post(f"/v1/tasks/{task_id}/retry")
    # The second run reproduces nothing: unproved, and without a change of its own.
    await server.tasks.move(task_id, TaskState.PROCESSING, trace_id="run-2")
    await server.tasks.move(task_id, REVIEW, proof=Proof(Verdict.UNPROVED))
    answer = await server.post(f"/v1/tasks/{task_id}/approve")
    assert answer.json["state"] == "completed"
    assert answer.json["outcome_reason"] == "accepted without a change: there is none to publish"


async def test_times_are_rfc_3339_in_utc(server):
    task = (await server.post("/v1/tasks", a_prompt())).json
    assert task["created_at"].endswith("Z")
    assert abs((datetime.fromisoformat(task["created_at"]) - datetime.now(UTC)).total_seconds()) < 60


async def test_a_task_has_the_title_of_its_issue_or_its_name(server):
    repair = (await server.post("/v1/tasks", a_repair())).json
    prompt = (await server.post("/v1/tasks", a_prompt(name="Review utils"))).json
    issue = (await server.get(f"/v1/issues/{repair['issue_id']}")).json
    assert repair["title"] == issue["title"] != ""
    listed = (await server.get("/v1/tasks")).json["items"]
    assert {task["task_id"]: task["title"] for task in listed} == {
        repair["task_id"]: issue["title"],
        prompt["task_id"]: "Review utils",
    }


async def test_a_prompt_task_says_what_it_was_asked_and_lists_do_not(server):
    words = f"Look at the utils.\nThe token is {TOKEN}."
    made = (await server.post("/v1/tasks", a_prompt(prompt=words))).json
    asked = (await server.get(f"/v1/tasks/{made['task_id']}")).json["prompt"]
    assert asked == words.replace(TOKEN, "***" + TOKEN[-4:])
    repair = (await server.post("/v1/tasks", a_repair())).json
    assert (await server.get(f"/v1/tasks/{repair['task_id']}")).json["prompt"] is None
    assert not any("prompt" in task for task in (await server.get("/v1/tasks")).json["items"])


async def test_the_titles_of_a_page_are_one_query(server, monkeypatch):
    for number in range(3):
        await server.post("/v1/tasks", a_repair(error_content=f"{TRACEBACK}\n{'abc'[number] * 3}Error: x"))
    asked, titles = [], server.issues.titles

    async def counting(ids):
        asked.append(ids)
        return await titles(ids)

    monkeypatch.setattr(server.issues, "titles", counting)
    await server.get("/v1/tasks")
    assert len(asked) == 1


@pytest.mark.parametrize("state", [TaskState.WAITING_UNBAN, TaskState.RETRYING])
async def test_a_task_says_what_it_waits_for_and_until_when_only_while_it_waits(server, state):
    when = {"waiting_for": "model_overloaded", "waiting_until": datetime(2026, 11, 25, 12, tzinfo=UTC)}
    task = await a_task_in(server, state, **when)
    seen = (await server.get(f"/v1/tasks/{task}")).json
    assert (seen["waiting_for"], seen["waiting_until"]) == ("model_overloaded", "2026-11-25T12:00:00Z")
    await server.tasks.move(task, TaskState.CANCELLED)
    seen = (await server.get(f"/v1/tasks/{task}")).json
    assert (seen["waiting_for"], seen["waiting_until"]) == (None, None)


async def test_a_task_says_what_its_newest_run_has_found_so_far(server):
    task = await a_task_in(server, TaskState.WAITING_UNBAN)
    run = run_id(task, 1)
    await server.tasks.update(task, trace_id=run)
    assert (await server.get(f"/v1/tasks/{task}")).json["diagnosis"] is None

    said = {"cause": "No stars.", "summary": ""}
    found = {"reproduced": True, "paths": ["tests/test_a.py"], "reasons": [], "said": said}
    await server.trace.step_done(run, "reproduce", 1, found)
    reasons = [{"rule": "still_failing", "place": "", "text": "it fails"}]
    await server.trace.step_done(run, "verify", 1, {"proof": {"verdict": "refuted", "reasons": reasons}})
    seen = (await server.get(f"/v1/tasks/{task}")).json
    assert seen["diagnosis"] == {
        "cause": "No stars.",
        "reproduction": ["tests/test_a.py"],
        "tried": ["fix 1: still_failing: it fails"],
    }


# What a prompt task may ask for, and its plan


@pytest.mark.parametrize(
    ("wrong", "field", "code"),
    [
        ({"folder": "/etc"}, "folder", "folder_not_allowed"),
        ({"folder": "projects"}, "folder", "folder_not_allowed"),
        ({"folder": "/x", "repo_url": REPO}, "folder", "invalid_request"),
        ({"pull_request": True}, "pull_request", "invalid_request"),
        ({"pull_request": True, "repo_url": REPO, "type": "lightweight"}, "pull_request", "invalid_request"),
        ({"pull_request": "yes", "repo_url": REPO}, "pull_request", "invalid_request"),
    ],
    ids=["outside", "relative", "two places", "nowhere", "nothing written", "no boolean"],
)
async def test_a_prompt_task_that_could_not_work_is_refused(server, wrong, field, code):
    answer = await server.post("/v1/tasks", a_prompt(**wrong))
    assert (answer.status, answer.json["code"]) == (422, code)
    assert [error["field"] for error in answer.json["errors"]] == [field]


async def test_a_folder_beneath_a_root_is_taken_by_its_real_path(server, tmp_path):
    (tmp_path / "projects/shop").mkdir(parents=True)
    answer = await server.post("/v1/tasks", a_prompt(folder=f"{tmp_path}/projects/./shop"))
    assert (answer.status, answer.json["folder"]) == (201, str(tmp_path / "projects/shop"))


async def test_a_dry_run_shows_the_command_and_creates_nothing(server):
    body = a_prompt(type="medium_context", budget_usd=0.5, repo_url=REPO, pull_request=True)
    answer = await server.post("/v1/tasks?dry_run=true", body)
    assert answer.status == 200
    plan = answer.json
    assert plan["command"].startswith("claude --print --restricted ")
    assert "Bash(git log:*)" in plan["command"]
    assert (plan["recovery"], plan["writes"], plan["egress_allow"]) == ("last_lines", True, [])
    assert (await server.get("/v1/tasks")).json["items"] == []
    assert server.worker.seen == []


@pytest.mark.parametrize(
    ("query", "body"),
    [("dry_run=maybe", a_prompt()), ("dry_run=true", a_repair()), ("dry_run=true", a_prompt(folder="/etc"))],
    ids=["no flag", "a repair", "a folder outside"],
)
async def test_a_dry_run_is_refused_as_the_task_would_be(server, query, body):
    assert (await server.post(f"/v1/tasks?{query}", body)).status == 422
