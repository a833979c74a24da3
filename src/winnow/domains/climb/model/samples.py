"""A small sample of generated routes after every validation: curves of their quality beside those of the loss."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from winnow.domains.climb.model.artifacts import Settings
from winnow.domains.climb.model.generation import generate, make_decoding, make_limits
from winnow.domains.climb.model.grades import GradeJudge, fit_judge
from winnow.domains.climb.model.network import RouteTransformer
from winnow.domains.climb.model.sequences import BOARDS, START, Sequences, holds_of, train_distances
from winnow.domains.climb.rules.validity import broken_rules_of_generated


@dataclass(frozen=True)
class Samples:
    """What training generates for its curves, from a separate random stream: it does not affect the weights."""

    settings: Settings
    train: Sequences
    count: int
    """routes after each validation, for the conditions of the first validation routes"""

    def generate(self, model: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Two generated routes for each of the batch's first `count` rows of the split, the others all START.

        One keeps within the limits, as generated routes do; the other is as the network would have it.
        """
        assert isinstance(model, RouteTransformer)
        limits, decoding = make_limits(model.known, self.settings.limits), make_decoding(self.settings.decoding)
        own, conditions = (batch["ids"] < self.count).cpu(), batch["conditions"].cpu()
        own &= limits.possible(conditions[:, 0])
        rows = {"conditions": conditions}
        for name, constrained in (("sampled", True), ("free", False)):
            rows[name] = torch.full((len(own), limits.max_holds + 1), START)
            if own.any():
                random = torch.Generator().manual_seed(0)
                made = generate(model, conditions[own].numpy(), limits, decoding, random, constrained=constrained)
                rows[name][own] = torch.from_numpy(made.tokens)
        return rows

    def metrics(self, rows: Mapping[str, Tensor]) -> dict[str, float]:
        """Metrics of the sample; none where no route could be generated."""
        own = (rows["sampled"][:, 0] != START).numpy()
        if not own.any():
            return {}
        ids = tuple(f"{number:04d}" for number in range(own.sum()))
        made, free = (
            Sequences(ids, rows[name].numpy()[own], rows["conditions"].numpy()[own]) for name in ("sampled", "free")
        )
        apart = np.abs(self.judge.grades(made) - made.conditions[:, 2])
        return {
            "sample/unconstrained_validity_score": self._valid_share(free),
            "sample/novelty_score": float((train_distances(made, self.train) > 0).mean()),
            "sample/grade_within_one_accuracy": float((apart <= 1).mean()),
        }

    @cached_property
    def judge(self) -> GradeJudge:
        """Fitted on the training routes at the first validation; smaller than evaluate's, and always the same."""
        return fit_judge(self.train, trees=50, min_leaf=3, neighbour_weight=0.5, seed=0)

    def _valid_share(self, routes: Sequences) -> float:
        limits = self.settings.limits
        boards = [BOARDS[board] for board in routes.conditions[:, 0]]
        table = pd.DataFrame({"route_id": routes.ids, "board": boards})
        broken = broken_rules_of_generated(
            table, holds_of(routes), min_holds=limits.min_holds, max_holds=limits.max_holds, max_reach=limits.max_reach
        )
        return float(1 - broken.any(axis=1).mean())
