from dataclasses import replace

import pytest

from ai_ops.core.publishable import publishable
from ai_ops.core.publishing_limits import NO_PLACE
from ai_ops.core.verbs import VERBS, decide
from ai_ops.errors import PermanentError
from ai_ops.flow.task import TRANSITIONS, Proof, TaskState, Verdict
from tests.support.memory_ports import a_task

S = TaskState
WANTED = {
    "cancel": set(S) - {S.COMPLETED, S.FAILED},
    "pause": {S.PENDING, S.PROCESSING, S.RETRYING, S.WAITING_UNBAN, S.PAUSED},
    "resume": {S.PAUSED, S.PENDING, S.PROCESSING, S.RETRYING, S.WAITING_UNBAN},
    "retry": {S.FAILED, S.CANCELLED, S.NEEDS_HUMAN_REVIEW, S.PENDING, S.RETRYING, S.WAITING_UNBAN},
    "approve": {S.NEEDS_HUMAN_REVIEW},
    "reject": {S.NEEDS_HUMAN_REVIEW},
}  # fmt: skip
FULFILLED = {
    "cancel": {S.CANCELLED},
    "pause": {S.PAUSED},
    "resume": {S.PENDING, S.PROCESSING, S.RETRYING, S.WAITING_UNBAN},
    "retry": {S.PENDING, S.RETRYING, S.WAITING_UNBAN},
}


@pytest.mark.parametrize("state", list(S), ids=str)
@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_applies_where_it_should_and_moves_along_the_table(verb, state):
    task = a_task(state=state)
    if state not in WANTED[verb]:
        with pytest.raises(PermanentError) as caught:
            decide(verb, task)
        assert caught.value.code == "illegal_transition"
        assert verb in caught.value.next_step
        return
    change = decide(verb, task)
    if change.to is None:
        assert state in FULFILLED[verb]
        assert change.wake is (verb in ("resume", "retry") and state in (S.RETRYING, S.WAITING_UNBAN))
        assert not change.changes
    else:
        assert change.to in TRANSITIONS[state]


@pytest.mark.parametrize("require_proof", [True, False], ids=["proof required", "proof not required"])
@pytest.mark.parametrize("verdict", [*Verdict, None], ids=str)
def test_refuted_and_blocked_changes_are_published_by_nobody(verdict, require_proof):
    wanted = {Verdict.PROVED: True, Verdict.UNPROVED: not require_proof}.get(verdict, False)
    assert publishable(verdict, require_proof=require_proof) is wanted


def test_what_a_refusal_names_is_what_is_taken():
    with pytest.raises(PermanentError) as caught:
        decide("cancel", a_task(state=S.COMPLETED))
    _, _, named = caught.value.next_step.partition(": ")
    assert set(named.split(", ")) == WANTED["cancel"] - FULFILLED["cancel"]


def test_a_command_that_waits_for_a_person_is_not_approved_as_if_it_were_a_change():
    failure = {"code": "command_held", "message": "a push", "next_step": "ai-ops security unblock"}
    held = a_task(state=S.NEEDS_HUMAN_REVIEW, failure=failure)
    with pytest.raises(PermanentError) as caught:
        decide("approve", held)
    assert (caught.value.code, caught.value.next_step) == ("illegal_transition", "ai-ops security unblock")
    assert decide("reject", held).changes["failure"] is None
    assert decide("retry", held).changes["failure"] is None


def review(verdict, candidate="run-1", **changes):
    payload = {"fix_mode": "agentic"} | ({"candidate_run": candidate} if candidate else {})
    return a_task(
        state=S.NEEDS_HUMAN_REVIEW, proof=Proof(verdict), payload=payload, trace_id="run-1", **changes
    )


def test_approving_a_repair_that_waits_for_a_place_lets_it_go_on_beyond_the_limit():
    waits = review(None, candidate="", waiting_for=NO_PLACE)
    change = decide("approve", waits)
    assert (change.to, change.changes["action"]) == (S.PENDING, "work")
    assert change.changes["payload"] == {"fix_mode": "agentic", "beyond_limits": True}


@pytest.mark.parametrize("verdict", [Verdict.PROVED, Verdict.UNPROVED])
def test_approving_publishes_the_change_of_the_last_run(verdict):
    change = decide("approve", review(verdict))
    assert change.to is S.PENDING
    assert change.changes["action"] == "publish"
    assert change.changes["run_number"] == 2
    assert "proof" not in change.changes


@pytest.mark.parametrize(
    "task",
    [
        pytest.param(review(Verdict.REFUTED), id="refuted"),
        pytest.param(review(Verdict.BLOCKED), id="blocked"),
        pytest.param(review(None), id="not judged"),
        pytest.param(review(Verdict.UNPROVED, candidate=None), id="no change"),
        pytest.param(review(Verdict.UNPROVED, candidate="run-0"), id="a change of an earlier run"),
    ],
)
def test_approving_anything_else_publishes_nothing(task):
    change = decide("approve", task)
    assert change.to is S.COMPLETED
    assert "action" not in change.changes
    why = {Verdict.BLOCKED: "the guard withheld it", Verdict.REFUTED: "the evidence speaks against it"}
    wanted = why.get(task.proof.verdict, "there is none to publish")
    assert change.changes["outcome_reason"] == f"accepted without a change: {wanted}"


def test_a_retry_begins_anew_and_forgets_the_change_it_had():
    task = review(Verdict.REFUTED, attempts=3, action="publish", failure={"code": "x"}, run_number=4)
    after = replace(task, **decide("retry", task).changes)
    assert (after.run_number, after.action, after.attempts, after.failure) == (5, "work", 0, None)
    assert after.proof == Proof()
    assert after.payload == {"fix_mode": "agentic"}
    # The next run ends unproved without a change: there is nothing to publish.
    again = replace(after, state=S.NEEDS_HUMAN_REVIEW, proof=Proof(Verdict.UNPROVED), trace_id="run-5")
    assert decide("approve", again).to is S.COMPLETED


def test_an_unknown_verb_is_a_fault_of_the_caller():
    with pytest.raises(KeyError):
        decide("explode", a_task())
