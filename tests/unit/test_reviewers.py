"""Who may be asked for a review, whose address may be written to, and how often anybody is named."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from ai_ops.core import addresses, codeowners, reviewers
from ai_ops.core.codeowners import Dialect
from ai_ops.flow.pull_request import Reviewer
from ai_ops.flow.suspects import SuspectCommit
from tests.support.hostile_texts import HOSTILE_TEXTS, named

ADA = Reviewer("wrote it", "ada", "ada@example.org", "Ada")
COMMIT = SuspectCommit("a" * 40, "Ada", datetime(2026, 10, 2, tzinfo=UTC), "Work", ("src/cart.py:7",))


def test_reasons_say_what_is_known():
    owners = codeowners.parse(b"* @ada\n*.md docs@example.org\n", Dialect.GITHUB)
    owned = reviewers.by_ownership(["src/cart.py", "a.py", "b.py", "c.py", "README.md"], owners)
    assert [(each.login, each.email, each.reason) for each in owned] == [
        ("ada", "", "owns src/cart.py, a.py, b.py and 1 more (CODEOWNERS)"),
        ("", "docs@example.org", "owns README.md (CODEOWNERS)"),
    ]
    inner, outer = reviewers.by_line([COMMIT, replace(COMMIT, places=("src/app.py:1", "src/app.py:9"))])
    assert inner == (COMMIT, "wrote the crashing line, 2026-10-02")
    assert outer[1] == "wrote src/app.py:1, src/app.py:9, of the trace, 2026-10-02"
    assert reviewers.by_change("a.py", COMMIT) == "changed a.py last, 2026-10-02"


@pytest.mark.parametrize(
    ("candidates", "chosen"),
    [
        ([ADA, replace(ADA, reason="owns it")], [replace(ADA, reason="wrote it; owns it")]),
        ([Reviewer("owns it", "Ada"), ADA], [replace(ADA, login="Ada", reason="owns it; wrote it")]),
        (
            [Reviewer("a", email="ADA@example.org"), ADA],
            [replace(ADA, email="ADA@example.org", reason="a; wrote it")],
        ),
        ([Reviewer("a", name="Ada"), ADA], [replace(ADA, reason="a; wrote it")]),
        ([Reviewer("a", "ada2", name="Ada"), ADA], [Reviewer("a", "ada2", name="Ada"), ADA]),
        ([Reviewer("a", f"p{n}") for n in range(9)], [Reviewer("a", f"p{n}") for n in range(3)]),
        ([Reviewer("a")], []),
        ([Reviewer("a", "Fixer-Account"), Reviewer("a", email="Fixer@corp.example")], []),
        ([Reviewer("a", login) for login in ("dependabot[bot]", "renovate", "x[bot]", "ci-bot")], []),
        (
            [
                Reviewer(
                    "a",
                    name="github-actions[bot]",
                    email="41898282+github-actions[bot]@users.noreply.github.com",
                )
            ],
            [],
        ),
        (
            [Reviewer("a", "Talbot"), Reviewer("a", "@acme/web")],
            [Reviewer("a", "Talbot"), Reviewer("a", "@acme/web")],
        ),
    ],
)
def test_each_person_is_chosen_once_and_nobody_of_ours(candidates, chosen):
    never = ("fixer-account", "fixer@corp.example", "")
    assert list(reviewers.chosen(candidates, never)) == chosen


@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=map(named, HOSTILE_TEXTS))
def test_a_hostile_login_or_address_is_none_and_never_part_of_a_list(text):
    for each in reviewers.chosen([Reviewer(text, text, text, text), *reviewers.by_word([text])], ()):
        for name in (each.login, each.email):
            assert not set(name) & set(' \r\n\t\0,;:<>()[]"\\') and name.isascii() and name.isprintable()
        assert "\n" not in each.login


USABLE = {
    "ada@example.org": True,
    "a.b+c@sub.example.co": True,
    "1+ada@users.noreply.github.com": False,
    "noreply@github.com": False,
    "no-reply@x.example": False,
    "x[bot]@y.example": False,
    "ai-ops@users.noreply.invalid": False,
    "root@build-7.local": False,
    "ada@localhost": False,
    "ada": False,
    "a@b@c.de": False,
    "a..b@c.de": False,
    ".a@c.de": False,
    "a b@c.de": False,
    "a@c.de\r\nBcc: x@y.zz": False,
    "a@-c.de": False,
    "é@c.de": False,
    f"{'a' * 65}@c.de": False,
    f"a@{'b.' * 130}de": False,
    "": False,
}


@pytest.mark.parametrize(("text", "usable"), USABLE.items(), ids=map(named, USABLE))
def test_only_a_plain_address_of_a_person_is_written_to(text, usable):
    assert addresses.usable(text) == (text if usable else "")


@pytest.mark.parametrize(
    ("address", "domains", "within"),
    [
        ("a@corp.example", ["corp.example"], True),
        ("a@CORP.example", ["Corp.Example"], True),
        ("a@eu.corp.example", ["corp.example"], True),
        ("a@notcorp.example", ["corp.example"], False),
        ("a@corp.example.evil", ["corp.example"], False),
        ("", ["corp.example"], False),
        ("a@corp.example", [], False),
    ],
)
def test_a_domain_holds_what_lies_in_it_or_below(address, domains, within):
    assert addresses.within(address, domains) is within


def test_a_hidden_address_still_names_its_account():
    person = reviewers.author_of(COMMIT, "x", login="", email="12+octo-cat@users.noreply.github.com")
    assert (person.login, person.email) == ("octo-cat", "")
