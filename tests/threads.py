"""One thread for torch, for tests of small tensors: `from tests.threads import one_thread` in a conftest."""

from collections.abc import Generator

import pytest
import torch


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Generator[None]:
    """Tensors of a few numbers are not worth a second thread: threads would only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
