"""
Learn the species from the petals.

    dvc repro train@toy
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pandas as pd
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from winnow.domains.toy.model.network import Net, tensors
from winnow.domains.toy.params import Common, Train
from winnow.domains.toy.tables import Flowers, Labels, Splits, Weights
from winnow.learn.accumulator import Loss
from winnow.learn.loaders import Loaders, OrderedLoader, TensorLoader
from winnow.learn.samplers import BatchShare, EpochSampler
from winnow.learn.stage import train_model
from winnow.learn.task import Task
from winnow.pipeline.stage import Stage, run_stage


@dataclass(frozen=True)
class SpeciesTask(Task):
    """A training of the network on `Flowers` with label, split and weight."""

    flowers: pd.DataFrame
    params: Train

    def build(self) -> nn.Module:
        return Net(self.params.hidden)

    def loaders(self, subset: str, share: BatchShare) -> Loaders:
        del subset  # there is one
        train, val = (self.flowers[self.flowers["split"] == split] for split in ("train", "val"))
        sampler = EpochSampler(len(train), share, train["weight"].to_numpy())
        rows = {"train": len(train), "val": len(val)}
        return Loaders(TensorLoader(tensors(train), sampler), OrderedLoader(tensors(val), self.params.batch_size), rows)

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Loss:
        return Loss(cross_entropy(model(batch["measures"]), batch["label"], reduction="sum"), len(batch["label"]))

    def predict(self, model: nn.Module, batches: Iterable[Mapping[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
        for batch in batches:
            yield {"logits": model(batch["measures"]), "label": batch["label"]}

    def metrics(self, rows: Mapping[str, Tensor]) -> dict[str, float]:
        return {"loss": float(cross_entropy(rows["logits"], rows["label"]))}


def main(stage: Stage[Common, Train]) -> None:
    flowers = stage.read("ingest/flowers.parquet", Flowers)
    for path, schema in (("label/labels", Labels), ("split/splits", Splits), ("weight/weights", Weights)):
        flowers = flowers.merge(stage.read(f"{path}.parquet", schema), on="flower", how="left")
    train_model(stage, SpeciesTask(flowers.dropna(subset="split"), stage.params))


if __name__ == "__main__":
    run_stage(main)
