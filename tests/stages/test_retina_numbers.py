"""What evaluate writes of retina, computed again from its tables and from the photographs."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image
from scipy.stats import norm
from sklearn import metrics as sklearn
from typer.testing import CliRunner

from stages.retina import evaluate, train
from tests.conftest import ROOT
from tests.library.domains.retina.references import median_grade, metadata_probabilities, metrics_of
from tests.stages.conftest import Finished, torch_restored
from tests.stages.programs import Programs
from winnow.domains.retina import cli
from winnow.domains.retina.evaluation import results
from winnow.domains.retina.model.heatmaps import heat_maps, within_retina
from winnow.domains.retina.model.network import Grader
from winnow.domains.retina.source import synthetic
from winnow.images.codec import load_pixels
from winnow.images.store import read_images
from winnow.judge.files import evaluation_files
from winnow.measure.calibration import fit_temperature
from winnow.pipeline.seeds import derive_seed

RETINA = Programs.tiny("retina")
table = RETINA.table
SEED = yaml.safe_load((ROOT / "params.yaml").read_text())["seed"]
PROBABILITIES = [f"p{grade}" for grade in range(5)]
VIEWS = 3

of_retina = pytest.mark.parametrize("finished", ["retina"], indirect=True)


@pytest.fixture(scope="module")
def judged(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the finished folder, the working folder, in which the model averages three views."""
    folder = tmp_path_factory.mktemp("judged")
    shutil.copytree(finished.folder, folder, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch, torch_restored():
        patch.chdir(folder)
        config = Path("data/retina/train/model/config.json")
        config.write_text(json.dumps(json.loads(config.read_text()) | {"views": VIEWS}))
        RETINA.run("evaluate")
        yield folder


def judgement() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("metrics/retina/judgement.json").read_text())
    return found


def close(values: Mapping[str, float]) -> Any:
    """judgement.json keeps six significant digits."""
    return pytest.approx(dict(values), rel=1e-5, abs=1e-6)


def held_out() -> pd.DataFrame:
    return table("evaluate/predictions.parquet").query("split == 'test'")


def of_table(rows: pd.DataFrame) -> dict[str, float]:
    """Every metric of rows of `Judged` with their true grade."""
    return metrics_of(rows)


@of_retina
def test_every_metric_of_the_judgement(judged: Path) -> None:
    found, test = judgement(), held_out()
    assert test["predicted"].tolist() == median_grade(test[PROBABILITIES].to_numpy()).tolist()
    assert found["model"] == close(of_table(test))
    baseline = table("evaluate/baseline_predictions.parquet")
    assert found["baseline"].keys() == {"majority", "metadata"} == set(baseline["baseline"])
    for name, values in baseline.groupby("baseline"):
        rows = test[["image_id", "grade"]].merge(values, on="image_id", validate="one_to_one")
        assert found["baseline"][name] == close(of_table(rows))
        if name != "majority":
            assert rows["predicted"].tolist() == median_grade(rows[PROBABILITIES].to_numpy()).tolist()
    confusion = sklearn.confusion_matrix(test["grade"], test["predicted"], labels=range(5))
    for grade, counts in found["confusion"].items():
        assert counts == {predicted: confusion[int(grade), int(predicted)] for predicted in counts}
    assert sum(count for counts in found["confusion"].values() for count in counts.values()) == len(test)
    assert found["rows_test"] == len(test) == (table("split/splits.parquet")["split"] == "test").sum()
    assert found["interval"].keys() == found["model"].keys()
    short = json.loads(Path("metrics/retina/evaluate.json").read_text())
    assert {name: short[name] for name in short if name in found["model"]} == {
        name: found["model"][name] for name in short if name in found["model"]
    }
    kappas = [values["quadratic_weighted_kappa"] for values in found["baseline"].values()]
    assert short["quadratic_weighted_kappa_baseline"] == max(kappas)


@of_retina
def test_probabilities_are_the_calibrated_mean_over_views(judged: Path) -> None:
    rows = table("evaluate/predictions.parquet")
    images = read_images(Path("data/retina/ingest/images.arrow")).select(rows["image_id"])
    pictures = np.stack([load_pixels(image).transpose(2, 0, 1) for image in images])
    model = Grader.from_pretrained("data/retina/train/model").eval()
    with torch.no_grad():
        turned = [torch.from_numpy(np.rot90(pictures, turn, (-2, -1)).copy()) for turn in range(VIEWS)]
        each = np.stack([model(view).softmax(dim=1).numpy() for view in turned])
    calibration = json.loads(Path("data/retina/train/model/calibration.json").read_text())
    scaled = each.mean(axis=0).astype(float) ** (1 / calibration["temperature"])
    expected = scaled / scaled.sum(axis=1, keepdims=True)
    assert np.abs(each.mean(axis=0) - each[0]).max() > 1e-3  # ten times the tolerance below
    assert rows[PROBABILITIES].to_numpy() == pytest.approx(expected, abs=1e-4)
    assert rows["raw_confidence"].to_numpy() == pytest.approx(each.mean(axis=0).max(axis=1), abs=1e-4)
    assert (rows["referred"] == (rows[PROBABILITIES[2:]].sum(axis=1) >= calibration["refer_from"])).all()


@of_retina
def test_temperature_and_threshold_are_validations(judged: Path) -> None:
    """By a fine grid over temperatures; the calibrated probabilities of validation are least surprised there."""
    val = table("evaluate/predictions.parquet").query("split == 'val'")
    calibrated = val[PROBABILITIES].to_numpy()
    model = json.loads(Path("data/retina/train/model/calibration.json").read_text())
    assert judgement()["calibration"] == model
    losses = []
    for more in (0.97, 1.0, 1.03):
        scaled = calibrated ** (1 / more)
        chosen = (scaled / scaled.sum(axis=1, keepdims=True))[np.arange(len(val)), val["grade"]]
        losses.append(-np.log(chosen).mean())
    assert losses[1] == pytest.approx(min(losses), abs=2e-3)
    assert val.query("grade >= 2")["referred"].mean() >= 0.88  # evaluate averages other views here


@of_retina
def test_baselines_are_fitted_on_training_and_chosen_on_validation(judged: Path) -> None:
    rows = table("evaluate/predictions.parquet").merge(table("ingest/photos.parquet"), on="image_id")
    rows = rows.rename(columns={"grade_x": "grade"}).sort_values("image_id", ignore_index=True)
    grades, side = rows["grade"].to_numpy(), rows["split"].to_numpy(str)
    baseline = table("evaluate/baseline_predictions.parquet").set_index(["baseline", "image_id"])
    test = rows.loc[side == "test", "image_id"]
    shares = np.bincount(grades[side == "train"], minlength=5) / (side == "train").sum()
    majority = baseline.loc["majority"].loc[test]
    assert set(majority["predicted"]) == {shares.argmax()}
    assert majority["raw_confidence"].to_numpy() == pytest.approx(shares.max())
    drawn = int(np.random.default_rng(derive_seed(SEED, "retina", "evaluate")).integers(2**31))
    metadata = metadata_probabilities(rows, grades, side, drawn)
    scaled = metadata ** (1 / fit_temperature(metadata[side == "val"], grades[side == "val"]))
    expected = (scaled / scaled.sum(axis=1, keepdims=True))[side == "test"]
    assert baseline.loc["metadata"].loc[test, PROBABILITIES].to_numpy() == pytest.approx(expected)


@of_retina
def test_slices_are_the_accuracy_of_their_photographs(judged: Path) -> None:
    test = held_out().merge(table("ingest/photos.parquet")[["image_id", "source"]], on="image_id")
    right = test["grade"] == test["predicted"]
    expected = {
        (by, str(value)): (len(part), pytest.approx(part.mean()))
        for by in ("grade", "source")
        for value, part in right.groupby(test[by])
    }
    found = {(row.by, row.value): (row.rows, row.score) for row in table("evaluate/slices.parquet").itertuples()}
    assert found == expected
    assert len({score for _, score in found.values()}) > 1


@of_retina
def test_tables_of_classes_curves_and_reliability(judged: Path) -> None:
    found, predictions = judgement(), table("evaluate/predictions.parquet")
    classes, sides = table("evaluate/per_class.parquet"), dict(tuple(predictions.groupby("split")))
    assert len(classes) == sum(part["grade"].nunique() for part in sides.values())
    for row in classes.itertuples():
        part = sides[row.split]
        values = sklearn.precision_recall_fscore_support(
            part["grade"], part["predicted"], labels=[row.grade], zero_division=0
        )
        assert (row.precision, row.recall, row.f1, row.samples) == pytest.approx([float(v[0]) for v in values])
        interval = found["interval"][f"class_{row.grade}_f1"] if row.split == "test" else None
        assert pd.isna(row.f1_low) if interval is None else row.f1_low == pytest.approx(interval["low"], rel=1e-5)
        assert pd.isna(row.f1_high) if interval is None else row.f1_high == pytest.approx(interval["high"], rel=1e-5)
    f1 = classes.set_index(["split", "grade"])["f1"]
    gaps = {str(g): f1["train", g] - f1["val", g] for g in sides["val"]["grade"].unique() if ("train", g) in f1}
    assert found["overfitting"]["f1_gap"] == close(gaps)
    test = sides["test"]
    for grade, points in table("evaluate/rocs.parquet").groupby("grade"):
        area = np.trapezoid(points["recall"], points["false_positive_rate"])
        assert area == pytest.approx(sklearn.roc_auc_score(test["grade"] == grade, test[f"p{grade}"]))
    bins = table("evaluate/reliability.parquet")
    likeliest = (test[PROBABILITIES].to_numpy().argmax(axis=1) == test["grade"]).mean()
    for scaled, part in bins.groupby("scaled"):
        assert part["rows"].sum() == len(test)
        error = ((part["confidence"] - part["accuracy"]).abs() * part["rows"]).sum() / len(test)
        assert error == pytest.approx(found["model"]["ece" if scaled else "uncalibrated_ece"], rel=1e-5)
        assert (part["accuracy"] * part["rows"]).sum() / len(test) == pytest.approx(likeliest)


def cases() -> pd.DataFrame:
    """Rows with ids, patients of one, two or three photographs, and probabilities that know something of the grade."""
    rng = np.random.default_rng(0)
    grades = rng.choice(5, p=[0.4, 0.2, 0.2, 0.1, 0.1], size=40)
    logits = rng.normal(size=(40, 5)) + np.eye(5)[grades]
    values = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    patients = np.repeat([f"p{number}" for number in range(21)], np.resize([1, 2, 3], 21))[:40]
    rows = pd.DataFrame({"image_id": [f"i{number:02}" for number in range(40)], "patient": patients, "grade": grades})
    rows[PROBABILITIES] = values
    referred = values[:, 2:].sum(axis=1) > 0.4
    return rows.assign(predicted=values.argmax(axis=1), referred=referred, raw_confidence=values.max(axis=1))


def bounds(values: Sequence[float]) -> list[Any]:
    return [pytest.approx(bound) for bound in np.quantile(values, [0.025, 0.975])]


def kappa(true: "pd.Series[int]", predicted: "pd.Series[int]") -> float:
    return float(sklearn.cohen_kappa_score(true, predicted, labels=range(5), weights="quadratic"))


PROPORTIONS = ("accuracy", "referable_sensitivity", "referable_specificity")


def shares(rows: pd.DataFrame, name: str) -> tuple[int, int]:
    """Hits and trials of a share of photographs."""
    if name == "accuracy":
        return int((rows["grade"] == rows["predicted"]).sum()), len(rows)
    if name.startswith("referable"):
        ill = name.endswith("sensitivity")
        part = rows[(rows["grade"] >= 2) == ill]
        return int((part["referred"] == ill).sum()), len(part)
    _, grade, kind = name.split("_")
    part = rows[rows["grade" if kind == "recall" else "predicted"] == int(grade)]
    return int((part["grade"] == part["predicted"]).sum()), len(part)


def proportion_confint(hits: int, trials: int) -> tuple[float, float]:
    """Wilson's interval (1927), by its formula; everything without a trial."""
    z = norm.ppf(0.975)
    if not trials:
        return np.inf, -np.inf
    share, spread = hits / trials, z**2 / trials
    middle, reach = share + spread / 2, z * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return (middle - reach) / (1 + spread), (middle + reach) / (1 + spread)


def test_intervals_and_differences_resample_patients() -> None:
    """By loops over resamples of whole patients, which the same generator draws in the same order."""
    test, rng = cases(), np.random.default_rng(3)
    values = rng.dirichlet(np.ones(5), len(test))
    other = test.assign(predicted=values.argmax(axis=1))
    other[PROBABILITIES] = values
    params = RETINA.section("evaluate")
    result = results.result(test, {"other": other}, params, np.random.default_rng(5))
    written = evaluation_files(params.gate, result)
    names, replayed = sorted(set(test["patient"])), np.random.default_rng(5)
    places = [np.flatnonzero(test["patient"] == name) for name in names]

    def resamples() -> Iterator[pd.DataFrame]:
        drawn = replayed.integers(len(names), size=(params.bootstrap.resamples, len(names)))
        return (test.iloc[np.concatenate([places[unit] for unit in draw])] for draw in drawn)

    resampled = [of_table(part) for part in resamples()]
    assert set(written.judgement["interval"]) == set(of_table(test))
    for name, interval in written.judgement["interval"].items():
        low, high = np.quantile([each[name] for each in resampled if name in each], [0.025, 0.975])
        if name in PROPORTIONS or name.endswith(("_recall", "_precision")):
            hits, trials = shares(test, name)
            wilson = proportion_confint(hits, trials)
            low, high = min(low, wilson[0]), max(high, wilson[1])
        assert list(interval.values()) == [pytest.approx(low), pytest.approx(high)], name
    test = test.assign(other=other["predicted"])
    apart = [kappa(part["grade"], part["predicted"]) - kappa(part["grade"], part["other"]) for part in resamples()]
    assert list(written.judgement["difference"]["quadratic_weighted_kappa"]["other"].values()) == bounds(apart)


def surest(rows: pd.DataFrame, count: int) -> list[str]:
    """Ids of `count` rows: of every grade the surest, then of every grade the second, in the order of grades."""
    ranked = {grade: sorted(part.itertuples(), key=lambda row: -row.sure) for grade, part in rows.groupby("grade")}
    turns = max(map(len, ranked.values()))
    taken = [part[turn].image_id for turn in range(turns) for _, part in sorted(ranked.items()) if turn < len(part)]
    return taken[:count]


def test_the_cases_shown_are_the_surest_right_and_wrong_ones_of_every_grade() -> None:
    rows = cases()
    rows["sure"] = rows[PROBABILITIES].max(axis=1)
    right = rows["grade"] == rows["predicted"]
    found = evaluate.choose_cases(rows.drop(columns="sure"), 7)
    assert sorted(found.loc[found["right"], "image_id"]) == sorted(surest(rows[right], 7))
    assert sorted(found.loc[~found["right"], "image_id"]) == sorted(surest(rows[~right], 7))
    assert found["probability"].to_numpy() == pytest.approx(rows.set_index("image_id").loc[found["image_id"], "sure"])


@of_retina
def test_the_cases_kept_are_those_of_the_test_side(judged: Path) -> None:
    test, kept = held_out(), table("evaluate/explained.parquet")
    test = test.assign(sure=test[PROBABILITIES].to_numpy()[np.arange(len(test)), test["predicted"]])
    right, count = test["grade"] == test["predicted"], RETINA.section("evaluate").explained
    assert set(kept["image_id"]) == {*surest(test[right], count), *surest(test[~right], count)}
    images = read_images(Path("data/retina/ingest/images.arrow"))
    assert kept["png"].tolist() == list(images.select(kept["image_id"]))
    model = Grader.from_pretrained("data/retina/train/model")
    heat = heat_maps(model, kept["png"].tolist(), kept["predicted"].to_numpy())
    for stored, each, png in zip(kept["heat"], heat, kept["png"], strict=True):
        inside, _ = within_retina(each, png, model.preparation)
        assert (load_pixels(stored)[..., 0] == inside).all(), "it explains the grade that was given"


def winnow(*arguments: str) -> Any:
    result = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def files(judged: Path) -> dict[str, bytes]:
    """The photographs as they were before ingest prepared them, by image_id."""
    rng = np.random.default_rng(derive_seed(SEED, "retina", "ingest"))
    drawn = synthetic.make(RETINA.section("ingest").synthetic, rng)
    return {f"synthetic/{record.name}": record.read() for record in drawn.records}


def accuracy_of_metadata(test: list[str]) -> float:
    """Of the forests on what the model's folder keeps of training and validation, on these photographs."""
    photos = table("ingest/photos.parquet").set_index("image_id").loc[test].assign(split="test")
    rows = pd.concat([table("train/model/seen.parquet"), photos], ignore_index=True)
    grades, side = rows["grade"].to_numpy(int), rows["split"].to_numpy(str)
    values = metadata_probabilities(rows, grades, side, 0)
    scaled = values ** (1 / fit_temperature(values[side == "val"], grades[side == "val"]))
    predicted = median_grade(scaled / scaled.sum(axis=1, keepdims=True))
    return float((predicted == grades)[side == "test"].mean())


@of_retina
def test_a_patient_whom_only_the_photograph_names_is_not_in_the_models_folder(judged: Path) -> None:
    photos = table("ingest/photos.parquet")
    rows = photos[["image_id", "grade"]].assign(split="train", patient="hospital/anna")
    rows.loc[::2, "patient"] = rows["image_id"]
    rows.loc[1, "patient"] = rows.loc[0, "image_id"]  # a run of neighbours, named after the first
    seen = train.seen_photographs(rows, photos).merge(photos[["perceptual_hash", "image_id"]], on="perceptual_hash")
    patients = seen.drop_duplicates("perceptual_hash").set_index("image_id")["patient"]
    named = rows.set_index("image_id")["patient"].reindex(patients.index) == "hospital/anna"
    assert set(patients[named]) == {hashlib.sha256(b"hospital/anna").hexdigest()}
    assert patients[~named].isna().all()


@of_retina
def test_the_command_line_grades_and_evaluates_as_the_stage_does(
    judged: Path, files: dict[str, bytes], tmp_path: Path
) -> None:
    """The test photographs, two that validation saw, which are left out, and two that `grade` calls ungradable."""
    predictions = table("evaluate/predictions.parquet").set_index("image_id")
    test, val = (predictions[predictions["split"] == side] for side in ("test", "val"))
    for number, (image_id, grade) in enumerate([*test["grade"].items(), *val["grade"].head(2).items()]):
        file = tmp_path / "set" / str(grade) / f"{number:03}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(files[str(image_id)])
    strange = {"dark": (3, 0.1), "noise": (0, 1.0)}
    noise = np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype=np.uint8)
    for name, (grade, light) in strange.items():
        Image.fromarray((noise * light).astype(np.uint8)).save(tmp_path / "set" / str(grade) / f"{name}.png")
    found = winnow("evaluate", str(tmp_path / "set"), "--json")
    counts = found["photographs"]
    answers = {Path(each["file"]).stem: each for each in winnow("grade", str(tmp_path / "set"), "--json")}
    own = [answers[f"{number:03}"] for number in range(len(test))]
    gradable = np.array([each["quality"] is None for each in own])
    graded, refused = test[gradable], int((~gradable).sum()) + len(strange)
    assert gradable.sum() > len(test) / 2
    assert (counts["seen_in_training"], counts["graded"], counts["ungradable"]) == (2, len(graded), refused)
    assert counts.pop("in_source") == len(test) + 2 + len(strange) == sum(counts.values())
    assert sum(found["ungradable"].values()) == refused
    referral = {}
    true = [*test["grade"], *(grade for grade, _ in strange.values())]
    referred = np.array([each["referable"] for each in [*own, *(answers[name] for name in strange)]])
    for name, rows, right in (("sensitivity", np.array(true) >= 2, True), ("specificity", np.array(true) < 2, False)):
        referral[f"referable_{name}"] = float((referred[rows] == right).mean())
    assert found["metrics"] == pytest.approx(of_table(graded) | referral, abs=1e-4)
    assert found["baseline"]["metadata"]["accuracy"] == pytest.approx(accuracy_of_metadata(list(graded.index)))
    assert [each["grade"] for each in own] == [
        int(g) if keep else None for g, keep in zip(test["predicted"], gradable, strict=True)
    ]
    some = [each for each in own if each["quality"] is None]
    printed = [[each["probabilities"][str(grade)] for grade in range(5)] for each in some]
    assert np.array(printed) == pytest.approx(graded[PROBABILITIES].to_numpy(), abs=1e-4)
    referable = graded[PROBABILITIES[2:]].sum(axis=1).to_numpy()
    assert [each["referable_probability"] for each in some] == pytest.approx(referable, abs=1e-4)


@of_retina
def test_sampling_weights_give_every_grade_the_same_share(judged: Path) -> None:
    rows = table("weight/weights.parquet").merge(table("label/labels.parquet"), on="image_id")
    assert set(rows["image_id"]) == set(table("split/splits.parquet").query("split == 'train'")["image_id"])
    present = rows["grade"].nunique()
    assert rows.groupby("grade")["weight"].sum().to_numpy() == pytest.approx(len(rows) / present)
    assert rows.groupby("grade")["weight"].nunique().eq(1).all()
    classes = table("weight/classes.parquet").set_index("grade")
    counts = rows["grade"].value_counts()
    for grade, count in counts.items():
        assert classes.loc[grade, "samples"] == count
        assert classes.loc[grade, "balanced"] == pytest.approx(len(rows) / (present * count))
        assert f"  Class {grade}: {len(rows) / (present * count):.3g}" in train.format_sampling(classes.reset_index())
    roots = {grade: count**-0.5 for grade, count in counts.items()}
    mean = sum(roots[grade] * count for grade, count in counts.items()) / len(rows)
    assert classes["weight"].loc[list(roots)].tolist() == pytest.approx([root / mean for root in roots.values()])
