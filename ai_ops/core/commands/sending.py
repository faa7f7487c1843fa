"""Rules: what leaves the machine, what comes in and is run, and whose shell it becomes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai_ops.core.commands.call import Call
from ai_ops.core.commands.connecting import hidden_address
from ai_ops.core.commands.credentials import SECRET_NAME
from ai_ops.core.commands.naming import names
from ai_ops.core.commands.places import LOCAL, is_credential, is_secret_file
from ai_ops.core.commands.programs import code_of, runs_received
from ai_ops.core.commands.unwrapping import SHELLS

_FETCHERS = names(
    "curl wget fetch aria2c http https xh lwp-request lwp-download GET lynx axel links elinks w3m "
    "curlie wget2 httpie dig nslookup host gsutil tftp ftp lftp"
)
_INTERPRETERS = SHELLS | {
    "python",
    "python2",
    "python3",
    "perl",
    "ruby",
    "node",
    "php",
    "lua",
    "source",
    ".",
    "eval",
    "deno",
    "bun",
}
_LANGUAGES = frozenset({"python", "python2", "python3", "perl", "ruby", "node", "php"})
_VALUELESS = frozenset({"-u", "-B", "-s", "-E", "-w"})
_FILTERS = frozenset({"json.tool", "base64", "gzip", "quopri"})
"""Modules of Python that print what they read in another form."""
_SCRIPT = re.compile(r"(?!/dev/|/proc/|https?:)[\w./~-]*\w\.(py|pl|rb|js|mjs|cjs|php)")
_SOCKETS = frozenset({"nc", "ncat", "netcat", "socat", "telnet", "nc.traditional", "nc.openbsd", "websocat"})
_TAKES_PROGRAMS = names(
    "java make psql mysql mariadb sqlite3 mongosh crontab vim ed ansible-playbook groovy Rscript"
)
_TUNNELS = names(
    "ngrok cloudflared chisel frpc frps bore localtunnel lt serveo gost ligolo pagekite sshuttle tmate "
    "upterm ttyd gotty shellinaboxd wetty teleconsole pwncat pwncat-cs rcat cryptcat sshd dropbear "
    "telnetd in.telnetd rshd vncserver x11vnc xrdp zrok rathole iodine dnscat dnscat2 ptunnel autossh "
    "revsocks sliver merlin"
)
"""Programs that let others in."""
_RUNNERS_OF_PACKAGES = frozenset({"npx", "bunx", "pnpx", "uvx", "pipx", "npm", "pnpm", "yarn"})
_SENDERS = names(
    "croc wormhole magic-wormhole ffsend transfer pastebinit wgetpaste gist tftp smbclient wput "
    "ncftpput slackcat telegram-send swaks mpack termbin onionshare-cli ipfs gdrive dropbox "
    "dropbox_uploader.sh mega-put magnet warp portal sendme 0x0 sprunge ix curlftpfs megatools"
)
"""Programs that are there to give files to somebody else."""
_STORES = names(
    "aws gsutil gcloud az s3cmd s5cmd mc b2 rclone restic borg duplicity azcopy oci mail sendmail mutt "
    "mailx msmtp rsync scp docker podman kubectl ssh socat"
)
"""Programs with which files of the work may go elsewhere, and what is private may not."""
_DROPS = re.compile(
    r"webhook\.site|requestbin|pipedream\.net|transfer\.sh|file\.io|0x0\.st|ix\.io|sprunge\.us"
    r"|termbin\.com|paste\.(ee|rs|bin)"
    r"|pastebin\.com/api|hastebin|dpaste|ngrok(-free)?\.(io|app|dev)|discord(app)?\.com/api/webhooks"
    r"|api\.telegram\.org/bot"
    r"|hooks\.slack\.com|interact\.sh|oast\.|burpcollaborator|canarytokens|bashupload|temp\.sh|catbox\.moe"
    r"|gofile\.io|anonfile"
    r"|beeceptor|hookbin|requestcatcher|dnslog|ceye\.io|\.onion\b|trycloudflare\.com|serveo\.net"
    r"|localhost\.run|oshi\.at"
)
"""Places where anybody can leave something for anybody."""
_CLOUD_COPIES = frozenset(
    {"aws", "gsutil", "gcloud", "az", "s3cmd", "s5cmd", "mc", "rclone", "azcopy", "restic", "borg"}
)
_CLOUDS = frozenset({"aws", "gsutil", "gcloud"})
"""Those of them that do more than to copy, and name what they copy to by an address."""
_ALL_WORK = re.compile(r"(\.\.?/?)+|\.git")
_BUCKET = re.compile(r"[\w.-]+:.*")
_EVERYTHING = re.compile(r"~|/|/(etc|root|home|var)(/\*?)?|~/\*?")
_TELLERS = frozenset(
    {"env", "printenv", "set", "export", "grep", "base64", "xxd", "fold", "od", "cut", "history"}
)
_SERVERS = re.compile(
    r"http\.server|SimpleHTTPServer|http-server|\bserve\b|miniserve|darkhttpd|webfs|busybox httpd|thttpd"
    r"|-S \S+:\d+|-run -e httpd"
)
_PACKERS = frozenset({"tar", "cat", "zip", "gzip", "base64", "mysqldump", "pg_dump", "env", "printenv", "dd"})
_METADATA = re.compile(
    r"169\.254\.169\.254|169\.254\.170\.23?\b|AWS_CONTAINER_CREDENTIALS_\w+|metadata\.google\.internal|100\.100\.100\.200|fd00:ec2::254|a9fe:a9fe"
)
_HERE = "127.0.0.1"


def shells(call: Call) -> Iterator[str]:
    """Find a shell for somebody else."""
    text, name = call.text, call.name
    net = any("/dev/tcp/" in path or "/dev/udp/" in path for path in (*call.writes, *call.reads, *call.args))
    if net and name not in ("echo", "grep", "rg", "printf", "git"):
        yield "reverse_shell"
    if name in _SOCKETS and (
        call.has("-e", "-c", "--exec", "--sh-exec") or re.search(r"EXEC:|SYSTEM:|\bcmd:|sh-c:", text, re.I)
    ):
        yield "reverse_shell"
    if name in ("awk", "gawk", "mawk") and "/inet/" in text:
        yield "reverse_shell"
    if name in SHELLS and call.source and call.source[0] in (*_SOCKETS, "openssl"):
        yield "reverse_shell"
    if name in _SOCKETS and call.source and call.source[0] in SHELLS:
        yield "reverse_shell"
    if name == "ssh" and (call.has("-R", "-D", "-w") or re.search(r"-\w*L ?(0\.0\.0\.0|\*|\[::\]):", text)):
        yield "reverse_shell"
    if name in _SOCKETS and call.has("-l") and not call.has("-z") and not any(map(LOCAL.search, call.plain)):
        yield "reverse_shell"
    if name in _TUNNELS or (name in _RUNNERS_OF_PACKAGES and _TUNNELS & set(call.plain)):
        yield "reverse_shell"
    if name in ("xterm", "urxvt", "rxvt") and re.search(r"-display \S*\w:\d", text):
        yield "reverse_shell"
    if name == "ztcp" or (name == "zmodload" and "net/tcp" in text):
        yield "reverse_shell"
    if name == "tailscale" and re.search(r"\b(up|funnel|serve|ssh)\b", text):
        yield "reverse_shell"


def downloads(call: Call) -> Iterator[str]:
    """Find what runs that was just fetched."""
    text = " ".join(call.args)
    read = f"{text} {call.given or ''}".replace("\u00a0", " ")
    fetched = re.search(
        r"(?i:\$\((curl|wget|fetch|iwr|irm|invoke-(webrequest|restmethod)))\b|\x60(curl|wget)\b", read
    )
    runs = call.name in _INTERPRETERS or call.name in _TAKES_PROGRAMS
    given = call.source and call.source[0] in _FETCHERS and not _reads_data(call)
    if runs and (given or fetched):
        yield "remote_code"
    if re.search(
        r"(IEX|Invoke-Expression|DownloadString|DownloadFile|Invoke-WebRequest.*\|)", text, re.I
    ) and re.search(r"powershell|pwsh|iex", call.text, re.I):
        yield "remote_code"
    if call.name in ("deno", "bun", "node", "tsx") and any(
        re.match(r"https?://(?!deno\.land/|jsr\.io/|esm\.sh/)", arg) and not LOCAL.search(arg)
        for arg in call.plain
    ):
        yield "remote_code"
    if call.name in ("certutil", "bitsadmin", "mshta", "regsvr32", "rundll32") and re.search(
        "http|javascript:", text
    ):
        yield "remote_code"


def _reads_data(call: Call) -> bool:
    """Whether an interpreter has a program of its own, to which what it reads is data."""
    if call.name not in _LANGUAGES:
        return False
    if code := code_of(call):
        return not call.given and not runs_received(code)
    args = call.args[1:] if call.args[:1] and call.args[0] in _VALUELESS else call.args
    if args[:1] == ("-m",):
        return bool(_FILTERS & set(args[1:2]))
    return bool(args) and bool(_SCRIPT.fullmatch(args[0]))


_FLAGS = re.compile(r"-[sSfLkvViIgqNnz#]+|--(silent|show-error|fail|location|insecure|verbose|quiet|http\S+)")
"""Options of what fetches that take no value."""


def _addresses(call: Call) -> Iterator[str]:
    """Yield the words that may be addresses: a number behind an option is its value."""
    before = ""
    for arg in call.args:
        if not arg.startswith("-") and not (
            arg.isdigit() and before.startswith("-") and not _FLAGS.fullmatch(before)
        ):
            yield arg
        before = arg


def leaks(call: Call) -> Iterator[str]:
    """Find what is sent away: files, secrets, what another command printed."""
    text = " ".join(call.args)
    hidden = []
    if call.name in _FETCHERS or call.name in _SOCKETS:
        hidden = [address for arg in _addresses(call) if (address := hidden_address(arg))]
        if any(address != _HERE for address in hidden):
            yield "obfuscated"
    if call.name not in ("echo", "printf", "grep", "rg", "git", "gh", "sed", "awk") and _METADATA.search(
        " ".join((text, *hidden))
    ):
        yield "credential_read"
    if call.name in ("curl", "wget") and "docker.sock" in text:
        yield "container_escape"
    if (
        (call.name in _FETCHERS and not _is_local(call) and _carries(call))
        or (call.name in _SOCKETS and (call.source or call.given or call.reads) and not _is_local(call))
        or (call.name in ("scp", "sftp", "ftp", "lftp", "rclone", "rsync") and _uploads(call))
        or (
            call.name
            in (
                "dig",
                "nslookup",
                "host",
                "ping",
                "drill",
                "traceroute",
                "tracepath",
                "mtr",
                "whois",
                "fping",
            )
            and ("$(" in text or SECRET_NAME.search(text) or re.search(r"\$\{?\w+\}?\.[\w.-]+", text))
        )
        or (
            call.name in (*_STORES, "gh", "glab")
            and any(is_credential(path) or is_secret_file(path) for path in call.paths(call.plain))
        )
        or (
            (call.name in _STORES or call.name in _SOCKETS)
            and any(is_credential(path) or is_secret_file(path) for path in call.paths(call.reads))
        )
        or (
            call.name == "openssl"
            and call.at("s_client")
            and (call.source or set(call.reads) - {"/dev/null"})
            and not _is_local(call)
        )
        or (
            call.name in _CLOUD_COPIES
            and (call.name not in _CLOUDS or "://" in text)
            and any(map(_EVERYTHING.fullmatch, call.paths(call.plain[:-1])))
        )
        or (
            call.name in _CLOUD_COPIES
            and _BUCKET.fullmatch(call.plain[-1] if call.plain else "")
            and any(map(_ALL_WORK.fullmatch, call.paths(call.plain[:-1])))
        )
        or _gives(call)
        or (call.name in _FETCHERS and _DROPS.search(text))
        or _serves(call)
        or (call.name in ("mail", "sendmail", "mutt", "mailx") and (call.source or call.reads))
        or (call.name == "ssh" and call.source[:1] and _packs(call))
    ):
        yield "exfiltration"


def _packs(call: Call) -> bool:
    """Whether another machine gets what is no text that stands here."""
    return call.source[0] in _PACKERS or (
        call.given is None and call.source[0] not in ("echo", "printf", "yes")
    )


def _gives(call: Call) -> bool:
    """Whether a program gives away what it is given."""
    if call.name in ("gh", "glab"):
        return bool(re.search(r"\b(gist|snippet) create\b", call.text))
    sends = call.name in _SENDERS and not call.at("receive") and not call.has("--help", "--version")
    return sends and bool(call.plain or call.source or call.reads)


def _serves(call: Call) -> bool:
    """Whether a web server hands out what does not belong to the work."""
    folders = [call.folder, *call.paths([arg.partition("=")[2] or arg for arg in call.args])]
    return bool(_SERVERS.search(call.text)) and any(
        folder in ("/", "~", "..", "/etc", "/home", "/root") or folder.startswith("/home/")
        for folder in folders
    )


_DATA = ("-d", "--data", "--data-binary", "--data-ascii", "--json")
_NAMED_FILE = re.compile(r"[^=@]*@")
_HERE_ALONE = re.compile(r":\d*(/|$)")
"""How httpie writes an address of this machine."""
_FILE_IN_FORM = re.compile(r"[^=]*=[@<]")


def _carries(call: Call) -> bool:
    """Whether a request carries a file, a secret, or what another command printed."""
    text = " ".join(call.args)
    if call.has("-T", "--upload-file") or re.search(r"--post-file|--body-file", text):
        return True
    if any(value.startswith("@") for value in call.values(*_DATA)):
        return True  # an @ further in is an address of mail
    if (
        call.name in ("http", "https", "xh", "httpie")
        and call.reads
        and not any(map(_HERE_ALONE.match, call.plain))
    ):
        return True
    if any(map(_NAMED_FILE.match, call.values("--data-urlencode", "--url-query", "--variable"))):
        return True
    if any(map(_FILE_IN_FORM.match, call.values("-F", "--form"))):
        return True
    if SECRET_NAME.search(_without_headers(call)):
        return True
    if re.search(r"\$\((?!date|uname|git (rev-parse|describe|log|branch|show|diff))", text):
        return True
    listed = call.source[:1] and call.source[0] in _TELLERS and re.search(r"[?/=]\$\{?\w", text)
    return (call.how == "xargs" and bool(call.source)) or (call.how == "read" and bool(listed))


def _without_headers(call: Call) -> str:
    """Return the arguments but for headers: a token there is for the one it is sent to."""
    before = ("", *call.args)
    return " ".join(
        arg for was, arg in zip(before, call.args, strict=False) if was not in ("-H", "--header", "-u")
    )


def _is_local(call: Call) -> bool:
    hosts = [arg for arg in call.plain if "://" in arg or ":" in arg or "." in arg or arg == "localhost"]
    return (
        bool(hosts)
        and any(map(LOCAL.search, hosts))
        and not any("://" in h and not LOCAL.search(h) for h in hosts)
    )


def _uploads(call: Call) -> bool:
    if not call.plain:
        return False
    target = call.plain[-1]
    if call.name in ("sftp", "ftp", "lftp"):
        return True
    return bool(re.match(r"([\w.-]+@)?[\w.-]{2,}::?|rsync://", target)) and not LOCAL.search(target)
