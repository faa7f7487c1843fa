"""What the scenarios share: the toolbox, which is the same for all and is built once."""

import pytest

from tests.support.scenario import build_toolbox, installed


@pytest.fixture(scope="session")
def toolbox(tmp_path_factory):
    return build_toolbox(tmp_path_factory.mktemp("toolbox"))


@pytest.fixture
def install(tmp_path, toolbox):
    """Return what makes an installation in this test's folder."""

    def make(**options):
        return installed(tmp_path / "scenario", toolbox=toolbox, **options)

    return make
