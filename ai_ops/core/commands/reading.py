"""Reads shell text into simple commands. It forgives what a shell would refuse: nothing may hide in an error.

Words keep their parts, so that what is quoted, substituted or written in escapes can still be told apart.
Compound commands are flattened: what stands in a branch or a loop is read as if it ran.
"""

from __future__ import annotations

import re

from ai_ops.core.commands.grouping import Groups
from ai_ops.core.commands.looping import Loops
from ai_ops.core.commands.naming import names
from ai_ops.core.commands.parts import NUMBER, Command, Kind, Part, Redirect, Word, joined, plain, unescape

MOST_CHARACTERS = 64_000
"""A longer text is read up to here, and said to be too long."""


_KEYWORDS = names("if then else elif fi do done while until { } ! time esac coproc")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]")
_REDIRECT = re.compile(r"(?:\d+|\{\w+\}|&)?(<<<|<<-?|<>|>>|>\||[<>]&|[<>])")
_DEFINITION = re.compile(
    r"(?:function\s+([^\s\"'$`;|&<>(){}=]+)\s*(?:\(\s*\)\s*)?(?=[{(])|([^\s\"'$`;|&<>(){}=]+)\s*\(\s*\)\s*)"
)
_LONGEST_PATTERN = 300
_MOST_MISREAD = 20
_ARRAY = re.compile(r"[A-Za-z_]\w*\+?=")
_HIDDEN = re.compile("[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\U000e0000-\U000e007f]")


def read(text: str) -> list[Command]:
    """Return the simple commands of a text, in the order in which they stand."""
    return _Reader(_HIDDEN.sub("", text[:MOST_CHARACTERS]).replace("\\\n", "")).commands()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._found: list[Command] = []
        self._now = Command()
        self._documents: list[tuple[str, bool, bool, Command]] = []
        self._loops = Loops(self._found)
        self._groups = Groups(self._found)
        self._cases = self._misread = 0

    def commands(self) -> list[Command]:
        while self._at < len(self._text):
            self._step()
        self._end()
        return self._found

    def _step(self) -> None:
        text, at = self._text, self._at
        char = text[at]
        if char in " \t\r":
            self._at += 1
        elif char == "\n":
            if not (self._now.piped and self._now.empty):  # a pipe goes on in the next line
                self._end()
            self._at += 1
            self._take_documents()
        elif char == "#" and (at == 0 or text[at - 1] in " \t\n;"):
            end = text.find("\n", at)
            self._at = len(text) if end < 0 else end
        elif char in ";()":
            self._separator(char)
            if char == ";" and self._cases and text[at : at + 2] in (";;", ";&"):
                self._at = at + 2
                self._skip_pattern()
        elif (redirect := _REDIRECT.match(text, at)) and not text.startswith(("<(", ">("), at):
            self._redirect(redirect)
        elif char == "|":
            self._end(pipe=not text.startswith("||", at))
            self._at += 2 if text[at : at + 2] in ("||", "|&") else 1
        elif char == "&":
            self._behind(alone=not text.startswith("&&", at))
            self._end()
            self._at += 2 if text.startswith("&&", at) else 1
        elif not self._now.words and (defined := _DEFINITION.match(text, at)):
            self._define(defined)
        else:
            self._word_or_keyword()

    def _behind(self, *, alone: bool) -> None:
        """Mark what ``&`` ends: a command, or the last one of a group."""
        last = self._found[-1] if self._now.empty and self._found else self._now
        last.behind = last.behind or alone

    def _define(self, found: re.Match[str]) -> None:
        self._now.defines = found[1] or found[2]
        self._at = found.end()
        if self._text[self._at : self._at + 1] in ("{", "("):
            self._now.body = self._balanced(*("{}" if self._text[self._at] == "{" else "()"))
            self._at = found.end()
        self._end()

    def _separator(self, char: str) -> None:
        if char == "(" and self._text.startswith("((", self._at) and _begins(self._now, "for", words=1):
            sum = self._balanced("(", ")")
            self._found.extend(_Reader(_run_for(sum)).commands())
            self._now.words.append((Part(Kind.TEXT, sum, True),))
            return
        if char == "(" and self._text.startswith("((", self._at) and not self._now.words:
            self._found.extend(_Reader(_run_for(self._balanced("(", ")"))).commands())
            return
        if char != "(" or not self._now.empty:
            self._end()
        if char == "(":
            self._groups.begin(char, piped=self._now.piped)
        else:
            self._groups.end(char)
        self._at += 1

    def _word_or_keyword(self) -> None:
        word = self._word()
        bare = len(word) == 1 and word[0].kind is Kind.TEXT and not word[0].quoted
        if bare and word[0].text == "in" and _begins(self._now, "case"):
            self._now.words.append(word)
            self._groups.begin("case", piped=self._now.piped)
            self._end()
            self._cases += 1
            self._skip_pattern()
        elif bare and not self._now.words and word[0].text in _KEYWORDS:
            self._cases -= word[0].text == "esac" and self._cases > 0
            self._end_keeping_pipe()
            self._loops.keyword(word[0].text)
            self._groups.begin(word[0].text, piped=self._now.piped)
            self._groups.end(word[0].text)
        elif word or self._at >= len(self._text):
            if bare and not self._now.words and word[0].text in ("for", "select"):
                self._groups.begin(word[0].text, piped=self._now.piped)
            self._now.words.append(word)

    def _skip_pattern(self) -> None:
        """Skip the pattern of a case, which names no command; what is none is read as commands."""
        start, kept = self._at, len(self._found)
        end = min(len(self._text), start + _LONGEST_PATTERN) if self._misread < _MOST_MISREAD else start
        while self._at < end:
            char = self._text[self._at]
            if char == ")":
                self._at += 1
                return
            if char in ";&<>" or self._text.startswith("esac", self._at):
                break
            if char in " \t\r\n|(":
                self._at += 1
                continue
            word = self._word()
            if any(part.kind is not Kind.TEXT for part in word):
                self._found.append(Command(words=[(Part(Kind.TEXT, ":"),), word]))
        self._misread += not self._text.startswith("esac", self._at)
        self._at = start
        del self._found[kept:]

    def _end_keeping_pipe(self) -> None:
        piped, writers = self._now.piped, self._now.writers
        self._end()
        self._now.piped, self._now.writers = piped, writers

    def _end(self, *, pipe: bool = False) -> None:
        self._loops.closed = ()
        writers = self._groups.written()
        if not self._now.empty:
            self._groups.takes(self._now)
            self._found.append(self._now)
            writers = 1
        self._now = Command(piped=pipe, writers=writers if pipe else 1)

    def _redirect(self, found: re.Match[str]) -> None:
        operator = found[1]
        self._at = found.end()
        while self._at < len(self._text) and self._text[self._at] in " \t":
            self._at += 1
        target = self._word()
        if operator in ("<<", "<<-"):
            literal = any(part.quoted for part in target)
            self._documents.append((plain(target), operator == "<<-", literal, self._receiver(operator)))
        else:
            self._receiver(operator).redirects.append(Redirect(operator, target))

    def _receiver(self, operator: str) -> Command:
        """Return the command of a redirect: behind a loop, what reads its input or writes its output."""
        closed = self._loops.closed if self._now.empty else ()
        return (closed[0] if "<" in operator else closed[1]) if closed else self._now

    def _take_documents(self) -> None:
        for mark, tabs, literal, command in self._documents:
            lines = []
            while self._at < len(self._text):
                end = self._text.find("\n", self._at)
                end = len(self._text) if end < 0 else end
                line = self._text[self._at : end]
                self._at = end + 1
                if (line.lstrip("\t") if tabs else line) == mark:
                    break
                lines.append(line)
            body = "\n".join(lines) + "\n"
            parts = [Part(Kind.TEXT, body, True)] if literal else _Reader(body)._double(closing="")
            command.redirects.append(Redirect("<<", joined(parts)))
        self._documents.clear()

    def _word(self) -> Word:
        parts: list[Part] = []
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == "(" and parts and _ARRAY.fullmatch(plain(tuple(parts))) and parts[0].kind is Kind.TEXT:
                parts.append(Part(Kind.ARRAY, self._balanced("(", ")")))
                continue
            if char in " \t\r\n;|&" or (char in "<>()" and not self._text.startswith(("<(", ">("), self._at)):
                break
            parts.extend(self._part(char))
        return joined(parts)

    def _part(self, char: str) -> list[Part]:
        if char == "'":
            return [Part(Kind.TEXT, self._until("'"), True)]
        if char == '"':
            self._at += 1
            return self._double()
        if char == "\\":
            taken = self._text[self._at + 1 : self._at + 2]
            self._at += 2
            return [Part(Kind.TEXT, taken, True, taken.isalnum())]
        if char == "`":
            return [Part(Kind.COMMAND, self._until("`").replace("\\`", "`"))]
        if char == "$":
            return [self._dollar(quoted=False)]
        if char in "<>":
            self._at += 1
            return [Part(Kind.PROCESS, self._balanced("(", ")"))]
        start = self._at
        while self._at < len(self._text) and self._text[self._at] not in " \t\r\n;|&<>()'\"\\`$":
            self._at += 1
        return [Part(Kind.TEXT, self._text[start : self._at])]

    def _double(self, closing: str = '"') -> list[Part]:
        """Take what stands in double quotes; without a closing one, as in a here-document, to the end."""
        parts: list[Part] = [Part(Kind.TEXT, "", True)]
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == closing:
                self._at += 1
                break
            if char == "\\" and self._text[self._at + 1 : self._at + 2] in '$`"\\':
                parts.append(Part(Kind.TEXT, self._text[self._at + 1], True))
                self._at += 2
            elif char == "$":
                parts.append(self._dollar(quoted=True))
            elif char == "`":
                parts.append(Part(Kind.COMMAND, self._until("`"), True))
            else:
                parts.append(Part(Kind.TEXT, char, True))
                self._at += 1
        return parts

    def _dollar(self, *, quoted: bool) -> Part:
        text, at = self._text, self._at
        if text.startswith("$((", at):
            self._at += 1
            runs = _run_for(self._balanced("(", ")"))
            return Part(Kind.COMMAND, f"{runs}\necho 1", quoted) if runs else Part(Kind.TEXT, "1", quoted)
        if text.startswith("$(", at):
            self._at += 1
            return Part(Kind.COMMAND, self._balanced("(", ")"), quoted)
        if text.startswith("${", at):
            self._at += 1
            return Part(Kind.VARIABLE, self._balanced("{", "}"), quoted)
        if text.startswith("$'", at) and not quoted:
            self._at += 1
            raw = self._until("'", escapes=True)
            made = unescape(raw)
            return Part(Kind.TEXT, made, True, made != raw and bool(NUMBER.search(raw)))
        if text.startswith('$"', at) and not quoted:
            self._at += 1
            return Part(Kind.TEXT, "", True)
        name = _NAME.match(text, at + 1)
        if name is None:
            self._at += 1
            return Part(Kind.TEXT, "$", quoted)
        self._at = name.end()
        return Part(Kind.VARIABLE, name[0], quoted)

    def _until(self, quote: str, *, escapes: bool = False) -> str:
        """Take what stands between quotes; an open one goes on to the end."""
        start = at = self._at + 1
        while at < len(self._text) and self._text[at] != quote:
            at += 2 if self._text[at] == "\\" and (escapes or quote == "`") else 1
        self._at = at + 1
        return self._text[start:at]

    def _balanced(self, opening: str, closing: str) -> str:
        """Take what stands in brackets, in which quotes hide brackets."""
        start, depth, at, quote = self._at + 1, 0, self._at, ""
        while at < len(self._text):
            char = self._text[at]
            if char == "\\" and quote != "'":
                at += 1
            elif quote:
                quote = "" if char == quote else quote
            elif char in "'\"":
                quote = char
            elif char == opening:
                depth += 1
            elif char == closing:
                depth -= 1
                if depth == 0:
                    break
            at += 1
        self._at = at + 1
        return self._text[start:at]


def _run_for(sum: str) -> str:
    """Return the commands that are run to work out a sum."""
    if "$(" not in sum and "`" not in sum:
        return ""
    return "\n".join(part.text for part in _Reader(sum)._double(closing="") if part.kind is Kind.COMMAND)


def words_of(text: str) -> list[Word]:
    """Return the words of a list, as between the brackets of an array."""
    return [word for command in read(text) for word in command.words]


def _begins(command: Command, first: str, *, words: int = 0) -> bool:
    """Whether a command begins with a word, and has so many where a number is given."""
    counted = len(command.words) == words if words else bool(command.words)
    return counted and plain(command.words[0]) == first
