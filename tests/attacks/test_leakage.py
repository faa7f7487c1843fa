"""A secret is nowhere, however a run ends: not in a file, an argument, an environment, or before a person.

Here the processes are watched as well. The files and words of every other failure are looked through in
``tests/scenario/test_failures.py``, and a run that goes well is watched in ``test_log_to_pull_request.py``.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support import shop
from tests.support.children import Witness, until
from tests.support.git_server import GitFaults
from tests.support.github_double import ApiFaults
from tests.support.leaks import assert_no_secret
from tests.support.messages_double import conversation
from tests.support.scenario import RECEIVER, REPOSITORY, stands

PROVED = ("completed", "proved", "reproduced")


def failed(code):
    return ("failed", None, code)


def clone_refused(scenario):
    scenario.github.git.faults = GitFaults(status=403, message=f"bad token {scenario.planted.github_token}")


def push_refused(scenario):
    words = f"{scenario.planted.github_token} may not push to https://x:{scenario.planted.github_token}@host/"
    scenario.github.git.reject_pushes(REPOSITORY, words)


def host_rejects(scenario):
    scenario.github.faults = ApiFaults(status=422, method="POST", path="/pulls")


def mail_refused(scenario):
    scenario.mail.refusal = f"554 {scenario.planted.smtp_password} may not send to {RECEIVER}"


def nothing(scenario):
    return None


@dataclass(frozen=True)
class Way:
    """A way for a run to end, and how its task stands then."""

    name: str
    stands: tuple
    cause: Callable[[Any], object] = nothing
    crash_at: str = ""
    more: dict = field(default_factory=dict)


SAYS_NO = {"error": {"status": 401, "type": "authentication_error", "message": "invalid x-api-key"}}
REAL_CLI = {"conversation": conversation("reproduce", SAYS_NO), "CLAUDE_TRIAGE_MODEL": "none"}
WAYS = [
    Way("the clone is refused", failed("git_auth_failed"), clone_refused),
    Way("the push is refused", failed("push_refused"), push_refused),
    Way("the host refuses the pull request", failed("host_rejected"), host_rejects),
    Way("the model's API says no", failed("model_auth_failed"), more=REAL_CLI),
    Way("mail is refused", PROVED, mail_refused),
    Way("the server is killed", PROVED, crash_at="push:1:after"),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
async def test_no_secret_is_anywhere_when(install_warm, way):
    async with install_warm(**way.more) as scenario:
        if not way.more:
            scenario.script(shop.script())
        way.cause(scenario)
        secrets = (*scenario.planted.all(), *scenario.logged.all())
        witness = Witness(secrets)
        async with witness.watching(scenario.server):
            await scenario.start_server(crash_at=way.crash_at)
            await scenario.report(scenario.logged.error())
            if way.crash_at:
                assert await scenario.server.died() == -9
                await scenario.restart_server()
            task = await scenario.ended()
        assert stands(task) == way.stands, scenario.server.tail()
        if way.cause is mail_refused:
            await until(
                "the mail is refused",
                lambda: "mail_refused" in scenario.server.tail(),
                hint=scenario.server.tail,
            )
        assert "git" in witness.programs or way.cause is clone_refused  # one short child may be missed
        assert witness.found == set()
        if scenario.messages:
            asked = json.dumps([request.body for request in scenario.messages.requests])
            assert not [secret for secret in secrets if secret in asked]
        await assert_no_secret(scenario, task["trace_id"], apart_from=("github/acme/shop.git/hooks/",))
        await scenario.leaves_nothing_behind()
