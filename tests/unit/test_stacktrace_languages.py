"""The shapes of traces that the samples do not have, language by language."""

# ruff: noqa: E501 - traces are as wide as they are printed
from __future__ import annotations

import json

import pytest

from ai_ops.core.describe import describe
from ai_ops.core.stacktrace import javascript
from tests.support.joining import records_of

STAMP = "2026-03-01 12:00:00,123"
BROWSER = """Uncaught (in promise) TypeError: cart is undefined
    at total (https://shop.example/static/js/cart.js?v=3:12:7)
    at async checkout (webpack:///./src/checkout.ts:40:3)
    at Array.map (<anonymous>)
    at new Cart (file:///srv/shop/dist/cart.mjs:7:1)"""
FIREFOX = """TypeError: cart is undefined
total@https://shop.example/static/js/cart.js:12:7
async*checkout@https://shop.example/static/js/main.js:3:9
@https://shop.example/static/js/main.js:1:1"""
CODED = """Error [ERR_HTTP_HEADERS_SENT]: Cannot set headers after they are sent to the client
    at ServerResponse.setHeader (node:_http_outgoing:652:11)
    at handler (/app/routes/cart.ts:30:9)"""
BEHIND_WORDS = """order 7 failed TypeError: Cannot read properties of undefined (reading 'cents')
    at total (/srv/shop/src/totals.js:15:51)
    at receipt (/srv/shop/src/totals.js:19:28)"""
CODED_BEHIND_WORDS = """gateway - request (7) lost TypeError [ERR_INVALID_ARG_TYPE]: The "path" argument must be of type string
    at Object.join (node:path:1171:7)
    at place (file:///srv/shop/src/places.js:4:15)"""
BEHIND_A_HEADING = """Server Error: TypeError: cart is undefined
    at total (/srv/shop/src/totals.js:15:51)"""
WORDS_IN_A_MESSAGE = """TypeError: cart is undefined
  the shop said CartError: empty
    at total (/srv/shop/src/totals.js:15:51)"""
OLD_RUST = """thread 'main' panicked at 'index out of bounds: the len is 1 but the index is 7', src/main.rs:4:10
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"""
ANYHOW = """Error: could not check out

Caused by:
    0: no answer from the bank
    1: connection reset

Stack backtrace:
   0: anyhow::error::<impl anyhow::Error>::msg
   1: shop::bank::call
             at ./src/bank.rs:17:9
   2: shop::main
             at ./src/main.rs:5:5"""
CORE_CLR = """fail: Microsoft.AspNetCore.Server.Kestrel[13]
      System.InvalidOperationException: checkout failed
       ---> System.ArgumentException: no item 7 (Parameter 'id')
         at Shop.Cart.Load(Int32 id) in /src/Shop/Cart.cs:line 12
         at Shop.Cart.Total(IEnumerable`1 ids, Func`2 price) in /src/Shop/Cart.cs:line 20
         --- End of inner exception stack trace ---
         at Shop.Cart.Total(IEnumerable`1 ids, Func`2 price) in /src/Shop/Cart.cs:line 22
      --- End of stack trace from previous location ---
         at Microsoft.AspNetCore.Routing.EndpointMiddleware.<Invoke>g__AwaitRequestTask|6_0(Endpoint endpoint, Task t)"""
RAILS = """F, [2026-03-01T12:00:00.123456 #812] FATAL -- : [4f3] NoMethodError (undefined method `price' for nil:NilClass):

app/models/cart.rb:12:in `block in total'
app/models/cart.rb:11:in `each'
/usr/local/bundle/gems/actionpack-7.0.4/lib/action_controller/metal.rb:188:in `dispatch'
app/controllers/carts_controller.rb:7:in `show'"""
RUBY_34 = """/srv/shop/cart.rb:3:in 'Cart#total': undefined method 'price' for nil (NoMethodError)

    item.price
        ^^^^^^
\tfrom /srv/shop/cart.rb:9:in 'Integer#times'
\tfrom /srv/shop/cart.rb:9:in '<main>'"""
LARAVEL = """[2026-03-01 12:00:00] production.ERROR: no item 7 {"exception":"[object] (App\\\\OutOfStock(code: 0): no item 7 at /srv/shop/app/Cart.php:12)
[stacktrace]
#0 /srv/shop/app/Http/CartController.php(33): App\\\\Cart->load(7)
#1 /srv/shop/vendor/laravel/framework/src/Illuminate/Routing/Controller.php(54): App\\\\Http\\\\CartController->show(7)
#2 {main}

[previous exception] [object] (PDOException(code: 2002): Connection lost at /srv/shop/app/Db.php:5)
[stacktrace]
#0 /srv/shop/app/Cart.php(10): App\\\\Db->find(7)
#1 {main}
"} """
FPM = """[01-Mar-2026 12:00:00 UTC] PHP Fatal error:  Uncaught App\\OutOfStock: no item 7 in /srv/shop/src/Cart.php:12
Stack trace:
#0 /srv/shop/public/index.php(8): App\\Cart->load(7)
#1 {main}
  thrown in /srv/shop/src/Cart.php on line 12"""
WRAPPED_GO = """2026-03-01T12:00:00.123Z ERROR shop checkout failed
main.charge
\t/srv/shop/bank.go:17
github.com/acme/shop/cart.(*Cart).Total
\t/srv/shop/cart/cart.go:33
net/http.HandlerFunc.ServeHTTP
\t/usr/local/go/src/net/http/server.go:2109"""
DEADLOCK = """fatal error: all goroutines are asleep - deadlock!

goroutine 1 [semacquire]:
sync.runtime_Semacquire(0xc0000b2008?)
\t/usr/local/go/src/runtime/sema.go:62 +0x25
main.main()
\t/srv/shop/main.go:13 +0x45
exit status 2"""
FLUTTER = """[ERROR:flutter/runtime/dart_vm_initializer.cc(41)] Unhandled Exception: Bad state: No element
#0      List.first (dart:core-patch/growable_array.dart:343:5)
#1      Cart.total (package:shop/cart.dart:12:20)
<asynchronous suspension>
#2      main (file:///srv/shop/lib/main.dart:5:3)"""

SHAPES = {
    "browser": (BROWSER, "javascript", "TypeError", (), "cart is undefined", ("/static/js/cart.js", 12, "total")),
    "firefox": (FIREFOX, "javascript", "TypeError", (), "cart is undefined", ("/static/js/cart.js", 12, "total")),
    "coded": (CODED, "javascript", "Error", (), "Cannot set headers after they are sent to the client", ("/app/routes/cart.ts", 30, "handler")),
    "behind words": (BEHIND_WORDS, "javascript", "TypeError", (), "Cannot read properties of undefined (reading 'cents')", ("/srv/shop/src/totals.js", 15, "total")),
    "coded behind words": (CODED_BEHIND_WORDS, "javascript", "TypeError", (), 'The "path" argument must be of type string', ("/srv/shop/src/places.js", 4, "place")),
    "behind a heading": (BEHIND_A_HEADING, "javascript", "TypeError", (), "cart is undefined", ("/srv/shop/src/totals.js", 15, "total")),
    "old rust": (OLD_RUST, "rust", "panic", (), "index out of bounds: the len is 1 but the index is 7", ("src/main.rs", 4, "")),
    "anyhow": (ANYHOW, "rust", "Error", (), "could not check out", ("src/bank.rs", 17, "shop::bank::call")),
    "coreclr": (CORE_CLR, "csharp", "System.InvalidOperationException", ("System.ArgumentException",), "checkout failed", ("/src/Shop/Cart.cs", 12, "Shop.Cart.Load")),
    "rails": (RAILS, "ruby", "NoMethodError", (), "undefined method `price' for nil:NilClass", ("app/models/cart.rb", 12, "block in total")),
    "ruby 3.4": (RUBY_34, "ruby", "NoMethodError", (), "undefined method 'price' for nil", ("/srv/shop/cart.rb", 3, "Cart#total")),
    "laravel": (LARAVEL, "php", "App\\\\OutOfStock", ("PDOException",), "no item 7", ("/srv/shop/app/Db.php", 5, "App\\\\Db->find")),
    "fpm": (FPM, "php", "App\\OutOfStock", (), "no item 7", ("/srv/shop/src/Cart.php", 12, "App\\Cart->load")),
    "deadlock": (DEADLOCK, "go", "fatal error", (), "all goroutines are asleep - deadlock!", ("/srv/shop/main.go", 13, "main.main")),
    "flutter": (FLUTTER, "dart", "StateError", (), "Bad state: No element", ("package:shop/cart.dart", 12, "Cart.total")),
}  # fmt: skip
PLACES = [
    "",
    f"{STAMP} ERROR shop: failed\n",
    "INFO:     127.0.0.1 - ready\nERROR:    Exception in ASGI application\n",
]


@pytest.mark.parametrize("above", PLACES, ids=["bare", "below an error", "uvicorn"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_shape_is_one_event_with_its_innermost_own_frame(shape, above, tmp_path) -> None:
    text, language, kind, causes, message, place = shape
    if above and text.startswith(("F, [", "[", "fail: ")):
        return  # a record of its own
    found = records_of(tmp_path, f"{STAMP} INFO before\n{above}{text}\n{STAMP} INFO after\n")
    assert len(found) == 1
    assert found[0].rstrip().endswith(text.rstrip()[-40:])
    error = describe(found[0]).error
    assert (error.language, error.exception_type, error.cause_types, error.message) == (
        language,
        kind,
        causes,
        message,
    )
    own = [frame for frame in error.frames if frame.in_app][-1]
    assert (own.file, own.line, own.function) == place
    assert error.root_type == (causes[-1] if causes else kind)


def test_calls_that_a_go_logger_prints_below_its_message_are_its_frames(tmp_path) -> None:
    (found,) = records_of(tmp_path, f"{WRAPPED_GO}\n")
    error = describe(found).error
    assert (error.language, [(f.function, f.in_app) for f in error.frames]) == (
        "go",
        [
            ("net/http.HandlerFunc.ServeHTTP", False),
            ("github.com/acme/shop/cart.(*Cart).Total", True),
            ("main.charge", True),
        ],
    )


STRUCTLOG = {
    "level": "error",
    "event": "order failed",
    "exception": [
        {
            "exc_type": "RuntimeError",
            "exc_value": "no total",
            "frames": [{"filename": "/a.py", "lineno": 9, "name": "f"}],
        },
        {
            "exc_type": "KeyError",
            "exc_value": "'x'",
            "frames": [{"filename": "/b.py", "lineno": 3, "name": "g"}],
        },
    ],
}
MONOLOG = {
    "level_name": "ERROR",
    "message": "order failed",
    "context": {
        "exception": {
            "class": "RuntimeException", "message": "no total", "code": 0, "file": "/srv/a.php:9", "trace": ["/srv/b.php:3"],
            "previous": {"class": "LogicException", "message": "x", "code": 0, "file": "/srv/c.php:1", "trace": []},
        }
    },
}  # fmt: skip
PINO = {
    "level": 50,
    "msg": "order failed",
    "err": {"type": "TypeError", "message": "no", "stack": "TypeError: no\n    at f (/a.js:1:2)"},
}
ZAP = {
    "level": "error",
    "msg": "order failed",
    "error": "no",
    "stacktrace": "main.f\n\t/srv/a.go:1\nmain.main\n\t/srv/a.go:9",
}
OTEL = {"severityText": "ERROR", "body": "order failed", "attributes": {"exception.type": "x.YException"}, "exception.type": "x.YException", "exception.message": "no", "exception.stacktrace": "\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)"}  # fmt: skip
SERILOG = {
    "@l": "Error",
    "@m": "order failed",
    "@x": "System.XException: no\n   at A.B.C() in /s/b.cs:line 3",
}


@pytest.mark.parametrize(
    ("record", "language", "kind", "causes", "message", "last"),
    [
        (STRUCTLOG, "python", "RuntimeError", ("KeyError",), "no total", ("/b.py", 3)),
        (MONOLOG, "php", "RuntimeException", ("LogicException",), "no total", ("/srv/c.php", 1)),
        (PINO, "javascript", "TypeError", (), "no", ("/a.js", 1)),
        (ZAP, "go", "", (), "order failed", ("/srv/a.go", 1)),
        (OTEL, "java", "x.YException", (), "no", ("a/B.java", 1)),
        (SERILOG, "csharp", "System.XException", (), "no", ("/s/b.cs", 3)),
    ],
    ids=["structlog", "monolog", "pino", "zap", "otel", "serilog"],
)
def test_an_exception_in_a_json_record_is_read(
    record, language, kind, causes, message, last, tmp_path
) -> None:
    (found,) = records_of(tmp_path, json.dumps(record) + "\n")
    error, level = describe(found)
    assert (level, error.language, error.exception_type, error.cause_types) == (
        "ERROR",
        language,
        kind,
        causes,
    )
    assert error.message == message
    assert (error.frames[-1].file, error.frames[-1].line) == last


def test_a_json_line_that_the_runtime_cut_is_put_together(tmp_path) -> None:
    line = json.dumps({"level": "error", "message": "failed", "stack": "TypeError: no\n    at f (/a.js:1:2)"})
    stamp = "2026-03-01T12:00:00.1Z stderr"
    text = f"{stamp} P {line[:40]}\n{stamp} P {line[40:60]}\n{stamp} F {line[60:]}\n{stamp} F next\n"
    (found,) = records_of(tmp_path, text)
    assert describe(found).error.exception_type == "TypeError"


@pytest.mark.parametrize(
    "line",
    [
        "it was at home (at last)",
        "panicked at the disco",
        "see app.rb:12 for more",
        "#1 priority",
        "user@example.com:25:1",
        "at 12:30:45 we met",
        "Errors: 0",
        "the Error handler is ready",
    ],
)
def test_prose_begins_no_trace_and_is_none(line: str) -> None:
    error, level = describe(f"{line}\n{line}")
    assert (error.language, error.frames, level) == ("", (), "")


@pytest.mark.parametrize(
    "line", ["Epoch 3 Training Error: 0.123", "Mean Squared Error: 0.02", "No Exception: done"]
)
def test_a_figure_that_is_called_an_error_begins_no_javascript(line: str) -> None:
    assert javascript.start(line) is None


def test_an_error_that_a_message_tells_of_is_not_the_one_that_was_thrown() -> None:
    assert describe(WORDS_IN_A_MESSAGE).error.exception_type == "TypeError"
