"""Who is asked to look at a fix and why, who gets mail, and how the fix is named, on a real repository."""

import contextlib
import re
from dataclasses import replace

import pytest

from ai_ops.core.commit_rules import CommitRules
from ai_ops.flow.task import TaskState
from ai_ops.server import views
from tests.support import shop
from tests.support.git_server import git, push_files
from tests.support.hostile_texts import HOSTILE_TEXTS
from tests.support.markdown_reader import Page, obeyed
from tests.support.people_host import PeopleHost
from tests.support.workshop import mail_text

pytestmark = pytest.mark.usefixtures("remembered_suites")

ADA = "ada@example.test"  # who makes every commit of the tests' repositories
CRASH = "wrote the crashing line, 2026-01-02"
OWNERS = "* @everything\n/shop/ratings.py @acme/payments @eve\n"


@contextlib.asynccontextmanager
async def people(workshop, files=None, accounts=None, strangers=(), **policy):
    """Open a workshop whose host knows people."""
    async with workshop(files=files, **policy) as floor:
        known = {ADA: "ada"} if accounts is None else accounts
        floor.host = PeopleHost(floor.tools.hosts["local"], known, strangers=strangers)
        floor.tools.hosts["local"] = floor.host
        yield floor


async def published(floor):
    task = await floor.repaired()
    assert task.state is TaskState.COMPLETED, task
    (pull,) = await floor.pulls()
    return pull


def receivers(floor):
    return sorted(str(mail["To"]) for mail in floor.mails())


async def test_owners_come_first_then_who_wrote_the_line_then_whom_the_repository_names(workshop):
    files = {".github/CODEOWNERS": OWNERS, ".ai-ops.yml": "reviewers: [bob]\n"}
    async with people(workshop, files, strangers=["eve"]) as floor:
        pull = await published(floor)
        owns = "owns shop/ratings.py (CODEOWNERS)"
        assert [(each.login, each.reason, each.asked) for each in pull.reviewers] == [
            ("@acme/payments", owns, True),
            ("eve", owns, False),
            ("ada", CRASH, True),
        ]
        assert floor.host.asked == ["@acme/payments", "ada"]
        shown = Page(pull.body).text
        assert f"@acme/payments: {owns} eve: {owns} ada (Ada): {CRASH}" in shown
        assert Page(pull.body).active() == []
        mail = mail_text(floor.mails()[0])
        assert f"- ada (Ada): {CRASH}, asked on the host" in mail
        assert f"- eve: {owns} -" in mail
        assert views.pull_request(pull, "")["reviewers"][2] == {
            "login": "ada", "name": "Ada", "reason": CRASH, "asked": True,
        }  # fmt: skip
        task = await floor.tools.tasks.find(pull.task_id)
        step = (await floor.steps(task))["ask_reviewers:1"]
        assert step.output["words"] == "asked @acme/payments, ada; the host refused eve"


async def test_without_owners_and_blame_the_named_and_the_last_committer_are_asked(workshop, monkeypatch):
    named = {".ai-ops.yml": "reviewers: ['@bob', carol@example.test]\n"}
    async with people(workshop, named, mail_reviewers=True) as floor:

        async def nothing(*_):
            return {}

        monkeypatch.setattr(floor.tools.history, "blame", nothing)
        pull = await published(floor)
        assert [(each.login or each.email, each.reason) for each in pull.reviewers] == [
            ("bob", "named in .ai-ops.yml"),
            ("carol@example.test", "named in .ai-ops.yml"),
            ("ada", "changed shop/ratings.py last, 2026-01-02"),
        ]


@pytest.mark.parametrize(
    "accounts", [{ADA: "ai-ops"}, {ADA: "dependabot[bot]"}], ids=["ourselves", "another bot"]
)
async def test_neither_we_nor_a_bot_is_asked(workshop, accounts):
    async with people(workshop, {"CODEOWNERS": "* @ai-ops\n"}, accounts, mail_reviewers=True) as floor:
        pull = await published(floor)
        assert (pull.reviewers, floor.host.asked) == ((), [])
        assert receivers(floor) == ["on-call@example.test"]


async def test_an_answer_that_was_lost_asks_nobody_twice_and_loses_nobody(workshop):
    async with people(workshop) as floor:
        floor.host.lost = 2
        pull = await published(floor)
        assert floor.host.asked == ["ada"]
        assert [each.asked for each in pull.reviewers] == [True]
        assert len(floor.mails()) == 1


async def test_what_cannot_be_found_out_about_people_stops_nothing(workshop, monkeypatch):
    from ai_ops.errors import PermanentError

    async with people(workshop, {"CODEOWNERS": "* @bob\n"}) as floor:

        async def refused(*_):
            raise PermanentError("host_forbidden", "not for this token")

        for name in ("own_login", "login_of", "request_reviewers"):
            monkeypatch.setattr(floor.host, name, refused)
        pull = await published(floor)
        assert [(each.login, each.asked) for each in pull.reviewers] == [("bob", False), ("", False)]


MAILED = {
    "an insider gets one": ({}, {ADA: "ada"}, [ADA, "on-call@ops.test"]),
    "an outsider gets none": ({}, {}, ["on-call@ops.test"]),
    "an account that may not write gets none": ({"writers": set()}, {ADA: "ada"}, ["on-call@ops.test"]),
    "a domain of the operator": (
        {"recipients": ("on-call@example.test",)},
        {},
        [ADA, "on-call@example.test"],
    ),
    "a domain that is allowed": ({"mail_domains": ("example.test",)}, {}, [ADA, "on-call@ops.test"]),
    "a domain that is not": ({"mail_domains": ("corp.test",)}, {ADA: "ada"}, ["on-call@ops.test"]),
    "turned off": ({"mail_reviewers": False}, {ADA: "ada"}, ["on-call@ops.test"]),
    "the receiver is the reviewer": (
        {"recipients": ("Ada@Example.test",)},
        {ADA: "ada"},
        ["Ada@Example.test"],
    ),
    "no receiver": ({"recipients": ()}, {ADA: "ada"}, [ADA]),
}


@pytest.mark.parametrize(("policy", "accounts", "expected"), MAILED.values(), ids=MAILED)
async def test_mail_goes_to_reviewers_that_may_have_it_one_each(workshop, policy, accounts, expected):
    writers = policy.pop("writers", None) if "writers" in policy else None
    allowed = {"recipients": ("on-call@ops.test",), "mail_reviewers": True, **policy}
    async with people(workshop, None, accounts, **allowed) as floor:
        if writers is not None:
            floor.host.writers = writers
        pull = await published(floor)
        assert receivers(floor) == expected
        for mail in floor.mails():
            told = "could review it: wrote the crashing line" in mail_text(mail)
            assert told is (mail["To"] == ADA)
        assert len({str(mail["Message-ID"]) for mail in floor.mails()}) == len(expected)
        assert all(pull.title in str(mail["Subject"]) for mail in floor.mails())


TEMPLATE = "<!-- @all -->\n## What\n\n## Tests\n- [x] I ran them\n\n/label ~prod\n"


async def test_the_repositorys_template_and_its_way_with_commits_are_respected(workshop):
    rules = CommitRules("Robo", "robo@corp.test", sign_off=True, co_author="Claude <noreply@anthropic.com>")
    files = {".github/pull_request_template.md": TEMPLATE}
    async with people(workshop, files, commits=rules) as floor:
        for number in range(4):
            push_files(floor.remote, {"notes.md": f"{number}\n"}, message=f"docs(shop): note {number}")
        pull = await published(floor)
        assert pull.title == "fix(shop): stop ZeroDivisionError in ratings.py (average)"
        message = git("log", "-1", "--format=%B", pull.branch, cwd=floor.remote)
        subject, *_, trailers = message.split("\n\n")
        assert subject == pull.title
        assert trailers.splitlines() == [
            f"AI-Ops-Run: {pull.run_id}",
            "Co-authored-by: Claude <noreply@anthropic.com>",
            "Signed-off-by: Robo <robo@corp.test>",
        ]
        page = Page(pull.body)
        assert page.active() == []
        assert pull.body.index("## What") < pull.body.index("### Cause") < pull.body.index("## Tests")
        assert pull.body.index("## Tests") < pull.body.index("### Tests before and after")
        assert "- [ ] I ran them" in pull.body and "/label ~prod" in page.text
        assert len(page.comments) == 2


async def test_a_history_of_plain_subjects_keeps_plain_titles(workshop):
    async with people(workshop) as floor:
        pull = await published(floor)
        assert pull.title == "Fix ZeroDivisionError in ratings.py (average)"
        assert "Signed-off-by" not in git("log", "-1", "--format=%B", pull.branch, cwd=floor.remote)


EVE = "Eve ![x](https://evil.example/x.png) @all Closes #1 /merge"
SUBJECT = "Closes #1 @all [skip ci] <img src=x>"


async def test_nothing_of_a_hostile_repository_or_log_acts_on_the_whole_way(workshop):
    printable = [text for text in HOSTILE_TEXTS if text.isprintable() and len(text) < 200]
    files = {
        ".github/pull_request_template.md": "\n".join(printable),
        ".github/CODEOWNERS": "\n".join(["* @owner", *(f"shop/ {text}" for text in printable)]) + "\n",
    }
    logged = shop.error().replace("division by zero", " ".join(printable)[:3000])
    async with people(workshop, files, {}, mail_reviewers=True) as floor:
        work = floor.folder / "work"
        git("clone", "-q", str(floor.remote), str(work), cwd=floor.folder)
        path = work / shop.MODULE_PATH
        path.write_text(path.read_text().replace("1)", "1)  # one"))
        git("commit", "-qa", "-m", SUBJECT, "--author", f"{EVE} <eve@evil.example>", cwd=work)
        git("push", "-q", "origin", "main", cwd=work)
        task = await floor.repaired(logged)
        (pull,) = await floor.pulls()
        assert task.state is TaskState.COMPLETED

        page = Page(pull.body.replace(f"<!-- ai-ops:{task.fingerprint}:1 -->", ""))
        assert page.active() == []
        told = ("Eve ![x](https://evil.example/x.png) @all", SUBJECT, "Cost:")
        assert [words for words in told if words not in page.text] == []
        message = git("log", "-1", "--format=%B", pull.branch, cwd=floor.remote)
        assert (
            obeyed(message.partition("\n\nAI-Ops-Run:")[0]) == obeyed(pull.branch) == obeyed(pull.title) == []
        )
        assert pull.title == "Fix ZeroDivisionError in ratings.py (average)"
        assert all(re.fullmatch(r"@?[\w./-]*", each.login) for each in pull.reviewers)
        assert receivers(floor) == [ADA, "on-call@example.test"], "Eve claims an address and gets nothing"


async def test_a_record_keeps_its_reviewers_as_they_are(workshop):
    async with people(workshop) as floor:
        pull = await published(floor)
        renamed = tuple(replace(each, name="\x00é" * 300) for each in pull.reviewers)
        kept = await floor.tools.pull_requests.update(pull.id, reviewers=renamed)
        assert [len(each.name) <= 256 for each in kept.reviewers] == [True]
        assert kept.reviewers[0].login == "ada" and kept.reviewers[0].asked is True
