"""What holds for all tests."""

import gc
import os

from tests.support.scratch import scratch

if folder := scratch():
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))


def pytest_collection_finish():
    """Sixteen thousand collected tests would be looked through by every collection of garbage after this."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)  # as the product does
