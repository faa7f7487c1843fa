"""A rule about new modules that take the place of Python's own or of the test tools."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import PurePosixPath

from ai_ops.core.guard.findings import Change, Finding
from ai_ops.core.guard.suite import in_test_folder, is_test

_TOOLS = frozenset(
    {
        "pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments", "exceptiongroup", "tomli",
        "colorama", "py", "xdist", "execnet", "coverage", "hypothesis", "_hypothesis_pytestplugin",
        "pip", "setuptools", "pkg_resources", "wheel", "_distutils_hack",
    }
)  # fmt: skip
# Python's own tests: that folder's name is as common for the tests of a project, and nobody imports it.
_TAKEN = (sys.stdlib_module_names | _TOOLS) - {"test"}
_SOURCE_FOLDERS = frozenset({"", "src", "lib", "python"})
_IMPORTABLE = (".py", ".pyc", ".so", ".pyd")


def shadows(change: Change) -> Iterator[Finding]:
    """Find new modules in the folders that tests import from, named like one of Python or of pytest.

    Those folders are the root, the source folders, all folders of tests, and where a test file lies.
    """
    roots = _SOURCE_FOLDERS | {_folder(path) for path in change.test_files | change.reproduction.keys()}
    roots |= {_folder(file.path) for file in change.files if is_test(change, file.path)}
    for file in change.files:
        pure = PurePosixPath(file.path)
        if not file.is_new or not pure.name.endswith(_IMPORTABLE):
            continue
        name, parent = pure.name.split(".")[0], pure.parent
        if name == "__init__":
            name, parent = parent.name, parent.parent
        taken = name.casefold() in _TAKEN or name.casefold().startswith("pytest_")
        folder = _folder(str(parent / name))
        if taken and (folder in roots or in_test_folder(f"{folder}/{name}")):
            text = f"import {name} would find it in place of the module of Python or of the test tools"
            yield Finding("shadows_module", file.path, text)


def _folder(path: str) -> str:
    """Return the folder of a path, empty at the root."""
    return path.rpartition("/")[0]
