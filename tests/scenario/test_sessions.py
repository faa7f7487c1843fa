"""Rounds of an agentic repair through the real CLI are one conversation, whatever dies between them."""

import json

from tests.support import shop
from tests.support.claude_calls import use
from tests.support.scenario import stands

RETURN = "    return round(sum(stars) / len(stars), 1)"
LOOK = {"text": "I look at it first.", **use("Read", file_path=f"/workspace/{shop.MODULE_PATH}")}
IN_VAIN = use(
    "Edit", file_path=f"/workspace/{shop.MODULE_PATH}", old_string=RETURN, new_string=f"{RETURN}  # ok"
)
MENDS = use(
    "Edit",
    file_path=f"/workspace/{shop.MODULE_PATH}",
    old_string=RETURN,
    new_string=f"    if not stars:\n        return 0.0\n{RETURN}",
)


def said(text):
    return {"text": f"<cause>No stars.</cause>\n<summary>{text}</summary>"}


def two_rounds():
    """A conversation whose first fix is in vain."""
    kept = [each for each in shop.AGENTIC["requests"] if each["purpose"] != "fix"]
    first = {"purpose": "fix", "round": 1, "turns": [LOOK, IN_VAIN, said("A comment.")]}
    return {
        "requests": [*kept, first, {"purpose": "fix", "round": 2, "turns": [MENDS, said("An average of 0.")]}]
    }


async def test_the_second_round_goes_on_with_the_conversation_of_the_first_after_a_kill(install_warm):
    async with install_warm(conversation=two_rounds(), CLAUDE_FIX_MODE="agentic") as scenario:
        await scenario.start_server(crash_at="verify:1:left")
        await scenario.report(shop.error())
        assert await scenario.server.died() == -9
        await scenario.restart_server()
        task = await scenario.ended()
        assert stands(task) == ("completed", "proved", "reproduced"), scenario.server.tail()
        task = await scenario.get(f"/v1/tasks/{task['task_id']}")
        assert task["diagnosis"]["cause"] == "No stars."
        assert task["diagnosis"]["tried"][0].startswith("fix 1: still_failing ")

        trace = await scenario.get(f"/v1/traces/{task['trace_id']}")
        steps = {f"{step['name']}:{step['round']}": step["output"] for step in trace["steps"]}
        assert steps["fix:2"]["session"] == steps["fix:1"]["session"] != steps["reproduce:1"]["session"]
        artifacts = await scenario.artifacts(task["trace_id"])
        await sent_the_whole_conversation(scenario, artifacts["fix-2-prompt"])
        assert "still_failing" in artifacts["fix-2-prompt"]
        assert "ZeroDivisionError" in artifacts["fix-2-prompt"], "what the tests printed"
        assert shop.error().splitlines()[0] not in artifacts["fix-2-prompt"], "the log is told once"
        assert "Claude uses Edit\n" in artifacts["fix-1-transcript"]
        assert not [name for name in artifacts if "session" in name]
        await scenario.leaves_nothing_behind()


async def sent_the_whole_conversation(scenario, prompt):
    """The first call of round 2 holds what was asked, done and answered in round 1, and then its prompt."""
    line = prompt.splitlines()[0]
    bodies = [json.dumps(request.body["messages"]) for request in scenario.messages.requests]
    first = next(body for body in bodies if line in body)
    order = [" round=1 ", "I look at it first.", "# ok", "A comment.", line]
    places = [first.find(words) for words in order]
    assert -1 not in places
    assert places == sorted(places)
