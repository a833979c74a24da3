"""Weights of the classes, and warnings of a data set that is too small or too uneven."""

from collections.abc import Mapping

import pandas as pd

from winnow.curate.weights import balanced_class_weights
from winnow.domains.documents import definitions
from winnow.domains.documents.params import Enough


def weigh_classes(labels: "pd.Series[int]") -> pd.DataFrame:
    """The columns of `ClassWeights`, by inverse frequency; a class without a training image weighs 0."""
    numbers = range(len(definitions.CLASSES))
    samples = labels.value_counts().reindex(numbers, fill_value=0)
    weight = balanced_class_weights(labels).reindex(numbers, fill_value=0.0)
    table = pd.DataFrame({"name": definitions.CLASSES, "samples": samples, "weight": weight})
    return table.rename_axis("label").reset_index().astype({"label": "int64", "samples": "int64", "name": "str"})


def class_counts(labels: "pd.Series[int]") -> dict[str, int]:
    """Samples of each class, by its name, of class numbers."""
    counts = labels.value_counts()
    return {name: int(counts.get(number, 0)) for number, name in enumerate(definitions.CLASSES)}


def warnings(all_samples: Mapping[str, int], train_samples: int, params: Enough) -> list[str]:
    """What is wrong with so many samples of each class, over all splits, and at most so many training samples."""
    found = [
        f"⚠ class {name} has {count} samples, fewer than {params.min_class_samples}: its figures will be unreliable"
        for name, count in all_samples.items()
        if count < params.min_class_samples
    ]
    most, least = max(all_samples.values()), min(all_samples.values())
    if most > params.max_imbalance * least:
        found.append(
            f"⚠ the classes are uneven: the largest has {most} samples, the smallest {least}, more than "
            f"{params.max_imbalance:g} to 1; keep use_balanced_sampling on, or get more of the rare ones"
        )
    if train_samples < params.min_train_samples:
        found.append(
            f"⚠ at most {train_samples} training samples are few (fewer than {params.min_train_samples}): "
            "add pages, or raise documents.label.copies"
        )
    return found
