"""What the tests over all domains need to know of each one: shrunken params, and example commands of `winnow DOMAIN`.

A new domain adds an entry to `EXAMPLES`, and every test that is parametrised over domains covers it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winnow.domains.retina.source.fundus import draw_fundus


@dataclass(frozen=True)
class Example:
    """One domain."""

    small: Mapping[str, Mapping[str, Any]]
    """changes to params.yaml by stage, so that training takes seconds"""
    commands: Callable[[], list[list[str]]]
    """in a folder where the domain was trained: writes the input files the commands need, and returns the commands,
    every verb with `--json` where it has it; files that a command writes go to `out/`"""
    values: Mapping[str, Any] = field(default_factory=dict)
    """another valid value of a param (`ingest.sources`) where the tests cannot find one themselves"""


def climb_commands() -> list[list[str]]:
    rng = np.random.default_rng(0)
    columns = list("ABCDEFGHIJK")
    rows = [
        {
            "Grade": ("6B", "6C+", "7A")[number % 3],
            "Moves": [f"{rng.choice(columns)}{row}" for row in (4, 6, 9, 11, 14, 18)],
            "UserRating": 2,
        }
        for number in range(12)
    ]
    Path("export.json").write_text(json.dumps(rows))
    generate = ["generate", "--grade", "6B+", "--count", "3"]
    return [
        [*generate, "--json"],
        [*generate, "--seed", "1", "--png", "out/routes.png"],
        ["evaluate", "export.json", "--json"],
    ]


def retina_commands() -> list[list[str]]:
    for number in range(6):
        target = Path("eyes", str(number % 3), f"{number}.png")
        target.parent.mkdir(parents=True, exist_ok=True)
        eye = draw_fundus(number % 3, True, 90, np.random.default_rng(number))
        eye.point(lambda value, number=number: value * (0.2 if number == 5 else 1)).save(target)
    return [
        ["grade", "eyes/0", "eyes/1", "eyes/2", "--explain", "out", "--json"],
        ["evaluate", "eyes", "--json"],
    ]


def sessions_commands() -> list[list[str]]:
    users = pd.read_parquet("data/sessions/label/users.parquet")["user"]
    plays = pd.read_parquet("data/sessions/ingest/plays.parquet")
    some = plays[plays["user"].isin(users[:15])]
    some.assign(listener="new " + some["user"]).to_csv("others.csv", columns=["listener", "song"], index=False)
    songs = pd.read_parquet("data/sessions/label/songs.parquet")["song"]
    return [
        ["recommend", users[3], "--k", "5", "--json"],
        ["recommend", "--likes", f"{songs[2]},{songs[7]}", "--k", "3", "--explain"],
        ["recommend", "--likes", songs[2], "--k", "3", "--json"],
        ["evaluate", "others.csv", "--user-column", "listener", "--item-column", "song", "--json"],
    ]


EXAMPLES = {
    "climb": Example(
        small={
            "ingest": {"synthetic": {"routes": 400, "benchmark_share": 0.08, "unknown_share": 0.15}},
            "train": {"epochs": 2, "checkpoint_every": 0, "network": {"width": 16, "layers": 1, "heads": 2}},
        },
        commands=climb_commands,
        values={
            "ingest.sources": [{"format": "minimal", "path": "data/source/climb/mine.json"}],
            "ingest.peers": [{"board": "2016", "path": "data/source/climb/peer.json"}],
        },
    ),
    "retina": Example(
        small={
            "common": {"image_size": 32},
            "ingest": {"synthetic": {"photographs": 160, "size": 64}},
            "train": {"epochs": 1},
        },
        commands=retina_commands,
        values={
            "ingest.sources": [{"format": "folders", "path": "data/source/retina/mine", "images": None}],
        },
    ),
    "sessions": Example(
        small={
            "ingest": {"synthetic": {"songs": 160, "users": 90, "genres": 5, "scene_songs": 10, "explore": 0.1}},
            "train": {"epochs": 2, "checkpoint_every": 0, "model": "genre_gat"},
        },
        commands=sessions_commands,
        values={
            "ingest.sources": [
                {"format": "lightgcn", "path": "data/source/sessions/train.txt", "events": None},
            ]
        },
    ),
}
