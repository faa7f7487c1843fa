"""A repository's form keeps its headings, comments and empty boxes, and has the report below them."""

import re

import pytest

from ai_ops.core import pr_template
from ai_ops.core.template_text import Kind, harmless
from tests.support.hostile_texts import HOSTILE_TEXTS, named
from tests.support.markdown_reader import Page

TEMPLATE = """\
<!-- Thank you!
Please fill this in, @contributor. -->

## Description

<!-- What does it change? -->

## How was it tested?

- [ ] unit tests
- [x] by hand

## Checklist

1. [ ] I have read `CONTRIBUTING.md` and **signed** the [CLA](https://cla.example)

| a | b |
|---|:-:|
| 1 | 2 |

```sh
make test  # @nobody
```
"""
SECTIONS = [("Cause", "It divides."), ("Tests before and after", "- one"), ("Evidence", "log")]
NAME, GITLAB = "PULL_REQUEST_TEMPLATE.md", ".gitlab/merge_request_templates"


def filled(template=TEMPLATE, sections=SECTIONS):
    return "\n\n".join(pr_template.fill(template, ["**Proved**"], sections))


def test_the_report_stands_below_the_headings_that_ask_for_it():
    headings = re.findall(r"^#+ .+$", filled(), re.MULTILINE)
    assert headings == [
        "## Description", "### Cause", "## How was it tested?", "### Tests before and after", "## Checklist",
        "## Evidence",
    ]  # fmt: skip
    assert re.search(r"change\? -->\n\n\*\*Proved\*\*\n\n### Cause", filled())


def test_comments_code_and_tables_stay_and_no_box_is_ticked():
    page = Page(filled())
    assert page.active() == []
    assert len(page.comments) == 2 and "Please fill this in" in page.comments[0]
    assert {"table", "ol", "li", "strong", "pre"} <= page.tags
    assert filled().count("[ ]") == 3 and "[x]" not in filled()
    for words in ("unit tests", "by hand", "signed the [CLA](https://cla.example)", "make test # @nobody"):
        assert words in page.text


@pytest.mark.parametrize(
    ("template", "headings"),
    [
        ("", ["### Cause", "### Evidence"]),
        ("Just words, no headings.", ["### Cause", "### Evidence"]),
        ("# Notes\n# Risk", ["# Notes", "## Cause", "# Risk", "# Evidence"]),
        ("###### Why\nx", ["###### Why", "###### Cause", "###### Evidence"]),
        ("```\n## Not a heading\n", ["## Not a heading"]),
        ("<!--\n## Nor this\n", ["## Nor this"]),
        ("~~~ ~~~ x\ncode\n", ["### Evidence"]),
        ("```x y\ncode\n````", ["### Evidence"]),
    ],
    ids=[
        "empty",
        "no heading",
        "another first",
        "deep",
        "open fence",
        "open comment",
        "odd fence",
        "long fence",
    ],
)
def test_every_form_takes_the_report(template, headings):
    source = filled(template, [("Cause", "x"), ("Evidence", "log")])
    found = re.findall(r"^#+ .+$", source, re.MULTILINE)
    assert [each for each in headings if each not in found] == []
    assert "log" in Page(source).speech and "Proved" in Page(source).speech


@pytest.mark.parametrize("text", HOSTILE_TEXTS, ids=map(named, HOSTILE_TEXTS))
@pytest.mark.parametrize(
    "frame",
    [
        "{}",
        "# {}",
        "- {}",
        "> {}",
        "<!-- {} -->",
        "x <!-- {} --> y",
        "```\n{}\n```",
        "| {} |\n|---|\n| x |",
        "**{}**",
    ],
)
def test_nothing_of_a_form_acts_and_the_report_is_still_seen(text, frame):
    source = filled(frame.replace("{}", text) + "\n")
    page = Page(source)
    assert page.active() == []
    assert "Proved" in page.speech and "Evidence log" in page.speech
    whole = page.text + " ".join(page.comments) + " ".join(re.findall(r"^[`~]{3,}\S*$", source, re.MULTILINE))
    shown = re.sub(r"&gt;", ">", re.sub(r"&lt;", "<", whole)).replace("\u200b", "")
    for word in re.findall(r"[^\W_]{3,}", text)[:50]:
        assert word in shown


@pytest.mark.parametrize(
    ("files", "host", "found"),
    [
        ((f".github/{NAME}", NAME.lower()), "github", f".github/{NAME}"),
        (("docs/pull_request_template.txt",), "github", "docs/pull_request_template.txt"),
        ((f"{GITLAB}/Default.md",), "github", ""),
        ((f"{GITLAB}/Default.md",), "gitlab", f"{GITLAB}/Default.md"),
        ((f"{GITLAB}/Bug.md",), "gitlab", ""),
        ((f"{GITLAB}/default.md",), "local", f"{GITLAB}/default.md"),
        ((".github/PULL_REQUEST_TEMPLATE/bug.md",), "github", ""),
    ],
)  # fmt: skip
def test_the_template_is_where_the_host_looks_for_it(files, host, found):
    assert pr_template.place_of(files, host) == found


def test_a_comment_ends_where_it_ends_for_every_reader():
    (piece,) = harmless("<!--> <img src=x> --!> <b>x</b>\nCloses #1\n/merge\n-->")
    assert piece.kind is Kind.COMMENT
    assert piece.text.count("<") == piece.text.count(">") == 1
    assert Page(piece.text).active() == []
