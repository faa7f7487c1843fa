"""Walks through a script: judges each command, what it starts, and what that leaves for those after it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ai_ops.core.commands import programs
from ai_ops.core.commands.call import Call
from ai_ops.core.commands.connecting import hosts
from ai_ops.core.commands.disguises import (
    RUNS_TEXT,
    argv_of,
    is_covered,
    is_open,
    is_open_script,
    is_open_text,
    is_plain,
)
from ai_ops.core.commands.expanding import MOST_VALUE, Field, expand
from ai_ops.core.commands.findings import Finding
from ai_ops.core.commands.judging import rules_of
from ai_ops.core.commands.keeping import (
    SCRIPTED,
    Known,
    found_by,
    is_dropped,
    positional,
    recipes,
    scripts_of,
)
from ai_ops.core.commands.outputs import decodes, printed
from ai_ops.core.commands.parts import Command, Kind, Word
from ai_ops.core.commands.passing import passed
from ai_ops.core.commands.piping import MOST_LINE, Pipe, reads_script, together
from ai_ops.core.commands.places import placed
from ai_ops.core.commands.reading import MOST_CHARACTERS, read, words_of
from ai_ops.core.commands.stores import MANAGERS, reaches_host
from ai_ops.core.commands.unwrapping import SHELLS, base, unwrap

_DEEPEST = 8
MOST_COMMANDS = 2000
_MOST_READ = 400_000
_MOST_ELEMENTS = 64
_MOST_SHOWN = 16_000
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)(\+?)=")
_REMOTE_SHELLS: Final = ("ssh", "su", "sudo", "chroot", "nsenter", "rsh", "fakeroot", "unshare")
_BUILDERS: Final = frozenset(
    {"make", "npm", "yarn", "pnpm", "pip", "pip3", "cargo", "go", "mvn", "gradle", "docker", "cmake"}
)
"""Programs that run what a folder says."""
_READS_TEXT: Final = SHELLS | {"eval", "su", "ssh", "watch"}
"""Programs for which a text is a script."""
_SOURCES: Final = ("source", ".")
_MAKES: Final = ("make", "gmake")


@dataclass(slots=True)
class Budget:
    """How much may still be read and judged, all readings inside each other together.

    What starts what it starts itself can be written so that its readings multiply: a few thousand characters
    would keep the reader busy for hours. Where the budget ends, ``too_long`` says so.
    """

    commands: int = MOST_COMMANDS
    characters: int = _MOST_READ
    spent: bool = False

    def allows(self, characters: int) -> bool:
        """Take characters that are to be read; False when they are too many."""
        self.characters -= characters
        self.spent = self.spent or self.characters < 0
        return self.characters >= 0


@dataclass(slots=True)
class Walk:
    """The state of a reading: what is known of variables, files, functions and the folder."""

    found: dict[str, Finding] = field(default_factory=dict)
    hosts: dict[str, None] = field(default_factory=dict)
    known: Known = field(default_factory=Known)
    decoded: bool = False
    budget: Budget = field(default_factory=Budget)

    def note(self, rule: str, text: str, *, obfuscated: bool = False) -> None:
        """Keep a finding, the first of its rule; it is disguised where any of that rule is."""
        shown = text.replace("\u00a0", " ").strip()
        known = self.found.setdefault(rule, Finding(rule, shown[:_MOST_SHOWN], obfuscated))
        if obfuscated and not known.obfuscated:
            self.found[rule] = replace(known, obfuscated=True)

    def script(self, text: str, depth: int, *, hidden: bool = False) -> Pipe:
        """Judge a script; return what its last command hands on."""
        pipe = Pipe()
        if depth > _DEEPEST:
            self.note("hidden_command", text)
            return pipe
        if not self.budget.allows(min(len(text), MOST_CHARACTERS)):
            return pipe
        befores: list[Pipe] = []
        pipes: list[Pipe] = []
        for command in read(text.replace("\u00a0", " ")):
            self.budget.commands -= 1
            if self.budget.commands < 0:
                self.budget.spent = True
                break
            before = Pipe()
            if command.piped:
                before = together(pipes[-command.writers :])
                pipes[-command.writers :] = [Pipe()] * len(pipes[-command.writers :])  # it is read once
            elif command.shares >= 0 and reads_script(command):
                before = befores[command.shares]
            pipe = self._command(command, before, depth, hidden)
            befores.append(before)
            pipes.append(pipe)
        return pipe

    def _command(self, command: Command, before: Pipe, depth: int, hidden: bool) -> Pipe:
        if command.defines:
            self._define(command)
            return Pipe()
        self.decoded = before.decoded
        for word in (*command.words, *(redirect.target for redirect in command.redirects)):
            self._substitutions(word, depth)
        words, own = self._assignments(command.words, depth)
        fields = [each for word in words for each in self._expanded(word, depth)]
        given, reads, writes, source = self._redirects(command, before, depth)
        if not fields:
            self.known.variables.update(own)
            fields = [Field(":")]
        argv, disguised = argv_of(fields)
        if disguised:
            self.note("obfuscated", " ".join(each.text for each in fields))
        self.decoded = self.decoded or any(map(self.known.holds_decoded, words))
        if self.decoded and (base(argv[0]) in RUNS_TEXT or (words and not is_plain(words[0]))):
            self.note("obfuscated", " ".join((*before.argv, "|", *argv) if before.argv else argv))
        call = Call(
            argv[0],
            argv[1:],
            given,
            source,
            self.known.folder,
            writes,
            reads,
            own,
            endless=command.endless,
            behind=command.behind,
            before=before.line,
        )
        if command.behind and any(
            part.text == "0" for word in words for part in word if part.kind is Kind.VARIABLE
        ):
            self.note("resource_exhaustion", " ".join(argv))
        covered = hidden or (bool(words) and is_covered(words, fields))
        self._judge(call, depth, covered)
        if self.known.bodies.get(call.name) and depth < _DEEPEST:
            self._calls(call, command, depth)
        self.known.keep(call)
        output = printed((call.name, *call.args), given)
        if output is not None:
            self.known.files.update(dict.fromkeys(writes, output))
        argv = (base(call.name), *call.args)
        line = f"{before.line} | {call.text}" if before.line else call.text
        return Pipe(argv, output, before.decoded or decodes(argv), line[:MOST_LINE])

    def _define(self, command: Command) -> None:
        name, body = command.defines, command.body
        self.known.bodies[name] = body
        calls = rf"(^|[\s;{{|&]){re.escape(name)}(?=[\s;|&}}]|$)"
        if re.search(rf"{calls}\s*\|\s*{re.escape(name)}", body) or re.search(rf"{calls}\s*&", body):
            self.note("resource_exhaustion", f"{name}() {{{body}}}")

    def _calls(self, call: Call, command: Command, depth: int) -> None:
        body = self.known.bodies[call.name]
        kept = dict(self.known.variables)
        self.known.variables.update(positional(call.args))
        self.known.bodies[call.name] = ""  # once is enough
        self.script(body, depth + 1, hidden=body.endswith('"$@"'))
        self.known.variables = kept

    def _substitutions(self, word: Word, depth: int) -> None:
        for part in word:
            if part.kind in (Kind.COMMAND, Kind.PROCESS):
                kept = dict(self.known.variables), self.known.folder
                self.script(part.text, depth + 1)
                self.known.variables, self.known.folder = kept
            elif part.kind is Kind.ARRAY and depth <= _DEEPEST and self.budget.allows(len(part.text)):
                for inner in words_of(part.text):
                    self._substitutions(inner, depth + 1)
            elif part.kind is Kind.VARIABLE and "$(" in part.text:
                self.script(part.text[part.text.index("$(") + 2 :].rstrip(")}"), depth + 1)

    def _assignments(self, words: Sequence[Word], depth: int) -> tuple[Sequence[Word], dict[str, str]]:
        """Take the assignments before a command off it; return the rest and them."""
        own: dict[str, str] = {}
        while words and words[0] and words[0][0].kind is Kind.TEXT and not words[0][0].quoted:
            found = _ASSIGNED.match(words[0][0].text)
            if not found:
                break
            head = words[0][0]
            before = own if found[1] in own else self.known.variables
            if words[0][-1].kind is Kind.ARRAY:
                kept = before.get(f"{found[1]}[@]", "").split() if found[2] else []
                own.update(self._array(found[1], words[0][-1].text, depth, kept))
                words = words[1:]
                continue
            rest = (type(head)(head.kind, head.text[found.end() :]), *words[0][1:])
            value = before.get(found[1], "") if found[2] else ""
            value += " ".join(each.text for each in self._expanded(rest, depth))
            own[found[1]] = value[:MOST_VALUE]
            self.known.decode(found[1], made=self.decoded)
            self.budget.spent = self.budget.spent or len(value) > MOST_VALUE
            words = words[1:]
        return words, own

    def _array(self, name: str, text: str, depth: int, before: Sequence[str]) -> dict[str, str]:
        """Return what the elements of an array are known as; ``before`` are those that it had."""
        values = [*before]
        values += [each.text for word in words_of(text) for each in self._expanded(word, depth)]
        joined = " ".join(values)[:MOST_VALUE]
        numbered = {f"{name}[{at}]": value for at, value in enumerate(values[:_MOST_ELEMENTS])}
        return {name: values[0] if values else "", f"{name}[@]": joined, f"{name}[*]": joined, **numbered}

    def _expanded(self, word: Word, depth: int) -> list[Field]:
        return expand(word, self.known.variables, lambda text: self._output(text, depth))

    def _output(self, text: str, depth: int) -> str | None:
        """Return what a substituted command prints; it is judged elsewhere."""
        return self._printed(text, depth).text

    def _printed(self, text: str, depth: int) -> Pipe:
        if depth > _DEEPEST:
            return Pipe()
        aside = Walk(
            known=Known(variables=dict(self.known.variables), files=self.known.files), budget=self.budget
        )
        pipe = aside.script(text, depth + 1)
        self.decoded = self.decoded or pipe.decoded
        return pipe

    def _redirects(
        self, command: Command, before: Pipe, depth: int
    ) -> tuple[str | None, tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        given, reads, writes, source = before.text, [], [], before.argv
        for redirect in command.redirects:
            text = " ".join(each.text for each in self._expanded(redirect.target, depth))
            if redirect.operator in ("<<", "<<<"):
                given = text
            elif redirect.operator in ("<", "<>", "<&"):
                reads.append(text)
                made = next((part.text for part in redirect.target if part.kind is Kind.PROCESS), None)
                if made is None:
                    given = self.known.files.get(text, given)
                else:
                    pipe = self._printed(made, depth)
                    given, source = pipe.text, pipe.argv
            elif not re.fullmatch(r"\d+|-", text):
                writes.append(text)
        return given, tuple(reads), tuple(writes), source

    def _judge(self, call: Call, depth: int, hidden: bool) -> None:
        """Judge a command, what it starts, and what those start."""
        if not self.budget.allows(sum(map(len, call.args))):
            return
        named = self.known.on_list(replace(call, name=base(call.name), path=call.name))
        self.hosts.update(dict.fromkeys(hosts(named)))
        for name in rules_of(named):
            self.note(name, named.text, obfuscated=hidden)
        self._opens(named, call.name, depth)
        self._stdin(named, depth)
        for text in (*programs.shell_texts(programs.code_of(named)), *programs.started_texts(named)):
            self.script(text, depth + 1, hidden=hidden)
        if depth >= _DEEPEST:
            return
        if argv := programs.passed_on(named):
            self._judge(self._started(named, argv, "code"), depth + 1, hidden)
        inners = unwrap((call.name, *call.args)) or passed((call.name, *call.args))
        for inner in inners:
            if inner.how in _READS_TEXT and is_open_text(inner.text):
                self.note("hidden_command", call.text)
            if inner.text:
                kept = self.known.variables
                if inner.argv:
                    self.known.variables = kept | positional(inner.argv[1:]) | {"0": inner.argv[0]}
                self.script(inner.text, depth + 1, hidden=hidden)
                self.known.variables = kept if inner.argv else self.known.variables
            elif inner.argv:
                self._judge(self._started(named, inner.argv, inner.how), depth + 1, hidden)

    def _started(self, outer: Call, argv: tuple[str, ...], how: str) -> Call:
        if how == "xargs":
            mark = outer.value("-I", "--replace") or ("{}" if outer.has("-i") else "")
            given = outer.given.strip() if outer.given is not None else "$item"
            split = given.split("\0") if outer.has("-0", "--null") else given.split()
            if outer.given is None:
                split = list(found_by(outer.source, outer.folder, argv[0]))
                given = split[0] if split else given
            argv = tuple(arg.replace(mark, given) for arg in argv) if mark else (*argv, *split)
        elif how == "find" and (found := found_by((base(outer.name), *outer.args), outer.folder, argv[0])):
            argv = tuple(found[0] if arg == "{}" else arg for arg in argv)
        source = (outer.name, *outer.args) if how == "find" else outer.source
        how = outer.how if how in ("env", "nice", "nohup", "timeout", "command") and outer.how else how
        return replace(outer, name=argv[0], args=argv[1:], source=source, writes=(), how=how)

    def _opens(self, call: Call, name: str, depth: int) -> None:
        """Judge a command whose name is open, or which is a file that is known."""
        if is_open(name) and call.args[:1] not in (("=",), ("in",)):  # PowerShell's
            fetched = re.match(r"\$\((curl|wget)", name)
            self.note("remote_code" if fetched else "hidden_command", call.text)
        runs = [name] + (
            list(call.plain[:1])
            if call.name
            in (*SHELLS, "source", ".", "python", "python3", "perl", "node", "ruby", "php", "java")
            else []
        )
        if call.name in _MAKES:
            runs += [call.value("-f", "--file", "--makefile") or "Makefile"]
        if call.name in programs.COMPILES:
            runs += [arg for arg in call.plain if arg.removeprefix("./") in self.known.files]
        for path in (placed(each, self.known.folder) for each in runs):
            if self.known.is_fetched(path):
                self.note("remote_code", f"{call.text} ({path})")
        if call.name in SCRIPTED and depth < _DEEPEST:
            for script in scripts_of(self.known.files.get("package.json", "")):
                self.script(script, depth + 1)
        if any(map(is_dropped, (call.path, *runs[1:]))):
            self.note("hidden_command", call.text)
        if manifest := self._manifest(call):
            self.note("container_escape", manifest)
        if call.name in _BUILDERS and any(map(self.known.is_fetched, (call.folder, *call.paths(call.plain)))):
            self.note("remote_code", call.text)
        if call.name in (*SHELLS, *_SOURCES) and depth < _DEEPEST:
            for arg in call.args:
                if not _is_substituted(arg):
                    continue
                if text := self._output(arg[2:-1].replace("\u00a0", " "), depth):
                    self.script(text, depth + 1)
                elif call.plain[:1] == (arg,) and is_open_script(arg):
                    self.note("hidden_command", call.text)
        for each in runs:
            if (written := self.known.files.pop(each.removeprefix("./"), None)) is not None:
                self._written(call.name, written)

    def _manifest(self, call: Call) -> str:
        """Return the description of containers that a command is given, where one reaches the host."""
        if call.name not in MANAGERS:
            return ""
        files = (self.known.files.get(path.removeprefix("./"), "") for path in call.plain)
        return next((text for text in (call.given or "", *files) if reaches_host(text)), "")

    def _written(self, name: str, text: str) -> None:
        """Judge a file that was written before and is run now, as its interpreter would."""
        named = re.match(r"#!\s*\S*?(?:/env\s+)?([\w.-]+)\s*$", text.partition("\n")[0])
        if name in _MAKES:
            text = recipes(text)
        call = programs.with_code(base(named[1]) if named else name, text)
        if call is None:
            self.script(text, 2)
        else:
            self._judge(call, 2, hidden=True)

    def _stdin(self, call: Call, depth: int) -> None:
        """Judge what a shell reads."""
        if call.name in _REMOTE_SHELLS and call.given is not None and depth < _DEEPEST:
            self.script(call.given, depth + 1)
        if call.name not in (*SHELLS, *_SOURCES) or not (call.source or call.given) or call.has("-c"):
            return
        reads = call.plain[:1] in (("-",), ("/dev/stdin",), ("/dev/fd/0",), ("/proc/self/fd/0",))
        if not reads and (call.plain or call.name in _SOURCES) and not call.has("-s"):
            return
        if call.given is not None and depth < _DEEPEST:
            self.script(call.given, depth + 1)
        elif call.source and not self.found.keys() & {"remote_code", "reverse_shell"}:
            self.note("hidden_command", f"{' '.join(call.source)} | {call.text}")


def _is_substituted(arg: str) -> bool:
    """Whether a word is one substitution from its beginning to its end; ``$(a)/b`` names a file."""
    depth = 0
    for at, letter in enumerate(arg if arg.startswith("$(") else ""):
        depth += (letter == "(") - (letter == ")")
        if letter == ")" and depth == 0:
            return at == len(arg) - 1
    return False
