"""
The share of species that the network recognises, beside that of always naming the most common one.

    dvc repro evaluate@toy
"""

import torch

from winnow.domains.toy.metrics import statistics
from winnow.domains.toy.model.network import Net, tensors
from winnow.domains.toy.params import Common, Evaluate
from winnow.domains.toy.tables import Flowers, Labels, Predictions, Splits
from winnow.judge.files import evaluation_files
from winnow.judge.intervals import wilson
from winnow.judge.result import compare
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
    rivals = {"commonest": statistics(rows.assign(predicted=commonest))}
    found = compare(statistics(rows), rivals, len(rows), stage.params, stage.rng())
    correct = int((rows["predicted"] == rows["label"]).sum())
    exact = {"accuracy": wilson(correct, len(rows), stage.params.bootstrap.confidence)}
    files = evaluation_files(stage.params.gate, found.adding({}, exact))
    stage.metrics(**files.metrics)
    stage.judgement(files.judgement)


if __name__ == "__main__":
    run_stage(main)
