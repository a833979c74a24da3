"""What `ingest` would have written, with so many rows: drawn at once, of the real schema, for `rows.py`.

python -m benchmarks.pipeline.drawn_rows sessions 1000000        in a checkout; writes data/sessions/ingest
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.articles import definitions as articles
from winnow.domains.articles import tables as articles_tables
from winnow.domains.articles.rules.prefilter import FUNCTION_WORDS
from winnow.domains.articles.source.filters import read_filter
from winnow.domains.climb import definitions as climb
from winnow.domains.climb import tables as climb_tables
from winnow.domains.documents import definitions as documents
from winnow.domains.documents import tables as documents_tables
from winnow.domains.playlists import tables as playlists_tables
from winnow.domains.retina import tables as retina_tables
from winnow.domains.sessions import tables as sessions_tables
from winnow.pipeline.tables import PIECE, Table, table_writer, write_table

DAY = 86_400
TEXT_WORDS = 50
"""Of an article: about 300 characters."""


def pieces(rows: int) -> Iterator[NDArray[np.int64]]:
    """The numbers 0 … rows - 1, PIECE at a time."""
    for start in range(0, rows, PIECE):
        yield np.arange(start, min(start + PIECE, rows))


def shares_of(*numbers: NDArray[np.int64] | int) -> NDArray[np.float64]:
    """A number from 0 to 1 for each row of `numbers`, always the same one (splitmix64's mixing)."""
    mixed = np.uint64(0)
    for each in numbers:
        mixed = (np.asarray(each, dtype=np.uint64) + mixed) * np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
        mixed = mixed ^ (mixed >> np.uint64(31))
    return np.asarray(mixed >> np.uint64(11), dtype=np.float64) / 2**53


def named(prefix: str, numbers: NDArray[np.int64], digits: int = 7) -> "pd.Series[str]":
    """`u0000012` for 12."""
    return pd.Series(prefix + pd.Series(numbers).astype("str").str.zfill(digits), dtype="str")


def written(path: Path, parts: Iterator[pd.DataFrame], schema: type[Table]) -> None:
    with table_writer(path, schema) as write:
        for part in parts:
            write(part.astype(dict(schema.empty().dtypes)))


def sessions(folder: Path, rows: int, rng: np.random.Generator) -> None:
    """Plays of rows / 100 users; each has some 60 of rows / 200 songs, and hears a few of them often."""
    users, songs = max(rows // 100, 50), max(rows // 200, 200)

    def plays() -> Iterator[pd.DataFrame]:
        for play in pieces(rows):
            user = play * users // rows
            slot = (60 * rng.random(len(play)) ** 2).astype(int)
            song = (songs * shares_of(user, slot) ** 3).astype(int)
            within = (play - user * rows // users) * users / rows
            time = 1_700_000_000 + (within * 365 * DAY).astype(int) + rng.integers(0, 3000, len(play))
            yield pd.DataFrame(
                {
                    "play": play,
                    "user": named("u", user),
                    "song": named("s", song),
                    "timestamp": time,
                    "plays": 1,
                    "share_played": np.minimum(rng.random(len(play)) * 2, 1.0),
                    "skipped": rng.random(len(play)) < 0.05,
                    "official_split": None,
                }
            )

    written(folder / "plays.parquet", plays(), sessions_tables.Plays)
    song = np.arange(songs)
    catalogue = pd.DataFrame({"song": named("s", song), "title": named("Song ", song)})
    write_table(folder / "catalogue.parquet", catalogue, sessions_tables.Catalogue)
    twice = np.repeat(song, 2)
    genre = (shares_of(twice, np.tile([0, 1], songs)) * 20).astype(int) + 20 * np.tile([0, 1], songs)
    tags = {"song": named("s", twice), "genre": named("g", genre, 2), "user": None, "count": 1.0}
    genres = pd.DataFrame(tags).astype({"user": "str"})
    write_table(folder / "genres.parquet", genres, sessions_tables.SongGenres)


def playlists(folder: Path, rows: int, rng: np.random.Generator) -> None:
    """Entries of lists of 66 in the mean, and 6.8 tracks a list; three in five of a list are of its own 500 tracks."""
    lists = max(rows // 66, 20)
    tracks = max(int(6.8 * lists), 500)

    def entries() -> Iterator[pd.DataFrame]:
        for entry in pieces(rows):
            playlist = entry * lists // rows
            own = (shares_of(playlist) * (tracks // 500)).astype(int) * 500
            near = own + (500 * rng.random(len(entry)) ** 2).astype(int)
            track = np.where(rng.random(len(entry)) < 0.6, near, (tracks * rng.random(len(entry)) ** 4).astype(int))
            yield pd.DataFrame(
                {
                    "entry": entry,
                    "playlist": playlist,
                    "position": entry - (playlist * rows + lists - 1) // lists,
                    "track": named("spotify:track:", track, 22),
                    "title": named("Track ", track),
                    "artist": named("Artist ", track // 7),
                }
            )

    def known() -> Iterator[pd.DataFrame]:
        for playlist in pieces(lists):
            name = named("p", playlist)
            yield pd.DataFrame({"playlist": playlist, "source": "drawn", "key": name, "name": name})

    written(folder / "entries.parquet", entries(), playlists_tables.Entries)
    written(folder / "playlists.parquet", known(), playlists_tables.Playlists)
    artist = np.arange(tracks // 7 + 1)
    genres = pd.DataFrame({"artist": named("artist ", artist), "genre": named("g", artist % 40, 2), "count": 1.0})
    write_table(folder / "artist_genres.parquet", genres, playlists_tables.ArtistGenres)


def articles_of(folder: Path, rows: int, rng: np.random.Generator) -> None:
    """Texts of 50 words, and a score of each dimension; one in fifty says nearly what the one before says."""
    definition = read_filter("uplifting/v1")
    topic = [*definition.prefilter.topic.on_topic, *definition.prefilter.keep.words]
    frequent = FUNCTION_WORDS["en"].split()
    words = np.array([*(frequent * 20), *(topic * 2), *(f"word{number}" for number in range(5000))], dtype=object)

    def texts() -> Iterator[pd.DataFrame]:
        for article in pieces(rows):
            for part in np.array_split(article, max(len(article) // 50_000, 1)):
                drawn = words[rng.integers(0, len(words), (len(part), TEXT_WORDS))]
                again = np.flatnonzero(rng.random(len(part)) < 0.02)
                drawn[again, 1:] = drawn[again - 1, 1:]
                name = named("a", part)
                yield pd.DataFrame(
                    {
                        "article_id": name,
                        "title": "Title of " + name,
                        "content": pd.Series([" ".join(row) for row in drawn], dtype="str"),
                        "source": named("source", part % 50, 2),
                        "published": "2026-01-01",
                        "language": "en",
                        "official_split": None,
                        "extra": "{}",
                    }
                )

    def scores() -> Iterator[pd.DataFrame]:
        names = definition.names
        for article in pieces(rows):
            score = rng.integers(0, 11, (len(article), len(names))).astype(float)
            given = {
                "article_id": named("a", np.repeat(article, len(names))),
                "dimension": np.tile(names, len(article)),
            }
            yield pd.DataFrame({**given, "score": score.ravel()})

    written(folder / "articles.parquet", texts(), articles_tables.Articles)
    written(folder / "scores.parquet", scores(), articles_tables.Scores)
    articles.write_config(folder / "config.json", definition.config)


def climb_routes(folder: Path, rows: int, rng: np.random.Generator) -> None:
    """Routes of 9 to 13 holds; one hold set in twenty is there at both angles."""
    boards = np.array(list(climb.BOARDS))
    cells = np.array(list(climb.CELL_INDEX))[: 12 * len(climb.COLUMNS)]

    def routes() -> Iterator[pd.DataFrame]:
        for route in pieces(rows):
            twin = np.where(shares_of(route // 2) < 0.05, route // 2 * 2, route)
            board = pd.Series(boards[(shares_of(twin, 1) * len(boards)).astype(int)], dtype="str")
            holds = board + "-" + named("h", twin)
            angle = np.where(route % 2, 40, 25)
            grade = (shares_of(twin, 2) ** 2 * len(climb.GRADES)).astype(int)
            repeats = pd.Series((10 ** (rng.random(len(route)) * 3.5)).astype(int), dtype="Int64")
            yield pd.DataFrame(
                {
                    "route_id": board + "-" + pd.Series(angle).astype("str") + "-" + named("h", route),
                    "hold_set": holds,
                    "board": board,
                    "angle": angle,
                    "grade": np.array(climb.GRADES)[grade],
                    "repeats": repeats.mask(rng.random(len(route)) < 0.15),
                    "benchmark": rng.random(len(route)) < 0.08,
                    "user_rating": rng.random(len(route)),
                    "name": named("Route ", route),
                    "method": None,
                    "source": "drawn",
                }
            )

    def holds() -> Iterator[pd.DataFrame]:
        for part in routes():
            twin = part["hold_set"].str.rpartition("h")[2].astype("int64").to_numpy()
            number = 9 + (shares_of(twin, 3) * 5).astype(int)
            row = np.repeat(np.arange(len(part)), number)
            position = np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number)
            room = len(cells) // number[row]  # one cell in each of so many parts of the board, so that none is twice
            cell = position * room + (shares_of(twin[row], position, 4) * room).astype(int)
            role = np.where(position == 0, "start", np.where(position == number[row] - 1, "finish", "move"))
            names = part["route_id"].to_numpy()[row]
            yield pd.DataFrame({"route_id": names, "position": position, "hold": cells[cell], "role": role})

    seeded = rng.bit_generator.state
    written(folder / "routes.parquet", routes(), climb_tables.Routes)
    rng.bit_generator.state = seeded
    written(folder / "holds.parquet", holds(), climb_tables.Holds)


def retina_photos(folder: Path, rows: int, rng: np.random.Generator) -> None:
    """Photographs of both eyes of a patient; one in fifty is there again with two bits of its hash changed."""

    def photos() -> Iterator[pd.DataFrame]:
        for photo in pieces(rows):
            again = shares_of(photo) < 0.02
            bits = np.random.default_rng(photo[0]).integers(0, 256, (len(photo), 32), dtype=np.uint8)
            bits[1:][again[1:]] = bits[:-1][again[1:]]
            bits[again, 0] ^= 3
            name = named("", photo // 2) + np.where(photo % 2, "_right", "_left")
            colour = {each: rng.random(len(photo)) * 255 for each in ("red", "green", "blue")}
            grade = pd.Series((rng.random(len(photo)) ** 3 * 5).astype(int), dtype="Int64")
            yield pd.DataFrame(
                {
                    "image_id": "drawn/" + name,
                    "source": "drawn",
                    "name": name,
                    "grade": grade.mask(rng.random(len(photo)) < 0.01),
                    "official_split": None,
                    "patient": None,
                    "eye": None,
                    "width": 80,
                    "height": 80,
                    "brightness": 50 + rng.random(len(photo)) * 100,
                    "sharpness": 0.85 + rng.random(len(photo)) * 3,
                    "retina_share": 0.4 + rng.random(len(photo)) * 0.5,
                    **colour,
                    "perceptual_hash": pd.Series([each.tobytes().hex() for each in bits], dtype="str"),
                }
            )

    written(folder / "photos.parquet", photos(), retina_tables.Photos)


def documents_labels(folder: Path, rows: int, rng: np.random.Generator) -> None:
    """The labels of images, eight copies of a page: what `label` makes, which costs the same for every image."""

    def labels() -> Iterator[pd.DataFrame]:
        for image in pieces(rows):
            page = named("page", image // 8)
            score = rng.random(len(image))
            yield pd.DataFrame(
                {
                    "image_id": page + "@" + pd.Series(image % 8).astype("str"),
                    "page": page,
                    "document": page,
                    "score": score,
                    "label": pd.Series(documents.class_of(score), dtype="Int64"),
                    "issues": "blur;noise",
                    "augmentations": "",
                    "official_split": None,
                    "readability": None,
                }
            )

    written(folder.parent / "label" / "labels.parquet", labels(), documents_tables.Labels)


DOMAINS: dict[str, Callable[[Path, int, np.random.Generator], None]] = {
    "sessions": sessions,
    "playlists": playlists,
    "articles": articles_of,
    "climb": climb_routes,
    "retina": retina_photos,
    "documents": documents_labels,
}


def main() -> None:
    domain, rows = sys.argv[1], int(sys.argv[2])
    folder = Path("data", domain, "ingest")
    folder.mkdir(parents=True, exist_ok=True)
    DOMAINS[domain](folder, rows, np.random.default_rng(0))


if __name__ == "__main__":
    main()
