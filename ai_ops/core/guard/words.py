"""Words that say that code protects something, in any language."""

from __future__ import annotations

import re

_SAFETY = re.compile(
    r"(?<![a-z])(?:auth(?!or(?:s|ed|ing)?\b)\w*|permi(?:t|ssion)\w*|forbid\w*|csrf\w*|xsrf\w*|signature\w*|role|roles|is_?admin"
    r"|privilege\w*|access_?control\w*|logged_?in|login_?required|owner_?id|tenant\w*|captcha\w*|two_?factor|otp)"
    r"|(?:require|check|ensure|verify|has|is|assert)_?(?:login|user|admin|owner|token|scope|role|session|signature|hmac"
    r"|password|auth|access)"
    r"|pre_?authorize|roles_?allowed|secured|compare_?digest|timing_?safe_?equal|constant_?time_?compare"
    r"|\b(?:user|member|account|customer) ?\. ?(?:is_?)?(?:blocked|locked|banned|suspended|revoked)\b",
    re.IGNORECASE,
)
_ESCAPES = re.compile(
    r"escape|saniti[sz]e|encode_?uri|url_?encode|html_?encode|html_?special|purif|parameteri[sz]e|prepare_?statement"
    r"|quote_?(?:identifier|plus|ident|name|sql)?\Z|clean_?html|strip_?tags|bleach|secure_?filename|query_?escape"
    r"|\Aquoted\Z|path_?escape|js_?string|encode_?for|shlex|quote_?meta|real_?path|normali[sz]e_?path",
    re.IGNORECASE,
)
_UNESCAPES = re.compile(r"unescape|decode|unquote", re.IGNORECASE)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


_VALIDATES = re.compile(
    r"\A(?:validate|check|verify|ensure|assert|enforce|sanitize|guard_against|(?:require|is_valid|valid)(?=_))(?:_|\Z)"
    r"|\A(?:not_null|not_blank|not_empty|valid|validated|size|min|max|pattern|positive|email|field_validator|validator"
    r"|is_(?:string|int|number|email|not_empty|in|array|uuid|date))\Z",
    re.IGNORECASE,
)


_DECIDES_WHO = re.compile(
    r"denied|securit|(?:is|may|can)?_?allowed|secret|password|credential|refused|forbidden|compare_?digest",
    re.IGNORECASE,
)


def decides_who(text: str) -> bool:
    """Whether a text says that somebody is kept from something."""
    plain = _CAMEL.sub("_", text)
    return _SAFETY.search(plain) is not None or _DECIDES_WHO.search(plain) is not None


def validates(name: str) -> bool:
    """Whether a function or a mark of that name refuses what is not valid."""
    return _VALIDATES.match(_CAMEL.sub("_", name)) is not None


def is_about_safety(text: str) -> bool:
    """Whether a text names permission, identity or the like."""
    return _SAFETY.search(_CAMEL.sub("_", text)) is not None


def escapes(name: str) -> bool:
    """Whether a function of that name makes a text harmless where it goes."""
    plain = _CAMEL.sub("_", name)
    return _ESCAPES.search(plain) is not None and _UNESCAPES.search(plain) is None
