"""A code host that is away for an hour, in the middle of each call: the run waits and ends well.

The clock is moved by what the run waits, so an hour takes no time; the host is a double that git and its
client library really talk to.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from ai_ops.flow.task import TaskState
from tests.support.api_double import ApiFaults
from tests.support.git_server import GitFaults
from tests.support.host_settings import github_host, gitlab_host

pytestmark = pytest.mark.usefixtures("remembered_suites")

HOUR = timedelta(hours=1)
MOST_REQUESTS = 60
"""While it is away. GitHub allows 5,000 in an hour, GitLab 300 in a minute and more."""


@dataclass
class Outage:
    """Begins with the request that is meant, and ends an hour later by the moved clock."""

    now: object
    meant: str
    method: str = ""
    begun: datetime | None = None
    requests: list[str] = field(default_factory=list)

    def hits(self, method: str, path: str) -> bool:
        if self.begun is None and self.meant in path and method == (self.method or method):
            self.begun = self.now()
        if self.begun is None or self.now() >= self.begun + HOUR:
            return False
        self.requests.append(f"{method} {path}")
        return True


class ApiOutage(ApiFaults):
    """The API is away."""

    outage: Outage

    def hits(self, request):
        return self.outage.hits(request.method, request.path)


class GitOutage(GitFaults):
    """Git is away too."""

    outage: Outage

    def away(self, method, path):
        return self.outage.hits(method, path)


MOMENTS = {
    "the first fetch": ("info/refs", "", {"status": 503}),
    "the push": ("git-receive-pack", "POST", {"status": 503}),
    "the look before the creation": ("{list}", "GET", {"drop": True}),
    "the creation": ("{list}", "POST", {"drop": True}),
    "the creation, after it was done": ("{list}", "POST", {"drop": True, "after": True}),
    "the creation, with a 502": ("{list}", "POST", {"status": 502, "after": True}),
    "a secondary limit": ("{list}", "POST", {"status": 429}),
    "a limit that says how long": ("{list}", "POST", {"status": 429, "headers": {"Retry-After": "900"}}),
    "labels and reviewers": ("{after}", "", {"status": 503}),
}
ON_GITLAB = ("the creation, after it was done", "a limit that says how long", "labels and reviewers")
CASES = [
    *(pytest.param(github_host, moment, id=f"github-{moment}") for moment in MOMENTS),
    *(pytest.param(gitlab_host, moment, id=f"gitlab-{moment}") for moment in ON_GITLAB),
]
PROJECT = "labels: [ai-ops]\nreviewers: [ada]\n"
PATHS = {
    "github": {"list": "/pulls", "after": "/issues/1/labels"},
    "gitlab": {"list": "/merge_requests", "after": "/merge_requests/1"},
}


@pytest.mark.parametrize(("host", "moment"), CASES)
async def test_an_hour_without_the_host_is_waited_out_with_few_requests(workshop, tmp_path, host, moment):
    path, method, faults = MOMENTS[moment]
    async with host(tmp_path / "host") as at, workshop(at=at, files={".ai-ops.yml": PROJECT}) as floor:
        outage = Outage(floor.tools.clock.now, path.format(**PATHS[at.repository.code_host]), method)
        at.double.faults = ApiOutage(**faults)
        at.double.faults.outage = outage
        at.double.git.faults = GitOutage(status=503)
        at.double.git.faults.outage = outage
        task = await floor.repaired()

        assert outage.begun is not None
        assert task.state is TaskState.COMPLETED, task.failure
        assert len(outage.requests) <= MOST_REQUESTS, outage.requests
        assert len(at.double.pulls(at.name)) == len(floor.branches()) == len(await floor.pulls()) == 1
        if "how long" in moment:
            assert {seconds for _, seconds in floor.waits} == {900.0}
            assert len(outage.requests) <= 10
        if moment != "labels and reviewers":
            assert floor.tools.clock.now() >= outage.begun + HOUR
            assert {state for state, _ in floor.waits} == {TaskState.RETRYING}


async def test_a_host_that_does_not_come_back_is_named_in_the_end(workshop, tmp_path):
    async with github_host(tmp_path / "host") as at, workshop(at=at) as floor:
        at.double.git.faults = GitFaults(status=503)
        task = await floor.repaired()

        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "git_unreachable")
        waited = sum(seconds for _, seconds in floor.waits)
        assert timedelta(hours=4) < timedelta(seconds=waited) < timedelta(hours=8)
