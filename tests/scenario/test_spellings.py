"""The same repository, however its address is spelled, is one repository with one issue and one repair."""

from urllib.parse import urlsplit

from tests.support import shop
from tests.support.scenario import stands


async def test_a_repository_spelled_in_seven_ways_is_one(install_warm):
    async with install_warm() as scenario:
        scenario.script(shop.script())
        await scenario.start_server()
        port = urlsplit(scenario.github.url).port
        spellings = [
            f"http://127.0.0.1:{port}/acme/shop",
            f"http://127.0.0.1:{port}/acme/shop.git",
            f"HTTP://127.0.0.1:{port}/acme/shop/",
            f"http://someone@127.0.0.1:{port}/acme/shop.git/",
            "ssh://git@127.0.0.1/acme/shop.git",
            "git@127.0.0.1:acme/shop.git",
            "git@127.0.0.1:acme/shop",
        ]
        for number, spelling in enumerate(spellings):
            await scenario.report(shop.error(number), repo_url=spelling)
        task = await scenario.ended()

        assert stands(task) == ("completed", "proved", "reproduced")
        assert task["repo_key"] == f"127.0.0.1:{port}/acme/shop"
        (issue,) = await scenario.items("/v1/issues")
        assert issue["count"] == len(spellings)
        for spelling in spellings:
            body = {"repo_url": spelling, "error_content": shop.error()}
            answer = await scenario.post("/v1/tasks", body, status=200)
            assert answer["task_id"] == task["task_id"]
            assert "pull request is open" in answer["reason"]
        assert len(scenario.pulls()) == len(scenario.branches()) == len(scenario.mail.messages) == 1
        await scenario.leaves_nothing_behind()
