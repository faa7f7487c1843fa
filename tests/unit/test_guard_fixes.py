"""Right repairs in six languages, which all have to pass, and wrong ones, each blocked by its rule."""

import gc
import time

import pytest

from ai_ops.core.guard import Severity, dropping, resourced, review, scoping
from ai_ops.core.guard.syntax import Spot
from tests.support.fixes import Fix, go, java, javascript, python, records, rust, typescript
from tests.support.patches import diff, diffs, reader

PLACES = {
    "javascript": ("src/cart.js", javascript),
    "javascript read as typescript": ("src/cart.ts", javascript),
    "typescript": ("src/store.ts", typescript),
    "java": ("src/main/java/shop/Shop.java", java),
    "go": ("shop.go", go),
    "rust": ("src/lib.rs", rust),
    "python": ("shop.py", python),
}
REPRODUCTIONS = {".js": "test/reproduction.test.js", ".ts": "test/reproduction.test.ts"}


CASES = [
    (kind, language, name, path, fix)
    for kind in ("RIGHT", "WRONG")
    for language, (path, module) in PLACES.items()
    for name, fix in getattr(module, kind).items()
] + [
    (kind, "small", title, fix.path, fix)
    for kind, name in (("SMALL RIGHT", "right"), ("SMALL WRONG", "wrong"))
    for title, fix in records(name).items()
]


def cases(kind: str) -> list:
    return [
        pytest.param(number, path, fix, id=f"{language}: {name}")
        for number, (of, language, name, path, fix) in enumerate(CASES)
        if of == kind
    ]


def states(path: str, fix: Fix) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Return the files before and after a fix, and those of its reproduction."""
    path = fix.path or path
    proved = {REPRODUCTIONS[path[-3:]]: fix.reproduction} if fix.reproduction else {}
    before = {path: fix.old, **{name: old for name, (old, _) in fix.others.items()}}
    after = {path: fix.new, **{name: new for name, (_, new) in fix.others.items()}, **proved}
    return before, after, proved


@pytest.fixture(scope="module")
def patches(tmp_path_factory) -> dict[str, str]:
    """Return the patch of each case, by its number."""
    changes = {str(number): states(path, fix)[:2] for number, (_, _, _, path, fix) in enumerate(CASES)}
    return diffs(tmp_path_factory.mktemp("fixes"), changes)


@pytest.fixture
def findings(patches):
    def run(number: int, path: str, fix: Fix):
        before, after, proved = states(path, fix)
        return review(
            patches[str(number)],
            reader(before),
            reader(after),
            exception_type=fix.error,
            logged=fix.message,
            reproduction={name: text.encode() for name, text in proved.items()},
        )

    return run


@pytest.mark.parametrize(("number", "path", "fix"), [*cases("RIGHT"), *cases("SMALL RIGHT")])
def test_a_right_fix_is_not_blocked(findings, number, path, fix):
    assert [each for each in findings(number, path, fix) if each.severity is Severity.BLOCKED] == []


@pytest.mark.parametrize(("number", "path", "fix"), cases("WRONG"))
def test_a_wrong_fix_is_blocked_by_its_rule(findings, number, path, fix):
    assert fix.rule in {
        each.rule for each in findings(number, path, fix) if each.severity is Severity.BLOCKED
    }


@pytest.mark.parametrize(("number", "path", "fix"), cases("SMALL WRONG"))
def test_a_small_wrong_fix_is_blocked(findings, number, path, fix):
    assert Severity.BLOCKED in {each.severity for each in findings(number, path, fix)}


@pytest.mark.parametrize(("path", "module"), PLACES.values(), ids=PLACES)
def test_nothing_is_found_where_code_only_moves(tmp_path, path, module):
    code = next(fix.old for fix in module.RIGHT.values())
    before, after = {path: code}, {path: code.replace("\n\n", "\n\n\n")}
    assert review(diff(tmp_path, before, after), reader(before), reader(after)) == ()


DEEP = {
    "chains of else": ("a.js", "try{g()}catch(e){" + "if(a){throw e}else{" * 45 + "return 1" + "}" * 46),
    "handlers in handlers": ("a.js", "try{g()}catch(e){" * 90 + "}" * 90),
    "a chain of calls": ("a.rs", "fn f() { x" + ".ok().unwrap_or(1)" * 60 + "; }"),
    "checks in a row": (
        "a.go",
        "package a\nfunc F() {\n" + "if err := g(); err == nil {\n x()\n}\n" * 400 + "}",
    ),
}


@pytest.mark.parametrize(("path", "code"), DEEP.values(), ids=DEEP)
def test_hostile_shapes_come_to_an_end(tmp_path, path, code):
    before, after = {path: "\n"}, {path: f"{code}\n"}
    found = review(diff(tmp_path, before, after), reader(before), reader(after))
    assert "swallowed_exception" in {each.rule for each in found}


@pytest.mark.parametrize(
    ("path", "wrapped"), [("a.js", "[%s]"), ("a.py", "(%s)"), ("A.java", "class A { %s }")]
)
def test_code_that_is_nested_too_deeply_is_blocked_unless_it_was(tmp_path, path, wrapped):
    code = ""
    for _ in range(450):
        code = wrapped % code
    plain, deep, deeper = {path: "\n"}, {path: f"{code}\n"}, {path: f"\n{code}\n"}
    found = review(diff(tmp_path, plain, deep), reader(plain), reader(deep))
    assert ("unread_code", Severity.BLOCKED) in {(each.rule, each.severity) for each in found}
    found = review(diff(tmp_path, deep, deeper), reader(deep), reader(deeper))
    assert ("unread_code", Severity.WARNING) in {(each.rule, each.severity) for each in found}


NESTED = {
    "javascript": ("a.js", "try { g(); } catch (e) {\n", "}"),
    "java": ("A.java", "class A {{ try { g(); } catch (E e) {\n", "}}}"),
}


@pytest.mark.parametrize(("path", "begin", "end"), NESTED.values(), ids=NESTED)
def test_handlers_within_handlers_are_read_so_deep_and_no_deeper(tmp_path, path, begin, end):
    few, many = (begin * depth + end * depth for depth in (12, 13))
    before = {path: "\n"}
    rules = []
    for code in (few, many):
        after = {path: f"{code}\n"}
        found = review(diff(tmp_path, before, after), reader(before), reader(after))
        rules.append({each.rule for each in found if each.severity is Severity.BLOCKED})
    assert "unread_code" not in rules[0]
    assert rules[1] >= {"unread_code", "swallowed_exception"}


def test_a_file_that_its_grammar_does_not_understand_is_read_by_its_words(tmp_path):
    before, after = {"A.java": "class A { }\n"}, {"A.java": "class A { ( try { } catch (Exception e) { }\n"}
    found = review(diff(tmp_path, before, after), reader(before), reader(after))
    assert {each.rule: each.severity for each in found} == {
        "swallowed_exception": Severity.BLOCKED,
        "unread_code": Severity.WARNING,
    }


MANY = {
    "owners": (scoping, "a.js", "function f%s() { db.find({ userId: u }); }\n", ("userId", "id")),
    "settled": (
        dropping, "a.js", "async function f%s() { await Promise.all(a.map(g)); }\n",
        ("all(", "allSettled("),
    ),
    "sources": (
        resourced, "a.py",
        "def f%s(t):\n    a = t.one\n    validate(a)\n    validate(t)\n", ("one\n    validate(a)\n", "two\n"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("module", "path", "code", "swapped"), MANY.values(), ids=MANY)
def test_the_work_grows_with_the_file_and_not_with_its_square(
    tmp_path, monkeypatch, module, path, code, swapped
):
    done = []
    real = module.spots
    monkeypatch.setattr(module, "spots", lambda *given, **more: done.append(1) or real(*given, **more))
    counts = []
    for many in (4, 16):
        old = "".join(code % number for number in range(many))
        before, after = {path: old}, {path: old.replace(*swapped)}
        done.clear()
        review(diff(tmp_path, before, after), reader(before), reader(after))
        counts.append(len(done))
    assert 0 < counts[1] <= counts[0]


def test_many_new_ends_above_many_checks_are_soon_read(tmp_path):
    ends = "".join(f"    if w{each}:\n        return Result(w{each})\n" for each in range(100))
    checks = "".join(
        f"    if v{each} < 1:\n        raise ValueError\n    if z{each}:\n        return Result(1)\n"
        for each in range(300)
    )
    before, after = ({"a.py": f"def f():\n{above}{checks}"} for above in ("", ends))
    patch = diff(tmp_path, before, after)
    begun = time.process_time()
    review(patch, reader(before), reader(after))
    assert time.process_time() - begun < 10


def test_nothing_of_the_trees_is_left_after_a_review(tmp_path):
    before, after = {"shop.py": "def f(x):\n    return x\n"}, {"shop.py": "def f(x):\n    return x + 1\n"}
    patch = diff(tmp_path, before, after)
    gc.collect()
    gc.disable()
    try:
        review(patch, reader(before), reader(after))
        left = sum(isinstance(each, Spot) for each in gc.get_objects())
    finally:
        gc.enable()
    assert left == 0
