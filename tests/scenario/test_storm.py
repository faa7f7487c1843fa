"""500 new errors after one deploy: one task, one pull request, one mail; the others say why they wait."""

import uuid

from tests.support import shop
from tests.support.children import until
from tests.support.scenario import stands, wire_event

ERRORS = 500
CAP = 2


def released(text, repo_url, release):
    return wire_event(text, repo_url) | {"release": release, "environment": "production"}


def another(number):
    """The shop's error on another page: an issue of its own."""
    head, rest = shop.error().split("Traceback (most recent call last):\n")
    frame = f'  File "/srv/shop/shop/page_{number}.py", line 3, in page_{number}\n    summary(product)\n'
    return f"{head}Traceback (most recent call last):\n{frame}{rest}"


def again(wired):
    """The same error once more."""
    return wired | {"event_id": str(uuid.uuid4())}


async def pages(scenario, path):
    """Return all items of a list."""
    items, cursor = [], ""
    while True:
        page = await scenario.get(f"{path}?limit=200{cursor}")
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = f"&cursor={page['next_cursor']}"


async def test_a_storm_of_new_errors_after_a_deploy_is_one_pull_request_and_one_mail(install_warm):
    async with install_warm(MAX_OPEN_PULL_REQUESTS=str(CAP)) as scenario:
        scenario.script(shop.script())
        await scenario.start_server()
        url = scenario.repo_url()
        denied = "2026-01-02 03:04:05,678 ERROR [shop] PermissionDenied: no\n"
        await scenario.post("/v1/events", {"events": [released(denied, url, "v1")]})
        storm = [released(another(number), url, "v2") for number in range(ERRORS)]
        for _ in range(2):  # and each of them again
            for start in range(0, ERRORS, 100):
                answer = await scenario.post("/v1/events", {"events": storm[start : start + 100]})
                assert answer["accepted"] + answer["duplicates"] == 100
            storm = [again(each) for each in storm]

        async def over():
            tasks = await scenario.items("/v1/tasks")
            return all(task["state"] in ("completed", "cancelled") for task in tasks)

        await until("the storm's task has ended", over, hint=scenario.server.tail)
        await scenario.post("/v1/events", {"events": [again(each) for each in storm[:100]]})

        done = [task for task in await pages(scenario, "/v1/tasks") if task["state"] == "completed"]
        assert [stands(task) for task in done] == [("completed", "proved", "reproduced")]
        assert len(scenario.pulls()) == len(scenario.branches()) == 1
        issues = [each for each in await pages(scenario, "/v1/issues") if each["release"] == "v2"]
        assert len(issues) == ERRORS
        waiting = [issue for issue in issues if issue["waiting_reason"]]
        assert len(waiting) == ERRORS - 1
        assert {"from v1 to v2" in issue["waiting_reason"] for issue in waiting} == {True}
        shown = await scenario.get(f"/v1/issues/{waiting[0]['issue_id']}")
        assert shown["no_pull_request_reason"] == waiting[0]["waiting_reason"]
        assert shown["pull_request"] is None

        assert len(scenario.mail.message_ids) == 1
        (mail,) = scenario.mail.messages
        assert "It stands for" in mail.get_body(("plain",)).get_content()
        await scenario.leaves_nothing_behind()
