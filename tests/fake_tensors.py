"""Tensors without data on a GPU that is not there: operations between them and tensors of the CPU fail, as on a GPU."""

import torch
from torch._subclasses.fake_tensor import FakeTensorMode


def fake_tensors(*, allow_non_fake_inputs: bool) -> FakeTensorMode:
    """PyTorch's mode, entered in a process whose autograd has started without that GPU.

    The mode registers a GPU for the rest of the process. A first backward pass after that starts a thread for it, and
    PyTorch then refuses to train in processes that are forked, as other tests of the same worker do.
    """
    torch.ones(1, requires_grad=True).sum().backward()
    return FakeTensorMode(allow_non_fake_inputs=allow_non_fake_inputs)
