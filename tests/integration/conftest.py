"""What the tests of the orchestrator share: the toolbox, built once, and a workshop for each test."""

import asyncio
from functools import partial

import pytest

from ai_ops.workspace.toolbox import ensure_toolbox
from tests.support.workshop import open_workshop


@pytest.fixture(scope="session")
def shared_toolbox(tmp_path_factory):
    return asyncio.run(ensure_toolbox(tmp_path_factory.mktemp("shared-toolbox")))


@pytest.fixture(scope="session")
def remembered_suites():
    """Return the ends of runs of suites. Tests ask for it whose subject is what comes after a proof."""
    return {}


@pytest.fixture
def workshop(request, tmp_path, shared_toolbox):
    """Return what opens a workshop in this test's folder."""
    asked = "remembered_suites" in request.fixturenames
    memory = request.getfixturevalue("remembered_suites") if asked else None
    return partial(open_workshop, tmp_path, shared_toolbox, memory=memory)
