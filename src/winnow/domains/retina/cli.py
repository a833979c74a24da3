"""`winnow retina …`: grade photographs, and evaluate the grader on another labelled set."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from winnow.domains.retina import definitions
from winnow.pipeline.errors import WinnowError

app = typer.Typer(no_args_is_help=True, help="Grade diabetic retinopathy on fundus photographs.")

SHOWN = (
    "quadratic_weighted_kappa", "accuracy", "balanced_accuracy", "macro_f1", "rare_f1", "macro_auc",
    "referable_sensitivity", "referable_specificity", "referable_auc", "ece",
)  # fmt: skip


@app.command()
def grade(
    paths: Annotated[list[Path], typer.Argument(help="photographs, or folders of them")],
    explain: Annotated[Path | None, typer.Option(help="folder for the photographs with their heat maps")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the grades as JSON")] = False,
) -> None:
    """Grade photographs with the trained model. Files that cannot be graded are reported; the exit code is then 1."""
    from winnow.domains.retina.model import application  # noqa: PLC0415 - torch takes seconds to import
    from winnow.learn.devices import configured_device  # noqa: PLC0415

    graded = application.grade_files(paths, explain, configured_device())
    if as_json:
        print(json.dumps(graded, indent=2))
    else:
        for each in graded:
            if "error" in each:
                print(f"{each['file']}: {each['error']}", file=sys.stderr)
                continue
            chances = "  ".join(f"{g} {p:.0%}" for g, p in each["probabilities"].items())
            refer = "refer" if each["referable"] else "do not refer"
            doubt = f"   ⚠ {each['quality'].replace('_', ' ')}" if each["quality"] else ""
            print(f"{each['file']}: grade {each['grade']} ({each['name']}), {refer}   {chances}{doubt}")
            if "explained" in each:
                print(f"    heat map: {each['explained']}")
    if any("error" in each for each in graded):
        raise typer.Exit(1)


@app.command()
def evaluate(
    data: Annotated[
        Path,
        typer.Argument(help="a CSV (aptos, eyepacs, idrid), a MedMNIST .npz, or a folder with one per grade"),
    ],
    form: Annotated[
        str | None, typer.Option("--format", help="aptos, eyepacs, idrid, medmnist or folders; detected by default")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="folder of a CSV's photographs; default: the CSV's")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the metrics as JSON")] = False,
) -> None:
    """Evaluate the grader on another labelled set; photographs that it was trained on are excluded."""
    if not data.exists():
        raise WinnowError(f"{data} does not exist", fix="name a CSV, an .npz, or a folder with one folder per grade")
    from winnow.domains.retina.model import application  # noqa: PLC0415
    from winnow.learn.devices import configured_device  # noqa: PLC0415

    found = application.judge_data(data, form, images, configured_device())
    if as_json:
        print(json.dumps(found, indent=2, sort_keys=True))
        return
    print("   ".join(f"{name.replace('_', ' ')} {count}" for name, count in found["photographs"].items()))
    for name in SHOWN:
        if name in found["metrics"]:
            print(f"  {name:<26}{found['metrics'][name]:>8.3f}")
    print(f"\n  {'grade':<8}{'samples':>9}{'precision':>11}{'recall':>9}{'F1':>7}")
    for number in definitions.GRADES:
        if f"class_{number}_f1" in found["metrics"]:
            precision, recall, f1 = (
                found["metrics"][f"class_{number}_{what}"] for what in ("precision", "recall", "f1")
            )
            print(f"  {number:<8}{found['by_grade'][str(number)]:>9}{precision:>11.3f}{recall:>9.3f}{f1:>7.3f}")
