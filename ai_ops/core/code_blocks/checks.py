"""What a new text must not be: cut short, fenced, conflicted, or no longer what its name says."""

from __future__ import annotations

import ast
import json
import re
import tomllib
import warnings
from collections.abc import Callable, Sequence

from ai_ops.core.code_blocks.problems import Problem

_SHRINK_FROM = 10  # lines: a shorter file may well lose half
_COMMENT = re.compile(r"\s*(?:#|//|/\*|<!--|--|;|%|\*)\s*(.*)")
_ELLIPSES = ("...", "\u2026")
_REST = re.compile(
    r"(?:rest|remainder|remaining|existing|previous|other|same)\b.{0,60}"
    r"\b(?:unchanged|code|same|as before|omitted|file|here|functions|methods|content|implementation)\b"
    r"|\b(?:unchanged|omitted)\b",
    re.IGNORECASE,
)
_CONFLICT = re.compile(r"(?:<{7}|>{7}|\|{7})(?: .*)?|={7}")


def _says_rest_unchanged(line: str) -> bool:
    """Whether a comment stands for text that was left out."""
    comment = _COMMENT.fullmatch(line[:200])
    words = comment.group(1).strip() if comment else line.strip()
    dotted = words.startswith(_ELLIPSES) or words.removesuffix("*/").removesuffix("-->").rstrip().endswith(
        _ELLIPSES
    )
    if comment is None:
        return dotted and words.strip(".\u2026 ") != "" and _REST.search(words[:200]) is not None
    core = words.strip("().[]-*/ >\u2026").casefold()
    says = _REST.search(words) is not None
    return (dotted and (says or not core)) or (says and (core == "unchanged" or core.startswith("rest ")))


def check_lines(path: str, old: Sequence[str], new: Sequence[str]) -> list[Problem]:
    """Return what the new lines bring that no finished file has, unless the file had it already."""
    known = set(old)
    fresh = [line for line in new if line not in known]
    problems = []
    if left_out := next((line for line in fresh if _says_rest_unchanged(line)), None):
        text = f"a line stands for code that was left out: {left_out.strip()[:80]}"
        problems.append(Problem("placeholder", path, text))
    if sum(1 for line in fresh if _CONFLICT.fullmatch(line)) >= 2:
        problems.append(Problem("conflict_markers", path, "the text holds merge conflict markers"))
    fenced = any(line.startswith("```") for line in fresh) and not any(line.startswith("```") for line in old)
    if fenced and not path.casefold().endswith((".md", ".mdx", ".rst", ".txt", ".markdown")):
        problems.append(Problem("stray_fence", path, "the text holds a Markdown fence; send the bare text"))
    return problems


def check_shrink(path: str, old: Sequence[str], new: Sequence[str]) -> list[Problem]:
    """Return a problem when a whole-file write keeps less than half of the lines."""
    before, after = (sum(1 for line in lines if line.strip()) for lines in (old, new))
    if before < _SHRINK_FROM or after * 2 >= before:
        return []
    text = f"the file would go from {before} to {after} lines; use edit, or send the whole file"
    return [Problem("shrinks", path, text)]


def _python_error(content: bytes) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ast.parse(content)
        except SyntaxError as error:
            return f"line {error.lineno}: {error.msg}"
        except (ValueError, RecursionError, MemoryError) as error:
            return str(error) or type(error).__name__
    return ""


def _json_error(content: bytes) -> str:
    try:
        json.loads(content)
    except (ValueError, RecursionError) as error:
        return str(error) or type(error).__name__
    return ""


def _toml_error(content: bytes) -> str:
    try:
        tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        return str(error) or type(error).__name__
    return ""


_READERS: dict[str, tuple[str, Callable[[bytes], str]]] = {
    ".py": ("Python", _python_error),
    ".pyi": ("Python", _python_error),
    ".json": ("JSON", _json_error),
    ".toml": ("TOML", _toml_error),
}


def check_syntax(path: str, old: bytes | None, new: bytes) -> list[Problem]:
    """Return a problem when a file of Python, JSON or TOML does not parse any more.

    A file that did not parse before is in a dialect that is not read here, and is let be.
    """
    name, error_of = _READERS.get(f".{path.rpartition('.')[2]}", ("", None))
    if error_of is None or (old is not None and error_of(old)):
        return []
    error = error_of(new)
    return [Problem("syntax_error", path, f"the new file is not valid {name}, {error}")] if error else []
