"""What an event or a wish means for its issue, over the whole table of states."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from ai_ops.core.intake import IssueStanding, came_back, culprit, only_counts, request, take, title
from ai_ops.flow.event import ErrorDetail, Frame
from ai_ops.flow.issue import IssueState, TriageClass, TriageDecision
from ai_ops.flow.pull_request import PullRequestState
from ai_ops.flow.task import TaskState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAULT = TriageDecision(TriageClass.CODE_FAULT, True, "a fault")
DENIED = TriageDecision(TriageClass.EXPECTED, False, "a denial")
UNFINISHED = [state for state in TaskState if not state.final]
FINAL = [state for state in TaskState if state.final]


def known(state=IssueState.OPEN, task=None, pull_request=None, episode=2, resolved_at=None):
    return IssueStanding(state, episode, task, pull_request, resolved_at)


@pytest.mark.parametrize("triage", [FAULT, DENIED], ids=["fault", "denial"])
def test_a_fingerprint_never_seen_is_new_and_queued_when_triage_says_so(triage):
    found = take(None, NOW, triage)
    assert (found.outcome, found.episode, found.state) == ("new", 1, "open")
    assert found.create_task is triage.repair
    assert found.reason == triage.reason


@pytest.mark.parametrize("task", list(TaskState))
@pytest.mark.parametrize("pull_request", [None, *PullRequestState])
def test_a_repeat_never_queues_a_second_repair_in_its_episode(task, pull_request):
    found = take(known(task=task, pull_request=pull_request), NOW, FAULT)
    assert (found.outcome, found.episode, found.create_task) == ("repeated", 2, False)


def test_a_repeat_queues_the_repair_that_the_episode_does_not_have_yet():
    assert take(known(), NOW, FAULT).create_task
    assert not take(known(), NOW, DENIED).create_task


@pytest.mark.parametrize("task", [None, *TaskState])
def test_an_ignored_issue_stays_ignored(task):
    found = take(known(IssueState.IGNORED, task), NOW, FAULT)
    assert (found.outcome, found.state, found.create_task) == ("ignored", "ignored", False)


@pytest.mark.parametrize("task", FINAL)
@pytest.mark.parametrize("pull_request", [None, PullRequestState.CLOSED])
def test_a_resolved_issue_that_happens_again_opens_the_next_episode(task, pull_request):
    found = take(known(IssueState.RESOLVED, task, pull_request, resolved_at=NOW), NOW + timedelta(1), FAULT)
    assert (found.outcome, found.episode, found.state, found.create_task) == ("regressed", 3, "open", True)


def test_whether_a_merged_fix_failed_is_the_watchs_to_say():
    issue = known(IssueState.RESOLVED, TaskState.COMPLETED, PullRequestState.MERGED, resolved_at=NOW)
    found = take(issue, NOW + timedelta(1), FAULT)
    assert (found.outcome, found.episode, found.state, found.create_task) == (
        "repeated",
        2,
        "resolved",
        False,
    )
    assert only_counts(issue)


@pytest.mark.parametrize("state", [IssueState.OPEN, IssueState.RESOLVED])
@pytest.mark.parametrize("triage", [FAULT, DENIED], ids=["fault", "denial"])
def test_a_merged_fix_that_failed_opens_the_next_episode(state, triage):
    found = came_back(known(state, TaskState.COMPLETED, PullRequestState.MERGED), triage)
    assert (found.outcome, found.episode, found.state) == ("regressed", 3, "open")
    assert found.create_task is triage.repair


@pytest.mark.parametrize(
    "standing",
    [
        known(IssueState.IGNORED, TaskState.COMPLETED, PullRequestState.MERGED),
        known(IssueState.MERGED, TaskState.COMPLETED, PullRequestState.MERGED),
        known(IssueState.OPEN, TaskState.PROCESSING, PullRequestState.MERGED),
        known(IssueState.RESOLVED, TaskState.NEEDS_HUMAN_REVIEW, PullRequestState.MERGED),
    ],
    ids=["ignored", "merged", "at work", "in review"],
)
def test_a_merged_fix_that_failed_opens_nothing_where_others_decide_or_work(standing):
    assert came_back(standing, FAULT) is None


def test_a_regression_of_an_episode_without_a_repair_stays_in_it():
    found = take(known(IssueState.RESOLVED, resolved_at=NOW), NOW + timedelta(1), DENIED)
    assert (found.outcome, found.episode, found.create_task) == ("regressed", 2, False)


@pytest.mark.parametrize("task", [None, TaskState.CANCELLED])
def test_an_issue_that_waits_for_a_storm_counts_on_and_says_why(task):
    issue = IssueStanding(IssueState.OPEN, 1, task, waiting="a storm", withdrawn=task is not None)
    found = take(issue, NOW, FAULT)
    assert (found.outcome, found.episode, found.create_task, found.reason) == (
        "repeated", 1, False, "a storm",
    )  # fmt: skip


def test_what_a_storm_took_back_is_repaired_in_the_next_episode_when_it_happens_after_it():
    issue = IssueStanding(IssueState.OPEN, 1, TaskState.CANCELLED, withdrawn=True)
    found = take(issue, NOW, FAULT)
    assert (found.episode, found.create_task) == (2, True)
    assert not take(issue, NOW, DENIED).create_task


STANDINGS = [
    IssueStanding(state, 2, task, pull_request, resolved_at, waiting, withdrawn, expired)
    for state in IssueState
    for task in (None, *TaskState)
    for resolved_at in (None, NOW)
    for waiting in ("", "a storm")
    for withdrawn in (False, True)
    for pull_request in (None, PullRequestState.OPEN, PullRequestState.CLOSED)
    for expired in (False, True)
]


def test_an_issue_only_counts_where_no_event_could_change_more():
    moments = (NOW - timedelta(1), NOW + timedelta(1))
    for standing in filter(only_counts, STANDINGS):
        for at, triage in product(moments, (FAULT, DENIED)):
            found = take(standing, at, triage)
            assert (found.episode, found.state, found.create_task) == (2, standing.state, False), standing
            assert found.outcome in ("repeated", "ignored"), standing


def test_an_issue_that_has_its_repair_or_is_ignored_only_counts():
    assert only_counts(known(task=TaskState.COMPLETED))
    assert only_counts(known(IssueState.IGNORED))
    assert not only_counts(known())


def test_an_issue_that_waited_without_a_task_is_repaired_in_its_own_episode():
    assert take(IssueStanding(IssueState.OPEN, 1), NOW, FAULT).episode == 1


@pytest.mark.parametrize("late", [timedelta(0), timedelta(hours=-1)], ids=["same moment", "spooled"])
def test_an_event_from_before_the_resolution_is_old_news(late):
    issue = known(IssueState.RESOLVED, TaskState.COMPLETED, PullRequestState.MERGED, resolved_at=NOW)
    found = take(issue, NOW + late, FAULT)
    assert (found.outcome, found.state, found.create_task) == ("repeated", "resolved", False)


@pytest.mark.parametrize(
    ("task", "pull_request"),
    [*((state, None) for state in UNFINISHED), (TaskState.COMPLETED, PullRequestState.OPEN)],
)
def test_a_regression_while_the_repair_is_in_hand_does_not_open_a_second_one(task, pull_request):
    issue = known(IssueState.RESOLVED, task, pull_request, resolved_at=NOW)
    found = take(issue, NOW + timedelta(1), FAULT)
    assert (found.outcome, found.episode, found.state, found.create_task) == ("regressed", 2, "open", False)


@pytest.mark.parametrize("state", list(IssueState))
@pytest.mark.parametrize("task", UNFINISHED)
def test_a_wish_is_answered_with_the_repair_in_hand(state, task):
    found = request(known(state, task))
    assert not found.create_task and found.episode == 2 and found.reason


@pytest.mark.parametrize("task", FINAL)
@pytest.mark.parametrize("pull_request", [PullRequestState.OPEN, PullRequestState.CLOSED])
def test_a_wish_is_answered_with_the_pull_request_that_is_open_or_was_turned_down(task, pull_request):
    found = request(known(task=task, pull_request=pull_request))
    assert not found.create_task and found.reason


@pytest.mark.parametrize("task", FINAL)
@pytest.mark.parametrize("pull_request", [None, PullRequestState.MERGED])
def test_a_wish_after_the_end_opens_the_next_episode(task, pull_request):
    assert request(known(task=task, pull_request=pull_request)) == request(known(task=task))
    assert request(known(task=task, pull_request=pull_request)).episode == 3


@pytest.mark.parametrize("task", FINAL)
def test_a_person_who_names_the_issue_insists_after_a_refusal(task):
    found = request(known(task=task, pull_request=PullRequestState.CLOSED), insists=True)
    assert (found.create_task, found.episode) == (True, 3)
    assert not request(known(task=task, pull_request=PullRequestState.OPEN), insists=True).create_task


def expired(task=TaskState.COMPLETED, pull_request=PullRequestState.CLOSED):
    return IssueStanding(IssueState.OPEN, 2, task, pull_request, expired=True)


@pytest.mark.parametrize("triage", [FAULT, DENIED], ids=["fault", "denial"])
def test_an_error_whose_pull_request_expired_is_repaired_anew_when_it_happens_again(triage):
    assert not only_counts(expired())
    found = take(expired(), NOW, triage)
    assert (found.outcome, found.episode, found.create_task) == ("repeated", 3, triage.repair)
    assert request(expired()).episode == 3


@pytest.mark.parametrize(
    "standing",
    [expired(TaskState.PROCESSING), expired(pull_request=PullRequestState.OPEN)],
    ids=["still at work", "opened again"],
)
def test_what_is_in_hand_is_not_begun_anew_after_an_expiry(standing):
    assert only_counts(standing)
    assert not take(standing, NOW, FAULT).create_task


def test_a_wish_for_a_new_or_never_repaired_issue_is_taken_in_its_episode():
    assert (request(None).create_task, request(None).episode) == (True, 1)
    assert (request(known()).create_task, request(known()).episode) == (True, 2)


def test_a_title_names_type_and_innermost_own_frame_and_never_the_text():
    frames = (
        Frame("app/main.py", 1, "main"),
        Frame("app/calc.py", 9, "divide"),
        Frame("/lib/x.py", 2, "y", False),
    )
    error = ErrorDetail("raw password=hunter2", "python", "builtins.ZeroDivisionError", "hunter2", frames)
    assert title(error) == "ZeroDivisionError in divide (app/calc.py)"
    assert culprit(error) == "divide (app/calc.py)"
    ruby = ErrorDetail("raw", "ruby", "Stripe::CardDeclined", "no", (Frame("app/order.rb", 1, "Order#pay"),))
    assert title(ruby) == "CardDeclined in Order.pay (app/order.rb)"


@pytest.mark.parametrize(
    ("message", "wanted"),
    [
        ("user 4711 not found", "Error: user ... not found"),
        ("cannot reach https://x.example/?t=1 at 10:02", "Error: cannot reach ... at ..."),
        ("token=***3456 refused", "Error: token ... refused"),
        ("/merge Fixes #1 @all [skip ci] `x`\u202e", "Error: ... Fixes ... all skip ci ..."),
        ("", "Error: ERROR the listing"),
    ],
    ids=["numbers", "addresses", "secrets", "what would act", "no message"],
)
def test_a_title_without_a_trace_is_the_masked_template_of_the_message(message, wanted):
    error = ErrorDetail("ERROR the listing\nmore", message=message, fingerprint="ab12cd34ef567890")
    assert title(error) == wanted


def test_a_title_without_any_words_is_the_type_alone():
    assert title(ErrorDetail("", fingerprint="ab12cd34ef567890")) == "Error"
    assert title(ErrorDetail("x", "", "ValueError", "12 is bad")) == "ValueError: ... is bad"


def test_names_from_a_hostile_trace_lose_what_could_speak():
    frame = Frame("a.py\r\n@everyone [x](http://evil) `id`", 1, "f' OR 1=1 #1 /merge!")
    made = title(ErrorDetail("x", "", "Bad\nError`<script>", "", (frame,)))
    assert not set(made) & set("\r\n`[]#!'@")
    assert len(title(ErrorDetail("x", "", "E" * 5000, "", (Frame("f" * 5000, 1, "g" * 5000),)))) <= 200
