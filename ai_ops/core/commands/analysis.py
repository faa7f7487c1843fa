"""Reads a text as a shell would and finds what is dangerous in it, however it is wrapped or disguised.

Nothing is run. What cannot be known before is said to be so, and what is taken apart on the way (quotes,
escapes, variables, encodings, commands that start commands) is judged as what it comes to. It advises:
confinement is the sandbox's work.
"""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ai_ops.core.commands import (
    administering,
    clouds,
    credentials,
    deleting,
    exhausting,
    machine,
    packages,
    programs,
    repositories,
    sending,
    stores,
)
from ai_ops.core.commands.call import Call
from ai_ops.core.commands.connecting import hosts
from ai_ops.core.commands.expanding import MOST_VALUE, Field, expand
from ai_ops.core.commands.findings import Finding
from ai_ops.core.commands.keeping import fetched_by, lists_after, positional, variables_after
from ai_ops.core.commands.outputs import decodes, printed
from ai_ops.core.commands.parts import Command, Kind, Word
from ai_ops.core.commands.passing import WORTH_HIDING, passed
from ai_ops.core.commands.places import placed
from ai_ops.core.commands.reading import MOST_CHARACTERS, read, words_of
from ai_ops.core.commands.unwrapping import SHELLS, base, unwrap

_DEEPEST = 8
_MOST_COMMANDS = 2000
_MOST_READ = 400_000
_MOST_ELEMENTS = 64
_MOST_SHOWN = 16_000
_HIDDEN = re.compile(
    "[A-Za-z][\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\U000e0000-\U000e007f]+[A-Za-z]"
)
_ASSIGNED = re.compile(r"([A-Za-z_]\w*)\+?=")
_NAMED = re.compile(r"\$\{?(\w+)")
_NAMED_ALONE = re.compile(r"^\$\{?(\w+)\}?$")
_SETS_UP = re.compile(
    r"\$\((ssh-agent|direnv|pyenv|rbenv|nodenv|goenv|brew|/\S+/brew|starship|zoxide|dircolors|conda|mise|asdf|fnm|opam|luarocks|docker-machine"
    r"|minikube|register-python-argcomplete|rustup|npm|gh|kubectl|thefuck|atuin|jump|lesspipe|resize|setup-x-environment)"
    r"(\s[\w./=:-]+)*\)$"
)
"""What prints the settings of a shell, to be evaluated there."""
_OPEN_NAME = re.compile(r"\$([a-z_]\w*|[0-9@*])$|[a-z]\$[^/]*$")
_RUNS_TEXT: Final = SHELLS | {
    "eval",
    "source",
    ".",
    "python",
    "python3",
    "perl",
    "node",
    "ruby",
    "php",
    "exec",
    "xargs",
}
_REMOTE_SHELLS: Final = ("ssh", "su", "sudo", "chroot", "nsenter", "rsh", "fakeroot", "unshare")
_BUILDERS: Final = frozenset({"make", "npm", "yarn", "pnpm", "pip", "pip3", "cargo", "go", "mvn", "gradle", "docker", "cmake"})
"""Programs that run what a folder says."""
_SOURCES: Final = ("source", ".")
_RULES: Final = (
    deleting.deletions,
    deleting.disks,
    deleting.rights,
    administering.administration,
    administering.attacks,
    sending.shells,
    sending.downloads,
    sending.leaks,
    credentials.credentials,
    machine.later,
    machine.traces,
    machine.stops,
    exhausting.exhaustion,
    packages.packages,
    repositories.repositories,
    clouds.infrastructure,
    stores.containers,
    stores.databases,
    programs.programs,
    programs.options,
)


def analyse(text: str, budget: Budget | None = None) -> tuple[Finding, ...]:
    """Return what is dangerous in a shell command or script, each rule once, in the order of finding.

    ``budget`` holds the characters that may be read of several texts together.
    """
    budget = budget or Budget()
    budget.commands = _MOST_COMMANDS
    walk = _Walk(budget=budget)
    walk.script(text, 0)
    if len(text) > MOST_CHARACTERS or walk.budget.spent:
        walk.note("too_long", text)
    if _HIDDEN.search(text):
        walk.note("obfuscated", text)
    return tuple(walk.found.values())


def hosts_of(text: str) -> tuple[str, ...]:
    """Return the hosts that a shell command or script names, in the order of finding."""
    walk = _Walk()
    walk.script(text, 0)
    return tuple(walk.hosts)


@dataclass(slots=True)
class _Pipe:
    """What the command before hands on: its argv, its output where known, and whether it was decoded."""

    argv: tuple[str, ...] = ()
    text: str | None = None
    decoded: bool = False


@dataclass(slots=True)
class Budget:
    """How much may still be read and judged, all readings inside each other together.

    What starts what it starts itself can be written so that its readings multiply: a few thousand characters
    would keep the reader busy for hours. Where the budget ends, ``too_long`` says so.
    """

    commands: int = _MOST_COMMANDS
    characters: int = _MOST_READ
    spent: bool = False

    def allows(self, characters: int) -> bool:
        """Take characters that are to be read; False when they are too many."""
        self.characters -= characters
        self.spent = self.spent or self.characters < 0
        return self.characters >= 0


@dataclass(slots=True)
class _Walk:
    """The state of a reading: what is known of variables, files, functions and the folder."""

    found: dict[str, Finding] = field(default_factory=dict)
    hosts: dict[str, None] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, str] = field(default_factory=dict)
    fetched: set[str] = field(default_factory=set)
    listed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    folder: str = "."
    decoded: bool = False
    budget: Budget = field(default_factory=Budget)

    def note(self, rule: str, text: str, *, obfuscated: bool = False) -> None:
        """Keep a finding, the first of its rule; it is disguised where any of that rule is."""
        shown = text.replace("\u00a0", " ").strip()
        known = self.found.setdefault(rule, Finding(rule, shown[:_MOST_SHOWN], obfuscated))
        if obfuscated and not known.obfuscated:
            self.found[rule] = replace(known, obfuscated=True)

    def script(self, text: str, depth: int, *, hidden: bool = False) -> _Pipe:
        """Judge a script; return what its last command hands on."""
        pipe = _Pipe()
        if depth > _DEEPEST:
            self.note("hidden_command", text)
            return pipe
        if not self.budget.allows(min(len(text), MOST_CHARACTERS)):
            return pipe
        for command in read(text.replace("\u00a0", " ")):
            self.budget.commands -= 1
            if self.budget.commands < 0:
                self.budget.spent = True
                break
            pipe = self._command(command, pipe if command.piped else _Pipe(), depth, hidden)
        return pipe

    def _command(self, command: Command, before: _Pipe, depth: int, hidden: bool) -> _Pipe:
        if command.defines:
            self._define(command)
            return _Pipe()
        self.decoded = before.decoded
        for word in (*command.words, *(redirect.target for redirect in command.redirects)):
            self._substitutions(word, depth)
        words, own = self._assignments(command.words, depth)
        fields = [each for word in words for each in self._expanded(word, depth)]
        given, reads, writes, source = self._redirects(command, before, depth)
        if not fields:
            self.variables.update(own)
            fields = [Field(":")]
        argv = self._argv(fields, words, hidden)
        if self.decoded and (base(argv[0]) in _RUNS_TEXT or (words and not _is_plain(words[0]))):
            self.note("obfuscated", " ".join((*before.argv, "|", *argv) if before.argv else argv))
        call = Call(
            argv[0],
            argv[1:],
            given,
            source,
            self.folder,
            writes,
            reads,
            own,
            endless=command.endless,
            behind=command.behind,
        )
        if command.behind and any(
            part.text == "0" for word in words for part in word if part.kind is Kind.VARIABLE
        ):
            self.note("resource_exhaustion", " ".join(argv))
        covered = hidden or (bool(words) and _is_covered(words, fields))
        self._judge(call, depth, covered)
        if self.bodies.get(call.name) and depth < _DEEPEST:
            self._calls(call, command, depth)
        self._keep(call)
        output = printed((call.name, *call.args), given)
        if output is not None:
            self.files.update(dict.fromkeys(writes, output))
        return _Pipe((call.name, *call.args), output, before.decoded or decodes((call.name, *call.args)))

    def _define(self, command: Command) -> None:
        name, body = command.defines, command.body
        self.bodies[name] = body
        calls = rf"(^|[\s;{{|&]){re.escape(name)}(?=[\s;|&}}]|$)"
        if re.search(rf"{calls}\s*\|\s*{re.escape(name)}", body) or re.search(rf"{calls}\s*&", body):
            self.note("resource_exhaustion", f"{name}() {{{body}}}")

    def _calls(self, call: Call, command: Command, depth: int) -> None:
        body = self.bodies[call.name]
        kept = dict(self.variables)
        self.variables.update(positional(call.args))
        self.bodies[call.name] = ""  # once is enough
        self.script(body, depth + 1, hidden=body.endswith('"$@"'))
        self.variables = kept

    def _substitutions(self, word: Word, depth: int) -> None:
        for part in word:
            if part.kind in (Kind.COMMAND, Kind.PROCESS):
                kept = dict(self.variables), self.folder
                self.script(part.text, depth + 1)
                self.variables, self.folder = kept
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
            if words[0][-1].kind is Kind.ARRAY:
                own.update(self._array(found[1], words[0][-1].text, depth))
                words = words[1:]
                continue
            rest = (type(head)(head.kind, head.text[found.end() :]), *words[0][1:])
            value = " ".join(each.text for each in self._expanded(rest, depth))
            own[found[1]] = value[:MOST_VALUE]
            self.budget.spent = self.budget.spent or len(value) > MOST_VALUE
            words = words[1:]
        return words, own

    def _array(self, name: str, text: str, depth: int) -> dict[str, str]:
        """Return what the elements of an array are known as."""
        values = [each.text for word in words_of(text) for each in self._expanded(word, depth)]
        joined = " ".join(values)[:MOST_VALUE]
        numbered = {f"{name}[{at}]": value for at, value in enumerate(values[:_MOST_ELEMENTS])}
        return {name: values[0] if values else "", f"{name}[@]": joined, f"{name}[*]": joined, **numbered}

    def _expanded(self, word: Word, depth: int) -> list[Field]:
        return expand(word, self.variables, lambda text: self._output(text, depth))

    def _output(self, text: str, depth: int) -> str | None:
        """Return what a substituted command prints; it is judged elsewhere."""
        return self._printed(text, depth).text

    def _printed(self, text: str, depth: int) -> _Pipe:
        if depth > _DEEPEST:
            return _Pipe()
        aside = _Walk(variables=dict(self.variables), files=self.files, budget=self.budget)
        pipe = aside.script(text, depth + 1)
        self.decoded = self.decoded or pipe.decoded
        return pipe

    def _redirects(
        self, command: Command, before: _Pipe, depth: int
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
                    given = self.files.get(text, given)
                else:
                    pipe = self._printed(made, depth)
                    given, source = pipe.text, pipe.argv
            elif not re.fullmatch(r"\d+|-", text):
                writes.append(text)
        return given, tuple(reads), tuple(writes), source

    def _argv(self, fields: Sequence[Field], words: Sequence[Word], hidden: bool) -> tuple[str, ...]:
        first = fields[0]
        name = unicodedata.normalize("NFKC", first.text)
        if first.disguised or (name != first.text.replace("\u00a0", " ") and name.isascii()):
            self.note("obfuscated", " ".join(each.text for each in fields))
        if re.search(r"[?*\[]", name) and re.search(r"\w|/", name):
            known = next((one for one in WORTH_HIDING if fnmatch.fnmatchcase(one, base(name))), "")
            if known:
                self.note("obfuscated", " ".join(each.text for each in fields))
                name = known
        return (name, *(each.text for each in fields[1:]))

    def _judge(self, call: Call, depth: int, hidden: bool) -> None:
        """Judge a command, what it starts, and what those start."""
        if not self.budget.allows(sum(map(len, call.args))):
            return
        named = self._listed(replace(call, name=base(call.name), path=call.name))
        self.hosts.update(dict.fromkeys(hosts(named)))
        for rule in _RULES:
            for name in rule(named):
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
            if inner.text:
                kept = self.variables
                if inner.argv:
                    self.variables = kept | positional(inner.argv[1:]) | {"0": inner.argv[0]}
                self.script(inner.text, depth + 1, hidden=hidden)
                self.variables = kept if inner.argv else self.variables
            elif inner.argv:
                self._judge(self._started(named, inner.argv, inner.how), depth + 1, hidden)

    def _started(self, outer: Call, argv: tuple[str, ...], how: str) -> Call:
        if how == "xargs" and outer.given is not None:
            mark = outer.value("-I", "--replace") or ("{}" if outer.has("-i") else "")
            given = outer.given.strip()
            split = given.split("\0") if outer.has("-0", "--null") else given.split()
            argv = tuple(arg.replace(mark, given) for arg in argv) if mark else (*argv, *split)
        source = (outer.name, *outer.args) if how == "find" else outer.source
        how = outer.how if how in ("env", "nice", "nohup", "timeout", "command") and outer.how else how
        return replace(outer, name=argv[0], args=argv[1:], source=source, writes=(), how=how)

    def _listed(self, call: Call) -> Call:
        """Return a command on a value that is read line by line as what it is: one on a list."""
        if not self.listed:
            return call
        anywhere = call.name not in ("rm", "shred", "unlink", "rmdir")
        pattern = _NAMED if anywhere else _NAMED_ALONE
        names = [name for arg in call.args for name in pattern.findall(arg) if name in self.listed]
        return replace(call, source=self.listed[names[0]], how="read") if names else call

    def _opens(self, call: Call, name: str, depth: int) -> None:
        """Judge a command whose name is open, or which is a file that is known."""
        if (name.startswith("$(") and not _SETS_UP.match(name)) or _OPEN_NAME.match(name):
            fetched = re.match(r"\$\((curl|wget)", name)
            self.note("remote_code" if fetched else "hidden_command", call.text)
        runs = [name] + (
            list(call.plain[:1])
            if call.name
            in (*SHELLS, "source", ".", "python", "python3", "perl", "node", "ruby", "php", "java")
            else []
        )
        for path in (placed(each, self.folder) for each in runs):
            if self._is_fetched(path):
                self.note("remote_code", f"{call.text} ({path})")
        if call.name in _BUILDERS and any(map(self._is_fetched, (call.folder, *call.paths(call.plain)))):
            self.note("remote_code", call.text)
        if call.name in SHELLS and depth < _DEEPEST:
            for arg in call.args:
                if arg.startswith("$(") and (text := self._output(arg[2:-1].replace("\u00a0", " "), depth)):
                    self.script(text, depth + 1)
        for each in runs:
            if (written := self.files.pop(each.removeprefix("./"), None)) is not None:
                self._written(call.name, written)

    def _is_fetched(self, path: str) -> bool:
        """Whether a path is, or lies in, what came from another machine."""
        beneath = any(path.startswith(f"{each}/") for each in self.fetched)
        unpacked = "." in self.fetched and "/" in path and not path.startswith(("/", "~", "$"))
        return path in self.fetched or beneath or unpacked

    def _written(self, name: str, text: str) -> None:
        """Judge a file that was written before and is run now: by its interpreter, or the one that it names."""
        named = re.match(r"#!\s*\S*?(?:/env\s+)?([\w.-]+)\s*$", text.partition("\n")[0])
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

    def _keep(self, call: Call) -> None:
        """Remember what a command changes for those after it."""
        if call.name in ("cd", "pushd") and call.plain:
            self.folder = placed(call.plain[0], self.folder)
        elif call.name == "tee" and call.given is not None:
            self.files.update(dict.fromkeys(call.plain, call.given))
        elif call.name in ("tar", "bsdtar", "unzip", "7z", "cpio") and any(
            map(self._is_fetched, call.paths(call.plain))
        ):
            self.fetched.add(placed(call.value("-C", "--directory", "-d") or ".", call.folder))
        elif call.name == "alias":
            named = (arg.partition("=") for arg in call.args)
            self.bodies.update({name: f'{value} "$@"' for name, found, value in named if found})
        elif call.name == "hash" and call.has("-p") and len(call.plain) > 1:
            self.bodies[call.plain[1]] = f'{call.plain[0]} "$@"'
        elif call.name == "git" and call.at("clone") and len(call.plain) > 2:
            self.files.pop(call.plain[2], None)
        self.variables.update(variables_after(call))
        self.listed.update(lists_after(call))
        self.fetched.update(fetched_by(call))


def _is_covered(words: Sequence[Word], fields: Sequence[Field]) -> bool:
    """Whether a command cannot be read where it stands: its name, a word in escapes, or a text that is put together."""
    put_together = fields[0].text == "eval" and not all(map(_is_plain, words))
    return put_together or not _is_plain(words[0]) or any(each.disguised for each in fields) or len(fields) > len(words)


def _is_plain(word: Word) -> bool:
    return len(word) == 1 and word[0].kind is Kind.TEXT and not word[0].escaped
