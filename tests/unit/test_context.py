"""Choosing files: the traceback's files first, whatever root they had, within the room there is."""

from dataclasses import replace

import pytest

from ai_ops.core.context import choose, map_path, roots, tokens
from ai_ops.core.context.calls import Called, calls_of
from ai_ops.core.context.functions import names_of
from ai_ops.flow.event import ErrorDetail, Frame

PATHS = (
    "README.md",
    "src/shop/__init__.py",
    "src/shop/cart.py",
    "src/shop/models.py",
    "src/shop/web/views.py",
    "src/admin/views.py",
    "tests/conftest.py",
    "tests/test_cart.py",
    "tests/test_models.py",
)


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("src/shop/cart.py", "src/shop/cart.py"),
        ("./src/shop/cart.py", "src/shop/cart.py"),
        ("/srv/app/src/shop/cart.py", "src/shop/cart.py"),
        ("/usr/lib/python3/site-packages/shop/cart.py", "src/shop/cart.py"),
        ("C:\\app\\src\\shop\\cart.py", "src/shop/cart.py"),
        ("/app/shop/web/views.py", "src/shop/web/views.py"),
        ("/app/admin/views.py", "src/admin/views.py"),
        ("views.py", None),
        ("/app/src/shop/carts.py", "src/shop/cart.py"),
        ("/usr/lib/python3.11/json/decoder.py", None),
        ("<string>", None),
        ("", None),
    ],
)
def test_a_traceback_path_leads_to_the_file_it_means(file, expected):
    assert map_path(file, PATHS) == expected


def test_the_file_at_the_root_is_found_beside_others_of_its_name():
    assert map_path("/app/main.py", ["main.py", "tools/main.py"]) == "main.py"


def test_the_roots_of_the_log_are_known_from_its_frames():
    frames = [
        Frame("/srv/app/src/shop/cart.py", 1, "f"),
        Frame("/usr/lib/x.py", 1, "g"),
        Frame("src/shop/cart.py", 1, "h"),
    ]
    assert roots(frames, PATHS) == ("/srv/app",)


TREE = {
    "README.md": "# Shop\n\nPrices are in cents.\n",
    "CONTRIBUTING.md": "Run make test.\n" + "and so on\n" * 2_000,
    "src/shop/__init__.py": "",
    "src/shop/cart.py": "from shop.models import Item\n\n\ndef total(items):\n    return sum(items)\n",
    "src/shop/models.py": "class Item:\n    def __init__(self, price):\n        self.price = price\n",
    "src/shop/web/views.py": "from shop.cart import total\n\n\ndef view(items):\n    return total(items)\n",
    "src/shop/jobs/nightly.py": "from shop.cart import total\n\n\ndef nightly(day):\n    return total(day)\n",
    "src/admin/views.py": "def view(request):\n    return None\n",
    "tests/conftest.py": "import pytest\n",
    "tests/test_cart.py": "from shop.cart import total\n\n\ndef test_total():\n    assert total([]) == 0\n",
    "tests/test_models.py": "def test_item():\n    pass\n",
    "logo.py": "\0",
}
FRAMES = (
    Frame("/srv/app/src/shop/web/views.py", 5, "view"),
    Frame("/srv/app/src/shop/cart.py", 5, "total"),
    Frame("/usr/lib/python3.11/statistics.py", 1, "mean", in_app=False),
)
ERROR = ErrorDetail("Traceback …", "python", "ZeroDivisionError", "division by zero", FRAMES)


def chosen(error=ERROR, tree=TREE, **more):
    return choose(error, tuple(tree), tree.get, **more)


def long(text, lines=1_000):
    return text + "".join(f"\n\ndef filler_{n}():\n    return {n}\n" for n in range(lines // 4))


def test_the_trace_comes_first_then_who_calls_it_then_tests_then_what_it_imports_then_neighbours():
    choice = chosen()
    assert [file.path for file in choice.files] == [
        "src/shop/cart.py",
        "src/shop/web/views.py",
        "src/shop/jobs/nightly.py",
        "tests/test_cart.py",
        "tests/conftest.py",
        "src/shop/models.py",
        "src/shop/__init__.py",
    ]
    assert choice.whole == {file.path for file in choice.files}
    assert choice.left_out == ()


def test_where_the_trace_leads_and_who_calls_that_is_told():
    assert chosen().leads == (
        "src/shop/cart.py:5 in total",
        "src/shop/web/views.py:5 in view",
        "src/shop/jobs/nightly.py:5 in nightly calls total",
        "tests/test_cart.py:5 in test_total calls total",
    )


def test_the_beginnings_of_the_repositorys_notes_are_shown():
    readme, contributing = sorted(chosen().notes, key=lambda note: note.path, reverse=True)
    assert (readme.path, readme.text, readme.whole) == ("README.md", TREE["README.md"], True)
    assert contributing.text.startswith("Run make test.\n")
    assert tokens(contributing.text) <= 700
    assert not contributing.whole


def test_a_large_file_is_shown_in_part_its_imports_and_the_functions_of_the_trace():
    tree = TREE | {"src/shop/cart.py": long("import math\n" + TREE["src/shop/cart.py"]) + long("", 8_000)}
    choice = chosen(tree=tree)
    (part,) = [file for file in choice.files if file.path == "src/shop/cart.py"]
    assert (part.first, part.of) == (1, tree["src/shop/cart.py"].count("\n"))
    assert "import math" in part.text and "def total(items):" in part.text
    assert tree["src/shop/cart.py"].startswith(part.text)
    assert part.last == part.text.count("\n") < 40
    assert "src/shop/cart.py" not in choice.whole
    assert "src/shop/cart.py" not in choice.left_out


@pytest.mark.parametrize("budget", [0, 50, 200, 1_000, 5_000, 24_000])
def test_what_is_shown_stays_within_its_budget_and_what_is_not_is_said(budget):
    tree = {path: long(text) if path.endswith(".py") else text for path, text in TREE.items()}
    choice = chosen(tree=tree, budget=budget)
    assert choice.tokens <= budget
    shown = {file.path for file in choice.files}
    wanted = {"src/shop/cart.py", "src/shop/web/views.py", "src/shop/jobs/nightly.py", "tests/test_cart.py"}
    assert wanted <= shown | set(choice.left_out)
    assert not shown & set(choice.left_out)
    assert all(path in choice.told for path in choice.left_out)
    assert ("no room for" in choice.told) is bool(choice.left_out)


def test_the_functions_of_a_long_trace_leave_room_for_callers_and_tests():
    deep = tuple(Frame(f"/app/src/deep/m{n}.py", 300, "work") for n in range(10))
    body = "def work():\n" + "    x = 1\n" * 150
    tree = {f"src/deep/m{n}.py": long("") + body + long("") for n in range(10)} | TREE
    lines = {
        f"src/deep/m{n}.py": tree[f"src/deep/m{n}.py"].split("\n").index("def work():") + 2 for n in range(10)
    }
    deep = tuple(replace(frame, line=lines[frame.file[5:]]) for frame in deep)
    choice = chosen(replace(ERROR, frames=(*deep, FRAMES[1])), tree, budget=4_000)
    shown = [file.path for file in choice.files]
    assert shown[0] == "src/shop/cart.py"
    assert {"tests/test_cart.py", "src/shop/jobs/nightly.py", "src/shop/web/views.py"} <= set(shown)
    assert any(path.startswith("src/deep") for path in choice.left_out)


def test_without_a_trace_the_code_that_holds_the_words_is_shown_first():
    error = ErrorDetail(
        "ERROR [shop] could not charge card 12 of order 9", message="could not charge card 12 of order 9"
    )
    tree = TREE | {"src/zz/pay.py": 'log.error("could not charge card %s of order %s", card, order)\n'}
    assert chosen(error, tree).files[0].path == "src/zz/pay.py"


def test_without_a_trace_the_code_is_shown_as_far_as_there_is_room():
    choice = chosen(ErrorDetail("boom"), budget=60)
    assert choice.files and choice.left_out
    assert "README.md" not in {file.path for file in choice.files} | set(choice.left_out)
    assert choice.places == ()


def test_files_that_cannot_be_shown_are_passed_over():
    tree = dict.fromkeys(TREE, None)
    assert chosen(tree=tree).files == ()


def test_names_that_everybody_uses_find_callers_only_where_the_module_is_spoken_of():
    noise = {f"src/n{n}/x.py": "def f(a):\n    return a.total()\n" for n in range(40)}
    assert chosen(tree=noise | TREE).leads == chosen().leads


@pytest.mark.parametrize(
    ("path", "text", "calls"),
    [
        ("a.py", "# total()\nx = 'total()'\ndef total(): pass\ndef f():\n    return total()\n", [5]),
        ("a.py", "def broken(:\n    total()\n", [2]),
        (
            "a.ts",
            "// total()\nconst s = 'total()';\nfunction total() {}\nconst f = () => {\n  total<X>();\n};\n",
            [5],
        ),
        (
            "A.java",
            "class A {\n int total(int x) {\n  return x;\n }\n int f() {\n  return total(1);\n }\n}\n",
            [6],
        ),
        ("A.java", "interface A {\n int total(int x);\n}\n", []),
        ("a.go", "func (c *C) total() int {\n\treturn 1\n}\nfunc f() {\n\tgo total()\n}\n", [5]),
        ("a.rb", "def total\n 1\nend\n\ndef f\n cart.total\nend\n", [6]),
        ("a.rb", "# total\nx = 'total'\nsubtotal\ntotal?\n", []),
        ("a.rs", "fn total() -> u32 { 1 }\nfn f() {\n    self::total();\n}\n", [3]),
        ("a.php", "<?php\n# total()\nfunction f() {\n    return $this->total();\n}\n", [4]),
        (
            "a.cs",
            "class A {\n  public int F() {\n    if (Total() > 1) { }\n  }\n}\n".replace("Total", "total"),
            [3],
        ),
    ],
    ids=[
        "python",
        "no python",
        "typescript",
        "java",
        "interface",
        "go",
        "ruby",
        "ruby words",
        "rust",
        "php",
        "c#",
    ],
)
def test_calls_are_found_in_code_and_not_in_comments_texts_and_declarations(path, text, calls):
    found = calls_of(Called(f"other/{path}", "total"), (path,), {path: text}.get)
    assert [call.line for call in found] == calls


@pytest.mark.parametrize(
    ("function", "names"),
    [
        ("shop/cart.(*Cart).Total.func1", "Total"),
        ("main.main", "main"),
        ("Cart.lambda$total$0", "total"),
        ("Cart.<init>", "Cart"),
        ("new Cart", "Cart"),
        ("Shop.Cart.<Total>d__4.MoveNext", "Total"),
        ("Shop.Cart.<>c.<Total>b__0_1", "Total"),
        ("Shop.Cart..ctor", "Cart"),
        ("Shop.Cart.get_Total", "Total"),
        ("shop::cart::total::h0123456789abcdef", "total"),
        ("<shop::Cart as core::fmt::Display>::fmt", "fmt"),
        ("block (2 levels) in total", "total"),
        ("Cart#total", "total"),
        ("App\\Cart->total", "total"),
        ("<module>", None),
        ("{main}", None),
        ("Object.<anonymous>", None),
    ],
)
def test_a_function_is_known_whatever_its_compiler_made_of_the_name(function, names):
    assert (names_of(function) or (None,))[0] == names


def test_hostile_code_is_read_in_linear_time():
    for text in (
        "{" * 200_000,
        "total" + " " * 300_000,
        "def f(\n" * 50_000,
        "<" * 200_000,
        "class A\n " * 20_000,
    ):
        for path in ("a.py", "a.ts", "a.rb", "a.rs", "A.java"):
            frame = Frame(f"/app/{path}", 9, "total")
            assert chosen(replace(ERROR, frames=(frame,)), {path: text, f"b/{path}": text}).tokens < 24_000
