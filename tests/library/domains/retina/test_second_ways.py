"""Metrics against scikit-learn, on resampled rows too; baselines fitted by hand; probabilities averaged by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from tests.library.domains.retina.by_hand import METADATA, median_grade, metadata_probabilities, metrics_of
from winnow.domains.retina import definitions
from winnow.domains.retina.model import baselines, judging
from winnow.domains.retina.model.grading import grade_collection
from winnow.domains.retina.model.network import Grader
from winnow.images.codec import encode_png
from winnow.images.store import read_images, write_images
from winnow.vision import backbones
from winnow.vision.loaders import decode


def graded(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Grades and probabilities (rows, 5) that know something of them, some of them twice."""
    rng = np.random.default_rng(seed)
    true = rng.choice(5, p=[0.4, 0.2, 0.2, 0.1, 0.1], size=rows)
    logits = rng.normal(size=(rows, 5)) + 1.2 * np.eye(5)[true]
    probabilities = np.exp(logits).round(1) + 0.05
    return true, probabilities / probabilities.sum(axis=1, keepdims=True)


def test_every_metric_is_scikit_learns_on_all_rows_and_on_resampled_ones() -> None:
    true, probabilities = graded(60, 0)
    predicted = probabilities.argmax(axis=1)
    statistics = judging.statistics(true, predicted, probabilities)
    assert judging.metrics(statistics, 60) == pytest.approx(metrics_of(true, predicted, probabilities))
    rng = np.random.default_rng(1)
    for _ in range(12):
        drawn = rng.integers(60, size=60)
        counts = np.bincount(drawn, minlength=60)[None]
        expected = metrics_of(true[drawn], predicted[drawn], probabilities[drawn])
        found = {name: statistic(counts)[0] for name, statistic in statistics.items()}
        defined = {name: value for name, value in found.items() if np.isfinite(value)}
        assert defined == pytest.approx(expected)


@pytest.mark.parametrize("grades", [[0, 1], [2, 3, 4], [0, 2]])
def test_metrics_that_are_undefined_on_these_rows_are_left_out(grades: list[int]) -> None:
    true, probabilities = graded(60, 2)
    kept = np.isin(true, grades)
    true, probabilities = true[kept], probabilities[kept]
    predicted = median_grade(probabilities)
    found = judging.judge(true, probabilities, "median")
    assert found == pytest.approx(metrics_of(true, predicted, probabilities))


def test_rows_of_each_class_by_side_are_scikit_learns() -> None:
    true, probabilities = graded(90, 3)
    predicted = probabilities.argmax(axis=1)
    side = np.repeat(["train", "val", "test"], 30)
    table = pd.DataFrame({"split": side, "grade": true, "predicted": predicted})
    for row in judging.per_class(table, {}).to_dict("records"):
        own = side == row["split"]
        expected = metrics_of(true[own], predicted[own], probabilities[own])
        assert row["samples"] == (true[own] == row["grade"]).sum()
        for name in ("precision", "recall", "f1"):
            assert row[name] == pytest.approx(expected[f"class_{row['grade']}_{name}"])


def told_apart(seed: int) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Photographs whose metadata know something of the grade, other columns everything; grades and sides."""
    rng = np.random.default_rng(seed)
    grades = rng.integers(5, size=150)
    photos = pd.DataFrame({name: rng.normal(size=150) + 0.6 * grades for name in METADATA})
    return (
        photos.assign(sharpness=grades, retina_share=grades),
        grades,
        np.resize(["train", "train", "val", "test"], 150),
    )


def test_the_metadata_model_is_a_forest_on_six_columns_of_training_chosen_on_validation() -> None:
    photos, grades, side = told_apart(0)
    found = baselines.metadata_model(photos, grades, side, "median", 7)
    assert found == pytest.approx(metadata_probabilities(photos, grades, side, 7))
    assert found.sum(axis=1) == pytest.approx(1)


def test_the_feature_model_is_a_logistic_regression_on_training_chosen_on_validation() -> None:
    photos, grades, side = told_apart(1)
    features = photos[METADATA].to_numpy()
    train, val = side == "train", side == "val"
    scaled = (features - features[train].mean(axis=0)) / features[train].std(axis=0)
    best: tuple[float, np.ndarray] | None = None
    for strength in (1e-4, 1e-3, 1e-2):
        for weight in (None, "balanced"):
            model = LogisticRegression(C=strength, class_weight=weight, max_iter=3000)
            probabilities = model.fit(scaled[train], grades[train]).predict_proba(scaled)
            kappa = metrics_of(grades[val], median_grade(probabilities[val]), probabilities[val])
            if best is None or kappa["quadratic_weighted_kappa"] > best[0]:
                best = kappa["quadratic_weighted_kappa"], probabilities
    assert best is not None
    assert baselines.feature_model(features, grades, side, "median") == pytest.approx(best[1], abs=1e-4)


def test_no_baseline_reads_the_test_side() -> None:
    photos, grades, side = told_apart(2)
    tested = side == "test"
    poisoned_grades, poisoned = grades.copy(), photos.copy()
    poisoned_grades[tested] = 4 - grades[tested]
    changed = tested & (np.arange(150) % 8 < 4)
    poisoned.loc[changed, METADATA] = -3.0
    clean = baselines.metadata_model(photos, grades, side, "median", 7)
    again = baselines.metadata_model(poisoned, poisoned_grades, side, "median", 7)
    assert (clean[~changed] == again[~changed]).all()
    plain, other = photos[METADATA].to_numpy(), poisoned[METADATA].to_numpy()
    clean = baselines.feature_model(plain, grades, side, "median")
    again = baselines.feature_model(other, poisoned_grades, side, "median")
    assert (clean[~changed] == again[~changed]).all()


def test_the_majority_is_the_training_shares_on_every_row() -> None:
    found = baselines.majority(np.array([0, 0, 0, 2, 4]), 3)
    assert found.tolist() == [pytest.approx([0.6, 0, 0.2, 0, 0.2])] * 3


@pytest.mark.parametrize("frozen", [0, 2, 5])
def test_probabilities_are_the_mean_over_the_models_views(
    frozen: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    with write_images(tmp_path / "images.arrow") as images:
        for number in range(7):
            images.add(str(number), encode_png(rng.integers(0, 256, (32, 32, 3)).astype(np.uint8)))
    stored = read_images(tmp_path / "images.arrow")
    torch.manual_seed(0)
    model = Grader(
        "small_resnet",
        "softmax",
        frozen_blocks=frozen,
        dropout=0.5,
        decision="median",
        views=6,
        preparation=definitions.Preparation(32, crop=True, contrast=False),
        limits=definitions.QualityLimits(20.0, 200.0, 0.3, 8.0, 28),
    )
    model.start_from(backbones.build("small_resnet")).eval()
    with torch.no_grad():
        model.head.weight.mul_(30)  # so that the views differ
    tested = np.array([True, False, True, True, False, True, False])
    found = grade_collection(model, stored, tested, batch_size=3)
    pictures = decode(list(stored)).numpy()
    sixth = [np.rot90(each, turn, (-2, -1)) for each in (pictures, pictures[..., ::-1]) for turn in range(4)][:6]
    with torch.no_grad():
        each = np.stack([model(torch.from_numpy(view.copy())).softmax(dim=1).numpy() for view in sixth])
    expected = np.where(tested[:, None], each.mean(axis=0), each[0])
    assert np.abs(each.mean(axis=0) - each[0])[tested].max() > 0.02
    assert found == pytest.approx(expected, abs=0.005 if frozen else 1e-5)
    assert found.sum(axis=1) == pytest.approx(1)
