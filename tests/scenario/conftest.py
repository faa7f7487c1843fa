"""What the scenarios share: the toolbox, which is the same for all and is built once."""

from functools import partial

import pytest

from tests.support.nursery import nursery
from tests.support.scenario import build_toolbox, installed


@pytest.fixture(scope="session")
def toolbox(tmp_path_factory):
    return build_toolbox(tmp_path_factory.mktemp("toolbox"))


@pytest.fixture(scope="session")
def warm():
    with nursery() as started:
        yield started


@pytest.fixture
def install(tmp_path, toolbox):
    """Return what makes an installation in this test's folder."""
    return partial(installed, tmp_path / "scenario", toolbox=toolbox)


@pytest.fixture
def install_warm(install, warm):
    """The same with a server that starts at once, for tests of what it does then."""
    return partial(install, nursery=warm)
