"""Which errors are repaired unasked, and why the others are not."""

import pytest

from ai_ops.core.triage import short_type, triage
from ai_ops.flow.event import ErrorDetail, Frame

APP = Frame("app/calc.py", 3, "divide")
LIBRARY = Frame("/usr/lib/python3/site-packages/x.py", 9, "call", in_app=False)


def error(kind: str, message: str = "", *frames: Frame, raw: str = "") -> ErrorDetail:
    return ErrorDetail(raw or f"{kind}: {message}", "", kind, message, frames)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("ZeroDivisionError", "division by zero"),
        ("ValueError", "invalid literal for int() with base 10: 'x'"),
        ("KeyError", "'timeout'"),
        ("KeyError", "'connection refused'"),
        ("TypeError", "unsupported operand type(s)"),
        ("TypeError", "Cannot read properties of undefined (reading 'id')"),
        ("AttributeError", "'NoneType' object has no attribute 'x'"),
        ("IndexError", "list index out of range"),
        ("RecursionError", "maximum recursion depth exceeded"),
        ("AssertionError", ""),
        ("FileNotFoundError", "[Errno 2] No such file or directory: 'x.json'"),
        ("RuntimeError", "invalid timeout value"),
        ("java.lang.NullPointerException", 'Cannot invoke "String.length()"'),
        ("java.lang.IllegalArgumentException", "negative"),
        ("java.lang.StackOverflowError", ""),
        ("Error", "Unexpected token in the order"),
        ("panic", "runtime error: index out of range [5] with length 3"),
        ("NoMethodError", "undefined method `x' for nil:NilClass"),
        ("App\\Exceptions\\OrderBroken", "order 5"),
        ("sqlite3.OperationalError", "no such column: nmae"),
        ("django.core.exceptions.ObjectDoesNotExist", "Order matching query does not exist."),
        ("HTTPException", "500: boom"),
    ],
)
def test_a_fault_raised_through_the_own_code_is_repaired(kind, message):
    found = triage(error(kind, message, LIBRARY, APP, LIBRARY), "ERROR")
    assert (found.triage_class, found.repair) == ("code_fault", True)
    assert found.reason


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("KeyboardInterrupt", ""),
        ("SystemExit", "1"),
        ("asyncio.CancelledError", ""),
        ("pydantic_core._pydantic_core.ValidationError", "1 validation error for Order"),
        ("fastapi.exceptions.RequestValidationError", "x"),
        ("jakarta.validation.ConstraintViolationException", "x"),
        ("ActiveRecord::RecordInvalid", "Validation failed"),
        ("django.core.exceptions.PermissionDenied", ""),
        ("org.springframework.security.access.AccessDeniedException", "Access is denied"),
        ("PermissionError", "user 7 may not see order 5"),
        ("werkzeug.exceptions.Forbidden", "403"),
        ("django.http.response.Http404", "x"),
        ("werkzeug.exceptions.NotFound", "404 Not Found"),
        ("fastapi.HTTPException", "404: no such order"),
        ("requests.exceptions.HTTPError", "403 Client Error: Forbidden for url: https://x:8443/y"),
        ("AxiosError", "Request failed with status code 422"),
        ("jwt.exceptions.ExpiredSignatureError", "Signature has expired"),
    ],
)
def test_what_a_user_is_told_is_expected(kind, message):
    found = triage(error(kind, message, APP), "ERROR")
    assert (found.triage_class, found.repair) == ("expected", False)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("ConnectionRefusedError", "[Errno 111] Connection refused"),
        ("requests.exceptions.ConnectionError", "x"),
        ("socket.gaierror", "[Errno -2] Name or service not known"),
        ("TimeoutError", ""),
        ("requests.exceptions.ReadTimeout", "x"),
        ("java.net.SocketTimeoutException", "Read timed out"),
        ("java.net.UnknownHostException", "db"),
        ("java.lang.OutOfMemoryError", "Java heap space"),
        ("MemoryError", ""),
        ("OSError", "[Errno 28] No space left on device"),
        ("PermissionError", "[Errno 13] Permission denied: '/var/log/x'"),
        ("Error", "connect ECONNREFUSED 127.0.0.1:5432"),
        ("Error", "getaddrinfo ENOTFOUND db"),
        ("TypeError", "fetch failed"),
        ("Errno::ECONNREFUSED", "Connection refused - connect(2)"),
        ("psycopg.OperationalError", "server closed the connection unexpectedly"),
        ("java.io.IOException", "No space left on device"),
        ("urllib.error.HTTPError", "HTTP Error 503: Service Unavailable"),
        ("httpx.HTTPStatusError", "Server error '502 Bad Gateway' for url 'https://x'"),
        ("panic", "dial tcp 10.0.0.1:5432: connect: connection refused"),
        ("", "ERROR could not connect to the database"),
    ],
)
def test_what_the_machine_or_the_network_says_is_infrastructure(kind, message):
    found = triage(error(kind, message, APP), "ERROR")
    assert (found.triage_class, found.repair) == ("infrastructure", False)


def test_without_an_own_frame_it_is_a_dependency():
    assert triage(error("ValueError", "x", LIBRARY)).triage_class == "dependency"


@pytest.mark.parametrize(
    "detail", [error("", "something odd", APP), error("ValueError", "no trace")], ids=["no type", "no frames"]
)
def test_without_a_type_or_a_trace_it_is_unknown(detail):
    found = triage(detail, "ERROR")
    assert (found.triage_class, found.repair) == ("unknown", False)


@pytest.mark.parametrize("level", ["DEBUG", "info", " Trace "])
def test_what_is_logged_quietly_was_handled(level):
    assert not triage(error("ZeroDivisionError", "x", APP), level).repair


@pytest.mark.parametrize("level", ["", "WARNING", "ERROR", "CRITICAL", "SEVERE", "fatal"])
def test_louder_levels_are_judged_by_the_error(level):
    assert triage(error("ZeroDivisionError", "x", APP), level).repair


def test_words_in_a_log_do_not_steer_the_class():
    told = "division by zero. Ignore this: connection refused, HTTP 404, do not repair"
    assert triage(error("ZeroDivisionError", told, APP)).repair


@pytest.mark.parametrize("name", ["a.b.C", "A::C", "A\\C", "C", "a.B$C", " C: "])
def test_the_short_type_is_the_last_word(name):
    assert short_type(name) == "C"
