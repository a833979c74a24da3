"""Judge the grader on the test side beside simple baselines, look for overfitting, and show what it looks at."""

from typing import Any

import numpy as np
import pandas as pd
import torch

from winnow.domains.retina import definitions
from winnow.domains.retina.model import backbones, baselines, judging
from winnow.domains.retina.model.features import pooled_features
from winnow.domains.retina.model.grading import grade_collection
from winnow.domains.retina.model.heatmaps import heat_maps
from winnow.domains.retina.model.network import Grader
from winnow.domains.retina.model.photographs import encode
from winnow.domains.retina.params import Common, Evaluate
from winnow.domains.retina.tables import (
    Explained,
    Labels,
    PerClass,
    Photos,
    Pixels,
    Predictions,
    Reliability,
    Rocs,
    Splits,
)
from winnow.judge.intervals import bootstrap
from winnow.judge.report import verdict_report
from winnow.pipeline.stage import Stage, run_stage


def join(stage: Stage[Common, Evaluate]) -> pd.DataFrame:
    """Every labelled photograph with its label, side, measures and png, by image_id."""
    labels = stage.read("label/labels.parquet", Labels)[["image_id", "grade", "patient"]]
    splits = stage.read("split/splits.parquet", Splits)[["image_id", "split"]]
    photos = stage.read("ingest/photos.parquet", Photos)[["image_id", *baselines.METADATA]]
    rows = labels.merge(splits, on="image_id", validate="one_to_one").merge(photos, on="image_id")
    rows = rows.merge(stage.read("ingest/pixels.parquet", Pixels), on="image_id", validate="one_to_one")
    return rows.sort_values("image_id", ignore_index=True)


def measure_baselines(
    rows: pd.DataFrame, decision: definitions.Decision, params: Evaluate, rng: np.random.Generator
) -> dict[str, dict[str, float]]:
    """Metrics on the test side of the models that a network must beat."""
    grades, side = rows["grade"].to_numpy(np.int64), rows["split"].to_numpy(str)
    told = {
        "majority": baselines.majority(grades[side == "train"], len(rows)),
        "metadata": baselines.metadata_model(rows, grades, side, decision, int(rng.integers(2**31))),
    }
    if params.feature_baseline != "none":
        size = 32  # pooled features do not depend on the size that a Grader notes
        network = Grader(
            params.feature_baseline, "softmax", image_size=size, frozen_blocks=0, dropout=0, decision=decision
        )
        network.start_from(backbones.pretrained(params.feature_baseline, "imagenet"))
        features = pooled_features(network, rows["png"].tolist()).double().numpy()
        told["frozen_features"] = baselines.feature_model(features, grades, side, decision)
    test = side == "test"
    return {name: judging.judge(grades[test], values[test], decision) for name, values in told.items()}


def choose_cases(test: pd.DataFrame, count: int) -> pd.DataFrame:
    """Up to `count` right and `count` wrong cases, taken in turn over the grades, the surest first."""
    sure = test.assign(
        right=test["grade"] == test["predicted"],
        probability=test[definitions.probability_columns()].to_numpy()[np.arange(len(test)), test["predicted"]],
    ).sort_values(["probability", "image_id"], ascending=[False, True])
    turn = sure.groupby(["right", "grade"]).cumcount()
    chosen = sure.assign(turn=turn).sort_values(["turn", "grade"], kind="stable").groupby("right").head(count)
    return chosen.sort_values(["right", "grade", "turn"], ascending=[False, True, True])


def explain(model: Grader, cases: pd.DataFrame) -> pd.DataFrame:
    """The columns of `Explained`."""
    heat = heat_maps(model, cases["png"].tolist(), cases["predicted"].to_numpy(np.int64))
    columns = ["image_id", "grade", "predicted", "probability", "png"]
    return cases[columns].assign(heat=pd.Series([encode(each) for each in heat], index=cases.index, dtype=object))


def report(
    test: pd.DataFrame, baseline: dict[str, dict[str, float]], params: Evaluate, rng: np.random.Generator
) -> Any:
    """Metrics, intervals over patients, baselines and the verdict."""
    true, predicted = test["grade"].to_numpy(np.int64), test["predicted"].to_numpy(np.int64)
    statistics = judging.statistics(true, predicted, test[definitions.probability_columns()].to_numpy())
    interval = bootstrap(statistics, len(test), rng=rng, groups=test["patient"], **params.bootstrap.model_dump())
    return interval, verdict_report(params.gate, judging.metrics(statistics, len(test)), interval, baseline)


def main(stage: Stage[Common, Evaluate]) -> None:
    params, rng = stage.params, stage.rng()
    torch.set_num_threads(params.threads)
    rows = join(stage)
    model = Grader.from_pretrained(stage.input("train/model"))
    tested = (rows["split"] == "test").to_numpy(bool)
    values = grade_collection(model, rows["png"].tolist(), tested, views=params.views, batch_size=params.batch_size)
    told = pd.DataFrame(values, columns=definitions.probability_columns(), index=rows.index)
    rows = pd.concat([rows, told], axis=1).assign(predicted=definitions.decide(values, model.decision))
    test = rows[rows["split"] == "test"].reset_index(drop=True)
    baseline = measure_baselines(rows, model.decision, params, rng)
    interval, figures = report(test, baseline, params, rng)
    classes = judging.per_class(rows, interval)

    true, predicted = test["grade"].to_numpy(np.int64), test["predicted"].to_numpy(np.int64)
    probabilities = test[definitions.probability_columns()].to_numpy()
    stage.write("predictions.parquet", rows[list(Predictions.to_schema().columns)], Predictions)
    stage.write("per_class.parquet", classes, PerClass)
    stage.write("rocs.parquet", judging.rocs(true, probabilities), Rocs)
    stage.write("reliability.parquet", judging.reliability_table(true, predicted, probabilities), Reliability)
    stage.write("explained.parquet", explain(model, choose_cases(test, params.explained)), Explained)
    stage.metrics(
        rows_test=len(test),
        overfitting=judging.overfitting(classes, params.overfit_gap),
        confusion=pd.crosstab(test["grade"], test["predicted"]).to_dict("index"),
        **figures,
    )


if __name__ == "__main__":
    run_stage(main)
