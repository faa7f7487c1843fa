"""Which hosts a command connects to, as far as it names them: in addresses, and as arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ai_ops.core.commands.call import Call

_VALUED: Final = {
    "curl": "oHdXuAebcFTwmKEr",
    "wget": "OoaPUteTQ",
    "ssh": "pilFoSWbcDeELmRQw",
    "nc": "pswqXx",
    "ncat": "pswqXx",
    "netcat": "pswqXx",
    "http": "oap",
    "https": "oap",
}
"""Programs whose plain arguments are places, with their options that take the next word."""
_REMOTE: Final = frozenset({"scp", "rsync", "sftp", "git", "rclone"})
_FIRST: Final = frozenset({"telnet", "ftp", "ping", "dig", "host", "nslookup", "nmap", "mosh"})
_LONG: Final = (
    "--output",
    "--header",
    "--data",
    "--data-raw",
    "--data-binary",
    "--request",
    "--user",
    "--form",
)
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://([^/\\?#\s'\"<>|;]+)", re.IGNORECASE)
_PLACE = re.compile(
    r"(?:[^@\s]+@)?(\[[0-9a-f:.]+\]|[\w-]+(?:\.[\w-]+)+\.?|localhost)(?:[:/].*)?", re.IGNORECASE
)
_SCP = re.compile(r"(?:[^@\s/]+@)?([\w.-]{2,}):(?!//).*")
_NUMBER = re.compile(
    r"(?:^|//|@)(0x[0-9a-f]{6,8}|\d{8,10}|(?:0x[0-9a-f]+|0\d+|\d+)(?:\.(?:0x[0-9a-f]+|0\d+|\d+)){1,3})(?=[:/?]|$)",
    re.IGNORECASE,
)
_DEVICE = re.compile(r"/dev/(?:tcp|udp)/([^/\s]+)/")
_SOCAT = re.compile(r"(?:tcp|udp|openssl|ssl|sctp)[46]?(?:-connect)?:([^:,\s]+)", re.IGNORECASE)


def hosts(call: Call) -> Iterator[str]:
    """Yield the hosts that a command names; what may be one and cannot be known stands as it is written."""
    every = (*call.args, *call.reads, *call.writes, *(value for _, value in call.sets()))
    for text in every:
        if "://" in text:
            yield from (found.rpartition("@")[2] for found in _ADDRESS.findall(text))
        if "/dev/" in text:
            yield from _DEVICE.findall(text)
    if call.name == "socat":
        yield from (host for arg in call.args for host in _SOCAT.findall(arg))
    pattern = _SCP if call.name in _REMOTE else _PLACE
    for arg in _places(call):
        if "://" not in arg and (found := pattern.fullmatch(arg)):
            yield found[1]
        elif "$" in arg:
            yield arg  # only known when it runs: no policy names it


def hidden_address(arg: str) -> str:
    """Return the address that is written otherwise than in four decimal numbers, empty for none."""
    found = _NUMBER.search(arg)
    if not found:
        return ""
    digits = found[1].lower().split(".")
    if len(digits) == 4 and all(each == "0" or not each.startswith("0") for each in digits):
        return ""
    try:
        parts = [int(each, 16 if each[:2] == "0x" else 8 if each[:1] == "0" else 10) for each in digits]
    except ValueError:
        return ""
    value = sum(part << 8 * (3 - at) for at, part in enumerate(parts[:-1])) + parts[-1]
    if value >= 1 << 32 or (len(digits) == 1 and value < 1 << 24):
        return ""
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))


def _places(call: Call) -> tuple[str, ...]:
    if call.name in _REMOTE:
        return call.plain
    if call.name in _FIRST:
        return call.plain[:1]
    valued = _VALUED.get(call.name)
    if valued is None:
        return ()
    before = ("", *call.args)
    free = tuple(
        arg
        for was, arg in zip(before, call.args, strict=False)
        if not arg.startswith("-")
        and was not in _LONG
        and not (len(was) == 2 and was[0] == "-" and was[1] in valued)
    )
    return free if call.name in ("curl", "wget") else free[:1]
