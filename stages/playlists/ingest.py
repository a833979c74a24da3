"""
Read playlists from files of any known format, or generate them, a piece at a time.

    dvc repro ingest@playlists
"""

from collections.abc import Iterator

import pandas as pd

from winnow.curate.rejected import check_rejected_share, rejected_rows
from winnow.curate.tables import Rejected
from winnow.domains.playlists.params import Common, Ingest
from winnow.domains.playlists.source import formats, genres, synthetic
from winnow.domains.playlists.source.listing import Piece
from winnow.domains.playlists.tables import ArtistGenres, Entries, Playlists
from winnow.pipeline.stage import Stage, run_stage


def gather(stage: Stage[Common, Ingest]) -> tuple[Iterator[tuple[str, Piece]], pd.DataFrame]:
    """The pieces of all sources, each with its source's name, and the genres of artists."""
    params = stage.params
    given = genres.no_genres()
    if params.artist_genres is not None:
        given = genres.read(stage.source(params.artist_genres))
    if not params.sources:
        rng = stage.rng()
        world = synthetic.make_world(params.synthetic, rng)
        drawn = synthetic.make_pieces(params.synthetic, world, rng)
        return (("synthetic", piece) for piece in drawn), world.genres if params.artist_genres is None else given
    paths = [stage.source_path(source.path) for source in params.sources]  # all are there before the first is read
    named = zip(params.sources, paths, strict=True)
    return ((source.path, piece) for source, path in named for piece in formats.read(source.format, path)), given


def main(stage: Stage[Common, Ingest]) -> None:
    pieces, given = gather(stage)
    rejected: list[tuple[str, pd.DataFrame]] = []
    first: dict[str, int] = {}
    playlists = entries = empty = 0
    with (
        stage.writer("playlists.parquet", Playlists) as add_playlists,
        stage.writer("entries.parquet", Entries) as add_entries,
    ):
        for path, piece in pieces:
            start = first.setdefault(path, playlists)
            listed = piece.playlists.assign(playlist=piece.playlists["playlist"] + start, source=path)
            rows = piece.entries.assign(playlist=piece.entries["playlist"] + start)
            rows.insert(0, "entry", range(entries, entries + len(rows)))
            add_playlists(listed[["playlist", "source", "key", "name"]].astype({"source": "str"}))
            add_entries(rows)
            playlists, entries, empty = playlists + len(listed), entries + len(rows), empty + (not len(rows))
            rejected.append((path, piece.rejected))
    unusable = rejected_rows(rejected)
    rows_in = entries + len(unusable)
    check_rejected_share(unusable, rows_in, stage.params.max_rejected_share, domain=stage.domain)
    stage.write("artist_genres.parquet", given, ArtistGenres)
    stage.write("rejected.parquet", unusable, Rejected)
    stage.account(rows_in, kept=entries, rejected=len(unusable), merged=0)
    stage.metrics(playlists=playlists, pieces_without_track=empty, artists_with_genre=given["artist"].nunique())


if __name__ == "__main__":
    run_stage(main)
