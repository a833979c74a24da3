"""How many species the network tells, beside always saying the commonest."""

import torch

from winnow.domains.toy.model.network import Net, tensors
from winnow.domains.toy.params import Common, Evaluate
from winnow.domains.toy.tables import Flowers, Labels, Predictions, Splits
from winnow.judge.gates import Findings
from winnow.judge.intervals import wilson
from winnow.judge.report import make_report
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Evaluate]) -> None:
    splits = stage.read("split/splits.parquet", Splits)
    flowers = stage.read("ingest/flowers.parquet", Flowers).merge(
        stage.read("label/labels.parquet", Labels), on="flower"
    )
    test = flowers[flowers["flower"].isin(splits.loc[splits["split"] == "test", "flower"])]
    model = Net.from_pretrained(stage.input("train/model")).eval()
    with torch.inference_mode():
        predicted = model(tensors(test)["measures"]).argmax(1).numpy()
    stage.write("predictions.parquet", test[["flower", "label"]].assign(predicted=predicted), Predictions)
    correct = int((predicted == test["label"]).sum())
    commonest = float(test["label"].value_counts(normalize=True).max())
    found = Findings(
        {"accuracy": correct / len(test)},
        {"accuracy": wilson(correct, len(test), 0.95)},
        baseline={"commonest": {"accuracy": commonest}},
    )
    written = make_report(stage.params.gate, found)
    stage.metrics(**written.metrics)
    stage.judgement(written.judgement)


if __name__ == "__main__":
    run_stage(main)
