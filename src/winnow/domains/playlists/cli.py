"""`winnow playlists …`: complete a playlist, with reasons, and evaluate the network on other playlists."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import typer

from winnow.domains.playlists import definitions
from winnow.learn.folder import ModelOption, use_model
from winnow.pipeline.errors import WinnowError

app = typer.Typer(no_args_is_help=True, help="Complete playlists.")

SHOWN_REASONS = 3


@app.command()
def complete(
    tracks: Annotated[str, typer.Option(help='the playlist\'s tracks in order: "artist – title; artist – title; …"')],
    k: Annotated[int, typer.Option(min=1, max=1000, help="tracks to add")] = 10,
    explain: Annotated[bool, typer.Option("--explain", help="show the main reasons of each track")] = False,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, with all reasons")] = False,
) -> None:
    """Complete a playlist, which need not be one of the training data."""
    names = [name.strip() for name in tracks.split(";") if name.strip()]
    if not names:
        raise WinnowError("--tracks names no track", fix='--tracks "artist – title; artist – title"')
    trained = use_model("playlists", model)
    from winnow.domains.playlists.inference import PlaylistCompleter
    from winnow.learn.devices import configured_device

    found = PlaylistCompleter(trained.folder, configured_device()).complete(names, k)
    if as_json:
        print(json.dumps([trained.stamp(dataclasses.asdict(one)) for one in found], indent=2, ensure_ascii=False))
        return
    for place, one in enumerate(found, 1):
        print(f"{place:>3}  {one.score:7.3f}  {one.name}")
        if explain:
            helped = [reason for reason in one.reasons if reason[2] > 0]
            for kind, reason, effect in helped[:SHOWN_REASONS]:
                print(f"       {effect:+8.3f}  {definitions.BECAUSE[kind]} {reason}")


@app.command()
def evaluate(
    data: Annotated[Path, typer.Argument(help="a slice, a folder of slices (mpd.slice.*.json), or a CSV; .gz too")],
    form: Annotated[str | None, typer.Option("--format", help="mpd or csv; detected from the name by default")] = None,
    holdout: Annotated[
        int | None, typer.Option(min=1, max=100, help="last tracks to find; as many as in training by default")
    ] = None,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the metrics as JSON")] = False,
) -> None:
    """Evaluate the network on other playlists: it has to find the last tracks of each from those before."""
    if not data.exists():
        raise WinnowError(f"{data} does not exist", fix="name a file of playlists, or a folder of slices")
    form = form or ("csv" if data.name.removesuffix(".gz").endswith(".csv") else "mpd")
    if form not in {"mpd", "csv"}:
        raise WinnowError(f"there is no format {form}", fix="mpd or csv")
    trained = use_model("playlists", model)
    from winnow.domains.playlists.inference import PlaylistCompleter
    from winnow.domains.playlists.source import formats
    from winnow.learn.devices import configured_device

    found = PlaylistCompleter(trained.folder, configured_device()).judge(formats.read(form, data), holdout)
    if as_json:
        print(json.dumps(trained.stamp(found), indent=2))
        return
    print("   ".join(f"{name.replace('_', ' ')} {value}" for name, value in found.items() if isinstance(value, int)))
    for name in (name for name in found["model"] if name in found["popularity"]):
        print(f"{name:<20}" + "".join(f"{who:>12} {found[who][name]:.4f}" for who in ("model", "popularity")))
