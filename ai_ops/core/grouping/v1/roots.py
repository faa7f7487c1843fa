"""Where an application begins in a path: below the folders that a host or a deployment gave it.

A deployment's folder has any name (``shop-1.4.2``, ``release-20261101``), so it is known by where it
stands, not by what it is called.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

# An application stands in them itself, and under the name that it, or its release, was given.
_ROOT_NAMES = """
app application build checkout code current dist html local project repo root site source src usr var work
workdir workspace
"""
_PARENT_NAMES = """
apps data deploy deployment deployments dev git opt projects release releases repos sites sources srv tmp
versions www
"""
_ROOTS = frozenset(_ROOT_NAMES.split())
_GIVEN_NAMES = {
    **dict.fromkeys(_PARENT_NAMES.split(), 1),
    **dict.fromkeys(("home", "user", "users", "builds"), 2),  # a person's or a group's, and the application's
}
_RELEASE = re.compile(r"v?\d[\dT._-]{2,}Z?|(?=[0-9a-f]*\d)[0-9a-f]{7,40}", re.IGNORECASE)
# Written behind a name: shop-1.4.2, shop_v12, build-811, shop-20261101T0300Z, shop-1f0c9ab.
_VERSION = re.compile(
    r"(?<=\w)[._-](?:v?\d[\dT._-]*Z?(?:[.+-]?(?:rc|alpha|beta|dev|post|snapshot)[\d.]*)?"
    r"|(?=[0-9a-f]*\d)[0-9a-f]{7,40})\Z",
    re.IGNORECASE,
)
_BUILD_AGENT = re.compile(r"a/\d{1,4}/s(?:/|\Z)")  # D:\a\1\s, which compilers write into what they build
_LONGEST = 128


def folders_of(path: str) -> list[str]:
    """Return the folders of a file's path, each without the version that is written behind its name."""
    return [_unversioned(part) for part in path.split("/")[:-1] if part not in ("", ".")]


def below_root(folders: Sequence[str], *, absolute: bool) -> Sequence[str]:
    """Return the folders that are the application's own: none where nothing tells where it begins."""
    names = [name.lower() for name in folders]
    if _BUILD_AGENT.match("/".join(names)):
        return folders[3:]
    at = max(
        (at for at, name in enumerate(names) if name == "releases" or _RELEASE.fullmatch(name)), default=0
    )
    given = 0
    for name in names[at:]:
        if name in _ROOTS or name in _GIVEN_NAMES or _RELEASE.fullmatch(name):
            given = _GIVEN_NAMES.get(name, 0)
        elif given:
            given -= 1
        else:
            break
        at += 1
    return folders[at:] if at or not absolute else ()


@lru_cache(maxsize=512)
def _unversioned(name: str) -> str:
    return name if len(name) > _LONGEST or _RELEASE.fullmatch(name) else _VERSION.sub("", name)
