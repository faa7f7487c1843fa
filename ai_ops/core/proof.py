"""Proof: what test reports from before and after a fix say about it.

A test that never failed proves nothing, so the reproduction is judged first: it must fail on the base
commit with the logged exception type, in the logged frame. Everything here is a pure function over
parsed reports; nobody's word, a model's or an exit code's alone, counts as a pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ai_ops.core.guard import Finding, Severity
from ai_ops.core.wording import counted
from ai_ops.flow.event import ErrorDetail, Frame
from ai_ops.flow.report import CaseOutcome, CaseResult, RunEnd, SuiteReport
from ai_ops.flow.task import Proof, Reason, Verdict

_FAILED = frozenset({CaseOutcome.FAILED, CaseOutcome.ERROR})
_GRAVITY = {CaseOutcome.PASSED: 0, CaseOutcome.SKIPPED: 1, CaseOutcome.ERROR: 2, CaseOutcome.FAILED: 2}
_MOST_REASONS = 50  # of one rule: a suite that breaks altogether is said once, not ten thousand times
_SIGNALLED = 128

_EXCESSES = {
    RunEnd.OUTPUT_LIMIT: "printed more than is allowed",
    RunEnd.MEMORY_LIMIT: "used more memory than is allowed",
    RunEnd.PROCESS_LIMIT: "started more processes than are allowed",
    RunEnd.CPU_LIMIT: "used more processor time than is allowed",
    RunEnd.DISK_LIMIT: "wrote more than is allowed, or the disk is full,",
    RunEnd.FILE_LIMIT: "wrote more files than are allowed",
}

NO_TYPE = "no_exception_type"
NO_FRAME = "frame_not_logged"


@dataclass(frozen=True, slots=True)
class ReproductionVerdict:
    """Whether the new tests fail the way the log shows.

    ``test_ids`` are those that do. ``reasons`` say why, or why not; with ``reproduced`` they are what
    has to be added to the proof.
    """

    reproduced: bool
    reasons: tuple[Reason, ...] = ()
    test_ids: tuple[str, ...] = ()


def run_trouble(report: SuiteReport, place: str) -> Reason | None:
    """Return why a run says nothing, or None when its results can be read.

    Rules: ``timeout``, a limit of the sandbox by its name (``memory_limit`` …), ``crashed`` (ended by a
    signal), ``early_exit`` (exit 0 without a report), ``no_report``, ``no_tests``, ``report_disagrees``
    (exit 0 beside failures).
    """
    if report.end in (RunEnd.WALL_TIMEOUT, RunEnd.IDLE_TIMEOUT):
        return Reason("timeout", place, "the tests did not end in time")
    if report.end in _EXCESSES:
        return Reason(report.end.value, place, f"the tests {_EXCESSES[report.end]} and were stopped")
    code = report.exit_code
    if code is None or code < 0 or code >= _SIGNALLED:
        return Reason("crashed", place, f"the test command was ended by a signal (exit code {code})")
    if report.results is None:
        if code == 0:
            return Reason("early_exit", place, "the test command ended with 0 and without a report")
        return Reason("no_report", place, f"there is no readable test report (exit code {code})")
    if not report.results:
        return Reason("no_tests", place, "no test ran")
    if code == 0 and any(case.outcome in _FAILED for case in report.results):
        return Reason("report_disagrees", place, "the command ended with 0 though tests failed")
    return None


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _called(function: str) -> str:
    name = _last(function)
    return "" if name == "<anonymous>" else name


def _same_function(one: str, other: str) -> bool:
    return not one or not other or f"::{one}".endswith(f"::{other}") or f"::{other}".endswith(f"::{one}")


def _parts(path: str) -> list[str]:
    path = path.replace("\\", "/").removeprefix("/workspace/")
    return [part for part in path.split("/") if part not in ("", ".")]


def same_place(logged: Frame, seen: Frame) -> bool:
    """Whether two frames are one function of one file, wherever the repository stood.

    One path must end with the other, or both with the same folder and name. A function that one
    side does not name is not compared, nor what it was called on (to Node, ``Object.average`` and
    ``average`` are one function that was called in two ways), nor a module that only one side names.
    """
    if not _same_function(_called(logged.function), _called(seen.function)):
        return False
    one, other = _parts(logged.file), _parts(seen.file)
    if not one or not other:
        return False
    common = 0
    for left, right in zip(reversed(one), reversed(other), strict=False):
        if left != right:
            break
        common += 1
    return common >= min(len(one), len(other), 2)


def _is_new(case: CaseResult, new_tests: frozenset[str]) -> bool:
    return case.id in new_tests or case.id.partition("::")[0] in new_tests


def _culprit(error: ErrorDetail) -> Frame | None:
    """Return the innermost logged frame of the application."""
    return next((frame for frame in reversed(error.frames) if frame.in_app), None)


def judge_reproduction(
    report: SuiteReport, *, error: ErrorDetail, new_tests: frozenset[str]
) -> ReproductionVerdict:
    """Judge a run of the new tests on the base commit.

    Args:
        report: the run.
        error: the logged error.
        new_tests: the paths of the new test files, or ids of tests.

    Rules when it is not reproduced: those of ``run_trouble``, ``not_collected``, ``passes_on_base``,
    ``skipped_on_base``, ``other_exception_type``, ``frame_missing``. When it is: ``reproduced``, and
    ``frame_not_logged`` or ``no_exception_type`` when less than type and frame could be compared.
    """
    if trouble := run_trouble(report, "reproduction"):
        return ReproductionVerdict(False, (trouble,))
    cases = [case for case in report.results or () if _is_new(case, new_tests)]
    if not cases:
        text = "the new tests are not among those that ran"
        return ReproductionVerdict(False, (Reason("not_collected", "", text),))
    wrong = {case.id: _why_not(case, error) for case in cases}
    good = tuple(dict.fromkeys(case.id for case in cases if wrong[case.id] is None))
    if not good:
        return ReproductionVerdict(False, tuple(reason for reason in wrong.values() if reason))
    kinds = {case.id: case.exception_type for case in cases}
    culprit = _culprit(error)
    where = f" in {culprit.function or culprit.file}" if culprit else ""
    reasons = [
        Reason("reproduced", test, f"fails on the base commit with {kinds[test] or 'an error'}{where}")
        for test in good
    ]
    if not error.exception_type:
        reasons.append(Reason(NO_TYPE, "", "the log names no exception type to compare with"))
    if culprit is None:
        reasons.append(Reason(NO_FRAME, "", "the log has no frame of the application; the type alone agrees"))
    return ReproductionVerdict(True, tuple(reasons), good)


def _why_not(case: CaseResult, error: ErrorDetail) -> Reason | None:
    """Return why one new test does not show the logged error."""
    if case.outcome is CaseOutcome.PASSED:
        return Reason("passes_on_base", case.id, "the test passes without any fix, so it proves nothing")
    if case.outcome is CaseOutcome.SKIPPED:
        return Reason("skipped_on_base", case.id, "the test is skipped")
    seen, wanted = case.exception_type, error.exception_type
    # What wrapped the cause may lie above all that a test can call; the frame below is the cause's own.
    if wanted and _last(seen) not in map(_last, (wanted, *error.cause_types)):
        told = f"{seen or 'an unnamed error'}: {case.message}"[:500]
        return Reason("other_exception_type", case.id, f"the log has {wanted}, the test fails with {told}")
    culprit = _culprit(error)
    if culprit and not any(same_place(culprit, frame) for frame in case.frames):
        name = f"{culprit.function} of {culprit.file}" if culprit.function else culprit.file
        return Reason("frame_missing", case.id, f"the failure does not pass through {name}, as the log does")
    return None


def judge(
    reproduction: ReproductionVerdict,
    reproduction_after: SuiteReport,
    suite_before: SuiteReport,
    suite_after: SuiteReport,
    error: ErrorDetail,
) -> Proof:
    """Judge a fix.

    Args:
        reproduction: what ``judge_reproduction`` said of the base commit.
        reproduction_after: the new tests, run with the fix.
        suite_before: the existing suite on the base commit.
        suite_after: the suite with the fix; the new tests may be among it.
        error: the logged error.

    Returns:
        Refuted when something speaks against the fix (``still_failing``, ``new_failure``,
        ``test_vanished``, ``newly_skipped``), else unproved when something is missing
        (``not_reproduced``, ``no_exception_type``, ``frame_not_logged``, ``reproduction_missing``,
        ``reproduction_skipped``, ``exit_disagrees`` and the rules of ``run_trouble``), else proved; with
        all reasons, the deciding ones first.
    """
    missing: list[Reason] = []
    if not reproduction.reproduced or not reproduction.test_ids:
        missing.append(Reason("not_reproduced", "", "no test fails on the base commit the way the log shows"))
    if not error.exception_type:
        missing.append(Reason(NO_TYPE, "", "without an exception type in the log nothing can be proved"))
    if any(reason.rule == NO_FRAME for reason in reproduction.reasons):
        missing.append(
            Reason(NO_FRAME, "", "without a frame of the application in the log the type alone agrees")
        )
    old = frozenset(case.id for case in suite_before.results or ())
    refuting, lacking, passing = _judge_tests(reproduction.test_ids, reproduction_after, old)
    missing += lacking
    broken, unclear, notes = _judge_suite(suite_before, suite_after, reproduction.test_ids)
    refuting += broken
    missing += unclear
    said = {NO_TYPE, NO_FRAME} if missing else set()
    told = [reason for reason in reproduction.reasons if reason.rule not in said]
    reasons = _capped([*refuting, *missing, *told, *passing, *notes])
    verdict = Verdict.REFUTED if refuting else Verdict.UNPROVED if missing else Verdict.PROVED
    return Proof(verdict, reasons)


def judge_suite(before: SuiteReport, after: SuiteReport) -> Proof:
    """Judge a change that mends no logged error by the suite alone: refuted, or at best unproved.

    The reasons are those of ``judge`` about the suite; ``suite_clean`` when nothing speaks against it.
    """
    against, missing, notes = _judge_suite(before, after, ())
    verdict = Verdict.REFUTED if against else Verdict.UNPROVED
    return Proof(verdict, _capped([*against, *missing, *notes]))


def unsteady_on_base(again: ReproductionVerdict, test_ids: Sequence[str]) -> tuple[Reason, ...]:
    """Return which tests of a reproduction did not fail again, in a second run on the base commit."""
    return tuple(
        Reason("flaky", test, "fails on the base commit only sometimes")
        for test in test_ids
        if test not in again.test_ids
    )


def unsteady_with_fix(suite_after: SuiteReport, test_ids: Sequence[str]) -> tuple[Reason, ...]:
    """Return which tests of a reproduction failed when they ran once more with the fix, among the suite."""
    results = _outcomes(suite_after.results or ())
    return tuple(
        Reason("flaky", test, "passes with the fix only sometimes")
        for test in test_ids
        if test in results and results[test].outcome in _FAILED
    )


def steady(judged: Proof, flaky: Sequence[Reason]) -> Proof:
    """Return the proof, or take it back when the reproduction does not do the same thing twice."""
    if judged.verdict is not Verdict.PROVED or not flaky:
        return judged
    return Proof(Verdict.UNPROVED, (*flaky, *judged.reasons))


_Judged = tuple[list[Reason], list[Reason], list[Reason]]
"""What speaks against the fix, what is missing, and what speaks for it or is only told."""


def _outcomes(results: Iterable[CaseResult]) -> dict[str, CaseResult]:
    """Return the gravest result of each test."""
    found: dict[str, CaseResult] = {}
    for case in results:
        if case.id not in found or _GRAVITY[case.outcome] > _GRAVITY[found[case.id].outcome]:
            found[case.id] = case
    return found


def _judge_tests(test_ids: Sequence[str], after: SuiteReport, old: frozenset[str]) -> _Judged:
    """Judge the reproduction with the fix; the suite's own tests, ``old``, may have run beside it."""
    against: list[Reason] = []
    missing: list[Reason] = []
    passing: list[Reason] = []
    # A failure that is reported counts even when the run itself ended badly.
    results = _outcomes(after.results or ())
    trouble = run_trouble(after, "reproduction")
    if trouble:
        missing.append(trouble)
    for test in test_ids:
        case = results.get(test)
        if case is None:
            if not trouble:
                missing.append(Reason("reproduction_missing", test, "the test did not run with the fix"))
        elif case.outcome in _FAILED:
            told = f"{case.exception_type}: {case.message}"[:500]
            against.append(Reason("still_failing", test, f"the test still fails with the fix: {told}"))
        elif case.outcome is CaseOutcome.SKIPPED:
            missing.append(Reason("reproduction_skipped", test, "the test is skipped with the fix"))
        else:
            passing.append(Reason("passes_after", test, "passes with the fix"))
    if not against and not trouble and after.exit_code != 0:
        others = [case.id for case in results.values() if case.outcome in _FAILED]
        told = "another of the new tests fails with the fix"
        against += [Reason("still_failing", test, told) for test in others if test not in old]
        if not others:
            text = f"the command ended with {after.exit_code} though no test failed"
            missing.append(Reason("exit_disagrees", "reproduction", text))
    return against, missing, passing


def _judge_suite(before: SuiteReport, after: SuiteReport, test_ids: Sequence[str]) -> _Judged:
    """Compare the suite with the fix to the suite without."""
    against: list[Reason] = []
    notes: list[Reason] = []
    troubles = (run_trouble(before, "suite before"), run_trouble(after, "suite after"))
    missing = [trouble for trouble in troubles if trouble]
    then, now = _outcomes(before.results or ()), _outcomes(after.results or ())
    for test, case in now.items():
        failed_before = test in then and then[test].outcome in _FAILED
        if case.outcome in _FAILED and failed_before:
            notes.append(Reason("failed_before_too", test, "fails with and without the fix"))
        elif case.outcome in _FAILED and test not in test_ids and before.results is not None:
            told = f"{case.exception_type}: {case.message}"[:500]
            against.append(Reason("new_failure", test, f"fails with the fix and not without it: {told}"))
        elif (
            case.outcome is CaseOutcome.SKIPPED and test in then and then[test].outcome is CaseOutcome.PASSED
        ):
            against.append(Reason("newly_skipped", test, "passes without the fix and is skipped with it"))
    if not missing:
        files = {test.partition("::")[0] for test in now}
        # A file that could not be collected is known by its name alone until its tests run.
        gone = [test for test in then if test not in now and ("::" in test or test not in files)]
        against += [Reason("test_vanished", test, "ran without the fix and not with it") for test in gone]
        clean = not any(case.outcome in _FAILED for case in now.values())
        if clean and after.exit_code != 0 and after.exit_code != before.exit_code:
            text = f"the command ended with {after.exit_code} though no test failed"
            missing.append(Reason("exit_disagrees", "suite after", text))
    if not missing and not against:
        notes.insert(0, Reason("suite_clean", "", f"no new failure in {counted(len(now), 'test')}"))
    return against, missing, notes


def _capped(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """Return the reasons without repeats, at most so many of each rule, and how many more there are."""
    kept: list[Reason] = []
    counts: dict[str, int] = {}
    for reason in dict.fromkeys(reasons):
        counts[reason.rule] = counts.get(reason.rule, 0) + 1
        if counts[reason.rule] <= _MOST_REASONS:
            kept.append(reason)
    more = [
        Reason(rule, "", f"and {count - _MOST_REASONS} more")
        for rule, count in counts.items()
        if count > _MOST_REASONS
    ]
    return (*kept, *more)


def blocked(findings: Sequence[Finding]) -> Proof:
    """Return the guard's verdict on a change with at least one blocked finding, warnings last."""
    ordered = sorted(findings, key=lambda finding: finding.severity is not Severity.BLOCKED)
    return Proof(Verdict.BLOCKED, _capped([reason(each) for each in ordered]))


def reason(finding: Finding) -> Reason:
    """Return a finding of the guard as a ground of the verdict, with its severity."""
    return Reason(finding.rule, finding.place, finding.text, finding.severity)


def is_blocked(findings: Iterable[Finding]) -> bool:
    """Return whether a change is withheld by the guard."""
    return any(finding.severity is Severity.BLOCKED for finding in findings)
