"""The plugin behind a word that pytest does not know."""

import pytest

from ai_ops.core.pytest_plugins import MissingPlugin, missing_plugins
from ai_ops.flow.report import CaseOutcome, CaseResult, RunEnd, SuiteReport

REFUSED = "ERROR: usage: pytest [options]\npytest: error: unrecognized arguments: {}\n  inifile: /x\n"


def report(output, results=None, exit_code=4):
    return SuiteReport(RunEnd.EXITED, exit_code, results, output)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--cov=app --cov-report=term-missing --no-cov-on-fail", ["pytest-cov (for --cov)"]),
        ("-nauto tests/unit", ["pytest-xdist (for -n)"]),
        ("--ds=shop.settings --reuse-db", ["pytest-django (for --ds)"]),
        ("--benchmark-disable", ["pytest-benchmark (for --benchmark-disable)"]),
        ("--our-own-thing=3", ["a pytest plugin that knows --our-own-thing"]),
        ("tests/unit", []),
    ],
    ids=["family", "joined-value", "plugin-once", "only-family-known", "nobody-knows", "no-option"],
)
def test_the_plugin_of_an_unknown_option_is_named_once(arguments, words):
    assert [str(plugin) for plugin in missing_plugins(report(REFUSED.format(arguments)))] == words


def test_the_plugin_of_a_key_that_strict_configuration_refuses_is_named():
    output = "ERROR: /workspace/pyproject.toml: Unknown config option: asyncio_mode\n"
    assert missing_plugins(report(output)) == (MissingPlugin("asyncio_mode", "pytest-asyncio"),)


def test_required_plugins_are_named_without_their_versions():
    output = "ERROR: Missing required plugins: pytest-cov, pytest-nope>=1.2\n"
    assert [str(plugin) for plugin in missing_plugins(report(output))] == ["pytest-cov", "pytest-nope"]


@pytest.mark.parametrize(
    "given",
    [
        report(REFUSED.format("--cov"), (CaseResult("t.py::test_x", CaseOutcome.PASSED),), 4),
        report(REFUSED.format("--cov"), None, 1),
        report("PytestConfigWarning: Unknown config option: asyncio_mode"),
    ],
    ids=["tests-ran", "another-end", "a-warning"],
)
def test_what_a_run_only_prints_does_not_count(given):
    assert missing_plugins(given) == ()
