"""What the tests of the orchestrator share: the toolbox, built once, and a workshop for each test."""

import asyncio
from functools import partial

import pytest

from ai_ops.workspace.toolbox import ensure_toolbox
from tests.support.workshop import open_workshop


@pytest.fixture(scope="session")
def shared_toolbox(tmp_path_factory):
    return asyncio.run(ensure_toolbox(tmp_path_factory.mktemp("shared-toolbox")))


@pytest.fixture
def workshop(tmp_path, shared_toolbox):
    """Return what opens a workshop in this test's folder."""
    return partial(open_workshop, tmp_path, shared_toolbox)
