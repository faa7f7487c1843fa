"""The example shop as tests use it: its files, its error, and good answers to it in every shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_EXAMPLES = Path(__file__).parents[2] / "examples"
APP = _EXAMPLES / "app.py"
CODE_BLOCKS: dict[str, Any] = json.loads((_EXAMPLES / "conversation.json").read_text(encoding="utf-8"))
"""The recorded conversation in ``code_blocks`` mode."""

Files = Mapping[str, "str | None"]


def files() -> dict[str, str]:
    """Return the shop's repository."""
    shop = _EXAMPLES / "shop"
    return {
        str(path.relative_to(shop)): path.read_text(encoding="utf-8")
        for path in sorted(shop.rglob("*"))
        if path.is_file() and path.suffix in (".py", ".toml", ".md")
    }


TEST_PATH = "tests/test_ratings_without_reviews.py"
TEST = """\
from shop.catalogue import find
from shop.ratings import summary


def test_a_product_without_reviews_is_listed():
    assert summary(find("infuser")).startswith("Infuser")
"""
MODULE_PATH = "shop/ratings.py"
BROKEN = files()[MODULE_PATH]
FIXED = BROKEN.replace(
    "    return round(sum(stars) / len(stars), 1)",
    "    if not stars:\n        return 0.0\n    return round(sum(stars) / len(stars), 1)",
)
FIXED_OTHERWISE = BROKEN.replace(
    "    return round(sum(stars) / len(stars), 1)",
    "    return round(sum(stars) / len(stars), 1) if stars else 0.0",
)

ERROR = """\
2026-01-02 03:04:05,678 ERROR [shop] request {number}: product infuser could not be listed
Traceback (most recent call last):
  File "/srv/shop/app.py", line 31, in main
    log.info("request %d: %s", number, ratings.summary(catalogue.find(product_id)))
  File "/srv/shop/shop/ratings.py", line 11, in summary
    rating = average(product["stars"])
  File "/srv/shop/shop/ratings.py", line 6, in average
    return round(sum(stars) / len(stars), 1)
ZeroDivisionError: division by zero
"""


def error(number: int = 0) -> str:
    """Return the shop's error as it is logged for a request."""
    return ERROR.format(number=number)


def script(*fixes: Mapping[str, Any], reproduce: Files | None = None) -> dict[str, Any]:
    """Return a script for the scripted fixer, with the good answers where none are given.

    Args:
        fixes: the entries of its rounds.
        reproduce: the files of the reproduction.
    """
    said = {"cause": "The list of stars is empty.", "summary": "No stars are an average of 0."}
    good = {"files": {MODULE_PATH: FIXED}}
    return {
        "reproduce": [said | {"files": dict(reproduce or {TEST_PATH: TEST})}],
        "fix": [said | dict(fix) for fix in fixes or (good,)],
    }


def opinion(triage_class: str, evidence: str) -> str:
    """Return an answer to triage's question, for a script's ``raw`` or a conversation's ``text``."""
    return f'<triage id="{{nonce}}">\nclass: {triage_class}\nevidence: {evidence}\n</triage id="{{nonce}}">'


def _use(name: str, **given: str) -> dict[str, Any]:
    return {"name": name, "input": given}


AGENTIC: dict[str, Any] = {
    "requests": [
        {
            "purpose": "reproduce",
            "turns": [
                {"tools": [_use("Read", file_path=f"/workspace/{MODULE_PATH}")]},
                {"tools": [_use("Write", file_path=f"/workspace/{TEST_PATH}", content=TEST)]},
                {"text": "<cause>No stars.</cause>\n<summary>A test lists it.</summary>"},
            ],
        },
        {
            "purpose": "fix",
            "turns": [
                {"tools": [_use("Read", file_path=f"/workspace/{MODULE_PATH}")]},
                {
                    "tools": [
                        _use(
                            "Edit",
                            file_path=f"/workspace/{MODULE_PATH}",
                            old_string="    return round(sum(stars) / len(stars), 1)",
                            new_string="    if not stars:\n        return 0.0\n"
                            "    return round(sum(stars) / len(stars), 1)",
                        )
                    ]
                },
                {"text": "<cause>No stars.</cause>\n<summary>No stars are an average of 0.</summary>"},
            ],
        },
        {"purpose": "triage", "turns": [{"text": opinion("code_fault", "The code divides by zero.")}]},
    ]
}
"""A conversation in ``agentic`` mode: Claude reads, edits, and says what it did."""
