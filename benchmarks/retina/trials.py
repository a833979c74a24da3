"""
What might help on IDRiD's grouped folds and is not an option: tried on the validation sides alone, whatever came of it.

    python -m benchmarks.retina.trials FOLDER [ROW ...]

Every row is the preset `idrid` with one change, trained anew on each of the five folds that keep patients together:
CORN's head, two views, local contrast, one colour for all photographs, the mean of four tiles' features beside the
whole eye's, the last blocks trained at a tenth of the rate with averaged weights. Others are made of the predictions:
the mean of the probabilities of both heads or of two rows, and the mean over the photographs of one patient. FOLDER is
that of `benchmarks.retina.folds`. Nothing of the test side is read.
"""

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.measure import ROOT, merge
from benchmarks.retina.folds import one_run, overrides, run_stages, workspace
from winnow.domains.retina import definitions, metrics
from winnow.domains.retina.model.network import Grader
from winnow.judge.intervals import values
from winnow.pipeline import presets
from winnow.pipeline.params import PARAMS_FILE
from winnow.vision.pooling import Standardise

FOLDS = 5
TILE = 0.6
"""Side of a tile, of the photograph's: four of them overlap in the middle."""
DARK = 16
"""Brightness below which a pixel is not of the retina."""
LEVEL, WIDTH = (158.0, 77.0, 25.0), (29.0, 21.0, 10.0)
"""Mean and standard deviation of the channels of the retina, over all of IDRiD's photographs."""
SHOWN = ("quadratic_weighted_kappa", "macro_auc", "accuracy", "rare_f1")


def tiled() -> AbstractContextManager[Any]:
    """`Grader` with the mean of four tiles' pooled maps beside those of the whole photograph."""
    whole, prepare = Grader.pooled, Grader.__init__

    def pooled(self: Grader, maps: Tensor, start: int = 0) -> Tensor:
        size = maps.shape[-1]
        side = round(TILE * size)
        places = [(y, x) for y in (0, size - side) for x in (0, size - side)]
        tiles = [maps[:, :, y : y + side, x : x + side] for y, x in places]
        enlarged = [functional.interpolate(tile, size=(size, size), mode="bilinear", antialias=True) for tile in tiles]
        mean: Tensor = sum(whole(self, tile, start) for tile in enlarged) / len(tiles)
        return functional.pad(whole(self, maps, start), (0, mean.shape[1])) + functional.pad(mean, (mean.shape[1], 0))

    @wraps(prepare)  # loading compares a model's settings with the signature
    def twice_as_wide(self: Grader, *args: Any, **named: Any) -> None:
        prepare(self, *args, **named)
        width = 2 * self.head.in_features
        self.scale, self.head = Standardise(width), nn.Linear(width, self.head.out_features)

    return mock.patch.multiple(Grader, pooled=pooled, __init__=twice_as_wide)


def one_colour() -> AbstractContextManager[Any]:
    """`Grader` that gives the retina of every photograph the same mean and deviation of each channel.

    Within the network, so that patients are still found by the photographs as they are.
    """
    whole = Grader.scaled

    def scaled(self: Grader, images: Tensor) -> Tensor:
        bytes_ = images.float()
        inside = (bytes_.amax(dim=1, keepdim=True) > DARK).float()
        count = inside.sum(dim=(2, 3), keepdim=True).clamp(min=1)
        mean = (bytes_ * inside).sum(dim=(2, 3), keepdim=True) / count
        spread = (((bytes_ - mean) ** 2 * inside).sum(dim=(2, 3), keepdim=True) / count).sqrt().clamp(min=1)
        level, width = (torch.tensor(each).view(1, 3, 1, 1) for each in (LEVEL, WIDTH))
        same = (bytes_ - mean) / spread * width + level
        return whole(self, torch.where(inside > 0, same, bytes_).clamp(0, 255))

    return mock.patch.object(Grader, "scaled", scaled)


def predictions(settings: dict[str, Any]) -> list[pd.DataFrame]:
    """The validation side's predictions of each fold, with the group of each photograph."""
    found = []
    presets.apply(settings, PARAMS_FILE)
    run_stages("ingest", "filter")
    for fold in range(FOLDS):
        one_run({"retina.split.fold": fold, "retina.train.seed": 1})
        rows = pd.read_parquet("data/retina/evaluate/predictions.parquet").query("split == 'val'")
        groups = pd.read_parquet("data/retina/split/splits.parquet", columns=["image_id", "group"])
        found.append(rows.merge(groups, on="image_id").sort_values("image_id", ignore_index=True))
    return found


def with_probabilities(rows: pd.DataFrame, probabilities: NDArray[np.float64]) -> pd.DataFrame:
    """The rows with these probabilities (rows, 5) instead, and the grades that follow from them."""
    columns = dict(zip(definitions.probability_columns(), probabilities.T, strict=True))
    return rows.assign(**columns, predicted=definitions.decide(probabilities, "median"))


def of_patients(rows: pd.DataFrame) -> pd.DataFrame:
    """Each photograph with the mean of its patient's."""
    columns = definitions.probability_columns()
    return with_probabilities(rows, rows.groupby("group")[columns].transform("mean").to_numpy(np.float64))


def mean_of(*models: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """Each photograph with the mean of several models' probabilities, fold by fold."""
    columns = definitions.probability_columns()
    return [
        with_probabilities(rows[0], np.mean([each[columns].to_numpy(np.float64) for each in rows], axis=0))
        for rows in zip(*models, strict=True)
    ]


def told(folds: list[pd.DataFrame]) -> dict[str, Any]:
    """Mean and standard deviation over the folds, and each fold's."""
    found = [values(metrics.statistics(rows), len(rows)) for rows in folds]
    parts = {name: [each[name] for each in found] for name in SHOWN}
    return {
        "validation": {
            name: f"{statistics.mean(all_):.3f} ± {statistics.stdev(all_):.3f}" for name, all_ in parts.items()
        },
        "validation_of_each": [{name: round(each[name], 4) for name in SHOWN} for each in found],
    }


TWO_VIEWS = {"retina.train.network.views": 2}
"""Patched networks make their features anew in every fold: with two views instead of the preset's eight."""
LAST_BLOCKS = {
    "retina.train.network.head": "softmax",
    "retina.train.loss.label_spread": 0.5,
    "retina.train.network.views": 2,
    "retina.train.network.frozen_blocks": 15,
    "retina.train.network.pooled_blocks": [],
    "retina.train.backbone_lr_factor": 0.1,
    "retina.train.ema_decay": 0.99,
}
WORKSPACES: list[tuple[Callable[[], AbstractContextManager[Any]], dict[str, dict[str, Any]]]] = [
    (
        nullcontext,
        {
            "preset": {},
            "corn": {"retina.train.network.head": "corn", "retina.train.loss.label_spread": 0.0},
            "two_views": TWO_VIEWS | {"retina.train.network.head": "softmax", "retina.train.loss.label_spread": 0.5},
            "last_blocks": LAST_BLOCKS,
        },
    ),
    (nullcontext, {"local_contrast": {"retina.ingest.contrast": True}}),
    (one_colour, {"one_colour": TWO_VIEWS}),
    (tiled, {"tiles": TWO_VIEWS}),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=lambda text: Path(text).resolve())
    parser.add_argument("rows", nargs="*", metavar="ROW", help="such as tiles (default: all)")
    options = parser.parse_args()
    os.chdir(ROOT)
    found = {}
    for around, every in WORKSPACES:
        rows = {name: changes for name, changes in every.items() if not options.rows or name in options.rows}
        if not rows:
            continue
        with tempfile.TemporaryDirectory() as scratch, around():
            os.chdir(workspace(Path(scratch) / "workspace", options.data))
            for name, changes in rows.items():
                found[name] = predictions(overrides("idrid") | changes)
                merge("retina/idrid_trials", {name: told(found[name])})
            os.chdir(ROOT)
    made = {
        "both_heads": ("preset", "corn"),
        "with_last_blocks": ("preset", "last_blocks"),
        "with_one_colour": ("two_views", "one_colour"),
        "with_tiles": ("two_views", "tiles"),
    }
    means = {name: mean_of(*(found[row] for row in of)) for name, of in made.items() if set(of) <= set(found)}
    if "preset" in found:
        means["both_eyes"] = [of_patients(rows) for rows in found["preset"]]
    merge("retina/idrid_trials", {name: told(rows) for name, rows in means.items()})


if __name__ == "__main__":
    main()
