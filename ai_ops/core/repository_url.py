"""Read a repository's address strictly, and rebuild it from its checked parts.

The text comes from an agent or a person and ends as an operand of git, so what no address needs is
refused before any parser can be lenient about it, and the refusal never repeats the given text.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from ai_ops.core.failures import failed
from ai_ops.errors import AiOpsError, PermanentError

PORTS = {"https": 443, "http": 80}

_MAX_LENGTH = 2048
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_SEGMENT = re.compile(r"[A-Za-z0-9_.~+][A-Za-z0-9_.~+-]*")
_LOCAL_SEGMENT = re.compile(r"[\w.~+@=,][\w.~+@=, -]*")
_HELPER = re.compile(r"[A-Za-z0-9+.-]+::")
_PRIVATE_NAMES = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# No public host lives there, yet what Python calls global leaves them out, or leaves holes in them.
_PRIVATE_NETS = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",  # protocol assignments
            "::/96",  # an IPv4 address in a form given up long ago
            "64:ff9b:1::/48",  # an operator's own translation to IPv4
            "fec0::/10",  # site-local
            "::ffff:0:0:0/96",  # an IPv4 address, translated
            "192.88.99.0/24",  # relays of old tunnels
            "3fff::/20",  # for documents
            "5f00::/16",  # segments of a provider's own network
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Address:
    """A checked http(s) address: host in lower case, path without outer slashes and ``.git``."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def netloc(self) -> str:
        """Return the host, with its port when that is not the usual one."""
        return self.host if self.port == PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def key(self) -> str:
        """Return what all spellings of this address share."""
        return f"{self.netloc}/{self.path}"

    @property
    def url(self) -> str:
        """Return the canonical address, without a user."""
        return f"{self.scheme}://{self.key}"

    def same_place(self, other: Address) -> bool:
        """Return whether both have the same host and port."""
        return (self.host, self.port) == (other.host, other.port)


def private_host(host: str) -> bool:
    """Return whether a host name or IP address belongs to no public network, as far as its text says."""
    bare = host.strip("[]").lower()
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return "." not in bare or f".{bare}".endswith(_PRIVATE_NAMES)
    inner = _inner(address) if isinstance(address, ipaddress.IPv6Address) else None
    return _private(address) or (inner is not None and _private(inner))


def _private(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    named = any(address in net for net in _PRIVATE_NETS)
    return named or not address.is_global or address.is_multicast


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 address leads to, if any."""
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo


def invalid(message: str, form: str = "") -> AiOpsError:
    """Return the refusal of an address, with the right form when one can be told."""
    return failed("invalid_repo_url", message, next_step=f"Use {form or 'https://<host>/<owner>/<name>'}.")


def suggest(host: str, raw_path: str) -> str:
    """Return the https form of a host and a path when both are clean, else nothing."""
    try:
        return f"https://{host}/{checked_path(raw_path)}" if _HOST.fullmatch(host.lower()) else ""
    except PermanentError:
        return ""


def checked_text(text: str) -> str:
    """Refuse what no address contains, before any parser is lenient about it."""
    text = text.strip(" ")
    if not text or len(text) > _MAX_LENGTH:
        raise invalid("The address is empty or too long.")
    if any(ord(c) < 32 or ord(c) == 127 for c in text) or any(c in text for c in "$`\\%\"'<>|;"):
        raise invalid("The address holds a character that no repository address needs.")
    if text.startswith("-"):
        raise invalid("The address looks like an option.")
    if _HELPER.match(text):
        raise invalid("Remote helpers are not taken.")
    return text


def split(text: str) -> SplitResult:
    """Return the parts of a URL that has a scheme and a host and nothing beyond a path."""
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise invalid("The address cannot be read.") from None
    if not parts.scheme or not parts.netloc:
        bare = text if re.fullmatch(r"[A-Za-z0-9.-]+\.[A-Za-z]+(/[\w.~+-]+){2,}", text) else ""
        raise invalid("The address has no scheme and host.", f"https://{bare}" if bare else "")
    if parts.password is not None:
        raise invalid("The address holds a password.", suggest(parts.hostname or "", parts.path))
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise invalid("The address has a query or a fragment.", suggest(parts.hostname or "", parts.path))
    return parts


def parsed(parts: SplitResult) -> Address:
    """Return the address of an http(s) URL from its parts, each one checked."""
    host = parts.hostname or ""
    return Address(
        parts.scheme, _checked_host(host), parts.port or PORTS[parts.scheme], checked_path(parts.path)
    )


def _checked_host(host: str) -> str:
    """Return the host in lower case. Numbers in other forms than a dotted quad hide an address."""
    host = host.lower()
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        last = host.rpartition(".")[2]
        if not _HOST.fullmatch(host) or re.fullmatch(r"0x[0-9a-f]*|[0-9]+", last):
            raise invalid("The host is not a plain name.") from None
        return host
    return f"[{address}]" if address.version == 6 else str(address)


def checked_path(raw: str) -> str:
    """Return a path without outer slashes and ``.git``, made of plain segments."""
    path = without_git(raw.strip("/"))
    segments = path.split("/")
    bad = [s for s in segments if not _SEGMENT.fullmatch(s) or set(s) == {"."} or s.lower() == ".git"]
    if not path or bad:
        raise invalid("The path is not that of a repository.")
    return path


def without_git(path: str) -> str:
    """Return a path without its trailing slash and ``.git``."""
    path = path.rstrip("/")
    return path[:-4].rstrip("/") if path.lower().endswith(".git") else path


def local_path(text: str) -> str:
    """Return the absolute path of a ``file://`` address or a path, checked part by part."""
    if text.lower().startswith("file:"):
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost") or "?" in text or "#" in text:
            raise invalid("A file address names no host.", "file:///absolute/path")
        text = parts.path
    path = text.rstrip("/")
    segments = path.split("/")[1:]
    if not path.startswith("/") or any(not _LOCAL_SEGMENT.fullmatch(s) or s in (".", "..") for s in segments):
        raise invalid("A local address is an absolute path without dots.", "file:///absolute/path")
    return path
