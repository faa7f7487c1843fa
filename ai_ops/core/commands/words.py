"""Finds the commands in a person's words: in fences, in backticks, on lines of their own, after ``run``.

A download is found at any word of a sentence: what is piped into a shell seldom stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from ai_ops.core.commands.analysis import Budget, analyse
from ai_ops.core.commands.asking import asked
from ai_ops.core.commands.findings import Finding
from ai_ops.core.commands.places import is_credential, is_secret_file, placed, written_rule
from ai_ops.core.commands.prose import LIKE_SHELL, commands_within

_FENCE = re.compile(r"^[ \t]*(```|~~~)[^\n]*\n(.*?)(?:^[ \t]*\1|\Z)", re.MULTILINE | re.DOTALL)
_TICKS = re.compile(r"`([^`\n]{2,500})`")
_ORDER = re.compile(
    r"(?:\b(?:run|execute|exec|type|enter|invoke|call|command(?: is)?)\b:?\s+|(?:执行|运行)[:：]?\s*)"
    r"([^\n]{2,500})",
    re.IGNORECASE,
)
_PROMPT = re.compile(r"^\s*(?:[$#>]|\w+@[\w.-]+[:~][^$#\n]*[$#])\s+")
_MOST: Final = 2000
_MOST_WITHIN: Final = 800
"""As many commands within sentences are looked at: nobody writes more, and each costs a millisecond."""
_MOST_READ: Final = 1_500_000  # a log that was pasted in is long, and no reason to ask
_PLAIN = re.compile(
    r"""\b(delete|remove|wipe|erase|destroy|drop|purge|overwrite|format)\b [^.\n]{0,30}
    (\b(all|every|everything|entire|whole)\b [^.\n]{0,40} \b(disk|drive|server|machine|host|home|root|system
    |production|prod|databases?|backups?|repositor(y|ies)|history|branches|logs)\b
    | \b(production|prod)\b\s+(database|db|data|cluster|bucket|server))
    | \b(disable|switch\ off|turn\ off|stop|clear|delete)\b [^.\n]{0,25}
    \b(audit(ing|\ log)?|firewall|selinux|antivirus|sandbox|monitoring)\b
    | \b(send|upload|post|copy|leak|mail|exfiltrate)\b [^.\n]{0,50}
    (\.env\b|\b(private|ssh|api)\ keys?\b|\bcredentials\b|\bpasswords\b|\bsecrets\b) [^.\n]{0,40} \b(to|at)\b
    | \breverse\ shell\b | \bbackdoor\b""",
    re.VERBOSE | re.IGNORECASE,
)
_FETCHED = re.compile(
    r"""\b(download|fetch|get|grab|pull|save|curl|wget)\b [^\n]{0,80}? https?://\S+ [^\n]{0,60}?
    \b(and|then)\s (then\s)? (run|execute|start|launch|source|eval)\s
    (it|that|them|the\s(script|installer|binary|program|file)(?!\s\S*[/.]\w))\b
    | https?://\S+ [^\n]{0,60}? \bpip(e|ed|ing)\b [^.\n]{0,40}?
    \b(to|into|through)\s (a\s)? (sudo\s)? (sh|bash|zsh|shell|python3?|perl|node)\b
    | \b(run|execute|source|eval|start)\b [^.\n]{0,30}?
    \b(script|installer|code|binary|program)\s (at|from|behind|under)\s https?://""",
    re.VERBOSE | re.IGNORECASE,
)
"""Has something downloaded and run, in words alone."""
_TELLS = re.compile(
    r"\b(why|explain|how|what|whether|test|tests|detect|refuse|block|prevent|never|not|docs?|document)\b",
    re.I,
)


def commands_in(text: str) -> Iterator[str]:
    """Yield what may be a command in a text; at most 2,000 pieces are looked at."""
    seen: set[str] = set()
    for piece in _pieces(text):
        piece = piece.strip()
        if piece and piece not in seen:
            seen.add(piece)
            yield piece
        if len(seen) >= _MOST:
            return


def _pieces(text: str) -> Iterator[str]:
    for found in _FENCE.finditer(text):
        yield found[2]
    rest = _FENCE.sub("\n", text)
    for pattern in (_TICKS, _ORDER):
        for found in pattern.finditer(rest):
            yield found[1].strip("'\"`")
    prose = _TICKS.sub(" ", rest)
    for line in prose.splitlines():
        typed = _PROMPT.sub("", line)
        if typed != line or LIKE_SHELL.search(line):
            yield typed.strip("'\" ")
    yield from islice(commands_within(prose), _MOST_WITHIN)


def judge_words(text: str) -> tuple[Finding, ...]:
    """Return what is dangerous in the words of a task, each rule once."""
    found: dict[str, Finding] = {}
    budget = Budget(characters=_MOST_READ)
    for command in commands_in(text):
        for finding in analyse(command, budget):
            if finding.rule != "hidden_command":  # words hold variables and code of every kind
                found.setdefault(finding.rule, finding)
    for pattern in (_PLAIN, _FETCHED):
        plain = pattern.search(text)
        if plain and not _TELLS.search(text[max(0, plain.start() - 60) : plain.start()]):
            found.setdefault("dangerous_words", Finding("dangerous_words", plain[0]))
    if order := asked(text):
        found.setdefault("dangerous_words", Finding("dangerous_words", order))
    return tuple(found.values())


def judge_path(path: str, *, writes: bool) -> tuple[Finding, ...]:
    """Return what is dangerous in reading or writing a file; ``path`` is relative to the checkout."""
    known = placed(path, ".")
    if writes:
        rule = written_rule(known)
    else:
        rule = "credential_read" if is_credential(known) or is_secret_file(known) else ""
    return (Finding(rule, path),) if rule else ()
