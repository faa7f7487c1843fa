"""Grouping of messages without a trace beside Drain3's, on the same labelled lines in the same run.

The lines are LogHub's when LOGHUB_DIR names a copy of it (it may not be redistributed), else our own. Both
sides have one setting for all systems; Drain3 has the masks of its own documentation. The goals are LogHub's.
Our own lines have more values that are plain words, each of which makes a group, so F1 has no goal there.
"""

import os
import statistics
import time

from ai_ops.core.describe import describe
from ai_ops.core.grouping import v1
from tests.bench.figures import Figure
from tests.support.labelled import accuracy, lines, loghub, merged, split, traces

_MASKS = (  # as in its documentation
    (r"((?<=[^A-Za-z0-9])|^)(([0-9a-f]{2,}:){3,}([0-9a-f]{2,}))((?=[^A-Za-z0-9])|$)", "ID"),
    (r"((?<=[^A-Za-z0-9])|^)((?:\d{1,3}\.){3}\d{1,3})((?=[^A-Za-z0-9])|$)", "IP"),
    (r"((?<=[^A-Za-z0-9])|^)([0-9a-f]{6,} ?){3,}((?=[^A-Za-z0-9])|$)", "SEQ"),
    (r"((?<=[^A-Za-z0-9])|^)([0-9A-F]{4} ?){4,}((?=[^A-Za-z0-9])|$)", "SEQ"),
    (r"((?<=[^A-Za-z0-9])|^)(0x[a-f0-9A-F]+)((?=[^A-Za-z0-9])|$)", "HEX"),
    (r"((?<=[^A-Za-z0-9])|^)([\-\+]?\d+)((?=[^A-Za-z0-9])|$)", "NUM"),
)


def grouping():
    """Yield accuracy and speed of both, and what the labelled traces of the parsed languages say."""
    folder = os.environ.get("LOGHUB_DIR")
    systems = loghub(folder) if folder else lines()
    name = "LogHub" if folder else "own lines"
    ours = _measure(systems, _ours)
    yield Figure(f"grouping accuracy, {name}", ours[0], "", 0.90, at_least=True)
    yield Figure(
        f"grouping accuracy, F1 of groups, {name}", ours[1], "", 0.88 if folder else None, at_least=True
    )
    yield Figure(f"grouping accuracy, worst system, {name}", ours[2], "")
    yield Figure("grouping: lines per CPU second", ours[3], "l/s", 80_000, at_least=True)
    if drain := _drain():
        theirs = _measure(systems, drain)
        yield Figure(f"grouping accuracy, Drain3, {name}", theirs[0], "")
        yield Figure(f"grouping accuracy, F1 of groups, Drain3, {name}", theirs[1], "")
        yield Figure("grouping: lines per CPU second, Drain3", theirs[3], "l/s")
        yield Figure("grouping accuracy: ours / Drain3", ours[0] / theirs[0], "×", 1.0, at_least=True)
        yield Figure("grouping speed: ours / Drain3", ours[3] / theirs[3], "×", 1.0, at_least=True)
    yield from _traces()


def _measure(systems, group):
    """Return (mean accuracy, mean F1, worst accuracy, lines per CPU second); lines alone are timed."""
    scores, seconds, count = [], 0.0, 0
    for labelled in systems.values():
        labels, texts = zip(*labelled, strict=True)
        began = time.process_time()
        groups = group(texts)
        seconds += time.process_time() - began
        count += len(texts)
        scores.append(accuracy(labels, groups))
    exact, f1 = zip(*scores, strict=True)
    return statistics.mean(exact), statistics.mean(f1), min(exact), count / seconds


def _ours(texts):
    return [v1.fingerprint("", "", text, ()) for text in texts]


def _drain():
    """Return Drain3 with generic masks, or None when it is not installed."""
    try:
        from drain3 import TemplateMiner
        from drain3.masking import MaskingInstruction
        from drain3.template_miner_config import TemplateMinerConfig
    except ImportError:
        print("  Drain3 is not installed: its side is left out")
        return None

    def group(texts):
        config = TemplateMinerConfig()
        config.masking_instructions = [MaskingInstruction(pattern, mask) for pattern, mask in _MASKS]
        miner = TemplateMiner(config=config)
        return [miner.add_log_message(text)["cluster_id"] for text in texts]

    return group


def _traces():
    """Yield how many labelled causes are merged or split, of the languages whose traces are parsed."""
    labelled = []
    for language in ("python", "java", "javascript", "go", "ruby", "php", "csharp", "rust"):
        found = traces(language)
        if all(describe(text).error.language == language for _, text in found):
            labelled += [(f"{language}: {cause}", text) for cause, text in found]
    labels, texts = zip(*labelled, strict=True)
    fingerprints = [describe(text).error.fingerprint for text in texts]
    yield Figure("labelled traces", len(labels), "")
    yield Figure("labelled traces: causes merged", len(merged(labels, fingerprints)), "", 0)
    share = len(split(labels, fingerprints)) / len(set(labels))
    yield Figure("labelled traces: share of causes split", share, "", 0.02)
