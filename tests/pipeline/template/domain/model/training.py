"""The training of the network."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from torch import Tensor, nn
from torch.nn.functional import huber_loss

from winnow.domains.toy.model.network import Net, tensors
from winnow.domains.toy.params import Train
from winnow.learn.accumulator import Loss
from winnow.learn.loaders import Loaders, OrderedLoader, TensorLoader
from winnow.learn.samplers import BatchShare, EpochSampler
from winnow.learn.task import Task


@dataclass(frozen=True)
class RegressionTask(Task):
    """A training on `Rows` with split and weight."""

    rows: pd.DataFrame
    features: Sequence[str]
    params: Train
    example = "predict rows.csv"

    def build(self) -> nn.Module:
        model = Net(self.features, self.params.hidden)
        model.fit_scales(**tensors(self.rows[self.rows["split"] == "train"], self.features))
        return model

    def loaders(self, subset: str, share: BatchShare) -> Loaders:
        del subset  # there is one
        train, val = (self.rows[self.rows["split"] == split] for split in ("train", "val"))
        sampler = EpochSampler(len(train), share, train["weight"].to_numpy())
        return Loaders(
            TensorLoader(tensors(train, self.features), sampler),
            OrderedLoader(tensors(val, self.features), self.params.batch_size),
            {"train": len(train), "val": len(val)},
        )

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Loss:
        return Loss(huber_loss(model(batch["features"]), batch["target"], reduction="sum"), len(batch["target"]))

    def predict(self, model: nn.Module, batches: Iterable[Mapping[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
        for batch in batches:
            yield {"predicted": model(batch["features"]), "target": batch["target"]}

    def metrics(self, rows: Mapping[str, Tensor]) -> dict[str, float]:
        loss = huber_loss(rows["predicted"], rows["target"])
        return {"loss": float(loss), "mae": float((rows["predicted"] - rows["target"]).abs().mean())}
