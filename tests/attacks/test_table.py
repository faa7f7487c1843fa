"""The page of attacks is true: each row names tests that are there, and each attack here has a row."""

import ast
import re

import pytest

from tests.support.children import ROOT

PAGE = (ROOT / "doc" / "attacks.md").read_text(encoding="utf-8")
ROWS = [line.split("|") for line in PAGE.splitlines() if line.startswith("|") and "`tests/" in line]
_NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def names_in(path):
    """Return the names of a file's tests, those in classes too."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name for node in functions if node.name.startswith("test_")}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1].strip()[:60])
def test_every_test_that_a_row_names_is_there(row):
    named = _NAMED.findall(row[3])
    assert len(named) == row[3].count("`tests/")
    assert [f"{path}::{name}" for path, name in named if name not in names_in(path)] == []


def test_every_row_names_a_test():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| attack |")]
    assert len(rows) == len(ROWS) > 30


def test_every_attack_stands_on_the_page():
    here = {
        (str(path.relative_to(ROOT)), name)
        for path in (ROOT / "tests" / "attacks").glob("test_*.py")
        if path.name != "test_table.py"
        for name in names_in(path.relative_to(ROOT))
    }
    assert here - set(_NAMED.findall(PAGE)) == set()
