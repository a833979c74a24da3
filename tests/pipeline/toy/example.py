"""The toy's entry in `EXAMPLES`, see tests/stages/domain_examples.py."""

from pathlib import Path
from typing import Any

from tests.stages.domain_examples import Example, unmoved
from winnow.domains.toy.tables import Flowers, Splits
from winnow.pipeline.tables import read_table, write_table


def poison() -> list[Any]:
    """Every second test flower grows."""
    path = Path("data/toy/ingest/flowers.parquet")
    flowers, splits = read_table(path, Flowers), read_table(Path("data/toy/split/splits.parquet"), Splits)
    test = splits.loc[splits["split"] == "test", "flower"]
    flowers.loc[flowers["flower"].isin(test[::2]), "length"] *= 3
    write_table(path, flowers, Flowers)
    return list(test[1::2])


EXAMPLE = Example(
    commands=list,
    poison=poison,
    predictions=(("predictions.parquet", "flower"),),
    values={
        "ingest.sources": [{"path": "data/source/toy/flowers.csv"}],
        "train.scheduler.name": "constant",
        "train.phases": [{"subset": "all", "epochs": 1, "learning_rate": 0.01}],
    },
    changes_no_byte={
        "evaluate.gate.conditions": "there is one metric",
        "train.subset": "there is one",
        "train.early_stopping.metric": "there is one",
        "evaluate.gate.headline": "there is one metric",
    },
    matters_when=unmoved(learning_rate=3.0),
)
