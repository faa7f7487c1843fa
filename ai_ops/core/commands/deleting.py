"""Rules: deleting and overwriting, disks, and rights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from ai_ops.core.commands.call import Call
from ai_ops.core.commands.keeping import fetched_by
from ai_ops.core.commands.naming import names
from ai_ops.core.commands.places import (
    is_credential,
    is_disk,
    is_scratch,
    is_system,
    is_trace,
    is_vital,
    starts_of,
    written_rule,
)
from ai_ops.core.commands.unwrapping import SHELLS

_PARTITIONING = names(
    "wipefs gdisk cfdisk lvremove vgremove pvremove blkdiscard mkswap diskpart nwipe debugfs scrub"
)
_ACCOUNTS = names(
    "usermod useradd adduser userdel deluser groupadd groupmod gpasswd passwd chpasswd visudo vipw vigr "
    "addgroup newusers chage"
)
_EDITORS = names(
    "tee truncate touch mktemp sponge ed ex vi vim nvim nano pico micro joe emacs crudini augtool"
)
"""Programs that write to the files that they are given."""
_MAKERS = names("sort gcc g++ cc c++ clang clang++ ld go rustc iconv shuf pandoc gpg objcopy")
"""Programs whose ``-o`` is a file that they write."""
_FILES_OF_FIND = ("-fprint", "-fprintf", "-fprint0", "-fls")
_KERNEL = frozenset({"insmod", "modprobe", "rmmod", "kexec", "setcap", "pkexec", "capsh"})
_AS_OTHERS = frozenset(
    {
        "run0",
        "newgrp",
        "newuidmap",
        "newgidmap",
        "sg",
        "setpriv",
        "gosu",
        "su-exec",
        "sudoedit",
        "calife",
        "please",
        "xhost",
    }
)
_HELP = frozenset({"--help", "-h", "--version", "-V", "help"})


def deletions(call: Call) -> Iterator[str]:
    """Find what cannot be made again."""
    paths = list(call.paths(call.plain))
    recursive = call.has("-r", "-R", "--recursive")
    if call.name in ("rm", "rmdir", "unlink", "shred", "srm", "wipe", "trash"):
        yield from _removed(call, paths, recursive=recursive)
    elif call.name in ("trash-put", "rmtrash", "gio") and (call.name != "gio" or call.at("trash")):
        if any(map(is_vital, paths)):
            yield "destructive_delete"
    elif call.name == "find" and call.has("-delete"):
        if _searches_widely(call):
            yield "destructive_delete"
    elif call.name == "mv" and (any(map(is_vital, paths[:-1])) or paths[-1:] == ["/dev/null"]):
        yield "destructive_delete"
    elif call.name == "rsync" and any(arg.startswith(("--delete", "--remove-source")) for arg in call.args):
        if any(map(is_vital, paths[-1:])):
            yield "destructive_delete"
    elif (call.name == "truncate" and any(map(is_system, paths))) or (
        call.name in ("tar", "zip", "7z", "bsdtar", "rclone")
        and _consumes(call)
        and any(map(is_vital, paths))
    ):
        yield "destructive_delete"


def _removed(call: Call, paths: list[str], *, recursive: bool) -> Iterator[str]:
    forced = call.has("-f", "--force")
    if any(map(is_trace, paths)):
        yield "trace_removal"
    if (
        (call.name != "unlink" and recursive and any(map(is_vital, paths)))
        or (call.name in ("shred", "srm", "wipe") and any(map(is_vital, paths)))
        or any(is_system(path) or re.fullmatch(r"~/?\*?|/\*?", path) for path in paths)
        or (any(is_vital(path) and (path.endswith("*") and len(path) < 4) for path in paths) and forced)
    ):
        yield "destructive_delete"
    lost = recursive or forced or call.name in ("shred", "srm", "wipe")
    if call.how in ("xargs", "read") and lost and not _is_narrow(call):
        yield "destructive_delete"
    if any(map(_OPEN_LIST.match, paths)) and (recursive or forced):
        source = tuple(paths[-1].removeprefix("$(").rstrip(")").replace("\u00a0", " ").split())
        if not _is_narrow(replace(call, source=source)):
            yield "destructive_delete"
    if call.how == "find" and ("{}" in call.args or call.source[0] != "find") and not _is_narrow(call):
        yield "destructive_delete"
    if any(path.startswith(("~", "/")) and (written_rule(path) or is_credential(path)) for path in paths):
        yield "destructive_delete"
    if any(re.search(r"(^|/)\.git/(?!.*\.lock$|rebase-|MERGE_|CHERRY_PICK)", path) for path in paths):
        yield "destructive_delete"
    if "--no-preserve-root" in call.args:
        yield "destructive_delete"


_OPEN_LIST = re.compile(r"\$\((?!mktemp).*\)$")


def _consumes(call: Call) -> bool:
    """Whether what is packed or moved is deleted then."""
    return call.has("--remove-files", "-sdel") or (call.name == "zip" and call.has("-m")) or call.at("purge")


def _is_narrow(call: Call) -> bool:
    """Whether what is deleted was found by a name beneath the checkout."""
    source = call.source
    if not source or source[0] not in ("find", "fd", "fdfind", "rg", "grep", "ls", "git"):
        return False
    if source[0] == "find":
        return not _searches_widely(Call("find", source[1:], folder=call.folder))
    if any(path != "." and is_vital(path) for path in call.paths(source[1:]) if not path.startswith("-")):
        return False
    by_name = any("*." in arg for arg in source[1:])
    return source[0] in ("rg", "grep", "fd", "fdfind") or (source[0] in ("ls", "git") and by_name)


_TESTS: Final = frozenset({"-name", "-iname", "-path", "-regex", "-empty", "-mtime", "-mmin"})
_NOT: Final = ("!", "-not")
_ANYTHING: Final = frozenset({"*", "*.*", "./*", ".*"})


def _narrows(args: Sequence[str]) -> bool:
    """Whether a search asks for some files alone: what it leaves out is no such test."""
    left_out = False
    for at, arg in enumerate(args):
        before = args[at - 1] if at else ""
        if arg == "(" and before in _NOT:
            left_out = True
        elif arg == ")":
            left_out = False
        elif arg in _TESTS and not left_out and before not in _NOT:
            after = (*args[at + 1 : at + 4], "", "", "")
            if after[0] not in _ANYTHING and after[1:3] != ("-prune", "-o"):
                return True
    return False


def _searches_widely(call: Call) -> bool:
    starts = starts_of(call.args, call.folder)
    named = _narrows(call.args)
    free = (".", "/tmp", "/var/tmp") if named else (".",)  # noqa: S108 - a name narrows what lies there
    outside = any(path not in free and is_vital(path) for path in starts)
    return outside or not (named or any(path not in (".", "*") for path in starts))


def disks(call: Call) -> Iterator[str]:
    """Find what writes to a disk or to the places where writing changes the machine."""
    if _HELP & set(call.args):
        return
    if (
        (call.name.startswith(("mkfs", "mke2fs", "newfs", "mkdosfs")) and not all(map(_is_image, call.plain)))
        or (call.name in _PARTITIONING and not call.has("-l", "--list") and call.plain)
        or (call.name == "cryptsetup" and re.search("luksFormat|erase|luksKill", call.text))
        or (call.name == "swapoff" and call.has("-a"))
    ):
        yield "disk_write"
    for path in written(call):
        if rule := written_rule(path):
            yield rule
    if call.name == "truncate" and any(map(is_disk, call.paths(call.plain))):
        yield "disk_write"


def _is_image(path: str) -> bool:
    """Whether what is to become a file system is a file of the work, or a word that is none."""
    return not path.startswith("/dev/") and not is_system(path) and bool(re.search(r"\.\w+$|^\w+$", path))


def written(call: Call) -> Iterator[str]:
    """Yield the paths that a command writes to."""
    yield from call.paths(call.writes)
    plain = [arg for arg in call.plain if not re.fullmatch(r"\d+[KMGT]?B?", arg)]
    if call.name in _EDITORS:
        yield from call.paths(plain)
    elif call.name in ("cp", "mv", "ln", "install", "rsync", "scp") and len(plain) > 1:
        target = call.value("-t", "--target-directory") or plain[-1]
        yield from call.paths([target, f"{target.rstrip('/')}/{plain[0].rpartition('/')[2]}"])
    elif call.name in ("find", "gfind"):
        yield from call.paths([call.value(option) for option in _FILES_OF_FIND if call.value(option)])
    elif call.name == "patch":
        yield from call.paths([f"{into}/x" for into in [call.value("-d", "--directory")] if into])
    elif call.name == "dd":
        yield from call.paths([arg[3:] for arg in call.args if arg.startswith("of=")])
    elif call.name in ("awk", "gawk") and "inplace" in call.args:
        yield from call.paths(plain[1:])
    elif call.name == "git" and call.at("clone"):
        yield from call.paths(plain[2:])
    elif call.name in ("pip", "pip3") and (into := call.value("-t", "--target", "--prefix", "--root")):
        yield from call.paths([f"{into.rstrip('/')}/x"])
    elif call.name in ("sed", "gsed", "perl", "ruby", "yq") and any(
        re.match(r"-[a-z]*i", arg) for arg in call.args
    ):
        yield from call.paths(plain[1:] or plain)
    elif (
        call.name in ("tar", "bsdtar", "cpio") and not call.has("-c", "-t", "-o", "--create", "--list")
    ) or call.name == "unzip":
        into = call.value("-C", "--directory", "-d", "-D")
        yield from call.paths([into, f"{into.rstrip('/')}/etc"] if into else [])
    elif call.name == "wget" and (folder := call.value("-P", "--directory-prefix")):
        yield from call.paths([f"{folder.rstrip('/')}/x"])
    elif (
        (call.name == "curl" and (target := call.value("-o", "--output")))
        or (call.name == "wget" and (target := call.value("-O", "--output-document")) and target != "-")
        or (call.name in _MAKERS and (target := call.value("-o", "--output")))
    ):
        yield from call.paths([target])
    if not call.writes:
        yield from fetched_by(call)


def rights(call: Call) -> Iterator[str]:
    """Find who gains rights, and who gives them."""
    name, text = call.name, call.text
    if name in ("sudo", "doas") and (not call.plain or call.has("-i", "-s")):
        yield "privilege"
    elif (
        name in ("sudo", "doas", "runuser") or (name == "machinectl" and call.at("shell"))
    ) and not _HELP & set(call.args):
        yield "elevated"
    elif name == "su" and not _HELP & set(call.args):
        yield "privilege"
    elif name == "chmod":
        yield from _modes(call)
    elif name in ("chown", "chgrp"):
        owner, *paths = call.plain or ("",)
        if (
            any(map(is_system, call.paths(paths)))
            or any(path in ("/", "~") for path in call.paths(paths))
            or re.match(r"(root|0)(:|$)", owner)
        ):
            yield "privilege"
    elif (
        (name == "install" and re.fullmatch(r"[2467]\d{3}|.*[ug]\+\w*s.*", call.value("-m", "--mode")))
        or (
            name == "setfacl"
            and (any(map(is_system, call.paths(call.plain))) or re.search(r"\bo(ther)?::?\S*w", text))
        )
        or name in _AS_OTHERS
        or (name in SHELLS and call.has("-p") and not call.has("-c"))
        or (name == "find" and re.search(r"-perm [-/]?(u=s|[246]000|\+s)", text))
        or name in _ACCOUNTS
        or (name in _KERNEL and not call.has("--list", "-l"))
    ):
        yield "privilege"
    elif name in ("nsenter", "unshare", "chroot", "pivot_root"):
        yield "container_escape"
    elif (name == "mount" and len(call.plain) > 1) or (name == "sysctl" and (call.has("-w") or "=" in text)):
        yield "privilege"
    if name == "bwrap" and re.search(r"--(dev-)?bind / ", text):
        yield "container_escape"
    if any(variable in ("LD_PRELOAD", "LD_AUDIT") and value for variable, value in call.sets()):
        yield "privilege"
    if call.how in ("sudo", "doas") and name in ("vi", "vim", "nano", "less", "more", "man", "ed", "emacs"):
        yield "privilege"
    if call.how in ("sudo", "doas") and name in (
        "tee",
        "cp",
        "mv",
        "install",
        "chmod",
        "chown",
        "ln",
        "sh",
        "bash",
        "zsh",
    ):
        yield "privilege"


def _modes(call: Call) -> Iterator[str]:
    if not call.plain:
        return
    mode, *targets = [arg for arg in call.args if not re.fullmatch(r"-[Rvcf]+|--\w+", arg)] or [""]
    paths = list(call.paths(targets))
    if re.search(r"[ug+]\+?[rwx]*s|\+[rwx]*s", mode) or re.fullmatch(r"[2467][0-7]{3}", mode):
        yield "privilege"
    elif re.fullmatch(r"0?777|a\+rwx|a=rwx|o\+w|\+w|0?666|ugo\+rwx", mode) and (
        call.has("-R") or any(is_system(path) for path in paths) or not all(map(is_scratch, paths))
    ):
        if mode not in ("+w",):
            yield "privilege"
    elif any(is_system(path) or path in ("/", "~") for path in paths):
        yield "privilege"
