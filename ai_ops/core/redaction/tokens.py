"""Secrets that give themselves away by their own shape: vendors' tokens, JWTs, private keys, URLs."""

from __future__ import annotations

import re

from ai_ops.core.redaction.mask import mask


def _masked(found: re.Match[str]) -> str:
    group = 1 if found.re.groups else 0
    start, end = (at - found.start() for at in found.span(group))
    whole = found.group()
    return whole[:start] + mask(whole[start:end]) + whole[end:]


def _rule(needles: str, pattern: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Return a pattern under each needle, one of which stands in every text that it matches."""
    compiled = re.compile(pattern, re.ASCII)
    return tuple((needle, compiled) for needle in needles.split("|"))


# A token begins here: not inside a longer word, where an escaped line feed or character is none.
_B = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))"
_E = r"(?![A-Za-z0-9])"

_RULES = (
    *_rule("eyJ", _B + r"eyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?(?:\.[\w-]+\.[\w-]+)?"),
    *_rule(
        "ghp_|gho_|ghu_|ghs_|ghr_|github_pat_",
        _B + r"(?:gh[pousr]_[A-Za-z0-9]{16,255}|github_pat_\w{20,255})",
    ),
    *_rule(
        "glpat-|gldt-|glrt-|glrtr-|glcbt-|glptt-|glft-|glimt-|glagent-|glsoat-|glffct-",
        _B + r"gl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|ffct)-[\w-]{16,}(?:\.[\w.-]+)?",
    ),
    *_rule(
        "sk-",
        _B + r"(?<!-)sk-(?:(?:ant|proj|svcacct|admin|or|lf)-[\w-]{16,}|(?=[A-Za-z]*\d)[A-Za-z0-9]{20,})",
    ),
    *_rule("AKIA|ASIA|ABIA|ACCA", _B + r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}" + _E),
    *_rule("xox|xapp-", _B + r"(?:xox[abeoprs](?:\.xox[bp])?-[\w-]{10,}|xapp-\d-[\w-]{10,})"),
    *_rule("hooks.slack.com", r"hooks\.slack\.com/(?:services|workflows|triggers)/([\w/-]{16,})"),
    *_rule("discord", r"discord(?:app)?\.com/api/webhooks/([\w/-]{20,})"),
    *_rule(
        "_live_|_test_|whsec_", _B + r"(?:[sr]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{16,})"
    ),
    *_rule("AIza|GOCSPX-|ya29.", _B + r"(?:AIza[\w-]{35}|GOCSPX-[\w-]{20,}|ya29\.[\w.-]{20,})"),
    *_rule("npm_", _B + r"npm_[A-Za-z0-9]{30,}"),
    *_rule("pypi-", _B + r"pypi-AgE[\w-]{32,}"),
    *_rule("SG.", _B + r"SG\.[\w-]{16,}\.[\w-]{16,}"),
    *_rule("SK", _B + r"SK[0-9a-f]{32}" + _E),
    *_rule("key-", _B + r"key-[0-9a-f]{32}" + _E),
    *_rule(":AA", r"(?<!\d)\d{8,10}:AA[\w-]{32,}"),
    *_rule("hf_|gsk_|xai-|pplx-|r8_", _B + r"(?:hf_|gsk_|xai-|pplx-|r8_)[A-Za-z0-9]{30,}"),
    *_rule("_v1_", _B + r"do[opr]_v1_[0-9a-f]{64}"),
    *_rule("shpat_|shpca_|shppa_|shpss_", _B + r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    *_rule("hvs.|hvb.|hvr.", _B + r"hv[bsr]\.[\w-]{20,}"),
    *_rule("dapi", _B + r"dapi[0-9a-f]{32}(?:-\d)?"),
    *_rule("dckr_", _B + r"dckr_[po]at_[\w-]{20,}"),
    *_rule(
        "glsa_|glc_|NRAK-|ntn_|lin_api_|sntry",
        _B + r"(?:glsa_|glc_|NRAK-|ntn_|lin_api_|sntry[su]_)[\w+/=-]{20,}",
    ),
    *_rule("sq0", _B + r"sq0(?:atp|csp|idp)-[\w-]{20,}"),
    *_rule("ATATT3|ATCTT3|ATBB", _B + r"(?:ATATT3|ATCTT3|ATBB)[\w=+/-]{24,}"),
    *_rule(
        "pscale_|atlasv1",
        _B + r"(?:pscale_(?:tkn|pw|oauth)_[\w.-]{20,}|[A-Za-z0-9]{14}\.atlasv1\.[\w-]{40,})",
    ),
    *_rule(
        "PMAK-|dop_|rubygems_|EAACE",
        _B + r"(?:PMAK-[\w-]{30,}|rubygems_[0-9a-f]{40,}|EAACEdEose0cBA[A-Za-z0-9]+)",
    ),
    *_rule("LTAI|AKID|AKLT", _B + r"(?:LTAI[A-Za-z0-9]{12,30}|AKID[A-Za-z0-9]{28,40}|AKLT[\w-]{30,60})" + _E),
    *_rule("AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    # Credentials in addresses: a password after a name, or one long word alone.
    *_rule(
        "://",
        r"(?<![\w+.-])[A-Za-z][\w+.-]{1,30}://[^\s:/@?#\"'<>]{0,256}:([^\s/\"'<>]{1,1024})@(?=[\w\[${%*-])",
    ),
    *_rule("://", r"(?<![\w+.-])https?://(?=[\w~.-]*\d)([\w~.-]{16,1024})@(?=\w)"),
    *_rule("@tcp(|@unix(", r"(?<![\w.-])[\w.-]{1,128}:([^\s:/@\"']{1,256})@(?:tcp|unix)\("),
    *_rule("jdbc:oracle", r"jdbc:oracle:\w{1,10}:[^\s/@\"']{1,128}/([^\s@\"']{1,256})@"),
    *_rule(" -u|--user", r"\s(?:-u|--user)[\s=]['\"]?[^\s:'\"/]{1,128}:([^\s'\"]{3,256})"),
)


def tokens(text: str) -> str:
    """Return the text with everything masked that has the shape of a secret."""
    for needle, pattern in _RULES:
        if needle in text:
            text = pattern.sub(_masked, text)
    return _private_keys(text) if "PRIVATE KEY" in text else text


_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")


def _private_keys(text: str) -> str:
    """Return the text with private key blocks replaced whole; one without an end goes on to the text's."""
    parts: list[str] = []
    at = 0
    while begin := _BEGIN.search(text, at):
        parts += [text[at : begin.start()], "***"]
        end = _END.search(text, begin.end())
        at = end.end() if end else len(text)
    return "".join([*parts, text[at:]])
