"""`winnow climb …`: generate routes, and evaluate the generator on another export."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from winnow.domains.climb import definitions
from winnow.domains.climb.asked import Asked
from winnow.learn.folder import ModelOption, use_model
from winnow.pipeline.console import say
from winnow.pipeline.errors import WinnowError

app = typer.Typer(no_args_is_help=True, help="Generate MoonBoard climbing routes.")

SHEET_COLUMNS = 5
DPI = 110


@app.command()
def generate(
    grade: Annotated[str, typer.Option(help="Font grade, such as 6C+; or a V grade that is one Font grade, as V7")],
    count: Annotated[int, typer.Option(min=1, max=1000, help="routes to generate")] = 5,
    board: Annotated[
        str | None,
        typer.Option(help=f"year of the board: {', '.join(definitions.BOARDS)} (default: that most trained on)"),
    ] = None,
    angle: Annotated[int | None, typer.Option(help="degrees of overhang: 25 or 40 (default: as --board)")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**63 - 1, help="the same seed gives the same routes")] = 0,
    png: Annotated[Path | None, typer.Option(help="draw the routes into this PNG file")] = None,
    app_json: Annotated[Path | None, typer.Option("--app", help="write them as the MoonBoard app's JSON")] = None,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="print them as JSON")] = False,
) -> None:
    """Generate valid routes of a grade; none of them is a training route.

    Example: winnow climb generate --grade 6C+ --count 5 --png routes.png
    """
    asked = Asked.of(grade=grade, board=board, angle=angle)
    if png is not None and png.suffix.lower() != ".png":
        raise WinnowError(f"{png} is not the name of a PNG file", fix=f"--png {png.with_suffix('.png')}")
    trained = use_model("climb", model)
    if asked.grade != grade.strip().upper():
        say(f"{grade} is taken as the Font grade {asked.grade}")
    from winnow.domains.climb.inference import Generator
    from winnow.learn.devices import configured_device

    routes = Generator(trained.folder, configured_device()).asked_routes(asked, count, seed)
    if png is not None:
        from winnow.domains.climb.view.boards import DrawnRoute, sheet_of_boards
        from winnow.show.figures import save_png

        drawn = [
            DrawnRoute(f"{row['grade']} · {row['board']} · {row['angle']}° · #{number}", row["board"], _pairs(row))
            for number, row in enumerate(routes, 1)
        ]
        save_png(sheet_of_boards(drawn, SHEET_COLUMNS), png, DPI)
    if app_json is not None:
        from winnow.domains.climb.source import app as moonboard_app
        from winnow.pipeline.files import write_json

        problems = [(row["board"], row["angle"], row["grade"], _pairs(row)) for row in routes]
        write_json(app_json, moonboard_app.document(problems))
    if as_json:
        print(json.dumps([trained.stamp(row) for row in routes], indent=2))
        return
    for number, row in enumerate(routes, 1):
        parts = [(role, [hold for hold, own in _pairs(row) if own == role]) for role in ("start", "move", "finish")]
        told = "   ".join(f"{role} {' '.join(cells)}" for role, cells in parts if cells)
        print(f"{number:>3}  {row['grade']:<3}  {row['board']} {row['angle']}°  {told}")
    if png is not None:
        print(f"drawn in {png}")
    if app_json is not None:
        print(f"written to {app_json}")


def _pairs(row: dict[str, Any]) -> list[tuple[str, str]]:
    """The holds of a route, bottom up, each with its role."""
    return [(each["hold"], each["role"]) for each in row["holds"]]


@app.command()
def evaluate(
    file: Annotated[Path, typer.Argument(help="an export: .json or .csv, or either with .gz")],
    form: Annotated[
        str | None, typer.Option("--format", help="web, app, guidebook, minimal or csv; detected by default")
    ] = None,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the metrics as JSON")] = False,
) -> None:
    """Evaluate the generator on another export, without routes that it was trained on.

    Routes of a board, angle or grade that it was not trained on are counted, not judged.

    Example: winnow climb evaluate my_export.json --json
    """
    if not file.is_file():
        raise WinnowError(f"{file} is no file", fix="name a .json or .csv file, or either with .gz")
    trained = use_model("climb", model)
    from winnow.domains.climb.inference import Generator
    from winnow.learn.devices import configured_device

    found = Generator(trained.folder, configured_device()).judge_file(file, form)
    if as_json:
        print(json.dumps(trained.stamp(found), indent=2))
        return
    print("   ".join(f"{name.replace('_', ' ')} {count}" for name, count in found["routes"].items()))
    for rule, count in found["dropped"].items():
        print(f"⚠ {count} {'route breaks' if count == 1 else 'routes break'} the filter's rule {rule}: not judged")
    for what, count in found["untrained"].items():
        routes = "route is" if count == 1 else "routes are"
        print(f"⚠ {count} {routes} of {what}, which the model was not trained on: not judged")
    print(f"{'':<14}{'routes':>8}{'loss':>8}{'perplexity':>12}{'bigram':>9}")
    quality = {f"quality {name}": part for name, part in found["by_quality"].items()}
    order = {
        name: at for at, name in enumerate((*definitions.GRADES, *(f"quality {b}" for b in definitions.QUALITY_BINS)))
    }
    slices = {**found["by_grade"], **quality}
    for name, part in [("all", found["all"]), *sorted(slices.items(), key=lambda item: order[item[0]])]:
        print(
            f"{name:<14}{part['routes']:>8}{part['token_loss']:>8.3f}{part['perplexity']:>12.2f}"
            f"{part['bigram_perplexity']:>9.2f}"
        )
