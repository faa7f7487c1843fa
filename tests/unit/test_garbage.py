"""When Python looks for garbage."""

import gc

import pytest

from ai_ops.garbage import loading


@pytest.fixture(autouse=True)
def as_before():
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.enable()


def test_nothing_is_looked_through_while_modules_load_and_what_they_made_never_again():
    looks = []
    gc.callbacks.append(lambda phase, info: looks.append(info["generation"]))
    frozen = gc.get_freeze_count()
    try:
        with loading():
            made = [[] for _ in range(200_000)]
        assert looks == []
    finally:
        gc.callbacks.pop()
    assert gc.isenabled()
    assert gc.get_freeze_count() >= frozen + len(made)


def test_a_module_that_cannot_be_loaded_does_not_end_the_looks():
    with pytest.raises(ModuleNotFoundError), loading():
        raise ModuleNotFoundError
    assert gc.isenabled()
