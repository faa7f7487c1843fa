"""What a command leaves for those after it: variables, files that it fetched, lists that it read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ai_ops.core.commands.call import Call
from ai_ops.core.commands.naming import names
from ai_ops.core.commands.packages import USUAL_SOURCE
from ai_ops.core.commands.parts import Kind, Word
from ai_ops.core.commands.places import LOCAL, placed, starts_of

_FETCHERS: Final = names("curl wget fetch aria2c axel lwp-download http https xh wget2 curlie lynx tftp ftp")
_COPIERS: Final = frozenset({"scp", "rsync", "sftp", "aws", "gsutil", "s3cmd", "mc", "rclone", "azcopy"})
_ADDRESS = re.compile(r"^(https?|ftp|s3|gs|sftp)://")
_MOST_LINES = 64
_HOST = re.compile(r"^[\w-]+(\.[\w-]+)+(:\d+)?/\S")
_ARCHIVE = re.compile(r"\.(tgz|zip|tar(\.\w+)?|t[bx]z2?|7z|gz|xz|zst)$")
_TARGETS = ("-o", "-O", "--output", "--output-document", "--out", "-P")


def variables_after(call: Call) -> Mapping[str, str]:
    """Return the variables that a command sets; those of a script are ``1``, ``2`` and ``@``."""
    if call.name in ("export", "declare", "local", "readonly", "typeset"):
        named = [arg.split("=", 1) for arg in call.args if "=" in arg]
        refers = call.name != "export" and call.has("-n")
        return {name: f"${value}" if refers else value for name, value in named}
    if call.name == "for" and "in" in call.args:
        return {call.args[0]: " ".join(call.args[call.args.index("in") + 1 :])}
    if call.name == "set" and "--" in call.args:
        return positional(call.args[call.args.index("--") + 1 :])
    if call.name == "read" and call.given is not None:
        names = call.plain or ("REPLY",)
        values = call.given.strip().split(None, len(names) - 1)
        return dict(zip(names, values, strict=False))
    if call.name in ("mapfile", "readarray") and call.given is not None:
        lines = call.given.split("\n")[:_MOST_LINES]
        name = call.plain[-1] if call.plain else "MAPFILE"
        return {f"{name}[{at}]": line for at, line in enumerate(lines)} | {f"{name}[@]": " ".join(lines)}
    if call.name == "printf" and (name := call.value("-v")) and len(call.args) > 2:
        return {name: " ".join(call.args[3:]) or call.args[2]}
    return {}


SCRIPTED: Final = frozenset({"npm", "pnpm", "yarn", "bun", "composer"})
"""Programs that run what the description of a package says."""
_DROPPED = re.compile(r"/(tmp|var/tmp|dev/shm)/(.*/)?\.\w[^/]*")


def is_dropped(path: str) -> bool:
    """Whether a program is a hidden file where anybody may leave one."""
    return bool(_DROPPED.fullmatch(path))


def scripts_of(description: str) -> tuple[str, ...]:
    """Return the scripts in the description of a package."""
    try:
        known = json.loads(description) if description else {}
    except (ValueError, RecursionError):
        return ()
    scripts = known.get("scripts") if isinstance(known, dict) else None
    return tuple(map(str, scripts.values())) if isinstance(scripts, dict) else ()


_RECIPE = re.compile(r"^(?:[\w.%/ -]+:(?!=)[^;\n]*(?:;|$))?[ \t]*[@+-]*", re.MULTILINE)
_VARIABLE = re.compile(r"^(\w+)[ \t]*(?:[:?]?:?=)[ \t]*(.{0,200})$", re.MULTILINE)
_VARIABLE_USED = re.compile(r"\$[({](\w+)[)}]")
_IMPLIED: Final = {"CC": "cc", "CXX": "c++", "AR": "ar", "LD": "ld", "MAKE": "make", "RM": "rm -f"}
_LARGEST_MAKEFILE: Final = 1 << 16


def recipes(makefile: str) -> str:
    """Return what a Makefile has a shell run: with its variables, without the marks of make."""
    known = {**_IMPLIED, "HOME": "${HOME}", **dict(_VARIABLE.findall(makefile))}
    text = _VARIABLE_USED.sub(lambda found: known.get(found[1], found[0]), _VARIABLE.sub("", makefile))
    return _RECIPE.sub("", text if len(text) <= _LARGEST_MAKEFILE else makefile).replace("$$", "$")


def positional(args: tuple[str, ...]) -> dict[str, str]:
    """Return arguments as a function or a script names them."""
    return {str(at): arg for at, arg in enumerate(args, 1)} | {"@": " ".join(args), "*": " ".join(args)}


def lists_after(call: Call) -> Mapping[str, tuple[str, ...]]:
    """Return the variables that are read line by line, with the argv that prints them; none for a file."""
    if call.name in ("read", "mapfile", "readarray") and call.given is None:
        made = next((path for path in call.reads if path.startswith("$(")), "")
        source = tuple(made[2:-1].replace("\u00a0", " ").split()) or call.source
        return dict.fromkeys(call.plain or ("REPLY",), source)
    return {}


_REMOVERS: Final = names("rm rmdir unlink shred srm wipe trash mv")
"""Programs that are judged by where the search begins and by what it looks for."""


def found_by(source: Sequence[str], folder: str, name: str) -> tuple[str, ...]:
    """Return a path in each folder outside the checkout that a search lists files of for a program."""
    if source[:1] != ("find",) or name in _REMOVERS:
        return ()
    starts = starts_of(source[1:], folder)
    return tuple(f"{start.rstrip('/')}/x" for start in starts if start.startswith(("/", "~")))


def fetched_by(call: Call) -> Iterator[str]:
    """Yield the files and folders that came from another machine by a command."""
    addresses = [
        arg for arg in call.plain if _ADDRESS.match(arg) or (call.name in _FETCHERS and _HOST.match(arg))
    ]
    if any(USUAL_SOURCE.search(arg) and _ARCHIVE.search(arg) for arg in addresses):
        return
    if any(map(LOCAL.search, addresses)):
        return
    if call.name in _FETCHERS:
        options = ("-o", "--output") if call.name == "curl" else _TARGETS
        named = [call.value(option) for option in options]
        keeps = call.name != "curl" or call.has("-O", "--remote-name")
        names = [*call.writes, *named, *(_last(arg) for arg in addresses if keeps)]
        if call.name not in ("curl", "http", "https", "xh"):
            names += call.plain[call.plain.index(addresses[0]) + 1 :] if addresses else ()
        yield from (placed(name, call.folder) for name in names if name not in ("", "-"))
    elif call.name == "tee" and call.source[:1] and call.source[0] in _FETCHERS:
        yield from call.paths(call.plain)
    elif call.name in _COPIERS and len(call.plain) > 1:
        yield from (placed(_last(arg), call.folder) for arg in call.plain[:-1] if ":" in arg)
        yield placed(call.plain[-1], call.folder)
    elif call.name in ("tar", "bsdtar", "unzip", "cpio") and call.source[:1] and call.source[0] in _FETCHERS:
        foreign = [arg for arg in call.source[1:] if not arg.startswith("-")]
        if not any(LOCAL.search(arg) or USUAL_SOURCE.search(arg) for arg in foreign):
            yield placed(call.value("-C", "--directory") or ".", call.folder)
    elif call.name == "git" and call.at("clone") and not any(map(USUAL_SOURCE.search, call.plain)):
        given = [arg for arg in call.plain[1:] if "://" in arg or re.match(r"\w+@[\w.-]+:", arg)]
        into = call.plain[-1] if call.plain[-1] not in given else ""
        yield from (placed(into or _last(arg).removesuffix(".git"), call.folder) for arg in given)


def _last(address: str) -> str:
    return re.split(r"[?#]", address)[0].rstrip("/").rpartition("/")[2].rpartition(":")[2]


_NAMED = re.compile(r"\$\{?(\w+)")
_NAMED_ALONE = re.compile(r"^\$\{?(\w+)(?::?\?[^}]*)?\}?$")


@dataclass(slots=True)
class Known:
    """What is known at a point of a script: variables, functions, files, what was fetched, and the folder."""

    variables: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, str] = field(default_factory=dict)
    fetched: set[str] = field(default_factory=set)
    listed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    folder: str = "."
    decoded: set[str] = field(default_factory=set)

    def decode(self, name: str, *, made: bool) -> None:
        """Remember whether a variable holds what was decoded."""
        (self.decoded.add if made else self.decoded.discard)(name)

    def holds_decoded(self, word: Word) -> bool:
        """Whether a word takes the value of a variable that was decoded."""
        return bool(self.decoded) and any(
            part.kind is Kind.VARIABLE and part.text in self.decoded for part in word
        )

    def keep(self, call: Call) -> None:
        """Remember what a command changes for those after it."""
        if call.name in ("cd", "pushd") and call.plain:
            self.folder = placed(call.plain[0], self.folder)
        elif call.name == "tee" and call.given is not None:
            self.files.update(dict.fromkeys(call.plain, call.given))
        elif call.name in ("tar", "bsdtar", "unzip", "7z", "cpio") and any(
            map(self.is_fetched, call.paths(call.plain))
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

    def on_list(self, call: Call) -> Call:
        """Return a command on a value that is read line by line as what it is: one on a list."""
        if not self.listed:
            return call
        anywhere = call.name not in ("rm", "shred", "unlink", "rmdir")
        pattern = _NAMED if anywhere else _NAMED_ALONE
        every = (*call.args, *call.reads, *call.writes)
        names = [name for arg in every for name in pattern.findall(arg) if name in self.listed]
        if not names:
            return call
        source = self.listed[names[0]]
        found = found_by(source, call.folder, call.name)
        args, reads, writes = (
            tuple(found[0] if found and arg == f"${names[0]}" else arg for arg in each)
            for each in (call.args, call.reads, call.writes)
        )
        return replace(call, args=args, reads=reads, writes=writes, source=source, how="read")

    def is_fetched(self, path: str) -> bool:
        """Whether a path is, or lies in, what came from another machine."""
        beneath = any(path.startswith(f"{each}/") for each in self.fetched)
        unpacked = "." in self.fetched and "/" in path and not path.startswith(("/", "~", "$"))
        return path in self.fetched or beneath or unpacked
