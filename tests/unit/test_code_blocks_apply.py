"""Applying: each search has one place, bytes that were not meant stay, and a fault leaves all as it was."""

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from ai_ops.core.code_blocks import Limits, Plan, Refused, Tree, plan
from ai_ops.flow.edits import CodeBlock, EditOp, FileChange, Replacement
from ai_ops.workspace import edits

CART = "def total(items):\n    return sum(items) / len(items)\n\n\ndef count(items):\n    return len(items)\n"
FILES = {"src/cart.py": CART.encode(), "README.md": b"# Shop\n"}


def edit(path: str, *pairs: tuple[str, str], final_newline: bool = True) -> CodeBlock:
    replacements = tuple(Replacement(*pair) for pair in pairs)
    return CodeBlock(path, EditOp.EDIT, replacements=replacements, final_newline=final_newline)


def write(path: str, content: str, *, final_newline: bool = True) -> CodeBlock:
    return CodeBlock(path, EditOp.WRITE, content, final_newline=final_newline)


def delete(path: str) -> CodeBlock:
    return CodeBlock(path, EditOp.DELETE)


def rename(path: str, to: str, *pairs: tuple[str, str]) -> CodeBlock:
    return CodeBlock(path, EditOp.RENAME, replacements=tuple(Replacement(*pair) for pair in pairs), to=to)


def planned(*blocks: CodeBlock, files: dict[str, bytes] | None = None, **more: object) -> Plan:
    held = FILES if files is None else files
    result = plan(blocks, held.get, Tree.of(held), **more)  # type: ignore[arg-type]
    assert isinstance(result, Plan), result
    return result


def refused(*blocks: CodeBlock, files: dict[str, bytes] | None = None, **more: object) -> Refused:
    held = FILES if files is None else files
    result = plan(blocks, held.get, Tree.of(held), **more)  # type: ignore[arg-type]
    assert isinstance(result, Refused), result
    return result


def edited(content: bytes, search: str, replace: str, *, name: str = "f.txt", **more: bool) -> bytes:
    result = planned(edit(name, (search, replace), **more), files={name: content})
    (change,) = result.changes
    assert change.content is not None
    return change.content


def rules(result: Refused) -> list[str]:
    return [problem.rule for problem in result.problems]


def test_an_exact_edit_changes_its_lines_and_says_nothing():
    result = planned(edit("src/cart.py", ("    return sum(items) / len(items)", "    return sum(items)")))
    assert result.changes == (FileChange("src/cart.py", CART.replace(" / len(items)", "", 1).encode()),)
    assert result.notes == ()


LADDER = {
    "trailing space": (b"a  \nb\n", "a\nb", "a\nc", b"a  \nc\n", "trailing space"),
    "unicode quotes": (
        "x = \u201chi\u201d\nb\n".encode(),
        'x = "hi"\nb',
        'x = "hi"\nc',
        None,
        "Unicode quotes",
    ),
    "blank lines around": (b"a\nb\n", "\n\na\nb\n", "\na\nc\n\n", b"a\nc\n", "blank lines"),
    "blank lines inside": (b"a\n\n\nb\nz\n", "a\nb", "a\nc", b"a\nc\nz\n", "blank lines"),
    "indented less": (
        b"if x:\n    a\n        b\n",
        "a\n    b",
        "a\n    c",
        b"if x:\n    a\n        c\n",
        "indentation",
    ),
    "indented more": (b"a\n  b\n", "    a\n      b", "    a\n      c", b"a\n  c\n", "indentation"),
    "tabs": (b"\t\ta\n\t\t\tb\n", "a\n\tb", "a\n\n\tc", b"\t\ta\n\n\t\t\tc\n", "indentation"),
}


@pytest.mark.parametrize(("old", "search", "replace", "new", "rung"), LADDER.values(), ids=LADDER.keys())
def test_the_match_ladder_forgives_one_thing_more_at_a_time_and_notes_it(old, search, replace, new, rung):
    result = planned(edit("f.txt", (search, replace)), files={"f.txt": old})
    expected = new if new is not None else "x = \u201chi\u201d\nc\n".encode()
    assert result.changes[0].content == expected
    assert result.notes == (f"f.txt, search 1: matched after forgiving {rung}",)


AMBIGUOUS = {
    "exact": (b"a\nx\na\n", "a"),
    "trailing space": (b"a \nx\na  \n", "a"),
    "unicode quotes": ("\u2018a\u2019\nx\n\u201ba\u2019\n\u2018a\u2019\n".encode(), "'a'"),
    "blank lines": (b"a\n\nb\nx\na\n\n\nb\n", "a\nb"),
    "indentation": (b"  a\nx\n    a\n", "a"),
}


@pytest.mark.parametrize(("old", "search"), AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_a_search_with_several_places_is_ambiguous_and_the_first_is_not_taken(old, search):
    result = refused(edit("f.txt", (search, "z")), files={"f.txt": old})
    assert rules(result) == ["ambiguous"]
    assert not result.final


NEARLY = "def total(items):\n    first = items[0]\n    return sum(items) / len(items)\n"
SEARCH = "def total(items):\n    first = items[O]\n    return sum(items) / len(items)"
REPLACE = "def total(items):\n    first = items[1]\n    return sum(items)"


def test_lines_that_are_nearly_the_same_count_only_when_that_is_asked_for():
    block, files = edit("f.txt", (SEARCH, REPLACE)), {"f.txt": f"a\n{NEARLY}b\n".encode()}
    assert rules(refused(block, files=files)) == ["unmatched"]
    result = planned(block, files=files, fuzzy=True)
    assert result.changes[0].content == f"a\n{REPLACE}\nb\n".encode()
    assert result.notes == ("f.txt, search 1: matched after forgiving lines that differ a little",)


@pytest.mark.parametrize(
    ("content", "search", "rule"),
    [
        (NEARLY + NEARLY, SEARCH, "ambiguous"),
        (NEARLY + NEARLY.replace("first", "frist"), SEARCH, "ambiguous"),
        (NEARLY, "def total(items):\n    first = items[O]", "unmatched"),
        (NEARLY, SEARCH.replace("sum(items)", "add(things)"), "unmatched"),
    ],
    ids=["twice", "no clear margin", "too few lines", "not alike enough"],
)
def test_nearly_the_same_has_bounds(content, search, rule):
    block = edit("f.txt", (search, "x"))
    assert rules(refused(block, files={"f.txt": content.encode()}, fuzzy=True)) == [rule]


def test_an_exact_place_wins_over_one_that_is_nearly_the_same():
    files = {"f.txt": f"{NEARLY}{SEARCH}\n".encode()}
    content = planned(edit("f.txt", (SEARCH, "x")), files=files, fuzzy=True).changes[0].content
    assert content == f"{NEARLY}x\n".encode()


@pytest.mark.parametrize(
    "block",
    [
        edit("README.md", ("# Shop", "# x")),
        write("README.md", "# x"),
        delete("README.md"),
        rename("README.md", "x.md"),
    ],
    ids=["edit", "write", "delete", "rename"],
)
def test_a_file_that_changed_since_it_was_sent_is_left_alone(block):
    assert rules(refused(block, sent={"README.md": ["# Store"]})) == ["changed_since_sent"]
    assert rules(refused(block, sent={"README.md": ["# Shop", "## Gone"]})) == ["changed_since_sent"]
    assert planned(block, sent={"README.md": ["# Shop"], "other": ["x"]})


def test_an_exact_place_wins_over_looser_ones():
    assert edited(b"  a\nx\na\n", "a", "z") == b"  a\nx\nz\n"


UNMATCHED = {
    "other text": (b"def total(items):\n    return 1\n", "def total(items):\n    return 2"),
    "part of a line": (b"return items\n", "return"),
    "uneven indentation": (b"  a\n    b\n", "a\nb"),
    "mixed tabs and spaces": (b"\ta\n    b\n", "    a\n    b"),
    "longer than the file": (b"a\n", "a\nb\nc"),
    "in an empty file": (b"", "a"),
}


@pytest.mark.parametrize(("old", "search"), UNMATCHED.values(), ids=UNMATCHED.keys())
def test_a_search_without_a_place_is_unmatched(old, search):
    assert rules(refused(edit("f.txt", (search, "z")), files={"f.txt": old})) == ["unmatched"]


def test_a_replacement_that_cannot_be_shifted_along_is_unmatched():
    assert rules(refused(edit("f.txt", ("    a\n    b", "  c")), files={"f.txt": b"a\nb\n"})) == ["unmatched"]


def test_the_report_of_an_unmatched_search_shows_the_most_similar_lines():
    result = refused(edit("src/cart.py", ("def total(item):\n    return sum(item) / len(item)", "x")))
    assert "line 1:\ndef total(items):\n    return sum(items) / len(items)" in result.problems[0].text


BYTES = {
    "CRLF": (b"a\r\nb\r\nc\r\n", "b", "x\ny", b"a\r\nx\r\ny\r\nc\r\n"),
    "mixed ends": (b"a\nb\r\nc\nd\r\n", "b\nc", "b\nx", b"a\nb\r\nx\nd\r\n"),
    "CRLF in the answer": (b"a\nb\n", "a\r\nb", "a\r\nc", b"a\nc\n"),
    "byte order mark": (b"\xef\xbb\xbfa\nb\n", "a", "x", b"\xef\xbb\xbfx\nb\n"),
    "no final line end": (b"a\nb", "b", "x\ny", b"a\nx\ny"),
    "no final line end, other lines": (b"a\nb", "a", "x", b"x\nb"),
    "no final line end, CRLF": (b"a\r\nb", "b", "x\ny", b"a\r\nx\r\ny"),
    "form feed and line separator": (
        "a\x0c\nb\u2028c\nd\n".encode(),
        "d",
        "x",
        "a\x0c\nb\u2028c\nx\n".encode(),
    ),
    "lone carriage return": (b"a\rb\nc\n", "c", "x", b"a\rb\nx\n"),
    "deletion": (b"a\nb\nc\n", "b", "", b"a\nc\n"),
    "deletion of everything": (b"a\n", "a", "", b""),
    "insertion": (b"a\r\nb\r\n", "a\nb", "a\nx\nb", b"a\r\nx\r\nb\r\n"),
    "trailing space of kept lines": (b"a  \nb\t\nc\n", "a\nb\nc", "a\nb\nx", b"a  \nb\t\nx\n"),
}


@pytest.mark.parametrize(("old", "search", "replace", "new"), BYTES.values(), ids=BYTES.keys())
def test_an_edit_keeps_every_byte_it_did_not_mean(old, search, replace, new):
    assert edited(old, search, replace) == new


@pytest.mark.parametrize(
    ("old", "search", "noted"),
    [
        (b"a\r\nb\r\n", "a", True),
        (b"a\nb\n", "a\r", True),
        (b"a\nb\n", "a", False),
        (b"a\r\nb\r\n", "a\r", False),
    ],
    ids=["CRLF in the file", "CRLF in the answer", "none", "both"],
)
def test_line_ends_that_differ_are_noted(old, search, noted):
    notes = planned(edit("f.txt", (search, "x")), files={"f.txt": old}).notes
    assert notes == (("f.txt: the file's own line ends were kept",) if noted else ())


def test_eof_none_takes_the_final_line_end_away():
    assert edited(b"a\nb\n", "a", "x", final_newline=False) == b"x\nb"


def test_several_searches_are_placed_in_the_file_as_it_was():
    pairs = (("def count(items):", "def number(items):"), ("def total(items):", "def count(items):"))
    content = planned(edit("src/cart.py", *pairs)).changes[0].content
    assert content == CART.replace("count", "number").replace("total", "count").encode()


def test_a_missing_file_is_told_with_similar_names():
    assert "src/cart.py" in refused(edit("shop/cart.py", ("x", "y"))).problems[0].text


def test_overlapping_searches_are_refused():
    lines = edit("f.txt", ("a\nb", "x"), ("b\nc", "y"))
    assert rules(refused(lines, files={"f.txt": b"a\nb\nc\n"})) == ["overlapping"]


def test_neighbouring_searches_do_not_overlap():
    result = planned(edit("f.txt", ("a", "x"), ("b", "y")), files={"f.txt": b"a\nb\n"})
    assert result.changes[0].content == b"x\ny\n"


def test_one_bad_block_keeps_the_good_ones_from_being_applied_and_all_faults_are_told():
    result = refused(
        edit("src/cart.py", ("def total(items):", "def total(things):")),
        edit("README.md", ("nowhere", "x")),
        delete("missing.py"),
    )
    assert rules(result) == ["unmatched", "no_such_file"]


BIG = "".join(f"line {n}\n" for n in range(20))
FAULTS = {
    "edit of a missing file": ([edit("src/crt.py", ("x", "y"))], "no_such_file"),
    "delete of a missing file": ([delete("x.py")], "no_such_file"),
    "rename of a missing file": ([rename("x.py", "y.py")], "no_such_file"),
    "rename onto a file": ([rename("README.md", "src/cart.py")], "rename_exists"),
    "the same file twice": ([edit("README.md", ("# Shop", "# x")), delete("./README.md")], "same_file_twice"),
    "a rename onto a new file": ([write("n.py", "x = 1"), rename("README.md", "n.py")], "same_file_twice"),
    "an edit without effect": ([edit("README.md", ("# Shop", "# Shop"))], "no_change"),
    "a write without effect": ([write("README.md", "# Shop")], "no_change"),
    "an empty search": ([edit("README.md", ("", "x"))], "empty_search"),
    "a blank search": ([edit("README.md", (" \n", "x"))], "empty_search"),
    "a shrinking write": ([write("big.txt", "line 1\nline 2")], "shrinks"),
    "an emptied file": ([write("big.txt", "")], "shrinks"),
    "rest unchanged": ([write("big.txt", "# ... rest of the file unchanged ...\n" + BIG)], "placeholder"),
    "rest without dots": ([write("big.txt", "# rest of the file unchanged\n" + BIG)], "placeholder"),
    "existing code": ([write("n.js", "a();\n// ... existing code ...\nb();")], "placeholder"),
    "dots in a comment": ([write("n.py", "a = 1\n# ...\nb = 2")], "placeholder"),
    "unchanged in brackets": ([edit("README.md", ("# Shop", "# x\n# (unchanged)"))], "placeholder"),
    "bare dots with words": ([write("n.txt", "a\n... rest of the code ...")], "placeholder"),
    "conflict markers": (
        [write("n.txt", "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> main")],
        "conflict_markers",
    ),
    "a fence": ([write("n.txt.py", "```python\nx = 1\n```")], "stray_fence"),
    "a fence in an edit": ([edit("big.cfg", ("line 1", "```\nx\n```"))], "stray_fence"),
    "broken Python": ([edit("src/cart.py", ("def total(items):", "def total(items:"))], "syntax_error"),
    "new broken Python": ([write("n.py", "def f(:")], "syntax_error"),
    "broken JSON": ([edit("package.json", ('  "name": "x"', '  "name": "x",'))], "syntax_error"),
    "new broken JSON": ([write("n.json", "{")], "syntax_error"),
    "broken TOML": ([write("n.toml", "a = ")], "syntax_error"),
    "a file and a folder of one name": ([write("n", "x"), write("n/m", "y")], "not_a_folder"),
    "a file as a folder": ([write("README.md/x", "y")], "not_a_folder"),
    "no blocks": ([], "no_blocks"),
}


@pytest.mark.parametrize(("blocks", "rule"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_goes_back_with_its_name(blocks, rule):
    files = {
        **FILES,
        "big.txt": BIG.encode(),
        "big.cfg": BIG.encode(),
        "package.json": b'{\n  "name": "x"\n}\n',
    }
    result = refused(*blocks, files=files)
    assert rule in rules(result)
    assert not result.final


FINAL = {
    "traversal": ([write("../x.py", "x = 1")], "path_traversal"),
    "git": ([write(".git/hooks/x", "x")], "git_path"),
    "rename into git": ([rename("README.md", ".GIT/config")], "git_path"),
    "binary file": ([edit("bin.dat", ("a", "b"))], "binary_file"),
    "binary rename": ([rename("bin.dat", "c.dat")], "binary_file"),
    "NUL in the answer": ([write("n.txt", "a\0b")], "binary_file"),
    "another encoding": ([edit("latin.txt", ("a", "b"))], "not_utf8"),
    "UTF-16": ([edit("utf16.txt", ("a", "b"))], "binary_file"),
    "half a surrogate pair": ([write("n.txt", "a\ud800")], "not_utf8"),
    "a large file": ([edit("big.txt", ("a", "b"))], "file_too_large"),
    "a large write": ([write("n.txt", "x" * 200)], "file_too_large"),
    "too many files": ([write(f"n{n}.txt", "x") for n in range(4)], "too_many_files"),
    "two new names that clash": ([write("New.txt", "x"), write("new.txt", "y")], "case_clash"),
    "a new name that clashes": ([write("readme.md", "x")], "case_clash"),
    "a rename that clashes": ([rename("README.md", "SRC/x.md")], "case_clash"),
}


@pytest.mark.parametrize(("blocks", "rule"), FINAL.values(), ids=FINAL.keys())
def test_what_is_out_of_bounds_refuses_the_whole_answer(blocks, rule):
    files = {
        **FILES,
        "bin.dat": b"a\0b",
        "latin.txt": "grün".encode("latin-1"),
        "utf16.txt": "ab".encode("utf-16"),
        "big.txt": b"a\n" * 100,
    }
    result = refused(*blocks, files=files, limits=Limits(blocks=3, file_bytes=150))
    assert rule in rules(result)
    assert result.final


def test_links_and_submodules_of_the_tree_are_refused():
    tree = Tree({"out": 0o120000, "lib": 0o160000})
    result = plan([write("out/x", "x"), write("lib/x", "x")], {}.get, tree)
    assert isinstance(result, Refused)
    assert rules(result) == ["symlink", "submodule"]


WRITES = {
    "a new file": (None, "a\nb", {}, b"a\nb\n"),
    "a new file without a final line end": (None, "a", {"final_newline": False}, b"a"),
    "a new empty file": (None, "", {}, b""),
    "over CRLF": (b"a\r\nb\r\n", "a\nc\nd", {}, b"a\r\nc\r\nd\r\n"),
    "over mixed ends": (b"a\r\nb\nc\r\n", "a\nx\nc", {}, b"a\r\nx\nc\r\n"),
    "over a byte order mark": (b"\xef\xbb\xbfa\n", "b", {}, b"\xef\xbb\xbfb\n"),
    "over no final line end": (b"a\nb", "x\nb", {}, b"x\nb"),
    "over an empty file": (b"", "a", {}, b"a\n"),
    "longer than before": (b"a\n", "a\nb\nc", {}, b"a\nb\nc\n"),
}


@pytest.mark.parametrize(("old", "content", "how", "new"), WRITES.values(), ids=WRITES.keys())
def test_a_write_keeps_the_form_of_the_file(old, content, how, new):
    files = {} if old is None else {"f.txt": old}
    assert planned(write("f.txt", content, **how), files=files).changes == (FileChange("f.txt", new),)


def test_a_write_onto_a_file_that_was_not_shown_is_refused():
    block = write("README.md", "# My own\nmore\n")
    assert rules(refused(block, shown=frozenset())) == ["create_exists"]
    assert planned(block, shown=frozenset({"README.md"}))


def test_a_small_file_may_lose_more_than_half():
    assert planned(write("f.txt", "a"), files={"f.txt": b"a\nb\nc\nd\n"})


def test_delete_and_rename_become_changes_and_the_mode_moves_along():
    tree = Tree({"run.sh": 0o100755, "old.txt": 0o100644})
    held = {"run.sh": b"echo 1\n", "old.txt": b"x\n"}
    result = plan([rename("run.sh", "bin/run.sh", ("echo 1", "echo 2")), delete("old.txt")], held.get, tree)
    assert isinstance(result, Plan)
    assert result.changes == (
        FileChange("run.sh", None),
        FileChange("bin/run.sh", b"echo 2\n", 0o755),
        FileChange("old.txt", None),
    )


@pytest.mark.parametrize(
    "content",
    [
        "def f():\n    ...\n",
        "x = (\n    1,  # ... and so on\n)\n",
        "# The rest of the tokens go to the parser.\nx = 1\n",
        "# What was read before is unchanged here.\nx = 1\n",
    ],
    ids=["an ellipsis body", "dots in a remark", "a remark about a rest", "a remark about what is unchanged"],
)
def test_honest_code_is_no_placeholder(content):
    assert planned(write("n.py", content))


def test_markdown_may_hold_fences():
    assert planned(write("doc.md", "```sh\nmake\n```"))


def test_a_file_that_was_not_valid_python_before_is_not_held_to_it():
    assert planned(edit("old.py", ("print 'a'", "print 'b'")), files={"old.py": b"print 'a'\n"})
    commented = {"tsconfig.json": b"// strict\n{}\n"}
    assert planned(edit("tsconfig.json", ("// strict", "// loose")), files=commented)


def test_the_notes_tell_how_a_path_was_read():
    result = planned(edit("/workspace/src/cart.py", ("def total(items):", "def total(them):")))
    assert result.notes == ("/workspace/src/cart.py was read as src/cart.py",)
    assert result.changes[0].path == "src/cart.py"


def test_a_large_file_is_searched_in_linear_time():
    content = "".join(f"    value_{n} = {n}\n" for n in range(20_000))
    files = {"f.txt": content.encode()}
    assert planned(edit("f.txt", ("value_19999 = 19999", "value_19999 = 0")), files=files).changes
    assert rules(refused(edit("f.txt", ("value_x = 1\n" * 50, "y")), files=files)) == ["unmatched"]


HELD = {
    "src/a.py": b"x = 1\ny = 2\nz = 3\n",
    "src/b.txt": b"one\r\ntwo\r\nthree\r\n",
    "run.sh": b"echo 1\n",
    "Case.txt": b"a\n",
    "bin.dat": b"\0\1",
}
SPELLED = ["./src/a.py", "b/src/b.txt", "src\\a.py", "/app/src/a.py", "workspaces/1/repo/run.sh"]
NEW = ["new.txt", "src/new/deep.txt"]
BAD = ["src", "case.txt", "../out.txt", ".git/config", "link/x", "run.sh/x"]
PATHS = st.sampled_from([*HELD, *HELD, *SPELLED, *NEW, *NEW, *BAD])
LINES = st.lists(
    st.sampled_from(["x = 1", "y = 2", "one", "two", "two ", "  y = 2", "echo 1", "a", "", "new", "\ud800"]),
    max_size=3,
)
BODIES = LINES.map("\n".join)
PAIRS = st.lists(st.builds(Replacement, BODIES, BODIES), min_size=1, max_size=2).map(tuple)
PLACED = st.sampled_from(
    [("src/a.py", "y = 2"), ("b/src/b.txt", "two"), ("run.sh", "echo 1"), ("Case.txt", "a")]
)
BLOCKS = st.lists(
    st.one_of(
        st.builds(lambda place, body: edit(place[0], (place[1], body)), PLACED, BODIES),
        st.builds(write, st.sampled_from(NEW), BODIES),
        st.builds(lambda path, pairs: CodeBlock(path, EditOp.EDIT, replacements=pairs), PATHS, PAIRS),
        st.builds(write, PATHS, BODIES),
        st.builds(delete, PATHS),
        st.builds(rename, PATHS, PATHS),
    ),
    min_size=1,
    max_size=4,
)


def resolved(blocks):
    """Return every path that a block of the answer may mean, by the end of what it wrote."""
    written = [raw.replace("\\", "/") for block in blocks for raw in (block.path, block.to) if raw]
    return lambda path: any(raw == path or raw.endswith(f"/{path}") for raw in written)


@seed(20261126)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(blocks=BLOCKS, fuzzy=st.booleans())
def test_whatever_is_answered_all_of_it_is_applied_or_nothing_and_only_named_files_change(
    tmp_path_factory, blocks, fuzzy
):
    checkout = tmp_path_factory.mktemp("checkout")
    for path, content in HELD.items():
        (checkout / path).parent.mkdir(exist_ok=True)
        (checkout / path).write_bytes(content)
    (checkout / "link").symlink_to("src")

    def now():
        paths = (path for path in checkout.rglob("*") if path.is_file())
        return {path.relative_to(checkout).as_posix(): path.read_bytes() for path in paths}

    before = now()
    result = plan(blocks, lambda path: edits.read(checkout, path), edits.tree(checkout), fuzzy=fuzzy)
    assert now() == before, "planning writes nothing"
    if isinstance(result, Refused):
        assert result.problems
        return
    edits.write(checkout, result.changes)
    after = now()
    means = resolved(blocks)
    changed = {path for path in before | after if before.get(path) != after.get(path)}
    assert changed <= {change.path for change in result.changes}
    assert all(means(path) for path in changed)
    assert {
        change.path: change.content for change in result.changes if change.content is not None
    }.items() <= after.items()
    assert all(change.path not in after for change in result.changes if change.content is None)
    assert len(result.changes) == len(blocks) + sum(block.op is EditOp.RENAME for block in blocks)
