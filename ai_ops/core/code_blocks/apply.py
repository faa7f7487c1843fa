"""Work out what an answer's blocks make of the files: everything, or nothing and why.

All paths are resolved and all edits placed against the files as they are before anything is decided,
so one bad block can not leave the others half applied.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from rapidfuzz import fuzz, process

from ai_ops.core.code_blocks import checks
from ai_ops.core.code_blocks.match import Ambiguous, Match, find, nearest
from ai_ops.core.code_blocks.problems import Problem, Refused
from ai_ops.core.code_blocks.resolve import Resolved, Tree, fold, parents, resolve
from ai_ops.core.code_blocks.text import Line, Text, body_lines, decode, splice
from ai_ops.flow.edits import CodeBlock, EditOp, FileChange

Reader = Callable[[str], bytes | None]
"""Returns a file's bytes, None when there is no such file; a mapping's ``get`` is one."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one answer may change: number of blocks, and bytes of each file before and after."""

    blocks: int = 20
    file_bytes: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """The new bytes of every changed file, and what was forgiven on the way, for people."""

    changes: tuple[FileChange, ...]
    notes: tuple[str, ...] = ()


class _Faulty(Exception):
    """One block cannot be applied."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__()
        self.problems = problems


def _fault(rule: str, place: str, text: str, *, final: bool = False) -> _Faulty:
    return _Faulty(Problem(rule, place, text, final))


@dataclass
class _Planner:
    read: Reader
    tree: Tree
    limits: Limits
    roots: Sequence[str]
    shown: frozenset[str] | None
    sent: Mapping[str, Sequence[str]]
    fuzzy: bool
    changes: list[FileChange] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _taken: dict[str, str] = field(default_factory=dict)

    def block(self, block: CodeBlock) -> None:
        path = self._locate(block.path)
        if block.op is EditOp.WRITE:
            self._write(path, block)
            return
        content = self._existing(path)
        if block.op is EditOp.DELETE:
            self.changes.append(FileChange(path, None))
        elif block.op is EditOp.RENAME:
            self._rename(path, content, block)
        else:
            self._put(path, content, self._edited(path, content, block))

    def _locate(self, raw: str) -> str:
        """Return the path a block means, and keep it from being meant twice."""
        found = resolve(raw, self.tree, self.roots)
        if isinstance(found, Problem):
            raise _Faulty(found)
        if found.note:
            self.notes.append(found.note)
        self._take(found)
        return found.path

    def _take(self, found: Resolved) -> None:
        key = fold(found.path)
        taken = self._taken.setdefault(key, "")
        self._taken[key] = found.path
        if taken == found.path:
            raise _fault("same_file_twice", found.path, "put all changes of one file into one block")
        if taken:
            raise _fault("case_clash", found.path, f"it differs from {taken} only by case", final=True)

    def _existing(self, path: str) -> bytes:
        content = self.read(path) if self.tree.is_file(path) else None
        if content is None:
            alike = process.extract(path, self.tree.paths, scorer=fuzz.ratio, limit=3, score_cutoff=60)
            hint = "; similar: " + ", ".join(each[0] for each in alike) if alike else ""
            raise _fault("no_such_file", path, "the repository has no such file" + hint)
        self._check_bytes(path, content)
        self._check_sent(path, content)
        return content

    def _check_sent(self, path: str, content: bytes) -> None:
        now = content.decode("utf-8", "replace")
        if any(text not in now for text in self.sent.get(path, ())):
            raise _fault("changed_since_sent", path, "the file is not any more what was shown of it")

    def _check_bytes(self, path: str, content: bytes) -> None:
        if b"\0" in content:
            raise _fault("binary_file", path, "binary files are not for editing", final=True)
        if len(content) > self.limits.file_bytes:
            text = f"{len(content)} bytes; at most {self.limits.file_bytes} are allowed"
            raise _fault("file_too_large", path, text, final=True)

    def _text(self, path: str, content: bytes) -> Text:
        try:
            return decode(content)
        except UnicodeDecodeError:
            raise _fault("not_utf8", path, "the file is not UTF-8", final=True) from None

    def _encode(self, path: str, text: Text) -> bytes:
        try:
            return text.encode()
        except UnicodeEncodeError:
            raise _fault("not_utf8", path, "the new text can not be encoded", final=True) from None

    def _put(self, path: str, old: bytes | None, new: bytes, mode: int | None = None) -> None:
        self._check_bytes(path, new)
        if new == old and mode is None:
            raise _fault("no_change", path, "the block changes nothing")
        if problems := checks.check_syntax(path, old, new):
            raise _Faulty(*problems)
        self.changes.append(FileChange(path, new, mode))

    def _write(self, path: str, block: CodeBlock) -> None:
        lines = body_lines(block.content)
        old = self._existing(path) if self.tree.is_file(path) else None
        if old is not None and self.shown is not None and path not in self.shown:
            raise _fault(
                "create_exists",
                path,
                "the file is there already and was not shown whole; edit it, or use another name",
            )
        text = self._text(path, old) if old is not None else Text(())
        self._note_ends(path, text, block.content)
        before = [line.text for line in text.lines]
        problems = checks.check_lines(path, before, lines)
        problems += checks.check_shrink(path, before, lines) if old is not None else []
        if problems:
            raise _Faulty(*problems)
        written = splice(text.lines, before, lines, text.usual_end)
        if written and (not block.final_newline or old is None or not text.lines):
            written[-1] = Line(written[-1].text, text.usual_end if block.final_newline else "")
        self._put(path, old, self._encode(path, Text(tuple(written), text.bom)))

    def _note_ends(self, path: str, text: Text, *bodies: str) -> None:
        """Say when an answer has other line ends than its file, whose own ones are kept."""
        own = any(line.end == "\r\n" for line in text.lines)
        if text.lines and own is not any("\r\n" in body or body.endswith("\r") for body in bodies):
            self.notes.append(f"{path}: the file's own line ends were kept")

    def _rename(self, path: str, content: bytes, block: CodeBlock) -> None:
        found = resolve(block.to, self.tree, self.roots)
        if isinstance(found, Problem):
            raise _Faulty(found)
        if self.tree.is_file(found.path):
            raise _fault("rename_exists", found.path, "the new name is taken")
        self._take(found)
        new = self._edited(path, content, block) if block.replacements else content
        self.changes.append(FileChange(path, None))
        self._put(found.path, content, new, self.tree.permissions(path))

    def _edited(self, path: str, content: bytes, block: CodeBlock) -> bytes:
        """Return the file with every replacement made, each placed in the file as it was."""
        text = self._text(path, content)
        self._note_ends(path, text, *(f"{pair.search}\n{pair.replace}" for pair in block.replacements))
        lines = [line.text for line in text.lines]
        problems: list[Problem] = []
        matches: list[Match] = []
        for number, pair in enumerate(block.replacements, 1):
            place = f"{path}, search {number}"
            before, after = body_lines(pair.search), body_lines(pair.replace)
            problems += checks.check_lines(path, lines, after)
            found = find(lines, before, after, fuzzy=self.fuzzy) if pair.search.strip() else None
            if isinstance(found, Match):
                matches.append(found)
                if found.rung:
                    self.notes.append(f"{place}: matched after forgiving {found.rung}")
            else:
                problems.append(_unplaced(place, found, lines, before))
        matches.sort(key=lambda match: match.start)
        if any(one.end > other.start for one, other in pairwise(matches)):
            problems.append(Problem("overlapping", path, "two searches cover the same lines"))
        if problems:
            raise _Faulty(*problems)
        result = list(text.lines)
        for match in reversed(matches):
            old = result[match.start : match.end]
            result[match.start : match.end] = splice(old, match.before, match.after, text.usual_end)
        if result and not block.final_newline:
            result[-1] = Line(result[-1].text, "")
        return self._encode(path, Text(tuple(result), text.bom))


def _unplaced(place: str, found: Ambiguous | None, lines: Sequence[str], before: Sequence[str]) -> Problem:
    """Return the problem of a search without its one place, with what helps to write it anew."""
    if isinstance(found, Ambiguous):
        where = ", ".join(map(str, found.lines[:10]))
        return Problem("ambiguous", place, f"the text stands at lines {where}; add lines that make it unique")
    if not any(line.strip() for line in before):
        return Problem("empty_search", place, "the search has no text")
    text = "the text is not in the file"
    if near := nearest(lines, before):
        quoted = "\n".join(near[1][:40])
        text += f"; the most similar lines begin at line {near[0]}:\n{quoted}"
    return Problem("unmatched", place, text)


def _nested(changes: Sequence[FileChange]) -> str:
    """Return a new file that stands beneath another one, or nothing."""
    names = {change.path for change in changes if change.content is not None}
    return next((path for path in names if names.intersection(parents(path))), "")


def plan(
    blocks: Sequence[CodeBlock],
    read: Reader,
    tree: Tree,
    *,
    limits: Limits | None = None,
    roots: Sequence[str] = (),
    shown: frozenset[str] | None = None,
    sent: Mapping[str, Sequence[str]] | None = None,
    fuzzy: bool = False,
) -> Plan | Refused:
    """Return the changes that ``blocks`` make, or every problem they have.

    Args:
        blocks: what ``parse`` returned.
        read: returns the bytes of an ordinary file of the repository.
        tree: what the repository holds.
        limits: how much may change.
        roots: where the repository stands on the machine of the log, for absolute paths of new files.
        shown: the files whose text the fixer saw; a ``write`` onto another existing file is then
            ``create_exists``. None when that is not known.
        sent: the texts that were shown of files, by path; a file without them is ``changed_since_sent``.
        fuzzy: whether a search may stand where the lines are only nearly the same.

    Problems besides those of ``resolve``: ``too_many_files``, ``file_too_large``, ``binary_file``,
    ``not_utf8`` (final); ``no_such_file``, ``changed_since_sent``, ``create_exists``, ``rename_exists``,
    ``same_file_twice``, ``ambiguous``, ``unmatched``, ``empty_search``, ``overlapping``, ``no_change``,
    ``shrinks``, ``placeholder``, ``conflict_markers``, ``stray_fence``, ``syntax_error``.
    """
    limits = limits or Limits()
    if len(blocks) > limits.blocks:
        text = f"{len(blocks)} blocks; at most {limits.blocks} are allowed"
        return Refused((Problem("too_many_files", "", text, final=True),))
    planner = _Planner(read, tree, limits, roots, shown, sent or {}, fuzzy)
    problems: list[Problem] = []
    for block in blocks:
        try:
            planner.block(block)
        except _Faulty as fault:
            problems += fault.problems
    if problems:
        return Refused(tuple(problems))
    if not planner.changes:
        return Refused((Problem("no_blocks", "", "the answer changes nothing"),))
    if nested := _nested(planner.changes):
        return Refused((Problem("not_a_folder", nested, "a file and a folder would have one name"),))
    return Plan(tuple(planner.changes), tuple(planner.notes))
