"""Text from outside, made visible: nothing hidden from a reader may steer a model.

Logs and error messages are data. Before they stand in a prompt, characters that a person would not
see are taken out and named, and HTML comments are marked. This is not redaction: secrets are
``core.redaction``'s.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Flag, and the characters it stands for. Variation selectors and tags can carry whole messages; the two
# that choose between text and emoji are ordinary and stay.
_HIDDEN: tuple[tuple[str, str], ...] = (
    ("bidi", "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"),
    (
        "zero_width",
        "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0",
    ),
    ("tag_characters", "\U000e0000-\U000e007f"),
    ("variation_selectors", "\ufe00-\ufe0d\U000e0100-\U000e01ef"),
    ("control_characters", "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f"),
)
_PATTERNS = tuple((flag, re.compile(f"[{characters}]+")) for flag, characters in _HIDDEN)
_LINE_ENDS = re.compile("\r\n|\r|\u0085|\u2028|\u2029")
_SURROGATES = re.compile("[\ud800-\udfff]")
_COMMENT_MARK = "[HTML comment] <!--"


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Text without hidden characters, and the names of what was found, in a fixed order."""

    text: str
    flags: tuple[str, ...] = ()


def hidden_flags(text: str) -> tuple[str, ...]:
    """Return which kinds of hidden characters stand in ``text``; line ends and tabs are not hidden."""
    return tuple(flag for flag, pattern in _PATTERNS if pattern.search(text))


def clean(text: str) -> Cleaned:
    r"""Take hidden characters out of ``text``, mark HTML comments, and say what was there.

    Every kind of line end becomes ``\n``; a lone surrogate becomes U+FFFD, so that the result can
    always be encoded.
    """
    flags = []
    text = _LINE_ENDS.sub("\n", text)
    for flag, pattern in _PATTERNS:
        text, found = pattern.subn("", text)
        if found:
            flags.append(flag)
    text, found = _SURROGATES.subn("\ufffd", text)
    if found:
        flags.append("invalid_characters")
    if "<!--" in text:
        flags.append("html_comment")
        text = text.replace("<!--", _COMMENT_MARK)
    return Cleaned(text, tuple(flags))
