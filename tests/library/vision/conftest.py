"""One thread for torch: these networks are so small that several threads on a busy machine only wait for each other."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
