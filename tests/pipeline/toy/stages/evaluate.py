"""
The share of species that the network recognises, beside that of always naming the most common one.

    dvc repro evaluate@toy
"""

import torch

from winnow.domains.toy.model.network import Net, tensors
from winnow.domains.toy.params import Common, Evaluate
from winnow.domains.toy.tables import Flowers, Labels, Predictions, Splits
from winnow.judge.gates import Findings
from winnow.judge.intervals import wilson
from winnow.judge.report import make_report
from winnow.learn.trained import load_trained
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Evaluate]) -> None:
    torch.set_num_threads(stage.params.threads)
    splits = stage.read("split/splits.parquet", Splits)
    flowers = stage.read("ingest/flowers.parquet", Flowers).merge(
        stage.read("label/labels.parquet", Labels), on="flower"
    )
    test = flowers[flowers["flower"].isin(splits.loc[splits["split"] == "test", "flower"])]
    model = load_trained(Net, stage.domain)
    with torch.inference_mode():
        predicted = model(tensors(test)["measures"]).argmax(1).numpy()
    stage.write("predictions.parquet", test[["flower", "label"]].assign(predicted=predicted), Predictions)
    correct = int((predicted == test["label"]).sum())
    commonest = float(test["label"].value_counts(normalize=True).max())
    found = Findings(
        {"accuracy": correct / len(test)},
        {"accuracy": wilson(correct, len(test), stage.params.bootstrap.confidence)},
        baseline={"commonest": {"accuracy": commonest}},
    )
    written = make_report(stage.params.gate, found)
    stage.metrics(**written.metrics)
    stage.judgement(written.judgement)


if __name__ == "__main__":
    run_stage(main)
