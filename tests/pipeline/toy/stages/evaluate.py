"""How many species the network tells, beside always saying the commonest."""

import torch

from winnow.domains.toy.model.network import Net, tensors
from winnow.domains.toy.params import Common, Evaluate
from winnow.domains.toy.tables import Flowers, Labels, Predictions, Splits
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
    accuracy = float((predicted == test["label"]).mean())
    commonest = float(test["label"].value_counts(normalize=True).max())
    stage.metrics(
        verdict="PASS" if accuracy > commonest else "FAIL",
        reasons=[f"accuracy {accuracy:.3f}, the commonest species {commonest:.3f}"],
        model={"accuracy": accuracy},
        baseline={"commonest": {"accuracy": commonest}},
    )


if __name__ == "__main__":
    run_stage(main)
