"""One line in a log ends in one proved merge request on a self-managed GitLab, below a path and in groups.

The agent and the server are processes; git goes over smart HTTP with a token, python-gitlab to the API.
"""

import asyncio
import secrets
import sys

from tests.support import shop
from tests.support.children import until
from tests.support.git_server import create_repository, git
from tests.support.gitlab_double import GitLabDouble
from tests.support.leaks import everything_shown, found_in_files
from tests.support.scenario import stands

PROJECT = "acme/web/shop"
TOKEN = "glpat-" + secrets.token_hex(18)


async def test_a_line_in_a_log_becomes_a_proved_merge_request_and_a_mail(install, tmp_path):
    gitlab = GitLabDouble(tmp_path / "gitlab", TOKEN, "/forge")
    bare = create_repository(gitlab.root, PROJECT, shop.files())
    async with gitlab.running(), install() as scenario:
        scenario.script(shop.script())
        scenario.settings |= {
            "CODE_HOST": "gitlab",
            "GITLAB_BASE_URL": gitlab.base_url,
            "GITLAB_TOKEN": TOKEN,
        }
        address = f"{gitlab.base_url}/{PROJECT}.git"
        await scenario.start_server()
        scenario.log.touch()
        scenario.start_agent(AGENT_REPO_URL=address, CODE_HOST="gitlab")
        argv = [sys.executable, str(shop.APP), "--log", str(scenario.log)]
        application = await asyncio.create_subprocess_exec(*argv)
        assert await application.wait() == 0
        task = await scenario.ended()

        assert stands(task) == ("completed", "proved", "reproduced"), scenario.server.tail()
        [merge] = gitlab.pulls(PROJECT)
        branches = git("for-each-ref", "--format=%(refname:short)", cwd=bare).split()
        assert (sorted(branches), merge["base"], merge["draft"]) == ([merge["head"], "main"], "main", False)
        assert task["pr_url"] == f"{gitlab.base_url}/{PROJECT}/-/merge_requests/1"
        changed = git("diff", "--name-only", f"main...{merge['head']}", cwd=bare).split()
        assert changed == sorted([shop.MODULE_PATH, shop.TEST_PATH])
        assert {request.user for request in gitlab.git.requests} <= {"oauth2", ""}
        await until("the mail is there", lambda: scenario.mail.messages, hint=scenario.server.tail)
        [mail] = scenario.mail.messages
        assert task["pr_url"] in mail.get_body(("plain",)).get_content()
        assert TOKEN not in await everything_shown(scenario, task["trace_id"])
        assert found_in_files(scenario.folder, TOKEN) == []
        assert scenario.pulls() == []
        await scenario.leaves_nothing_behind()
