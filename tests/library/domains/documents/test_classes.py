"""Class weights, warnings of too little data, and balanced batches."""

import numpy as np
import pandas as pd
import pytest

from winnow.domains.documents import definitions
from winnow.domains.documents.params import Weight
from winnow.domains.documents.rules import classes
from winnow.domains.documents.rules.dataset import summary
from winnow.learn.samplers import BalancedBatchSampler, BatchShare

LIMITS = Weight(min_class_samples=50, max_imbalance=10.0, min_train_samples=500)


def test_weights_are_those_of_inverse_frequency_as_the_guide_prints_them() -> None:
    labels = pd.Series(np.repeat(range(5), [200, 72, 98, 314, 416]))
    found = classes.weigh_classes(labels)
    assert found["weight"].to_numpy() == pytest.approx([1100 / 5 / count for count in (200, 72, 98, 314, 416)])
    # the guide's own figures are 250 / count: of 1250 images, though its counts sum to 1100; the ratios are the same
    guide = np.array([1.2500, 3.4722, 2.5510, 0.7962, 0.6010])
    assert found["weight"].to_numpy() / found["weight"][0] == pytest.approx(guide / guide[0], rel=1e-3)
    absent = classes.weigh_classes(pd.Series([0, 0, 4]))
    assert absent["weight"].tolist() == [0.75, 0, 0, 0, 1.5]


def test_too_little_or_uneven_data_is_warned_about() -> None:
    names = definitions.CLASSES
    assert classes.warnings(dict.fromkeys(names, 60), 500, LIMITS) == []
    found = classes.warnings({**dict.fromkeys(names, 600), "Poor": 49}, 499, LIMITS)
    assert len(found) == 3
    assert "class Poor has 49 samples, fewer than 50" in found[0]
    assert "the largest has 600 samples, the smallest 49, more than 10 to 1" in found[1]
    assert "at most 499 training samples are few" in found[2]
    assert len(classes.warnings({**dict.fromkeys(names, 600), "Poor": 60}, 500, LIMITS)) == 0


def test_every_batch_holds_all_classes_alike() -> None:
    labels = np.repeat(range(5), [300, 20, 40, 150, 90])
    sampler = BalancedBatchSampler(labels, BatchShare(25, 1, 1, 0))
    for seed in (1, 2):
        for index in range(len(sampler) - 1):
            counts = np.bincount(labels[sampler.batch(seed, index)], minlength=5)
            assert counts.tolist() == [5] * 5
        order = sampler.order(seed)
        assert len(order) == len(labels)
        small = np.bincount(order[labels[order] == 1])[300:]
        assert small.max() - small.min() <= 1  # every row of a class once before any again
    assert (sampler.order(1) != sampler.order(2)).any()


def test_a_data_set_is_warned_about_by_its_training_images_alone() -> None:
    rows = pd.DataFrame({"split": ["train"] * 100 + ["val"] * 200 + ["test"] * 200, "document": "a", "issues": ""})
    rows["quality_class"] = [definitions.CLASSES[number % 5] for number in range(500)]
    told = {least: summary(rows, {}, LIMITS.model_copy(update={"min_train_samples": least})) for least in (100, 101)}
    assert "training samples" not in told[100]
    assert "at most 100 training samples are few" in told[101]
