"""Rules about protection that a change takes away: who may do something, and what makes a text harmless.

Uses are counted over the whole change, so that a call which is moved or renamed within its kind is free.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from tree_sitter import Node

from ai_ops.core.guard.findings import Change, Finding
from ai_ops.core.guard.suite import is_test
from ai_ops.core.guard.syntax import Tree, read
from ai_ops.core.guard.syntax.names import called
from ai_ops.core.guard.syntax.tree import Spot, field, spots, text, words
from ai_ops.core.guard.words import escapes, is_about_safety

_DISABLES = re.compile(
    r"\bverify\s*=\s*False\b|\brejectUnauthorized\s*:\s*false|\bInsecureSkipVerify\s*:\s*true|\bautoescape\s*=\s*False"
    r"|\bNODE_TLS_REJECT_UNAUTHORIZED\b|\bdanger_accept_invalid_(?:certs|hostnames)\(\s*true|\bdangerouslySetInnerHTML\b"
    r"|\.(?:inner|outer)HTML\s*=(?!=)|\bbypassSecurityTrust\w+|\bmark_safe\(|\|\s*safe\b|\btemplate\.HTML\("
    r"|\bcsrf\(\s*\)\s*\.\s*disable\b|\bcsrf_exempt\b|\bpermitAll\(\s*\)|\banyRequest\(\)\s*\.\s*permitAll\b"
    r"|\bCERT_NONE\b|\b_create_unverified_context\b|\bcheck_hostname\s*=\s*False|\bNoopHostnameVerifier\b"
    r"|\bTrustAll\w*|\bALLOW_ALL_HOSTNAME_VERIFIER\b|\bshell\s*=\s*True\b|\bInsecureRequestWarning\b"
    r"|\bnoVerify\s*:\s*true|\bignoreExpiration\s*:\s*true|[\"']alg(?:orithms?)?[\"']?\s*:\s*\[?\s*[\"']none[\"']"
    r"|\bverify_signature[\"']?\s*[:=]\s*False"
)


def removed_protection(change: Change) -> Iterator[Finding]:
    """Find calls, decorators and conditions about permission, and calls that escape, which are gone."""
    before, after = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    places: dict[tuple[str, str], str] = {}
    for file in change.files:
        if file.is_binary or is_test(change, file.path):
            continue
        for found, reader in ((before, change.base), (after, change.after)):
            source = change.text(reader, file.path)
            tree = read(file.path, source) if source is not None else None
            for kind, name in _uses(tree) if tree else ():
                found[kind, name] += 1
                if found is before:
                    places.setdefault((kind, name), file.path)
    for rule, said in (
        ("authorization_removed", "what asks who may do this is gone"),
        ("escaping_removed", "what makes a text harmless is gone"),
    ):
        less = {key: n - after[key] for key, n in before.items() if key[0] == rule and n > after[key]}
        more = sum(n - before[key] for key, n in after.items() if key[0] == rule and n > before[key])
        if sum(less.values()) > more:
            for key in less:
                yield Finding(rule, places[key], f"{said}: {key[1]}")


def _uses(tree: Tree) -> Iterator[tuple[str, str]]:
    dialect = tree.dialect
    for spot in spots(tree.root):
        node = spot.node
        if node.type in dialect.marks:
            if is_about_safety(name := words(node)):
                yield "authorization_removed", name[:80]
        elif node.type == "token_tree":
            yield from (("escaping_removed", name) for name in _in_macro(node) if escapes(name))
        elif node.type in dialect.calls:
            name = called(node)
            if escapes(name) and not _inside(spot, tree):
                yield "escaping_removed", name
            elif is_about_safety(name):
                yield "authorization_removed", name
            for given in _handed(node):
                if is_about_safety(given):
                    yield "authorization_removed", given


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
