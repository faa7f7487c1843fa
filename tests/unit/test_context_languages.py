"""Which file and which function a fixer must see: traces as they are logged, beside trees as they are.

Each file of ``tests/data/contexts`` holds a tree and the traces of errors in it. Its files are large and
the room is small, so that only what was looked for finds its place.
"""

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ai_ops.core.context import choose, tokens
from ai_ops.core.describe import describe
from ai_ops.core.guard.plain_code import plain

FOLDER = Path(__file__).parents[1] / "data" / "contexts"
BUDGET = 3_000
FILLERS = {
    "py": "def filler_{n}():\n    return {n}\n",
    "ts": "export function filler{n}() {{\n  return {n};\n}}\n",
    "js": "function filler{n}() {{\n  return {n};\n}}\n",
    "java": "    int filler{n}() {{\n        return {n};\n    }}\n",
    "kt": "    fun filler{n}(): Int {{\n        return {n}\n    }}\n",
    "go": "func filler{n}() int {{\n\treturn {n}\n}}\n",
    "rb": "    def filler_{n}\n      {n}\n    end\n",
    "php": "    public function filler{n}() {{\n        return {n};\n    }}\n",
    "cs": "        public int Filler{n}() {{\n            return {n};\n        }}\n",
    "rs": "pub fn filler_{n}() -> u32 {{\n    {n}\n}}\n",
}


@dataclass
class Case:
    """A trace with what it must lead to: a path and the words of a function there."""

    tree: dict[str, str]
    trace: str = ""
    expect: tuple[str, str] = ("", "")
    caller: tuple[str, str] = ("", "")
    also: list[str] = field(default_factory=list)
    never: list[str] = field(default_factory=list)

    @property
    def log(self) -> str:
        """The trace, with the number of the line that holds the words for each {path#words}."""

        def number(found: re.Match[str]) -> str:
            text = self.tree[found.group(1)]
            return str(text[: text.index(found.group(2))].count("\n") + 1)

        return re.sub(r"\{([^{}#]+)#([^{}]+)\}", number, self.trace)


def read_cases(text: str) -> dict[str, Case]:
    tree: dict[str, str] = {}
    cases: dict[str, Case] = {}
    for section in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]:
        head, _, body = section.partition("\n")
        kind, _, name = head.partition(" ")
        if kind == "file":
            filler = FILLERS.get(name.rpartition(".")[2], "")
            tree[name] = body.replace("FILLER\n", "".join(filler.format(n=n) for n in range(120)))
            continue
        wanted, _, trace = body.partition("\n\n")
        cases[name] = case = Case(tree, trace)
        for line in wanted.splitlines():
            word, _, rest = line.partition(" ")
            if word in ("expect", "caller"):
                setattr(case, word, tuple(rest.split(" | ")))
            else:
                getattr(case, word).append(rest)
    return cases


CASES = {
    name: case for path in sorted(FOLDER.glob("*.txt")) for name, case in read_cases(path.read_text()).items()
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_function_of_the_trace_its_callers_and_tests_are_shown(case):
    error = describe(case.log).error
    choice = choose(error, tuple(case.tree), case.tree.get, budget=BUDGET)

    shown: dict[str, str] = {}
    for file in choice.files:
        shown[file.path] = shown.get(file.path, "") + file.text
        assert file.text in case.tree[file.path], "parts are the file's own lines"
    path, function = case.expect
    assert choice.files[0].path == path, (choice.leads, error.frames)
    assert function in shown[path]
    assert case.caller[1] in shown.get(case.caller[0], ""), choice.leads
    assert not set(case.also) - set(shown) - {note.path for note in choice.notes}
    assert not set(case.never) & set(shown)
    assert tokens(case.tree[path]) > BUDGET / 3, "whole files would prove nothing"
    assert path not in choice.whole
    assert choice.tokens <= BUDGET


def test_the_table_covers_every_language_that_is_read():
    languages = {describe(case.log).error.language for case in CASES.values()}
    assert languages == {"python", "javascript", "java", "go", "ruby", "php", "csharp", "rust"}
    assert len(CASES) >= 20


@pytest.mark.parametrize(
    ("path", "unit"),
    [("a.js", "'\\"), ("a.cs", '"\\'), ("a.php", "'\\"), ("a.rs", 'r#"')],
    ids=["javascript", "c#", "php", "rust"],
)
def test_texts_that_nothing_closes_do_not_stop_the_server(path, unit):
    read = "import sys; from ai_ops.core.context.functions import spans; spans(sys.argv[1], sys.stdin.read())"
    done = subprocess.run(
        [sys.executable, "-c", read, path], input=unit * 300_000, text=True, timeout=30, check=False
    )
    assert done.returncode == 0


def test_a_quote_that_nothing_closes_hides_nothing_behind_it():
    assert plain("a.js", "it's \"x\" // y\nf('a')\n/* '\n*/ g") == 'it\'s ""  \nf("")\n\n g'
