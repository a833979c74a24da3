"""`winnow retina …`: grade photographs, and evaluate the grader on another labelled set."""

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from winnow.domains.retina import definitions
from winnow.learn.folder import ModelOption, use_model
from winnow.pipeline.console import say
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import write_text
from winnow.pipeline.text import shown

app = typer.Typer(no_args_is_help=True, help="Grade diabetic retinopathy on fundus photographs.")

SHOWN = (
    "quadratic_weighted_kappa", "accuracy", "balanced_accuracy", "macro_f1", "rare_f1", "macro_auc",
    "referable_sensitivity", "referable_specificity", "referable_auc", "ece", "uncalibrated_ece",
)  # fmt: skip

WHY = {
    "no_retina": "no retina is seen",
    "too_dark": "too dark",
    "too_bright": "too bright",
    "too_blurred": "too blurred",
    "unlike_training": "unlike the photographs that the model was trained on: no fundus, out of focus, or of another "
    "camera (train on such ones: the preset photographs)",
}
"""Why a photograph is not graded, in words."""
UNSEEN = 0.25
"""Share of a heat map's heat outside the retina above which the explanation is doubted."""


@app.command()
def grade(
    paths: Annotated[list[Path], typer.Argument(help="photographs, or folders of them")],
    explain: Annotated[Path | None, typer.Option(help="folder for the photographs with their heat maps")] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file for the grades")] = None,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the grades as JSON")] = False,
) -> None:
    """Grade photographs with the trained model.

    Photographs that cannot be graded are to be referred. The exit code is 1 if there is one, or a file that cannot be
    read.

    Example: winnow retina grade photographs --explain heat_maps --out grades.csv
    """
    trained = use_model("retina", model)
    from winnow.domains.retina import inference
    from winnow.domains.retina.showing import say_passed_over
    from winnow.learn.devices import configured_device

    say_passed_over(paths)
    graded = inference.grade_files(paths, explain, trained.folder, configured_device())
    if out is not None:
        write_text(out, as_csv(graded))
    if as_json:
        print(json.dumps([trained.stamp(each) for each in graded], indent=2))
    else:
        for each in graded:
            print(*map(shown, told(each)), sep="\n", file=sys.stderr if "error" in each else sys.stdout)
    drawn = [each for each in graded if "explained" in each]
    hot = [each["file"] for each in drawn if each["unseen_share"] > UNSEEN]
    if hot:
        say(
            f"⚠ {len(hot)} of {len(drawn)} heat maps lie by more than {UNSEEN:.0%} outside the retina, where no "
            f"lesion can be ({', '.join(hot[:3])}{', …' if len(hot) > 3 else ''}): do not rely on these explanations"
        )
    if any("error" in each or each["quality"] for each in graded):
        raise typer.Exit(1)


def told(graded: dict[str, Any]) -> list[str]:
    """The lines printed for a photograph."""
    if "error" in graded:
        return [f"{graded['file']}: {graded['error']}"]
    if graded["quality"]:
        return [f"{graded['file']}: ungradable: refer   ⚠ {WHY.get(graded['quality'], graded['quality'])}"]
    low, high = graded["possible"]
    possible = f"grade {low} is" if low == high else f"grades {low} to {high} are"
    limit = f"chance of grade {definitions.REFERABLE_FROM} or more {graded['referable_probability']:.1%}"
    chances = "  ".join(f"{grade} {chance:.0%}" for grade, chance in graded["probabilities"].items())
    refer = "refer" if graded["referable"] else "do not refer"
    lines = [
        f"{graded['file']}: grade {graded['grade']} ({graded['name']}), {refer}   {chances}",
        f"    {possible} possible: such answers hold the true grade of {graded['coverage']:.0%} of all photographs",
        f"    {limit}, referred from {graded['refer_from']:.1%}",
    ]
    likeliest = max(graded["probabilities"], key=graded["probabilities"].__getitem__)
    if str(likeliest) != str(graded["grade"]):
        lines.append(f"    the grade is the middle of these chances; the likeliest single one is {likeliest}")
    if (graded["grade"] >= definitions.REFERABLE_FROM) != graded["referable"]:
        lines.append(f"    ⚠ {definitions.BORDERLINE}")
    return [*lines, f"    heat map: {graded['explained']}"] if "explained" in graded else lines


def as_csv(graded: Sequence[Mapping[str, Any]]) -> str:
    """A row for each photograph; what is not known of it is empty."""
    columns = [f"p{number}" for number in definitions.GRADES]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    beginning = ["file", "grade", "referable", "referable_probability"]
    table.writerow([*beginning, "lowest", "highest", *columns, "distance", "quality", "error"])
    for each in graded:
        first = [each.get(name, "") for name in beginning]
        chances = [each.get("probabilities", {}).get(str(number), "") for number in definitions.GRADES]
        last = [each.get(name, "") for name in ("distance", "quality", "error")]
        table.writerow([*first, *each.get("possible", ("", "")), *chances, *last])
    return text.getvalue()


@app.command()
def evaluate(
    data: Annotated[
        Path, typer.Argument(help="a CSV (aptos, eyepacs, idrid), a MedMNIST .npz, or a folder with one per grade")
    ],
    form: Annotated[
        str | None, typer.Option("--format", help="aptos, eyepacs, idrid, medmnist or folders; detected by default")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="folder of a CSV's photographs; default: the CSV's")] = None,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the metrics as JSON")] = False,
) -> None:
    """Evaluate the grader on another labelled set, without the photographs and patients that it was trained on.

    Photographs that `grade` calls ungradable count as referred, and in no figure of grades.

    Example: winnow retina evaluate labels.csv --images photographs
    """
    if not data.exists():
        raise WinnowError(f"{data} does not exist", fix="name a CSV, an .npz, or a folder with one folder per grade")
    trained = use_model("retina", model)
    from winnow.domains.retina import inference
    from winnow.domains.retina.evaluation.results import doubted_chances
    from winnow.domains.retina.showing import say_passed_over
    from winnow.judge.too_few import too_few
    from winnow.learn.devices import configured_device

    say_passed_over([data])
    found = inference.judge_data(data, form, images, trained.folder, configured_device())
    say(*doubted_chances(found["metrics"]), *too_few(found["photographs"]["graded"], "photographs"))
    if as_json:
        print(json.dumps(trained.stamp(found), indent=2, sort_keys=True))
        return
    print("   ".join(f"{name.replace('_', ' ')} {count}" for name, count in found["photographs"].items()))
    if found["ungradable"]:
        why = ", ".join(f"{count} {WHY.get(rule, rule)}" for rule, count in found["ungradable"].items())
        print(f"⚠ ungradable, so without a grade, and counted as referred: {why}")
    print(f"  {'':<26}{'model':>8}{'95% interval':>16}" + "".join(f"{name:>12}" for name in found["baseline"]))
    for name in SHOWN:
        if name in found["metrics"]:
            bounds = found["interval"][name]
            interval = f"{bounds['low']:.3f} to {bounds['high']:.3f}"
            others = "".join(f"{values[name]:>12.3f}" for values in found["baseline"].values())
            print(f"  {name:<26}{found['metrics'][name]:>8.3f}{interval:>16}{others}")
    print(f"\n  {'grade':<8}{'samples':>9}{'precision':>11}{'recall':>9}{'F1':>7}")
    for number in definitions.GRADES:
        if f"class_{number}_f1" in found["metrics"]:
            precision, recall, f1 = (
                found["metrics"][f"class_{number}_{what}"] for what in ("precision", "recall", "f1")
            )
            print(f"  {number:<8}{found['by_grade'][str(number)]:>9}{precision:>11.3f}{recall:>9.3f}{f1:>7.3f}")
