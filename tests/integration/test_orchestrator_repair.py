"""A repair from its task to its ending: what is asked, what is judged, what is published."""

import pytest

from ai_ops.core.identity import run_id
from ai_ops.flow.fixing import FixMode
from ai_ops.flow.run import StepState
from ai_ops.flow.task import TaskState
from tests.support import shop
from tests.support.git_server import git
from tests.support.workshop import mail_text

STEPS = (
    "checkout:1",
    "triage:1",
    "reproduce:1",
    "verify:0",
    "fix:1",
    "guard:1",
    "verify:1",
    "commit:1",
    "push:1",
    "open_pull_request:1",
    "ask_reviewers:1",
    "notify:1",
)
PASSING_TEST = "def test_nothing():\n    assert True\n"
OTHER_TYPE = "def test_other():\n    raise KeyError('spoon')\n"
GOOD = {"files": {shop.MODULE_PATH: shop.FIXED}}
NO_FIX = {"files": {shop.MODULE_PATH: shop.BROKEN + "\n# mended\n"}}
SWALLOWS = shop.BROKEN.replace(
    '    rating = average(product["stars"])',
    '    try:\n        rating = average(product["stars"])\n    except Exception:\n        rating = ""',
)


def stands(task):
    first = task.proof.reasons[0].rule if task.proof.reasons else ""
    return task.state.value, task.proof.verdict and task.proof.verdict.value, first


@pytest.mark.parametrize("mode", FixMode)
async def test_a_good_answer_is_proved_and_published_once(workshop, mode):
    async with workshop(fix_mode=mode) as shop_floor:
        task = await shop_floor.repaired()

        assert stands(task) == ("completed", "proved", "reproduced")
        (pull,) = await shop_floor.pulls()
        assert (pull.state, pull.draft, pull.proof) == ("open", False, task.proof)
        assert (task.pull_request_id, task.pr_url) == (pull.id, pull.url)
        assert shop_floor.branches() == [pull.branch]
        changed = git("diff", "--name-only", f"main...{pull.branch}", cwd=shop_floor.remote).split()
        assert changed == sorted([shop.MODULE_PATH, shop.TEST_PATH])
        assert git("rev-parse", pull.branch, cwd=shop_floor.remote) == pull.head_sha
        (mail,) = shop_floor.mails()
        assert pull.url in mail_text(mail)
        assert shop_floor.fixer.purposes == ["reproduce:1", "fix:1"]
        assert shop_floor.leftovers() == []


async def test_every_step_stands_in_the_trace_before_and_after_with_output_duration_and_cost(workshop):
    script = shop.script(GOOD | {"usage": {"input_tokens": 7, "output_tokens": 3, "cost_usd": 0.25}})
    script["reproduce"][0]["usage"] = {"cost_usd": 0.5}
    async with workshop(script) as shop_floor:
        task = await shop_floor.repaired()

        steps = await shop_floor.steps(task)
        assert tuple(steps) == STEPS
        for step in steps.values():
            assert (step.state, step.entries) == (StepState.DONE, 1)
            assert step.output["words"]
            assert step.ended_at >= step.started_at
        costs = {name: step.usage.cost_usd for name, step in steps.items() if step.usage.cost_usd}
        assert costs == {"reproduce:1": 0.5, "fix:1": 0.25}
        assert steps["fix:1"].usage.input_tokens == 7
        run = run_id(task.id, 1)
        history = await shop_floor.tools.trace.events_after(run, 0)
        told = [(e.data["step"], e.data["round"], e.data["state"]) for e in history if e.kind == "step"]
        each = [name.split(":") for name in STEPS]
        assert told == [(n, int(r), state) for n, r in each for state in ("started", "done")]
        assert history[-1].kind == "complete"
        recorded = await shop_floor.tools.trace.find_run(run)
        assert (recorded.outcome, recorded.usage.cost_usd) == ("completed", 0.75)
        assert task.cost_usd == 0.75


async def test_pull_request_and_mail_name_what_the_run_has_cost(workshop):
    script = shop.script(GOOD | {"usage": {"cost_usd": 0.25}})
    async with workshop(script) as shop_floor:
        await shop_floor.repaired()
        (pull,) = await shop_floor.pulls()
        assert "Cost: 0.2500 USD" in pull.body
        assert "0.25" in mail_text(shop_floor.mails()[0])


@pytest.mark.parametrize(
    ("first", "evidence"),
    [
        pytest.param(PASSING_TEST, "passes_on_base", id="a test that passes"),
        pytest.param(OTHER_TYPE, "fails with KeyError", id="a test that fails otherwise"),
        pytest.param("import numpy_not_there\n", "numpy_not_there", id="a test with an import of its own"),
    ],
)
async def test_the_evidence_on_a_bad_reproduction_goes_back_and_a_better_one_is_taken(
    workshop, first, evidence
):
    script = shop.script()
    script["reproduce"].insert(0, {"files": {shop.TEST_PATH: first}})
    async with workshop(script) as shop_floor:
        task = await shop_floor.repaired()

        assert stands(task) == ("completed", "proved", "reproduced")
        assert shop_floor.fixer.purposes == ["reproduce:1", "reproduce:2", "fix:1"]
        one, two, _ = (request.prompt for request in shop_floor.fixer.requests)
        assert evidence not in one
        assert evidence in two


async def test_the_evidence_on_a_bad_fix_goes_back_and_a_better_one_is_taken(workshop):
    async with workshop(shop.script(NO_FIX, GOOD)) as shop_floor:
        task = await shop_floor.repaired()

        assert stands(task) == ("completed", "proved", "reproduced")
        assert shop_floor.fixer.purposes == ["reproduce:1", "fix:1", "fix:2"]
        assert "still_failing" in shop_floor.fixer.requests[2].prompt
        assert "suite-after-2-report" in await names(shop_floor, task)
        (pull,) = await shop_floor.pulls()
        assert "mended" not in pull.diff


async def names(shop_floor, task):
    return [each.name for each in await shop_floor.tools.trace.artifacts(run_id(task.id, task.run_number))]


@pytest.mark.parametrize("rounds", [1, 3])
async def test_nobody_is_asked_more_often_than_the_policy_says(workshop, rounds):
    script = shop.script(reproduce={shop.TEST_PATH: PASSING_TEST})
    async with workshop(script, max_rounds=rounds) as shop_floor:
        task = await shop_floor.repaired()

        assert stands(task) == ("needs_human_review", "unproved", "passes_on_base")
        assert shop_floor.fixer.purposes == [f"reproduce:{n + 1}" for n in range(rounds)]
        (mail,) = shop_floor.mails()
        assert "The list of stars is empty." in mail_text(mail)
        assert task.outcome_reason.startswith("not reproduced: ")


BAD = {
    "still failing": (NO_FIX["files"], "refuted", "still_failing"),
    "a new failure elsewhere": (
        {shop.MODULE_PATH: shop.FIXED.replace("1)", "0)")},
        "refuted",
        "new_failure",
    ),
    "a swallowed exception": ({shop.MODULE_PATH: SWALLOWS}, "blocked", "swallowed_exception"),
    "a protected path": (
        GOOD["files"] | {".github/workflows/ci.yml": "on: push\n"},
        "blocked",
        "protected_path",
    ),
    "no change": ({shop.MODULE_PATH: shop.BROKEN}, "unproved", "no_change"),
}


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_fix_waits_for_a_person_even_if_no_proof_is_required(workshop, kind):
    files, verdict, rule = BAD[kind]
    script = shop.script({"files": files})
    async with workshop(script, max_rounds=1, require_proof=False) as shop_floor:
        task = await shop_floor.repaired()

        assert stands(task) == ("needs_human_review", verdict, rule)
        assert task.failure is None
        assert (await shop_floor.pulls(), shop_floor.branches()) == ((), [])
        assert task.proof.reasons[0].text in task.outcome_reason
        assert len(shop_floor.mails()) == 1


async def test_a_test_that_vanishes_refutes(workshop):
    """The suite collects fewer tests with the fix, through no test file that it changes."""
    tests = {
        "tests/test_stock.py": "import shop.ratings\n\nif not hasattr(shop.ratings, 'EMPTY'):\n"
        "    def test_stock():\n        pass\n",
    }
    fixed = "EMPTY = 0.0\n\n\n" + shop.FIXED.replace("0.0", "EMPTY")
    script = shop.script({"files": {shop.MODULE_PATH: fixed}})
    async with workshop(script, files=tests, max_rounds=1) as shop_floor:
        task = await shop_floor.repaired()
        assert stands(task) == ("needs_human_review", "refuted", "test_vanished")


UNTYPED = "2026-01-02 03:04:05,678 ERROR [shop] the listing is broken\n"


@pytest.mark.parametrize("require_proof", [True, False])
async def test_an_error_without_a_type_is_at_most_unproved_and_asked_about_once(workshop, require_proof):
    async with workshop(require_proof=require_proof) as shop_floor:
        task = await shop_floor.worked(await shop_floor.wished(UNTYPED))

        assert task.proof.verdict == "unproved"
        assert task.proof.reasons[0].rule == "no_exception_type"
        # No other fix could be judged better, so no further one is paid for.
        assert shop_floor.fixer.purposes == ["reproduce:1", "fix:1"]
        if require_proof:
            assert task.state is TaskState.NEEDS_HUMAN_REVIEW
            assert shop_floor.branches() == []
        else:
            (pull,) = await shop_floor.pulls()
            assert (task.state, pull.draft) == (TaskState.COMPLETED, True)
            assert "This change is not proved" in pull.body.replace("&#8203;", "")


async def test_a_base_whose_suite_says_nothing_is_not_paid_for_twice(workshop):
    broken = {".ai-ops.yml": "test: exit 3\nreproduce: python -m pytest {path}\n"}
    async with workshop(files=broken) as shop_floor:
        task = await shop_floor.repaired()
        assert (task.state.value, task.proof.verdict) == ("needs_human_review", "unproved")
        assert shop_floor.fixer.purposes == ["reproduce:1", "fix:1"]
