"""Rules: what uses up processor, memory or disk: sizes, loops without an end, and what is made to waste."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ai_ops.core.commands.call import Call
from ai_ops.core.commands.connecting import hosts
from ai_ops.core.commands.places import LOCAL

_TOO_MUCH: Final = 20 << 30
"""Bytes that no work in a checkout writes at once."""
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s?([kKmMgGtTpPeE]?)(i?[bB])?")
_OPTION = re.compile(r"^(--\w+=|-[a-z])?[+]?")
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40, "p": 50, "e": 60}
_ENDLESS_FILES = frozenset({"/dev/zero", "/dev/urandom", "/dev/random", "/dev/full", "$(yes)"})
_GROWS = frozenset(
    {"mkdir", "cp", "touch", "dd", "fallocate", "truncate", "split", "mktemp", "tee", "ln", "fork"}
)
_WASTES = frozenset({"stress", "stress-ng", "sysbench-cpu", "burnp6", "burnmmx", "cpuburn", "memtester"})
_MINERS = re.compile(
    r"\b(xmrig|xmr-stak|minerd|cpuminer|cgminer|bfgminer|ethminer|t-rex|nbminer|phoenixminer|lolminer|ccminer"
    r"|cryptonight|randomx)\b|stratum\+\w+://|--donate-level|\bpool\.[\w.-]+:\d+",
    re.IGNORECASE,
)
_NAMES_THEM = frozenset(
    {"grep", "rg", "ag", "echo", "printf", "git", "pgrep", "pkill", "killall", "ps", "which", "man"}
)
_NO_OPS = frozenset({":", "true", "false", "let", "[", "[[", "test", "expr"})


def exhaustion(call: Call) -> Iterator[str]:
    """Find what uses up processor, memory or disk."""
    if (
        _fills(call)
        or _is_vast(call)
        or _multiplies(call)
        or (
            call.name.lower() in _WASTES
            or (call.name == "ulimit" and "unlimited" in call.args and call.has("-u", "-v", "-n"))
            or (call.name not in _NAMES_THEM and _MINERS.search(call.text))
        )
    ):
        yield "resource_exhaustion"


def _fills(call: Call) -> bool:
    """Whether a source without an end goes to a file, or into memory."""
    name, args = call.name, call.args
    kept = [path for path in call.writes if path not in ("/dev/stdout", "/dev/stderr")]
    if name == "yes":
        return bool(kept)
    if name in ("tail", "sort", "tac", "sponge") and _ENDLESS_FILES & {*args, *call.reads}:
        return not call.has("-c")
    if name in ("cat", "pv", "tee", "cp", "base64", "xxd", "gzip", "od") and _ENDLESS_FILES & {
        *args,
        *call.reads,
    }:
        return name in ("cp", "cat") or bool(kept) or name == "tee"
    if name == "dd" and call.source[:1] == ("yes",):
        return "count=" not in call.text
    if name == "xargs" and call.source[:1] in (("seq",), ("yes",), ("jot",)):
        return call.value("-P", "--max-procs") == "0" or any(len(arg) > 5 for arg in call.source[1:])
    if name == "dd":
        return bool(re.search(r"if=/dev/(zero|u?random)", call.text)) and "count=" not in call.text
    if name in ("seq", "jot"):
        return any(arg in ("inf", "infinity") for arg in args) and bool(kept)
    return name in ("tee", "cat", "sponge") and call.source[:1] == ("yes",) and bool(kept or call.plain)


def _is_vast(call: Call) -> bool:
    name = call.name
    if name == "dd":
        block = _size(_named(call, "bs=") or "512")
        return block * _size(_named(call, "count=") or "1") >= _TOO_MUCH
    if name in ("fallocate", "truncate", "mkfile", "xfs_mkfile"):
        return _largest(call) >= _TOO_MUCH
    if name == "head" or (name == "openssl" and call.at("rand")):
        return _largest(call) >= _TOO_MUCH
    return name in ("seq", "jot") and bool(call.writes) and _largest(call) >= _TOO_MUCH


def _largest(call: Call) -> float:
    return max((_size(_OPTION.sub("", arg)) for arg in call.args), default=0)


def _named(call: Call, name: str) -> str:
    return next((arg.removeprefix(name) for arg in call.args if arg.startswith(name)), "")


def _size(text: str) -> float:
    """Return the bytes that a size stands for, 0 for what is none."""
    found = _SIZE.fullmatch(text)
    return float(found[1]) * (1 << _UNITS[found[2].lower()]) if found else 0


def _multiplies(call: Call) -> bool:
    """Whether a loop that neither ends nor pauses starts, writes or asks for something in every turn."""
    if not call.endless:
        return False
    appends = any(path not in ("/dev/null", "/dev/stdout", "/dev/stderr") for path in call.writes)
    floods = any(not LOCAL.search(host) for host in hosts(call))
    return call.behind or appends or floods or call.name in _GROWS or call.name in _NO_OPS
