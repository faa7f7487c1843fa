"""Traces of the Java virtual machine, as its loggers print them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_ops.core.stacktrace import java, may_begin, parse
from tests.support.joining import records

DATA = Path(__file__).parent.parent / "data" / "stacktraces"

PLAIN = """\
java.lang.IllegalStateException: cart 42 is closed
\tat com.acme.shop.Cart.add(Cart.java:31)
\tat com.acme.shop.CartController.post(CartController.java:18)
\tat java.base/jdk.internal.reflect.DirectMethodHandleAccessor.invoke(DirectMethodHandleAccessor.java:103)
\tat java.base/java.lang.Thread.run(Thread.java:1583)"""

CAUSED = """\
com.acme.shop.CheckoutException: checkout failed
\tat com.acme.shop.Checkout.pay(Checkout.java:40)
\tat com.acme.shop.Main.main(Main.java:9)
Caused by: java.io.IOException: no answer
\tat com.acme.shop.Bank.call(Bank.java:77)
\tat com.acme.shop.Checkout.pay(Checkout.java:38)
\t... 1 more
Caused by: java.net.SocketTimeoutException: Read timed out
\tat java.base/sun.nio.ch.NioSocketImpl.read(NioSocketImpl.java:278)
\tat com.acme.shop.Bank.call(Bank.java:71)
\t... 2 more"""

SUPPRESSED = """\
java.lang.RuntimeException: work failed
\tat com.acme.Job.run(Job.java:12)
\tSuppressed: java.lang.IllegalStateException: close failed
\t\tat com.acme.Job.close(Job.java:30)
\t\t... 1 more
\tCaused by: java.lang.Error: inner of suppressed
\t\tat com.acme.Job.inner(Job.java:31)
Caused by: java.lang.ArithmeticException: / by zero
\tat com.acme.Job.divide(Job.java:20)
\t... 1 more"""

KOTLIN = """\
Exception in thread "main" kotlin.UninitializedPropertyAccessException: lateinit property cart
\tat com.acme.shop.Shop.getCart(Shop.kt:7)
\tat com.acme.shop.ShopKt$main$1.invokeSuspend(Shop.kt:15)
\tat kotlin.coroutines.jvm.internal.BaseContinuationImpl.resumeWith(ContinuationImpl.kt:33)
\tat com.acme.shop.ShopTest.an order without lines(ShopTest.kt:21)
\tat com.acme.shop.ShopKt.main(Shop.kt)"""

MULTI_LINE = """\
org.hibernate.HibernateException: could not execute query
[select * from cart
 where id = ?]
\tat org.hibernate.loader.Loader.doList(Loader.java:2850)
\tat com.acme.shop.CartStore.find(CartStore.java:22)
Caused by: java.sql.SQLException: Unknown column
in where clause
\tat com.mysql.cj.jdbc.Impl.execute(Impl.java:1)
\t... 1 common frames omitted"""

OWN_NAME = """\
com.acme.shop.OutOfStock: nothing left
    at com.acme.shop.Stock.take(Stock.java:5)
    at com.acme.shop.Main$$Lambda$14/0x0000000800066840.run(Unknown Source)
    at com.acme.shop.Stock.<init>(Stock.java:2) ~[shop-1.2.jar:1.2]
    at java.lang.Object.wait(Native Method)"""

ROOT_FIRST = """\
java.io.IOException: no answer
\tat com.acme.shop.Bank.call(Bank.java:77)
\tat com.acme.shop.Checkout.pay(Checkout.java:38)
Wrapped by: com.acme.shop.CheckoutException: checkout failed
\tat com.acme.shop.Checkout.pay(Checkout.java:40)"""

TRACES = {
    "plain": PLAIN,
    "caused": CAUSED,
    "suppressed": SUPPRESSED,
    "kotlin": KOTLIN,
    "multi_line": MULTI_LINE,
    "root_first": ROOT_FIRST,
    "real": (DATA / "java_exc.txt").read_text().rstrip("\n"),
    "real_complex": (DATA / "complex_java_exc.txt").read_text().rstrip("\n"),
}
every_trace = pytest.mark.parametrize("trace", TRACES.values(), ids=TRACES)
LATER = b"2026-01-02 03:04:06.000  INFO 7 --- [nio-8080-exec-1] c.acme.shop.Cart : next"


@every_trace
@pytest.mark.parametrize(
    "first",
    [
        "",
        "2026-01-02 03:04:05.678 ERROR 7 --- [nio-8080-exec-1] c.acme.shop.Cart : Servlet failed: ",
        "[error] ",
        "SEVERE: ",
    ],
    ids=["bare", "spring", "bracket", "jul"],
)
def test_a_trace_is_one_record_behind_any_first_prefix(trace: str, first: str) -> None:
    lines = (first + trace).encode().split(b"\n")
    assert may_begin(lines[0])
    assert records([*lines, LATER]) == [lines, [LATER]]


@every_trace
@pytest.mark.parametrize(
    "prefix",
    ["2016-10-06T00:17:09.669794202Z stderr F ", "Jan  2 03:04:05 web-1 shop[812]: ", "web-1     | "],
    ids=["cri", "syslog", "compose"],
)
def test_a_trace_is_one_record_when_every_line_carries_the_prefix(trace: str, prefix: str) -> None:
    lines = [(prefix + line).encode() for line in trace.split("\n")]
    after = (prefix + "INFO ready").encode()
    assert records([*lines, after]) == [lines, [after]]
    parsed, bare = parse(b"\n".join(lines).decode()), parse(trace)
    assert parsed is not None and bare is not None
    assert (parsed.exception_type, parsed.message, parsed.frames) == (
        bare.exception_type,
        bare.message,
        bare.frames,
    )


@pytest.mark.parametrize("name", ["plain", "caused", "suppressed", "multi_line", "root_first"])
def test_a_logger_that_prefixes_every_line_of_the_trace_makes_one_record(name: str) -> None:
    prefix = "2026-01-02 03:04:05,{:03} ERROR [main] c.a.s.Cart - "
    lines = [(prefix.format(at) + line).encode() for at, line in enumerate(TRACES[name].split("\n"))]
    assert records([*lines, LATER]) == [lines, [LATER]]
    parsed, bare = parse(b"\n".join(lines).decode()), parse(TRACES[name])
    assert parsed is not None and bare is not None
    assert (parsed.exception_type, parsed.frames) == (bare.exception_type, bare.frames)


@pytest.mark.parametrize("name", [*sorted(set(TRACES) - {"real"}), "own_name"])
def test_an_error_line_takes_the_trace_that_follows_it(name: str) -> None:
    trace = TRACES.get(name, OWN_NAME)
    lines = [b"2026-01-02 03:04:05.678 ERROR [main] c.a.s.Cart - could not add", *trace.encode().split(b"\n")]
    assert records([*lines, LATER]) == [lines, [LATER]]


def test_the_uncaught_exception_of_a_thread_may_have_any_name() -> None:
    text = 'Exception in thread "main" Shop$Closed: wrapped\n\tat Shop.open(Shop.java:4)'
    lines = text.encode().split(b"\n")
    assert may_begin(lines[0])
    assert records([*lines, b"done"]) == [lines, [b"done"]]
    parsed = parse(text)
    assert parsed is not None
    assert (parsed.exception_type, parsed.message) == ("Shop$Closed", "wrapped")


def test_an_error_line_with_frames_right_below_is_a_trace_without_a_type() -> None:
    lines = [b"ERROR Cart - dumped", *PLAIN.encode().split(b"\n")[1:]]
    assert records([*lines, b"done"])[0] == lines
    parsed = parse(b"\n".join(lines).decode())
    assert parsed is not None
    assert (parsed.exception_type, parsed.frames[-1].function) == ("", "Cart.add")


@pytest.mark.parametrize(
    ("trace", "kind", "message", "causes"),
    [
        (PLAIN, "java.lang.IllegalStateException", "cart 42 is closed", ()),
        (
            CAUSED,
            "com.acme.shop.CheckoutException",
            "checkout failed",
            ("java.io.IOException", "java.net.SocketTimeoutException"),
        ),
        (SUPPRESSED, "java.lang.RuntimeException", "work failed", ("java.lang.ArithmeticException",)),
        (
            KOTLIN,
            "kotlin.UninitializedPropertyAccessException",
            "lateinit property cart",
            (),
        ),
        (
            MULTI_LINE,
            "org.hibernate.HibernateException",
            "could not execute query",
            ("java.sql.SQLException",),
        ),
        (OWN_NAME, "com.acme.shop.OutOfStock", "nothing left", ()),
        (ROOT_FIRST, "com.acme.shop.CheckoutException", "checkout failed", ("java.io.IOException",)),
        (TRACES["real"], "RuntimeException", "Run from this message!", ()),
        (
            TRACES["real_complex"],
            "javax.servlet.ServletException",
            "Something bad happened",
            ("com.example.myproject.MyProjectServletException",),
        ),
    ],
    ids=[
        "plain",
        "caused",
        "suppressed",
        "kotlin",
        "multi_line",
        "own_name",
        "root_first",
        "real",
        "real_complex",
    ],
)
def test_the_escaped_exception_and_its_causes_are_named(
    trace: str, kind: str, message: str, causes: tuple[str, ...]
) -> None:
    parsed = parse("2026-01-02 03:04:05 ERROR [main] c.a.s.Cart - it broke\n" + trace)
    assert parsed is not None
    assert (parsed.language, parsed.exception_type, parsed.message) == ("java", kind, message)
    assert parsed.cause_types == causes
    assert parsed.header.startswith("2026-01-02 03:04:05 ERROR [main] c.a.s.Cart - it broke")


def test_elided_frames_of_a_cause_are_those_of_the_trace_around_it() -> None:
    parsed = parse(CAUSED)
    assert parsed is not None
    assert [frame.function for frame in parsed.frames] == [
        "Main.main",
        "Checkout.pay",
        "Bank.call",
        "NioSocketImpl.read",
    ]


def test_frames_name_the_package_path_and_whether_they_are_the_applications() -> None:
    parsed = parse(PLAIN)
    assert parsed is not None
    thread, reflect, controller, cart = parsed.frames
    assert (cart.file, cart.line, cart.function, cart.in_app) == (
        "com/acme/shop/Cart.java",
        31,
        "Cart.add",
        True,
    )
    assert controller.in_app
    assert (thread.file, thread.in_app, reflect.in_app) == ("java/lang/Thread.java", False, False)


def test_kotlin_names_with_blanks_and_files_without_lines_are_frames() -> None:
    parsed = parse(KOTLIN)
    assert parsed is not None
    functions = [(frame.function, frame.line) for frame in parsed.frames]
    assert functions[:2] == [("ShopKt.main", 0), ("ShopTest.an order without lines", 21)]
    assert [frame.in_app for frame in parsed.frames] == [True, True, False, True, True]


def test_generated_classes_and_native_methods_are_not_the_applications() -> None:
    parsed = parse(OWN_NAME)
    assert parsed is not None
    assert [(frame.function, frame.in_app) for frame in parsed.frames] == [
        ("Object.wait", False),
        ("Stock.<init>", True),
        ("Main$$Lambda$14/0x0000000800066840.run", False),
        ("Stock.take", True),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "com.acme.shop.Main: started",
        "TypeError: x is not a function",
        "ValueError: bad",
        "    at next (/app/node_modules/express/lib/router/index.js:256:14)",
        "at the end (of the day)",
        "see /docs/java.lang.Exception/index.html",
        "INFO ExceptionHandler: installed",
        "https://docs.example/java.lang.Exception",
    ],
)
def test_lines_that_only_look_like_java_begin_no_trace(line: str) -> None:
    assert java.start(line) is None


@pytest.mark.parametrize(
    "line", ["    at next (/app/index.js:256:14)", "at the end (of the day)", "it was at home (at last)"]
)
def test_frames_of_other_languages_and_prose_are_no_java_trace(line: str) -> None:
    assert java.parse(["ERROR it broke", line, line]) is None
