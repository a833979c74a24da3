"""Metrics against scikit-learn, on resampled rows too; baselines fitted by hand; probabilities averaged by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score

from tests.library.domains.retina.references import METADATA, median_grade, metadata_probabilities, metrics_of
from winnow.domains.retina import definitions
from winnow.domains.retina.evaluation import baselines, results
from winnow.domains.retina.metrics import proportions, statistics
from winnow.domains.retina.model import familiarity
from winnow.domains.retina.model.calibration import FILE, Calibration, calibrate, load, save
from winnow.domains.retina.model.grading import grade_collection
from winnow.domains.retina.model.network import Grader
from winnow.images.codec import encode_png
from winnow.images.store import read_images, write_images
from winnow.judge.intervals import bootstrap, values
from winnow.judge.settings import Bootstrap
from winnow.pipeline.errors import TableError
from winnow.vision import backbones
from winnow.vision.loaders import decode


def calibration_of(temperature: float, refer_from: float) -> Calibration:
    return Calibration(temperature, refer_from, refer_sensitivity=0.9, possible_from=0.2, coverage=0.9)


def graded(rows: int, seed: int) -> pd.DataFrame:
    """Grades and probabilities that know something of them, some of them twice, and what follows from these."""
    rng = np.random.default_rng(seed)
    true = rng.choice(5, p=[0.4, 0.2, 0.2, 0.1, 0.1], size=rows)
    logits = rng.normal(size=(rows, 5)) + 1.2 * np.eye(5)[true]
    raw = np.exp(logits).round(1) + 0.05
    raw /= raw.sum(axis=1, keepdims=True)
    calibration = calibration_of(temperature=0.7, refer_from=0.4)
    return results.grade_rows(raw, "median", calibration).assign(grade=true)


def test_what_follows_from_probabilities() -> None:
    raw = np.array([[0.4, 0.1, 0.1, 0.2, 0.2], [0.3, 0.25, 0.25, 0.1, 0.1]])
    found = results.grade_rows(raw, "median", calibration_of(temperature=0.5, refer_from=0.3))
    squares = raw**2 / (raw**2).sum(axis=1, keepdims=True)
    assert found[definitions.probability_columns()].to_numpy() == pytest.approx(squares)
    assert found["predicted"].tolist() == median_grade(squares).tolist() == [0, 1]
    assert found["referred"].tolist() == (squares[:, 2:].sum(axis=1) >= 0.3).tolist() == [True, True]
    assert found["raw_confidence"].tolist() == [0.4, 0.3]


def test_every_metric_is_scikit_learns_on_all_rows_and_on_resampled_ones() -> None:
    rows = graded(60, 0)
    found_by = statistics(rows)
    assert values(found_by, 60) == pytest.approx(metrics_of(rows))
    rng = np.random.default_rng(1)
    for _ in range(12):
        drawn = rng.integers(60, size=60)
        counts = np.bincount(drawn, minlength=60)[None]
        found = {name: statistic(counts)[0] for name, statistic in found_by.items()}
        defined = {name: value for name, value in found.items() if np.isfinite(value)}
        assert defined == pytest.approx(metrics_of(rows.iloc[drawn]))


@pytest.mark.parametrize("grades", [[0, 1], [2, 3, 4], [0, 2]])
def test_metrics_that_are_undefined_on_these_rows_are_left_out(grades: list[int]) -> None:
    rows = graded(60, 2)
    rows = rows[rows["grade"].isin(grades)]
    assert values(statistics(rows), len(rows)) == pytest.approx(metrics_of(rows))


def test_no_interval_of_a_proportion_is_a_point() -> None:
    """7 hits in 7 are compatible with a share of .65 (Wilson: 7 / (7 + 1.96²)), in 7 patients as in any."""
    rows = graded(40, 5).assign(patient=[f"p{row}" for row in range(40)])
    rows["referred"] = rows["grade"] >= 2
    rows.loc[rows.index[rows["grade"] >= 2][7:], "grade"] = 0
    rows["referred"] = rows["grade"] >= 2
    found = results.intervals(rows, Bootstrap(resamples=200, confidence=0.95), np.random.default_rng(0))
    sensitivity = found["referable_sensitivity"]
    assert (sensitivity.low, sensitivity.high) == (pytest.approx(7 / (7 + 1.96**2), abs=1e-3), 1.0)
    rng, groups = np.random.default_rng(0), rows["patient"]
    plain = bootstrap(statistics(rows), 40, resamples=200, confidence=0.95, rng=rng, groups=groups)
    assert found["macro_auc"] == plain["macro_auc"]
    assert found["accuracy"].low <= plain["accuracy"].low < plain["accuracy"].high <= found["accuracy"].high
    for name, (hits, trials) in proportions(rows).items():
        if trials:
            assert hits / trials == pytest.approx(metrics_of(rows).get(name, hits / trials)), name


def test_rows_of_each_class_by_side_are_scikit_learns() -> None:
    rows = graded(90, 3).assign(split=np.repeat(["train", "val", "test"], 30))
    for row in results.per_class(rows, {}).to_dict("records"):
        own = rows[rows["split"] == row["split"]]
        expected = metrics_of(own)
        assert row["samples"] == (own["grade"] == row["grade"]).sum()
        for name in ("precision", "recall", "f1"):
            assert row[name] == pytest.approx(expected[f"class_{row['grade']}_{name}"])


@pytest.mark.parametrize(
    ("train_f1", "val_f1", "words"),
    [
        ([0.9, 0.5, 0.8, 1.0, 1.0], [0.9, 0.5, 0.8, 0.4, 0.5], "overfits to the rare grades"),
        ([1.0, 1.0, 1.0, 0.6, 0.6], [0.6, 0.6, 0.6, 0.5, 0.5], "not to the rare grades alone"),
        ([0.9, 0.5, 0.8, 0.5, 0.5], [0.9, 0.5, 0.8, 0.6, 0.4], "no overfitting to the rare grades"),
    ],
)
def test_the_verdict_on_overfitting(train_f1: list[float], val_f1: list[float], words: str) -> None:
    parts = [
        pd.DataFrame({"split": side, "grade": range(5), "f1": f1})
        for side, f1 in (("train", train_f1), ("val", val_f1))
    ]
    assert words in results.overfitting(pd.concat(parts), 0.15)["verdict"]
    absent = pd.concat(parts).query("grade < 3")
    assert "cannot be determined" in results.overfitting(absent, 0.15)["verdict"]


def test_the_referral_threshold_reaches_the_sensitivity_and_is_the_highest_that_does() -> None:
    rng = np.random.default_rng(4)
    grades = rng.integers(5, size=60)
    raw = rng.dirichlet(np.ones(5), 60) + 0.3 * np.eye(5)[grades]
    raw /= raw.sum(axis=1, keepdims=True)
    for wanted in (0.9, 0.95, 1.0):
        found = calibrate(raw, grades, wanted, 0.9)
        referred = found.refers(found.probabilities(raw))
        assert referred[grades >= 2].mean() >= wanted
        assert found.refer_from < 0.5
        stricter = replace(found, refer_from=found.refer_from + 2e-4)
        assert stricter.refers(found.probabilities(raw))[grades >= 2].mean() < wanted
    healthy = calibrate(raw[grades < 2], grades[grades < 2], 0.9, 0.9)
    assert healthy.refer_from == 0.5


def test_who_surely_has_a_referable_grade_is_referred_however_well_validation_was_told_apart() -> None:
    grades = np.repeat(np.arange(5), 20)
    raw = 0.96 * np.eye(5)[grades] + 0.008
    found = calibrate(raw, grades, 0.9, 0.9)
    assert found.refer_from == 0.5, "the highest threshold that refers them all would be near 1"
    assert found.refers(np.array([[0.0, 0.1, 0.5, 0.4, 0.0]])).all()


def test_who_has_exactly_the_chance_of_the_threshold_is_referred() -> None:
    rows = np.array([[0.25, 0.25, 0.25, 0.125, 0.125], [0.25, 0.3125, 0.1875, 0.125, 0.125]])
    assert calibration_of(1.0, 0.5).refers(rows).tolist() == [True, False]


@pytest.mark.parametrize(("rows", "place"), [(8, None), (9, 0), (18, 0), (19, 1), (29, 2)])
def test_a_new_photograph_counts_among_those_that_the_limit_of_possible_grades_is_taken_from(
    rows: int, place: int | None
) -> None:
    """Of n photographs, with coverage .9, the k-th lowest chance of a true grade, k = .1 (n + 1)."""
    grades = np.arange(rows) % 5
    raw = np.random.default_rng(rows).dirichlet(np.ones(5), rows)
    found = calibrate(raw, grades, 0.9, 0.9)
    of_truth = np.sort(found.probabilities(raw)[np.arange(rows), grades])
    expected = 0.0 if place is None else of_truth[place]
    assert expected - 1.01e-4 <= found.possible_from <= expected, "rounded down to be safe"


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_possible_grades_hold_the_truth_as_often_as_asked_on_new_rows(coverage: float) -> None:
    rng = np.random.default_rng(5)
    grades = rng.choice(5, p=[0.5, 0.1, 0.2, 0.1, 0.1], size=8000)
    raw = rng.dirichlet(np.ones(5), 8000) + 0.4 * np.eye(5)[grades]
    raw /= raw.sum(axis=1, keepdims=True)
    found = calibrate(raw[:2000], grades[:2000], 0.9, coverage)
    values = found.probabilities(raw[2000:])
    one_by_one = [
        (min(kept), max(kept))
        for row in values
        for kept in [[grade for grade in range(5) if row[grade] >= found.possible_from] or [int(row.argmax())]]
    ]
    possible = found.possible(values)
    assert possible.tolist() == [list(each) for each in one_by_one]
    held = (values[np.arange(6000), grades[2000:]] >= found.possible_from).mean()
    assert held == pytest.approx(coverage, abs=0.02), "of the set itself; the range that is told holds more"
    assert ((possible[:, 0] <= grades[2000:]) & (grades[2000:] <= possible[:, 1])).mean() >= held


def test_a_photograph_without_a_possible_grade_has_its_likeliest() -> None:
    values = np.array([[0.3, 0.3, 0.2, 0.1, 0.1], [0.1, 0.5, 0.2, 0.15, 0.05]])
    assert replace(calibration_of(1.0, 0.5), possible_from=0.9).possible(values).tolist() == [[0, 1], [1, 1]]
    assert replace(calibration_of(1.0, 0.5), possible_from=0.0).possible(values).tolist() == [[0, 4], [0, 4]]


@pytest.mark.parametrize("content", [None, "{", "{}", "[]"])
def test_a_calibration_that_is_gone_damaged_or_of_another_version_is_told(content: str | None, tmp_path: Path) -> None:
    save(tmp_path, calibration_of(1.5, 0.25))
    assert load(tmp_path) == calibration_of(1.5, 0.25)
    (tmp_path / FILE).unlink()
    if content is not None:
        (tmp_path / FILE).write_text(content)
    with pytest.raises(TableError, match=r"calibration.json is missing, damaged, or of another version"):
        load(tmp_path)


def c2st(seed: int) -> pd.DataFrame:
    """Photographs whose metadata know something of the grade, other columns everything, with grade and side."""
    rng = np.random.default_rng(seed)
    grades = rng.integers(5, size=150)
    photos = pd.DataFrame({name: rng.normal(size=150) + 0.6 * grades for name in METADATA})
    sides = np.resize(["train", "train", "val", "test"], 150)
    return photos.assign(sharpness=grades, retina_share=grades, grade=grades, split=sides)


def test_the_metadata_model_is_a_forest_on_six_columns_of_training_chosen_on_validation() -> None:
    photos = c2st(0)
    grades, side = photos["grade"].to_numpy(), photos["split"].to_numpy(str)
    found = baselines.metadata_model(photos, "median", refit=False, seed=7)
    assert found == pytest.approx(metadata_probabilities(photos, grades, side, 7))
    assert found.sum(axis=1) == pytest.approx(1)


def test_the_feature_model_is_a_logistic_regression_on_training_chosen_on_validation() -> None:
    photos = c2st(1)
    grades, side = photos["grade"].to_numpy(), photos["split"].to_numpy(str)
    features = photos[METADATA].to_numpy()
    train, val = side == "train", side == "val"
    found = []
    for strength in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1):
        for weight in (None, "balanced"):
            model = LogisticRegression(C=strength, class_weight=weight, max_iter=3000)
            scaled = (features - features[train].mean(axis=0)) / features[train].std(axis=0)
            probabilities = model.fit(scaled[train], grades[train]).predict_proba(scaled)
            again = (features - features[side != "test"].mean(axis=0)) / features[side != "test"].std(axis=0)
            refitted = model.fit(again[side != "test"], grades[side != "test"]).predict_proba(again)
            kappa = cohen_kappa_score(
                grades[val], median_grade(probabilities[val]), labels=range(5), weights="quadratic"
            )
            found.append((kappa, probabilities, refitted))
    _, once, refitted = max(found, key=lambda each: each[0])
    assert baselines.feature_model(features, photos, "median", refit=False) == pytest.approx(once, abs=1e-4)
    both = baselines.feature_model(features, photos, "median", refit=True)
    assert both == pytest.approx(np.where((side == "test")[:, None], refitted, once), abs=1e-4)


@pytest.mark.parametrize("refit", [False, True])
def test_no_baseline_reads_the_test_side(refit: bool) -> None:
    photos = c2st(2)
    tested = (photos["split"] == "test").to_numpy()
    poisoned = photos.copy()
    poisoned.loc[tested, "grade"] = 4 - photos.loc[tested, "grade"]
    changed = tested & (np.arange(150) % 8 < 4)
    poisoned.loc[changed, METADATA] = -3.0
    clean, again = (baselines.metadata_model(each, "median", refit=refit, seed=7) for each in (photos, poisoned))
    assert (clean[~changed] == again[~changed]).all()
    clean, again = (
        baselines.feature_model(each[METADATA].to_numpy(), each, "median", refit=refit) for each in (photos, poisoned)
    )
    assert (clean[~changed] == again[~changed]).all()


def test_the_majority_is_predicted_as_such_whatever_the_rule() -> None:
    """Of .435, .2, .2, .1 and .065 the median grade is 1; the commonest is 0."""
    rows = pd.DataFrame({"grade": [0] * 87 + [1] * 40 + [2] * 40 + [3] * 20 + [4] * 13, "split": "val"})
    shares = baselines.majority(rows["grade"].to_numpy(), len(rows))
    found = baselines.judged({"majority": shares, "other": shares}, rows, "median", calibration_of(1.0, 0.5))
    assert set(found["majority"]["predicted"]) == {0}
    assert set(found["other"]["predicted"]) == {1}


def test_a_baseline_refers_the_share_that_the_network_was_to_refer() -> None:
    """Of the referable photographs of validation; those of the test have no say in it."""
    rng = np.random.default_rng(1)
    grades = rng.integers(0, 5, 400)
    raw = rng.dirichlet(np.ones(5), size=400) + 0.3 * np.eye(5)[grades]
    raw /= raw.sum(axis=1, keepdims=True)
    rows = pd.DataFrame({"grade": grades, "split": ["val"] * 300 + ["test"] * 100})
    model = Calibration(1.0, 0.5, refer_sensitivity=0.98, possible_from=0.2, coverage=0.6)
    found = baselines.judged({"other": raw, "turned": np.vstack([raw[:300], raw[:-101:-1]])}, rows, "median", model)
    referable = (rows["grade"] >= 2) & (rows["split"] == "val")
    assert 0.98 <= found["other"].loc[referable, "referred"].mean() <= 0.98 + 2 / referable.sum()
    assert found["turned"][:300].equals(found["other"][:300])


def test_a_grade_that_is_never_given_is_named() -> None:
    rows = pd.DataFrame({"grade": [0, 1, 1, 3], "predicted": [0, 0, 2, 3]})
    assert results.never_predicted(rows) == [1], "no photograph has grade 4, and grade 2 was given"


def test_how_often_the_truth_is_possible() -> None:
    values = pd.DataFrame(np.eye(5)[[0, 1, 2, 3]] * 0.6 + 0.08, columns=definitions.probability_columns())
    rows = values.assign(grade=[0, 4, 2, 4], patient=list("abca"))
    bootstrap = Bootstrap(resamples=200, confidence=0.95)

    def judged(rows: pd.DataFrame) -> dict[str, Any]:
        return results.possible_grades(rows, calibration_of(1.0, 0.5), bootstrap, np.random.default_rng(0))

    found = judged(rows)
    low, high = found.pop("low"), found.pop("high")
    assert found == {"coverage": 0.5, "by_grade": {"0": 1.0, "2": 1.0, "4": 0.0}, "grades": 1.0, "uncovered": [4]}
    assert low < 0.15, "two of four"
    assert high > 0.85, "two of four"
    many = judged(pd.concat([rows] * 40))
    assert (many["coverage"], many["uncovered"]) == (0.5, [4]), "80 photographs of grade 4 without one that is covered"
    assert many["low"] < 0.1, "40 times the same three patients"
    alone = judged(pd.concat([rows] * 40).assign(patient=[str(n) for n in range(160)]))
    assert 0.4 < alone["low"] < 0.45
    assert 0.55 < alone["high"] < 0.6
    (line,) = results.uncovered_lines(many, 0.9)
    assert "grade 4 (proliferative) is among the possible grades of 0% of its photographs alone, not of 90%" in line
    one = judged(rows[rows["grade"].ne(4) | rows.index.isin([1])])
    assert (one["by_grade"]["4"], one["uncovered"]) == (0.0, []), "one photograph may be one of the tenth left out"


def test_the_distance_from_training_is_that_of_its_nearest_photographs_in_every_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    limits, preparation = definitions.QualityLimits(0, 255, 0, 0, 0), definitions.Preparation(32, False, False)
    model = Grader(
        "small_resnet", "softmax", frozen_blocks=0, pooled_blocks=[], dropout=0.0, decision="median", views=1,
        preparation=preparation, limits=limits,
    )  # fmt: skip
    model.eval()
    pictures = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    with write_images(tmp_path / "images.arrow") as images:
        for number, picture in enumerate(pictures):
            images.add(f"{number:02}", encode_png(picture))
    images = read_images(tmp_path / "images.arrow")
    train, val = np.arange(30), np.arange(30, 38)
    found = familiarity.fit(model, images, train, val, np.repeat([0, 3, 2], [30, 4, 6]), share=0.5)
    familiarity.save(tmp_path, found)

    maps, statistics = (torch.tensor(pictures).permute(0, 3, 1, 2).float() - model.mean) / model.std, []
    with torch.inference_mode():
        for block in model.blocks:
            maps = block(maps)
            statistics += [maps.mean(dim=(2, 3)), (maps.var(dim=(2, 3), correction=0) + 1e-6) ** 0.5]
    vectors = torch.cat(statistics, dim=1).double().numpy()
    scaled = (vectors - vectors[:30].mean(axis=0)) / vectors[:30].std(axis=0)
    apart = np.sqrt(((scaled[:, None] - scaled[None, :30]) ** 2).mean(axis=2))
    nearest = np.sort(apart, axis=1)[:, :5].mean(axis=1)
    limit = max(np.sort(nearest[30:34])[2], np.sort(nearest[34:38])[2])  # of each grade at least half are within it
    expected = nearest / (1.5 * limit)
    assert familiarity.load(tmp_path).distances(model, images) == pytest.approx(expected, rel=1e-3)
    assert len(found.distances(model, [])) == 0
    monkeypatch.setattr(familiarity, "MOST", 4)
    few = familiarity.fit(model, images, train, val, np.repeat([0, 3, 2], [30, 4, 6]), share=0.5)
    assert torch.allclose(few.known, found.known[[0, 9, 19, 29]]), "evenly spaced, the last one too"


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
        pooled_blocks=(),
        dropout=0.5,
        decision="median",
        views=6,
        preparation=definitions.Preparation(32, crop=True, contrast=False),
        limits=definitions.QualityLimits(20.0, 200.0, 0.3, 8.0, 28),
    )
    model.init_from(backbones.build("small_resnet")).eval()
    with torch.no_grad():
        model.head.weight.mul_(30)  # so that the views differ
    places = np.array([0, 2, 3, 5])
    found = grade_collection(model, stored, places, batch_size=3)
    pictures = decode(list(stored)).numpy()
    sixth = [np.rot90(each, turn, (-2, -1)) for each in (pictures, pictures[..., ::-1]) for turn in range(4)][:6]
    with torch.no_grad():
        each = np.stack([model(torch.from_numpy(view.copy())).softmax(dim=1).numpy() for view in sixth])
    expected = each.mean(axis=0)[places]
    assert np.abs(expected - each[0][places]).max() > 0.02
    assert found == pytest.approx(expected, abs=0.005 if frozen else 1e-5)
    assert found.sum(axis=1) == pytest.approx(1)
