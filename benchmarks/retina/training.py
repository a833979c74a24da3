"""
Retina's training beside a bare PyTorch loop over the same tensors, and the making of the weighted sampler.

    python -m benchmarks.retina.training    # prints JSON, also in benchmarks/retina/results/

`ratio` is bare time / our time of an epoch, from its first batch to its last, in turn in one process: the same network,
bytes, flips and brightness, focal loss with class weights, AdamW and clipping. The bare loop has no per-class counts.
"""

import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from benchmarks.measure import ROOT, report
from benchmarks.pipeline.loops import compared, epoch_seconds
from winnow.curate.weights import inverse_frequency_weights
from winnow.domains.retina import definitions
from winnow.domains.retina.model.losses import focal_loss, spread_labels
from winnow.domains.retina.model.training import GraderTask
from winnow.domains.retina.params import Train
from winnow.images.codec import encode_png
from winnow.images.store import read_images, write_images
from winnow.learn.samplers import BatchShare, EpochSampler
from winnow.pipeline.params import Document
from winnow.vision.augmentation import vary

ROWS, SIDE, ROUNDS = 640, 48, 7
SCREENING = (82345, 3700, 10000, 1600, 2400)


def bare(training: GraderTask, images: Tensor, grades: Tensor) -> float:
    """Seconds of one epoch as one would write it by hand."""
    params = training.params
    model = training.build().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=params.weight_decay, fused=True)
    rng = np.random.default_rng(0)
    began = time.process_time()
    total = 0.0
    for rows in torch.randperm(ROWS).split(params.batch_size):
        inputs, target = vary(images[rows], rng, **params.augment.model_dump()), grades[rows]
        losses = focal_loss(model(inputs), spread_labels(target, 0), params.loss.gamma)
        loss = (losses * training.class_weights[target]).mean()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), params.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad()
        total += loss.item()
    return time.process_time() - began


class WithoutValidation(GraderTask):
    """The bare loop does not validate, so this does not either."""

    def predict(self, model: nn.Module, batches: Iterable[Any]) -> Iterator[dict[str, Tensor]]:
        yield {"rows": torch.zeros(1)}

    def metrics(self, rows: Mapping[str, Tensor]) -> dict[str, float]:
        return {"macro_f1": 1.0}


def sampler_seconds() -> float:
    """Weights and first epoch's order of a screening collection's 100,045 photographs; the best of five."""
    grades = pd.Series(np.repeat(range(5), SCREENING))
    taken = []
    for _ in range(5):
        began = time.process_time()
        weights = inverse_frequency_weights(grades).to_numpy()
        EpochSampler(len(grades), BatchShare(32, 1, 1, 0), weights).order(1)
        taken.append(time.process_time() - began)
    return min(taken)


def main() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    values = Document(ROOT / "params.yaml").content["retina"]["train"] | {"epochs": 1, "select": "last"}
    images = rng.integers(0, 256, (ROWS, SIDE, SIDE, 3), dtype=np.uint8)
    photographs = pd.DataFrame(
        {
            "image_id": [str(row) for row in range(ROWS)],
            "grade": rng.integers(0, 5, ROWS),
            "split": "train",
            "weight": 1.0,
        }
    )
    photographs = pd.concat([photographs, photographs[:32].assign(split="val")], ignore_index=True)
    photographs["image_id"] = [str(row) for row in range(len(photographs))]
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder, "images.arrow")
        with write_images(store) as writer:
            for row, image in enumerate([*images, *images[:32]]):
                writer.add(str(row), encode_png(image))
        training = WithoutValidation(
            photographs,
            read_images(store),
            torch.ones(5),
            definitions.Preparation(SIDE, crop=False, contrast=False),
            definitions.QualityLimits(0.0, 255.0, 0.0, 0.0, 0),
            pd.DataFrame(),
            Train.model_validate(values),
            torch.device("cpu"),
        )
        measure(training, images)


def measure(training: GraderTask, images: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> None:
    """Both loops over the same photographs."""
    tensors = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    grades = torch.tensor(training.photographs["grade"].to_numpy()[:ROWS])
    figures = compared(
        lambda: bare(training, tensors, grades),
        lambda: epoch_seconds(training, training.params),
        rounds=ROUNDS,
        steps=-(-ROWS // training.params.batch_size),
    )
    report("retina/training", figures | {"sampler_seconds": round(sampler_seconds(), 4)})


if __name__ == "__main__":
    main()
