"""`winnow sessions …`: recommendations with their reasons, and the recommender judged on other listeners."""

import dataclasses
import json
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from winnow.domains.sessions.params import Events, Params, Source
from winnow.domains.sessions.source import formats
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.params import PARAMS_FILE, Document

app = typer.Typer(no_args_is_help=True, help="Songs for listeners.")

SHOWN_REASONS = 3
NAMED = {"user_artists.dat": "lastfm_hetrec", "train.txt": "lightgcn"}


@app.command()
def recommend(
    user: Annotated[str | None, typer.Argument(help="id of a user of the data")] = None,
    likes: Annotated[
        str | None, typer.Option(help="for somebody never seen: songs, ids or titles, parted by ,")
    ] = None,
    k: Annotated[int, typer.Option(min=1, max=1000, help="songs to recommend")] = 10,
    explain: Annotated[bool, typer.Option("--explain", help="what weighed most for each")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print them as JSON, with all reasons")] = False,
) -> None:
    """Songs for a user of the data, or for somebody who likes some songs."""
    if (user is None) == (likes is None):
        raise WinnowError("name a user, or songs with --likes", fix="winnow sessions recommend USER, or --likes SONG,…")
    liked = [name.strip() for name in (likes or "").split(",") if name.strip()]
    if user is None and not liked:
        raise WinnowError("--likes names no song", fix="--likes SONG,SONG")
    from winnow.domains.sessions.model.application import Recommender  # noqa: PLC0415 - torch takes seconds

    recommender = Recommender()
    found = recommender.for_likes(liked, k) if user is None else recommender.for_user(user, k)
    if as_json:
        print(json.dumps([dataclasses.asdict(one) for one in found], indent=2, ensure_ascii=False))
        return
    for place, one in enumerate(found, 1):
        name = one.title if one.title == one.song else f"{one.title} ({one.song})"
        print(f"{place:>3}  {one.score:7.3f}  {name}")
        if explain:
            helped = [reason for reason in one.reasons if reason[2] > 0]
            for kind, reason, effect in helped[:SHOWN_REASONS]:
                print(f"       {effect:+8.3f}  {'because of' if kind == 'song' else 'genre'} {reason}")


@app.command()
def evaluate(
    data: Annotated[Path, typer.Argument(help="user_artists.dat, train.txt, or an event log; .gz too")],
    form: Annotated[
        str | None, typer.Option("--format", help="lastfm_hetrec, lightgcn or events; by the name when not given")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="draws the songs that are hidden")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON")] = False,
) -> None:
    """Judge the recommender on users it was not trained on: a fifth of each one's songs is hidden and to be found."""
    if not data.is_file():
        raise WinnowError(f"{data} does not exist", fix="name a file of listening data")
    source = _source(data, form)
    listening = formats.read(source, data)
    from winnow.domains.sessions.model.application import Recommender  # noqa: PLC0415

    found = Recommender().judge(listening, np.random.default_rng(seed))
    if as_json:
        print(json.dumps(found, indent=2))
        return
    print("   ".join(f"{name.replace('_', ' ')} {value}" for name, value in found.items() if isinstance(value, int)))
    names = list(found["model"])
    print(f"{'':<12}" + "".join(f"{name:>15}" for name in names))
    for who in ("model", "popularity"):
        print(f"{who:<12}" + "".join(f"{found[who][name]:>15.4f}" for name in names))


def _source(path: Path, form: str | None) -> Source:
    """The file as a source; an event log's columns are those of params.yaml, or user, item and timestamp."""
    known = ("lastfm_hetrec", "lightgcn", "events")
    form = form or NAMED.get(path.name.removesuffix(".gz"), "events")
    if form not in known:
        raise WinnowError(f"no format is named {form}", fix=f"one of {', '.join(known)}")
    named = [source.events for source in Document(PARAMS_FILE).section(("sessions",), Params).ingest.sources]
    plain = Events(header=True, user="user", item=["item"], timestamp=None, genre=None, skipped=None, share_played=None)
    events = next((events for events in named if events), plain) if form == "events" else None
    return Source.model_validate({"format": form, "path": str(path), "events": events})
