"""How CI stands at a pull request, and how open ones are watched, for people and for Prometheus."""

from dataclasses import replace

import pytest
from prometheus_client import generate_latest

from ai_ops.cli.pr import print_pull_request
from ai_ops.core.orchestrator.watching import Watching
from ai_ops.errors import TemporaryError
from ai_ops.flow.ci import CiStatus, CiVerdict
from ai_ops.server.metrics import Metrics
from tests.support.running_server import running
from tests.support.store import START, pull_request

OURS = CiStatus(
    CiVerdict.OURS, "test fails here", "b" * 40, START, failed=("test",), asked={"checks:1": "task-1"}
)


@pytest.fixture
async def server(tmp_path):
    async with running(tmp_path) as started:
        yield started


async def shown(server, **changes):
    await server.pull_requests.record(pull_request(**changes))
    return (await server.get("/v1/pull-requests/pr-1")).json


async def test_a_pull_request_shows_how_ci_stands_and_what_was_asked_for(server):
    answer = await shown(server, ci=OURS, held="a person has it")
    assert answer["ci"] == {
        "verdict": "ours",
        "words": "test fails here",
        "head_sha": "b" * 40,
        "since": "2026-01-01T12:00:00Z",
        "failed": ["test"],
        "follow_ups": ["task-1"],
    }
    assert (answer["held"], answer["ready_when_green"]) == ("a person has it", False)


async def test_one_that_was_not_looked_at_yet_says_nothing_of_ci(server):
    answer = await shown(server)
    assert (answer["ci"], answer["held"]) == (None, None)


async def test_a_local_one_awaits_no_ci(server):
    answer = await shown(server, code_host="local", ci=replace(OURS, verdict=CiVerdict.WAITING))
    assert answer["ci"] is None


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        pytest.param({}, ["state: open"], id="plain"),
        pytest.param({"draft": True}, ["state: open, a draft"], id="draft"),
        pytest.param(
            {"draft": True, "ready_when_green": True, "ci": OURS},
            ["state: open, a draft until CI passes", "checks: ours: test fails here"],
            id="draft until green",
        ),
        pytest.param({"held": "Ada"}, ["state: open, left to people: Ada"], id="held"),
    ],
)
async def test_the_command_line_says_it_in_words(server, capsys, changes, lines):
    print_pull_request(await shown(server, **changes))
    printed = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert set(lines) <= set(printed)
    assert any(line.startswith("checks:") for line in printed) is ("ci" in changes)


class Down:
    """A host that is down."""

    async def pull_request(self, repository, number):
        raise TemporaryError("host_unavailable", "refused")


async def test_the_figures_say_how_open_ones_stand_and_which_host_is_left_alone(server):
    read = []

    async def paused(seconds):
        read.append(await figures())

    watching = Watching(server.pull_requests, {"github": Down()}, (), sleep=paused)
    metrics = Metrics(replace(server.services, watched=watching))

    async def figures():
        await metrics.refresh(replace(server.services, watched=watching))
        return generate_latest(metrics.registry).decode()

    await server.pull_requests.record(pull_request(1, ci=OURS))
    await server.pull_requests.record(pull_request(2, held="a person has it"))
    await watching.round()
    for line in (
        'ai_ops_pull_requests_open{ci="ours"} 1.0',
        'ai_ops_pull_requests_open{ci="held"} 1.0',
        'ai_ops_pull_request_looks_total{host="github",outcome="failed"} 1.0',
        'ai_ops_code_host_pause_seconds{host="github"} ',
    ):
        assert line in read[0]
    assert "ai_ops_code_host_pause_seconds{" not in await figures()
