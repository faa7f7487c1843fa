"""Fingerprints: one fault keeps one fingerprint, two faults have two."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_ops.core.grouping.v1 import fingerprint, template
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


RELEASES = [
    ("/srv/shop-1.4.2/", "/srv/shop-1.4.3/"),
    ("/opt/shop_v12/", "/opt/shop_v13/"),
    ("/srv/release-20261101/", "/srv/release-20261102/"),
    ("/srv/build-811/", "/srv/build-812/"),
    ("/data/acme/shop-1f0c9ab/", "/data/acme/shop-77aa0b1/"),
    ("/srv/acme/shop/20261101T0300Z/", "/srv/acme/shop/20261102T0300Z/"),
    ("/data/sites/shop/releases/41/", "/data/sites/shop/releases/42/"),
    ("/unheard-of/folder/one/", "/unheard-of/folder/two/"),
    ("/app/", "/srv/shop/"),
    ("C:\\shop\\", "/srv/other/"),
    ("/home/alice/shop/", "/home/bob/checkout/"),
    ("/var/www/html/", "/var/www/shop-2.0.0-rc1/"),
]


@pytest.mark.parametrize(("one", "other"), RELEASES, ids=[one for one, _ in RELEASES])
@pytest.mark.parametrize(
    "calls",
    [[MAIN], [MAIN, ("cart.py", "total")], [MAIN, CART]],
    ids=["one file", "two files in a folder", "two folders"],
)
def test_a_deploy_does_not_split_a_cause(one: str, other: str, calls: list[tuple[str, str]]) -> None:
    assert of(path(one, *calls)) == of(path(other, *calls))


@pytest.mark.parametrize(
    "root",
    [
        "/app/",
        "/srv/shop/",
        "/srv/shop-1.4.2/",
        "/srv/shop/releases/7/",
        "/home/alice/shop/",
        "/usr/src/app/",
        "D:\\a\\1\\s\\",
        "/builds/acme/shop/",
        "",
    ],
)
def test_the_applications_own_folder_is_a_part_of_its_place(root: str) -> None:
    orders, users = (of(path(root, (f"services/{name}/utils.py", "get"))) for name in ("orders", "users"))
    assert orders == of(path("/app/", ("services/orders/utils.py", "get")))
    assert orders != users


def test_files_of_one_name_in_one_trace_are_told_apart() -> None:
    one, other = ("a/utils.py", "get"), ("b/utils.py", "get")
    assert of(path("/repo/", one, other)) != of(path("/repo/", other, one))


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


def test_the_types_behind_an_exception_tell_two_causes_apart() -> None:
    frames = path("/app/", MAIN)
    causes = [(), ("TimeoutError",), ("ConnectionError",), ("TimeoutError", "ConnectionError")]
    assert len({fingerprint("python", "OrderError", "", frames, cause) for cause in causes}) == len(causes)


@pytest.mark.parametrize(
    "kind", ["Error", "Exception", "java.lang.RuntimeException", "panic", "runtime error", ""]
)
def test_where_the_type_says_nothing_the_words_do(kind: str) -> None:
    frames = path("/app/", MAIN)
    assert of(frames, kind, "row 1 is gone") == of(frames, kind, "row 2 is gone")
    assert of(frames, kind, "row 1 is gone") != of(frames, kind, "no such table")
    if kind:  # a cause says more than the words
        one, other = (fingerprint("x", kind, words, frames, ["KeyError"]) for words in ("a", "b"))
        assert one == other


CODED = [
    ("OSError", "[Errno 28] No space left on device", "[Errno 24] Too many open files"),
    ("OSError", "[WinError 5] it failed", "[WinError 32] it failed"),
    ("std::io::Error", "no file (os error 2)", "no file (os error 13)"),
    ("Error", "connect ECONNREFUSED 10.0.0.7:5432", "connect ETIMEDOUT 10.0.0.7:5432"),
    ("PDOException", "SQLSTATE[42S02]: it failed", "SQLSTATE[23000]: it failed"),
    (
        "sqlalchemy.exc.OperationalError",
        "(pymysql.err.OperationalError) (1213, 'Deadlock found')",
        "(pymysql.err.OperationalError) (1045, 'Access denied')",
    ),
    (
        "sqlalchemy.exc.IntegrityError",
        "(psycopg2.errors.UniqueViolation) it failed",
        "(psycopg2.errors.NotNullViolation) it failed",
    ),
    ("mysql.Error", "Error 1062 (23000): it failed", "Error 1213 (40001): it failed"),
    ("oracledb.DatabaseError", "ORA-00942: it failed", "ORA-01017: it failed"),
    (
        "requests.exceptions.HTTPError",
        "401 Client Error: Unauthorized",
        "503 Server Error: Service Unavailable",
    ),
    ("AxiosError", "Request failed with status code 401", "Request failed with status code 503."),
    (
        "java.io.IOException",
        "Server returned HTTP response code: 401",
        "Server returned HTTP response code: 503",
    ),
    ("grpc.RpcError", "status = StatusCode.UNAVAILABLE", "status = StatusCode.NOT_FOUND"),
    (
        "botocore.exceptions.ClientError",
        "An error occurred (AccessDenied) when calling the PutObject operation",
        "An error occurred (SlowDown) when calling the PutObject operation",
    ),
]


@pytest.mark.parametrize(("kind", "one", "other"), CODED, ids=[one for _, one, _ in CODED])
def test_codes_tell_two_causes_of_one_type_and_place_apart(kind: str, one: str, other: str) -> None:
    frames = path("/app/", MAIN)
    assert of(frames, kind, one) != of(frames, kind, other)
    assert of(frames, kind, f"{one} after 512 ms") == of(frames, kind, f"{one} after 404 ms")
    assert of([], kind, one) != of([], kind, other)


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("KeyError", "(1009, 'EUR')", "(1010, 'USD')"),
        ("ValueError", "took 512 ms", "took 404 ms"),
        ("ValueError", "row 4404 of 5503", "row 4401 of 5401"),
        ("AppError", "ERROR 4512 items left", "ERROR 4513 items left"),
    ],
)
def test_other_numbers_are_no_codes(kind: str, one: str, other: str) -> None:
    assert of(path("/app/", MAIN), kind, one) == of(path("/app/", MAIN), kind, other)


@pytest.mark.parametrize(
    "kind", ["shop.errors.ShopError", "App\\Exceptions\\CardError", "CardError", "com.acme.E"]
)
def test_two_fixed_sentences_of_an_applications_own_type_are_two_causes(kind: str) -> None:
    frames = path("/app/", MAIN)
    assert of(frames, kind, "card declined") != of(frames, kind, "database unreachable")
    assert of(frames, kind, "card declined: try order 7") == of(frames, kind, "card declined: ask your bank")
    assert of(frames, kind, "支付失败") != of(frames, kind, "登录失败")
    assert of(frames, kind, "order 7 of Alice failed") == of(frames, kind, "order 9 of Bob failed")
    one, other = (fingerprint("x", kind, words, frames, ["KeyError"]) for words in ("a b", "c d"))
    assert one == other


@pytest.mark.parametrize(
    "kind", ["ValueError", "java.lang.IllegalStateException", "Net::ReadTimeout", "\\LogicException"]
)
def test_the_wording_of_a_languages_own_type_does_not_matter(kind: str) -> None:
    assert of(path("/app/", MAIN), kind, "bad address alice") == of(
        path("/app/", MAIN), kind, "bad address bob"
    )


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        (
            "javascript",
            "https://a.example/js/app.3f9a1c2b.js?v=7",
            "http://b.example:8080/js/app.77aa0b1c.js",
        ),
        ("javascript", "webpack:///./src/cart.ts", "webpack:///./src/cart.ts?12ab"),
        ("javascript", "file:///srv/app/src/cart.js", "/srv/app/src/cart.js"),
    ],
    ids=["bundle", "webpack", "file address"],
)
def test_where_a_script_came_from_does_not_matter(language: str, one: str, other: str) -> None:
    frames = [[Frame(file, 1, "total"), Frame("/srv/app/main.js", 1, "main")] for file in (one, other)]
    assert len({of(each, language=language) for each in frames}) == 1


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("csharp", "Shop.Mail.<Send>d__4.MoveNext", "Shop.Mail.<Send>d__12.MoveNext"),
        ("csharp", "Shop.Mail.<>c__DisplayClass3_0.<Send>b__0", "Shop.Mail.<>c__DisplayClass5_1.<Send>b__2"),
        ("rust", "shop::cart::total::h0123456789abcdef", "shop::cart::total::hfedcba9876543210"),
        ("ruby", "block (2 levels) in total", "block in total"),
        ("ruby", "_app_views_a_html_erb___289101_70231", "_app_views_a_html_erb___9920_1"),
        ("javascript", "async total", "total"),
    ],
)
def test_what_a_compiler_adds_to_a_name_does_not_matter(language: str, one: str, other: str) -> None:
    assert of([Frame("a", 1, one)], language=language) == of([Frame("a", 1, other)], language=language)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("user 42 not found", "user <*> not found"),
        ("user bob not found", "user <*> not found"),
        ("user not found", "user not found"),
        ("Failed login for bob from 10.0.0.7", "Failed login for <*> from <*>"),
        ("took 12.5 ms of 3s, 5m30s in all", "took <*> of <*> in all"),
        ("lifetime <1 sec", "lifetime <*>"),
        ("lifetime 00:17", "lifetime <*>"),
        ("sent 1190 bytes (1.16 KB) at once", "sent <*> at once"),
        ("sent 403 bytes at once", "sent <*> at once"),
        ("id 550e8400-e29b-41d4-a716-446655440000", "id <*>"),
        ("at 0x7fff5fbff8a0 in deadbeef01 or deadbeef", "at <*> in <*> or <*>"),
        ("connect to 10.0.0.7:5432 refused", "connect to <*> refused"),
        ("connect to db-1.internal:5432 refused", "connect to <*> refused"),
        ("connect to db.example.com refused", "connect to <*> refused"),
        ("connect to db.example.com (10.0.0.7) refused", "connect to <*> refused"),
        ("peer [2001:db8::1]:443 is gone", "peer [<*>]:<*> is gone"),
        ("lease 00:11:43:e3:ba:c3 ended", "lease <*> ended"),
        ("on 2026-01-02 or 2026-01-02T03:04:05.678Z", "on <*> or <*>"),
        ("since Fri Jul  1 07:57:30 2005 or 12:34", "since <*> or <*>"),
        ("open /srv/shop/a.txt or C:\\shop\\a.txt", "open <*> or <*>"),
        ("chdir(/srv/shop//a) failed", "chdir(<*>) failed"),
        ("read either/or text/html", "read either/or text/html"),
        ("mail to bob@example.com via https://x.example/y?z=1", "mail to <*> via <*>"),
        ("can't find 'a b' in \"c\"", "can't find <*> in <*>"),
        ('"GET /a/b HTTP/1.1" status: 500', '"GET <*>" status: <*>'),
        ('"POST /a/b HTTP/1.1" status: 500', '"POST <*>" status: <*>'),
        ("key ***1234 refused", "key <*> refused"),
        ('sent {"id": 1, "in": {"b": 2}} twice', "sent <*> twice"),
        ("sent {'id': 1} twice", "sent <*> twice"),
        ("used 10 MB; or 5%", "used <*>; or <*>"),
        ("asked 10.0.0.7 to drop blk_-1 blk_2, blk_3", "asked <*> to drop <*>"),
        ("rows [1, 2, 3] of [1]", "rows [<*>] of [<*>]"),
        ("nodes n1 <ok> n2 <ok> n3 <ok>", "nodes <*> <ok>"),
        ("pool-1-thread-22 waits for rdd_2_0", "<*> waits for <*>"),
        ("lock=1, name=audio, ws=null, up=false", "lock=<*>, name=<*>, ws=<*>, up=false"),
        ("lock=9, name=com.acme.shop, ws=Work{10113}, up=false", "lock=<*>, name=<*>, ws=<*>, up=false"),
        ("interrupt enable.....0", "interrupt enable.....<*>"),
        ("chrome.exe - com.acme.shop:5070 closed", "<*> closed"),
        ("utf8 sha256 http2 base64 Base64Decoder", "utf8 sha256 http2 base64 Base64Decoder"),
        ("ORA-00942: table", "ORA-00942: table"),
        ("[Errno 2] No such file", "[Errno 2] No such file"),
        ("SQLSTATE[42P01] no table", "SQLSTATE[42P01] no table"),
        ("用户12345登录失败", "用户<*>登录失败"),
        ("a  b\n c", "a b c"),
        ("", ""),
    ],
)
def test_whatever_varies_becomes_a_wildcard(message: str, expected: str) -> None:
    assert template(message) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("VM Started (Lifecycle Event)", "VM Stopped (Lifecycle Event)"),
        ("Task Transitioned from NEW to SCHEDULED", "Task Transitioned from SCHEDULED to RUNNING"),
        ("overlap:false", "overlap:true"),
        ("java.lang.A cannot be cast to java.lang.B", "java.lang.C cannot be cast to java.lang.B"),
        ("com.acme.FirstException: refused", "com.acme.SecondException: refused"),
        ("[Errno 2] open failed", "[Errno 13] open failed"),
        ("android.intent.action.SCREEN_ON", "android.intent.action.SCREEN_OFF"),
        ("data address: 0x1", "data address space.....0"),
        ("支付失败", "登录失败"),
    ],
)
def test_words_that_say_what_happened_stay(one: str, other: str) -> None:
    assert template(one) != template(other)


_NUMBERS = st.integers(0, 10**12)


@given(st.text(max_size=300), _NUMBERS, _NUMBERS)
def test_messages_that_differ_in_a_number_are_one(words: str, one: int, other: int) -> None:
    assert template(f"row {one} of {words}") == template(f"row {other} of {words}")


@given(st.text(max_size=400))
def test_any_message_has_a_template(message: str) -> None:
    assert "\x1a" not in template(message)


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "a-1",
            "1.",
            "1:",
            "/a",
            "a/",
            "a.",
            "1,111",
            "'a",
            "f1",
            "-",
            "[{",
            "aaa-",
            "a@",
            "***",
            "1 ",
            "1 b ",
        ),
        *("com.", "user a ", "Jan ", "[1]", "x{1}", "\\042", "=null", "a=1,", "\x1a", "é1"),
    ],
)
def test_naughty_messages_end(unit: str) -> None:
    template(unit * (65536 // len(unit)))
