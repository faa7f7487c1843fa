"""The memory of descriptions answers as describing does, and keeps nothing that was not masked."""

import pytest

from ai_ops.core.describe import describe
from ai_ops.core.redaction import Redactor
from ai_ops.server import descriptions as module
from ai_ops.server.descriptions import Descriptions

SECRET = "hunter2-hunter2-hunter2"
TEXTS = ["ERROR boom", f"ERROR password={SECRET}", "é \ud800", "", "x" * 20_000]


@pytest.fixture
def described(monkeypatch):
    seen = []

    def counted(text, **more):
        seen.append(text)
        return describe(text, **more)

    monkeypatch.setattr(module, "describe", counted)
    return seen


@pytest.mark.parametrize("text", TEXTS, ids=["plain", "secret", "odd", "empty", "long"])
def test_the_answer_is_the_same_the_first_and_the_second_time(text):
    memory = Descriptions(Redactor())
    assert memory.describe(text) == memory.describe(text) == describe(text)


def test_a_text_is_described_once(described):
    memory = Descriptions(Redactor())
    for _ in range(5):
        memory.describe("ERROR boom")
        memory.describe("ERROR bang")
    assert described == ["ERROR boom", "ERROR bang"]


def test_the_memory_is_bounded_and_forgets_what_was_not_asked_for_longest(described):
    memory = Descriptions(Redactor(), size=2)
    for text in ("a", "b", "a", "c", "a", "b"):
        memory.describe(text)
    assert described == ["a", "b", "c", "b"]


def test_long_texts_are_not_kept(described):
    memory = Descriptions(Redactor())
    memory.describe("x" * 20_000)
    memory.describe("x" * 20_000)
    assert len(described) == 2


def test_nothing_unmasked_is_kept():
    memory = Descriptions(Redactor())
    memory.describe(f"ERROR password={SECRET}")
    assert SECRET not in repr(memory._known)
