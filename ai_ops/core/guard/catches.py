"""Handlers of languages other than Python, read from plain code by their words and braces.

What each language calls a handler differs, what matters does not: which types it catches, and whether its
body raises. Bases are not known here, so a few names count as broad.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from ai_ops.core.guard.plain_code import arguments, enclosed, plain

_JAVASCRIPT = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".vue", ".svelte")
_BRACES = (".java", ".kt", ".kts", ".scala", ".groovy", ".cs", ".php", ".cpp", ".cc", ".dart", ".swift")
_RUBY = (".rb", ".rake")
_BROAD = frozenset(
    {
        "Exception", "Throwable", "Error", "RuntimeException", "BaseException", "StandardError", "exception",
        "SystemException", "ScriptError", "any", "unknown", "dynamic", "Object", "NonFatal", "_",
    }
)  # fmt: skip
_RAISES = re.compile(r"\b(?:throw|rethrow|raise|fail|panic!?|abort|todo!|getOrThrow|Fatalf?|Panicf?)\b")
_PASSES_ON = re.compile(
    r"\b(?:next|reject|done|callback|cb|retry|onError|completeExceptionally|setException|failure)\b"
)
_CATCH = re.compile(r"\bcatch\b|\bon\s+[\w.]{1,120}\s*\{")
_PROMISE = re.compile(
    r"\.\s*(catch|catchError|exceptionally|onErrorReturn|onErrorResume|onErrorComplete|then)\s*\("
)
_RESCUE = re.compile(r"^([ \t]*)rescue\b([^\n]*)", re.MULTILINE)
_RESCUE_ENDS = re.compile(r"^([ \t]*)(?:rescue|else|ensure|end)\b", re.MULTILINE)
_MODIFIER = re.compile(r"^[^\n]*?\S[ \t]+rescue\b([^\n]*)", re.MULTILINE)
_GO_CHECK = re.compile(r"\bif\b[^\n{]{0,200}\b\w*[eE]rr\w*\s*!=\s*nil\s*\{")
_GO_NAMES = re.compile(r"\b\w*[eE]rr\b|\bErr[A-Z]|\berrors\.|\bErrorf\b")
_GO_EMPTY = re.compile(r"(?:\s|return|continue|break|nil|true|false|\"\"|,|;|-?[\d.]+)*")
_HIDES = {
    ".go": re.compile(r"\brecover\(\)|\b_\s*=\s*\w*[eE]rr\w*\b(?!\s*[.(])"),
    ".kt": re.compile(r"\brunCatching\b"),
    ".kts": re.compile(r"\brunCatching\b"),
    ".scala": re.compile(r"\bTry\s*[({]"),
    ".swift": re.compile(r"\btry\?"),
    ".php": re.compile(r"\bset_(?:error|exception)_handler\b|\berror_reporting\(\s*0"),
    ".java": re.compile(r"\bset(?:Default)?UncaughtExceptionHandler\b"),
} | dict.fromkeys(_JAVASCRIPT, re.compile(r"\bunhandledRejection\b|\buncaughtException\b|\bonerror\s*="))
_MAY_HIDE = {
    ".go": re.compile(r",\s*_\s*:?=\s*(?!range\b)\w"),
    ".rs": re.compile(
        r"\.unwrap_or(?:_default|_else)?\(|\.ok\(\)|\blet\s+_\s*=|\bif\s+let\s+Ok\(|\bcatch_unwind\b"
    ),
    ".php": re.compile(r"(?<![\w\"'])@\$?\w+\s*[(\[-]"),
} | dict.fromkeys(_JAVASCRIPT, re.compile(r"\.allSettled\("))
_QUESTION = re.compile(r"\?\s*[;.),\n]|\.(?:unwrap|expect)\(")
READ = (*_JAVASCRIPT, *_BRACES, *_RUBY, ".go", ".rs")


@dataclass(frozen=True)
class Catch:
    """A handler that does not raise: what it catches, its code, its line, and what is known of it.

    ``broad`` when it catches everything, ``passes_on`` when it hands the error to somebody, ``empty`` when it
    does nothing at all.
    """

    types: frozenset[str]
    code: str
    line: int
    broad: bool
    passes_on: bool = False
    empty: bool = False


def catches(path: str, text: str) -> list[Catch]:
    """Return the handlers of a file that do not raise, in order of their lines."""
    suffix = PurePosixPath(path).suffix
    code = plain(path, text)
    found: list[Catch] = []
    if suffix in _JAVASCRIPT or suffix in _BRACES:
        found += _clauses(code, typed=suffix in _BRACES)
        found += _promises(code)
    elif suffix in _RUBY:
        found += _rescues(code)
    elif suffix == ".go":
        found += _go_checks(code)
    found += _words(code, _HIDES.get(suffix), broad=True)
    found += _words(code, _MAY_HIDE.get(suffix), broad=False)
    return sorted(found, key=lambda each: each.line)


def unwraps(text: str) -> int:
    """Return how often Rust code passes an error up, by ``?``, or stops at it."""
    return len(_QUESTION.findall(plain("a.rs", text)))


def _line(code: str, at: int) -> int:
    return code.count("\n", 0, at) + 1


def _made(types: list[str], body: str, code: str, at: int, *, broad: bool) -> Iterator[Catch]:
    if _RAISES.search(body) is None:
        names = frozenset(re.split(r"[.\\:]", each)[-1] for each in types)
        whole = "".join(f"{sorted(names)}{body}".split())
        wide = broad or not names or not names.isdisjoint(_BROAD)
        passes = _PASSES_ON.search(body) is not None
        yield Catch(names, whole, _line(code, at), wide, passes, not body.strip(" \t\r\n;"))


def _clauses(code: str, *, typed: bool) -> Iterator[Catch]:
    """Yield ``catch (Type name) { … }`` and its forms; a name alone has no type and catches everything."""
    for found in _CATCH.finditer(code):
        if code[: found.start()].rstrip().endswith("."):
            continue  # a promise's
        opening = code.find("{", found.start(), found.start() + 400)
        header = code[found.start() : opening].strip()
        if opening < 0 or re.search(r"[;}]", header):
            continue
        types = _types(code, found.start(), header) if typed else []
        yield from _made(types, enclosed(code, opening), code, opening, broad=False)


def _types(code: str, at: int, header: str) -> list[str]:
    """Return the types of ``on T``, ``catch (T | U name)``, ``catch (name: T)``; none when it names none."""
    if header.startswith("on"):
        return [header.split()[1]]
    if on := re.search(r"\bon\s+([\w.]+)\s*$", code[max(0, at - 130) : at]):
        return [on.group(1)]
    inside = header.partition("(")[2].rpartition(")")[0] or header.removeprefix("catch")
    inside = re.sub(r"\b(?:final|const|let|var)\b|&|\bwhen\b.*", " ", inside).strip()
    if ":" in inside.replace("::", ""):
        return [inside.rpartition(":")[2].strip()]
    if " as " in inside:
        return [inside.rpartition(" as ")[2].strip()]
    if "..." in inside:
        return []
    words = [part.strip().split() for part in inside.split("|")]
    names = [each[0] for each in words if each]
    alone = len(words) == 1 and len(words[0]) < 2 and not re.search(r"[A-Z]\w*$|\\", inside)
    return [] if alone else names


def _promises(code: str) -> Iterator[Catch]:
    """Yield ``.catch(…)`` and the second function of ``.then(…, …)``."""
    for found in _PROMISE.finditer(code):
        given = enclosed(code, found.end() - 1)
        if found.group(1) == "then":
            parts = [part for part in arguments(given) if part.strip()]
            if len(parts) < 2:
                continue
            given = parts[1]
        yield from _made([], given, code, found.start(), broad=True)


def _rescues(code: str) -> Iterator[Catch]:
    """Yield Ruby's ``rescue``, as a clause and behind an expression."""
    for found in _RESCUE.finditer(code):
        ends = (each for each in _RESCUE_ENDS.finditer(code, found.end()) if len(each[1]) <= len(found[1]))
        end = next(ends, None)
        named = found.group(2).partition("=>")[0].partition(" then ")[0]
        types = [each.strip(" *()") for each in named.split(",") if each.strip()]
        body = code[found.end() : end.start() if end else len(code)]
        inline = found.group(2).partition(" then ")[2]
        yield from _made(types, inline + body, code, found.start(), broad=False)
    for found in _MODIFIER.finditer(code):
        yield from _made([], found.group(1), code, found.start(1), broad=True)


def _go_checks(code: str) -> Iterator[Catch]:
    """Yield ``if err != nil`` that goes on as if nothing were: no word of the error in it, and no call."""
    for found in _GO_CHECK.finditer(code):
        body = enclosed(code, found.end() - 1)
        if _GO_NAMES.search(body) is None and _RAISES.search(body) is None:
            nothing = _GO_EMPTY.fullmatch(body) is not None
            yield from _made([] if nothing else ["error"], body, code, found.start(), broad=False)


def _words(code: str, pattern: re.Pattern[str] | None, *, broad: bool) -> Iterator[Catch]:
    """Yield words that drop an error by themselves, with what stands around them."""
    for found in pattern.finditer(code) if pattern else ():
        at, word = found.start(), found.group()
        if word.startswith("recover"):
            around = code[at:].partition("}()")[0]
        elif word == "runCatching" and (opening := code.find("{", at, at + 40)) >= 0:
            inside = enclosed(code, opening)
            after = opening + len(inside) + 2
            around = inside + code[after : after + 80]
        else:
            around = code[code.rfind("\n", 0, at) + 1 :].partition("\n")[0]
            whole = "".join(around.split())
            yield Catch(frozenset() if broad else frozenset({"error"}), whole, _line(code, at), broad)
            continue
        yield from _made([], around, code, at, broad=True)
