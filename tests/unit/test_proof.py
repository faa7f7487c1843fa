"""The verdict: a table of reports before and after, and what each of them may prove."""

from dataclasses import replace

import pytest

from ai_ops.core.guard import Finding, Severity
from ai_ops.core.proof import (
    ReproductionVerdict,
    blocked,
    is_blocked,
    judge,
    judge_reproduction,
    same_place,
    steady,
    unsteady_on_base,
    unsteady_with_fix,
)
from ai_ops.flow.event import ErrorDetail, Frame
from ai_ops.flow.report import CaseOutcome, CaseResult, RunEnd, SuiteReport
from ai_ops.flow.task import Proof, Verdict

ERROR = ErrorDetail(
    raw_excerpt="Traceback …",
    language="python",
    exception_type="ZeroDivisionError",
    message="division by zero",
    frames=(
        Frame("/srv/app/src/shop/web.py", 10, "view"),
        Frame("/srv/app/src/shop/cart.py", 3, "average"),
        Frame("/usr/lib/python3.11/statistics.py", 5, "mean", in_app=False),
    ),
)
FRAMES = (Frame("tests/test_new.py", 5, "test_it"), Frame("src/shop/cart.py", 3, "average"))
NEW = "tests/test_new.py::test_it"


def case(test: str, outcome: str, kind: str = "", frames: tuple[Frame, ...] = ()) -> CaseResult:
    return CaseResult(test, CaseOutcome(outcome), kind, f"{kind} message" if kind else "", frames)


def report(*cases: CaseResult, code: int | None = None, end: RunEnd = RunEnd.EXITED) -> SuiteReport:
    failed = any(each.outcome in (CaseOutcome.FAILED, CaseOutcome.ERROR) for each in cases)
    return SuiteReport(end, (1 if failed else 0) if code is None else code, cases)


FAILING = case(NEW, "failed", "ZeroDivisionError", FRAMES)


def reproduced(given: SuiteReport, error: ErrorDetail = ERROR, new: str = "tests/test_new.py"):
    return judge_reproduction(given, error=error, new_tests=frozenset({new}))


def test_the_same_type_in_the_same_frame_is_a_reproduction():
    verdict = reproduced(report(FAILING, case("tests/test_old.py::test_a", "passed")))
    assert verdict.reproduced
    assert verdict.test_ids == (NEW,)
    assert [(reason.rule, reason.place) for reason in verdict.reasons] == [("reproduced", NEW)]
    assert "ZeroDivisionError in average" in verdict.reasons[0].text


@pytest.mark.parametrize(
    ("logged", "seen"),
    [
        ("ZeroDivisionError", "builtins.ZeroDivisionError"),
        ("shop.errors.CartError", "CartError"),
        ("shop.errors.CartError", "errors.CartError"),
    ],
)
def test_types_are_compared_by_their_last_name(logged, seen):
    assert reproduced(
        report(replace(FAILING, exception_type=seen)), replace(ERROR, exception_type=logged)
    ).reproduced


WRAPPED = replace(ERROR, exception_type="shop.PageFailed", cause_types=("CartError", "ZeroDivisionError"))


@pytest.mark.parametrize("seen", ["PageFailed", "CartError", "ZeroDivisionError"])
def test_below_what_wrapped_it_a_test_may_show_the_cause_in_its_own_frame(seen):
    verdict = reproduced(report(replace(FAILING, exception_type=seen)), WRAPPED)
    assert verdict.reproduced
    assert f"{seen} in average" in verdict.reasons[0].text


@pytest.mark.parametrize(
    ("failing", "rule"),
    [
        (case(NEW, "failed", "ZeroDivisionError", FRAMES[:1]), "frame_missing"),
        (case(NEW, "failed", "KeyError", FRAMES), "other_exception_type"),
    ],
    ids=["elsewhere", "no cause of it"],
)
def test_a_cause_counts_in_the_logged_frame_only(failing, rule):
    assert [reason.rule for reason in reproduced(report(failing), WRAPPED).reasons] == [rule]


def test_a_test_may_be_named_by_its_id():
    assert reproduced(report(FAILING), new=NEW).reproduced
    assert not reproduced(report(FAILING), new="tests/test_new.py::test_other").reproduced


def without_results(code: int | None, end: RunEnd = RunEnd.EXITED) -> SuiteReport:
    return SuiteReport(end, code, None)


NOT_REPRODUCED = {
    "passes on the base": (report(case(NEW, "passed")), "passes_on_base"),
    "skipped": (report(case(NEW, "skipped")), "skipped_on_base"),
    "another type": (report(case(NEW, "failed", "AssertionError", FRAMES)), "other_exception_type"),
    "a subclass's base": (report(case(NEW, "failed", "ArithmeticError", FRAMES)), "other_exception_type"),
    "a type that ends alike": (
        report(case(NEW, "failed", "MyZeroDivisionError", FRAMES)),
        "other_exception_type",
    ),
    "no type": (report(case(NEW, "failed")), "other_exception_type"),
    "not collected": (
        report(case("tests/test_new.py", "error", "ModuleNotFoundError")),
        "other_exception_type",
    ),
    "raised by the test itself": (
        report(case(NEW, "failed", "ZeroDivisionError", FRAMES[:1])),
        "frame_missing",
    ),
    "another function of the file": (
        report(case(NEW, "failed", "ZeroDivisionError", (Frame("src/shop/cart.py", 3, "total"),))),
        "frame_missing",
    ),
    "another file": (
        report(case(NEW, "failed", "ZeroDivisionError", (Frame("src/other/cart.py", 3, "average"),))),
        "frame_missing",
    ),
    "only the outer logged frame": (
        report(case(NEW, "failed", "ZeroDivisionError", (Frame("src/shop/web.py", 10, "view"),))),
        "frame_missing",
    ),
    "no frames": (report(case(NEW, "failed", "ZeroDivisionError")), "frame_missing"),
    "only other tests ran": (
        report(case("tests/test_old.py::test_a", "failed", "ZeroDivisionError", FRAMES)),
        "not_collected",
    ),
    "no tests": (report(code=5), "no_tests"),
    "no report": (without_results(2), "no_report"),
    "early exit": (without_results(0), "early_exit"),
    "killed": (without_results(-9), "crashed"),
    "killed in a shell": (without_results(137), "crashed"),
    "no exit code": (without_results(None), "crashed"),
    "wall timeout": (without_results(None, RunEnd.WALL_TIMEOUT), "timeout"),
    "idle timeout": (without_results(None, RunEnd.IDLE_TIMEOUT), "timeout"),
    "timeout beside a report": (report(FAILING, end=RunEnd.WALL_TIMEOUT), "timeout"),
    "too much output": (without_results(None, RunEnd.OUTPUT_LIMIT), "output_limit"),
    **{
        f"a limit of the sandbox: {end}": (without_results(None, end), end.value)
        for end in RunEnd
        if end.value.endswith("_limit")
    },
    "exit 0 beside a failure": (report(FAILING, code=0), "report_disagrees"),
}


@pytest.mark.parametrize(("given", "rule"), NOT_REPRODUCED.values(), ids=NOT_REPRODUCED.keys())
def test_what_is_no_reproduction_says_why(given, rule):
    verdict = reproduced(given)
    assert not verdict.reproduced
    assert verdict.test_ids == ()
    assert [reason.rule for reason in verdict.reasons] == [rule]


def test_one_reproducing_test_among_others_is_enough_and_only_it_is_evidence():
    others = (
        case("tests/test_new.py::test_b", "passed"),
        case("tests/test_new.py::test_c", "failed", "KeyError"),
    )
    verdict = reproduced(report(FAILING, *others))
    assert verdict.test_ids == (NEW,)


def test_without_logged_frames_the_type_alone_decides_and_that_is_said():
    bare = replace(ERROR, frames=(Frame("/usr/lib/x.py", 1, "f", in_app=False),))
    verdict = reproduced(report(case(NEW, "failed", "ZeroDivisionError")), bare)
    assert verdict.reproduced
    assert [reason.rule for reason in verdict.reasons] == ["reproduced", "frame_not_logged"]


def test_without_a_logged_type_the_frame_decides_and_that_is_said():
    untyped = replace(ERROR, exception_type="")
    assert [reason.rule for reason in reproduced(report(FAILING), untyped).reasons] == [
        "reproduced",
        "no_exception_type",
    ]
    assert not reproduced(report(case(NEW, "failed", "KeyError", FRAMES[:1])), untyped).reproduced


@pytest.mark.parametrize(
    ("logged", "seen", "same"),
    [
        (("/srv/app/src/shop/cart.py", "f"), ("src/shop/cart.py", "f"), True),
        (("shop/cart.py", "f"), ("src/shop/cart.py", "f"), True),
        (("/srv/site-packages/shop/cart.py", "f"), ("src/shop/cart.py", "f"), True),
        (("/app/main.py", "f"), ("main.py", "f"), True),
        (("/app/main.py", "f"), ("/workspace/main.py", "f"), True),
        (("C:\\app\\shop\\cart.py", "f"), ("shop/cart.py", "f"), True),
        (("/app/main.py", "f"), ("other/main.py", "f"), False),
        (("/srv/a/shop/cart.py", "f"), ("src/other/cart.py", "f"), False),
        (("cart.py", "f"), ("cart.py", "g"), False),
        (("cart.py", ""), ("src/cart.py", "g"), True),
        (("", "f"), ("", "f"), False),
        (("/srv/mycart.py", "f"), ("cart.py", "f"), False),
        pytest.param(("src/a.js", "Object.average"), ("src/a.js", "average"), True, id="called otherwise"),
        pytest.param(("src/a.js", "Object.<anonymous>"), ("src/a.js", "average"), True, id="no name"),
        pytest.param(("src/a.rs", "shop::a::half"), ("src/a.rs", "half"), True, id="no module"),
        pytest.param(
            ("src/a.rs", "shop::a::half"), ("src/a.rs", "shop::b::half"), False, id="another module"
        ),
        pytest.param(("src/a.js", "Object.average"), ("src/a.js", "sum"), False, id="another function"),
    ],
)
def test_frames_are_the_same_wherever_the_repository_stood(logged, seen, same):
    assert same_place(Frame(logged[0], 1, logged[1]), Frame(seen[0], 9, seen[1])) is same


OLD = tuple(case(f"tests/test_old.py::test_{name}", "passed") for name in "abc")
AFTER = report(case(NEW, "passed"))
BEFORE = report(*OLD)
SUITE = report(*OLD, case(NEW, "passed"))
GOOD = reproduced(report(FAILING))


def judged(
    after: SuiteReport = AFTER, before: SuiteReport = BEFORE, suite: SuiteReport = SUITE, **more
) -> Proof:
    return judge(more.get("reproduction", GOOD), after, before, suite, more.get("error", ERROR))


def rules(proof: Proof) -> list[str]:
    return [reason.rule for reason in proof.reasons]


def test_failed_before_passed_after_and_a_clean_suite_is_proved():
    proof = judged()
    assert proof.verdict is Verdict.PROVED
    assert rules(proof) == ["reproduced", "passes_after", "suite_clean"]


def test_a_log_without_a_frame_of_the_application_is_unproved():
    bare = replace(ERROR, frames=())
    proof = judged(reproduction=reproduced(report(FAILING), bare), error=bare)
    assert proof.verdict is Verdict.UNPROVED
    assert rules(proof)[0] == "frame_not_logged"


def test_a_fix_for_the_logged_value_alone_is_refuted_by_the_test_of_another():
    other = "tests/test_new.py::test_another_value"
    failing = replace(FAILING, id=other)
    proof = judge(
        reproduced(report(FAILING, failing)),
        report(case(NEW, "passed"), failing),
        report(case("tests/test_old.py::test_a", "passed")),
        report(case("tests/test_old.py::test_a", "passed")),
        ERROR,
    )
    assert proof.verdict is Verdict.REFUTED
    assert [(each.rule, each.place) for each in proof.reasons][:1] == [("still_failing", other)]


def test_failures_that_were_there_before_are_fine_and_named():
    broken = case("tests/test_old.py::test_x", "failed", "KeyError")
    proof = judged(before=report(*OLD, broken), suite=report(*OLD, broken))
    assert proof.verdict is Verdict.PROVED
    assert "failed_before_too" in rules(proof)


def test_where_one_command_runs_all_tests_those_of_the_suite_are_judged_with_the_suite():
    broken = case("tests/test_old.py::test_x", "failed", "KeyError")
    everything = report(*OLD, broken, case(NEW, "passed"))
    proof = judged(after=everything, before=report(*OLD, broken), suite=everything)
    assert proof.verdict is Verdict.PROVED
    proof = judged(
        after=everything, before=report(*OLD, replace(broken, outcome=CaseOutcome.PASSED)), suite=everything
    )
    assert (proof.verdict, rules(proof)[0]) == (Verdict.REFUTED, "new_failure")
    assert "still_failing" not in rules(proof)


def test_a_file_that_could_not_be_collected_before_and_now_runs_has_not_vanished():
    before = report(*OLD, case("tests/test_x.py", "error", "ImportError"))
    proof = judged(before=before, suite=report(*OLD, case("tests/test_x.py::test_y", "passed")))
    assert proof.verdict is Verdict.PROVED


BROKEN = case("tests/test_old.py::test_a", "failed", "KeyError")
REFUTED = {
    "still failing": ({"after": report(FAILING)}, "still_failing", NEW),
    "failing otherwise": ({"after": report(case(NEW, "error", "KeyError"))}, "still_failing", NEW),
    "another new test fails": (
        {"after": report(case(NEW, "passed"), case("tests/test_new.py::test_b", "failed", "KeyError"))},
        "still_failing",
        "tests/test_new.py::test_b",
    ),
    "a new failure": ({"suite": report(BROKEN, *OLD[1:])}, "new_failure", BROKEN.id),
    "a new error": (
        {"suite": report(replace(BROKEN, outcome=CaseOutcome.ERROR), *OLD[1:])},
        "new_failure",
        BROKEN.id,
    ),
    "a failure of a test that was skipped": (
        {
            "before": report(*OLD, case("t.py::x", "skipped")),
            "suite": report(*OLD, case("t.py::x", "failed", "E")),
        },
        "new_failure",
        "t.py::x",
    ),
    "a new failure beside exit 0": ({"suite": report(BROKEN, *OLD[1:], code=0)}, "new_failure", BROKEN.id),
    "a file that cannot be collected any more": (
        {"suite": report(case("tests/test_old.py", "error", "ImportError"))},
        "new_failure",
        "tests/test_old.py",
    ),
    "a vanished test": ({"suite": report(*OLD[1:])}, "test_vanished", OLD[0].id),
    "a test that is skipped now": (
        {"suite": report(replace(OLD[0], outcome=CaseOutcome.SKIPPED), *OLD[1:])},
        "newly_skipped",
        OLD[0].id,
    ),
    "one test reported twice": ({"suite": report(*OLD, BROKEN)}, "new_failure", BROKEN.id),
}


@pytest.mark.parametrize(("given", "rule", "place"), REFUTED.values(), ids=REFUTED.keys())
def test_what_speaks_against_a_fix_refutes_it(given, rule, place):
    proof = judged(**given)
    assert proof.verdict is Verdict.REFUTED
    assert (rule, place) in {(reason.rule, reason.place) for reason in proof.reasons}


UNPROVED = {
    "not reproduced": ({"reproduction": reproduced(report(case(NEW, "passed")))}, "not_reproduced"),
    "no exception type": ({"error": replace(ERROR, exception_type="")}, "no_exception_type"),
    "the reproduction is gone": ({"after": report(case("x.py::y", "passed"))}, "reproduction_missing"),
    "the reproduction is skipped": ({"after": report(case(NEW, "skipped"))}, "reproduction_skipped"),
    "the reproduction has no report": ({"after": without_results(1)}, "no_report"),
    "the reproduction exits early": ({"after": without_results(0)}, "early_exit"),
    "the reproduction hangs": ({"after": without_results(None, RunEnd.IDLE_TIMEOUT)}, "timeout"),
    "the reproduction runs no test": ({"after": report(code=5)}, "no_tests"),
    "the reproduction passes with a bad exit": (
        {"after": report(case(NEW, "passed"), code=3)},
        "exit_disagrees",
    ),
    "no suite report before": ({"before": without_results(1)}, "no_report"),
    "no suite report after": ({"suite": without_results(1)}, "no_report"),
    "the suite exits early": ({"suite": without_results(0)}, "early_exit"),
    "the suite hangs": ({"suite": without_results(None, RunEnd.WALL_TIMEOUT)}, "timeout"),
    "the suite crashes": ({"suite": without_results(-11)}, "crashed"),
    "the suite floods": ({"suite": without_results(None, RunEnd.OUTPUT_LIMIT)}, "output_limit"),
    "no tests before": ({"before": report(code=5)}, "no_tests"),
    "no tests after": ({"suite": report(code=5)}, "no_tests"),
    "the suite passes with a bad exit": ({"suite": report(*OLD, code=3)}, "exit_disagrees"),
}


@pytest.mark.parametrize(("given", "rule"), UNPROVED.values(), ids=UNPROVED.keys())
def test_what_is_missing_leaves_a_fix_unproved(given, rule):
    proof = judged(**given)
    assert proof.verdict is Verdict.UNPROVED
    assert rule in rules(proof)
    assert rules(proof)[0] == rule


def test_a_suite_that_always_ends_with_its_own_code_is_not_held_against_the_fix():
    assert judged(before=report(*OLD, code=2), suite=report(*OLD, code=2)).verdict is Verdict.PROVED


def test_refuted_wins_over_unproved_and_all_reasons_are_told():
    proof = judged(after=report(FAILING), suite=without_results(1))
    assert proof.verdict is Verdict.REFUTED
    assert {"still_failing", "no_report", "reproduced"} <= set(rules(proof))


def test_a_suite_that_breaks_altogether_is_told_once_and_counted():
    many = tuple(case(f"t.py::test_{n}", "passed") for n in range(500))
    failing = tuple(replace(each, outcome=CaseOutcome.FAILED) for each in many)
    proof = judged(before=report(*many), suite=report(*failing))
    assert rules(proof).count("new_failure") == 51
    assert "and 450 more" in {reason.text for reason in proof.reasons}


def test_the_guard_blocks_with_its_findings_warnings_last():
    findings = (
        Finding("check_removed", "a.py", "w", Severity.WARNING),
        Finding("protected_path", ".env", "b"),
    )
    proof = blocked(findings)
    assert (proof.verdict, rules(proof)) == (Verdict.BLOCKED, ["protected_path", "check_removed"])
    assert is_blocked(findings)
    assert not is_blocked(findings[:1])


def test_a_reproduction_that_fails_only_sometimes_proves_nothing():
    flaky = unsteady_on_base(ReproductionVerdict(False), GOOD.test_ids)
    proof = steady(judged(), flaky)
    assert proof.verdict is Verdict.UNPROVED
    assert rules(proof)[0] == "flaky"


def test_a_reproduction_that_passes_only_sometimes_proves_nothing():
    suite = report(*OLD, case(GOOD.test_ids[0], "failed", "ZeroDivisionError"))
    proof = steady(judged(), unsteady_with_fix(suite, GOOD.test_ids))
    assert (proof.verdict, rules(proof)[0]) == (Verdict.UNPROVED, "flaky")


def test_a_refuted_fix_stays_refuted_when_its_reproduction_is_flaky():
    refuted = Proof(Verdict.REFUTED)
    flaky = unsteady_on_base(ReproductionVerdict(False), GOOD.test_ids)
    assert steady(refuted, flaky) is refuted


def test_a_reproduction_that_does_the_same_twice_leaves_the_proof_as_it_is():
    flaky = (*unsteady_on_base(GOOD, GOOD.test_ids), *unsteady_with_fix(SUITE, GOOD.test_ids))
    assert flaky == ()
    assert steady(judged(), flaky).verdict is Verdict.PROVED
