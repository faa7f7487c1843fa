"""Rules about errors that are hidden instead of repaired.

Code is compared as syntax trees, base against after, so that moved or re-indented code is not new. Languages
without a grammar here are compared by their handlers' words (``catches``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath

from ai_ops.core.diff import FileDiff
from ai_ops.core.guard.bindings import UNKNOWN, built_in_exception
from ai_ops.core.guard.catches import READ, catches, unwraps
from ai_ops.core.guard.catching import hidden
from ai_ops.core.guard.dropping import dropped, looked_at
from ai_ops.core.guard.findings import Change, Finding, Severity
from ai_ops.core.guard.python_errors import Errors, Handler, errors
from ai_ops.core.guard.suite import is_test
from ai_ops.core.guard.syntax import dialect_of
from ai_ops.core.guard.syntax.rereading import rereads


def _new(before: Sequence[tuple[str, int]], after: Sequence[tuple[str, int]]) -> Iterator[tuple[str, int]]:
    """Yield what ``after`` has more of than ``before``, with its line."""
    known = Counter(what for what, _ in before)
    for what, line in after:
        if known[what] > 0:
            known[what] -= 1
        else:
            yield what, line


def swallowed(change: Change) -> Iterator[Finding]:
    """Find handlers that hide an error, or catch more than before."""
    for file in change.files:
        if file.is_deleted or file.is_binary or is_test(change, file.path):
            continue
        if file.path.endswith((".py", ".pyi")):
            yield from _swallowed_python(change, file)
        elif file.path.endswith(READ):
            yield from _swallowed_elsewhere(change, file)


def _swallowed_python(change: Change, file: FileDiff) -> Iterator[Finding]:
    before = errors(change.text(change.base, file.path))
    after = errors(change.text(change.after, file.path))
    if before is None:
        yield Finding("unread_code", file.path, "the file was not valid Python before", Severity.WARNING)
        return
    if after is None:
        yield Finding("syntax_error", file.path, "the file is not valid Python any more")
        return
    for line, text in _hiding_handlers(before.handlers, after.handlers):
        yield Finding("swallowed_exception", f"{file.path}:{line}", text)
    for line, text in _broadened(before.handlers, after.handlers):
        yield Finding("broadened_exception", f"{file.path}:{line}", text)
    for what, line in _new(before.suppressed, after.suppressed):
        yield Finding("swallowed_exception", f"{file.path}:{line}", f"{what} is suppressed")
    for what, line in _new(before.raised_later, after.raised_later):
        text = f"{what} is raised nowhere unless the code does it"
        yield Finding("swallowed_exception", f"{file.path}:{line}", text, Severity.WARNING)
    for _, line in _new(before.returns_in_finally, after.returns_in_finally):
        yield Finding("swallowed_exception", f"{file.path}:{line}", "leaving a finally drops the error")


def _shown(types: frozenset[str]) -> str:
    return ", ".join(sorted(filter(None, (each.lstrip(UNKNOWN) for each in types)))) or "everything"


def _hiding_handlers(before: Sequence[Handler], after: Sequence[Handler]) -> Iterator[tuple[int, str]]:
    """Yield new handlers of which nobody hears."""

    def keys(handlers: Sequence[Handler]) -> list[tuple[str, int]]:
        return [(f"{sorted(each.types)} {each.body}", each.line) for each in handlers if each.swallows]

    lines = {each.line: each for each in after}
    for _, line in _new(keys(before), keys(after)):
        caught = _shown(lines[line].types)
        yield line, f"an except for {caught} neither handles nor raises the error"


def _broadened(before: Sequence[Handler], after: Sequence[Handler]) -> Iterator[tuple[int, str]]:
    """Yield handlers that catch more than they did, and new ones that catch everything."""
    known = Counter((each.types, each.body) for each in before)
    broad = Counter(each.types for each in before if each.broad)
    for index, handler in enumerate(after):
        key = (handler.types, handler.body)
        if known[key] > 0:
            known[key] -= 1
            if handler.broad:
                broad[handler.types] -= 1
            continue
        old = _counterpart(before, after, index)
        if old is not None and old.types < handler.types:
            more = _shown(handler.types - old.types)
            yield handler.line, f"an except now also catches {more}"
        elif handler.broad and broad[handler.types] > 0:
            broad[handler.types] -= 1
        elif handler.broad:
            yield handler.line, "a new except catches every error"


def _counterpart(before: Sequence[Handler], after: Sequence[Handler], index: int) -> Handler | None:
    """Return the handler that ``after[index]`` was: the same body, else the same place in its function."""
    handler = after[index]
    place = sum(1 for each in after[:index] if each.scope == handler.scope)
    there = [each for each in before if each.scope == handler.scope]
    same = [each for each in there if each.body == handler.body]
    if same:
        return same[0]
    here = sum(1 for each in after if each.scope == handler.scope)
    return there[place] if len(there) == here else None


def hides_logged(change: Change) -> Iterator[Finding]:
    """Find new handlers for the very error of the log, or a base of it, that can end without raising.

    New tests count too: code can import from them.
    """
    if not change.exception_type:
        return
    touched = frozenset(map(_module_name, (file.path for file in change.files)))
    may_catch = _catcher(change.exception_type, touched)
    for file in change.files:
        skipped = file.is_deleted or file.is_binary or file.path in change.reproduction
        if skipped or not file.path.endswith(".py"):
            continue
        after = errors(change.text(change.after, file.path))
        before = errors(change.text(change.base, file.path))
        known = before.handlers if before else []
        if after and not is_test(change, file.path):
            yield from _declared(file.path, before, after, change.exception_type)
        tree = change.tree(file.path, change.text(change.after, file.path))
        mended = rereads(tree) if tree is not None else frozenset()
        for handler in _hiding_logged(known, after, may_catch) if after else ():
            if handler.swallows and not is_test(change, file.path):
                continue  # told by ``swallowed``
            text = (
                f"a new except may catch {change.exception_type}, the error itself, and does not always raise"
            )
            mends = handler.line in mended and not handler.broad
            severity = Severity.WARNING if mends else Severity.BLOCKED
            yield Finding("swallowed_exception", f"{file.path}:{handler.line}", text, severity)


def _declared(path: str, before: Errors | None, after: Errors, logged: str) -> Iterator[Finding]:
    """Find ``with`` and decorators that are newly given the logged type by its name, or a base of it."""
    wanted, last = built_in_exception(logged), logged.rpartition(".")[2]
    known = Counter(code for _, code, _ in before.declared) if before else Counter[str]()
    for types, code, line in after.declared:
        known[code] -= 1
        kinds = [built_in_exception(_RENAMED.get(each, each)) for each in types]
        named = any(each.rpartition(".")[2] == last for each in types)
        if known[code] < 0 and (named or (wanted and any(k and issubclass(wanted, k) for k in kinds))):
            text = f"a new with or decorator is given {logged}, the error itself, and may drop it"
            yield Finding("swallowed_exception", f"{path}:{line}", text)


def _module_name(path: str) -> str:
    pure = PurePosixPath(path)
    return pure.parent.name if pure.stem == "__init__" else pure.stem


_RENAMED = {
    "os.error": "OSError",
    "socket.error": "OSError",
    "select.error": "OSError",
    "socket.timeout": "TimeoutError",
}


def _catcher(logged: str, touched: frozenset[str]) -> Callable[[str], bool]:
    """Return whether a handler for a type may catch the logged one.

    The bases of a type that is not built in are unknown, so every handler may catch it. A name from a
    module that the change touches may stand for anything.
    """
    wanted = built_in_exception(logged)

    def may_catch(name: str) -> bool:
        if wanted is None or not name or name.startswith(UNKNOWN):
            return True
        if caught := built_in_exception(_RENAMED.get(name, name)):
            return issubclass(wanted, caught)
        *modules, last = name.split(".")
        return bool(modules) and (last == wanted.__name__ or not touched.isdisjoint(modules))

    return may_catch


def _hiding_logged(
    before: Sequence[Handler], after: Errors, may_catch: Callable[[str], bool]
) -> Iterator[Handler]:
    """Yield new handlers: not there word for word, nor for the same types in the same function."""

    def loose(handlers: Sequence[Handler]) -> list[Handler]:
        new = [each for each in handlers if not each.always_raises and not each.retries]
        return [each for each in new if any(map(may_catch, each.types))]

    words = Counter((each.types, each.body) for each in loose(before))
    places = Counter((each.scope, each.types) for each in loose(before))
    left = []
    for handler in loose(after.handlers):
        if words[handler.types, handler.body] > 0:
            words[handler.types, handler.body] -= 1
            places[handler.scope, handler.types] -= 1
        else:
            left.append(handler)
    for handler in left:
        if places[handler.scope, handler.types] > 0:
            places[handler.scope, handler.types] -= 1
        else:
            yield handler


def unread(change: Change) -> Iterator[Finding]:
    """Find code that newly is too long or too deep for any rule to read."""
    for file in change.files:
        before, after = (change.text(reader, file.path) for reader in (change.base, change.after))
        if _is_unread(change, file.path, after):
            severity = Severity.WARNING if _is_unread(change, file.path, before) else Severity.BLOCKED
            yield Finding("unread_code", file.path, "the code is too long or nested too deeply", severity)


def _is_unread(change: Change, path: str, source: str | None) -> bool:
    """Whether a file in a language that is known here is too long or too deep to be read."""
    return source is not None and dialect_of(path) is not None and change.tree(path, source) is None


def _swallowed_elsewhere(change: Change, file: FileDiff) -> Iterator[Finding]:
    """Find new handlers that do not raise: not there word for word, nor for the same types.

    Blocked when one catches everything, the logged type, or does nothing; else a warning.
    """
    before, after = (change.text(reader, file.path) or "" for reader in (change.base, change.after))
    then, now = change.tree(file.path, before), change.tree(file.path, after)
    if then and now and then.is_whole and now.is_whole:
        yield from hidden(file.path, then, now, change.exception_type, looked_at(then, now))
        yield from dropped(file.path, then, now)
        return
    if now and not now.is_whole and (not then or then.is_whole):
        text = "the grammar does not understand all of the file; it is read by its words"
        yield Finding("unread_code", file.path, text, Severity.WARNING)
    known = catches(file.path, before)
    words = Counter((each.types, each.code) for each in known)
    types = Counter(each.types for each in known if not each.empty)
    left = []
    for each in catches(file.path, after):
        if words[each.types, each.code] > 0:
            words[each.types, each.code] -= 1
            types[each.types] -= not each.empty
        else:
            left.append(each)
    logged = re.split(r"[.\\:$]", change.exception_type)[-1]
    passed_up = file.path.endswith(".rs") and unwraps(after) < unwraps(before)
    for each in left:
        if types[each.types] > 0 and not each.empty:
            types[each.types] -= 1
            continue
        hides = each.empty or passed_up or (each.broad and not each.passes_on) or logged in each.types
        severity = Severity.BLOCKED if hides else Severity.WARNING
        text = f"a new handler for {_shown(each.types)} does not raise the error"
        yield Finding("swallowed_exception", f"{file.path}:{each.line}", text, severity)
