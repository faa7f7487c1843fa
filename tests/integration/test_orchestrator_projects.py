"""What a repository says about itself, and what is missing in it."""

import pytest

from ai_ops.flow.fixing import FixMode
from ai_ops.flow.task import TaskState
from tests.support import shop

pytestmark = pytest.mark.usefixtures("remembered_suites")

NEEDS = {"shop/ratings.py": "import stars_library\n" + shop.BROKEN, "requirements.txt": "stars-library\n"}
SETUP = (
    "setup: python -m venv --without-pip $AI_OPS_SETUP_DIR/venv && "
    "echo > $(ls -d $AI_OPS_SETUP_DIR/venv/lib/python*)/site-packages/stars_library.py\n"
)


def fixed(files):
    return shop.script(
        {
            "files": {
                shop.MODULE_PATH: files[shop.MODULE_PATH].replace(
                    "    return round", "    if not stars:\n        return 0.0\n    return round"
                )
            }
        }
    )


async def test_a_dependency_that_is_missing_is_the_named_failure(workshop):
    async with workshop(files=NEEDS) as floor:
        task = await floor.repaired()
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "setup_required")
        assert "stars_library" in task.failure["message"]
        assert ".ai-ops.yml" in task.failure["next_step"]
        assert floor.fixer.purposes == ["reproduce:1"]


async def test_a_plugin_that_is_missing_is_the_named_failure_with_its_likely_name(workshop):
    options = '\n[tool.pytest.ini_options]\naddopts = "--cov=shop --cov-report=term"\n'
    async with workshop(files={"pyproject.toml": "[project]\nname = 'shop'\n" + options}) as floor:
        task = await floor.repaired()
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "setup_required")
        assert "pytest-cov (for --cov)" in task.failure["message"]
        assert ".ai-ops.yml" in task.failure["next_step"]
        assert floor.fixer.purposes == ["reproduce:1"]


async def test_a_missing_dependency_that_only_the_last_reproduction_imports_is_named_too(workshop):
    test = "import stars_library\n" + shop.TEST
    async with workshop(shop.script(reproduce={shop.TEST_PATH: test})) as floor:
        task = await floor.repaired()
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "setup_required")
        assert floor.fixer.purposes == ["reproduce:1", "reproduce:2"]


async def test_what_the_setup_command_installs_is_there_for_every_test_run(workshop):
    files = NEEDS | {".ai-ops.yml": SETUP}
    async with workshop(fixed(files), files=files) as floor:
        task = await floor.repaired()
        assert (task.state, task.proof.verdict) == (TaskState.COMPLETED, "proved")


async def test_a_setup_command_that_fails_is_named_before_money_is_spent(workshop):
    async with workshop(files={".ai-ops.yml": "setup: echo no wheel; exit 4\n"}) as floor:
        task = await floor.repaired()
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "setup_failed")
        assert "no wheel" in task.failure["message"]
        assert floor.fixer.requests == []


async def test_a_test_command_that_is_not_there_is_named_before_a_fix_is_paid_for(workshop):
    said = "test: nosuchrunner -q\nreproduce: python -m pytest {path}\n"
    async with workshop(files={".ai-ops.yml": said}) as floor:
        task = await floor.repaired()
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "test_tool_missing")
        assert "'nosuchrunner -q'" in task.failure["message"]
        assert ".ai-ops.yml" in task.failure["next_step"]
        assert floor.fixer.purposes == ["reproduce:1"]


FAULTS = {
    "no_test_command": {
        "tests/test_catalogue.py": None,
        "tests/test_ratings.py": None,
        "pyproject.toml": "[project]\nname = 'shop'\n",
    },
    "project_file_invalid": {".ai-ops.yml": "tests: pytest\n"},
}


@pytest.mark.parametrize("code", FAULTS)
async def test_a_repository_that_cannot_be_proved_is_named_before_money_is_spent(workshop, code):
    async with workshop(files=FAULTS[code]) as floor:
        task = await floor.repaired()
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, code)
        assert task.failure["next_step"]
        assert floor.fixer.requests == []


async def test_paths_that_the_repository_protects_are_not_changed(workshop):
    async with workshop(files={".ai-ops.yml": "protected_paths: [shop/ratings.py]\n"}, max_rounds=1) as floor:
        task = await floor.repaired()
        assert (task.state, task.proof.verdict) == (TaskState.NEEDS_HUMAN_REVIEW, "blocked")
        (reason,) = task.proof.reasons
        assert (reason.rule, reason.place) == ("protected_path", "shop/ratings.py")


async def test_the_repository_says_how_its_pull_requests_are_opened(workshop, monkeypatch):
    said = "draft: true\nlabels: [ai-ops, bug]\nreviewers: [ada]\n"
    async with workshop(files={".ai-ops.yml": said}) as floor:
        host, wanted = floor.tools.hosts["local"], []
        open_it = host.open_pull_request

        async def noting(repository, new):
            wanted.append(new)
            return await open_it(repository, new)

        monkeypatch.setattr(host, "open_pull_request", noting)
        task = await floor.repaired()
        assert task.proof.verdict == "proved"
        (new,) = wanted
        assert (new.draft, new.labels) == (True, ("ai-ops", "bug"))
        (pull,) = await floor.pulls()
        assert pull.draft
        assert "ada" in [each.login for each in pull.reviewers]


@pytest.mark.parametrize(
    ("said", "server", "expected"),
    [
        pytest.param("draft: until_green\n", False, (True, True), id="the repository asks"),
        pytest.param("labels: [bug]\n", True, (True, True), id="the server asks"),
        pytest.param("draft: false\n", True, (False, False), id="the repository wants none"),
    ],
)
async def test_a_draft_until_ci_passes_is_kept_as_one(workshop, said, server, expected):
    async with workshop(files={".ai-ops.yml": said}, draft_until_green=server) as floor:
        await floor.repaired()
        assert [(pull.draft, pull.ready_when_green) for pull in await floor.pulls()] == [expected]


@pytest.mark.parametrize(
    ("asked", "expected"), [({}, FixMode.AGENTIC), ({"fix_mode": "code_blocks"}, FixMode.CODE_BLOCKS)]
)
async def test_the_mode_is_the_tasks_then_the_repositorys_then_the_servers(workshop, asked, expected):
    script = {"reproduce": [{"failure": "model_refused"}]}
    async with workshop(script, files={".ai-ops.yml": "mode: agentic\n"}) as floor:
        await floor.repaired(requested_by="person", **asked)
        (request,) = floor.fixer.requests
        agentic = expected is FixMode.AGENTIC
        assert (request.mode, request.writes, bool(request.tools)) == (expected, agentic, agentic)
        assert (request.checkout is not None) is agentic


async def test_the_repositorys_budget_only_narrows(workshop):
    script = {"reproduce": [{"failure": "model_refused"}]}
    async with workshop(script, files={".ai-ops.yml": "budget_usd: 0.5\n"}) as floor:
        await floor.repaired()
        assert floor.fixer.requests[0].budget_usd == 0.5
    assert floor.tools.policy.budget_usd_per_run == 2.0
