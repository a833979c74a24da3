"""What a domain passes to the loop: which parameters decay."""

import pytest
import torch
from torch import nn

from winnow.learn.task import adamw, head_and_body


def test_matrices_and_kernels_decay_and_what_scales_or_shifts_does_not() -> None:
    """With gradients of zero one step of AdamW multiplies what decays by 1 - learning rate · weight decay."""
    torch.manual_seed(0)
    model = nn.ModuleDict(
        {
            "linear": nn.Linear(4, 3),
            "one_output": nn.Linear(4, 1),
            "kernel": nn.Conv2d(2, 5, 3),
            "pointwise": nn.Conv2d(2, 5, 1),
            "norm": nn.LayerNorm(4),
            "batch_norm": nn.BatchNorm2d(5),
            "embedding": nn.Embedding(6, 3),
            "bias_of_items": nn.Embedding(6, 1),
        }
    )
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    groups = head_and_body(model, lambda name: name.startswith("linear"), head=0.1)
    optimizer = adamw(groups, 0.5, 0.2)
    for group in optimizer.param_groups:
        group["lr"] *= group["lr_scale"]
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    shrunk = {
        name: float((parameter.detach() / before[name]).flatten()[0])
        for name, parameter in model.named_parameters()
        if not torch.equal(parameter.detach(), before[name])
    }
    assert shrunk == pytest.approx(
        {
            "linear.weight": 1 - 0.5 * 0.1 * 0.2,  # the head's learning rate
            **{f"{name}.weight": 1 - 0.5 * 0.2 for name in ("one_output", "kernel", "pointwise", "embedding")},
        }
    )


def test_without_weight_decay_the_groups_are_those_of_the_task() -> None:
    model = nn.Linear(2, 2)
    (group,) = adamw([{"params": list(model.parameters()), "lr_scale": 0.3}], 0.1, 0.0).param_groups
    assert (group["lr_scale"], group["weight_decay"], len(group["params"])) == (0.3, 0.0, 2)
