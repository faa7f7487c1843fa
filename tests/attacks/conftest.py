"""What the attacks share: workshops, and a witness who would see that something got out."""

import asyncio
import contextlib
from functools import partial

import pytest

from ai_ops.workspace.toolbox import ensure_toolbox
from tests.support.nursery import nursery
from tests.support.scenario import installed
from tests.support.workshop import open_workshop


@pytest.fixture(scope="session")
def shared_toolbox(tmp_path_factory):
    return asyncio.run(ensure_toolbox(tmp_path_factory.mktemp("attacks-toolbox")))


@pytest.fixture(scope="session")
def remembered_suites():
    """Return the ends of runs of suites. Tests ask for it whose subject is what comes after a proof."""
    return {}


@pytest.fixture
def workshop(request, tmp_path, shared_toolbox):
    """Return what opens a workshop in this test's folder."""
    asked = "remembered_suites" in request.fixturenames
    memory = request.getfixturevalue("remembered_suites") if asked else None
    (tmp_path / "workshop").mkdir()
    return partial(open_workshop, tmp_path / "workshop", shared_toolbox, memory=memory)


class Witness:
    """``program`` leaves ``mark`` when anything runs it, ``port`` notes who connects."""

    def __init__(self, folder):
        self.mark = folder / "witness.mark"
        self.program = folder / "witness.sh"
        self.program.write_text(f"#!/bin/sh\ntouch {self.mark}\ncat 2>/dev/null\n")
        self.program.chmod(0o755)
        self.port = 0
        self.connections = 0

    @contextlib.asynccontextmanager
    async def listening(self):
        def called(_reader, writer):
            self.connections += 1
            writer.close()

        async with await asyncio.start_server(called, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self

    @property
    def saw_nothing(self):
        return not self.mark.exists() and self.connections == 0


@pytest.fixture
async def witness(tmp_path):
    async with Witness(tmp_path).listening() as watching:
        yield watching


@pytest.fixture(scope="session")
def warm():
    with nursery() as started:
        yield started


@pytest.fixture
def install_warm(tmp_path, shared_toolbox, warm):
    """Return what makes an installation whose server starts at once."""
    return partial(installed, tmp_path / "scenario", toolbox=shared_toolbox.folder.parent, nursery=warm)
