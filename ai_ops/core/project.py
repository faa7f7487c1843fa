"""What a repository says about itself: ``.ai-ops.yml``, and how its tests are run.

The file comes from the repository's default branch and is data from outside: it can narrow what the
server allows, never widen it. Its commands are text for a shell inside the sandbox, nowhere else.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import yaml
from rapidfuzz import fuzz, process

from ai_ops.core import runners
from ai_ops.core.drafts import Draft
from ai_ops.core.failures import failed
from ai_ops.core.guard.policy import ALL, RULE_NAMES, Policy
from ai_ops.core.runners import PATHS, Tree, command, pytest
from ai_ops.errors import AiOpsError
from ai_ops.flow.fixing import FixMode

PROJECT_FILE = ".ai-ops.yml"
DISCOVERY_FILES = ("pyproject.toml", "pytest.ini", ".pytest.ini", "setup.cfg", "tox.ini", "package.json")
"""The files whose contents ``discover`` wants, where the repository has them."""

_MAX_BYTES = 64 * 1024
_MAX_TEXT = 4096
_MAX_ITEMS = 100
_MAX_DEPTH = 5
_MOST_FAULTS = 20
_ALIKE = 70  # of 100: from here on a known name is taken for what was meant
_LOCK_FILE = re.compile(
    r"""(?:^|/)(?:
        [^/]*requirements[^/]*\.(?:txt|in) | requirements/[^/]*\.(?:txt|in) | constraints[^/]*\.txt
      | pyproject\.toml | setup\.(?:py|cfg) | Pipfile(?:\.lock)? | poetry\.lock | pdm\.lock | uv\.lock
      | pylock[^/]*\.toml | environment\.ya?ml | package\.json | package-lock\.json | yarn\.lock
      | pnpm-lock\.yaml | go\.(?:mod|sum) | Cargo\.(?:toml|lock) | Gemfile(?:\.lock)?
      | composer\.(?:json|lock) | pom\.xml | build\.gradle(?:\.kts)? | gradle\.lockfile
    )$""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """``.ai-ops.yml`` as read; empty or None where it says nothing. Money in US dollars."""

    setup: str = ""
    test: str = ""
    reproduce: str = ""
    report: str = ""
    language: str = ""
    mode: FixMode | None = None
    protected_paths: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    draft: Draft | None = None
    budget_usd: float | None = None
    guard: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True)
class TestPlan:
    """How a repository's tests are run, inside the sandbox.

    ``command`` runs the whole suite. ``reproduce`` is a template: its element ``{path}`` stands for the
    test files to run. ``kind`` names the runner whose report is read, and ``report`` is the pattern of its
    files where the repository says it. ``setup`` is a shell command or None, and ``lock_files`` are the
    files that its result depends on.
    """

    __test__: ClassVar[bool] = False  # not a test class, whatever the name suggests to pytest

    command: tuple[str, ...]
    reproduce: tuple[str, ...]
    kind: str = "pytest"
    setup: str | None = None
    lock_files: tuple[str, ...] = ()
    report: str = ""


class _FaultError(Exception):
    """What is wrong with the file: a clause for each place."""

    def __init__(self, *faults: str) -> None:
        super().__init__(*faults)
        self.faults = faults


def _invalid(field: str, why: str) -> _FaultError:
    return _FaultError(f"{field}: {why}" if field else why)


def _refused(faults: Sequence[str]) -> AiOpsError:
    """Return the failure that names what is wrong, all at once: each look at the file costs a run."""
    more = len(faults) - _MOST_FAULTS
    said = "; ".join(faults[:_MOST_FAULTS]) + (f"; and {more} more" if more > 0 else "")
    next_step = f"Correct {PROJECT_FILE} on the default branch."
    return failed("project_file_invalid", f"{PROJECT_FILE}: {said}", next_step=next_step)


def _text(field: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _invalid(field, "must be text")
    if len(value) > _MAX_TEXT:
        raise _invalid(field, f"is longer than {_MAX_TEXT} characters")
    if "\0" in value:
        raise _invalid(field, "contains a NUL character")
    return value.strip()


def _texts(field: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _invalid(field, "must be a list of texts")
    if len(value) > _MAX_ITEMS:
        raise _invalid(field, f"has more than {_MAX_ITEMS} entries")
    return tuple(_text(field, item) for item in value)


def _reproduce(field: str, value: Any) -> str:
    text = _text(field, value)
    if text and PATHS not in text:
        raise _invalid(field, f"must contain {PATHS}, the place of the test file")
    return text


def _report(field: str, value: Any) -> str:
    text = _text(field, value)
    if text.startswith(("/", "-")) or ".." in text.split("/") or "\\" in text:
        raise _invalid(field, f"must be {command.JUNIT}, {command.TAP}, or a path in the repository")
    return text


def _draft(field: str, value: Any) -> Draft:
    if value == Draft.UNTIL_GREEN:
        return Draft.UNTIL_GREEN
    if not isinstance(value, bool):
        raise _invalid(field, f"must be true, false or {Draft.UNTIL_GREEN}")
    return Draft.ALWAYS if value else Draft.NEVER


def _mode(field: str, value: Any) -> FixMode:
    if value not in [mode.value for mode in FixMode]:
        raise _invalid(field, "must be one of " + ", ".join(mode.value for mode in FixMode))
    return FixMode(value)


def _money(field: str, value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= 10_000:  # neither infinity nor NaN passes this
        raise _invalid(field, "must be an amount in US dollars above 0")
    return float(value)


def _size(field: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise _invalid(field, "must be a whole number above 0")
    return value


def _rules(field: str, value: Any) -> frozenset[str]:
    names = (value,) if value == ALL else _texts(field, value)
    known = (ALL, *RULE_NAMES)
    faults = [
        f"{field}: {name[:80]!r} {_unknown(name, 'rule', known)}" for name in names if name not in known
    ]
    if faults:
        raise _FaultError(*faults)
    return frozenset(names)


def _unknown(name: str, noun: str, known: Iterable[str]) -> str:
    """Return what is said of a name that is not known: which one was probably meant, or all there are."""
    names = list(known)
    near = process.extractOne(name, names, scorer=fuzz.ratio, score_cutoff=_ALIKE)
    meant = f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"
    return f"is not a known {noun}; {meant}"


def _read(
    readers: Mapping[str, Callable[[str, Any], Any]], said: Mapping[Any, Any], place: str = ""
) -> dict[str, Any]:
    """Return what the fields of a mapping say, empty ones left out.

    Raises:
        _FaultError: with every field that is wrong.
    """
    values: dict[str, Any] = {}
    faults: list[str] = []
    for key, value in said.items():
        where = f"{place}{str(key)[:80]}"
        try:
            if key not in readers:
                raise _invalid(where, _unknown(str(key), "field", readers))
            if value is not None:
                values[key] = readers[key](where, value)
        except _FaultError as fault:
            faults += fault.faults
    if faults:
        raise _FaultError(*faults)
    return values


_GUARD_FIELDS: dict[str, Callable[[str, Any], Any]] = {
    "block": _rules,
    "files": _size,
    "lines": _size,
    "characters": _size,
    "protected_paths": _texts,
}


def _guard(field: str, value: Any) -> Policy:
    if not isinstance(value, dict):
        raise _invalid(field, "must be a mapping of fields")
    return Policy(**_read(_GUARD_FIELDS, value, f"{field}."))


_FIELDS: dict[str, Callable[[str, Any], Any]] = {
    "setup": _text,
    "test": _text,
    "reproduce": _reproduce,
    "report": _report,
    "language": _text,
    "mode": _mode,
    "protected_paths": _texts,
    "reviewers": _texts,
    "labels": _texts,
    "draft": _draft,
    "budget_usd": _money,
    "guard": _guard,
}


def _check_events(events: Iterable[yaml.Event]) -> None:
    """Refuse aliases and depth while reading: deep nesting costs the reader quadratic time."""
    depth = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            raise _invalid("", "uses YAML aliases, which are not accepted")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise _invalid("", "is not valid YAML for this purpose: nested too deeply")


def _load(data: bytes) -> Any:
    """Return the YAML document. Aliases are refused: a short file could stand for a huge value."""
    if len(data) > _MAX_BYTES:
        raise _invalid("", f"is larger than {_MAX_BYTES} bytes")
    try:
        text = data.decode("utf-8-sig")
        _check_events(yaml.parse(text, Loader=yaml.SafeLoader))
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        keys = [str(key.value)[:80] for key, _ in root.value] if isinstance(root, yaml.MappingNode) else []
        if twice := [key for key, times in Counter(keys).items() if times > 1]:
            raise _FaultError(*(f"{key}: appears twice" for key in twice))
        return yaml.safe_load(text)
    except UnicodeDecodeError:
        raise _invalid("", "is not UTF-8") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise _invalid("", f"is not valid YAML (line {line}: {error.problem})") from None
    except (yaml.YAMLError, ValueError, RecursionError, OverflowError):
        raise _invalid("", "is not valid YAML") from None


def parse_project_file(data: bytes | None) -> ProjectFile:
    """Return what ``.ai-ops.yml`` says; None or an empty file says nothing.

    Raises:
        PermanentError: ``project_file_invalid``, naming every field that is wrong.
    """
    try:
        return _parsed(data)
    except _FaultError as found:
        raise _refused(found.faults) from None


def _parsed(data: bytes | None) -> ProjectFile:
    document = _load(data or b"")
    if document is None:
        return ProjectFile()
    if not isinstance(document, dict):
        raise _invalid("", "must be a mapping of fields")
    said = ProjectFile(**_read(_FIELDS, document))
    if said.report and not said.test:
        raise _invalid("report", "needs `test`, the command that writes it")
    return said


def _shell(line: str) -> tuple[str, ...]:
    """Return the argv of a command line. Paths arrive as arguments, never inside the text."""
    for quoted in (f'"{PATHS}"', f"'{PATHS}'", PATHS):
        line = line.replace(quoted, '"$@"')
    return ("sh", "-c", line, "sh")


def discover(
    files: Sequence[str],
    contents: Mapping[str, str],
    project: ProjectFile | None = None,
    *,
    language: str = "",
) -> TestPlan | None:
    """Decide how to run a repository's tests; None when nothing says how.

    Args:
        files: the repository's paths.
        contents: the text of those ``DISCOVERY_FILES`` that it has.
        project: its ``.ai-ops.yml``, whose words come first.
        language: that of the error, by which one of several runners is chosen.
    """
    project = project or ProjectFile()
    tree = Tree(files, contents)
    runner = runners.choose(tree, project.language.lower() or language)
    if runner is None and not project.test:
        return None
    runner = command if project.report else runner or pytest
    usual = runner.commands(tree)
    suite = _shell(project.test) if project.test else usual.suite
    selected = (*_shell(project.reproduce), PATHS) if project.reproduce else usual.selected
    if project.report and not project.reproduce:
        selected = suite  # the new tests are among those that it finds
    pattern = "" if project.report == command.JUNIT else project.report
    return TestPlan(
        command=suite,
        reproduce=selected,
        kind=runner.NAME,
        setup=project.setup or None,
        lock_files=tuple(sorted(path for path in files if _LOCK_FILE.search(path))),
        report=pattern,
    )


def plan_tests(
    files: Sequence[str],
    contents: Mapping[str, str],
    project: ProjectFile | None = None,
    *,
    language: str = "",
) -> TestPlan:
    """Return ``discover``'s plan.

    Raises:
        PermanentError: ``no_test_command``.
    """
    plan = discover(files, contents, project, language=language)
    if plan is None:
        raise failed(
            "no_test_command",
            f"no tests{f' in {language}' if language else ''} were found, so no repair could be proved",
            next_step=f"Name the command in {PROJECT_FILE}, for example `test: python -m pytest`.",
        )
    return plan
