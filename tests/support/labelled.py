"""Labelled examples of tests/data, and how well a grouping of them is."""

import csv
import random
import re
import uuid
from collections import Counter, defaultdict
from pathlib import Path

_TRACES = Path(__file__).parents[1] / "data" / "labelled_traces"


def traces(language):
    """Return (cause, trace) of each trace of a language."""
    found = []
    for line in (_TRACES / f"{language}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("=== "):
            found.append((line[4:], []))
        else:
            found[-1][1].append(line)
    return [(cause, "\n".join(lines)) for cause, lines in found]


def merged(labels, groups):
    """Return the label sets that stand in one group together."""
    together = defaultdict(set)
    for label, group in zip(labels, groups, strict=True):
        together[group].add(label)
    return [sorted(each) for each in together.values() if len(each) > 1]


def split(labels, groups):
    """Return the labels that stand in more than one group."""
    apart = defaultdict(set)
    for label, group in zip(labels, groups, strict=True):
        apart[label].add(group)
    return sorted(label for label, each in apart.items() if len(each) > 1)


def accuracy(labels, groups):
    """Return (grouping accuracy, its F1): lines, and groups, whose group is exactly their label's."""
    pairs = Counter(zip(labels, groups, strict=True))
    of_label, of_group = Counter(labels), Counter(groups)
    exact = [n for (label, group), n in pairs.items() if n == of_label[label] == of_group[group]]
    return sum(exact) / len(labels), 2 * len(exact) / (len(of_label) + len(of_group))


_LINES = Path(__file__).parents[1] / "data" / "labelled_lines"
_PLACE = re.compile(r"\{([a-z_|]\w*2?(?:\|[^{}]*(?:\{\d+\})?)?)\}")


def lines(count=2000, seed=16):
    """Return {system: [(label, line), …]} of our own templates, ``count`` lines each, always the same."""
    return {path.stem: _filled(path, count, random.Random(seed)) for path in sorted(_LINES.glob("*.txt"))}


def loghub(folder):
    """Return the same of a copy of LogHub: ``<System>/<System>_2k.log_structured.csv``."""
    systems = {}
    for path in sorted(Path(folder).rglob("*_2k.log_structured.csv")):
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            rows = [(row["EventId"], row["Content"]) for row in csv.DictReader(file)]
        systems[path.name.split("_")[0]] = rows
    return systems


def _filled(path, count, rng):
    templates = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        weight, star, rest = line.partition(" * ")
        weighted = star and weight.isdigit()
        templates.append((number, rest if weighted else line, int(weight) if weighted else 1))
    chosen = rng.choices(templates, weights=[weight for *_, weight in templates], k=count)
    return [
        (number, _PLACE.sub(lambda found: _value(found.group(1), rng), text)) for number, text, _ in chosen
    ]


_NAMES = """
alpha billing cart cron delta feed gamma import invoice ledger media nightly orders parser queue
"""
_WORDS = _NAMES.split()
_PEOPLE = """
alice bob root admin carol dave www-data jenkins test erin oracle guest
"""
_USERS = _PEOPLE.split()


def _value(kind, rng):
    """Return a value of a kind, or the kind itself where it is none: one of the words of a place."""
    if "|" in kind:
        kind = rng.choice(kind.split("|"))
    number, word = rng.randrange, rng.choice(_WORDS)
    digits = "".join(rng.choices("0123456789abcdef", k=rng.choice((6, 8, 12, 16))))
    makers = {
        "int": lambda: str(number(10 ** rng.choice((1, 2, 3, 5, 9)))),
        "float": lambda: f"{rng.random() * 10 ** number(4):.{number(1, 7)}f}",
        "hex": lambda: digits,
        "id": lambda: f"{word[:3]}{number(10, 99)}{digits[:5]}",
        "uuid": lambda: str(uuid.UUID(int=rng.getrandbits(128), version=4)),
        "path": lambda: "/" + "/".join(rng.choices((*_WORDS, f"v{number(9)}", digits), k=number(1, 6))),
        "mac": lambda: ":".join(f"{number(256):02x}" for _ in range(6)),
        "user": lambda: rng.choice(_USERS),
        "file": lambda: rng.choice(("chrome.exe", "sync.exe", "mailer.exe *64")),
        "pkg": lambda: rng.choice(("com.acme.mail", "com.acme.phone.ui", "org.example.music.Sync")),
        "list": lambda: " ".join(f"blk_{number(10**9)}" for _ in range(number(1, 6))),
        "word": lambda: word,
        **_addresses(number, word, digits, rng),
        **_amounts(number, rng),
    }
    return makers[kind]() if kind in makers else kind


def _addresses(number, word, digits, rng):
    hosts = (f"{word}-{number(40)}.acme.internal", f"{word}.example.com", f"ns{number(9)}.{word}.example.net")
    return {
        "ip": lambda: ".".join(str(number(1, 255)) for _ in range(4)),
        "host": lambda: rng.choice(hosts),
        "url": lambda: f"https://{word}.example.com/{word}/{number(999)}?x={digits}",
        "mail": lambda: f"{rng.choice(_USERS)}.{word}@example.com",
    }


def _amounts(number, rng):
    clock = f"{number(24):02}:{number(60):02}"
    long, short = f"{number(1024, 99999)} bytes ({number(1, 99)}.{number(9)} KB)", f"{number(999)} bytes"
    spans = (
        f"{number(999)} ms",
        f"{number(900) / 100}s",
        f"{number(59)}m{number(60)}s",
        f"{number(90)} seconds",
    )
    return {
        "time": lambda: f"{clock}:{number(60):02}.{number(1000):03}",
        "date": lambda: f"2026-{number(1, 13):02}-{number(1, 29):02}",
        "dur": lambda: rng.choice(spans),
        "size": lambda: f"{rng.random() * 999:.1f} {rng.choice(('B', 'KB', 'MB', 'GB'))}",
        "size2": lambda: rng.choice((short, long)),
        "clock": lambda: rng.choice(("<1 sec", clock)),
    }
