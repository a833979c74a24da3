"""What a person is shown while a trained grader works through their photographs."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from winnow.domains.retina import definitions
from winnow.domains.retina.model.grading import grade_photographs
from winnow.domains.retina.model.network import Grader
from winnow.domains.retina.source.formats import SUFFIXES
from winnow.pipeline.console import say

BATCH = 8
"""Photographs at a time; few, because the bar moves after each batch."""


def probabilities(model: Grader, images: Sequence[bytes]) -> NDArray[np.float64]:
    """Those of `grade_photographs`; more than one batch is announced, with a bar in a terminal."""
    several = len(images) > BATCH
    if several:
        views = "1 view" if model.views == 1 else f"{model.views} views"
        fewer = "; a model trained with fewer (train.network.views) is faster" if model.views > 1 else ""
        say(f"grading {len(images):,} photographs in {views} each{fewer} …")
    parts = [np.zeros((0, len(definitions.GRADES)))]
    with tqdm(total=len(images), unit=" photographs", disable=None if several else True, leave=False) as progress:
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH]
            parts.append(grade_photographs(model, batch, views=model.views, batch_size=BATCH))
            progress.update(len(batch))
    return np.concatenate(parts)


def say_passed_over(paths: Sequence[Path]) -> None:
    """How many files of the folders among `paths` are no photographs; hidden ones are not counted."""
    below = [file.relative_to(path) for path in paths if path.is_dir() for file in path.rglob("*") if file.is_file()]
    others = [file for file in below if file.suffix.lower() not in SUFFIXES and not str(file).startswith(".")]
    if others:
        named = ", ".join(sorted(map(str, others))[:3]) + ", …" * (len(others) > 3)
        say(f"{len(others):,} passed over, which are no photographs ({', '.join(SUFFIXES)}): {named}")
