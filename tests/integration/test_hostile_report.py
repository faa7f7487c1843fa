"""Every hostile text, as every field of a report: in pull request, commit, mail and JSON nothing of it acts.

Nor is any of it lost. The mail goes through a real SMTP server. Pages and mails are read by a parser, as
their readers do.
"""

import asyncio
import email
import email.policy
import json
import re
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import getaddresses
from html.parser import HTMLParser

import pytest
from aiosmtpd.smtp import SMTP

from ai_ops.core import conventional, markdown
from ai_ops.core import report as words
from ai_ops.core.identity import fix_branch
from ai_ops.core.report import Report
from ai_ops.flow.event import ErrorDetail, Frame
from ai_ops.flow.pull_request import PullRequest, PullRequestState, Reviewer
from ai_ops.flow.suspects import SuspectCommit, SuspectRelease, Suspects
from ai_ops.flow.task import Proof, Reason, Verdict
from ai_ops.integrations.mail.render import MailRenderer
from ai_ops.integrations.mail.smtp import SmtpNotifier, SmtpOptions
from ai_ops.server import views
from ai_ops.store.rows import pull_request_from, pull_request_row
from ai_ops.vcs.names import check_branch
from tests.support.hostile_texts import HOSTILE_TEXTS, named
from tests.support.markdown_reader import Page, obeyed

EACH = pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=map(named, HOSTILE_TEXTS))
NOW = datetime(2026, 10, 2, 12, tzinfo=UTC)
PR_URL = "https://git.example/acme/shop/pull/7"


def hostile(text):
    """Return a report in which a text stands wherever the outside may write."""
    commit = SuspectCommit("a" * 40, text, NOW, text, (text, f"{text}:7"))
    error = ErrorDetail(text, text, text, text, (Frame(text, 3, text), Frame(f"src/{text}.py", 7, text)))
    reasons = (Reason("reproduced", text, text), Reason("passes_after", text, text), Reason(text, text, text))
    return Report(
        title=words.title(error, text),
        error=error,
        proof=Proof(Verdict.UNPROVED, reasons),
        cause=text, summary=text, commands=(text, f"pytest {text}"), reproduction=(text,), service=text,
        environment=text, release=text, trace_id="run-1", where=f"{text}:7", pr_url=PR_URL, diff=f"+{text}",
        suspects=Suspects((commit,), SuspectRelease(text, text, 2, (commit,))), tried=(text,), risks=(text,),
        precedents=(text,), banners=(text,), issue_id=text, next_step=text, diagnosis=text, progress=(text,),
        reviewers=(Reviewer(text, text, text, text), Reviewer(text, "ada", "", text, asked=True)),
        because=f"you could review it: {text}",
    )  # fmt: skip


def readable(text, limit=60):
    """Return the beginning of what is to be seen of a text."""
    return " ".join(markdown.visible(text).split())[:limit].strip()


@EACH
@pytest.mark.parametrize("with_template", [False, True], ids=["plain", "template"])
def test_a_pull_request_shows_it_and_does_nothing(text, with_template):
    body = words.body(
        hostile(text), "ai-ops:abc:1", f"# {text}\n{text}\n<!-- {text} -->\n" if with_template else ""
    )
    page = Page(body.replace("<!-- ai-ops:abc:1 -->", ""))
    assert page.active() == []
    assert readable(text) in page.text
    assert "Cost: 0.0000 USD. Trace: run-1" in page.text, "the last line is still seen"
    assert body.endswith("<!-- ai-ops:abc:1 -->\n") and body.count("<!-- ai-ops:abc:1 -->") == 1
    assert len(body) <= 65_536


@EACH
def test_titles_commits_and_branches_hold_nothing_that_is_obeyed(text):
    report = hostile(text)
    history = [f"fix({text}): {text}", "fix: a", "feat(x): b", f"docs: {text}", text]
    for first_line in (report.title, conventional.title(report.title, f"{text}/{text}.py", history)):
        message = words.commit_message(
            report.error, (text, f"tests/{text}"), "run-1", text,
            first_line=first_line, trailers=("Co-authored-by: Claude <noreply@anthropic.com>",),
        )  # fmt: skip
        subject, proof, trailers = message.rstrip("\n").split("\n\n")
        assert obeyed(subject) == obeyed(proof) == []
        assert subject.isprintable() and proof.isprintable()
        assert trailers == "AI-Ops-Run: run-1\nCo-authored-by: Claude <noreply@anthropic.com>"
        assert not set(subject.removeprefix("fix").partition(": ")[2] or subject) & set("#@[]<>!\\`*~")
    assert check_branch(fix_branch("0123456789abcdef", 1)) == "ai-ops/fix-0123456789ab-1"


class Inbox:
    """What a real SMTP server received."""

    def __init__(self):
        self.received = []

    async def handle_DATA(self, server, session, envelope):
        self.received.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 OK"


class Html(HTMLParser):
    """The tags, attributes and words of a mail."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.links, self.said = [], [], []
        self.attributes = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name in ("href", "src", "action")]

    def handle_data(self, data):
        self.said.append(data)


OUR_TAGS = {
    "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "a", "ul", "li", "table",
    "tbody", "tr", "td", "code", "pre", "footer", "br", "strong",
}  # fmt: skip
HEADERS = {
    "from", "to", "subject", "message-id", "date", "auto-submitted", "mime-version", "content-type",
    "in-reply-to", "references", "list-id", "x-ai-ops-kind", "x-ai-ops-reason",
}  # fmt: skip
HARMLESS = "an ordinary text"


async def delivered(text, box, port):
    mail = MailRenderer().render("pull_request:1", hostile(text), ("on-call@example.com",), NOW)
    options = SmtpOptions("127.0.0.1", port, "ai-ops@example.com", tls="none")
    await SmtpNotifier(options).deliver(mail)
    sender, to, content = box.received[-1]
    return sender, to, email.message_from_bytes(content, policy=email.policy.default)


async def test_every_mail_is_sent_and_no_header_address_tag_or_link_is_another(monkeypatch):
    box = Inbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(box, hostname="127.0.0.1"), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        *_, ordinary = await delivered(HARMLESS, box, port)
        tags = Html(ordinary.get_body(("html",)).get_content()).tags
        for text in HOSTILE_TEXTS:
            sender, to, message = await delivered(text, box, port)
            check_mail(text, sender, to, message, ordinary, tags)
    assert len(box.received) == len(HOSTILE_TEXTS) + 1, "100 % of the mail was sent"


def check_mail(text, sender, to, message, ordinary, tags):
    assert (sender, to) == ("ai-ops@example.com", ["on-call@example.com"])
    assert [name.lower() for name in message] == [name.lower() for name in ordinary]
    assert {name.lower() for name in message} <= HEADERS
    # Two carry words, one line each; the boundary of the parts follows from them.
    for name in set(ordinary) - {"Subject", "X-AI-Ops-Reason", "Content-Type"}:
        assert message[name] == ordinary[name], (text, name)
    assert message.get_all("Subject") and str(message["Subject"]).startswith("[AI-Ops] ")
    assert str(message["Subject"]).isprintable() and not message.defects
    assert str(message["X-AI-Ops-Reason"]).isprintable()
    assert [address for _, address in getaddresses([str(message["To"])])] == ["on-call@example.com"]
    parts = [part.get_content_type() for part in message.walk()]
    assert parts == ["multipart/alternative", "text/plain", "text/html"]
    page = Html(message.get_body(("html",)).get_content())
    assert set(page.tags) <= OUR_TAGS
    assert page.attributes <= {"lang", "charset", "style", "class", "href"}
    assert page.links == [PR_URL]
    assert page.tags.count("h1") == 1 and sorted(set(page.tags)) == sorted(set(tags) - absent(text))
    seen = shown(text)
    assert seen in " ".join("".join(page.said).split())
    assert seen in " ".join(message.get_body(("plain",)).get_content().split())


def absent(text):
    """Return the tags that an empty text leaves out of a mail."""
    return {"table", "tbody", "tr", "td"} if not text else set()


def shown(text):
    """Return the beginning of a text as a mail carries it: all but what no mail can."""
    carried = text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")
    line = re.split("\r|\n|\x85|\u2028|\u2029|\x0b|\x0c|\x1c|\x1d|\x1e", carried.strip())[0]
    return " ".join(line.split())[:60].strip()


@EACH
def test_json_of_the_record_holds_it_as_one_text(text):
    report = hostile(text)
    pull = PullRequest(
        "id", text, text, "github", 7, PR_URL, PullRequestState.OPEN, text, text, text, text, report.title,
        text, text, text, text, None, text, 1, NOW, NOW, cause=text, summary=text, reviewers=report.reviewers,
    )  # fmt: skip
    kept = pull_request_from(pull_request_row(pull))
    sent = json.dumps(views.pull_request(kept, "https://ai-ops.example"))
    told = json.loads(sent.encode("utf-8"))
    assert told.keys() == views.pull_request(replace(pull, cause=""), "").keys()
    assert "email" not in told["reviewers"][0]
    visible = "".join(c for c in readable(text) if unicodedata.category(c)[0] != "C")
    assert visible in " ".join(markdown.visible(told["cause"]).replace("\ufffd", "").split())
