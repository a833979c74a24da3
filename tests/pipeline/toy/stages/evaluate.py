"""
The share of species that the network recognises, beside that of always naming the most common one.

    dvc repro evaluate@toy
"""

import torch

from winnow.domains.toy.model.network import Net, tensors
from winnow.domains.toy.model.results import statistics
from winnow.domains.toy.params import Common, Evaluate
from winnow.domains.toy.tables import Flowers, Labels, Predictions, Splits
from winnow.judge.gates import EvaluationResult
from winnow.judge.intervals import bootstrap, difference, wilson
from winnow.judge.report import make_report
from winnow.learn.trained import load_trained
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Evaluate]) -> None:
    torch.set_num_threads(stage.params.threads)
    flowers = stage.read("ingest/flowers.parquet", Flowers)
    for path, schema in (("label/labels", Labels), ("split/splits", Splits)):
        flowers = flowers.merge(stage.read(f"{path}.parquet", schema), on="flower")
    test = flowers[flowers["split"] == "test"]
    model = load_trained(Net, stage.domain)
    with torch.inference_mode():
        predicted = model(tensors(test)["measures"]).argmax(1).numpy()
    rows = test[["flower", "label"]].assign(predicted=predicted)
    stage.write("predictions.parquet", rows, Predictions)
    commonest = int(flowers.loc[flowers["split"] == "train", "label"].mode()[0])
    own, other = statistics(rows)["accuracy"], statistics(rows.assign(predicted=commonest))["accuracy"]
    options = stage.params.bootstrap.model_dump()
    paired = bootstrap({"commonest": difference(own, other)}, len(rows), rng=stage.rng(), **options)
    correct = int((rows["predicted"] == rows["label"]).sum())
    found = EvaluationResult(
        {"accuracy": correct / len(rows)},
        {"accuracy": wilson(correct, len(rows), stage.params.bootstrap.confidence)},
        baseline={"commonest": {"accuracy": float((rows["label"] == commonest).mean())}},
        difference={"accuracy": paired},
    )
    written = make_report(stage.params.gate, found)
    stage.metrics(**written.metrics)
    stage.judgement(written.judgement)


if __name__ == "__main__":
    run_stage(main)
