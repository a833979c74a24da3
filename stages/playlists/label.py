"""
Number playlists, tracks, artists and genres, and draw the edges between them.

    dvc repro label@playlists
"""

from winnow.domains.playlists.params import Common, Label
from winnow.domains.playlists.rules import edges
from winnow.domains.playlists.tables import (
    ArtistGenres,
    Artists,
    Entries,
    GenreEdges,
    Genres,
    NumberedEntries,
    NumberedPlaylists,
    Playlists,
    Tracks,
)
from winnow.pipeline.console import say
from winnow.pipeline.engine import engine
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Label]) -> None:
    given = stage.read("ingest/artist_genres.parquet", ArtistGenres)
    with engine() as tables:
        entries = tables.load("entries", stage.pieces("filter/entries.parquet", Entries))
        tables.load("playlists", stage.pieces("ingest/playlists.parquet", Playlists))
        for statement in (edges.PLAYLISTS, edges.ARTISTS, edges.TRACKS):
            tables.run(statement)
        artists = tables.rows("from artists order by artist_index")
        genres, genre_edges = edges.number_genres(given, artists, stage.params.genres_per_artist)
        stage.write_pieces(
            "playlists.parquet", tables.pieces("from numbered_playlists order by playlist_index"), NumberedPlaylists
        )
        stage.write("artists.parquet", artists, Artists)
        stage.write_pieces("tracks.parquet", tables.pieces("from tracks order by track_index"), Tracks)
        stage.write("genres.parquet", genres, Genres)
        stage.write("genre_edges.parquet", genre_edges, GenreEdges)
        stage.write_pieces("entries.parquet", tables.pieces(edges.ENTRIES), NumberedEntries)
        playlists = tables.number("select count(*) from numbered_playlists")
        tracks = tables.number("select count(*) from tracks")
        without_artist = tables.number("select count(*) from tracks where artist_index < 0")
    if genres.empty:
        say("no genre is known of any artist: the graph has no genres (playlists.ingest.artist_genres names a file)")
    stage.account(entries, numbered=entries)
    stage.metrics(
        playlists=playlists,
        tracks=tracks,
        artists=len(artists),
        genres=len(genres),
        tracks_without_artist=without_artist,
        artists_without_genre=len(artists) - genre_edges["artist_index"].nunique(),
        density=entries / (playlists * tracks),
    )


if __name__ == "__main__":
    run_stage(main)
