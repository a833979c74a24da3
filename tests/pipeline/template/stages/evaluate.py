"""
The model's error on groups it has never seen, beside a ridge regression and the mean.

    dvc repro evaluate@toy
"""

import torch
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from winnow.domains.toy.definitions import FEATURE
from winnow.domains.toy.inference import Predictor
from winnow.domains.toy.metrics import statistics
from winnow.domains.toy.params import Common, Evaluate
from winnow.domains.toy.tables import Labels, Predictions, Rows, Splits
from winnow.judge.files import evaluation_files
from winnow.judge.result import compare
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Evaluate]) -> None:
    torch.set_num_threads(stage.params.threads)
    rows = stage.read("ingest/rows.parquet", Rows).drop(columns="target")
    rows = rows.merge(stage.read("label/labels.parquet", Labels), on="row_id")
    rows = rows.merge(stage.read("split/splits.parquet", Splits), on="row_id")
    train, test = (rows[rows["split"] == split] for split in ("train", "test"))
    predicted = Predictor(stage.input("train/model"), stage.runtime.device).predict(test)
    predictions = test[["row_id", "group", "target"]].assign(predicted=predicted.astype("float64"))
    stage.write("predictions.parquet", predictions, Predictions)

    features = [name for name in rows.columns if name.startswith(FEATURE)]
    ridge = make_pipeline(StandardScaler(), Ridge(stage.params.ridge_alpha)).fit(train[features], train["target"])
    rivals = {"mean": train["target"].mean(), "ridge": ridge.predict(test[features])}
    found = compare(
        statistics(predictions),
        {name: statistics(predictions.assign(predicted=values)) for name, values in rivals.items()},
        len(predictions),
        stage.params,
        stage.rng(),
        groups=predictions["group"],
    )
    files = evaluation_files(stage.params.gate, found, embedded=stage.embedded)
    stage.metrics(**files.metrics)
    stage.judgement(files.judgement)


if __name__ == "__main__":
    run_stage(main)
