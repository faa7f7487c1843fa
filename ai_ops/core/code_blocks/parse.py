"""Read an answer's blocks. A tag counts only alone on its line, at column 0, with the request's id.

The id is random, so text quoted from a log can neither open nor close a block. A tag that carries
the id in any other place is a fault of the answer and is reported, never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ai_ops.core.code_blocks.problems import Problem, Refused
from ai_ops.flow.edits import CodeBlock, EditOp, Replacement

_OPEN = re.compile(r'<code_block((?: +[a-z_]+="[^"]*")*) *>')
_ATTRIBUTE = re.compile(r' +([a-z_]+)="([^"]*)"')
_END = re.compile(r'<end_of_answer blocks="([0-9]{1,6})" ?/>')
_TAG_START = re.compile(r"</?(?:code_block|search|replace)\b")
_SEED_OPEN = re.compile(r'<code_block filename="([^"]*)">')
_SEED_CLOSE = "</code_block>"
_KNOWN = frozenset({"path", "op", "to", "eof", "id"})


@dataclass
class _Open:
    """The block being read."""

    attributes: dict[str, str]
    number: int
    text: list[str] = field(default_factory=list)
    pairs: list[Replacement] = field(default_factory=list)
    search: str | None = None

    @property
    def place(self) -> str:
        return self.attributes.get("path") or f"block {self.number}"


class _Reader:
    """The state of reading one answer; ``blocks`` and ``problems`` are what comes of it."""

    def __init__(self, nonce: str) -> None:
        self.blocks: list[CodeBlock] = []
        self.problems: list[Problem] = []
        self._id = f'id="{nonce}"'
        self._tags = {
            f"<search {self._id}>": self._open_search,
            f"</search {self._id}>": self._close_search,
            f"<replace {self._id}>": self._open_replace,
            f"</replace {self._id}>": self._close_replace,
            f"</code_block {self._id}>": self._close_block,
        }
        self._block: _Open | None = None
        self._part = ""  # "search" or "replace" while inside one
        self._part_lines: list[str] = []
        self._opened = 0
        self._declared: int | None = None

    def read(self, answer: Sequence[str]) -> None:
        for raw in answer:
            self._line(raw)
        if self._block is not None:
            self._problem("unclosed", self._block.place, "the answer ends inside this block")
        elif self._declared is None:
            self._problem("truncated", "", 'the line <end_of_answer blocks="N"/> is missing')
        elif self._declared != self._opened:
            text = f"the answer says {self._declared} blocks and has {self._opened}"
            self._problem("wrong_count", "", text)
        elif not self._opened:
            self._problem("no_blocks", "", "the answer changes nothing")

    def _problem(self, rule: str, place: str, text: str) -> None:
        self.problems.append(Problem(rule, place, text))

    def _line(self, raw: str) -> None:
        line = raw.rstrip()  # invisible space after a tag is forgiven
        if tag := self._tags.get(line):
            tag()
        elif self._id in line and (opening := _OPEN.fullmatch(line)):
            self._open_block(dict(_ATTRIBUTE.findall(opening.group(1))), opening.group(1))
        elif self._id in line and _TAG_START.search(line):
            self._problem("stray_tag", self._place, "a tag must stand alone on its line, at column 0")
        elif self._part:
            self._part_lines.append(raw)
        elif self._block is not None:
            self._block.text.append(raw)
        elif self._declared is None and (end := _END.fullmatch(line)):
            self._declared = int(end.group(1))

    @property
    def _place(self) -> str:
        return self._block.place if self._block else ""

    def _open_block(self, attributes: dict[str, str], raw: str) -> None:
        if attributes.get("id") != self._id[4:-1]:  # the id stands in another attribute
            self._problem("stray_tag", self._place, "an opening tag without its id")
            return
        self._opened += 1
        if self._block is not None:
            self._problem("nested", self._block.place, "a block opens before this one is closed")
        self._declared = None  # an end before this block was quoted text
        if len(_ATTRIBUTE.findall(raw)) != len(attributes) or not attributes.keys() <= _KNOWN:
            self._problem("bad_attribute", attributes.get("path", ""), "an unknown or repeated attribute")
        self._block, self._part = _Open(attributes, self._opened), ""

    def _stray(self, name: str) -> None:
        self._problem("stray_tag", self._place, f"{name} does not belong here")

    def _open_search(self) -> None:
        if self._block is None or self._part or self._block.search is not None:
            self._stray("<search>")
            return
        self._part, self._part_lines = "search", []

    def _close_search(self) -> None:
        if self._block is None or self._part != "search":
            self._stray("</search>")
            return
        self._block.search, self._part = "\n".join(self._part_lines), ""

    def _open_replace(self) -> None:
        if self._block is None or self._part or self._block.search is None:
            self._stray("<replace>")
            return
        self._part, self._part_lines = "replace", []

    def _close_replace(self) -> None:
        if self._block is None or self._part != "replace" or self._block.search is None:
            self._stray("</replace>")
            return
        self._block.pairs.append(Replacement(self._block.search, "\n".join(self._part_lines)))
        self._block.search, self._part = None, ""

    def _close_block(self) -> None:
        block = self._block
        if block is None:
            self._stray("</code_block>")
            return
        if self._part or block.search is not None:
            self._problem("unclosed", block.place, "a search or replace is not complete")
        built = _build(block)
        if isinstance(built, Problem):
            self.problems.append(built)
        else:
            self.blocks.append(built)
        self._block, self._part = None, ""


def _build(block: _Open) -> CodeBlock | Problem:
    """Return the finished block, or what its attributes and its parts do not agree on."""
    path, op, to = (block.attributes.get(name, "") for name in ("path", "op", "to"))
    eof = block.attributes.get("eof")
    between = [line for line in block.text if line.strip() and not line.startswith("```")]
    if not path:
        return Problem("missing_path", block.place, "the block names no path")
    if op not in EditOp._value2member_map_:
        return Problem("bad_op", path, "op must be edit, write, delete or rename")
    if bool(to) != (op == EditOp.RENAME):
        return Problem("bad_attribute", path, "rename needs a to, nothing else may have one")
    if eof not in (None, "none"):
        return Problem("bad_attribute", path, 'the only value of eof is "none"')
    if op == EditOp.EDIT and not block.pairs:
        return Problem("missing_search", path, "an edit needs at least one search with its replace")
    if op in (EditOp.WRITE, EditOp.DELETE) and block.pairs:
        return Problem("unexpected_search", path, f"{op} takes no search")
    if op != EditOp.WRITE and between:
        return Problem("unexpected_text", path, f"text outside search and replace: {between[0][:80]}")
    content = "\n".join(block.text) if op == EditOp.WRITE else ""
    return CodeBlock(path, EditOp(op), content, tuple(block.pairs), to, final_newline=eof is None)


def _parse_seed(answer: Sequence[str]) -> tuple[CodeBlock, ...] | Refused:
    """Read ``<code_block filename="…">whole file</code_block>``; each block is a write."""
    blocks: list[CodeBlock] = []
    problems: list[Problem] = []
    name: str | None = None
    lines: list[str] = []
    declared: int | None = None
    for raw in answer:
        line = raw.rstrip()
        opening = _SEED_OPEN.match(line)
        if opening and name is not None:
            problems.append(Problem("nested", name, "a block opens before this one is closed"))
        elif opening:
            name, lines = opening.group(1), []
            raw = raw[opening.end() :]
            if not raw.strip():
                continue
        if name is None:
            if raw.strip() == _SEED_CLOSE:
                problems.append(Problem("stray_tag", "", "a block is closed that was not opened"))
            elif end := _END.fullmatch(line):
                declared = int(end.group(1))
        elif line == _SEED_CLOSE or (opening and line.endswith(_SEED_CLOSE)):
            lines += [raw.rstrip().removesuffix(_SEED_CLOSE)] if opening else []
            blocks.append(CodeBlock(name, EditOp.WRITE, "\n".join(lines)))
            name = None
        else:
            lines.append(raw)
    if name is not None:
        problems.append(Problem("unclosed", name, "the answer ends inside this block"))
    elif declared is not None and declared != len(blocks):
        problems.append(
            Problem("wrong_count", "", f"the answer says {declared} blocks and has {len(blocks)}")
        )
    return Refused(tuple(problems)) if problems else tuple(blocks)


def parse(answer: str, nonce: str) -> tuple[CodeBlock, ...] | Refused:
    """Return the blocks of an answer, paths still as written, or all its faults.

    Args:
        answer: the whole text of the answer.
        nonce: the request's id, the ``block=`` value of its first line.

    Problems: ``no_blocks``, ``unclosed``, ``truncated``, ``wrong_count``, ``nested``, ``stray_tag``,
    ``bad_attribute``, ``bad_op``, ``missing_path``, ``missing_search``,
    ``unexpected_search``, ``unexpected_text``. None is final.
    """
    wanted = f'id="{nonce}"'
    lines = answer.split("\n")
    by_nonce = any(wanted in line and _TAG_START.search(line) for line in lines)
    if not by_nonce and any(_SEED_OPEN.match(line) for line in lines):
        return _parse_seed(lines)
    reader = _Reader(nonce)
    reader.read(lines)
    return Refused(tuple(reader.problems)) if reader.problems else tuple(reader.blocks)
