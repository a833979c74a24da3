"""`winnow toy …`: predict for rows of a file."""

import json
from pathlib import Path
from typing import Annotated

import typer

from winnow.learn.folder import ModelOption, use_model
from winnow.pipeline.errors import SourceError

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
    """Predict the target of every row, in the file's order."""
    trained = use_model("toy", model)
    import pandas as pd

    from winnow.domains.toy.definitions import FEATURE
    from winnow.domains.toy.inference import Predictor
    from winnow.learn.devices import configured_device

    try:
        rows = pd.read_csv(file, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise SourceError(f"this is no CSV file: {error}", where=str(file), fix="save it as CSV, in UTF-8") from None
    predictor = Predictor(trained.folder, configured_device())
    features = predictor.model.features
    if missing := [name for name in features if name not in rows or not pd.api.types.is_numeric_dtype(rows[name])]:
        raise SourceError(
            f"there is no column of numbers {', '.join(missing)}",
            where=str(file),
            fix=f"the model needs {', '.join(features)}",
        )
    predicted = predictor.predict(rows.rename(columns=lambda name: f"{FEATURE}{name}"))
    answers = [
        trained.stamp({"row": number, "predicted": float(f"{value:.6g}")}) for number, value in enumerate(predicted)
    ]
    print(json.dumps(answers, indent=2) if as_json else "\n".join(str(each["predicted"]) for each in answers))
