"""`winnow playlists …`: complete a playlist, with reasons, and evaluate the network on other playlists."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from winnow.domains.playlists import definitions
from winnow.learn.folder import ModelOption, use_model
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.text import shown
from winnow.recommend.typed import TypedList, read_typed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from winnow.domains.playlists.inference import Completed
    from winnow.domains.playlists.source.listing import Piece

app = typer.Typer(no_args_is_help=True, help="Complete playlists.")

SHOWN_REASONS = 3


@app.command()
def complete(
    tracks: Annotated[
        str | None, typer.Option(help='the playlist\'s tracks in order: "artist – title; artist – title; …"')
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="a playlist or many: JSON, M3U, CSV, or a title a line; - = standard input"),
    ] = None,
    form: Annotated[str | None, typer.Option("--format", help="json, m3u, csv or lines; recognised by default")] = None,
    name: Annotated[str, typer.Option(help="the playlist's name: it is enough where no track is known")] = "",
    k: Annotated[int, typer.Option(min=1, max=1000, help="tracks to add")] = 10,
    explain: Annotated[bool, typer.Option("--explain", help="show the main reasons of each track")] = False,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, of many lists one a line")] = False,
) -> None:
    """Complete a playlist, which need not be one of the training data, or every playlist of a file.

    Titles that are not known are told and left out. The percentage is the chance that the playlist goes on with the
    track.

    Example: winnow playlists complete --tracks 'ARTIST – TITLE; ARTIST – TITLE' --explain
    """
    if (tracks is None) == (file is None) and not (tracks is None and name):
        raise WinnowError(
            "name either tracks or a file", fix='--tracks "artist – title; artist – title", --file FILE, or --name NAME'
        )
    lists = read_typed(file, form) if file is not None else [TypedList((), name)]
    trained = use_model("playlists", model)
    from winnow.domains.playlists.inference import PlaylistCompleter
    from winnow.learn.devices import configured_device
    from winnow.recommend.names import tell

    completer = PlaylistCompleter(trained.folder, configured_device())
    if tracks is not None:
        lists = [TypedList(tuple(completer.index.split(tracks, ";")), name)]
    lists = [dataclasses.replace(each, name=each.name or name) for each in lists]
    one = len(lists) == 1
    found = completer.complete_all(lists, k, explain=explain or (as_json and one), suggest=one)
    for number, each in enumerate(found, 1):
        tell(each.taken, each.left_out, where="" if one else f"playlist {number}")
        if as_json:
            told = trained.stamp(dataclasses.asdict(each))
            print(json.dumps(told, indent=2 if one else None, ensure_ascii=False))
        else:
            _show(each, several=not one, explain=explain)


def _show(one: "Completed", *, several: bool, explain: bool) -> None:
    if several:
        print(shown(f"{one.playlist or 'playlist'}:"))
    if one.known_by != "tracks":
        by = f"the name, of which {', '.join(map(repr, one.by_words))} is known" if one.by_words else "popularity"
        none = "no track of the playlist is known" if one.left_out else "no track is named"
        unheard = one.playlist and one.known_by != "name"
        which = f", and no training playlist's name has a word of {one.playlist!r}" if unheard else ""
        print(shown(f"{none}{which}: completed by {by}"), file=sys.stderr)
    for place, track in enumerate(one.tracks, 1):
        print(shown(f"{place:>3}  {track.chance:6.1%}  {track.name}"))
        if explain:
            helped = [reason for reason in track.reasons if reason[2] > 0]
            for kind, reason, effect in helped[:SHOWN_REASONS]:
                print(shown(f"       {effect:+8.3f}  {definitions.BECAUSE[kind]} {reason}"))


@app.command()
def evaluate(
    data: Annotated[Path, typer.Argument(help="a slice (mpd.slice.*.json), a CSV, or a folder of them; .gz too")],
    form: Annotated[str | None, typer.Option("--format", help="mpd or csv; detected from the name by default")] = None,
    holdout: Annotated[
        int | None, typer.Option(min=1, max=100, help="last tracks to find; as many as in training by default")
    ] = None,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the metrics as JSON")] = False,
) -> None:
    """Evaluate the network on other playlists: it has to find the last tracks of each from those before.

    Example: winnow playlists evaluate mpd --json
    """
    if not data.exists():
        raise WinnowError(f"{data} does not exist", fix="name a file of playlists, or a folder of slices")
    from winnow.domains.playlists.source import formats

    form = form or formats.guess(data)
    if form not in {"mpd", "csv"}:
        raise WinnowError(f"there is no format {form}", fix="mpd or csv")
    trained = use_model("playlists", model)
    from winnow.domains.playlists.inference import PlaylistCompleter
    from winnow.learn.devices import configured_device
    from winnow.recommend.judged import print_compared

    completer = PlaylistCompleter(trained.folder, configured_device())
    found = completer.judge(_telling(formats.read(form, data), data), holdout, source=str(data))
    if as_json:
        print(json.dumps(trained.stamp(found), indent=2))
        return
    print_compared(found, found["playlists_judged"], "playlists")


def _telling(pieces: "Iterable[Piece]", data: Path) -> "Iterator[Piece]":
    """The pieces of a file or folder; of the first rows that cannot be used it is told why."""
    from winnow.recommend.judged import say_rejected

    told = False
    for piece in pieces:
        if not told and len(piece.rejected):
            say_rejected(data, piece.rejected)
            told = True
        yield piece
