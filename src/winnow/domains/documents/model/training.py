"""The assessor's training task: the model, the batches, the loss and the validation."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from winnow.domains.documents import definitions
from winnow.domains.documents.model import losses
from winnow.domains.documents.model.estimates import (
    SEEN,
    CutPages,
    Rows,
    calibrate,
    estimate_rows,
    page_inputs,
    raw_estimates,
    save_calibration,
)
from winnow.domains.documents.model.examples import Examples
from winnow.domains.documents.model.mixing import MixedLoader, Mixing
from winnow.domains.documents.model.network import Assessor, Outputs
from winnow.domains.documents.model.sampling import KnownClassSampler
from winnow.domains.documents.params import Train
from winnow.domains.documents.tables import Seen
from winnow.learn.accumulator import Loss
from winnow.learn.loaders import Loaders
from winnow.learn.samplers import BatchShare, EpochSampler
from winnow.learn.task import Task, head_and_body
from winnow.learn.trained import load_trained
from winnow.measure.classification import accuracies, balanced_accuracies, confusion_matrix, recalls
from winnow.measure.regression import mae, rmse
from winnow.pipeline.tables import table_writer
from winnow.vision import backbones
from winnow.vision.loaders import PlainLoader
from winnow.vision.pooling import Standardise

VALIDATION_BATCH = 64
CLASSES = len(definitions.CLASSES)
FITTED_ON = 2000
"""Training images, at most, whose features give the mean and deviation that inputs are scaled by."""
SEEN_WRITTEN = 4096
"""Rows that are written at a time."""
EASY_ISSUES = 1
"""The subset `easy` holds images with at most so many issues."""


@dataclass(frozen=True)
class AssessorTask(Task):
    """A training of the assessor, with what it needs to know of the stages before."""

    example = "assess scan.pdf"

    examples: Examples
    class_weights: Tensor
    preparation: definitions.Preparation
    flag_from: float
    seen: list[tuple[bytes, bytes]]
    """hash and map of the print of the pages whose copies, or which themselves, are used in training or validation"""
    max_hash_distance: int
    """between pages that look alike"""
    params: Train
    device: torch.device
    """where frozen features are computed"""

    def build(self) -> Assessor:
        """A new network with its backbone's weights, its inputs scaled as training images are."""
        model = self._network()
        train = self.examples.of_split("train")
        model.measure_scale.fit(self.examples.measures[train])
        if model.frozen:
            some = train[:: -(-len(train) // FITTED_ON)]
            embedded, count = Rows(self.inputs, some).read(torch.arange(len(some))), model.tiling.patches
            model.patch_scale.fit(embedded[:, :count].flatten(0, 1))
            for place, scale in enumerate(model.view_scales):
                assert isinstance(scale, Standardise)
                scale.fit(embedded[:, count + place])
        return model

    def _network(self) -> Assessor:
        network, retake = self.params.network, self.params.retake
        model = Assessor(
            network.backbone,
            depths=network.depths,
            frozen_blocks=network.frozen_blocks,
            hidden_dim=network.hidden_dim,
            dropout_rate=network.dropout_rate,
            use_attention=network.use_attention,
            tta_views=network.tta_views,
            measures=self.examples.measure_names,
            tiling=self.tiling,
            preparation=self.preparation,
            decision=definitions.Decision(
                self.flag_from,
                retake.accept_from,
                retake.warn_severity,
                retake.min_text_height,
                retake.blank_below,
            ),
        )
        return model.init_from(self.backbone).to(memory_format=torch.channels_last)

    @property
    def tiling(self) -> definitions.Tiling:
        patches = self.params.network.patches
        return definitions.Tiling(patches.count, patches.size, patches.choice, tuple(self.params.network.views))

    @cached_property
    def backbone(self) -> backbones.Backbone:
        """With its weights (`none` draws them from the seed)."""
        return backbones.pretrained(self.params.network.backbone, self.params.network.weights)

    @cached_property
    def inputs(self) -> Tensor | CutPages:
        """Of all images, whatever their split, so that every fold finds them kept."""
        return page_inputs(self._network(), self.examples.images, self.device)

    def loaders(self, subset: str, share: BatchShare) -> Loaders:
        """Training images (of the subset) and validation images; raises TableError when a split is empty."""
        train, val = self.examples.of_split("train"), self.examples.of_split("val")
        if subset == "easy":
            train = train[(self.examples.flags[train].nan_to_num().sum(dim=1) <= EASY_ISSUES)]
        labels = self._targets(train)["labels"].numpy()
        sampler = (
            KnownClassSampler(labels.astype(np.int64), share)
            if self.params.use_balanced_sampling
            else EpochSampler(len(train), share)
        )
        reader, validated = Rows(self.inputs, train), Rows(self.inputs, val)
        return Loaders(
            train=MixedLoader(
                reader.read, {**self._targets(train), "ids": train}, sampler, Mixing(self.params.augment, self.tiling)
            ),
            val=PlainLoader(validated, self._targets(val), VALIDATION_BATCH),
            rows={"train": len(train), "val": len(val)},
            weights={
                name: (float(self.class_weights[number]), int((labels == number).sum()))
                for number, name in enumerate(definitions.CLASSES)
            },
        )

    def _targets(self, places: Tensor) -> dict[str, Tensor]:
        rows = self.examples.rows.iloc[places.numpy()]
        labels = torch.tensor(rows["label"].to_numpy(np.int64))
        classes = functional.one_hot(labels.clamp(min=0), CLASSES).float()
        classes[labels < 0] = torch.nan
        return {
            "measures": self.examples.measures[places],
            "scores": torch.tensor(rows["score"].to_numpy(np.float32)),
            "classes": classes,
            "labels": labels.float(),
            "legibilities": self.examples.legibility[places],
            "readabilities": self.examples.readability[places],
            "severities": self.examples.severities[places],
            "flags": self.examples.flags[places],
        }

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Loss:
        """The sum of the losses, with the score's error and how often the class is right as parts."""
        outputs: Outputs = model(batch["inputs"], batch["measures"])
        parts = self._losses(outputs, batch)
        with torch.no_grad():
            known = ~batch["scores"].isnan()
            share = known.float().mean().clamp(min=1 / len(known))  # so that means over all rows are of the known ones
            error = (outputs.score.sigmoid() - batch["scores"]).abs().nansum() / share
            right = (known & (outputs.classes.argmax(dim=1) == batch["classes"].argmax(dim=1))).sum() / share
        sums = {name: values.detach().sum() for name, values in parts.items()}
        total = torch.stack(list(parts.values())).sum()
        return Loss(total, len(batch["scores"]), {**sums, "mae": error, "accuracy": right})

    def _losses(self, outputs: Outputs, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each head's weighted loss of each row."""
        loss = self.params.loss
        gamma = loss.focal_gamma if loss.use_focal else 0.0
        weights = batch.get("class_weights")
        classes = losses.class_loss(outputs.classes, batch["classes"], weights, gamma)
        if loss.use_ordinal:
            classes = classes + losses.ordinal_loss(outputs.classes, batch["classes"])
        return {
            "regression_loss": loss.regression * losses.score_loss(outputs.score, batch["scores"]),
            "legibility_loss": loss.legibility * losses.score_loss(outputs.legibility, batch["legibilities"]),
            "classification_loss": loss.classification * classes,
            "readability_loss": loss.readability * losses.score_loss(outputs.readability, batch["readabilities"]),
            "issues_loss": loss.issues
            * losses.issue_loss(outputs.issues, batch["severities"], batch["flags"], self.flag_from),
            "consistency_loss": loss.consistency * losses.consistency_loss(outputs.score, outputs.classes),
        }

    def predict(self, model: nn.Module, batches: Iterable[Mapping[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
        """Outputs and targets of each validation image."""
        for batch in batches:
            outputs: Outputs = model(batch["inputs"], batch["measures"])
            targets = {
                name: batch[name]
                for name in ("scores", "classes", "labels", "legibilities", "readabilities", "severities", "flags")
            }
            yield {
                "score": outputs.score.float(),
                "legibility": outputs.legibility.float(),
                "class_logits": outputs.classes.float(),
                "issues": outputs.issues.float(),
                "readability": outputs.readability.float(),
                **targets,
            }

    def metrics(self, rows: Mapping[str, Tensor]) -> dict[str, float]:
        """Loss as in training, errors of the score, and accuracies of the class, in all and by class."""
        outputs = Outputs(rows["score"], rows["legibility"], rows["class_logits"], rows["issues"], rows["readability"])
        parts = self._losses(outputs, {**rows, **self.constants})
        estimates = raw_estimates(outputs)
        score = estimates.scores.mean(axis=1)
        true = rows["labels"].long().numpy()
        scores = rows["scores"].double().numpy()
        confusion = confusion_matrix(true, estimates.probabilities.argmax(axis=1), CLASSES)
        recall = recalls(confusion)
        return {
            "loss": float(torch.stack(list(parts.values())).sum(dim=0).mean()),
            "mae": mae(score, scores),
            "rmse": rmse(score, scores),
            "accuracy": float(accuracies(confusion)),
            "balanced_accuracy": float(balanced_accuracies(confusion)),
            "predictions_distinct": float(len(np.unique(score.round(3)))),
            **{
                f"class_accuracy/{definitions.class_key(name)}": float(recall[number])
                for number, name in enumerate(definitions.CLASSES)
                if np.isfinite(recall[number])
            },
        }

    @property
    def constants(self) -> dict[str, Tensor]:
        """The class weights, if the loss uses them; added to every batch."""
        return {"class_weights": self.class_weights} if self.params.use_class_weights else {}

    def parameter_groups(self, model: nn.Module) -> list[dict[str, Any]]:
        """The heads at the full learning rate, the backbone at its factor of it."""
        return head_and_body(model, lambda name: not name.startswith("blocks."), body=self.params.backbone_lr_factor)

    def save_extras(self, folder: Path) -> None:
        """What validation calibrates, and the pages that were trained on, so that `evaluate` leaves them out."""
        write_seen(folder / SEEN, self.seen, self.max_hash_distance)
        model = load_trained(Assessor, "documents", self.device, folder)
        val = self.examples.of_split("val")
        raw = estimate_rows(model, self.examples, val, model.tta_views, VALIDATION_BATCH)
        rows = self.examples.rows.iloc[val.numpy()]
        scores, labels = rows["score"].to_numpy("float64"), rows["label"].to_numpy("int64")
        legibility = self.examples.legibility[val].double().numpy()
        taught = self.examples.readability[self.examples.of_split("train")]
        learnt = bool(self.params.loss.readability) and not bool(taught.isnan().all())
        found = calibrate(raw, scores, legibility, labels, self.params.retake.max_false_rejects, readable=learnt)
        save_calibration(folder, found)


def write_seen(path: Path, seen: Sequence[tuple[bytes, bytes]], max_hash_distance: int) -> None:
    """`Seen`, in pieces: as text a page's map takes 6 kilobytes."""
    with table_writer(path, Seen) as write:
        for start in range(0, len(seen), SEEN_WRITTEN):
            hashes, maps = zip(*seen[start : start + SEEN_WRITTEN], strict=True)
            table = {"perceptual_hash": [each.hex() for each in hashes], "print_map": [each.hex() for each in maps]}
            write(pd.DataFrame(table).assign(max_hash_distance=max_hash_distance))
