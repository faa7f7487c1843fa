"""Fingerprints: one fault keeps one fingerprint, two faults have two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_ops.core.grouping.v1 import fingerprint, normalise
from ai_ops.flow.event import Frame


def path(root: str, *calls: tuple[str, str]) -> list[Frame]:
    return [Frame(root + file, at, function) for at, (file, function) in enumerate(calls)]


MAIN, CART, PRICE = ("main.py", "main"), ("shop/cart.py", "total"), ("shop/rules/price.py", "price")
X = ("X.java", "X.f")
LIBRARY = Frame("/usr/lib/python3.11/json/decoder.py", 1, "decode", in_app=False)


def of(frames: list[Frame], kind: str = "KeyError", message: str = "'x'", language: str = "python") -> str:
    return fingerprint(language, kind, message, frames)


def test_a_fingerprint_is_32_hex_digits() -> None:
    assert len(of(path("/app/", MAIN))) == 32
    assert int(of([]), 16) >= 0


@pytest.mark.parametrize(
    "root",
    [
        "/srv/shop/releases/20260102030405/",
        "/srv/shop/current/",
        "/home/alice/checkout/",
        "/app/",
        "",
        "./",
        "C:\\apps\\shop\\",
        "/workspace/",
    ],
)
def test_where_the_application_is_deployed_does_not_matter(root: str) -> None:
    calls = (MAIN, CART, PRICE)
    assert of(path(root, *calls)) == of(path("/opt/else/where/", *calls))


@pytest.mark.parametrize("root", ["/srv/v1.2.3/", "/srv/a1b2c3d4e5f6/", "/app/", "/srv/releases/7/", ""])
def test_a_trace_in_the_deploy_folder_itself_does_not_name_it(root: str) -> None:
    assert of(path(root, MAIN)) == of(path("/opt/app/", MAIN))


def test_windows_and_unix_paths_are_one() -> None:
    calls = (("shop\\cart.py", "total"), ("shop\\rules\\price.py", "price"))
    assert of(path("D:\\apps\\", *calls)) == of(path("/srv/", CART, PRICE))


@pytest.mark.parametrize(
    "other",
    [
        [*path("/app/", MAIN, CART), LIBRARY],
        path("/app/", MAIN, CART, CART, CART),
        [Frame("/app/" + file, 900, function) for file, function in (MAIN, CART)],
        [LIBRARY, *path("/app/", MAIN), LIBRARY, *path("/app/", CART)],
    ],
    ids=["library call inside", "direct recursion", "other lines", "framework between"],
)
def test_lines_libraries_and_recursion_do_not_matter(other: list[Frame]) -> None:
    assert of(other) == of(path("/app/", MAIN, CART))


def test_the_message_does_not_matter_when_the_path_is_known() -> None:
    assert of(path("/app/", MAIN), message="'a'") == of(path("/app/", MAIN), message="'b'")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (of(path("/app/", MAIN, CART)), of(path("/app/", MAIN, PRICE))),
        (of(path("/app/", MAIN, CART)), of(path("/app/", CART))),
        (of(path("/app/", MAIN)), of(path("/app/", MAIN), kind="ValueError")),
        (of(path("/app/", ("orders/views.py", "get"))), of(path("/app/", ("users/views.py", "get")))),
        (of([], message="disk full"), of([], message="disk missing")),
        (of([], message="x", kind="A"), of([], message="x", kind="B")),
        (of([LIBRARY], message="disk full"), of([LIBRARY], message="disk missing")),
        (of(path("com/a/app/", X), language="java"), of(path("com/b/app/", X), language="java")),
    ],
    ids=["function", "caller", "type", "module", "message", "type of message", "only libraries", "package"],
)
def test_different_faults_differ(one: str, other: str) -> None:
    assert one != other


def test_numbers_that_compilers_give_to_nameless_functions_do_not_matter() -> None:
    one = path("", ("a/X.java", "X.lambda$run$0"), ("a/X.java", "X$1.call"))
    other = path("", ("a/X.java", "X.lambda$run$7"), ("a/X.java", "X$2.call"))
    assert of(one, language="java") == of(other, language="java")


@pytest.mark.parametrize(
    ("message", "normalised"),
    [
        ("user 42 not found", "user <num> not found"),
        ("took 12.5 ms of 3s, 5m30s in all", "took <duration> of <duration>, <duration> in all"),
        ("id 550e8400-e29b-41d4-a716-446655440000", "id <uuid>"),
        ("at 0x7fff5fbff8a0 in deadbeef01", "at <hex> in <hex>"),
        ("connect to 10.0.0.7:5432 refused", "connect to <ip> refused"),
        ("connect to db-1.internal:5432 refused", "connect to <host> refused"),
        ("peer [2001:db8::1]:443 and fe80:0:0:1::2", "peer <ip> and <ip>"),
        ("on 2026-01-02 at 2026-01-02T03:04:05.678Z", "on <date> at <date>"),
        ("Jan 2 03:04:05 and 12:34:56", "<date> and <time>"),
        ("open /srv/shop/a.txt or C:\\shop\\a.txt", "open <path> or <path>"),
        ("mail to bob@example.com via https://x.example/y?z=1", "mail to <email> via <url>"),
        ("can't find 'a b' in \"c\"", "can't find <str> in <str>"),
        ("key ***1234 refused, ***", "key <secret> refused, <secret>"),
        ('sent {"id": 1, "in": {"b": 2}} twice', "sent <json> twice"),
        ("used 10 MB, 5%, 1,234 rows, 3.14e-5", "used <size>, <size>, <num> rows, <num>"),
        ("pool-1-thread-22 block blk_-16089996879", "pool-<num>-thread-<num> block <id>"),
        ("utf8 sha256 http2 base64", "utf8 sha256 http2 base64"),
        ("ORA-00942: table", "ORA-00942: table"),
        ("[Errno 2] No such file", "[Errno 2] No such file"),
        ("a  b\n c", "a b c"),
    ],
)
def test_whatever_varies_is_replaced_by_its_kind(message: str, normalised: str) -> None:
    assert normalise(message) == normalised


@given(st.text(max_size=300), st.integers(0, 10**12), st.integers(0, 10**12))
def test_messages_that_differ_in_a_number_are_one(words: str, one: int, other: int) -> None:
    assert normalise(f"row {one} of {words}") == normalise(f"row {other} of {words}")


@given(st.text(max_size=400))
def test_any_message_is_normalised(message: str) -> None:
    assert isinstance(normalise(message), str)


@pytest.mark.parametrize(
    "unit", ["a-1", "1.", "1:", "/a", "a/", "a.", "1,111", "'a", "f1", "-", "[{", "aaa-", "a@", "***"]
)
def test_naughty_messages_end(unit: str) -> None:
    normalise(unit * (65536 // len(unit)))
