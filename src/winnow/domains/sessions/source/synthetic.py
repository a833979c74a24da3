"""
Listening sessions made from a seed.

Songs belong to a scene (songs that are liked together, such as an artist's), and scenes to a genre. A user likes a
few scenes, mostly of one or two genres; in a session they stay with one scene, and now and then play what everybody
plays. Casual users come seldom, power users often. The generator's probabilities are stored too, so
that the model can be compared with a recommender that knows the truth.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from winnow.domains.sessions import definitions
from winnow.domains.sessions.params import Synthetic
from winnow.domains.sessions.source.listening import Listening, of_songs, plays_table

START = 1_700_000_000
DAYS = 90
SONG_SECONDS = 210
TYPE_SHARES = (0.5, 0.35, 0.15)
SESSIONS = {"casual": 9, "regular": 22, "power": 45}
"""Mean sessions of a user of each type."""
SCENES_LIKED = {"casual": 2, "regular": 4, "power": 7}
SESSION_SONGS = 8
HOME_GENRE = 0.7
"""Share of a user's scenes that are of the user's home genre."""
SECOND_GENRE = 0.3
"""Share of songs with a second genre."""
FIRST = ("Amber", "Blue", "Broken", "Burning", "Distant", "Electric", "Empty", "Endless", "Fading", "Falling", "Golden",
         "Hollow", "Hidden", "Last", "Little", "Lonely", "Lost", "Midnight", "Northern", "Paper", "Quiet", "Restless",
         "Scarlet", "Second", "Silver", "Slow", "Velvet", "Wild", "Winter", "Young")  # fmt: skip
SECOND = ("Avenue", "Bridge", "Carnival", "Circles", "City", "Coast", "Dream", "Engine", "Fire", "Garden", "Harbour",
          "Heart", "Hours", "Island", "Letters", "Light", "Machine", "Mirror", "Moon", "Morning", "Ocean", "Radio",
          "Rain", "River", "Road", "Shadow", "Signal", "Sky", "Stranger", "Summer", "Train", "Waltz", "Water",
          "Window")  # fmt: skip
"""Words of the songs' titles."""
TOP_GENRES = ("rock", "pop", "electronic", "hip hop", "jazz", "metal", "folk", "soul", "indie", "classical")


@dataclass(frozen=True)
class World:
    """The generator's truth."""

    listening: Listening
    tastes: pd.DataFrame
    """the columns of `Tastes`; scene 0 is what everybody plays"""
    scenes: pd.DataFrame
    """the columns of `Scenes`"""


def make(params: Synthetic, rng: np.random.Generator) -> World:
    """A world of users, songs and sessions."""
    songs = np.array([f"s{number:06d}" for number in range(params.songs)])
    scene_of = np.arange(params.songs) // params.scene_songs + 1
    scene_count = int(scene_of[-1])
    genre_of_scene = rng.integers(params.genres, size=scene_count + 1)
    popularity = rng.lognormal(0.0, 0.8, params.songs) * rng.lognormal(0.0, 0.8, scene_count + 1)[scene_of]
    scenes = _scenes(songs, scene_of, popularity)
    inside = {
        scene: (part.index.to_numpy(), part["probability"].to_numpy())
        for scene in range(scene_count + 1)
        for part in [scenes[scenes["scene"] == scene]]
    }
    rows = scenes["song"].to_numpy()
    events, tastes = [], []
    for number in range(params.users):
        user = f"u{number:06d}"
        kind = definitions.USER_TYPES[int(rng.choice(len(TYPE_SHARES), p=TYPE_SHARES))]
        liked, chance = _taste(genre_of_scene, SCENES_LIKED[kind], params.explore, rng)
        tastes.append(pd.DataFrame({"user": user, "scene": liked, "probability": chance}))
        events.append(_sessions(user, liked, chance, inside, SESSIONS[kind], rng))
    played = pd.concat(events, ignore_index=True)
    plays = plays_table(
        {
            "user": played["user"].astype("str"),
            "song": pd.Series(rows[played["place"].to_numpy()], dtype="str"),
            "timestamp": played["timestamp"],
            "share_played": played["share_played"],
            "skipped": played["share_played"] < 0.3,
        },
        played.index,
    )
    genres = _genres(songs, genre_of_scene[scene_of], params.genres, rng)
    rejected = pd.DataFrame({"row": pd.Series(dtype="int64"), "reason": pd.Series(dtype="str")})
    return World(Listening(plays, _titles(songs), genres, rejected), pd.concat(tastes, ignore_index=True), scenes)


def _titles(songs: np.ndarray) -> "pd.Series[str]":
    """Song → title, no two alike: the titles of two words in an order without pattern, then again with numbers."""
    numbers = np.arange(len(songs))
    count = len(FIRST) * len(SECOND)
    place = numbers * 617 % count  # 617 has no common factor with the number of titles
    names = [f"{FIRST[at // len(SECOND)]} {SECOND[at % len(SECOND)]}" for at in place]
    parts = ["" if turn == 0 else f" No. {turn + 1}" for turn in numbers // count]
    return pd.Series([name + part for name, part in zip(names, parts, strict=True)], index=songs, dtype="str")


def _scenes(songs: np.ndarray, scene_of: np.ndarray, popularity: np.ndarray) -> pd.DataFrame:
    everybody = pd.DataFrame({"scene": 0, "song": songs, "probability": popularity / popularity.sum()})
    total = np.bincount(scene_of, popularity)
    own = pd.DataFrame({"scene": scene_of, "song": songs, "probability": popularity / total[scene_of]})
    return pd.concat([everybody, own], ignore_index=True)


def _taste(
    genre_of_scene: np.ndarray, count: int, explore: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The scenes a user plays and how likely each is; scene 0 (what everybody plays) first."""
    home = rng.integers(genre_of_scene.max() + 1)
    weight = np.where(genre_of_scene == home, HOME_GENRE, 0.0) / max(1, int((genre_of_scene[1:] == home).sum()))
    weight += (1 - HOME_GENRE) / len(genre_of_scene)
    weight[0] = 0
    liked = rng.choice(len(weight), size=min(count, len(weight) - 1), replace=False, p=weight / weight.sum())
    chance = rng.dirichlet(np.full(len(liked), 3.0)) * (1 - explore)
    kept = np.append(0, liked), np.append(explore, chance)
    return kept if explore > 0 else (kept[0][1:], kept[1][1:])


def _sessions(
    user: str,
    liked: np.ndarray,
    chance: np.ndarray,
    inside: dict[int, tuple[np.ndarray, np.ndarray]],
    mean_sessions: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The events of a user: places in the table of scenes, times, shares played."""
    parts = []
    for start in np.sort(rng.integers(DAYS * 86_400, size=1 + rng.poisson(mean_sessions - 1))):
        scene = int(rng.choice(liked, p=chance))
        places, probability = inside[scene]
        count = min(1 + rng.poisson(SESSION_SONGS - 1), int((probability > 0).sum()))
        drawn = rng.choice(places, size=count, replace=False, p=probability)
        heard = rng.beta(6, 1, count) if scene else rng.beta(2, 1.2, count)
        times = START + start + np.arange(count) * SONG_SECONDS
        parts.append(pd.DataFrame({"user": user, "place": drawn, "timestamp": times, "share_played": heard}))
    return pd.concat(parts, ignore_index=True)


def _genres(songs: np.ndarray, genre: np.ndarray, genres: int, rng: np.random.Generator) -> pd.DataFrame:
    """song, genre, count: the scene's genre, and for some songs a second one that counts less."""
    names = np.array([*TOP_GENRES, *(f"genre {number:03d}" for number in range(len(TOP_GENRES), genres))][:genres])
    second = rng.integers(genres, size=len(songs))
    has = (rng.random(len(songs)) < SECOND_GENRE) & (second != genre)
    main = pd.DataFrame({"song": songs, "genre": names[genre], "count": 7.0})
    return of_songs(pd.concat([main, pd.DataFrame({"song": songs[has], "genre": names[second[has]], "count": 3.0})]))
