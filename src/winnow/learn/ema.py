"""The moving average of a model's weights over the steps of a training.

The last step's weights carry the noise of the last batches; their exponential moving average does not (Polyak and
Juditsky 1992; Tan and Le 2019 report all figures with it), so that a training depends less on its seed and on the epoch
whose weights are kept.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from winnow.learn.sharding import own_part, part_like


class ExponentialMovingAverage:
    """The average of a model's floating-point weights and buffers named in `names`; shares fall by `decay` a step.

    In the first steps the decay is (1 + steps) / (10 + steps), if that is less: the first weights must not last.
    With a `decay` of 0 nothing is kept, and the model's weights are its own.
    """

    def __init__(
        self,
        model: nn.Module,
        names: Collection[str],
        decay: float,
        steps: int = 0,
        state: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.decay, self.steps = decay, steps
        entries = [*model.named_parameters(), *model.named_buffers()] if decay else []  # tied ones once
        self._own = {name: each.detach() for name, each in entries if name in names and each.is_floating_point()}
        start = {name: part_like(each, self._own[name]) for name, each in state.items()} if state else self._own
        self.state = {name: start[name].to(value.device, copy=True) for name, value in self._own.items()}

    def update(self) -> None:
        """Take in the model's weights after a step."""
        if self.decay:
            decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
            average, own = (list(map(own_part, each.values())) for each in (self.state, self._own))
            torch._foreach_lerp_(average, own, 1 - decay)
            self.steps += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The model with the averaged weights, as long as the block lasts."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for name, each in self._own.items():
            value, average = own_part(each), own_part(self.state[name])
            kept = value.clone()
            value.copy_(average)
            average.copy_(kept)
