"""Which plugins a repository's pytest wants and does not find: a sign of missing set-up.

pytest then refuses its command line or its configuration, and runs nothing. It names the words it does not
know; the plugin that knows them is looked up here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ai_ops.flow.report import SuiteReport

_USAGE_ERROR = 4  # pytest's exit code
_OPTIONS = re.compile(r"error: unrecognized arguments: ([^\n]{1,500})")
_REQUIRED = re.compile(r"^ERROR: Missing required plugins: ([^\n]{1,500})", re.MULTILINE)
_INI_KEY = re.compile(r"^ERROR: (?:[^\n]{1,500}: )?Unknown config option: (\w{1,100})", re.MULTILINE)
_NAME = re.compile(r"[\w.-]+")

_KNOWN_BY = {
    "allure-pytest": "--alluredir --allure",
    "anyio": "anyio_mode",
    "hypothesis": "--hypothesis",
    "inline-snapshot": "--inline-snapshot",
    "pytest-asyncio": "--asyncio asyncio_mode asyncio_debug asyncio_default_fixture_loop_scope "
    "asyncio_default_test_loop_scope",
    "pytest-base-url": "--base-url --verify-base-url base_url",
    "pytest-bdd": "--gherkin --cucumberjson bdd_features_base_dir",
    "pytest-benchmark": "--benchmark",
    "pytest-black": "--black",
    "pytest-cov": "--cov --no-cov",
    "pytest-django": "--ds --dc --reuse-db --create-db --migrations --no-migrations --nomigrations "
    "DJANGO_SETTINGS_MODULE DJANGO_CONFIGURATION django_find_project",
    "pytest-docker": "--container-scope --docker-compose",
    "pytest-doctestplus": "--doctest-plus --doctest-rst doctest_plus doctest_subpackage_requires",
    "pytest-dotenv": "--envfile env_files env_override_existing_values",
    "pytest-env": "env",
    "pytest-flake8": "--flake8",
    "pytest-forked": "--forked",
    "pytest-html": "--html --self-contained-html --css",
    "pytest-instafail": "--instafail",
    "pytest-isort": "--isort",
    "pytest-json-report": "--json-report",
    "pytest-memray": "--memray --most-allocations",
    "pytest-mock": "mock_traceback_monkeypatch mock_use_standalone_module",
    "pytest-mpl": "--mpl",
    "pytest-mypy": "--mypy",
    "pytest-nbval": "--nbval",
    "pytest-picked": "--picked",
    "pytest-playwright": "--headed --browser --browser-channel --slowmo --tracing --video --screenshot",
    "pytest-pylint": "--pylint",
    "pytest-qt": "--no-qt-log qt_api qt_log_level_fail",
    "pytest-random-order": "--random-order",
    "pytest-randomly": "--randomly",
    "pytest-recording": "--record-mode --block-network --allowed-hosts",
    "pytest-remotedata": "--remote-data remote_data_strict",
    "pytest-repeat": "--count --repeat-scope",
    "pytest-rerunfailures": "--reruns --only-rerun --rerun-except --rerun-show-tracebacks",
    "pytest-retry": "--retries --retry-delay",
    "pytest-ruff": "--ruff",
    "pytest-socket": "--disable-socket --force-enable-socket --allow-hosts --allow-unix-socket",
    "pytest-split": "--splits --group --splitting-algorithm --store-durations --durations-path",
    "pytest-testmon": "--testmon",
    "pytest-timeout": "--timeout --session-timeout timeout timeout_method timeout_func_only",
    "pytest-vcr": "--vcr-record --disable-vcr",
    "pytest-xdist": "-n --numprocesses --maxprocesses --dist --tx --max-worker-restart --looponfail -f",
    "syrupy": "--snapshot",
}
_PLUGINS = {word: plugin for plugin, words in _KNOWN_BY.items() for word in words.split()}


@dataclass(frozen=True, slots=True)
class MissingPlugin:
    """A plugin that is not there: the word that wants it, and its likely name (empty when nobody knows)."""

    word: str
    name: str

    def __str__(self) -> str:
        if self.name == self.word:
            return self.name
        return f"{self.name} (for {self.word})" if self.name else f"a pytest plugin that knows {self.word}"


def missing_plugins(report: SuiteReport) -> tuple[MissingPlugin, ...]:
    """Return the plugins for want of which pytest refused to run, each plugin and unknown word once.

    What a run prints is the repository's own word, so it counts only where pytest ran no test.
    """
    if report.exit_code != _USAGE_ERROR or report.results:
        return ()
    options = [word for found in _OPTIONS.findall(report.output) for word in found.split()]
    words = [_option(word) for word in options if word.startswith("-")] + _INI_KEY.findall(report.output)
    missing = [MissingPlugin(word, _plugin(word)) for word in words]
    for found in _REQUIRED.findall(report.output):
        names = [match[0] for part in found.split(",") if (match := _NAME.match(part.strip()))]
        missing += [MissingPlugin(name, name) for name in names]
    return tuple({each.name or each.word: each for each in reversed(missing)}.values())[::-1]


def _option(word: str) -> str:
    """Return an option without its value: ``--cov=app`` is ``--cov``, ``-n4`` is ``-n``."""
    return word.partition("=")[0] if word.startswith("--") else word[:2]


def _plugin(word: str) -> str:
    """Return who knows an option or a family of options (``--cov-report``), or a key of the configuration."""
    while word not in _PLUGINS and "-" in word.lstrip("-"):
        word = word.rpartition("-")[0]
    return _PLUGINS.get(word, "")
