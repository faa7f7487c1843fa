"""Paths: benign spellings lead to the right file, everything else refuses the whole answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_ops.core.code_blocks import Problem, Tree, is_git_name, resolve

TREE = Tree(
    {
        "src/shop/cart.py": 0o100644,
        "src/shop/models.py": 0o100644,
        "tests/test_cart.py": 0o100644,
        "main.py": 0o100644,
        "a/inner.py": 0o100644,
        "run.sh": 0o100755,
        "link": 0o120000,
        "out": 0o120000,
        "vendor/lib": 0o160000,
        "docs/Straße.md": 0o100644,
    }
)


def path(raw: str, **more: object) -> str:
    found = resolve(raw, TREE, **more)  # type: ignore[arg-type]
    assert not isinstance(found, Problem), found
    return found.path


def refusal(raw: str) -> Problem:
    found = resolve(raw, TREE)
    assert isinstance(found, Problem), found
    return found


@pytest.mark.parametrize(
    "raw",
    [
        "src/shop/cart.py",
        "./src/shop/cart.py",
        "a/src/shop/cart.py",
        "b/src/shop/cart.py",
        "repo/src/shop/cart.py",
        "workspace/src/shop/cart.py",
        "/workspace/src/shop/cart.py",
        "workspaces/4f2a/repo/src/shop/cart.py",
        "/srv/data/workspaces/4f2a/repo/src/shop/cart.py",
        "/srv/app/src/shop/cart.py",
        "src\\shop\\cart.py",
        "C:\\Users\\x\\app\\src\\shop\\cart.py",
        "d:/app/src/shop/cart.py",
        "src//shop/./cart.py",
    ],
)
def test_benign_spellings_lead_to_the_file(raw):
    assert path(raw) == "src/shop/cart.py"


def test_a_path_as_it_stands_needs_no_note_and_others_have_one():
    assert resolve("main.py", TREE).note == ""  # type: ignore[union-attr]
    assert "b/main.py" in resolve("b/main.py", TREE).note  # type: ignore[union-attr]


def test_a_folder_that_is_named_like_a_prefix_is_believed_first():
    assert path("a/inner.py") == "a/inner.py"
    assert path("a/new.py") == "a/new.py"
    assert path("b/new.py") == "new.py"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("tests/test_new.py", "tests/test_new.py"),
        ("repo/tests/test_new.py", "tests/test_new.py"),
        ("/workspace/tests/test_new.py", "tests/test_new.py"),
        ("workspaces/x/repo/tests/test_new.py", "tests/test_new.py"),
        ("/srv/app/tests/test_new.py", "tests/test_new.py"),
        ("new folder/ünï.py", "new folder/ünï.py"),
        ("/srv/app/main_new.py", "main_new.py"),
        ("/home/x/shop/tests/test_new.py", "tests/test_new.py"),
        ("/home/x/shop/tests/main.py", "tests/main.py"),
        ("/home/x/src/shop/main.py", "src/shop/main.py"),
        ("/workspace/new.py", "new.py"),
        ("/workspace/new/deep.py", "new/deep.py"),
        ("/data/workspaces/x/repo/new/deep.py", "new/deep.py"),
    ],
)
def test_new_files_are_placed_beneath_the_root(raw, expected):
    assert path(raw, roots=("/srv/app",)) == expected


def test_a_path_as_it_stands_wins_over_one_without_its_prefix():
    found = resolve("a/main.py", Tree.of(["main.py", "a/main.py"]))
    assert found.path == "a/main.py"  # type: ignore[union-attr]


def test_a_tree_that_holds_two_names_of_one_form_can_still_be_edited():
    tree = Tree.of(["Readme.md", "README.md"])
    assert [resolve(raw, tree).path for raw in tree.paths] == list(tree.paths)  # type: ignore[union-attr]


ATTACKS = {
    "../x.py": "path_traversal",
    "src/../../x.py": "path_traversal",
    "src/shop/../shop/cart.py": "path_traversal",
    "..\\x.py": "path_traversal",
    "/workspace/../etc/passwd": "path_traversal",
    "/srv/app/src/../../main.py": "path_traversal",
    "src/\0.py": "bad_path",
    "src/\n.py": "bad_path",
    "src/\ud800.py": "bad_path",
    "": "bad_path",
    "/": "bad_path",
    ".": "bad_path",
    "x" * 300: "bad_path",
    "d/" * 600 + "x": "bad_path",
    ".git/config": "git_path",
    ".GIT/hooks/pre-commit": "git_path",
    "sub/.git/config": "git_path",
    "./.git/config": "git_path",
    "/workspace/.git/config": "git_path",
    ".git\\config": "git_path",
    "git~1/config": "git_path",
    "GIT~1/config": "git_path",
    ".git./config": "git_path",
    ".git /config": "git_path",
    ".git::$INDEX_ALLOCATION/config": "git_path",
    ".g\u200cit/config": "git_path",
    ".gi\ufefft/config": "git_path",
    "\uff0egit/config": "git_path",
    ".git": "git_path",
    "/etc/passwd": "path_outside_root",
    "/etc/main.py": "path_outside_root",
    "C:\\Windows\\System32\\drivers\\etc\\hosts": "path_outside_root",
    "//server/share/x.py": "path_outside_root",
    "file:///etc/passwd": "bad_path",
    "~/.ssh/authorized_keys": "bad_path",
    "src/x.py:stream": "bad_path",
    "src/NUL": "bad_path",
    "src/con.py": "bad_path",
    "src/x.py ": "bad_path",
    "src/x.": "bad_path",
    "src/x\u202egpj.py": "bad_path",
    "link": "symlink",
    "out/x.py": "symlink",
    "/workspace/out/x.py": "symlink",
    "out/deep/x.py": "symlink",
    "vendor/lib": "submodule",
    "vendor/lib/x.py": "submodule",
    "MAIN.py": "case_clash",
    "SRC/shop/new.py": "case_clash",
    "src/Shop/cart.py": "case_clash",
    "docs/STRASSE.md": "case_clash",
}


@pytest.mark.parametrize(("raw", "rule"), ATTACKS.items(), ids=map(ascii, ATTACKS))
def test_attacks_refuse_the_whole_answer(raw, rule):
    problem = refusal(raw[:2000])
    assert (problem.rule, problem.final) == (rule, True)


@pytest.mark.parametrize(("raw", "rule"), [("main.py/x.py", "not_a_folder"), ("src/shop", "is_a_folder")])
def test_a_slip_is_told_and_may_be_mended(raw, rule):
    problem = refusal(raw)
    assert (problem.rule, problem.final) == (rule, False)


@pytest.mark.parametrize(
    "name", [".gitignore", ".github", "git", "gitx~1", "legit", ".git-blame-ignore-revs"]
)
def test_names_that_only_begin_like_git_are_free(name):
    assert not is_git_name(name)


@given(st.text(max_size=40))
def test_whatever_is_written_stays_beneath_the_root(raw):
    found = resolve(raw, TREE)
    if not isinstance(found, Problem):
        parts = found.path.split("/")
        assert not found.path.startswith("/")
        assert not {"", ".", ".."} & set(parts)
        assert not any(map(is_git_name, parts))
