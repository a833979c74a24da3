"""
Learn the species from the petals.

    dvc repro train@toy
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial

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


def make_loaders(flowers: pd.DataFrame, batch_size: int, subset: str, share: BatchShare) -> Loaders:
    train, val = flowers[flowers["split"] == "train"], flowers[flowers["split"] == "val"]
    sampler = EpochSampler(len(train), share, train["weight"].to_numpy())
    rows = {"train": len(train), "val": len(val)}
    return Loaders(TensorLoader(tensors(train), sampler), OrderedLoader(tensors(val), batch_size), rows)


def loss(model: nn.Module, batch: Mapping[str, Tensor]) -> Loss:
    return Loss(cross_entropy(model(batch["measures"]), batch["label"], reduction="sum"), len(batch["label"]))


def predict(model: nn.Module, batches: Iterable[Mapping[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    for batch in batches:
        yield {"logits": model(batch["measures"]), "label": batch["label"]}


def metrics(flowers: Mapping[str, Tensor]) -> dict[str, float]:
    return {"loss": float(cross_entropy(flowers["logits"], flowers["label"]))}


def main(stage: Stage[Common, Train]) -> None:
    flowers = stage.read("ingest/flowers.parquet", Flowers)
    for path, schema in (("label/labels", Labels), ("split/splits", Splits), ("weight/weights", Weights)):
        flowers = flowers.merge(stage.read(f"{path}.parquet", schema), on="flower", how="left")
    loaders = partial(make_loaders, flowers.dropna(subset="split"), stage.params.batch_size)
    train_model(stage, Task(partial(Net, stage.params.hidden), loaders, loss, predict, metrics))


if __name__ == "__main__":
    run_stage(main)
