"""What a program that nobody knows may start: a command among its arguments, or a text that is one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from ai_ops.core.commands.naming import names
from ai_ops.core.commands.unwrapping import Inner

WORTH_HIDING: Final = names(
    "rm sh bash zsh dash dd curl wget nc ncat cat chmod chown mkfs shred python3 python perl ruby node php"
    " sudo su doas kill base64 socat telnet ssh scp shutdown reboot eval busybox git docker kubectl"
    " terraform find tar crontab"
)
"""Programs that are worth to be started in disguise, or by way of another."""
_TAKES_WORDS: Final = names(
    "echo printf grep egrep fgrep rg ag ack ugrep git gh glab hub man info tldr which type whereis hash "
    "whatis apropos help pgrep pidof test [ [[ expr let read for case select export declare local "
    "return exit alias unalias : true false pip pip3 pipx uv npm npx yarn pnpm apt apt-get apt-cache "
    "brew apk dnf yum pacman cargo go gem bundle composer rustup sed awk gawk mawk jq yq python python3 "
    "perl ruby node php lua ls cp mv mkdir touch cat less head tail wc sort uniq cut tr diff tee cd "
    "pushd pytest jest make cmake gcc g++ clang javac rustc tsc docker podman kubectl find fd xargs "
    "command printenv conda poetry mvn gradle dotnet snap dpkg rpm apt-mark update-alternatives asdf "
    "mise pyenv nvm rm chmod chown kill ps curl wget ssh scp rsync tar zip unzip file stat du df md5sum "
    "sha256sum base64 openssl systemctl service readlink realpath dirname basename mail set unset trap "
    "builtin function in ln vim nano code shellcheck bashate logger notify-send wall say figlet cowsay "
    "codespell typos vale aspell strings nm objdump ldd psql mysql sqlite3"
)
"""Programs to which a program's name is a word, a package or a file."""
_MOST_ARGS: Final = 40
_PREFIX = re.compile(r"^([\w.:-]+=|!|exec:|cmd:)\s*")


def passed(argv: Sequence[str]) -> list[Inner]:
    """Return what an unknown program may start: the command among its arguments, texts that are one."""
    if argv[0] in _TAKES_WORDS or "/" in argv[0] or not argv[0].isascii():
        return []
    args = argv[1 : _MOST_ARGS + 1]
    start = next((at for at, arg in enumerate(args) if _is_program(arg)), None)
    texts = (_PREFIX.sub("", arg) for arg in args)
    found = [
        Inner(text=text, how=argv[0])
        for text in texts
        if " " in text.strip() and _is_program(text.split()[0])
    ]
    return found if start is None else [*found, Inner(tuple(args[start:]), how=argv[0])]


def _is_program(word: str) -> bool:
    return word.rpartition("/")[2] in WORTH_HIDING
