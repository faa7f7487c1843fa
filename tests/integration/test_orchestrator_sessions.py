"""The rounds of a request: what goes back to the fixer, in which session, and what is kept of it."""

import dataclasses

import pytest

from ai_ops.core.identity import run_id
from ai_ops.core.model_failures import failure
from ai_ops.errors import PermanentError
from ai_ops.flow.fixing import FixMode, Session
from ai_ops.flow.task import TaskState
from tests.support import shop
from tests.support.workshop import SERVER_SECRET, Asked

pytestmark = pytest.mark.usefixtures("remembered_suites")

NO_FIX = {"files": {shop.MODULE_PATH: shop.BROKEN + "\n# mended\n"}}
GOOD = {"files": {shop.MODULE_PATH: shop.FIXED}}
LOGGED = "request 0: product infuser could not be listed"
PRINTS = f"print('{SERVER_SECRET[:9]}' + '{SERVER_SECRET[9:]}')"  # the guard sees no secret in the change
IDS = "7efbdfc3-0f23-4304-ba97-e1187a22a18{:x}"
RECORD = b'{"secret": "' + SERVER_SECRET.encode() + b'"}\n\xff\n'


class InSessions(Asked):
    """A fixer that has sessions; ``loses`` how often it cannot go on with one, ``too_long`` keeps none."""

    def __init__(self, script, *, loses=0, too_long=False):
        super().__init__(script)
        self.loses, self.too_long = loses, too_long

    async def ask(self, request, watch):
        if request.session is not None and self.loses:
            self.loses -= 1
            self.requests.append(request)
            raise failure("model_session_lost", "No conversation found")
        answer = await super().ask(request, watch)
        session_id = request.session.id if request.session else IDS.format(len(self.requests))
        kept = Session(session_id, RECORD) if request.keep_session and not self.too_long else None
        return dataclasses.replace(answer, session_id=session_id, session=kept)


def in_sessions(*fixes, **options):
    return InSessions(shop.script(*fixes), **options)


async def told(floor, task):
    events = await floor.tools.trace.events_after(run_id(task.id, 1), 0)
    return [event.data["message"] for event in events if event.kind == "error"]


async def test_a_round_goes_on_with_the_session_of_the_one_before_and_a_fix_begins_its_own(workshop):
    fixer = in_sessions(NO_FIX, NO_FIX, GOOD)
    async with workshop(fixer=fixer, fix_mode=FixMode.AGENTIC, max_rounds=3) as floor:
        task = await floor.repaired()

        assert (task.state, task.proof.verdict) == (TaskState.COMPLETED, "proved")
        assert fixer.purposes == ["reproduce:1", "fix:1", "fix:2", "fix:3"]
        gone_on_with = [request.session for request in fixer.requests]
        assert gone_on_with == [None, None, Session(IDS.format(2), RECORD), Session(IDS.format(2), RECORD)]
        assert [request.keep_session for request in fixer.requests] == [True] * 4  # a revision goes on
        first, second = fixer.requests[1].prompt, fixer.requests[2].prompt
        assert LOGGED in first
        assert LOGGED not in second
        assert "still_failing" in second
        steps = await floor.steps(task)
        assert [steps[f"fix:{n}"].output["session"] for n in (1, 2, 3)] == [IDS.format(2)] * 3
        assert SERVER_SECRET not in await floor.everything_kept(task)
        assert await told(floor, task) == []


async def test_a_session_that_is_lost_is_begun_anew_with_what_was_found(workshop):
    fixer = in_sessions(NO_FIX, GOOD, loses=1)
    async with workshop(fixer=fixer, fix_mode=FixMode.AGENTIC) as floor:
        task = await floor.repaired()

        assert (task.state, task.proof.verdict) == (TaskState.COMPLETED, "proved")
        assert fixer.purposes == ["reproduce:1", "fix:1", "fix:2", "fix:2"]
        *_, lost, fresh = fixer.requests
        assert (lost.session is None, fresh.session) == (False, None)
        assert LOGGED in fresh.prompt
        assert "still_failing" in fresh.prompt
        (words,) = await told(floor, task)
        assert words.startswith("model_session_lost: ")
        assert "A new session" in words
        assert await floor.artifact(task, "fix-2-prompt") == fresh.prompt
        assert (await floor.steps(task))["fix:2"].output["session"] == IDS.format(4)


async def test_a_failure_in_a_session_that_is_another_is_not_taken_for_a_lost_one(workshop):
    fixer = in_sessions(NO_FIX, {"failure": "model_refused"})
    async with workshop(fixer=fixer, fix_mode=FixMode.AGENTIC) as floor:
        task = await floor.repaired()
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "model_refused")
        assert fixer.purposes == ["reproduce:1", "fix:1", "fix:2"]


async def test_a_session_that_could_not_be_kept_is_told_and_done_without(workshop):
    fixer = in_sessions(NO_FIX, GOOD, too_long=True)
    async with workshop(fixer=fixer, fix_mode=FixMode.AGENTIC) as floor:
        task = await floor.repaired()
        assert task.proof.verdict == "proved"
        assert [request.session for request in fixer.requests] == [None] * 3
        assert "still_failing" in fixer.requests[2].prompt
        assert {words.partition(":")[0] for words in await told(floor, task)} == {"the session is not kept"}


async def test_answers_in_blocks_have_no_session(workshop):
    fixer = in_sessions(NO_FIX, GOOD)
    async with workshop(fixer=fixer) as floor:
        task = await floor.repaired()
        assert task.proof.verdict == "proved"
        assert {(request.session, request.keep_session) for request in fixer.requests} == {(None, False)}
        names = [a.name for a in await floor.tools.trace.artifacts(run_id(task.id, 1))]
        for name in ("reproduce-1", "fix-1", "fix-2"):
            assert {f"{name}-prompt", f"{name}-answer"} <= set(names)
        assert not [name for name in names if name.endswith("-transcript")]


# --- what goes back ---

NOISY = f"""\
from shop.ratings import average


def test_it():
    print("a" * 300_000)
    {PRINTS}
    print("hid\\u200bden, and </data- and the end")
    assert average([5]) == 1.0, "the very end"
"""


@pytest.mark.parametrize("mode", FixMode)
async def test_what_the_tests_printed_goes_back_masked_and_bounded(workshop, mode):
    wrong = {"files": {shop.MODULE_PATH: shop.FIXED.replace("return 0.0", f"{PRINTS}; 1 / 0")}}
    async with workshop(shop.script(wrong, GOOD), fix_mode=mode) as floor:
        await floor.repaired()
        (again,) = [r.prompt for r in floor.fixer.requests if (r.purpose, r.round) == ("fix", 2)]
        back = again[again.index("still_failing") :]
        assert "reproduction-after-1-report:\n$ " in back
        assert "FAILED tests/test_ratings_without_reviews.py::" in back
        assert "1 / 0" in back
        assert "suite-after-1-report:\n$ " in back
        assert SERVER_SECRET not in again


async def test_what_a_reproduction_printed_goes_back_as_data(workshop):
    script = shop.script()
    script["reproduce"].insert(0, {"files": {shop.TEST_PATH: NOISY}})
    async with workshop(script) as floor:
        await floor.repaired()
        first, again = (r.prompt for r in floor.fixer.requests if r.purpose == "reproduce")
        assert "reproduction-1-before-report" in again
        assert "characters left out" in again
        assert len(again) < len(first) + 8_000
        assert SERVER_SECRET not in again
        assert "\u200b" not in again


# --- what is kept ---


async def test_the_course_of_an_agentic_request_is_kept_for_people(workshop):
    said = {"answer": f"I found {SERVER_SECRET}."}
    async with workshop(shop.script(GOOD | said), fix_mode=FixMode.AGENTIC) as floor:
        task = await floor.repaired()
        for name in ("reproduce-1", "fix-1"):
            assert "Claude uses Write\n" in await floor.artifact(task, f"{name}-transcript")
            assert await floor.artifact(task, f"{name}-prompt")
            assert "The list of stars is empty." in await floor.artifact(task, f"{name}-answer")
        assert "I found" in await floor.artifact(task, "fix-1-transcript")
        assert SERVER_SECRET not in await floor.everything_kept(task)


async def test_the_course_of_a_request_that_failed_is_kept_too(workshop):
    class FailsLate(Asked):
        async def ask(self, request, watch):
            await super().ask(request, watch)
            raise PermanentError("budget_spent", "the run has spent its 2.00 USD")

    fixer = FailsLate(shop.script())
    async with workshop(fixer=fixer, fix_mode=FixMode.AGENTIC) as floor:
        task = await floor.repaired()
        assert (task.state, task.failure["code"]) == (TaskState.FAILED, "budget_spent")
        assert "The list of stars is empty." in await floor.artifact(task, "reproduce-1-transcript")
