"""The grader's training task: the model, the batches, the loss, the validation, and the shares really drawn."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from winnow.domains.retina import definitions
from winnow.domains.retina.definitions import WITH_VALIDATION
from winnow.domains.retina.model.losses import grade_losses, weighted
from winnow.domains.retina.model.network import Grader, decided, probabilities
from winnow.domains.retina.params import Train
from winnow.domains.retina.tables import Seen
from winnow.images.store import Images
from winnow.learn.accumulator import Loss
from winnow.learn.loaders import Loaders
from winnow.learn.samplers import BatchShare, EpochSampler
from winnow.learn.task import Task, head_and_body
from winnow.measure.classification import accuracy, f1_per_class, quadratic_weighted_kappa
from winnow.pipeline.errors import TableError
from winnow.pipeline.tables import write_table
from winnow.vision import backbones
from winnow.vision.augmentation import vary
from winnow.vision.features import frozen_features
from winnow.vision.loaders import EncodedImages, KeptFeatures, PlainLoader, VariedLoader
from winnow.vision.pooling import Standardise
from winnow.vision.settings import Augment
from winnow.vision.views import VIEWS

VALIDATION_BATCH = 64
CLASSES = len(definitions.GRADES)


@dataclass(frozen=True)
class GraderTask(Task):
    """A training of the grader, with what it needs to know of the stages before."""

    example = "grade photograph.jpg"
    by_class = "f1"

    photographs: pd.DataFrame
    """image_id, grade, split and weight (NaN outside the training split)"""
    images: Images
    """of the photographs, in their order"""
    class_weights: Tensor
    preparation: definitions.Preparation
    limits: definitions.QualityLimits
    seen: pd.DataFrame
    """`Seen`: of the photographs that training and validation use"""
    params: Train
    device: torch.device
    """where frozen features are computed"""

    def build(self) -> Grader:
        """A new network, its front frozen, with the class weights that its loss will use, if any.

        Pooled features are scaled as the training photographs' are, and their head starts at zero.
        """
        model = self._network()
        if isinstance(model.scale, Standardise):
            train = torch.from_numpy(np.flatnonzero(self.photographs["split"] == "train"))
            model.scale.fit(self.kept_features[train, 0, :, 0, 0].float())
            nn.init.zeros_(model.head.weight)
            nn.init.zeros_(model.head.bias)
        return model

    def _network(self) -> Grader:
        network = self.params.network
        model = Grader(
            network.backbone,
            network.head,
            frozen_blocks=network.frozen_blocks,
            pooled_blocks=network.pooled_blocks,
            dropout=network.dropout,
            decision=network.decision,
            views=network.views,
            preparation=self.preparation,
            limits=self.limits,
        )
        model.init_from(self.backbone)
        model.class_weights = self.class_weights.clone() if self.params.use_class_weights else None
        return model.to(memory_format=torch.channels_last)  # a quarter faster on CPUs

    @cached_property
    def backbone(self) -> backbones.Backbone:
        """With its weights (`none` draws them from the seed); read once, though `kept_features` builds a model too."""
        return backbones.pretrained(self.params.network.backbone, self.params.network.weights)

    def loaders(self, subset: str, share: BatchShare) -> Loaders:
        """Training and validation photographs; raises TableError when a split is empty.

        The subset `with_validation` trains on both, so that its validation figures are none.
        """
        photographs, weighted = self.photographs, self.params.use_weighted_sampling
        trained_on = ["train", "val"] if subset == WITH_VALIDATION else ["train"]
        splits = {
            "train": np.flatnonzero(photographs["split"].isin(trained_on)),
            "val": np.flatnonzero(photographs["split"] == "val"),
        }
        for split, rows in splits.items():
            if not len(rows):
                raise TableError(f"no photograph is in the {split} split", fix="raise its share, or use more data")
        grades = torch.tensor(photographs["grade"].to_numpy(np.int64))
        train, val = splits["train"], splits["val"]
        weights = self._sampling_weights(train) if weighted else None
        sampler = EpochSampler(len(train), share, weights)
        targets = {"grades": grades[train], "ids": torch.from_numpy(train)}
        plain: EncodedImages | KeptFeatures
        if self.params.network.frozen_blocks:
            trained, plain = (KeptFeatures(self.kept_features, torch.from_numpy(rows)) for rows in (train, val))
            draw = partial(_any_view, trained, VIEWS if self.params.augment.flips else 1)
        else:
            draw = partial(_varied, EncodedImages(self.images.take(train)), self.params.augment)
            plain = EncodedImages(self.images.take(val))
        return Loaders(
            train=VariedLoader(draw, targets, sampler),
            val=PlainLoader(plain, {"grades": grades[val]}, VALIDATION_BATCH),
            rows={"train": len(train), "val": len(val)},
            weights=self._weight_table(grades[train]),
        )

    @cached_property
    def kept_features(self) -> Tensor:
        """Frozen blocks' features of all photographs, whatever their split: so every fold finds them kept."""
        return frozen_features(self._network().to(self.device), self.images)

    def _sampling_weights(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of these rows; a validation photograph has the weight of the training photographs of its grade."""
        photographs = self.photographs
        of_grade = photographs["grade"].map(photographs.groupby("grade")["weight"].first())
        return photographs["weight"].fillna(of_grade).fillna(1.0).to_numpy(np.float64)[rows]

    def _weight_table(self, grades: Tensor) -> dict[str, tuple[float, int]]:
        weights = self.class_weights if self.params.use_class_weights else torch.ones(CLASSES)
        return {f"Class {g}": (float(weights[g]), int((grades == g).sum())) for g in definitions.GRADES}

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Loss:
        """The focal loss, and for each grade how many rows were drawn, predicted, and predicted correctly."""
        grades = batch["grades"]
        logits = model(batch["inputs"], start=self.params.network.frozen_blocks)
        loss = weighted(self._losses(logits, grades), grades, batch.get("class_weights")).sum()
        with torch.no_grad():
            network = self.params.network
            predicted = decided(probabilities(logits.detach(), network.head), network.decision)
            drawn, chosen = functional.one_hot(grades, CLASSES), functional.one_hot(predicted, CLASSES)
        counts = {"drawn": drawn.sum(dim=0), "predicted": chosen.sum(dim=0), "right": (drawn * chosen).sum(dim=0)}
        parts = {f"{name}/{grade}": count for name, c in counts.items() for grade, count in enumerate(c.unbind())}
        return Loss(loss, len(grades), parts)

    def summarise(self, means: Mapping[str, float]) -> dict[str, float]:
        """An epoch's loss, accuracy, F1 of each grade, and the share of each grade among the rows really drawn."""
        drawn, predicted, right = (
            np.array([means[f"{n}/{g}"] for g in definitions.GRADES]) for n in ("drawn", "predicted", "right")
        )
        f1 = {
            f"f1/{g}": float(2 * right[g] / (drawn[g] + predicted[g]))
            for g in definitions.GRADES
            if drawn[g] + predicted[g]
        }
        shares = {f"drawn_share/{g}": float(drawn[g] / drawn.sum()) for g in definitions.GRADES}
        return {"loss": means["loss"], "accuracy": float(right.sum() / drawn.sum()), **f1, **shares}

    def predict(self, model: nn.Module, batches: Iterable[Mapping[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
        """Logits and grade of each validation photograph."""
        for batch in batches:
            logits = model(batch["inputs"], start=self.params.network.frozen_blocks)
            yield {"logits": logits.float(), "grades": batch["grades"]}

    def metrics(self, rows: Mapping[str, Tensor]) -> dict[str, float]:
        """Loss as in training, kappa, accuracy, macro F1, and the F1 of each grade that a row has."""
        network, logits, grades = self.params.network, rows["logits"], rows["grades"]
        predicted = definitions.decide(probabilities(logits, network.head).double().numpy(), network.decision)
        true = grades.numpy()
        f1 = f1_per_class(true, predicted, CLASSES)
        present = [grade for grade in definitions.GRADES if (true == grade).any()]
        losses = weighted(self._losses(logits, grades), grades, self.constants.get("class_weights"))
        return {
            "loss": float(losses.mean()),
            "quadratic_weighted_kappa": quadratic_weighted_kappa(true, predicted, CLASSES),
            "accuracy": accuracy(true, predicted),
            "macro_f1": float(np.mean([f1[grade] for grade in present])),
            "predictions_distinct": float(len(np.unique(predicted))),
            **{f"f1/{grade}": float(f1[grade]) for grade in present},
        }

    @property
    def constants(self) -> dict[str, Tensor]:
        """The class weights, if the loss uses them; added to every batch."""
        return {"class_weights": self.class_weights} if self.params.use_class_weights else {}

    def parameter_groups(self, model: nn.Module) -> list[dict[str, Any]]:
        """The head at the full learning rate, the backbone at its factor of it."""
        return head_and_body(model, lambda name: name.startswith("head."), body=self.params.backbone_lr_factor)

    def save_extras(self, folder: Path) -> None:
        """The photographs that were trained on, so that `evaluate` leaves them out."""
        write_table(folder / "seen.parquet", self.seen, Seen)

    def _losses(self, logits: Tensor, grades: Tensor) -> Tensor:
        loss = self.params.loss
        return grade_losses(logits, grades, self.params.network.head, gamma=loss.gamma, spread=loss.label_spread)


def _varied(photographs: EncodedImages, augment: Augment, rows: Tensor, rng: np.random.Generator) -> Tensor:
    """These rows' photographs, each flipped, turned and lit on its own."""
    return vary(photographs.read(rows), rng, **augment.model_dump())


def _any_view(features: KeptFeatures, views: int, rows: Tensor, rng: np.random.Generator) -> Tensor:
    """These rows' kept features, each in one of its first views."""
    return features.read(rows, torch.from_numpy(rng.integers(views, size=len(rows))))
