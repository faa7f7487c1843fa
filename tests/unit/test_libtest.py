"""What Rust's harness prints is read whole or not at all, and named by files and crates."""

import json

import pytest

from ai_ops.core.libtest import parse_libtest
from ai_ops.core.runners import RawRun, cargo
from ai_ops.flow.event import Frame

UNIT = """\
     Running unittests src/lib.rs (target/debug/deps/shop-507999230d6984fa)

running 3 tests
test tests::ignored ... ignored, slow
test tests::inside ... ok
test tests::panics - should panic ... ok

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.23s

"""
RATINGS = """\
     Running tests/ratings.rs (target/debug/deps/ratings-d15b3e1e49854f19)

running 2 tests
test works ... ok
test empty ... FAILED

failures:

---- empty stdout ----
test works ... FAILED

thread 'empty' (10521) panicked at src/lib.rs:6:5:
attempt to divide by zero
stack backtrace:
   0: core::panicking::panic_fmt
             at /rustc/59807616/library/core/src/panicking.rs:80:14
   1: shop::average
             at ./src/lib.rs:6:5
   2: ratings::empty
             at ./tests/ratings.rs:5:14
note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.


failures:
    empty

test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.33s

error: test failed, to rerun pass `--test ratings`
"""
DOC = """\
   Doc-tests shop

running 2 tests
test src/lib.rs - average (line 2) ... ok
test src/lib.rs - average (line 9) - compile fail ... ok

test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.28s
"""


def outcomes(text, **more):
    return {case.id: case.outcome.value for case in cargo.read(RawRun(101, text, **more))}


def test_each_test_is_named_by_its_file_its_crate_or_what_it_documents():
    assert outcomes(UNIT + RATINGS + DOC) == {
        "shop (src/lib.rs)::tests::ignored": "skipped",
        "shop (src/lib.rs)::tests::inside": "passed",
        "shop (src/lib.rs)::tests::panics": "passed",
        "tests/ratings.rs::works": "passed",
        "tests/ratings.rs::empty": "failed",
        "documentation of shop::src/lib.rs - average #1": "passed",
        "documentation of shop::src/lib.rs - average #2": "passed",
    }


def test_a_panic_has_its_message_and_the_frames_of_the_code():
    failed = {case.id: case for case in cargo.read(RawRun(101, RATINGS))}["tests/ratings.rs::empty"]
    assert (failed.exception_type, failed.message) == ("panic", "attempt to divide by zero")
    assert failed.frames[:2] == (
        Frame("tests/ratings.rs", 5, "ratings::empty"),
        Frame("src/lib.rs", 6, "shop::average"),
    )


def test_of_two_packages_cargo_s_own_messages_tell_which_file_ran():
    artifact = {
        "reason": "compiler-artifact",
        "target": {"src_path": "/workspace/crates/b/tests/ratings.rs"},
        "executable": "/workspace/target/debug/deps/ratings-d15b3e1e49854f19",
    }
    line = json.dumps(artifact, separators=(",", ":"))
    sources = ("crates/a/tests/ratings.rs", "crates/b/tests/ratings.rs")
    assert "crates/b/tests/ratings.rs::works" in outcomes(f"{line}\n{RATINGS}", sources=sources)
    assert "tests/ratings.rs::works" in outcomes(RATINGS, sources=sources)
    assert "crates/a/tests/ratings.rs::works" in outcomes(RATINGS, sources=sources[:1])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(RATINGS[: RATINGS.index("failures:")], id="ended early"),
        pytest.param(RATINGS.replace("running 2", "running 3"), id="fewer than announced"),
        pytest.param(RATINGS.replace("1 passed", "2 passed"), id="other sums"),
        pytest.param(UNIT.replace("test tests::inside", "test tests::ignored"), id="a test twice"),
        pytest.param(RATINGS[: RATINGS.index("test empty")] + UNIT, id="another begins meanwhile"),
        pytest.param(UNIT[UNIT.index("running") :], id="nobody started it"),
        pytest.param(UNIT + UNIT[UNIT.index("running") :], id="a second report of one program"),
        pytest.param(
            "     Running tests/a.rs (t/a-0)\n\nrunning 2 tests\ntest a ... ok\n\ntest result: ok. 2 passed; "
            "0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s\n",
            id="sums without results",
        ),
    ],
)
def test_what_does_not_add_up_is_no_report(text):
    assert parse_libtest(text) is None
    assert cargo.read(RawRun(0, text)) is None


def test_what_a_failed_test_printed_is_no_result():
    assert parse_libtest(RATINGS)[0].results["works"].value == "passed"


def test_what_does_not_compile_is_told_by_file():
    text = "error[E0425]: cannot find function `averag` in crate `shop`\n --> tests/a.rs:3:11\n  |\n"
    text += "error: expected `;`\n  --> src/lib.rs:7:1\n"
    one, two = cargo.read(RawRun(101, text))
    assert (one.id, one.outcome.value, one.frames) == ("tests/a.rs", "error", (Frame("tests/a.rs", 3, ""),))
    assert "averag" in one.message
    assert two.id == "to compile src/lib.rs"
    assert cargo.read(RawRun(0, text)) is None


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (["tests/a.rs"], ("--test", "a")),
        (["tests/a.rs", "tests/common/mod.rs", "tests/b/main.rs"], ("--test", "a", "--test", "b")),
        (["crates/x/tests/a.rs"], ("--manifest-path", "crates/x/Cargo.toml", "--test", "a")),
        (["src/a.rs"], ("--tests",)),
    ],
    ids=["one", "several", "a package of a workspace", "none"],
)
def test_an_integration_test_is_called_by_its_name(paths, words):
    assert cargo.select(paths, lambda path: "") == words
