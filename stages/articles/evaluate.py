"""
Evaluate the scorer in the test split, compare it with baselines, and write the page on which deployment is decided.

    dvc repro evaluate@articles
"""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winnow.curate.split_names import SPLITS
from winnow.domains.articles.definitions import (
    VERDICTS,
    Scoring,
    article_text,
    overall_scores,
    read_definition,
    scoring_of,
    wide_scores,
)
from winnow.domains.articles.evaluation import baselines, deployment, results
from winnow.domains.articles.model.ridge import fit_ridge
from winnow.domains.articles.model.scoring import load_scorer, ridge_scores
from winnow.domains.articles.params import Common, Evaluate
from winnow.domains.articles.tables import (
    Articles,
    BaselinePredictions,
    Labels,
    OracleUse,
    PerDimension,
    Predictions,
    Scores,
    Splits,
    Worst,
)
from winnow.judge.gates import EvaluationResult
from winnow.judge.intervals import Interval, bootstrap, difference
from winnow.judge.report import Report, make_report
from winnow.judge.slices import Slices, slice_metrics
from winnow.learn.devices import device_for
from winnow.learn.trained import model_folder
from winnow.pipeline import ledger
from winnow.pipeline.files import write_text
from winnow.pipeline.stage import Stage, run_stage

PAGE = Path("metrics", "articles", "model_evaluation.md")
LENGTHS = {"under 100 words": 0, "100 to 299 words": 100, "300 to 999 words": 300, "1000 words or more": 1000}
"""Length groups, and the words at which they begin."""


def join(stage: Stage[Common, Evaluate], names: list[str]) -> pd.DataFrame:
    """Every labelled article with its text, scores, tier, words, group and side, by article_id."""
    labels = stage.read("label/labels.parquet", Labels)[["article_id", "tier", "words"]]
    splits = stage.read("split/splits.parquet", Splits)[["article_id", "group", "split"]]
    articles = stage.read("ingest/articles.parquet", Articles)[["article_id", "title", "content"]]
    scores = wide_scores(stage.read("label/scores.parquet", Scores), names).reset_index()
    rows = labels.merge(splits, on="article_id", validate="one_to_one").merge(articles, on="article_id")
    rows = rows.merge(scores, on="article_id", validate="one_to_one").sort_values("article_id", ignore_index=True)
    texts = map(article_text, rows["title"], rows["content"])
    return rows.assign(text=pd.Series(texts, index=rows.index, dtype="str"))


def choose_rows(rows: pd.DataFrame, train_rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """All validation and test articles, and `train_rows` of the training articles."""
    train = np.flatnonzero(rows["split"] == "train")
    seen = np.sort(rng.permutation(train)[:train_rows])
    return rows.iloc[np.sort(np.concatenate([np.flatnonzero(rows["split"] != "train"), seen]))].reset_index(drop=True)


def predictions_table(rows: pd.DataFrame, predicted: np.ndarray, scoring: Scoring) -> pd.DataFrame:
    """The columns of `Predictions`."""
    parts = []
    for index, name in enumerate(scoring.dimensions):
        part = rows[["article_id", "split", "group", "tier", "words"]].assign(
            dimension=name,
            true=rows[name].astype(float),
            predicted=predicted[:, index],
        )
        parts.append(part)
    return pd.concat(parts, ignore_index=True)[list(Predictions.to_schema().columns)]


def report(
    true: np.ndarray,
    predicted: np.ndarray,
    baseline: dict[str, np.ndarray],
    train_errors: np.ndarray,
    groups: "pd.Series[str]",
    scoring: Scoring,
    params: Evaluate,
    rng: np.random.Generator,
) -> tuple[Report, dict[str, Interval]]:
    """The model's metrics with intervals over groups, with the baselines' on the same articles; and all intervals."""
    options: dict[str, Any] = params.bootstrap.model_dump()
    own = results.statistics(true, predicted, scoring)
    skill = results.skill_statistics(true, predicted, baseline["mean"], scoring.dimensions)
    others = {
        name: results.statistics(true, each, scoring)
        | {
            key: value
            for key, value in results.skill_statistics(true, each, baseline["mean"], scoring.dimensions).items()
            if "/" not in key
        }
        for name, each in baseline.items()
    }
    errors = np.abs(predicted - true).mean(axis=1)
    apart = results.overfit_statistic(train_errors, errors)
    both = len(train_errors) + len(errors)
    interval = bootstrap({**own, **skill}, len(true), rng=rng, groups=groups, **options)
    interval |= bootstrap({"overfit_error": apart}, both, rng=rng, **options)
    headline = params.gate.headline
    measured = {**own, **{name: each for name, each in skill.items() if "/" not in name}}
    paired = {name: difference(measured[headline], each[headline]) for name, each in others.items() if headline in each}
    found = EvaluationResult(
        results.values(measured, len(true)) | results.values({"overfit_error": apart}, both),
        {name: each for name, each in interval.items() if "/" not in name},
        baseline={name: results.values(each, len(true)) for name, each in others.items()},
        difference={headline: bootstrap(paired, len(true), rng=rng, groups=groups, **options)},
    )
    return make_report(params.gate, found, VERDICTS), interval


def main(stage: Stage[Common, Evaluate]) -> None:
    params, rng = stage.params, stage.rng()
    scoring = scoring_of(read_definition(stage.input("ingest/definition.json")).config)
    names = list(scoring.dimensions)
    rows = join(stage, names)
    model = load_scorer(device_for(stage.runtime, params.threads))
    folder = model_folder(stage.domain)
    chosen = choose_rows(rows, params.train_rows, rng)
    began = time.perf_counter()
    predicted = model.score(chosen["text"].tolist(), batch_size=params.batch_size)
    ledger.note(articles_per_second=round(len(chosen) / (time.perf_counter() - began), 1))

    labels = {split: rows.loc[rows["split"] == split, names].to_numpy(np.float64) for split in SPLITS}
    texts = {split: rows.loc[rows["split"] == split, "text"].tolist() for split in SPLITS}
    known, held = ((texts[split], labels[split]) for split in ("train", "val"))
    ridge = fit_ridge(known, held, alphas=params.ridge_alphas, features=params.ridge_features)
    simple = {
        "mean": baselines.mean_predictor(labels["train"], len(labels["test"])),
        "tfidf_ridge": ridge_scores(ridge, model.network, texts["test"]),
    }
    is_test, is_train = ((chosen["split"] == split).to_numpy(bool) for split in ("test", "train"))
    test, own, true = chosen[is_test], predicted[is_test], chosen.loc[is_test, names].to_numpy(np.float64)
    train_errors = np.abs(predicted[is_train] - chosen.loc[is_train, names].to_numpy(np.float64)).mean(axis=1)
    written, interval = report(true, own, simple, train_errors, test["group"], scoring, params, rng)

    dimensions = results.per_dimension(true, own, simple["mean"], interval, scoring.dimensions)
    errors = np.abs(own - true).mean(axis=1)
    sliced = test.assign(
        error=errors,
        length=pd.cut(test["words"], [*LENGTHS.values(), np.inf], right=False, labels=list(LENGTHS)),
    )
    slices = slice_metrics(sliced, ["tier", "length"], {"mae": lambda part: float(part["error"].mean())})
    worst = test[["article_id", "title"]].assign(
        error=errors, true_overall=overall_scores(true, scoring), predicted_overall=overall_scores(own, scoring)
    )
    worst = worst.sort_values(["error", "article_id"], ascending=[False, True]).head(params.worst)
    history = json.loads((folder / "training_history.json").read_text(encoding="utf-8"))["epochs"]
    about = json.loads((folder / "training_metadata.json").read_text(encoding="utf-8"))
    progression = results.progression(history, about["best_validation"] - 1)
    oracle = stage.read("label/oracle.parquet", OracleUse).to_dict("records")[0]
    stage.write("predictions.parquet", predictions_table(chosen, predicted, scoring), Predictions)
    stage.write(
        "baseline_predictions.parquet", baselines.table(test["article_id"].tolist(), names, simple), BaselinePredictions
    )
    stage.write("per_dimension.parquet", dimensions, PerDimension)
    stage.write("slices.parquet", slices, Slices)
    stage.write("worst.parquet", worst, Worst)
    stage.metrics(**written.metrics)
    judgement = {
        "rows_test": len(test),
        "baseline_settings": {"tfidf_ridge": {"alpha": ridge.alpha}},
        "progression": progression,
        **({"ridge": about["ridge"]} if "ridge" in about else {}),
        **written.judgement,
    }
    stage.judgement(judgement)
    page = deployment.render(judgement, dimensions, slices, worst, progression, oracle)
    write_text(stage.output("model_evaluation.md"), page)
    write_text(PAGE, page)


if __name__ == "__main__":
    run_stage(main)
