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
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Label]) -> None:
    entries = stage.read("filter/entries.parquet", Entries)
    playlists = edges.number_playlists(stage.read("ingest/playlists.parquet", Playlists), entries)
    artists = edges.number_artists(entries)
    tracks = edges.number_tracks(entries, artists)
    given = stage.read("ingest/artist_genres.parquet", ArtistGenres)
    genres, genre_edges = edges.number_genres(given, artists, stage.params.genres_per_artist)
    numbered = edges.number_entries(entries, playlists, tracks)
    stage.write("playlists.parquet", playlists, NumberedPlaylists)
    stage.write("artists.parquet", artists, Artists)
    stage.write("tracks.parquet", tracks, Tracks)
    stage.write("genres.parquet", genres, Genres)
    stage.write("genre_edges.parquet", genre_edges, GenreEdges)
    stage.write("entries.parquet", numbered, NumberedEntries)
    if genres.empty:
        say("no genre is known of any artist: the graph has no genres (playlists.ingest.artist_genres names a file)")
    stage.account(len(entries), numbered=len(numbered))
    stage.metrics(
        playlists=len(playlists),
        tracks=len(tracks),
        artists=len(artists),
        genres=len(genres),
        tracks_without_artist=int((tracks["artist_index"] < 0).sum()),
        artists_without_genre=len(artists) - genre_edges["artist_index"].nunique(),
        density=len(numbered) / (len(playlists) * len(tracks)),
    )


if __name__ == "__main__":
    run_stage(main)
