"""A rule about code that treats the very input of the log otherwise: a repair of one value is no repair."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ai_ops.core.guard.findings import Change, Finding, Severity
from ai_ops.core.guard.suite import is_test
from ai_ops.core.guard.syntax import Tree
from ai_ops.core.guard.syntax.comparisons import Comparison, How, comparisons, literals, words_of
from ai_ops.core.guard.syntax.folding import number, unescaped
from ai_ops.core.guard.syntax.shapes import fits
from ai_ops.core.guard.syntax.treatments import Treated, Treatment, treatments

RULE = "input_special_cased"
_SHORTEST = 3
_UNITS = (("utf-8", 1), ("utf-16-le", 2))  # in which languages count a text that is not plain
_AMOUNT = re.compile(r"(?<![\w.])(\d{1,12})\.(\d\d)(?![\w.]|\.\d)")
_WHOLE = 8  # characters of a text of the reproduction, at least, that another literal holds
_LONGEST = 500
_TREATED = {
    Treated.KEPT: "keeps a constant under",
    Treated.REPLACED: "replaces",
    Treated.LISTED: "has an entry for",
}
_NARROW = 2  # between the ends of a range of three whole numbers, which is no range of anybody's
_SPARSE, _NEAR = (
    10_000,
    500,
)  # a number that large is some number's own; so close about it is no range of kinds
_FEWEST_CUT = 4  # digits that end a longer number: who asks for them asks for that number
_CUT_NUMBER = re.compile(r"[^\W\d]+[-_:#/]\d{3,}")  # a kind and the first digits of a number of it
_DAY_ENDS = re.compile(
    r"(?:24|00):00(?::00)?|23:59(?::(?:59|60))?"
)  # no time of somebody's, but the limit of all
_NUMBER = re.compile(r"(?<![\w.])-?\d{1,18}(?:\.\d{1,18})?(?!\w)")
_WORDS = re.compile(r"[\w.:/+@-]{3,200}")
_SHORTEST_CUT = 6  # of a part that begins or ends within a word: less is by chance
_ESCAPE = re.compile(r"\\([nrt0\\\"'])")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}
_FIELD = re.compile(r"[A-Za-z_][A-Za-z_.-]{0,60}")  # a name that data is asked by
_PHRASE = re.compile(r"\w\W{0,3}\s\W{0,3}\w")  # words: who asks for their begin asks for them
_SHORTEST_PHRASE = 5
_EVERYWHERE = frozenset({"0", "1", "-1", ""})
_FEWEST_CASES = 2  # of a list of cases that are answered with constants
# What data says in many places when it has nothing to say, and what programs say everywhere.
_COMMON = frozenset(
    {
        "null", "none", "nil", "nan", "undefined", "n/a", "#n/a", "na", "true", "false", "yes", "no", "inf",
        "infinity", "-inf", "unknown", "utf-8", "utf8", "utf-16", "ascii", "latin-1", "string", "number",
        "object", "function", "boolean", "bigint", "symbol", "get", "post", "put", "patch",
        "delete", "head", "options",
        "http", "https", "http://", "https://", "file", "json", "xml", "csv", "application/json",
        "text/plain", "error", "__main__", "...", "\\r\\n",
    }
)  # fmt: skip
_ROUND = re.compile(
    r"-?(?:[0-9]|10+|12|16|2[489]|3[0126]|6[04]|128|25[56]|36[56]|512|1024|2048|3600|4096|86400)"
)
_STATUS = re.compile(r"[1-5]\d\d")
_STATUS_NAME = re.compile(r"status|code|errno", re.IGNORECASE)
_SYSTEM = re.compile(r"E[A-Z]{3,}|[0-9A-Z]{5}|ERR_\w+|SQLITE_\w+|[A-Z]\w+(?:Error|Exception)")
_ERROR_NAME = re.compile(
    r"(?:\b|_)(?:e|err|error|ex|exc|exception|cause|reason)\w*\s*\??\.\s*\w+|\berr(?:or)?\b", re.IGNORECASE
)


def special_cases(change: Change) -> Iterator[Finding]:
    """Find new comparisons with a value of the logged failure, or of the reproduction.

    A warning where the code compared the same thing with other literals already, for a short plain word,
    which may name a kind of things, unless only a constant or an end follows, and for a length; else blocked.
    """
    failure = _failure(change)
    for file in change.files:
        if (
            file.is_deleted
            or file.is_binary
            or file.path in change.reproduction
            or is_test(change, file.path)
        ):
            continue
        source = change.text(change.base, file.path) or ""
        after = change.tree(file.path, change.text(change.after, file.path))
        before = change.tree(file.path, source)
        if after is None or before is None:
            continue
        yield from _found(file.path, before, after, words_of(source), failure)


@dataclass(frozen=True)
class _Failure:
    """What is known of the failing input: the literals of the reproduction, and all that is said of it."""

    tested: frozenset[str]
    said: str
    reproduction: str
    logged: str

    @cached_property
    def numbers(self) -> frozenset[float]:
        """The numbers that are said."""
        return frozenset(map(float, _NUMBER.findall(self.said)))

    @cached_property
    def cents(self) -> frozenset[int]:
        """The amounts that are said with two decimals, as whole numbers of the smaller coin."""
        return frozenset(int("".join(each)) for each in _AMOUNT.findall(self.said))

    @cached_property
    def words(self) -> tuple[str, ...]:
        """What may be a value: the words with a digit that are said, and the tested texts."""
        said = dict.fromkeys((*_WORDS.findall(self.said), *self.tested))
        return tuple(word for word in said if re.search(r"\d", word) and len(word) < _LONGEST)

    @cached_property
    def lengths(self) -> frozenset[int]:
        """The lengths of what looks like a value: it has a digit, or the reproduction writes it as a text."""
        words = [word for word in _WORDS.findall(self.said) if re.search(r"\d", word)]
        others = [each for each in self.tested if not each.isascii()]
        wide = (len(each.encode(code, "replace")) // unit for each in others for code, unit in _UNITS)
        return frozenset((*map(len, (*words, *self.tested)), *wide))


def _failure(change: Change) -> _Failure:
    found: set[str] = set()
    sources = [content.decode("utf-8", "replace") for content in change.reproduction.values()]
    for path, source in zip(change.reproduction, sources, strict=True):
        tree = change.tree(path, source)
        for value, _ in literals(tree) if tree else ():
            found.update((_plain(value), _plain(_ESCAPE.sub(_meant, value))))
    tested = frozenset(found)
    said = (change.logged, unescaped(change.logged), *sorted(tested))
    return _Failure(tested, "\n".join(dict.fromkeys(said)), "\n".join(sources), change.logged)


def _meant(escape: re.Match[str]) -> str:
    return _ESCAPED.get(escape[1], escape[1])


def _plain(literal: str) -> str:
    return literal.strip().casefold()


def _found(
    path: str, before: Tree, after: Tree, known_words: frozenset[str], failure: _Failure
) -> Iterator[Finding]:
    old = comparisons(before)
    known = {each.literal for each in old} | {value for value, _ in literals(before)}
    new = comparisons(after)
    lists = _with_known_cases(new, old)
    for each in new:
        answer = _expected_answer(each, old, known, failure)
        if answer:
            given = each.literal[:60]
            text = f"the code now answers {answer[:60]!r}, which the reproduction expects, to {given!r}"
            yield Finding(RULE, f"{path}:{each.line}", text)
            continue
        if each.literal in known or each.literal in known_words or not _is_of_failure(each, failure):
            continue
        if each.how in (How.KEY, How.PRESENCE) and _FIELD.fullmatch(each.literal):
            is_field, is_tested = _is_field(each.literal, failure), _plain(each.literal) in failure.tested
            if is_field and not (is_tested and each.how is How.PRESENCE):
                continue
            if is_field or each.how is How.KEY:
                yield Finding(RULE, f"{path}:{each.line}", _said(each), Severity.WARNING)
                continue
        grown = (each.other, each.scope, each.line) in lists
        milder = grown or _compared_before(old, each) or (_names_a_kind(each) and not each.plain)
        by_length = each.how is How.LENGTH and not _is_said(each, failure)
        severity = Severity.WARNING if milder or by_length else Severity.BLOCKED
        yield Finding(RULE, f"{path}:{each.line}", _said(each), severity)
    treated = {each.literal for each in treatments(before)}
    for put in treatments(after):
        if put.literal in known | treated or put.literal in known_words or not _is_treated(put, failure):
            continue
        is_own = put.how is not Treated.LISTED or _is_made_for(put, failure, known)
        blocked = is_own and re.search(r"\d", put.literal)
        text = f"the code now {_TREATED[put.how]} {put.literal[:60]!r}, a value of the failure itself"
        severity = Severity.BLOCKED if blocked else Severity.WARNING
        yield Finding(RULE, f"{path}:{put.line}", text, severity)


def _is_field(name: str, failure: _Failure) -> bool:
    """Whether a name that a value is asked for by is that of a field: no value of the log or of a test."""
    said, key = f"{failure.reproduction}\n{failure.logged}", re.escape(name)
    pair = rf"(?:[\[({{]\s*[\[({{]|\b(?:Map\.of|entry|put|set|insert)\()\s*[\"']{key}[\"']\s*,"
    named = rf"(?<![\w.-]){key}[\"']?\s*(?:[:=]|=>)"
    if re.search(f"{named}|{pair}", said, re.IGNORECASE):
        return True
    return _plain(name) not in failure.tested and not _in_log(name, failure.logged)


def _expected_answer(
    comparison: Comparison, old: Sequence[Comparison], known: frozenset[str] | set[str], failure: _Failure
) -> str:
    """Return what the reproduction expects, where a new comparison with its input answers just that."""
    if (
        comparison.how not in (How.EQUAL, How.PART)
        or _plain(comparison.literal) not in failure.tested - _EVERYWHERE - _COMMON
    ):
        return ""
    if any((each.literal, each.other) == (comparison.literal, comparison.other) for each in old):
        return ""
    asked = set(_NUMBER.findall(comparison.literal))
    for answer in comparison.answers:
        numbers = set(re.findall(r"\d+(?:\.\d+)?", answer)) - asked
        own = any(len(each) > 1 and _is_rare(float(each)) for each in numbers)
        if own and answer not in known and _plain(answer) in failure.tested:
            return "" if _answered_before(old, comparison) else answer
    return ""


def _answered_before(old: Sequence[Comparison], new: Comparison) -> bool:
    """Whether the same thing was told apart by several other literals there: a list that lacked one."""
    others = {
        each.literal for each in old if (each.other, each.scope) == (new.other, new.scope) and each.answers
    }
    return len(others - _EVERYWHERE) >= _FEWEST_CASES


def _said(comparison: Comparison) -> str:
    literal = repr(comparison.literal[:60])
    if comparison.how is How.DIGEST:
        return f"the code now treats one value otherwise that it names by its digest alone, {literal}"
    if comparison.how is How.LENGTH:
        return f"the code now treats values as long as that of the failure otherwise, {literal}"
    return f"the code now treats {literal}, a value of the failure itself, otherwise"


def _is_of_failure(comparison: Comparison, failure: _Failure) -> bool:
    """Whether a comparison tells the value of the failure from others."""
    numbers = comparison.numbers
    if comparison.how is How.RANGE:
        low, high = numbers
        inside = {each for each in failure.numbers if low <= each <= high}
        return low == high in inside or any(_is_close(each, high - low) for each in inside)
    if comparison.how is How.MADE:
        parts = r"\D{1,3}0*".join(f"{each:.0f}" for each in numbers)
        pattern = rf"(?<!\d)0*{parts}(?!\d)"
        return any(re.search(pattern, text) for text in (failure.said, failure.reproduction))
    if comparison.how is How.PART:
        return False
    if comparison.how is How.DIGEST:
        return len(comparison.literal.strip()) >= _SHORTEST and _is_particular(comparison)
    if comparison.how is How.LENGTH:
        length = number(comparison.literal)
        as_long = isinstance(length, int) and length >= _SHORTEST_CUT and length in failure.lengths
        return as_long or _is_said(comparison, failure)
    return _is_said(comparison, failure)


def _is_said(comparison: Comparison, failure: _Failure) -> bool:
    if not _is_particular(comparison):
        return False
    forms = _forms(comparison)
    if comparison.how is How.PATTERN and fits(comparison.literal, failure.words):
        return True
    is_tested = not failure.tested.isdisjoint(map(_plain, forms)) or _says_again(comparison, failure)
    return is_tested or any(_in_log(form, failure.said) for form in forms)


def _says_again(comparison: Comparison, failure: _Failure) -> bool:
    """Whether a value is that of the failure in other words: in the smaller coin, or with more around it."""
    literal = _plain(comparison.literal)
    if comparison.is_number:
        return literal.isdigit() and len(literal) >= _SHORTEST and int(literal[:20]) in failure.cents
    if not _WHOLE < len(literal) < _LONGEST:
        return False
    return any(len(each) >= _WHOLE and re.search(r"\d", each) and each in literal for each in failure.tested)


def _is_treated(put: Treatment, failure: _Failure) -> bool:
    """Whether a value is of the failure: all of a word of the log, or a literal of the reproduction."""
    asked = Comparison(put.literal, put.is_number, "", "", put.line, plain=True)
    literal = put.literal.strip()
    if not _is_particular(asked) or len(literal) > _LONGEST:
        return False
    whole = rf"(?<![\w.+-]){re.escape(literal)}(?![\w+-]|\.\w)"
    return _plain(literal) in failure.tested or re.search(whole, failure.said, re.IGNORECASE) is not None


def _is_made_for(put: Treatment, failure: _Failure, known: frozenset[str] | set[str]) -> bool:
    """Whether the table of an entry is new, and has no other entries than those of the failure."""
    entries = [replace(put, literal=key) for key in put.keys]
    return all(each.literal not in known and _is_treated(each, failure) for each in entries)


def _is_close(value: float, width: float) -> bool:
    """Whether a range of that width about a value is no range of anybody's."""
    widest = value / _NEAR if value >= _SPARSE else _NARROW
    return 0 < width <= widest and _is_rare(value)


def _is_rare(value: float) -> bool:
    return _ROUND.fullmatch(f"{value:g}") is None


def _with_known_cases(
    new: Sequence[Comparison], old: Sequence[Comparison]
) -> frozenset[tuple[str, str, int]]:
    """Return the places that compare with several values, of which one was told apart there before."""
    known = {(each.scope, each.literal) for each in old if _is_particular(each)}
    return frozenset(
        (each.other, each.scope, each.line) for each in new if (each.scope, each.literal) in known
    )


def _compared_before(old: Sequence[Comparison], new: Comparison) -> bool:
    """Whether the same thing was compared with other particular literals in that function before."""
    return bool(new.other) and any(
        each.other == new.other and each.scope == new.scope and _is_particular(each) and not _is_form(each)
        for each in old
    )


def _is_form(comparison: Comparison) -> bool:
    """Whether it is a pattern for many values, which tells none of them from others."""
    return comparison.how is How.PATTERN and re.search(r"[\[\\*+{]", comparison.literal) is not None


def _names_a_kind(comparison: Comparison) -> bool:
    return not comparison.is_number and re.fullmatch(r"[a-z]{1,5}", comparison.literal.strip()) is not None


def _is_particular(comparison: Comparison) -> bool:
    """Whether a literal is a value of somebody's data, and not one that code asks for everywhere."""
    literal = comparison.literal.strip()
    if comparison.is_number:
        is_status = _STATUS.fullmatch(literal) and _STATUS_NAME.search(comparison.other)
        return not is_status and _ROUND.fullmatch(literal.rstrip("lLfFdDn").removesuffix(".0")) is None
    if len(literal) < _SHORTEST or literal.casefold() in _COMMON or not re.search(r"\w", literal):
        return False
    if _DAY_ENDS.fullmatch(literal):
        return False
    return not (_SYSTEM.fullmatch(literal) and _ERROR_NAME.search(comparison.other))


def _forms(comparison: Comparison) -> tuple[str, ...]:
    """Return what a log may say for a literal: a number has other words for itself."""
    literal = comparison.literal.strip()
    if comparison.is_number:
        with contextlib.suppress(ValueError):
            return (literal, str(int(literal.rstrip("lLnu"), 0)))
        with contextlib.suppress(ValueError, OverflowError):
            if float(literal).is_integer():
                return (literal, str(int(float(literal))))
    return (literal,)


def _in_log(literal: str, logged: str) -> bool:
    """Whether a log says a literal as a word of its own, or as that end of one which only it has."""
    if not 0 < len(literal) < _LONGEST:
        return False
    words = re.escape(literal)
    begins, ends = rf"(?<!\w){words}", rf"{words}(?!\w)"
    patterns = [rf"{begins}(?!\w)"]
    if len(literal) >= _SHORTEST_PHRASE and _PHRASE.search(literal):
        patterns.append(begins)
    if len(literal) > _SHORTEST and re.search(r"\d", literal):
        if len(literal) >= _SHORTEST_CUT or not re.match(r"\w", literal[-1]):
            patterns.append(begins)
        if len(literal) >= _SHORTEST_CUT or not re.match(r"\w", literal[0]):
            patterns.append(ends)
    if _CUT_NUMBER.fullmatch(literal):
        patterns.append(rf"{begins}(?=\d)")
    if literal.isdecimal() and len(literal) >= _FEWEST_CUT and _is_rare(float(literal)):
        patterns.append(rf"(?<=\d){ends}")
    return any(re.search(pattern, logged, re.IGNORECASE) for pattern in patterns)
