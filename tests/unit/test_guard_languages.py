"""Handlers that do not raise, in other languages than Python, and ordinary fixes beside them."""

import pytest

from ai_ops.core.guard import Severity, review
from tests.support.patches import diff, reader


@pytest.fixture
def findings(tmp_path):
    def run(name, old, new, **more):
        before, after = {name: old}, {name: new}
        return review(diff(tmp_path, before, after), reader(before), reader(after), **more)

    return run


def severities(found):
    return {finding.severity for finding in found if finding.rule == "swallowed_exception"}


HIDES = {
    "java": ("A.java", "try { f(); } catch (Exception e) { return 0; }"),
    "java, logged type": ("A.java", "try { f(); } catch (final ArithmeticException e) { return zero(); }"),
    "java, one of several": ("A.java", "try { f(); } catch (IOException | ArithmeticException e) { x(); }"),
    "java, a word in a text": ("A.java", 'try { f(); } catch (Exception e) { log("throw"); return 0; }'),
    "java, a word in a comment": ("A.java", "try { f(); } catch (Exception e) { // throw\n return 0; }"),
    "java, a future": ("A.java", "f.exceptionally(e -> 0);"),
    "kotlin": ("a.kt", "try { f() } catch (e: Exception) { 0 }"),
    "kotlin, a result": ("a.kt", "val x = runCatching { f() }.getOrDefault(0)"),
    "javascript": ("a.js", "try { f(); } catch (e) { return 0; }"),
    "javascript, unnamed": ("a.mjs", "try { f(); } catch { return 0; }"),
    "typescript": ("a.ts", "try { f(); } catch (e: unknown) { console.log(e); }"),
    "in a template": ("a.ts", "const x = `${(() => { try { f() } catch (e) { return 0 } })()}`;"),
    "a promise": ("a.js", "await f().catch(() => null);"),
    "a promise, told": ("a.js", "await f().catch(console.error);"),
    "a promise, second function": ("a.ts", "f().then((x) => x, () => 0);"),
    "ruby": ("a.rb", "def f\n  g\nrescue\n  nil\nend"),
    "ruby, named": ("a.rb", "begin\n  g\nrescue StandardError => e\n  log(e)\nend"),
    "ruby, logged type": ("a.rb", "begin\n  g\nrescue ArithmeticException\n  0\nend"),
    "ruby, behind": ("a.rb", "x = g(1) rescue 0"),
    "go, recovered": ("a.go", "defer func() { recover() }()"),
    "go, recovered and told": ("a.go", "defer func() { if r := recover(); r != nil { log.Print(r) } }()"),
    "go, dropped": ("a.go", "_ = err"),
    "go, ignored": ("a.go", "if err != nil {\n return 0, nil\n}"),
    "c#": ("A.cs", "try { F(); } catch (Exception e) when (x) { return 0; }"),
    "c#, unnamed": ("A.cs", "try { F(); } catch { return 0; }"),
    "php": ("a.php", "<?php try { f(); } catch (\\Exception $e) { return 0; }"),
    "c++": ("a.cpp", "try { f(); } catch (...) { return 0; }"),
    "c++, exception": ("a.cpp", "try { f(); } catch (const std::exception& e) { return 0; }"),
    "swift": ("a.swift", "do { try f() } catch { return 0 }"),
    "swift, tried": ("a.swift", "let x = try? f()"),
    "dart": ("a.dart", "try { f(); } catch (e) { return 0; }"),
    "scala": ("a.scala", "try { f() } catch { case e: Throwable => 0 }"),
}


@pytest.mark.parametrize(("name", "code"), HIDES.values(), ids=HIDES)
def test_a_handler_for_everything_or_the_logged_type_that_does_not_raise_is_blocked(findings, name, code):
    found = findings(name, "\n", code + "\n", exception_type="java.lang.ArithmeticException")
    assert Severity.BLOCKED in severities(found)
    assert findings(name, code + "\n", "\n" + code + "\n", exception_type="ArithmeticException") == ()


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("a.rs", "let x = f()?;", "let x = f().unwrap_or_default();"),
        ("a.rs", "f()?;", "let _ = f();"),
        ("A.java", "catch (Exception e) { throw e; }", "catch (Exception e) { return 0; }"),
        ("a.rb", "begin\n g\nrescue => e\n raise\nend", "begin\n g\nrescue => e\n nil\nend"),
        ("a.js", "f().catch(e => { throw e; });", "f().catch(e => 0);"),
    ],
    ids=["rust, a default", "rust, dropped", "java", "ruby", "a promise"],
)
def test_an_error_that_was_raised_before_and_is_not_now_is_blocked(findings, name, old, new):
    assert Severity.BLOCKED in severities(findings(name, old + "\n", new + "\n"))


MAY_HIDE = {
    "java, another type": ("A.java", "try { f(); } catch (IOException e) { return again(); }"),
    "php, another type": ("a.php", "<?php try { f(); } catch (\\App\\Gone $e) { return again(); }"),
    "express": ("a.js", "try { f(); } catch (error) { next(error); }"),
    "ruby, another type": ("a.rb", "begin\n  g\nrescue Timeout::Expired\n  again\nend"),
    "go, answered": ("a.go", 'if err != nil {\n http.Error(w, "bad", 400)\n return\n}'),
    "go, a second value": ("a.go", "x, _ := strconv.Atoi(s)"),
    "rust, a default": ("a.rs", "let x = f().unwrap_or(0);"),
    "javascript, settled": ("a.js", "await Promise.allSettled(xs);"),
}


@pytest.mark.parametrize(("name", "code"), MAY_HIDE.values(), ids=MAY_HIDE)
def test_a_handler_for_something_else_is_a_warning(findings, name, code):
    found = findings(name, "\n", code + "\n", exception_type="ArithmeticException")
    assert severities(found) == {Severity.WARNING}


RAISES = {
    "java": ("A.java", "try { f(); } catch (Exception e) { log(e); throw new Odd(e); }"),
    "java, check": ("A.java", "if (n == 0) { return 0; }"),
    "java, closed": ("A.java", "try (var f = open(p)) { return f.read(); }"),
    "kotlin": ("a.kt", "val x = items.getOrNull(0) ?: 0"),
    "kotlin, raised": ("a.kt", "val x = runCatching { f() }.getOrThrow()"),
    "javascript": ("a.js", "try { f(); } catch (e) { throw new Odd('x', { cause: e }); }"),
    "javascript, finally": ("a.js", "try { f(); } finally { close(); }"),
    "javascript, optional": ("a.ts", "const x = user?.name ?? '';"),
    "javascript, a brace in a text": ("a.js", "try { f(); } catch (e) { log('}'); throw e; }"),
    "a promise": ("a.js", "f().then((x) => x);"),
    "a promise that raises": ("a.js", "f().catch((e) => { throw new Odd(e); });"),
    "ruby": ("a.rb", "begin\n  g\nrescue => e\n  log(e)\n  raise\nend"),
    "ruby, ensure": ("a.rb", "begin\n  g\nensure\n  close\nend"),
    "ruby, a word in a text": ("a.rb", "puts 'to the rescue now'"),
    "ruby, rails": ("a.rb", "rescue_from Gone, with: :gone"),
    "go": ("a.go", "if err != nil {\n return 0, err\n}"),
    "go, wrapped": ("a.go", 'if err != nil {\n return fmt.Errorf("x: %w", err)\n}'),
    "go, panics again": ("a.go", "defer func() { r := recover(); close(); panic(r) }()"),
    "go, a loop": ("a.go", "for i, _ := range xs {\n f(i)\n}"),
    "rust": ("a.rs", "let x = f().map_err(Odd::from)?;"),
    "rust, lifetimes": ("a.rs", "fn f<'a>(x: &'a str) -> Result<&'a str, E> { g(x) }"),
    "c#": ("A.cs", "try { F(); } catch (Exception e) { Log(e); throw; }"),
    "php": ("a.php", "<?php try { f(); } catch (\\Exception $e) { throw new Odd('x', 0, $e); }"),
    "php, a comment": ("a.php", "<?php # catch (Exception $e) { return 0; }"),
    "dart": ("a.dart", "try { f(); } catch (e) { rethrow; }"),
}


@pytest.mark.parametrize(("name", "code"), RAISES.values(), ids=RAISES)
def test_an_ordinary_fix_has_no_findings(findings, name, code):
    assert findings(name, "\n", code + "\n", exception_type="ArithmeticException") == ()


def test_another_body_of_a_handler_that_was_there_is_free(findings):
    old = "try { f(); } catch (Exception e) { return a(); }\n"
    assert findings("A.java", old, old.replace("a()", "b()")) == ()


@pytest.mark.parametrize("logged", ["NullPointerException", "IllegalStateException", "java.io.IOException"])
def test_a_handler_for_what_the_logged_error_wrapped_hides_it_as_well(findings, logged):
    new = "try { f(); } catch (NullPointerException | IOException e) { return zero(); }"
    found = findings(
        "A.java", "f();", new, exception_type=logged, cause_types=("java.lang.NullPointerException",)
    )
    assert severities(found) >= {Severity.BLOCKED}
