"""Which lines make one record: the joiner's questions, answered a line at a time.

A trace never says that it is over, and some lines only turn out to belong when a later one comes: a
blank line before "During handling of the above exception", the second line of a message. Those are
taken provisionally, and ``Follower.pending`` tells how many to give back when the record ends.

The first line rarely tells the language (``IOException: closed``), so each that it may be reads on until
a frame decides.
"""

from __future__ import annotations

import re

from ai_ops.core.container import unwrap
from ai_ops.core.envelope import Container, Envelope
from ai_ops.core.logline import LEVELS, begins_record, behind_time, text_level
from ai_ops.core.stacktrace import rails
from ai_ops.core.stacktrace.languages import LANGUAGES, framed, starts
from ai_ops.core.stacktrace.model import Language, LineReader, Verdict

_CALLS_ALONE = (
    "java",
    "javascript",
    "csharp",
)  # whose exceptions are printed without a word before their class

_SENTENCE_BYTES = 2048  # what tells that a line lacks a prefix is in its beginning
MAX_PENDING = 32
"""How many lines are taken provisionally before the record is over."""

_ALL = {needle.encode() for language in LANGUAGES for needle in language.NEEDLES}
# A needle that holds another one is found by it.
NEEDLES: tuple[bytes, ...] = tuple(sorted(n for n in _ALL if not any(o != n and o in n for o in _ALL)))
"""A line that ``may_begin`` a trace holds one of these."""


def _text(line: bytes) -> str:
    return line.rstrip(b"\r\n").decode("latin-1")


def may_begin(line: bytes) -> bool:
    """Whether a trace may begin on this line, behind any log prefix."""
    return bool(starts(unwrap(_text(line)).text))


_LEAD = re.compile(
    r"\s*(?:[Uu]ncaught\s)?(?:[\w$]{1,64}[.+]){0,16}(?P<name>[A-Z][\w$]{1,100})"
    r"(?: \[\w{1,60}\])?(?::(?:\s.*)?)?\Z"
)
_NO_ERRORS = ("Warning", "Trace", "State", "Stack", "Stacktrace", "Notice", "Deprecated", "Deprecation")
_QUIET = re.compile(r"\[(?:[DIVW]|LOG)\]")


def leads(line: bytes, following: bytes, between: bytes | None = None, within: bytes = b"") -> bool:
    """Whether a line names an exception because the one that follows is a call, however its class is called.

    What Rails announces causes with does as well, where the class is called as errors are.

    ``Rejected: no stock`` tells nothing by itself. Warnings, ``console.trace`` and dumps of threads are no
    errors. A time may stand before the name; its logger is believed when it says a level. ``between`` is a
    line that stands between the two: Rails leaves one empty, but for its tags. ``within`` is the first line
    of a record that is open, perhaps the call's: a dated line interrupts only one that a dated line leads.
    """
    call, head = unwrap(_text(following)).text, unwrap(_text(line)).text
    if rails.leads(head, call, "" if between is None else unwrap(_text(between)).text):
        return True
    begin = behind_time(head)
    found = _LEAD.match(head, begin) if between is None else None
    if found is None or found["name"].isupper() or found["name"].endswith(_NO_ERRORS):
        return False
    if found["name"].upper() in LEVELS:
        return False
    if begin and (_QUIET.search(head[:begin]) or (within and not _is_dated_lead(within, following))):
        return False
    return any(language.NAME in _CALLS_ALONE for language, _ in framed(call))


def _is_dated_lead(line: bytes, following: bytes) -> bool:
    return behind_time(unwrap(_text(line)).text) > 0 and leads(line, following)


def lacks_prefix(line: bytes) -> bool:
    """Whether a line stands without what its logger writes before the others of its record."""
    return rails.is_untagged(_text(line[:_SENTENCE_BYTES]))


class Follower:
    """Takes the lines of one record after its first.

    ``language`` is "" as long as no trace has begun. ``pending`` counts the lines taken last that belong
    only if more comes; when the record ends they are not part of it. A refused line changes nothing, so
    a joiner that bears interleaved lines may go on asking.
    """

    def __init__(self, first_line: bytes) -> None:
        self.pending = 0
        # The one reader that is left when the language is known and nothing stands before the lines.
        self._settled: LineReader | None = None
        self._container = Container(_text(first_line))
        first = self._container.first
        self._tracks = [_Track(language, first, column) for language, column in starts(first)]
        self._headline = None if self._tracks and not begins_record(first) else _Headline(first)

    @property
    def language(self) -> str:
        """The language of the trace, or the first of those that it may be."""
        return self._tracks[0].language if self._tracks else ""

    def accept(self, line: bytes) -> bool:
        """Return whether the line belongs to the record, for certain or provisionally."""
        verdict = self.verdict(line)
        if verdict is Verdict.MAYBE:
            self.pending += 1
        return verdict is not Verdict.FOREIGN

    def verdict(self, line: bytes) -> Verdict:
        """Return what the line is to the record. Only one that ``BELONGS`` changes the follower.

        Who takes a line that may belong counts it in ``pending``.
        """
        text = line.rstrip(b"\r\n").decode("latin-1")
        verdict = self._settled.step(text) if self._settled else self._unsettled(text)
        if verdict is Verdict.BELONGS:
            self.pending = 0
        elif verdict is Verdict.MAYBE and self.pending >= MAX_PENDING:
            return Verdict.FOREIGN
        return verdict

    def is_blank(self, line: bytes) -> bool:
        """Whether the line holds nothing but the words that stand before every line of the record."""
        bare = self._container.strip(_text(line))
        return bare is not None and any(track.is_blank(bare) for track in self._tracks)

    def _unsettled(self, text: str) -> Verdict:
        if not self._container.plain:
            if self._container.continues(text):
                return Verdict.BELONGS
            bare = self._container.strip(text)
            if bare is None:
                return Verdict.FOREIGN
            text = bare
        verdict = self._of_tracks(text)
        if verdict is not Verdict.BELONGS and self._headline:
            verdict = self._of_headline(self._headline, text, verdict)
        return verdict

    def _of_tracks(self, line: str) -> Verdict:
        certain, best = [], Verdict.FOREIGN
        for track in self._tracks:
            verdict = track.verdict(line)
            if verdict is Verdict.BELONGS:
                certain.append(track)
            elif verdict is Verdict.MAYBE:
                best = verdict
        if not certain:
            return best
        self._tracks, self._headline = certain, None
        if len(certain) == 1 and self._container.plain:
            self._settled = certain[0].settled
        return Verdict.BELONGS

    def _of_headline(self, headline: _Headline, line: str, otherwise: Verdict) -> Verdict:
        verdict, below = headline.step(line)
        if verdict is not Verdict.BELONGS:
            return otherwise if verdict is Verdict.FOREIGN else verdict
        if below:
            self._tracks = [_Track(language, line, column) for language, column in below]
            self._headline = None
        return verdict


class _Track:
    """One language's reading of the record, with the words that its logger puts before every line."""

    def __init__(self, language: Language, first: str, column: int) -> None:
        self.language = language.NAME
        prefix = first[:column] if first[:column].strip() else ""
        self._envelope = Envelope(prefix) if prefix else None
        self._enveloped: bool | None = None if prefix else False
        self._reader = language.reader(first[column:] if prefix else first)

    @property
    def settled(self) -> LineReader | None:
        return self._reader if self._enveloped is False else None

    def is_blank(self, line: str) -> bool:
        bare = self._envelope.strip(line) if self._envelope else None
        text = line if bare is None else bare
        return not (self._reader.untagged(text) if isinstance(self._reader, rails.Reader) else text).strip()

    def verdict(self, line: str) -> Verdict:
        if self._envelope is None or self._enveloped is False:
            return self._reader.step(line)
        bare = self._envelope.strip(line)
        if bare is not None:
            verdict = self._reader.step(bare)
            if verdict is Verdict.BELONGS:
                self._enveloped = True
            if verdict is not Verdict.FOREIGN:
                return verdict
        if self._enveloped is True:
            return Verdict.FOREIGN
        verdict = self._reader.step(line)
        if verdict is Verdict.BELONGS:
            self._enveloped = False
        return verdict


class _Headline:
    """A log line of trouble: a trace may follow it, at once or after more of its message."""

    def __init__(self, first: str) -> None:
        self._first = first
        self._harmless = text_level(first) in ("DEBUG", "INFO")

    def step(self, line: str) -> tuple[Verdict, tuple[tuple[Language, int], ...]]:
        if self._harmless or begins_record(line):
            return Verdict.FOREIGN, ()
        below = starts(line) or framed(line)
        if not below and rails.is_tagged_frame(line, self._first):
            below = ((rails, 0),)
        belongs = below or rails.sums_up(line, self._first)
        return (Verdict.BELONGS if belongs else Verdict.MAYBE), below
