"""The entry of `toy` in `EXAMPLES`, see tests/stages/domain_examples.py."""

from pathlib import Path
from typing import Any

from tests.stages.domain_examples import Example, unmoved
from tests.stages.programs import params
from winnow.domains.toy.tables import Rows, Splits
from winnow.pipeline.tables import read_table, write_table

FEATURES: list[str] = params()["toy"]["ingest"]["columns"]["features"]


def commands() -> list[list[str]]:
    header, *rows = [*FEATURES[::-1], "group"], ["0.5"] * len(FEATURES) + ["x"], ["-1"] * len(FEATURES) + ["y"]
    Path("rows.csv").write_text("\n".join(",".join(cells) for cells in (header, *rows)))
    return [["predict", "rows.csv", "--json"]]


def poison() -> list[Any]:
    """Every second test row has other features."""
    path = Path("data/toy/ingest/rows.parquet")
    rows, splits = read_table(path, Rows), read_table(Path("data/toy/split/splits.parquet"), Splits)
    test = splits.loc[splits["split"] == "test", "row_id"]
    rows.loc[rows["row_id"].isin(test[::2]), f"x_{FEATURES[0]}"] += 3
    write_table(path, rows, Rows)
    return list(test[1::2])


EXAMPLE = Example(
    commands=commands,
    poison=poison,
    predictions=(("predictions.parquet", "row_id"),),
    values={
        "ingest.sources": [{"path": "data/source/toy/rows.csv"}],
        "ingest.columns.features": [*FEATURES[:-1], "another"],
        "filter.min_target": 0.0,
        "filter.max_target": 0.5,
        "train.scheduler.name": "constant",
        "train.phases": [{"subset": "all", "epochs": 1, "learning_rate": 0.01}],
        "train.early_stopping.metric": "loss",
        "evaluate.gate.conditions": [{"metric": "rmse", "target": 0.1, "review": 0.9}],
        "evaluate.gate.headline": "rmse",
    },
    matters_when=unmoved(learning_rate=3.0, epochs=8),
    changes_no_byte={
        "ingest.columns.group": "the embedded data have no file; tests/pipeline/test_new_domain.py",
        "ingest.columns.target": "the embedded data have no file; tests/pipeline/test_new_domain.py",
        "ingest.max_rejected_share": "the embedded data have no row that cannot be used",
        "train.subset": "there is one",
    },
)
