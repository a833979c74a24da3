"""What evaluate writes of documents, computed again from its tables, by scikit-learn and scipy."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from scipy.stats import spearmanr
from sklearn import metrics as sklearn
from typer.testing import CliRunner

from tests.stages.conftest import Finished, torch_restored
from tests.stages.programs import Programs
from winnow.domains.documents import cli, definitions
from winnow.domains.documents.evaluation import baselines, results
from winnow.domains.documents.metrics import issue_statistics
from winnow.domains.documents.model.estimates import (
    Calibration,
    Estimates,
    Raw,
    by_distance,
    calibrate,
    fit_classes,
    retake_threshold,
    threshold_table,
)
from winnow.domains.documents.rules.measures import NAMES
from winnow.images.store import read_images
from winnow.judge import result
from winnow.judge.intervals import bootstrap, values
from winnow.measure.calibration import fit_temperature

of_documents = pytest.mark.parametrize("finished", ["documents"], indirect=True)
PROBABILITIES = definitions.probability_columns()


@pytest.fixture
def root(finished: Finished, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(finished.folder)
    return Path("data/documents")


def judgement() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("metrics/documents/judgement.json").read_text())
    return found


def close(values: Any) -> Any:
    """judgement.json keeps six significant digits."""
    return pytest.approx(values, rel=1e-5, abs=1e-6)


def ece(confidence: np.ndarray, right: np.ndarray) -> float:
    bins = np.minimum((confidence * 10).astype(int), 9)
    return float(
        sum((bins == b).mean() * abs(confidence[bins == b].mean() - right[bins == b].mean()) for b in set(bins))
    )


def expected(rows: pd.DataFrame, retake_below: float) -> dict[str, float]:
    """Every metric that needs no issue."""
    true, score, truth = rows["true_label"], rows["score"], rows["true_score"]
    probabilities = rows[PROBABILITIES].to_numpy()
    label = rows["label"] if "label" in rows else pd.Series(probabilities.argmax(axis=1), index=rows.index)
    acceptable = truth >= 0.4
    recall = sklearn.recall_score(true, label, labels=range(5), average=None)
    accuracy, balanced = sklearn.accuracy_score(true, label), float(np.mean(recall))
    return {
        "mae": sklearn.mean_absolute_error(truth, score),
        "rmse": sklearn.root_mean_squared_error(truth, score),
        "accuracy": accuracy,
        "balanced_accuracy": balanced,
        "balance_gap_error": abs(accuracy - balanced),
        "within_one_accuracy": (abs(true - label) <= 1).mean(),
        "macro_f1": sklearn.f1_score(true, label, average="macro", labels=range(5), zero_division=0),
        "ece": ece(probabilities[np.arange(len(rows)), label], (label == true).to_numpy()),
        "score_ece": ece(score.to_numpy(), truth.to_numpy()),
        "retake_auc": sklearn.roc_auc_score(~acceptable, -score),
        "retake_recall": (score[~acceptable] < retake_below).mean(),
        "false_reject_error": (score[acceptable] < retake_below).mean(),
        **{
            f"class_{definitions.class_key(name)}_recall": recall[number]
            for number, name in enumerate(definitions.CLASSES)
        },
    }


@of_documents
def test_every_metric_of_the_judgement(root: Path) -> None:
    found, predictions = judgement(), pd.read_parquet(root / "evaluate/predictions.parquet")
    test = predictions[predictions["split"] == "test"]
    assert len(test) == found["rows_test"]
    own = expected(test, found["threshold"])
    own["spearman_correlation"] = spearmanr(test["score"], test["true_score"]).statistic
    severities = pd.read_parquet(root / "label/severities.parquet")
    flags = severities.pivot_table(index="image_id", columns="issue", values="flagged").loc[test["image_id"]]
    precisions = []
    for issue in definitions.ISSUES:
        truth, severity = flags[issue].to_numpy() == 1, test[f"severity_{issue}"].to_numpy()
        own[f"{issue}_recall"] = float((severity[truth] >= 0.2).mean())
        own[f"{issue}_average_precision"] = sklearn.average_precision_score(truth, severity)
        precisions.append(own[f"{issue}_average_precision"])
    damage = severities[~severities["issue"].isin(["skew", "cropped"])].groupby("image_id")["severity"]
    legible = 1 - (0.75 * damage.max() + 0.25 * damage.sum()).clip(upper=1)
    own["legibility_mae"] = (legible.loc[test["image_id"]].to_numpy() - test["legibility"]).abs().mean()
    own["issues_average_precision"] = float(np.mean(precisions))
    assert found["model"] == close(own)
    baseline = pd.read_parquet(root / "evaluate/baseline_predictions.parquet")
    assert set(baseline["baseline"]) == {"constant", "trees"}
    for name, rows in baseline.groupby("baseline"):
        both = test[["image_id", "true_score", "true_label"]].merge(rows, on="image_id", validate="one_to_one")
        theirs = expected(both, 0.0)
        for metric in set(theirs) - {"retake_recall", "false_reject_error"}:
            assert found["baseline"][name][metric] == close(theirs[metric]), (name, metric)


@of_documents
def test_intervals_are_over_documents(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of a page are no independent cases."""
    found: list[list[str]] = []

    def recorded(*arguments: Any, groups: "pd.Series[str]", **options: Any) -> Any:
        found.append(groups.tolist())
        return bootstrap(*arguments, groups=groups, **options)

    shutil.copytree(Path.cwd(), tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(result, "bootstrap", recorded)
    with torch_restored():
        Programs.tiny("documents").run("evaluate")
    predictions = pd.read_parquet(root / "evaluate/predictions.parquet")
    assert found == [predictions.loc[predictions["split"] == "test", "document"].tolist()] * 2


@of_documents
def test_the_constant_is_that_of_the_training_side(root: Path) -> None:
    labels = pd.read_parquet(root / "label/labels.parquet").merge(
        pd.read_parquet(root / "split/splits.parquet")[["image_id", "split"]], on="image_id"
    )
    train = labels[labels["split"] == "train"]
    constant = pd.read_parquet(root / "evaluate/baseline_predictions.parquet").query("baseline == 'constant'")
    assert constant["score"].unique() == pytest.approx([train["score"].mean()])
    shares = np.bincount(train["label"], minlength=5) / len(train)
    assert constant[PROBABILITIES].iloc[0].to_numpy() == pytest.approx(shares)


@of_documents
def test_parts_of_the_score_and_verdicts_follow_from_the_predictions(root: Path) -> None:
    predictions, found = pd.read_parquet(root / "evaluate/predictions.parquet"), judgement()
    severities = predictions[definitions.severity_columns()].to_numpy()
    framing = [definitions.ISSUES.index(issue) for issue in ("skew", "cropped")]
    worst, second = severities[:, framing].max(axis=1), severities[:, framing].min(axis=1)
    by_function = 1 - np.minimum(1, worst + second / 4)
    assert predictions["framing"].to_numpy() == pytest.approx(np.maximum(by_function, predictions["score"]))
    assert (predictions["legibility"] >= predictions["score"]).all()
    assert (predictions["label"] == np.minimum(4, 5 - np.floor(predictions["score"] * 5 + 1e-9) - 1).clip(0)).all()
    measures = pd.read_parquet(root / "label/measures.parquet").set_index("image_id").loc[predictions["image_id"]]
    small = ((measures["text_height"] > 0) & (measures["text_height"] < 8)).to_numpy()
    blank = (measures["printed_share"] < 0.0005).to_numpy()
    assert ((predictions["verdict"] == "blank") == blank).all()
    retaken = predictions["verdict"] == "retake"
    assert (retaken == (~blank & (small | (predictions["score"] < found["threshold"])))).all()
    assert not small.all()
    accepted = predictions["verdict"] == "accept"
    assert (predictions.loc[accepted, "score"] >= 0.6).all()


def test_small_text_and_blank_pages_have_their_verdicts_whatever_the_score() -> None:
    """The tiny data may hold neither: pages of the same good score whose measures alone differ."""
    heights, printed = [0.0, 7.9, 8.0, 20.0, 3.0], [0.1, 0.1, 0.1, 0.1, 0.0001]
    facts = torch.zeros(5, len(NAMES))
    facts[:, NAMES.index("text_height")] = torch.tensor(heights)
    facts[:, NAMES.index("printed_share")] = torch.tensor(printed)
    rows = pd.DataFrame({"image_id": list("abcde"), "document": "d", "split": "test", "score": 0.9, "label": 0})
    one = torch.full((5,), 0.9)
    examples = SimpleNamespace(
        rows=rows, measures=facts, measure_names=list(NAMES), legibility=one, readability=one, flags=torch.zeros(5, 10)
    )
    good = np.full(5, 0.9)
    found = Estimates(good, good, np.tile([0.9, 0.1, 0, 0, 0], (5, 1)), np.zeros((5, 10)), good)
    calibration = Calibration((1.0, 0.0, 0.0), 0.0, (0.0, 1.0), 0.0, 0.0, 1.0, 0.4, 0.05, readable=True)
    decision = definitions.Decision(0.2, 0.6, 0.5, min_text_height=8.0, blank_below=0.0005)
    table = results.predictions_of(cast(Any, examples), np.array([4, 3, 2, 1, 0]), found, calibration, decision)
    told = table.set_index("image_id")["verdict"].to_dict()
    assert told == {"a": "accept", "b": "retake", "c": "accept", "d": "accept", "e": "blank"}


@of_documents
def test_the_threshold_is_chosen_on_validation_for_the_stated_share(root: Path) -> None:
    predictions, found = pd.read_parquet(root / "evaluate/predictions.parquet"), judgement()
    val = predictions[predictions["split"] == "val"]
    steps = pd.read_parquet(root / "evaluate/thresholds.parquet")
    acceptable = val["true_score"] >= 0.4
    for row in steps.itertuples():
        rejected = val["score"] < row.threshold
        assert row.false_rejects == pytest.approx(rejected[acceptable].mean())
        assert row.found == pytest.approx(rejected[~acceptable].mean())
    allowed = steps[(steps["false_rejects"] <= found["max_false_rejects"]) & (steps["threshold"] <= 0.4)]
    best = allowed.loc[allowed["found"] == allowed["found"].max(), "threshold"]
    assert found["threshold"] == pytest.approx(best.min())
    assert steps.loc[steps["chosen"], "threshold"].tolist() == pytest.approx([found["threshold"]])


@of_documents
def test_score_and_legibility_are_calibrated_on_validation(root: Path) -> None:
    """With an intercept fitted by least squares, errors have the mean 0 there."""
    predictions = pd.read_parquet(root / "evaluate/predictions.parquet")
    val = predictions[predictions["split"] == "val"]
    severities = pd.read_parquet(root / "label/severities.parquet")
    damage = severities[~severities["issue"].isin(["skew", "cropped"])].groupby("image_id")["severity"]
    legible = (1 - (0.75 * damage.max() + 0.25 * damage.sum()).clip(upper=1)).loc[val["image_id"]].to_numpy()
    assert val[["score", "legibility"]].gt(0).all(axis=None)  # none is cut
    assert val[["score", "legibility"]].lt(1).all(axis=None)
    assert (val["score"] - val["true_score"]).mean() == pytest.approx(0, abs=1e-4)
    raised = val["legibility"] == val["score"]  # legibility is never shown below the score
    apart = (val["legibility"] - legible).mean()
    assert -1e-4 <= apart <= (0.02 if raised.any() else 1e-4)
    assert raised.mean() < 0.5


def test_metrics_of_an_issue_are_those_of_the_pages_of_which_it_is_known() -> None:
    rng = np.random.default_rng(0)
    flags, severities = (rng.random((60, 10)) < 0.4).astype(float), rng.random((60, 10))
    flags[:20, 0] = np.nan
    flags[:, 1] = 0
    found = values(issue_statistics(flags, severities, 0.2), 60)
    assert "noise_recall" not in found  # no page has it
    each = {}
    for place, issue in enumerate(definitions.ISSUES):
        if issue != "noise":
            known = ~np.isnan(flags[:, place])
            each[issue] = sklearn.average_precision_score(flags[known, place], severities[known, place])
            assert found[f"{issue}_average_precision"] == pytest.approx(each[issue])
            assert found[f"{issue}_recall"] == pytest.approx((severities[flags[:, place] == 1, place] >= 0.2).mean())
    assert found["issues_average_precision"] == pytest.approx(np.mean(list(each.values())))


def test_thresholds_by_hand() -> None:
    true = np.array([0.1, 0.2, 0.5, 0.6, 0.7, 0.9])
    predicted = np.array([0.2, 0.45, 0.4, 0.6, 0.8, 0.9])
    assert retake_threshold(predicted, true, 0.0) == pytest.approx(0.205)  # up to .4 none finds more
    assert retake_threshold(predicted, true, 0.25) == pytest.approx(0.205)  # above .4 pages are acceptable
    near = np.array([0.2, 0.39, 0.3, 0.6, 0.8, 0.9])
    assert retake_threshold(near, true, 0.0) == pytest.approx(0.205)
    assert retake_threshold(near, true, 0.25) == pytest.approx(0.395)
    assert retake_threshold(predicted, np.full(6, 0.9), 0.0) == 0.4  # nothing to find
    at = {round(step, 3): (false, found) for step, false, found in threshold_table(predicted, true)}
    assert at[0.5] == (0.25, 1.0)
    assert at[0.3] == (0.0, 0.5)


def test_calibration_undoes_what_was_done_to_scores_and_probabilities() -> None:
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.1, 0.9, 400)
    heads = np.stack([0.5 + 0.5 * (scores - 0.5), rng.random(400), 0.3 + 0.5 * scores], axis=1)
    labels = definitions.class_of(scores)
    logits = np.eye(5)[labels] * 2 + rng.gumbel(size=(400, 5))
    probabilities = np.exp(3 * logits) / np.exp(3 * logits).sum(axis=1, keepdims=True)
    legibility = np.where(np.arange(400) < 300, scores**0.5, np.nan)
    legible = np.stack([rng.random(400), 0.4 + 0.6 * scores**0.5], axis=1)
    raw = Raw(heads, legible, probabilities, np.zeros((400, 10)), np.full(400, 0.5))
    found = calibrate(raw, scores, legibility, labels, 0.05)
    applied = found.apply(raw)
    assert applied.legibility == pytest.approx(scores**0.5, abs=1e-6)
    plain = calibrate(raw, scores, np.full(400, np.nan), labels, 0.05)
    assert plain.apply(raw).legibility == pytest.approx(legible[:, 1])  # the function, for want of a truth
    assert applied.score == pytest.approx(scores, abs=1e-6)
    assert found.weights[1] == pytest.approx(0, abs=1e-4)
    assert found.temperature > 1.5  # they were too sure
    assert retake_threshold(applied.score, scores, 0.05) == found.retake_below


def test_the_score_decides_the_class_as_far_as_that_makes_the_classes_likelier() -> None:
    rng = np.random.default_rng(0)
    labels, centres = rng.integers(5, size=400), np.array(definitions.CENTRES)
    score = np.clip(centres[labels] + 0.1 * rng.standard_normal(400), 0, 1)
    logits = np.eye(5)[labels] + rng.gumbel(size=(400, 5))
    head = softmax(logits, axis=1)

    def loss(exponents: np.ndarray) -> float:
        """Of the model written out: the head's log-probabilities and the distances, each with a factor."""
        found = log_softmax(exponents[0] * np.log(head) - exponents[1] * (score[:, None] - centres) ** 2, axis=1)
        return float(-found[np.arange(400), labels].mean())

    factors = minimize(loss, [1.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-12}).x
    sharpness, temperature = fit_classes(head, score, labels)
    assert [1 / temperature, sharpness / temperature] == pytest.approx(factors, rel=1e-3)
    found = Calibration((1.0, 0.0, 0.0), 0.0, (0.0, 1.0), 0.0, sharpness, temperature, 0.4, 0.05, readable=True)
    raw = Raw(np.stack([score] * 3, axis=1), np.zeros((400, 2)), head, np.zeros((400, 10)), np.zeros(400))
    applied = found.apply(raw).probabilities
    logits = factors[0] * np.log(head) - factors[1] * (score[:, None] - centres) ** 2
    assert applied == pytest.approx(softmax(logits, axis=1), abs=1e-3)
    assert (applied.argmax(axis=1) == labels).mean() > (head.argmax(axis=1) == labels).mean() + 0.1
    certain = by_distance(
        np.array([[0.0, 0, 0, 0, 1]]), np.array([1.0]), 1000.0
    )  # of the class furthest from the score
    assert certain.sum() == pytest.approx(1)
    assert fit_classes(head, np.full(400, 0.5), labels)[1] == pytest.approx(fit_temperature(head, labels), abs=1e-2)


@of_documents
def test_issues_and_worst_errors_are_those_of_the_test_side(root: Path) -> None:
    predictions = pd.read_parquet(root / "evaluate/predictions.parquet")
    test = predictions[predictions["split"] == "test"].copy()
    issues = pd.read_parquet(root / "evaluate/issues.parquet").set_index("issue")
    severities = pd.read_parquet(root / "label/severities.parquet")
    wide = severities.pivot_table(index="image_id", columns="issue", values="severity").loc[test["image_id"]]
    model = judgement()["model"]
    for issue in definitions.ISSUES:
        error = np.abs(wide[issue].to_numpy() - test[f"severity_{issue}"].to_numpy()).mean()
        assert issues.loc[issue, "severity_error"] == pytest.approx(error, abs=1e-6)
        assert issues.loc[issue, "samples"] == (wide[issue] >= 0.2).sum()
        assert issues.loc[issue, "recall"] == close(model[f"{issue}_recall"])
    test["error"] = (test["score"] - test["true_score"]).abs()
    cases = pd.read_parquet(root / "evaluate/explained.parquet")
    assert cases["image_id"].tolist() == test.nlargest(len(cases), "error")["image_id"].tolist()


@of_documents
def test_slices_are_the_mean_errors_of_their_images(root: Path) -> None:
    predictions = pd.read_parquet(root / "evaluate/predictions.parquet")
    test = predictions[predictions["split"] == "test"].set_index("image_id")
    severities = pd.read_parquet(root / "label/severities.parquet").query("image_id in @test.index")
    worst = severities.loc[severities.groupby("image_id")["severity"].idxmax()].set_index("image_id")
    parts = {
        "quality_class": test["true_label"].map(dict(enumerate(definitions.CLASSES))),
        "source": test.index.to_series().str.split("/").str[0],
        "worst_issue": worst["issue"].where(worst["severity"] >= 0.2, "none"),
    }
    error = (test["score"] - test["true_score"]).abs()
    expected = {
        (by, value, "mae"): (len(part), pytest.approx(part.mean()))
        for by, values in parts.items()
        for value, part in error.groupby(values)
    }
    table = pd.read_parquet(root / "evaluate/slices.parquet")
    assert {(row.by, row.value, row.metric): (row.rows, row.score) for row in table.itertuples()} == expected
    assert {"none", "blur"} <= set(table.loc[table["by"] == "worst_issue", "value"])


def test_images_of_which_severities_are_unknown_are_in_no_slice_by_issue() -> None:
    rows = pd.DataFrame({"image_id": [f"a/{number}" for number in range(4)], "true_label": 1, "flag_from": 0.2})
    rows = rows.assign(true_score=0.7, score=[0.7, 0.6, 0.5, 0.1])
    severities = np.zeros((4, len(definitions.ISSUES)))
    severities[1, definitions.ISSUES.index("glare")] = 0.5
    severities[2] = np.nan
    severities[3, 4] = np.nan
    found = results.slices(rows, severities).query("by == 'worst_issue'").set_index("value")
    assert found["rows"].to_dict() == {"glare": 1, "none": 1}
    assert found["score"].to_dict() == pytest.approx({"glare": 0.1, "none": 0.0})


@of_documents
def test_the_command_line_judges_as_the_stage_does(root: Path, tmp_path: Path) -> None:
    predictions = pd.read_parquet(root / "evaluate/predictions.parquet").query("split == 'test'")[:12]
    images = read_images(root / "label/images.arrow").select(predictions["image_id"])
    rows = ["filename,quality_score,quality_class,issues"]
    files = []
    for number, (content, row) in enumerate(zip(images, predictions.itertuples(), strict=True)):
        files.append(tmp_path / f"{number:02}.jpg")
        files[-1].write_bytes(content)
        rows.append(f"{files[-1].name},{row.true_score},,")
    (tmp_path / "metadata.csv").write_text("\n".join(rows))
    result = CliRunner().invoke(cli.app, ["assess", *map(str, files), "--json"], catch_exceptions=False)
    entries = [json.loads(line) for line in result.stdout.splitlines()]
    assert [entry["score"] for entry in entries] == pytest.approx(predictions["score"].tolist(), abs=1e-3)
    assert [entry["verdict"] for entry in entries] == predictions["verdict"].tolist()
    assert [entry["legibility"] for entry in entries] == pytest.approx(predictions["legibility"].tolist(), abs=1e-3)
    assert [entry["class"] for entry in entries] == [definitions.CLASSES[label] for label in predictions["label"]]
    assert all(entry["reasons"] for entry in entries)
    result = CliRunner().invoke(cli.app, ["evaluate", str(tmp_path), "--json"], catch_exceptions=False)
    found = json.loads(result.stdout)
    assert found["pages"] == {"in_source": 12, "rejected": 0, "seen_in_training": 0, "judged": 12}
    error = (predictions["score"] - predictions["true_score"]).abs().mean()
    assert found["metrics"]["mae"] == pytest.approx(error, abs=1e-3)
    acceptable = predictions["true_score"] >= 0.4
    rejected = predictions.loc[acceptable, "rejected"].mean()
    assert found["metrics"]["false_reject_error"] == pytest.approx(rejected)


@of_documents
def test_the_trees_are_given_every_measure(finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    real, given = baselines.trees, []

    def recorded(measures: np.ndarray, *others: Any) -> Any:
        given.append(measures)
        return real(measures, *others)

    monkeypatch.setattr(baselines, "trees", recorded)
    Programs.tiny("documents").run("evaluate")
    stored = pd.read_parquet("data/documents/label/measures.parquet").sort_values("image_id").drop(columns="image_id")
    assert list(stored.columns) == list(NAMES)
    assert given[0] == pytest.approx(stored.to_numpy())
