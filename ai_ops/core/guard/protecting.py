"""Rules about protection that a change takes away: who may do something, and what makes a text harmless.

Uses are counted over the whole change, so that a call which is moved or renamed within its kind is free.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from tree_sitter import Node

from ai_ops.core.guard.findings import Change, Finding, Reader, Severity
from ai_ops.core.guard.resourced import has_other_source
from ai_ops.core.guard.suite import is_test
from ai_ops.core.guard.syntax import Tree
from ai_ops.core.guard.syntax.checks import LEAVES, checks
from ai_ops.core.guard.syntax.names import called, receiver
from ai_ops.core.guard.syntax.tree import Spot, field, spots, text, words
from ai_ops.core.guard.words import escapes, is_about_safety, validates

_STANDS_GUARD = re.compile(
    r"(?:require|ensure|check|verify|is|has|auth|csrf|protect|restrict|allow|permit|only|must|login|can)|.*(?:Guard|Middleware)\Z",
    re.IGNORECASE,
)
_PARSES = frozenset({"parse", "parseAsync", "safeParse", "validateSync", "load", "model_validate"})
_SCHEMA = re.compile(r"[sS]chema|[vV]alidator|\bz\.")
# Names that rules of validators have, and much else: they validate as marks, and in a chain of such rules.
_ORDINARY = frozenset(
    {"size", "min", "max", "pattern", "positive", "email", "valid", "isIn", "isArray", "isInt"}
)
_CHAIN = re.compile(
    r"\b(?:z|[jJ]oi|yup|v|t|body|param|query|header|check|field|string|number)\b\s*[.(]|[sS]chema|[vV]alidat"
)
_WEAKER = frozenset({"encodeURI"})  # leaves what separates the parts of an address
_DISABLES = re.compile(
    r"\bverify\s*=\s*False\b|\brejectUnauthorized\s*:\s*false|\bInsecureSkipVerify\s*:\s*true|\bautoescape\s*=\s*False"
    r"|\bNODE_TLS_REJECT_UNAUTHORIZED\b|\bdanger_accept_invalid_(?:certs|hostnames)\(\s*true|\bdangerouslySetInnerHTML\b"
    r"|\.(?:inner|outer)HTML\s*=(?!=)|\bbypassSecurityTrust\w+|\bmark_safe\(|\|\s*safe\b|\btemplate\.HTML\("
    r"|\bcsrf\(\s*\)\s*\.\s*disable\b|\bcsrf_exempt\b|\bpermitAll\(\s*\)|\banyRequest\(\)\s*\.\s*permitAll\b"
    r"|\bCERT_NONE\b|\b_create_unverified_context\b|\bcheck_hostname\s*=\s*False|\bNoopHostnameVerifier\b"
    r"|\bTrustAll\w*|\bALLOW_ALL_HOSTNAME_VERIFIER\b|\bshell\s*=\s*True\b|\bInsecureRequestWarning\b"
    r"|\bnoVerify\s*:\s*true|\bignoreExpiration\s*:\s*true|[\"']alg(?:orithms?)?[\"']?\s*:\s*\[?\s*[\"']none[\"']"
    r"|\bverify_signature[\"']?\s*[:=]\s*False|\bVersion(?:TLS1[01]|SSL30)\b|\bPROTOCOL_(?:TLSv1(?:_1)?|SSLv[23])\b"
    r"|[\"'](?:TLSv1(?:[._][01])?|SSLv[23])[\"']|\bTLSVersion\.(?:TLSv1(?:_1)?|SSLv3)\b"
)


_STRAIGHTENS = frozenset({"normalize", "toRealPath", "getCanonicalPath", "getCanonicalFile", "Clean"})
# Which may stand for those, and protect nothing by themselves.
_IN_THEIR_PLACE = frozenset({"resolve", "Abs", "EvalSymlinks", "abspath", "absolute"})
# What takes the parts out of a path, and does not ask where its links lead: never in the place of what does.
_BY_WORDS = (_STRAIGHTENS | _IN_THEIR_PLACE) - {"toRealPath"}
_NESTED = "nested"
_PATH = re.compile(r"[pP]ath|[fF]ile|\bresolve(?:Sibling)?\(")
_Use = tuple[str, str]
_Uses = dict[_Use, list[str]]
_SAID = {
    "authorization_removed": "what asks who may do this is gone",
    "escaping_removed": "what makes a text harmless is gone",
    "check_removed": "what validates is gone",
}


def removed_protection(change: Change) -> Iterator[Finding]:
    """Find calls and marks about permission, that escape and that validate, which are gone."""
    before, after = _counted(change, change.base), _counted(change, change.after)
    for rule, said in _SAID.items():
        gone = [
            use
            for use in before
            if use[0] == rule and use[1] not in _IN_THEIR_PLACE and len(before[use]) > len(after.get(use, ()))
        ]
        left_over = 0
        for by_words in (False, True):
            lost = [use for use in gone if (use[1] in _BY_WORDS) is by_words]
            less = sum(len(before[use]) - len(after.get(use, ())) for use in lost)
            new = left_over + sum(
                max(0, _more(use, before, after))
                for use in after
                if use[0] == rule and use[1] not in _WEAKER and (use[1] in _BY_WORDS) is by_words
            )
            left_over = max(0, new - less)
            if less > new:
                yield from (_lost(change, use, said, before[use]) for use in lost if use[1])


def _lost(change: Change, use: _Use, said: str, places: list[str]) -> Finding:
    rule, name = use
    other = rule == "check_removed" and all(has_other_source(change, each, name) for each in set(places))
    severity = Severity.WARNING if other else Severity.BLOCKED
    return Finding(rule, places[0], f"{said}: {name}", severity)


def _more(use: _Use, before: _Uses, after: _Uses) -> int:
    """Return how many more there are of a use; one that only lost the call around it is not new."""
    more = len(after[use]) - len(before.get(use, ()))
    if use[1] not in _BY_WORDS:
        return more
    nested = (_NESTED, use[1])
    return min(more, more + len(after.get(nested, ())) - len(before.get(nested, ())))


def _counted(change: Change, reader: Reader) -> _Uses:
    """Return the files in which each use stands, as often as it does; checks of the code have no name."""
    found: _Uses = {}
    for file in change.files:
        source = change.text(reader, file.path)
        if source is None or file.is_binary or is_test(change, file.path):
            continue
        if (tree := change.tree(file.path, source)) is None:
            continue
        refusing = sum(1 for check in checks(tree) if check.raises != LEAVES)
        for use in (*_uses(tree), *[("check_removed", "")] * refusing):
            found.setdefault(use, []).append(file.path)
    return found


def _uses(tree: Tree) -> Iterator[tuple[str, str]]:
    dialect = tree.dialect
    for spot in spots(tree.root):
        node = spot.node
        if node.type in dialect.marks:
            if is_about_safety(name := words(node)):
                yield "authorization_removed", name[:80]
            elif validates(marked := _marked(node)):
                yield "check_removed", marked
        elif node.type == "token_tree":
            yield from (("escaping_removed", name) for name in _in_macro(node) if escapes(name))
        elif node.type in dialect.calls:
            name = called(node)
            if name in _BY_WORDS and _straightens(name, node) and _inside(spot, tree):
                yield _NESTED, name
            if (escapes(name) or _straightens(name, node)) and not _inside(spot, tree):
                yield "escaping_removed", name
            elif is_about_safety(name):
                yield "authorization_removed", name
            elif _validates(name, node) or (name in _PARSES and _SCHEMA.search(text(receiver(node)))):
                yield "check_removed", name
            for given in _handed(node):
                if _STANDS_GUARD.match(given) and is_about_safety(given):
                    yield "authorization_removed", given


def _straightens(name: str, call: Node) -> bool:
    """Whether a call takes from a path what leads out of its folder."""
    return name in _STRAIGHTENS | _IN_THEIR_PLACE and _PATH.search(text(call)[:500]) is not None


def _validates(name: str, call: Node) -> bool:
    return validates(name) and (name not in _ORDINARY or bool(_CHAIN.search(text(receiver(call))[:2000])))


def _marked(node: Node) -> str:
    """Return the name of a decorator or an annotation."""
    inner = next((each for each in spots(Spot(node)) if each.kind == "identifier"), None)
    return text(inner.node) if inner is not None else ""


def _inside(spot: Spot, tree: Tree) -> bool:
    """Whether a call that escapes is within another: what was escaped twice may be escaped once."""
    return any(above.kind in tree.dialect.calls and escapes(called(above.node)) for above in spot.around())


def _in_macro(tokens: Node) -> Iterator[str]:
    """Yield the names that are called inside a macro of Rust, whose inside is words to the grammar."""
    for name, given in pairwise(tokens.children):
        if name.type == "identifier" and given.type == "token_tree":
            yield text(name)


def _handed(node: Node) -> Iterator[str]:
    """Yield names that are handed to a call, as a route is given what has to pass first."""
    arguments = field(node, "arguments")
    for each in arguments.named_children if arguments is not None else ():
        if each.type == "identifier":
            yield text(each)


def disabled_protection(change: Change) -> Iterator[Finding]:
    """Find words that switch protection off."""
    for file in change.files:
        if is_test(change, file.path) or file.path.endswith((".md", ".rst", ".adoc")):
            continue
        known = {each.group() for _, line in file.removed_lines for each in _DISABLES.finditer(line[:2000])}
        for number, line in file.added_lines:
            if any(each.group() not in known for each in _DISABLES.finditer(line[:2000])):
                yield Finding("protection_disabled", f"{file.path}:{number}", "protection is switched off")
