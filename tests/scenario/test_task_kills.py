"""kill -9 while a prompt task is at work, through the real CLI: each type goes on as its rule says."""

import json

import pytest

from tests.support.children import until
from tests.support.claude_calls import use
from tests.support.scenario import stands

SAYS = {"text": "<summary>All is written.</summary>"}


def conversation(*rounds):
    return {
        "requests": [
            {"purpose": "task", "round": n, "turns": list(turns)} for n, turns in enumerate(rounds, 1)
        ]
    }


def write(name, text="x\n"):
    return {"text": f"I write {name}.", **use("Write", file_path=f"/workspace/{name}", content=text)}


HANGS_ONCE = {"hang": "before", "times": 1}


async def asked(scenario, **body):
    task = {"prompt": "Write it down.", "repo_url": scenario.repo_url(), **body}
    return (await scenario.post("/v1/tasks", task, status=201))["task_id"]


async def killed_while_it_hangs(scenario, calls):
    """Wait until the model was asked so often and says nothing, and kill the server."""
    await until(
        "the model hangs", lambda: len(scenario.messages.requests) >= calls, hint=scenario.server.tail
    )
    await scenario.server.kill()
    await until("its children are gone", lambda: not scenario.processes(), 10)


def sent(scenario):
    """Return what was sent to the model in its calls, each as one text."""
    return [json.dumps(request.body["messages"]) for request in scenario.messages.requests]


async def test_a_lightweight_task_begins_again(install_warm):
    look = use("Read", file_path="/workspace/README.md")
    talk = conversation([look, {**SAYS, **HANGS_ONCE}])
    async with install_warm(conversation=talk) as scenario:
        await scenario.start_server()
        await asked(scenario, type="lightweight")
        await killed_while_it_hangs(scenario, 2)
        await scenario.restart_server()
        task = await scenario.ended()
        assert stands(task)[0] == "completed", scenario.server.tail()
        assert "Where the last run stopped" not in "".join(sent(scenario))
        await scenario.leaves_nothing_behind()


async def test_a_medium_task_goes_on_with_its_last_lines_and_its_edits(install_warm):
    talk = conversation(
        [write("notes.md"), use("Read", file_path="/workspace/notes.md"), {**SAYS, **HANGS_ONCE}]
    )
    async with install_warm(conversation=talk) as scenario:
        await scenario.start_server()
        await asked(scenario, type="medium_context")
        await killed_while_it_hangs(scenario, 3)
        before = len(scenario.messages.requests)
        await scenario.restart_server()
        task = await scenario.ended()
        assert stands(task)[0] == "completed", scenario.server.tail()
        first, *_ = sent(scenario)[before:]
        assert "Where the last run stopped" in first
        assert "I write notes.md." in first
        artifacts = await scenario.artifacts(task["trace_id"])
        assert "+++ b/notes.md" in artifacts["diff"]
        await scenario.leaves_nothing_behind()


@pytest.mark.parametrize("place", ["repository", "empty folder"])
async def test_a_heavy_task_goes_on_in_its_session_at_its_checkpoint(install_warm, place):
    # One turn a piece: the first piece ends with its checkpoint, the second is killed.
    talk = conversation([write("one.txt")], [{**write("two.txt"), **HANGS_ONCE}], [SAYS])
    async with install_warm(conversation=talk, CLAUDE_ARGS="--max-turns=1") as scenario:
        await scenario.start_server()
        where = {} if place == "repository" else {"repo_url": None}
        await asked(scenario, type="heavy_context", **where)
        await killed_while_it_hangs(scenario, 2)
        before = len(scenario.messages.requests)
        await scenario.restart_server()
        task = await scenario.ended()
        assert stands(task)[0] == "completed", scenario.server.tail()

        first, *_ = sent(scenario)[before:]
        for words in ("Write it down.", "I write one.txt.", "Go on where you stopped"):
            assert words in first, "the session of the checkpoint"
        trace = await scenario.get(f"/v1/traces/{task['trace_id']}")
        work = {f"{s['name']}:{s['round']}": s for s in trace["steps"] if s["name"] == "work"}
        assert list(work) == ["work:1", "work:2", "work:3"]
        assert (work["work:1"]["entries"], work["work:2"]["entries"]) == (1, 2)
        assert len({step["output"]["session"] for step in work.values()}) == 1
        artifacts = await scenario.artifacts(task["trace_id"])
        left = artifacts["diff" if place == "repository" else "files"]
        assert "one.txt" in left
        assert "two.txt" in left
        await scenario.leaves_nothing_behind()


async def test_a_proposed_change_survives_a_kill_after_the_host_has_its_pull_request(install_warm):
    talk = conversation([write("notes.md"), SAYS])
    async with install_warm(conversation=talk) as scenario:
        await scenario.start_server(crash_at="open_pull_request:1:inside")
        await asked(scenario, type="medium_context", name="Notes", pull_request=True)
        assert await scenario.server.died() == -9
        await scenario.restart_server()
        task = await scenario.ended()
        assert stands(task) == ("completed", "unproved", "suite_clean"), scenario.server.tail()
        (pull,) = scenario.pulls()
        assert (pull["title"], pull["draft"]) == ("Notes", True)
        assert len(scenario.branches()) == 1
        await scenario.leaves_nothing_behind()
