"""What Rails writes of an exception, as records of a file and of a stream, and what is read from them."""

from __future__ import annotations

import pytest

from ai_ops.core.describe import describe
from ai_ops.monitoring.detect import Detector
from ai_ops.monitoring.sources.joining import StreamJoiner
from ai_ops.monitoring.sources.port import Entry
from tests.support.joining import records_of

LOGGER = "E, [2026-03-01T12:00:00.123456 #12] ERROR -- : "
CALLS = ("app/models/order.rb:10:in 'Order.find'", "app/controllers/orders.rb:5:in 'Orders#show'")
CAUSE_CALLS = ("lib/db.rb:3:in 'Db#ask'", *CALLS)
TEMPLATE_CALLS = ("app/views/orders/show.html.erb:5", "app/views/orders/show.html.erb:1", CALLS[1])
SOURCE = ("    4: <p>", "    5: <%= order.total %>", "    6: </p>")
CAUSES = ("SQLite3::BusyException", "Errno::EIO")

ways_to_log = pytest.mark.parametrize(
    ("first", "tags"),
    [
        ("", ""),
        ("[a1b2-c3] ", "[a1b2-c3] "),
        ("[a1] [10.0.0.1] ",) * 2,
        (f"{LOGGER}[a1] ", "[a1] "),
        (LOGGER, ""),
    ],
    ids=["bare", "tagged", "two tags", "formatted", "formatted, without tags"],
)
kinds = pytest.mark.parametrize("kind", ["Stripe::CardDeclined", "KeyError", "ActiveRecord::RecordNotFound"])


def rails_8(kind, causes=CAUSES, *, calls=CALLS, cause_calls=CAUSE_CALLS, source=(), message="no item"):
    """Return the lines of one exception, to be joined behind tags: some hold a line end of their own."""
    return [
        "  ",
        f"{kind} ({message})",
        *(f"Caused by: {cause} (inner)" for cause in causes),
        f"\nInformation for: {kind} ({message}):",
        *source,
        "  ",
        *calls,
        *(
            line
            for cause in causes
            for line in (f"\nInformation for cause: {cause} (inner):", "  ", *cause_calls)
        ),
    ]


def rails_7(kind, causes=CAUSES, *, calls=CALLS, source=(), message="no item"):
    named = ("\nCauses:", *(f"{cause} (inner)" for cause in causes)) if causes else ()
    return ["  ", f"{kind} ({message}):", *named, *source, "  ", *calls]


def logged(lines, first, tags):
    """Return a log with the exception twice, among the lines of the requests."""
    info = first.replace("E, ", "I, ").replace("ERROR", " INFO")
    around = (f"{info}Started GET", f"{info}Completed 500 Internal Server Error in 1ms")
    one = "\n".join([*around, first + f"\n{tags}".join(lines)])
    return f"{one}\n{one}\n{info}Started GET\n{info}Completed 200 OK in 1ms\n"


def told(records):
    return [
        (
            error.exception_type,
            error.message,
            error.cause_types,
            [(f.file, f.line, f.function) for f in error.frames],
        )
        for error in (describe(record).error for record in records)
    ]


def streamed(text):
    """Return the records of the same lines where each is an entry of its own."""
    joiner = StreamJoiner(Detector(), 60.0)
    for number, line in enumerate(text.encode().split(b"\n")[:-1]):
        joiner.take(Entry("app", str(number), "app", line, f"id{number}"), 0.0)
    joiner.close_all()
    return [record.raw.decode() for record in joiner.release(1000)[0]]


OUTER = [("app/controllers/orders.rb", 5, "Orders#show"), ("app/models/order.rb", 10, "Order.find")]


@ways_to_log
@kinds
def test_each_exception_of_a_chain_is_told_apart_by_rails_8(tmp_path, first, tags, kind):
    text = logged(rails_8(kind), first, tags)
    expected = (kind, "no item", CAUSES, [*OUTER, ("lib/db.rb", 3, "Db#ask")])
    assert told(records_of(tmp_path, text)) == [expected] * 2
    assert told(streamed(text)) == [expected] * 2


@ways_to_log
@kinds
def test_causes_are_only_named_by_rails_7(tmp_path, first, tags, kind):
    text = logged(rails_7(kind), first, tags)
    expected = (kind, "no item", CAUSES, OUTER)
    assert told(records_of(tmp_path, text)) == [expected] * 2
    assert told(streamed(text)) == [expected] * 2


@ways_to_log
@pytest.mark.parametrize("write", [rails_7, rails_8])
def test_an_error_of_a_template_has_calls_without_a_function(tmp_path, first, tags, write):
    calls = {"cause_calls": TEMPLATE_CALLS} if write is rails_8 else {}
    lines = write("ActionView::Template::Error", CAUSES[:1], calls=TEMPLATE_CALLS, source=SOURCE, **calls)
    view = "app/views/orders/show.html.erb"
    expected = (
        "ActionView::Template::Error",
        "no item",
        CAUSES[:1],
        [OUTER[0], (view, 1, ""), (view, 5, "")],
    )
    assert told(records_of(tmp_path, logged(lines, first, tags))) == [expected] * 2


def test_calls_of_one_template_are_told_apart_by_their_lines():
    calls, kind = {"calls": TEMPLATE_CALLS, "cause_calls": TEMPLATE_CALLS[:2]}, "ActionView::Template::Error"
    ((_, _, _, frames),) = told(["\n".join(rails_8(kind, CAUSES[:1], **calls))])
    assert [line for _, line, _ in frames] == [5, 1, 5]


@ways_to_log
@pytest.mark.parametrize("write", [rails_7, rails_8])
def test_a_message_has_several_lines(tmp_path, first, tags, write):
    message = 'PG::UndefinedColumn: ERROR:  column "x" does not exist\nLINE 1: SELECT x\n               ^\n'
    text = logged(
        write("ActiveRecord::StatementInvalid", ("PG::UndefinedColumn",), message=message), first, tags
    )
    kind, said, causes, frames = zip(*told(records_of(tmp_path, text)), strict=True)
    assert (kind, causes) == (("ActiveRecord::StatementInvalid",) * 2, (("PG::UndefinedColumn",),) * 2)
    assert [text.strip() for text in said] == [message.strip()] * 2
    assert [frame[-1] for frame in frames] == [
        OUTER[1] if write is rails_7 else ("lib/db.rb", 3, "Db#ask")
    ] * 2


@ways_to_log
def test_an_exception_without_calls_has_those_of_its_cause(tmp_path, first, tags):
    lines = rails_8("Lock::Refused", ("Net::ReadTimeout",), calls=())
    expected = ("Lock::Refused", "no item", ("Net::ReadTimeout",), [*OUTER, ("lib/db.rb", 3, "Db#ask")])
    assert told(records_of(tmp_path, logged(lines, first, tags))) == [expected] * 2


@ways_to_log
def test_the_next_exception_is_no_cause_of_the_one_before(tmp_path, first, tags):
    one, other = (
        first + f"\n{tags}".join(lines) for lines in (rails_7("KeyError"), rails_7("IndexError", ()))
    )
    text = f"{one}\n{other}\n{tags}done\n"
    assert [(kind, causes) for kind, _, causes, _ in told(records_of(tmp_path, text))] == [
        ("KeyError", CAUSES),
        ("IndexError", ()),
    ]


@pytest.mark.parametrize(
    "prefix", ["2026-11-26T12:00:00.123456789Z stdout F ", "web-1  | ", "01:36:31 web.1  | "]
)
@pytest.mark.parametrize("tags", ["", "[a1] "])
@pytest.mark.parametrize("write", [rails_7, rails_8])
def test_what_a_runtime_writes_before_each_line_is_left_out(tmp_path, prefix, tags, write):
    text = logged(write("ActiveRecord::RecordNotFound"), tags, tags)
    wrapped = "".join(f"{prefix}{line}\n" for line in text.split("\n")[:-1])
    assert told(records_of(tmp_path, wrapped)) == told(records_of(tmp_path, text))


@ways_to_log
def test_an_exception_without_any_calls_takes_none_of_the_next(tmp_path, first, tags):
    lines = ['ActionController::RoutingError (No route matches [GET] "/favicon.ico"):', "  "]
    one = first + f"\n{tags}".join(["  ", *lines])
    other = first + f"\n{tags}".join(rails_7("Stripe::CardDeclined", ()))
    records = records_of(tmp_path, f"{one}\n{tags}Started GET\n{tags}Completed 404\n{other}\n{tags}done\n")
    assert len(records) == 2
    assert "RoutingError" in records[0]
    assert told(records[1:]) == [("Stripe::CardDeclined", "no item", (), OUTER)]


HARMLESS = {
    "a sum": [
        "Causes:",
        "Orders (3)",
        "Caused by: Orders (3)",
        "Information for: you",
        "Information for cause: a",
    ],
    "information": ["Information for: Order (12) loaded", "Information for: Customer (ACME Ltd)"],
    "dated information": ["2026-03-01 12:00:00 Information for: Customer (ACME):"],
    "causes of an outage": ["Outage (2 hours):", "Causes:", "- network"],
    "causes below a blank line": ["Downtime (Monday):", "", "Causes:", "Network (router)"],
}


@pytest.mark.parametrize("lines", HARMLESS.values(), ids=HARMLESS)
def test_lines_that_only_look_like_those_of_rails_are_no_error(tmp_path, lines):
    assert records_of(tmp_path, "\n".join([*lines, "done", ""])) == []


@pytest.mark.parametrize(
    "lines",
    [
        ["cannot reach", "proxy.builder:8080", "next"],
        ["cannot render", "spec/views/a.html.erb:5"],
        ["[a1] cannot render", "[b2] app/models/order.rb:10:in 'Order.find'"],
        ["", "Orders (3) exported"],
    ],
    ids=["a host", "a file of the tests", "another request", "nothing"],
)
def test_no_call_is_seen_below_an_error_where_there_is_none(tmp_path, lines):
    first, *others = lines
    assert records_of(tmp_path, "\n".join([LOGGER + first, *others, ""])) == [LOGGER + first]


@pytest.mark.parametrize("said", ["Information for: User (5)", "Information for: a user", "Causes:"])
def test_a_message_of_another_language_may_say_what_rails_says(tmp_path, said):
    record = f"java.lang.IllegalStateException: x\n{said}\n\tat a.B.c(B.java:3)\n\tat a.B.d(B.java:4)"
    assert records_of(tmp_path, f"{record}\ndone\n") == [record]


@pytest.mark.parametrize(
    "stamp", ["[3/1/26, 12:00:0{}]", "[2026030{}T120000Z]", "[12345.67890{}]", "[1234{}]"]
)
def test_a_line_in_brackets_of_its_own_kind_ends_a_record(tmp_path, stamp):
    trace = "java.lang.IllegalStateException: x\n\tat a.B.c(B.java:3)"
    lines = [f"{stamp.format(n)} {said}" for n, said in enumerate(["ERROR boom", "INFO fine", "INFO ok"], 1)]
    assert records_of(tmp_path, "\n".join([*lines, trace, ""])) == [lines[0], trace]


BESIDE = {
    "a place": ["Order (12):", "a.rb:3:in `f': no (KeyError)", "\tfrom b.rb:4:in `g'"],
    "a class behind": ["Import (nightly):", "no (KeyError)", "b.rb:4:in `g'"],
    "an inspected error": ["Job (1):", "#<KeyError: no>", "b.rb:4:in `g'"],
    "a message that ends so": ["a.rb:3:in `f': Order (12):", " (KeyError)", "\tfrom b.rb:4:in `g'"],
}


@pytest.mark.parametrize("lines", BESIDE.values(), ids=BESIDE)
def test_what_ruby_itself_names_is_nearer_than_a_title(tmp_path, lines):
    (record,) = records_of(tmp_path, "\n".join([LOGGER + lines[0], *lines[1:], ""]))
    assert describe(record).error.exception_type == "KeyError"


@pytest.mark.parametrize("tags", ["", "[a1] "])
@pytest.mark.parametrize("write", [rails_7, rails_8])
def test_a_message_ends_at_its_last_bracket(tmp_path, tags, write):
    text = logged(write("A::MathError", message="a\nb (c):\nd"), f"{LOGGER}{tags}", tags)
    found = told(records_of(tmp_path, text))
    assert [(kind, said) for kind, said, _, _ in found] == [("A::MathError", "a\nb (c):\nd")] * 2


def test_lines_of_source_may_stand_between_blank_ones(tmp_path):
    record = "KeyError (no):\n  \n    5: total\n  \napp/models/order.rb:10:in 'Order.find'"
    assert records_of(tmp_path, f"{record}\ndone\n") == [record]


def test_a_job_is_told_by_its_error_and_not_by_its_own_class(tmp_path):
    performing = "Error performing PayJob (Job ID: a1b2) from Async(default) in 3.1ms: "
    first = f"{LOGGER}[ActiveJob] [PayJob] [a1b2] {performing}"
    record = f"{first}Stripe::CardDeclined (no):\n" + "\n".join(CALLS)
    assert records_of(tmp_path, f"{record}\n{LOGGER.replace('ERROR', 'INFO')}done\n") == [record]
    assert told([record]) == [("Stripe::CardDeclined", "no", (), OUTER)]


QUOTING = {
    "a duration": "Net::ReadTimeout (no answer in 5000ms: gave up):",
    "a place": "KeyError (in /app/x.rb:3:in 'load': no):",
    "a syntax error": "SyntaxError (/app/models/order.rb:3: syntax error, unexpected 'end'):",
}


@pytest.mark.parametrize("head", QUOTING.values(), ids=QUOTING)
def test_a_message_may_quote_what_others_write(tmp_path, head):
    record = "\n".join([head, "  ", *CALLS])
    assert records_of(tmp_path, f"{record}\ndone\n") == [record]
    kind, _, message = head.removesuffix("):").partition(" (")
    assert told([record]) == [(kind, message, (), OUTER)]


def test_source_that_names_a_class_is_no_error(tmp_path):
    source = ["    1: %table", "    2: = rows(Order)", "    3: #<KeyError: no>"]
    record = "\n".join(["ActionView::Template::Error (no):", *source, "  ", *CALLS])
    assert records_of(tmp_path, f"{record}\ndone\n") == [record]
    assert told([record]) == [("ActionView::Template::Error", "no", (), OUTER)]


@pytest.mark.parametrize("said", [" no", "no\n\n    order.price\n         ^^^^^^"])
def test_a_message_is_kept_with_its_blanks(tmp_path, said):
    (first, second) = told(records_of(tmp_path, logged(rails_8("KeyError", message=said), LOGGER, "")))
    assert (first[:2], second[:2]) == (("KeyError", said),) * 2


@pytest.mark.parametrize("tags", ["", "[a1b2c3d4] ", "[abcdef] "])
@pytest.mark.parametrize("message", ["none left", "x" * 3000], ids=["short", "long"])
def test_a_class_may_be_called_anything(tmp_path, tags, message):
    lines = rails_7("Stockout", (), message=message)
    text, record = logged(lines, tags, tags), tags + f"\n{tags}".join(lines[1:])
    assert records_of(tmp_path, text) == streamed(text) == [record] * 2
    assert told([record]) == [("Stockout", message, (), OUTER)]
