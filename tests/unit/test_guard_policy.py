"""The policy of a repository: it makes the guard stricter, and nothing that it says makes it looser."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from ai_ops.core import guard, proof
from ai_ops.core.guard import Finding, Limits, Policy, Severity, review, review_reproduction
from ai_ops.core.guard.policy import RULE_NAMES
from ai_ops.core.project import ProjectFile, parse_project_file
from ai_ops.core.report import Report, body
from ai_ops.errors import PermanentError
from ai_ops.flow.event import ErrorDetail
from ai_ops.flow.task import Proof, Reason, Verdict
from ai_ops.server import views
from tests.support.patches import Program, diff, reader

PACKAGE = Path(guard.__file__).parent
BASE = {"a.py": "x = 1\n", "tests/test_a.py": "def test_a():\n    assert 1\n"}


@pytest.fixture
def findings(tmp_path):
    def run(after, policy, **more):
        return review(diff(tmp_path, BASE, after), reader(BASE), reader(after), policy=policy, **more)

    return run


def blocked(found):
    return {each.rule for each in found if each.severity is Severity.BLOCKED}


def test_a_file_says_all_that_a_policy_can():
    text = b"""
guard:
  block: [check_changed, existing_test_extended]
  files: 3
  lines: 40
  characters: 9000
  protected_paths: ["migrations/"]
"""
    rules = frozenset({"check_changed", "existing_test_extended"})
    assert parse_project_file(text).guard == Policy(rules, 3, 40, 9000, ("migrations/",))


@pytest.mark.parametrize("text", [b"guard:", b"guard: {}", b"guard: {block: []}", b"guard: {files: }"])
def test_a_policy_that_says_nothing_changes_nothing(text):
    assert parse_project_file(text) == ProjectFile()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (b"guard: strict", "guard"),
        (b"guard: {allow: [test_deleted]}", "guard.allow"),
        (b"guard: {warn: [test_deleted]}", "guard.warn"),
        (b"guard: {block: [no_such_rule]}", "no_such_rule"),
        (b"guard: {block: test_deleted}", "guard.block"),
        (b"guard: {files: 0}", "guard.files"),
        (b"guard: {files: -1}", "guard.files"),
        (b"guard: {lines: true}", "guard.lines"),
        (b"guard: {lines: 1.5}", "guard.lines"),
        (b"guard: {protected_paths: x}", "guard.protected_paths"),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else "",
)
def test_a_wrong_policy_is_a_named_failure(text, named):
    with pytest.raises(PermanentError) as caught:
        parse_project_file(text)
    assert (caught.value.code, named in caught.value.message) == ("project_file_invalid", True)


@pytest.mark.parametrize("block", [{"mode_changed"}, {"all"}], ids=["named", "all"])
def test_a_warning_is_raised_to_a_block(findings, block):
    after = {**BASE, "tool.sh": Program("echo\n")}
    assert blocked(findings(after, Policy())) == set()
    assert blocked(findings(after, Policy(frozenset(block)))) == {"mode_changed"}


def test_what_was_blocked_stays_blocked_whatever_is_named(findings):
    after = {"a.py": "x = 1\n"}
    for policy in (Policy(), Policy(frozenset({"check_changed"}))):
        assert blocked(findings(after, policy)) == {"test_deleted"}


def test_smaller_sizes_are_held(findings):
    after = {**BASE, "b.py": "x = 1\n" * 10, "c.py": "x = 1\n"}
    assert blocked(findings(after, Policy(files=1, lines=10))) == {"too_many_files", "diff_too_large"}
    assert blocked(findings(after, Policy(characters=100))) == {"diff_too_large"}


def test_larger_sizes_than_the_servers_have_no_effect(findings):
    after = {**BASE, "b.py": "x = 1\n" * 10}
    policy = Policy(files=1000, lines=100_000, characters=100_000_000)
    assert blocked(findings(after, policy, limits=Limits(lines=5))) == {"diff_too_large"}
    assert policy.limits(Limits()) == Limits()


def test_paths_are_protected_beside_all_others(findings, tmp_path):
    policy = Policy(protected_paths=("schema/",))
    after = {**BASE, "schema/a.sql": "x\n", "docs/x": "x\n", "CODEOWNERS": "x\n"}
    places = {each.place for each in findings(after, policy, protected=("docs/",))}
    assert places == {"schema/a.sql", "docs/x", "CODEOWNERS"}


def test_a_reproduction_is_held_to_the_policy_too(tmp_path):
    after = {**BASE, "tests/test_b.py": "def test_b():\n    assert 0\n" * 20}
    patch = diff(tmp_path, BASE, after)
    assert blocked(review_reproduction(patch)) == set()
    assert blocked(review_reproduction(patch, policy=Policy(lines=10))) == {"diff_too_large"}


def test_a_policy_has_no_field_by_which_anything_is_allowed():
    wanted = {"block", "files", "lines", "characters", "protected_paths"}
    assert {each.name for each in fields(Policy)} == wanted


def test_every_rule_that_the_guard_can_name_is_known_and_no_other():
    code = "".join(path.read_text("utf-8") for path in PACKAGE.rglob("*.py") if path.name != "policy.py")
    named = set(re.findall(r"Finding\(\s*\"(\w+)\"", code)) | set(re.findall(r"\bRULE = \"(\w+)\"", code))
    named |= (
        set(re.findall(r"\"((?:check|broadened|authorization|escaping)_\w+)\"", code)) & RULE_NAMES.keys()
    )
    assert named == RULE_NAMES.keys()


def test_a_finding_keeps_its_severity_in_the_verdict():
    found = [
        Finding("mode_changed", "a", "x", Severity.WARNING),
        Finding("test_deleted", "b", "y"),
    ]
    reasons = proof.blocked(found).reasons
    assert [(each.rule, each.severity) for each in reasons] == [
        ("test_deleted", "blocked"),
        ("mode_changed", "warning"),
    ]


def test_the_api_and_the_report_show_a_severity_where_there_is_one():
    judged = Proof(
        Verdict.PROVED,
        (Reason("suite_clean", "", "x"), proof.reason(Finding("mode_changed", "a", "y", Severity.WARNING))),
    )
    assert views.proof(judged)["reasons"] == [
        {"rule": "suite_clean", "place": "", "text": "x"},
        {"rule": "mode_changed", "place": "a", "text": "y", "severity": "warning"},
    ]
    shown = body(Report("t", ErrorDetail(raw_excerpt="e"), judged), "marker")
    assert "`mode_changed` (warning) `a`: y" in shown
