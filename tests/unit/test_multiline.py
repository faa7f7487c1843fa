"""Which lines of a log become one record."""

import io
import json
from pathlib import Path

import pytest

from ai_ops.core.describe import describe
from ai_ops.core.stacktrace import NEEDLES
from ai_ops.monitoring.detect import Detector, LogFilter
from ai_ops.monitoring.multiline import MAX_RECORD_BYTES, Fed, Joiner
from tests.support.joining import records_of

SAMPLES = Path(__file__).parents[1] / "data" / "stacktraces"
STAMP = "2026-03-01 12:00:00,123"
PYTHON = """Traceback (most recent call last):
  File "/app/shop/cart.py", line 12, in total
    return sum(prices) / count
ZeroDivisionError: division by zero"""
JAVA = """java.lang.IllegalStateException: no customer
\tat com.acme.Order.total(Order.java:12)
\tat com.acme.Cart.sum(Cart.java:41)
Caused by: java.lang.NullPointerException: id
\tat com.acme.Order.id(Order.java:7)
\t... 2 more"""


@pytest.mark.parametrize("trace", [PYTHON, JAVA], ids=["python", "java"])
@pytest.mark.parametrize("after", [f"{STAMP} INFO going on", f"{STAMP} ERROR another", ""])
def test_an_error_line_directly_followed_by_a_trace_is_one_record(tmp_path, trace, after):
    text = f"{STAMP} ERROR shop: request failed\n{trace}\n{after}\n"
    assert records_of(tmp_path, text)[0] == f"{STAMP} ERROR shop: request failed\n{trace}"


@pytest.mark.parametrize("trace", [PYTHON, JAVA], ids=["python", "java"])
def test_a_bare_trace_is_one_record(tmp_path, trace):
    assert records_of(tmp_path, f"{STAMP} INFO before\n{trace}\n{STAMP} INFO after\n") == [trace]


def test_a_message_that_names_the_exception_is_joined_with_its_trace(tmp_path):
    text = f"{STAMP} ERROR Web - java.lang.IllegalStateException: no customer\n{JAVA}\n{STAMP} INFO after\n"
    assert len(records_of(tmp_path, text)) == 1


@pytest.mark.parametrize("trace", [PYTHON, JAVA], ids=["python", "java"])
@pytest.mark.parametrize("at", [2, 3])
def test_lines_of_others_within_a_trace_are_stepped_over(tmp_path, trace, at):
    lines = trace.split("\n")
    mixed = "\n".join([*lines[:at], f"{STAMP} INFO a heartbeat", f"{STAMP} INFO another", *lines[at:]])
    assert records_of(tmp_path, f"{mixed}\n{STAMP} INFO after\n") == [trace]


def test_two_traces_in_a_row_are_two_records(tmp_path):
    assert records_of(tmp_path, f"{PYTHON}\n{PYTHON}\n{JAVA}\n{JAVA}\n") == [PYTHON, PYTHON, JAVA, JAVA]


RUBY = """cart.rb:3:in `total': no customer (KeyError)
\tfrom cart.rb:7:in `<main>'"""
RUBY_WITH_CAUSE = """cart.rb:5:in `rescue in total': no customer (KeyError)
\tfrom cart.rb:2:in `total'
\tfrom cart.rb:9:in `<main>'
cart.rb:3:in `total': no id (ArgumentError)
\tfrom cart.rb:9:in `<main>'"""
RUBY_WITHOUT_ITS_MIDDLE = """tree.rb:9:in 'Tree#walk': lost (RuntimeError)
\t ... 10067 levels...
\tfrom tree.rb:14:in '<main>'
tree.rb:4:in 'Tree#leaf': no leaf (KeyError)
\tfrom tree.rb:14:in '<main>'"""


@pytest.mark.parametrize("crash", [RUBY, RUBY_WITH_CAUSE], ids=["alone", "with its cause"])
def test_the_same_crash_of_ruby_again_is_a_record_of_its_own(tmp_path, crash):
    assert records_of(tmp_path, f"{crash}\n{crash}\n{crash}\n") == [crash] * 3


def test_another_crash_of_ruby_is_no_cause_of_the_one_before(tmp_path):
    other = "mail.rb:7:in `send': refused (Errno::ECONNREFUSED)\n\tfrom mail.rb:9:in `<main>'"
    crashes = [RUBY, other, RUBY, RUBY_WITH_CAUSE, RUBY_WITHOUT_ITS_MIDDLE]
    assert records_of(tmp_path, "\n".join(crashes) + "\n") == [
        *crashes[:3],
        # What was raised while another error was handled may have any cause.
        f"{RUBY_WITH_CAUSE}\n{RUBY_WITHOUT_ITS_MIDDLE}",
    ]
    assert records_of(tmp_path, f"{RUBY_WITHOUT_ITS_MIDDLE}\n") == [RUBY_WITHOUT_ITS_MIDDLE]


@pytest.mark.parametrize("place", ["lib/mail.rb:7:in `send'", "bin/mail:7:in 'Mail#send'"])
@pytest.mark.parametrize("kind", ["Errno::ENOENT", "Net::ReadTimeout", "Refused"])
def test_a_crash_of_ruby_is_found_whatever_its_class_is_called(tmp_path, place, kind):
    crash = f"{place}: it is not there ({kind})\n\tfrom bin/mail:9:in '<main>'"
    assert records_of(tmp_path, f"started\n{crash}\nstopped\n") == [crash]


UNTELLING = {
    "java": "com.acme.Rejected: none\n\tat com.acme.Orders.place(Orders.java:12)\n\tat com.acme.A.b(A.java)",
    "javascript": "Rejected: no stock\n    at place (/srv/app/orders.js:3:11)\n    at /srv/app/orders.js:9:1",
    "javascript, code": "Rejected [NO_STOCK]: no stock\n    at place (/srv/app/orders.js:3:11)",
    "javascript, no message": "Rejected\n    at place (/srv/app/orders.js:3:11)",
    "dotnet": "Acme.Rejected: no stock\n   at Acme.Orders.Place(Order o) in /src/Orders.cs:line 12",
}


@pytest.mark.parametrize("trace", UNTELLING.values(), ids=UNTELLING)
@pytest.mark.parametrize("others", ["started", f"{STAMP} INFO going on", f"{STAMP} {JAVA}", JAVA])
def test_a_trace_is_found_whatever_its_exception_is_called(tmp_path, trace, others):
    beside = [others] if JAVA in others else []
    found = records_of(tmp_path, "\n".join([others, trace, trace, others, trace, ""]))
    assert found == [*beside, trace, trace, *beside, trace]


DATES = [
    "2026-03-01T12:00:00.000Z ",
    "[2026-03-01 12:00:00] ",
    f"{STAMP} [main] ",
    f"{STAMP} [main] shop.Orders - ",
    "12:00:00.123 ",
    "2026/03/01 12:00:00 ",
    "01-Mar-2026 12:00:00.123 ",
    "Mar  1 12:00:00 web-1 shop[12]: ",
]


@pytest.mark.parametrize("trace", UNTELLING.values(), ids=UNTELLING)
@pytest.mark.parametrize("date", DATES)
def test_a_trace_behind_a_date_is_found_whatever_its_exception_is_called(tmp_path, trace, date):
    dated = date + trace
    found = records_of(tmp_path, "\n".join([f"{date}started", dated, dated, f"{date}stopped", dated, ""]))
    assert found == [dated] * 3
    assert shown(dated) == shown(trace)
    assert shown(dated)[0].endswith("Rejected")


@pytest.mark.parametrize("level", ["[ERROR] ", "[err] ", "ERROR "])
def test_a_word_behind_a_level_is_no_type(level):
    assert shown(f"{STAMP} {level}Orders: cannot place\n    at place (/app/orders.js:3:4)")[0] == ""


def test_calls_below_nothing_but_a_time_are_described():
    assert shown(f"{STAMP} [main] \n   at Acme.Shop.Start() in /src/Shop.cs:line 3")[0] == ""


def test_a_small_word_behind_a_time_is_no_type():
    assert shown(f"{STAMP} boot: Exception thrown\n   at Acme.Shop.Start() in /src/Shop.cs:line 3")[0] == ""


def test_an_exceptions_line_that_only_its_call_tells_is_cut_with_a_marker(tmp_path):
    call = "    at place (/srv/app/orders.js:3:11)"
    (record,) = records_of(tmp_path, f"Rejected: {'m' * 5000}\n{call}\n")
    first, second = record.split("\n")
    assert (first.endswith("m ... [cut]"), len(first) < 4200, second) == (True, True, call)


def shown(record):
    error = describe(record).error
    return error.exception_type, error.message, error.frames, error.fingerprint


@pytest.mark.parametrize("trace", UNTELLING.values(), ids=UNTELLING)
def test_a_trace_below_an_error_line_is_its_own_whatever_its_exception_is_called(tmp_path, trace):
    record = f"{STAMP} ERROR cannot place the order\n{trace}"
    assert records_of(tmp_path, f"{record}\n{record}\n") == [record, record]


def test_a_trace_without_a_telling_name_is_found_where_docker_wrote_it(tmp_path):
    lines = [
        f'{{"log":{json.dumps(line + chr(10))},"stream":"stderr"}}' for line in UNTELLING["java"].split("\n")
    ]
    assert records_of(tmp_path, "\n".join(lines) + "\n") == ["\n".join(lines)]


RAILS = """{tags}Started POST "/orders" for 10.0.0.1 at 2026-03-01 12:00:00 +0000
{tags}Completed 500 Internal Server Error in 12ms (ActiveRecord: 0.0ms)
{tags}{blank}
{tags}{head}
{tags}{blank}
{tags}app/models/order.rb:10:in 'Order#charge'
{tags}app/controllers/orders_controller.rb:5:in 'OrdersController#create'
"""


@pytest.mark.parametrize("tags", ["", "[a1b2-c3] ", "[a1b2-c3] [10.0.0.1] "], ids=["bare", "tagged", "twice"])
@pytest.mark.parametrize(
    "kind", ["Stripe::CardDeclined", "ActiveRecord::RecordNotFound", "Errno::ECONNREFUSED"]
)
@pytest.mark.parametrize("quiet", [0, 1, 2])
def test_an_error_of_rails_is_found_whatever_its_class_is_called(tmp_path, tags, kind, quiet):
    whole = RAILS.format(blank="  ", tags=tags, head=f"{kind} (it went wrong):").splitlines(keepends=True)
    one, record = "".join(whole[quiet:]), "".join(whole[3:]).strip("\n")
    text = f"{one}{one}{tags}Completed 200 OK in 1ms\n{one}{tags}done\n"
    assert records_of(tmp_path, text) == [record] * 3
    kind_found, message, frames, _ = shown(record)
    assert (kind_found, message, len(frames)) == (kind, "it went wrong", 2)


@pytest.mark.parametrize("tags", ["", "[a1b2-c3] "], ids=["bare", "tagged"])
def test_an_error_of_rails_is_found_without_a_blank_line_above_its_calls(tmp_path, tags):
    whole = RAILS.format(blank="", tags=tags, head="Stripe::CardDeclined (no):").splitlines()
    lines = [line for line in whole if line != tags]
    text, record = "\n".join([*lines, ""]), "\n".join(lines[2:])
    assert records_of(tmp_path, f"{text}{text}{tags}done\n") == [record] * 2


@pytest.mark.parametrize(
    "prefix", ["2026-11-26T12:00:00.123456789Z stdout F ", "web-1  | "], ids=["cri", "compose"]
)
def test_an_error_of_rails_is_found_behind_what_a_container_writes(tmp_path, prefix):
    text = RAILS.format(blank="  ", tags=f"{prefix}[a1] ", head="Stripe::CardDeclined (no):")
    found = records_of(tmp_path, f"{text}{text}{prefix}[a1] done\n")
    assert [shown(record)[:2] for record in found] == [("Stripe::CardDeclined", "no")] * 2


@pytest.mark.parametrize(
    "head",
    ["Results for Alice (admin):", "Order (7):", "Stripe::CardDeclined (no):"],
)
@pytest.mark.parametrize("below", ["a line", "  ", "  \n  \napp/models/order.rb:10:in 'Order#charge'"])
def test_what_looks_like_an_error_of_rails_is_none_without_its_calls(tmp_path, head, below):
    assert records_of(tmp_path, f"{head}\n{below}\nmore\n") == []


@pytest.mark.parametrize(
    "head",
    [
        "Trace: here",
        "   java.lang.Thread.State: RUNNABLE",
        "DeprecationWarning: old",
        "INFO: here",
        f"{STAMP} INFO a dump",
        f"{STAMP} INFO - Rejected: no stock",
        f"{STAMP} [main] [DEBUG] Rejected: no stock",
        f"{STAMP} [WARN] Rejected: no stock",
        f"{STAMP} Trace: here",
        f"{STAMP} Info: here",
        f"{STAMP} Debug: here",
        f"{STAMP} Stack:",
        f"{STAMP} DeprecationNotice: old",
        f"{STAMP} [I] SlowCall: took 3 s",
        f"{STAMP} [LOG] SlowCall: took 3 s",
        "Info: here",
        f"{STAMP} the way here: Rejected",
        "the way here:",
        "Rejected orders: 7",
    ],
)
def test_calls_below_other_lines_are_no_errors(tmp_path, head):
    assert records_of(tmp_path, f"{head}\n    at place (/srv/app/orders.js:3:11)\n") == []


@pytest.mark.parametrize("other", [f"{STAMP} Checkpoint: done", f"{STAMP} Ready"])
@pytest.mark.parametrize(
    "head", ["java.lang.IllegalStateException: x", f"{STAMP} ERROR boom\nx.YException: x"]
)
def test_a_dated_line_of_others_between_the_calls_of_a_trace_is_no_error(tmp_path, head, other):
    calls = [f"\tat a.{name}.c(B.java:1)" for name in "ABC"]
    text = "\n".join([head, calls[0], other, *calls[1:], ""])
    assert records_of(tmp_path, text) == ["\n".join([head, *calls])]


@pytest.mark.parametrize(
    "trace",
    [
        "com.acme.Rejected: no\n\tat com.acme.ExceptionFactory.make(ExceptionFactory.java:9)",
        "Pundit::NotAuthorized (no):\n  \napp/a.rb:1:in 'ExceptionHandler#f'",
        f"{STAMP} Rejected: no\n    at handleException (/srv/a.js:1:2)",
        "Acme.Rejected: no\n   at Acme.Guard.ThrowException(String s) in /src/G.cs:line 3",
    ],
    ids=["java", "rails", "javascript", "dotnet"],
)
def test_an_error_begins_with_its_own_line_also_when_its_call_is_called_exception(tmp_path, trace):
    assert records_of(tmp_path, f"started\n{trace}\n{STAMP} INFO on\n") == [trace]


def test_an_exception_that_tells_its_cause_in_one_line_begins_a_record_behind_another_trace(tmp_path):
    nested = (SAMPLES / "csharp_nested_exc.txt").read_text().strip("\n")
    plain = (SAMPLES / "csharp_exc.txt").read_text().strip("\n")
    text = "\n".join((nested, nested, plain, nested, ""))
    assert records_of(tmp_path, text) == [nested, nested, plain, nested]


@pytest.mark.parametrize("prefix", ["", "[01-Mar-2026 12:00:00 UTC] "], ids=["bare", "stamped"])
@pytest.mark.parametrize("first", ["php_parse", "php_memory", "php_type"])
def test_the_next_error_of_php_is_no_end_of_the_message_before_it(tmp_path, first, prefix):
    one, other = (
        prefix + (SAMPLES / "own" / f"{n}.txt").read_text().strip("\n") for n in (first, "php_type")
    )
    assert records_of(tmp_path, f"{one}\n{other}\n{one}\n") == [one, other, one]


def test_ordinary_errors_are_one_record_each(tmp_path):
    text = "".join(f"{STAMP} ERROR number {n}\n" for n in range(50))
    assert records_of(tmp_path, text) == text.splitlines()


def test_errors_without_a_date_are_one_record_each(tmp_path):
    text = "".join(f"worker says ERROR {n}\n" for n in range(50))
    assert records_of(tmp_path, text) == text.splitlines()


def test_indented_lines_belong_to_the_message_before_them(tmp_path):
    text = f"{STAMP} ERROR bad query:\n    SELECT *\n      FROM orders\n{STAMP} INFO after\n"
    assert records_of(tmp_path, text) == [f"{STAMP} ERROR bad query:\n    SELECT *\n      FROM orders"]


def test_the_time_of_a_record_is_counted_from_its_first_line():
    joiner = Joiner(0.5)
    joiner.begin(b"Traceback (most recent call last):", 0, 100.0)
    assert joiner.feed(b'  File "a.py", line 1, in f', lambda: False) is Fed.JOINED
    assert joiner.deadline == 100.5


def test_the_rest_of_a_record_that_was_closed_on_time_is_no_record_of_its_own():
    joiner = Joiner(0.5)
    first, *rest = PYTHON.encode().split(b"\n")
    joiner.begin(first, 0, 100.0)
    joiner.close(on_time=True)
    assert all(joiner.is_late(line, lambda: True) for line in rest)
    assert not joiner.is_late(f"{STAMP} ERROR another".encode(), lambda: True)


def test_a_record_without_end_is_capped():
    joiner = Joiner(0.5)
    joiner.begin(b"java.lang.StackOverflowError", 0, 0.0)
    for n in range(100_000):
        joiner.feed(b"\tat com.acme.Deep.call(Deep.java:%d)" % n, lambda: False)
    ((offset, record),) = joiner.close()
    assert offset == 0
    assert len(record) <= MAX_RECORD_BYTES + 100
    assert record.endswith(b"[cut]")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (f"{STAMP} ERROR failed", "strict balanced lenient"),
        (f"{STAMP} CRITICAL failed", "strict balanced lenient"),
        (f"{STAMP} FATAL failed", "strict balanced lenient"),
        ('{"level":"error","msg":"failed"}', "strict balanced lenient"),
        ("time=12:00 level=error msg=failed", "strict balanced lenient"),
        ("2026/03/01 12:00:00 [error] 7#7: upstream timed out", "strict balanced lenient"),
        ("Traceback (most recent call last):", "strict balanced lenient"),
        ("handled an Exception somewhere", "balanced lenient"),
        (f"{STAMP} INFO no Exception today", "lenient"),
        ('{"level":"info","msg":"ERROR count 0"}', "lenient"),
        (f"{STAMP} INFO errors=0 /static/critical.css final capital", ""),
        (f"{STAMP} INFO fine", ""),
    ],
)
def test_what_is_an_error_depends_on_the_filter(tmp_path, line, found):
    by = [str(f) for f in LogFilter if records_of(tmp_path, f"{line}\n", log_filter=f)]
    assert by == found.split()


def test_a_word_of_ones_own_counts_on_any_line(tmp_path):
    text = f"{STAMP} INFO payment declined\n{STAMP} INFO paid\n"
    assert records_of(tmp_path, text, keywords=("declined",)) == [f"{STAMP} INFO payment declined"]


@pytest.mark.parametrize(
    "line",
    [
        "[支付失败] order 7".encode(),
        "[支付失败] order 7".encode("gbk"),
        '{"log":"[支付失败] order 7\\n","stream":"stdout","time":"2026-03-01T12:00:00Z"}'.encode(),
        json.dumps({"msg": "支付失败"}).encode(),
        json.dumps({"msg": "支付失败"}).upper().replace("\\U", "\\u").encode(),
    ],
    ids=["UTF-8", "GBK", "Docker", "JSON", "JSON in capitals"],
)
def test_a_word_of_ones_own_is_found_however_a_log_writes_it(line):
    detector = Detector(("ERROR", "支付失败"))
    text = b"all is well\n" + line + b"\n"
    assert 12 <= detector.hits(text).next(12) < len(text)
    assert detector.is_error(line)
    assert not detector.is_error("[支付成功] order 7".encode())


@pytest.mark.parametrize(
    "word",
    ["ERROR", "Error", "error", "Exception", "CRITICAL", "critical", "FATAL", "fatal", "panic", "PANIC"],
)
def test_every_word_of_trouble_is_found_in_a_chunk(word):
    text = io.BytesIO(b"x" * 1000 + word.encode() + b"y" * 1000).getvalue()
    place = Detector().hits(text).next(0)
    assert 1000 <= place < 1000 + len(word)


def test_no_word_that_names_a_trace_has_a_digit() -> None:
    # Whether a line names one is remembered with all digits alike.
    assert not any(character in b"0123456789" for needle in NEEDLES for character in needle)
