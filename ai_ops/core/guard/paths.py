"""Rules about which files a repair may touch at all, and what kind of thing they may be."""

from __future__ import annotations

import configparser
import json
import tomllib
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from ai_ops.core.code_blocks.resolve import is_git_name
from ai_ops.core.diff import FileDiff
from ai_ops.core.guard.findings import Change, Finding, Severity
from ai_ops.core.guard.patterns import first_match

_CI = (
    "/.github/", "/.gitlab/", ".gitlab-ci.yml", "*.gitlab-ci.yml", "/.ci/", "/.circleci/", ".travis.yml",
    "appveyor.yml", ".appveyor.yml", "azure-pipelines*.yml", "azure-pipelines*.yaml", "/.azure-pipelines/",
    "Jenkinsfile*", "bitbucket-pipelines.yml", ".drone.yml", ".woodpecker*", "/.woodpecker/",
    "/.buildkite/", "/.teamcity/", "/.tekton/", ".cirrus.*", "cloudbuild.yaml", "buildspec.yml", "/.gitea/",
    "/.forgejo/", ".pre-commit-config.yaml", "/.husky/", "codecov.yml", ".codecov.yml", "renovate.json*",
    "sonar-project.properties",
)  # fmt: skip
_OWNERS = ("CODEOWNERS", "OWNERS", "MAINTAINERS")
_AGENTS = (
    ".claude", ".claude.json", ".mcp.json", "CLAUDE.md", "CLAUDE.local.md", "AGENTS.md", "AGENT.md",
    "GEMINI.md", ".cursor", ".cursorrules", ".cursorignore", ".windsurf*", ".aider*", ".continue", ".codex",
    ".gemini", ".roo*", ".cline*", ".ai-ops.yml", ".ai-ops.yaml", "ai-ops.toml", ".vscode", ".idea",
    ".devcontainer", ".envrc",
)  # fmt: skip
_SECRETS = (
    ".env", ".env.*", "*.env", ".npmrc", ".pypirc", ".netrc", "pip.conf", ".yarnrc*", "*.pem", "*.key",
    "*.p12", "*.pfx", "*.keystore", "*.jks", "id_rsa*", "id_ed25519*", ".ssh", ".aws", ".gnupg",
    "credentials.json",
)  # fmt: skip
_LOCKS = (
    "*.lock", "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "go.sum", "gradle.lockfile",
    "packages.lock.json", "pylock*.toml", "requirements.lock", "bun.lockb", "gradle-wrapper.properties",
)  # fmt: skip
_PROTECTED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("configuration of git", (".git*",)),
    ("configuration of CI", _CI),
    ("code ownership", _OWNERS),
    ("configuration of agents and editors", _AGENTS),
    ("secrets or credentials", _SECRETS),
    ("a lock file", _LOCKS),
)

# Files whose whole purpose is to steer how tests and the interpreter run.
_STEERING = (
    "conftest.py", "pytest.ini", ".pytest.ini", "pytest.toml", ".pytest.toml", "tox.ini", "noxfile.py",
    "sitecustomize.py", "usercustomize.py", "*.pth", ".coveragerc", "Makefile", "GNUmakefile", "justfile",
    "tasks.py", "jest.config.*", "vitest.config.*", "vitest.workspace.*", "karma.conf.*", ".mocharc*",
    "playwright.config.*", "cypress.config.*", "babel.config.*", "pom.xml", "build.gradle",
    "build.gradle.kts", "settings.gradle*", "phpunit.xml*", ".rspec", "Rakefile", "*.runsettings",
    "setup.py", "*.dist-info", "*.egg-info", "*.egg-link", "entry_points.txt", "node_modules",
    ".cargo", "build.rs", "rust-toolchain*", "/.mvn/", "mvnw*", "gradlew*", "gradle.properties", "*.gradle",
    "*.gradle.kts", "junit-platform.properties", "go.work",
)  # fmt: skip
_TEST_TOOLS = frozenset(
    {"pytest", "coverage", "tox", "nox", "hatch", "poe", "pdm", "unittest", "pytest-enabler"}
)
_TEST_SECTIONS = (
    "tool:pytest",
    "pytest",
    "coverage:run",
    "coverage:report",
    "aliases",
    "tox:tox",
    "testenv",
    "options.entry_points",
)
_TEST_KEYS = ("scripts", "jest", "mocha", "ava", "nyc", "c8", "vitest", "type", "exports", "imports", "main")
_CARGO_KEYS = ("lib", "test", "bin", "bench", "example", "patch", "replace", "profile", "lints", "workspace")
_USUAL_MODES = (None, 0o100644, 0o100755)


def outside_root(change: Change) -> Iterator[Finding]:
    """Find paths that leave the repository or reach into ``.git``."""
    for file in change.files:
        parts = file.path.split("/")
        strange = any(char == "\\" or ord(char) < ord(" ") for char in file.path)
        if strange or any(part in ("", ".", "..") for part in parts):
            yield Finding("path_outside_root", file.path, "the path does not stay beneath the root")
        elif any(is_git_name(part) for part in parts):
            yield Finding("path_outside_root", file.path, "the path reaches git's own files")


def protected(change: Change) -> Iterator[Finding]:
    """Find protected paths: the built-in ones, and those the repository names."""
    for file in change.files:
        for what, patterns in (*_PROTECTED, ("protected by this repository", change.protected)):
            if pattern := first_match(patterns, file.path):
                yield Finding("protected_path", file.path, f"{what} ({pattern}) is not changed by a repair")
                break


def links_and_modes(change: Change) -> Iterator[Finding]:
    """Find symbolic links, submodules and executable bits."""
    for file in change.files:
        if file.is_symlink:
            yield Finding("symlink_added", file.path, "a symbolic link is added, changed or removed")
        elif file.is_submodule:
            yield Finding("submodule_changed", file.path, "a submodule is added, changed or removed")
        elif file.mode_changed:
            yield Finding("mode_changed", file.path, f"its mode goes from {file.old_mode:o} to {file.mode:o}")
        elif file.mode not in _USUAL_MODES:
            yield Finding("mode_changed", file.path, f"it has the unusual mode {file.mode:o}")
        elif file.is_new and file.mode == 0o100755:
            text = "the new file is executable"
            yield Finding("mode_changed", file.path, text, Severity.WARNING)


def binary(change: Change) -> Iterator[Finding]:
    """Find files that cannot be reviewed as text."""
    for file in change.files:
        if file.is_binary:
            yield Finding("binary_file", file.path, "a binary file is added, changed or removed")


def steers_tests(change: Change) -> Iterator[Finding]:
    """Find files that decide which tests run and how."""
    for file in change.files:
        name = PurePosixPath(file.path).name.casefold()
        steers = first_match(_STEERING, file.path) is not None
        if not steers and name in _READERS:
            steers = _steering_part(change, file) != _steering_part(change, file, after=True)
        if steers:
            yield Finding("test_configuration_changed", file.path, "it decides how tests run")


def _steering_part(change: Change, file: FileDiff, *, after: bool = False) -> Any:
    """Return the part of a mixed configuration file that steers tests; the whole text if it is broken."""
    text = change.text(change.after if after else change.base, file.path)
    if text is None:
        return None
    try:
        return _READERS[PurePosixPath(file.path).name.casefold()](text) or None
    except (ValueError, AttributeError, configparser.Error, RecursionError):
        return text


def _pyproject(text: str) -> Any:
    document = tomllib.loads(text)
    tools = document.get("tool", {})
    entry_points = (
        document.get("project", {}).get("entry-points"),
        tools.get("poetry", {}).get("plugins"),
        document.get("build-system"),
    )
    found = {name: value for name, value in tools.items() if name in _TEST_TOOLS}
    return found | ({"entry points and build": entry_points} if any(entry_points) else {})


def _setup_cfg(text: str) -> Any:
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    return {name: dict(parser[name]) for name in parser.sections() if name.startswith(_TEST_SECTIONS)}


def _package_json(text: str) -> Any:
    document = json.loads(text)
    return {key: document[key] for key in _TEST_KEYS if key in document}


def _cargo_toml(text: str) -> Any:
    document = tomllib.loads(text)
    found = {key: document[key] for key in _CARGO_KEYS if key in document}
    package = document.get("package", {})
    return found | {
        key: package[key] for key in package if key in ("build", "links") or key.startswith("auto")
    }


_READERS = {
    "pyproject.toml": _pyproject,
    "setup.cfg": _setup_cfg,
    "package.json": _package_json,
    "cargo.toml": _cargo_toml,
}
