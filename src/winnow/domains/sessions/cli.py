"""`winnow sessions …`: recommend songs with reasons, and evaluate the recommender on other listeners."""

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from winnow.domains.sessions.params import Events, Source
from winnow.learn.folder import ModelOption, use_model
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.text import shown
from winnow.recommend.typed import TypedList, read_typed

if TYPE_CHECKING:
    from winnow.domains.sessions.inference import Recommended

app = typer.Typer(no_args_is_help=True, help="Recommend songs to listeners.")

SHOWN_REASONS = 3
NAMED = {"user_artists.dat": "lastfm_hetrec", "train.txt": "lightgcn"}


@app.command()
def recommend(
    user: Annotated[str | None, typer.Argument(help="id of a user of the training data")] = None,
    likes: Annotated[
        str | None,
        typer.Option(help="songs an unknown user likes: ids or titles, separated by commas (titles may hold commas)"),
    ] = None,
    file: Annotated[
        Path | None, typer.Option(help="lists of liked songs: JSON, M3U, CSV, or a title a line; - = standard input")
    ] = None,
    form: Annotated[str | None, typer.Option("--format", help="json, m3u, csv or lines; recognised by default")] = None,
    k: Annotated[int, typer.Option(min=1, max=1000, help="songs to recommend")] = 10,
    explain: Annotated[bool, typer.Option("--explain", help="show the main reasons of each recommendation")] = False,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, of many lists one a line")] = False,
) -> None:
    """Recommend songs to a user of the training data, or to unknown users who like some songs.

    Songs that are not known are told and left out. The percentage is the chance that a song
    is one of the next songs of the user.

    Example: winnow sessions recommend --likes 'SONG, SONG' --explain
    """
    if (user is not None) + (likes is not None) + (file is not None) != 1:
        raise WinnowError(
            "name either a user, songs with --likes, or a file of songs",
            fix="winnow sessions recommend USER, --likes SONG,… or --file FILE",
        )
    lists = read_typed(file, form) if file is not None else []
    trained = use_model("sessions", model)
    from winnow.domains.sessions.inference import Recommender
    from winnow.learn.devices import configured_device
    from winnow.recommend.names import tell

    recommender = Recommender(trained.folder, configured_device())
    if likes is not None:
        lists = [TypedList(tuple(recommender.index.split(likes, ",")))]
    one = user is not None or len(lists) == 1
    found = (
        iter([recommender.for_user(user, k)])
        if user is not None
        else recommender.for_lists(lists, k, explain=explain or (as_json and one), suggest=one)
    )
    for number, each in enumerate(found, 1):
        tell(each.taken, each.left_out, where="" if one else f"list {number}")
        if as_json:
            told = trained.stamp(dataclasses.asdict(each))
            print(json.dumps(told, indent=2 if one else None, ensure_ascii=False))
        else:
            _show(each, several=not one, explain=explain)


def _show(found: "Recommended", *, several: bool, explain: bool) -> None:
    if several:
        print(shown(f"{found.user or 'list'}:"))
    if found.known_by == "popularity":
        none = "no song of the list is known" if found.left_out else "the list names no song"
        print(f"{none}: the most popular ones are recommended", file=sys.stderr)
    for place, one in enumerate(found.songs, 1):
        name = one.title if one.title == one.song else f"{one.title} ({one.song})"
        print(shown(f"{place:>3}  {f'{one.score:7.3f}' if one.chance is None else f'{one.chance:7.1%}'}  {name}"))
        if explain:
            helped = [reason for reason in one.reasons if reason[2] > 0]
            for kind, reason, effect in helped[:SHOWN_REASONS]:
                print(shown(f"       {effect:+8.3f}  {'because of' if kind == 'song' else 'genre'} {reason}"))


@app.command()
def evaluate(
    data: Annotated[Path, typer.Argument(help="user_artists.dat, train.txt, or an event log; .gz too")],
    form: Annotated[
        str | None,
        typer.Option("--format", help="lastfm_hetrec, lightgcn or events; detected from the file's name by default"),
    ] = None,
    header: Annotated[bool, typer.Option(help="event log: whether the first line names columns")] = True,
    user_column: Annotated[
        str, typer.Option(help="event log: the column of the user's id, or its place from 0")
    ] = "user",
    item_column: Annotated[
        list[str] | None, typer.Option(help="event log: a column that names the song; may be repeated (default: item)")
    ] = None,
    timestamp_column: Annotated[str | None, typer.Option(help="event log: the column of times")] = None,
    skipped_column: Annotated[str | None, typer.Option(help="event log: the column of true/false")] = None,
    share_column: Annotated[str | None, typer.Option(help="event log: the column of the share played")] = None,
    plays_column: Annotated[str | None, typer.Option(help="event log: the column of numbers of plays")] = None,
    seed: Annotated[int, typer.Option(min=0, help="random seed of the choice of hidden songs")] = 0,
    model: ModelOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the metrics as JSON")] = False,
) -> None:
    """Evaluate the recommender on new users: it has to find a hidden fifth of each user's songs.

    Plays are counted by the rules of the training data: name the columns by which it knows skipped and repeated ones.

    Example: winnow sessions evaluate plays.csv --user-column user --item-column song
    """
    if not data.is_file():
        raise WinnowError(f"{data} is no file", fix="name a file of listening data")
    columns = Events(
        header=header,
        user=_column(user_column),
        item=[_column(each) for each in item_column or ["item"]],
        timestamp=_column(timestamp_column) if timestamp_column else None,
        genre=None,
        skipped=_column(skipped_column) if skipped_column else None,
        share_played=_column(share_column) if share_column else None,
        plays=_column(plays_column) if plays_column else None,
    )
    trained = use_model("sessions", model)
    source = _source(data, form, columns)
    import numpy as np

    from winnow.domains.sessions.source import formats

    listening = formats.read(source, data)
    from winnow.domains.sessions.inference import Recommender
    from winnow.learn.devices import configured_device
    from winnow.recommend.judged import print_compared, say_rejected

    say_rejected(data, listening.rejected)
    recommender = Recommender(trained.folder, configured_device())
    found = recommender.judge(listening, np.random.default_rng(seed), source=str(data))
    if as_json:
        print(json.dumps(trained.stamp(found), indent=2))
        return
    print_compared(found, found["users_judged"], "users")


def _column(given: str) -> str | int:
    """A column's name, or its place where only digits are given."""
    return int(given) if given.isdecimal() else given


def _source(path: Path, form: str | None, columns: Events) -> Source:
    known = ("lastfm_hetrec", "lightgcn", "events")
    form = form or NAMED.get(path.name.removesuffix(".gz"), "events")
    if form not in known:
        raise WinnowError(f"there is no format {form}", fix=f"one of {', '.join(known)}")
    events = columns if form == "events" else None
    return Source.model_validate({"format": form, "path": str(path), "events": events})
