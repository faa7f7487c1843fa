"""Secrets that give themselves away by their own shape: vendors' tokens, JWTs, private keys, URLs.

A shape is a needle, the few letters that the token begins with, and what follows. The needle is sought as
plain text, which is fast, and only where it stands is looked back for the beginning of a word. Most needles
never come, so a pattern is compiled when its needle first does: all of them took a good part of each start.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from itertools import groupby

from ai_ops.core.redaction.keys import private_keys
from ai_ops.core.redaction.mask import mask


def _masked(found: re.Match[str]) -> str:
    group = 1 if found.re.groups else 0
    start, end = (at - found.start() for at in found.span(group))
    whole = found.group()
    return whole[:start] + mask(whole[start:end]) + whole[end:]


def _begins(width: int) -> str:
    """Match where a token of which ``width`` characters are read began: not inside a longer word.

    An escaped line feed or character before it is no word.
    """
    return (
        rf"(?:(?<![A-Za-z0-9].{{{width}}})|(?<=\\[nrt].{{{width}}})"
        rf"|(?<=%[0-9A-Fa-f]{{2}}.{{{width}}}))"
    )


_Shape = tuple[str, str]
"""A needle, and the pattern that is sought where it stands."""


def _shapes(needles: str, rest: str, *, anywhere: bool = False) -> tuple[_Shape, ...]:
    """Return a pattern for each needle: the needle, at a word's beginning unless ``anywhere``, the rest."""
    return tuple(
        (needle, "(?a)" + re.escape(needle) + ("" if anywhere else _begins(len(needle))) + rest)
        for needle in needles.split()
    )


_E = r"(?![A-Za-z0-9])"
_HEX = "[0-9a-fA-F]"

# All of them have fifteen letters, digits, hyphens or underscores in a row; shorter runs are stepped over.
_LONG_RUN = re.compile(r"(?:[\w-]{0,14}+[^\w-])*+[\w-]{15}", re.ASCII)
_TOKENS = (
    *_shapes("eyJ", r"[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?(?:\.[\w-]+\.[\w-]+)?"),
    # Code hosts, registries, build services
    *_shapes("ghp_ gho_ ghu_ ghs_ ghr_", r"[A-Za-z0-9]{16,255}"),
    *_shapes("github_pat_", r"\w{20,255}"),
    *_shapes(
        "glpat- gldt- glrt- glrtr- glcbt- glptt- glft- glimt- glagent- glsoat- glffct-",
        r"[\w-]{16,}(?:\.[\w.-]+)?",
    ),
    *_shapes("npm_", r"[A-Za-z0-9]{30,}"),
    *_shapes("pypi-AgE", r"[\w-]{32,}"),
    *_shapes("rubygems_", r"[0-9a-f]{40,}"),
    *_shapes("oy2", r"[a-z0-9]{43}" + _E),
    *_shapes("cio", r"(?=[A-Za-z]*\d)[A-Za-z0-9]{32}" + _E),
    *_shapes("CLOJARS_", r"[a-z0-9]{60}" + _E),
    *_shapes("AKCp", r"[A-Za-z0-9]{10,}" + _E),
    *_shapes("dckr_pat_ dckr_oat_ CCIPAT_ bkua_ nfp_ pnu_ figd_ tfp_", r"[\w-]{20,}"),
    *_shapes("ATATT3 ATCTT3 ATBB", r"[\w=+/-]{24,}"),
    *_shapes("PMAK-", r"[\w-]{30,}"),
    *_shapes(".atlasv1.", r"([\w-]{40,})", anywhere=True),
    # Models
    *_shapes(
        "sk-",
        r"(?<!-sk-)(?:(?:ant|proj|svcacct|admin|or|lf)-[\w-]{16,}|(?=[A-Za-z]*\d)[A-Za-z0-9]{20,})",
    ),
    *_shapes("hf_ gsk_ xai- pplx- r8_ api_org_", r"[A-Za-z0-9]{30,}"),
    *_shapes("lsv2_pt_ lsv2_sk_ pcsk_", r"\w{20,}"),
    # Clouds
    *_shapes("AKIA ASIA ABIA ACCA", r"[A-Z0-9]{16}" + _E),
    *_shapes("AIza", r"[\w-]{35}"),
    *_shapes("GOCSPX-", r"[\w-]{20,}"),
    *_shapes("ya29.", r"[\w.-]{20,}"),
    *_shapes("LTAI", r"[A-Za-z0-9]{12,30}" + _E),
    *_shapes("AKID", r"[A-Za-z0-9]{28,40}" + _E),
    *_shapes("AKLT", r"[\w-]{30,60}" + _E),
    *_shapes("doo_v1_ dop_v1_ dor_v1_", r"[0-9a-f]{64}"),
    *_shapes("HRKU-", r"[\w-]{30,}"),
    *_shapes("dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.", r"[\w.-]{40,}"),
    *_shapes("dapi", r"[0-9a-f]{32}(?:-\d)?"),
    *_shapes("hvs. hvb. hvr.", r"[\w-]{20,}"),
    *_shapes("pscale_tkn_ pscale_pw_ pscale_oauth_", r"[\w.-]{20,}"),
    *_shapes("sbp_", r"[0-9a-f]{40}" + _E),
    *_shapes("sb_secret_", r"[\w-]{20,}"),
    *_shapes("pul-", r"[0-9a-f]{40}" + _E),
    *_shapes("8Q~", r"[\w~.-]{31,34}", anywhere=True),
    # Money, mail, chat, monitoring
    *_shapes("sk_live_ sk_test_ rk_live_ rk_test_ rzp_live_", r"[A-Za-z0-9]{10,}"),
    *_shapes("whsec_", r"[A-Za-z0-9+/=]{16,}"),
    *_shapes("shpat_ shpca_ shppa_ shpss_", rf"{_HEX}{{32}}"),
    *_shapes("sq0atp- sq0csp- sq0idp-", r"[\w-]{20,}"),
    *_shapes("EAAA EAACEdEose0cBA", r"[\w-]{56,}"),
    *_shapes("SG.", r"[\w-]{16,}\.[\w-]{16,}"),
    *_shapes("xkeysib-", r"[0-9a-f]{40,}"),
    *_shapes("key-", r"[0-9a-f]{32}" + _E),
    *_shapes("SK", r"[0-9a-f]{32}" + _E),
    *_shapes("xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs- xoxe.xoxp- xoxe.xoxb-", r"[\w-]{10,}"),
    *_shapes("xapp-", r"\d-[\w-]{10,}"),
    *_shapes("hooks.slack.com/", r"(?:services|workflows|triggers)/([\w/-]{16,})", anywhere=True),
    *_shapes(
        "discord.com/api/webhooks/ discordapp.com/api/webhooks/ office.com/webhook/",
        r"([\w/@-]{20,})",
        anywhere=True,
    ),
    *_shapes(":AA", r"(?<=\d{8}:AA)([\w-]{32,})", anywhere=True),
    *_shapes("glsa_ glc_ NRAK- NRII- NRJS- ntn_ lin_api_ sntrys_ sntryu_ dt0c01.", r"[\w+/=.-]{20,}"),
    *_shapes("secret_", r"[A-Za-z0-9]{43}" + _E),
    *_shapes("AGE-SECRET-KEY-1", r"[A-Z0-9]{50,}"),
)


class _Signed:
    """The shapes whose needles have a sign in them; they are known by the two letters before it.

    Most signs do not stand as they do in a needle.
    """

    def __init__(self, sign: str) -> None:
        self._shapes: dict[str, list[tuple[int, _Shape]]] = {}  # by the two letters, each with its place
        before: dict[str, set[str]] = {}  # the two letters before it, by the one behind it
        for place, shape in enumerate(_TOKENS):
            at = shape[0].find(sign)
            if at < 0 or (sign == "-" and "_" in shape[0]):
                continue
            letters, after = shape[0][at - 2 : at], shape[0][at + 1 : at + 2]
            self._shapes.setdefault(letters, []).append((place, shape))
            before.setdefault(after, set()).add(letters)
        places = (f"(?<=(?:{'|'.join(sorted(pairs))}){sign}){after}" for after, pairs in before.items())
        self._stands = re.compile(f"{sign}(?:{'|'.join(places)})")

    def masked(self, text: str) -> str:
        """Return the text with these shapes masked, in their order."""
        if not self._stands.search(text):
            return text
        found = {text[at - 2 : at] for at in map(re.Match.start, self._stands.finditer(text))}
        shapes = sorted(one for letters in found for one in self._shapes[letters])
        return _each([shape for _, shape in shapes], text)


_SIGNED = (_Signed("_"), _Signed("-"))
_OTHERS = tuple(shape for shape in _TOKENS if not any(sign in shape[0] for sign in "_-"))
# Two letters that begin one of these are rare where they are capitals, so one look is for all of them.
_CAPITAL = tuple(shape for shape in _OTHERS if shape[0][0].isupper() or shape[0][0] == ":")
_CAPITALS = re.compile(
    "|".join(
        f"{first}[{''.join(sorted({needle[1] for needle, _ in shapes}))}]"
        for first, shapes in groupby(sorted(_CAPITAL), lambda shape: shape[0][0])
    )
)
# Of the rest, those in a row that begin alike are asked about once.
_SMALL = tuple(
    (shapes[0][0] if len(shapes) == 1 else begin, shapes)
    for begin, each in groupby((one for one in _OTHERS if one not in _CAPITAL), lambda shape: shape[0][:3])
    for shapes in [tuple(each)]
)
# Credentials in addresses: a password after a name, or one long word alone.
_PLACES = (
    ("://", r"://(?<=[\w+.-]://)[^\s:/@?#\"'<>]{0,256}:([^\s/\"'<>]{1,1024})@(?=[\w\[${%*-])"),
    # With a slash in the password, unless it is a port and a path.
    (
        "://",
        r"://(?<=[\w+.-]://)(?!\[)[^\s:/@?#\"'<>]{0,256}:(?!\d{1,5}[/?#]|[*${%<])"
        r"([^\s/@\"'<>]{0,256}/[^\s\"'<>]{0,1024})@(?=[\w\[${%*-])",
    ),
    ("://", r"(?a)://(?<=http://|ttps://)(?=[\w~.-]*\d)([\w~.-]{16,1024})@(?=\w)"),
    ("@tcp(", r":(?<=[\w.-]:)([^\s:/@\"']{1,256})@tcp\("),
    ("@unix(", r":(?<=[\w.-]:)([^\s:/@\"']{1,256})@unix\("),
    ("jdbc:oracle", r"jdbc:oracle:\w{1,10}:[^\s/@\"']{1,128}/([^\s@\"']{1,256})@"),
    (" -u", r" -u[\s=]['\"]?[^\s:'\"/]{1,128}:([^\s'\"]{3,256})"),
    (" --user", r" --user[\s=]['\"]?[^\s:'\"/]{1,128}:([^\s'\"]{3,256})"),
    ("sshpass", r"sshpass[ \t]{1,4}-p[ \t]{0,4}['\"]?([^\s'\"]{1,256})"),
    ("redis-cli", r"redis-cli[ \t][^\n|;&]{0,99}?(?<=[ \t])-a[ \t]{1,4}['\"]?([^\s'\"]{1,256})"),
    ("mysql", r"mysql(?:dump|admin)?[ \t][^\n|;&]{0,99}?(?<=[ \t])-p['\"]?([^\s'\"]{3,256})"),
    # The same as lists of words, as languages print a command that failed.
    ("mysql", r"mysql\w{0,8}[\"'],[^\n|;&]{0,199}?(?<=[\"'])-p([^\s'\"]{1,256})"),
    ("mariadb", r"mariadb[\w-]{0,8}[\"'],[^\n|;&]{0,199}?(?<=[\"'])-p([^\s'\"]{1,256})"),
    ("sshpass", r"sshpass[\"'],[ \t]{0,2}[\"']-p(?:[\"'],[ \t]{0,2}[\"'])?([^\s'\"]{1,256})"),
    ("redis-cli", r"redis-cli[\"'],[^\n|;&]{0,99}?[\"']-a[\"'],[ \t]{0,2}[\"']([^\s'\"]{1,256})"),
    ("-u", r"[\"']-u[\"'],[ \t]{0,2}[\"'][^\s:'\"/]{1,128}:([^\s'\"]{3,256})"),
    ("--user", r"[\"']--user[\"'],[ \t]{0,2}[\"'][^\s:'\"/]{1,128}:([^\s'\"]{3,256})"),
    ("-us", r"(?<![0-9a-f])[0-9a-f]{32}-us\d{1,2}(?!\w)"),
)
# One of these is in each of them.
_PLACE_SIGNS = ("://", "@tcp(", "@unix(", "jdbc:oracle")
_PLACE_DASH = re.compile(r"-(?:us\d|(?<=[ \t\"']-)(?:[apu]|-user))")


def tokens(text: str) -> str:
    """Return the text with everything masked that has the shape of a secret."""
    return tokens_seen(text)[0]


def tokens_seen(text: str) -> tuple[str, bool]:
    """Return what ``tokens`` does, and whether anything of that shape may be there.

    Where none may be, none appears by masking: of what is masked, the end alone stays, as it stood.
    """
    kept = private_keys(text)
    in_place, long = _may_hold_place(kept), _LONG_RUN.match(kept) is not None
    if in_place:
        kept = _each(_PLACES, kept)
    if long:
        for signed in _SIGNED:
            kept = signed.masked(kept)
        kept = _each(_OTHERS, kept) if _CAPITALS.search(kept) else _small(kept)
    return kept, in_place or long or kept != text


def _small(text: str) -> str:
    for begin, shapes in _SMALL:
        if begin in text:
            text = _each(shapes, text)
    return text


def _may_hold_place(text: str) -> bool:
    for sign in _PLACE_SIGNS:
        if sign in text:
            return True
    return _PLACE_DASH.search(text) is not None


def _each(shapes: Iterable[_Shape], text: str) -> str:
    for needle, pattern in shapes:
        if needle in text:
            text = _compiled(pattern).sub(_masked, text)
    return text


_compiled = cache(re.compile)
