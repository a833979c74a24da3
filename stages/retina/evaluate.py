"""
Evaluate the grader on the test side, compare it with baselines, check for overfitting, and explain some cases.

    dvc repro evaluate@retina
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.retina import definitions
from winnow.domains.retina.model import baselines, judging
from winnow.domains.retina.model.grading import grade_collection
from winnow.domains.retina.model.heatmaps import heat_maps
from winnow.domains.retina.model.network import Grader
from winnow.domains.retina.params import Common, Evaluate
from winnow.domains.retina.tables import (
    BaselinePredictions,
    Explained,
    Labels,
    PerClass,
    Photos,
    Predictions,
    Reliability,
    Rocs,
    Splits,
)
from winnow.images.codec import encode_png
from winnow.images.store import Images, read_images
from winnow.judge.gates import Findings
from winnow.judge.intervals import Interval, bootstrap, difference
from winnow.judge.report import Report, make_report
from winnow.learn.devices import device_for
from winnow.learn.trained import load_trained
from winnow.pipeline.stage import Stage, run_stage
from winnow.vision import backbones
from winnow.vision.features import kept_features


def join(stage: Stage[Common, Evaluate]) -> pd.DataFrame:
    """Every labelled photograph with its label, side and measures, by image_id."""
    labels = stage.read("label/labels.parquet", Labels)[["image_id", "grade", "patient"]]
    splits = stage.read("split/splits.parquet", Splits)[["image_id", "split"]]
    photos = stage.read("ingest/photos.parquet", Photos)[["image_id", *baselines.METADATA]]
    rows = labels.merge(splits, on="image_id", validate="one_to_one").merge(photos, on="image_id")
    return rows.sort_values("image_id", ignore_index=True)


def baseline_probabilities(
    rows: pd.DataFrame, images: Images, model: Grader, params: Evaluate, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Of the models that a network must beat: their probabilities (test rows, grades)."""
    grades, side, decision = rows["grade"].to_numpy(np.int64), rows["split"].to_numpy(str), model.decision
    probabilities = {
        "majority": baselines.majority(grades[side == "train"], len(rows)),
        "metadata": baselines.metadata_model(rows, grades, side, decision, int(rng.integers(2**31))),
    }
    if params.feature_baseline != "none":
        network = backbones.pretrained(params.feature_baseline, "imagenet")
        network.blocks.to(model.device)
        pooled = kept_features("pooled", network.blocks, lambda batch: network.features(batch).mean(dim=(2, 3)), images)
        features = pooled.double().numpy()
        probabilities["frozen_features"] = baselines.feature_model(features, grades, side, decision)
    return {name: values[side == "test"] for name, values in probabilities.items()}


def choose_cases(test: pd.DataFrame, count: int) -> pd.DataFrame:
    """Up to `count` right and `count` wrong cases, taken in turn over the grades, the surest first."""
    sure = test.assign(
        right=test["grade"] == test["predicted"],
        probability=test[definitions.probability_columns()].to_numpy()[np.arange(len(test)), test["predicted"]],
    ).sort_values(["probability", "image_id"], ascending=[False, True])
    turn = sure.groupby(["right", "grade"]).cumcount()
    chosen = sure.assign(turn=turn).sort_values(["turn", "grade"], kind="stable").groupby("right").head(count)
    return chosen.sort_values(["right", "grade", "turn"], ascending=[False, True, True])


def explain(model: Grader, cases: pd.DataFrame, images: Images) -> pd.DataFrame:
    """The columns of `Explained`."""
    chosen = images.select(cases["image_id"])
    heat = heat_maps(model, chosen, cases["predicted"].to_numpy(np.int64))
    return cases[["image_id", "grade", "predicted", "probability"]].assign(
        png=pd.Series(list(chosen), index=cases.index, dtype=object),
        heat=pd.Series([encode_png(each) for each in heat], index=cases.index, dtype=object),
    )


def report(
    test: pd.DataFrame,
    decision: definitions.Decision,
    baseline: dict[str, NDArray[np.float64]],
    params: Evaluate,
    rng: np.random.Generator,
) -> tuple[Report, dict[str, Interval]]:
    """The model's metrics with intervals over patients, beside the baselines' on the same photographs."""
    true, options = test["grade"].to_numpy(np.int64), params.bootstrap.model_dump()
    own = judging.statistics(
        true, test["predicted"].to_numpy(np.int64), test[definitions.probability_columns()].to_numpy()
    )
    others = {
        name: judging.statistics(true, definitions.decide(values, decision), values)
        for name, values in baseline.items()
    }
    interval = bootstrap(own, len(test), rng=rng, groups=test["patient"], **options)
    headline = params.gate.headline
    apart = {name: difference(own[headline], each[headline]) for name, each in others.items() if headline in own}
    found = Findings(
        judging.metrics(own, len(test)),
        interval,
        baseline={name: judging.metrics(each, len(test)) for name, each in others.items()},
        difference={headline: bootstrap(apart, len(test), rng=rng, groups=test["patient"], **options)},
    )
    return make_report(params.gate, found), interval


def main(stage: Stage[Common, Evaluate]) -> None:
    params, rng = stage.params, stage.rng()
    rows = join(stage)
    images = read_images(stage.input("ingest/images.arrow")).select(rows["image_id"])
    model = load_trained(Grader, stage.domain, device_for(stage.runtime, params.threads))
    tested = (rows["split"] == "test").to_numpy(bool)
    values = grade_collection(model, images, tested, batch_size=params.batch_size)
    table = pd.DataFrame(values, columns=definitions.probability_columns(), index=rows.index)
    rows = pd.concat([rows, table], axis=1).assign(predicted=definitions.decide(values, model.decision))
    test = rows[rows["split"] == "test"].reset_index(drop=True)
    baseline = baseline_probabilities(rows, images, model, params, rng)
    written, interval = report(test, model.decision, baseline, params, rng)
    classes = judging.per_class(rows, interval)

    true, predicted = test["grade"].to_numpy(np.int64), test["predicted"].to_numpy(np.int64)
    probabilities = test[definitions.probability_columns()].to_numpy()
    stage.write("predictions.parquet", rows[list(Predictions.to_schema().columns)], Predictions)
    stage.write("baseline_predictions.parquet", baselines.table(test["image_id"], baseline), BaselinePredictions)
    stage.write("per_class.parquet", classes, PerClass)
    stage.write("rocs.parquet", judging.rocs(true, probabilities), Rocs)
    stage.write("reliability.parquet", judging.reliability_table(true, predicted, probabilities), Reliability)
    stage.write("explained.parquet", explain(model, choose_cases(test, params.explained), images), Explained)
    stage.metrics(**written.metrics)
    stage.judgement(
        {
            "rows_test": len(test),
            "overfitting": judging.overfitting(classes, params.overfit_gap),
            "confusion": pd.crosstab(test["grade"], test["predicted"]).to_dict("index"),
            **written.judgement,
        }
    )


if __name__ == "__main__":
    run_stage(main)
