"""`winnow toy …`: predict for rows of a file."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from winnow.learn.folder import ModelOption, use_model

app = typer.Typer(no_args_is_help=True, help="Predict a number for the rows of a CSV file.")


@app.callback()
def verbs() -> None:
    """With one command alone, typer would leave its name out."""


@app.command()
def predict(
    file: Annotated[Path, typer.Argument(help="a CSV file with the columns that the model was trained on")],
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="print them as JSON")] = False,
) -> None:
    """Predict the target of every row, in the file's order; of a row that lacks a number, nothing.

    Example: winnow toy predict rows.csv --json
    """
    trained = use_model("toy", model)
    from winnow.domains.toy.definitions import FEATURE
    from winnow.domains.toy.inference import Predictor
    from winnow.domains.toy.source.csv import columns_of, numbers_of
    from winnow.learn.devices import configured_device

    predictor = Predictor(trained.folder, configured_device())
    features = predictor.model.features
    rows = numbers_of(columns_of(file, features, fix=f"the model needs {', '.join(features)}")[features])
    if unusable := list(rows.index[rows.isna().any(axis=1)]):
        print(f"⚠ no prediction of row {', '.join(map(str, unusable))}: a feature is no number", file=sys.stderr)
    predicted = predictor.predict(rows.rename(columns=lambda name: f"{FEATURE}{name}"))
    answers = [
        trained.stamp({"row": number, "predicted": None if number in unusable else float(f"{value:.6g}")})
        for number, value in enumerate(predicted)
    ]
    if as_json:
        print(json.dumps(answers, indent=2))
    else:
        print("\n".join("" if each["predicted"] is None else str(each["predicted"]) for each in answers))
