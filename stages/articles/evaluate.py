"""
Evaluate the scorer in the test split, compare it with baselines, and write the page on which deployment is decided.

    dvc repro evaluate@articles
"""

import time
from pathlib import Path

import numpy as np
import pandas as pd

from winnow.curate.split_names import SPLITS
from winnow.domains.articles.definitions import (
    VERDICTS,
    article_text,
    overall_scores,
    read_config,
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
    Ceiling,
    Labels,
    OracleUse,
    PerDimension,
    Predictions,
    Repeats,
    Scores,
    Splits,
    Worst,
)
from winnow.judge.files import evaluation_files
from winnow.judge.slices import Slices, slice_metrics
from winnow.learn.devices import device_for
from winnow.learn.folder import model_files, model_folder
from winnow.pipeline import ledger
from winnow.pipeline.files import read_json, write_text
from winnow.pipeline.stage import Stage, run_stage

PAGE = Path("metrics", "articles", "model_evaluation.md")
LENGTHS = {"under 100 words": 0, "100 to 299 words": 100, "300 to 999 words": 300, "1000 words or more": 1000}
"""Length groups, and the words at which they begin."""
NO_NETWORK = (
    "validation gave the network no share: the scores are those of ridge regression on words alone "
    "(ridge_shares); more texts, more epochs, a longer max_length or another model_name may change that"
)


def join(stage: Stage[Common, Evaluate], names: list[str]) -> pd.DataFrame:
    """Every labelled article with its text, scores, tier, words, group and split, by article_id."""
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


def main(stage: Stage[Common, Evaluate]) -> None:
    params, rng = stage.params, stage.rng()
    scoring = scoring_of(read_config(stage.input("ingest/config.json")))
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
    mean = simple["mean"][0]
    predictions = results.predictions_table(chosen, predicted, mean, scoring)
    is_test = (chosen["split"] == "test").to_numpy(bool)
    test, own, true = chosen[is_test], predicted[is_test], chosen.loc[is_test, names].to_numpy(np.float64)
    others = {name: results.predictions_table(test, each, mean, scoring) for name, each in simple.items()}
    found = results.result(predictions, others, params, rng)
    skills = {name: each for name, each in found.interval.items() if "/" in name}
    gate = results.gate_in_points(params.gate, scoring.high - scoring.low)
    files = evaluation_files(gate, found.named(lambda name: "/" not in name), VERDICTS, embedded=stage.embedded)

    dimensions = results.per_dimension(predictions[predictions["split"] == "test"], skills)
    errors = np.abs(own - true).mean(axis=1)
    sliced = test.assign(
        error=errors, length=pd.cut(test["words"], [*LENGTHS.values(), np.inf], right=False, labels=list(LENGTHS))
    )
    slices = slice_metrics(sliced, ["tier", "length"], {"mae": lambda part: float(part["error"].mean())})
    worst = test[["article_id", "title"]].assign(
        error=errors, true_overall=overall_scores(true, scoring), predicted_overall=overall_scores(own, scoring)
    )
    worst = worst.sort_values(["error", "article_id"], ascending=[False, True]).head(params.worst)
    with model_files(folder, "articles"):
        history, about = (read_json(folder / name) for name in ("training_history.json", "training_metadata.json"))
        progression = results.progression(history["epochs"], about["best_validation"] - 1, scoring.high - scoring.low)
    oracle = stage.read("label/oracle.parquet", OracleUse).to_dict("records")[0]
    stage.write("predictions.parquet", predictions, Predictions)
    stage.write(
        "baseline_predictions.parquet", baselines.table(test["article_id"].tolist(), names, simple), BaselinePredictions
    )
    stage.write("per_dimension.parquet", dimensions, PerDimension)
    labels_of = stage.read("label/labels.parquet", Labels)
    by_oracle = set(labels_of.loc[labels_of["origin"] == "oracle", "article_id"])
    repeats, people = stage.read("label/repeats.parquet", Repeats), stage.read("ingest/scores.parquet", Scores)
    ceiling = results.ceiling(predictions[predictions["split"] == "test"], repeats, people, by_oracle)
    stage.write("ceiling.parquet", ceiling, Ceiling)
    stage.write("slices.parquet", slices, Slices)
    stage.write("worst.parquet", worst, Worst)
    stage.metrics(**files.metrics)
    judgement = {
        "rows_test": len(test),
        "baseline_settings": {"tfidf_ridge": {"alpha": ridge.alpha}},
        "progression": progression,
        **({"ridge": about["ridge"]} if "ridge" in about else {}),
        **files.judgement,
        "reasons": [*files.judgement["reasons"], *([NO_NETWORK] if about.get("ridge", {}).get("share") == 1 else [])],
    }
    stage.judgement(judgement)
    page = deployment.render(judgement, dimensions, ceiling, slices, worst, progression, oracle)
    write_text(stage.output("model_evaluation.md"), page)
    write_text(PAGE, page)


if __name__ == "__main__":
    run_stage(main)
