"""
Read plays from files of any known format, or generate them, and merge repeated ones.

    dvc repro ingest@sessions
"""

import pandas as pd

from winnow.curate.overlaps import tell_overlaps
from winnow.curate.rejected import check_rejected_share, rejected_rows
from winnow.curate.tables import Rejected
from winnow.domains.sessions.definitions import may_have_genres
from winnow.domains.sessions.params import Common, Ingest
from winnow.domains.sessions.source import formats, synthetic
from winnow.domains.sessions.source.listening import Listening
from winnow.domains.sessions.source.merge import catalogue, merge_plays, same_plays, song_genres
from winnow.domains.sessions.tables import Catalogue, Plays, Scenes, SongGenres, Tastes
from winnow.pipeline.console import say
from winnow.pipeline.stage import Stage, run_stage


def gather(stage: Stage[Common, Ingest]) -> tuple[list[tuple[str, Listening]], pd.DataFrame, pd.DataFrame]:
    """The data of each source by its name, and the generator's ground truth (without rows for files)."""
    sources = stage.params.sources
    if sources:
        read = [(source.path, formats.read(source, stage.source(source.path))) for source in sources]
        types = {"user": "str", "song": "str", "scene": "int64", "probability": "float64"}
        unknown = pd.DataFrame({name: [] for name in types}).astype(types)
        return read, unknown[["user", "scene", "probability"]], unknown[["scene", "song", "probability"]]
    world = synthetic.make(stage.params.synthetic, stage.rng())
    return [("synthetic", world.listening)], world.tastes, world.scenes


def names_genres(params: Ingest) -> bool:
    """Whether a source says where its genres are."""
    return any(may_have_genres(each.format, each.events.genre if each.events else None) for each in params.sources)


def main(stage: Stage[Common, Ingest]) -> None:
    named, tastes, scenes = gather(stage)
    parts = [part for _, part in named]
    rejected = rejected_rows((path, part.rejected) for path, part in named)
    rows_in = len(rejected) + sum(len(part.plays) for part in parts)
    check_rejected_share(rejected, rows_in, stage.params.max_rejected_share, domain=stage.domain)
    plays = merge_plays(parts)
    songs = catalogue(plays, parts)
    genres = song_genres(songs["song"], parts, stage.params.max_genres)
    if genres.empty and names_genres(stage.params):
        say(
            "no song has a genre: the column that the source names is empty, or its files of tags are not here; "
            "the model gat needs none, genre_gat cannot be trained"
        )
    stage.write("plays.parquet", plays, Plays)
    stage.write("catalogue.parquet", songs, Catalogue)
    stage.write("genres.parquet", genres, SongGenres)
    stage.write("rejected.parquet", rejected, Rejected)
    stage.write("tastes.parquet", tastes, Tastes)
    stage.write("scenes.parquet", scenes, Scenes)
    stage.account(rows_in, kept=len(plays), rejected=len(rejected), merged=rows_in - len(rejected) - len(plays))
    timed = all(part.plays["timestamp"].notna().all() for part in parts)
    kept = "each counts once" if timed else "those without a time are added up, as if they were played again"
    tell_overlaps(stage, same_plays(named), "plays", kept)
    stage.metrics(
        users=plays["user"].nunique(),
        songs=len(songs),
        genres=genres["genre"].nunique(),
        songs_without_genre=len(songs) - genres["song"].nunique(),
    )


if __name__ == "__main__":
    run_stage(main)
