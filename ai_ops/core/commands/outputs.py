"""What a command would print, where that can be known without running it: echo, printf, decoders, filters."""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from collections.abc import Sequence

from ai_ops.core.commands.parts import unescape

_ESCAPED = re.compile(r"\\(x[0-9a-fA-F]{2}|0?[0-7]{3}|u[0-9a-fA-F]{4})")
_DECODERS = frozenset(
    {"base64", "base32", "xxd", "rev", "tr", "gunzip", "zcat", "openssl", "uudecode", "hexdump"}
)


def printed(argv: Sequence[str], given: str | None) -> str | None:
    """Return what a command prints, None where that cannot be known.

    Args:
        argv: the command and its arguments.
        given: what it reads, None where that is not known.
    """
    name, args = argv[0].rpartition("/")[2], list(argv[1:])
    if name == "echo":
        return _echo(args)
    if name == "printf":
        return _printf(args)
    if name in ("which", "pwd", "mktemp"):
        return {"which": args[-1] if args else "", "pwd": ".", "mktemp": "/tmp/tmp.x"}[name]  # noqa: S108
    if name in ("dirname", "basename") and args and "$" not in args[-1] and args[-1] != "sh":
        path = args[-1].rstrip("/") or "/"
        return "/home" if path == "~" and name == "dirname" else getattr(posixpath, name)(path) or "."
    if name == "command" and args[:1] == ["-v"]:
        return args[-1]
    if list(argv[:3]) == ["git", "rev-parse", "--show-toplevel"]:
        return "."
    if given is None:
        return None
    if name in ("cat", "tee", "tac") and not [arg for arg in args if arg != "-" and not arg.startswith("-")]:
        return given
    if name == "rev":
        return "\n".join(line[::-1] for line in given.split("\n"))
    if name == "tr":
        return _translated(args, given)
    return _decoded(name, args, given)


def decodes(argv: Sequence[str]) -> bool:
    """Whether a command turns what it reads into something that could not be read before."""
    name, args = argv[0].rpartition("/")[2], set(argv[1:])
    if name in ("base64", "base32", "uudecode"):
        return bool(args & {"-d", "-D", "--decode", "-di"}) or name == "uudecode"
    if name == "openssl":
        return "-d" in args
    if name in ("printf", "echo"):
        return any(map(_ESCAPED.search, argv[1:]))
    return name in _DECODERS and (name != "xxd" or any(arg.startswith("-r") for arg in args))


def _echo(args: list[str]) -> str:
    escapes = False
    while args and re.fullmatch(r"-[neE]+", args[0]):
        escapes = escapes or "e" in args[0]
        args = args[1:]
    text = " ".join(args)
    return unescape(text) if escapes else text


def _printf(args: list[str]) -> str:
    args = [arg for arg in args if arg != "--"]
    if not args:
        return ""
    form, *values = args
    rest = iter(values)
    made = re.sub(r"%[-0-9.]*[sbdcqx]", lambda _: next(rest, ""), unescape(form))
    return made + "".join(unescape(made_of) for made_of in rest)


def _translated(args: list[str], given: str) -> str | None:
    plain = [arg for arg in args if not arg.startswith("-")]
    if "-d" in args and plain:
        return "".join(char for char in given if char not in _class(plain[0]))
    if len(plain) != 2:
        return None
    old, new = _class(plain[0]), _class(plain[1])
    if not new:
        return None
    return given.translate({ord(char): new[min(at, len(new) - 1)] for at, char in enumerate(old)})


def _class(text: str) -> str:
    """Write the ranges of a class out: ``a-c`` is ``abc``."""

    def span(found: re.Match[str]) -> str:
        return "".join(map(chr, range(ord(found[1]), ord(found[2]) + 1)))

    return re.sub(r"(\w)-(\w)", span, unescape(text))


def _decoded(name: str, args: list[str], given: str) -> str | None:
    try:
        if name == "base64" and {"-d", "-D", "--decode", "-di"} & set(args):
            return base64.b64decode(given.strip() + "==").decode("utf-8", "replace")
        if name == "base32" and {"-d", "--decode"} & set(args):
            return base64.b32decode(given.strip()).decode("utf-8", "replace")
        if name == "xxd" and any(arg.startswith("-r") for arg in args):
            return bytes.fromhex("".join(given.split())).decode("utf-8", "replace")
        if name == "openssl" and "base64" in " ".join(args) and "-d" in args:
            return base64.b64decode(given.strip() + "==").decode("utf-8", "replace")
    except (ValueError, binascii.Error):
        return None
    return None
