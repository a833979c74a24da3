"""Gowalla's settings on training rows held out in blocks: `python -m benchmarks.sessions.blocks FOLDER [NAME …]`.

The official test is no random part of the data. Neither is what a user visits last, and the training rows tell so
themselves: places are numbered by their first appearance, so the places that are new with a user stand in the order of
the user's original list, and there neighbours have many visitors in common. Here a fifth of every user's training rows
is to be found: a place and those most like it, with noise of such strength that the places of a block are as alike as
those of the first and the last fifths of the known lists. FOLDER becomes a clone; the official test is not read.
Results: `benchmarks/sessions/results/blocks.json`; what is done is not run again.
"""

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmarks.measure import clone, kept, merge, run
from benchmarks.sessions.quality import GOWALLA, SHARED
from winnow.pipeline import presets

SHARE, NOISE = 0.2, 1.0
KNOWN_LISTS = 3000
"""Users, the first ones, of whose places many are new: at least 20 count."""
RATE, EPOCHS = "sessions.train.learning_rate", "sessions.train.epochs"
TEMPERATURE = "sessions.train.network.temperature"
TRIED: dict[str, dict[str, Any]] = {
    "temperature 0.2, 12 epochs": {TEMPERATURE: 0.2, EPOCHS: 12},
    "temperature 0.3, 12 epochs": {TEMPERATURE: 0.3, EPOCHS: 12},
    "temperature 0.3, 15 epochs": {TEMPERATURE: 0.3, EPOCHS: 15},
    "temperature 0.45, 18 epochs": {TEMPERATURE: 0.45, EPOCHS: 18},
    "temperature 0.45, 24 epochs": {TEMPERATURE: 0.45, EPOCHS: 24},
    "temperature 0.6, 18 epochs, learning rate 0.02": {TEMPERATURE: 0.6, EPOCHS: 18, RATE: 0.02},
}
FEW = {
    f"sessions.evaluate.baselines.{name}": value
    for name, value in {"ease_songs": 100, "als_factors": [8], "als_iterations": 1, "knn_neighbours": [10]}.items()
}
"""Baselines that are not looked at here."""


def lists() -> list[NDArray[np.int64]]:
    """The places of each user's training rows."""
    text = gzip.decompress((SHARED / GOWALLA[0] / GOWALLA[2]).read_bytes()).decode()
    return [np.array(line.split()[1:], dtype=np.int64) for line in text.splitlines()]


def likeness(places: list[NDArray[np.int64]]) -> Iterator[NDArray[np.float32]]:
    """The cosine of the visitors of every two of a user's places, (places, places), 0 of a place with itself."""
    users = np.repeat(np.arange(len(places)), list(map(len, places)))
    visits = sparse.csr_matrix((np.ones(len(users), dtype=np.float32), (np.concatenate(places), users)))
    length = np.sqrt(np.maximum(np.asarray(visits.sum(axis=1)).ravel(), 1))
    unit = (sparse.diags(1 / length) @ visits).tocsr().astype(np.float32)
    for own in places:
        alike = (unit[own] @ unit[own].T).toarray()
        np.fill_diagonal(alike, 0)
        yield alike


def block(alike: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.int64]:
    """The rows of one block."""
    count, first = len(alike), int(rng.integers(len(alike)))
    order = np.log(alike[first] + 0.01) + NOISE * rng.gumbel(size=count)
    order[first] = np.inf
    return np.argsort(-order)[: round(SHARE * count)]


def inside(alike: NDArray[np.float32], rows: NDArray[np.int64]) -> float:
    """How alike the places of some rows are on average."""
    return float(alike[np.ix_(rows, rows)].sum() / (len(rows) * (len(rows) - 1)))


def how_alike(places: list[NDArray[np.int64]], rng: np.random.Generator) -> dict[str, float]:
    """The means over the known lists: of their first and last fifths, of blocks, and of as many places at random."""
    found: dict[str, list[float]] = {"first and last fifths": [], "blocks": [], "at random": []}
    known = 0
    for own, alike in zip(places[:KNOWN_LISTS], likeness(places), strict=False):
        new = np.flatnonzero(own >= known)  # the numbers go up in the order of the original list
        known = max(known, int(own.max(initial=-1)) + 1)
        if len(new) >= 20:
            part, count = alike[np.ix_(new, new)], round(SHARE * len(new))
            every = np.arange(len(new))
            found["first and last fifths"] += [inside(part, every[:count]), inside(part, every[-count:])]
            found["blocks"].append(inside(part, block(part, rng)))
            found["at random"].append(inside(part, rng.permutation(every)[:count]))
    return {name: round(float(np.mean(values)), 4) for name, values in found.items()}


def write_blocks(folder: Path) -> dict[str, float]:
    """train.txt and test.txt in `folder`, of the training rows alone; gives how alike their places are."""
    places, rng = lists(), np.random.default_rng(11)
    measured = how_alike(places, rng)
    train, test = [], []
    for user, (own, alike) in enumerate(zip(places, likeness(places), strict=True)):
        held = block(alike, rng) if len(own) else own
        for lines, part in ((train, np.delete(own, held)), (test, own[held])):
            lines.append(" ".join(map(str, [user, *np.sort(part)])))
    for name, lines in (("train.txt", train), ("test.txt", test)):
        (folder / name).write_text("\n".join(lines) + "\n")
    return measured


def judged(copy: Path, values: dict[str, Any]) -> dict[str, dict[str, float]]:
    """What the network, the filter and both find of the blocks, by the preset with these values."""
    run(["git", "checkout", "-q", "params.yaml"], copy)
    run(["winnow", "preset", "sessions", "gowalla", "--apply"], copy)
    source = [{"format": "lightgcn", "path": "data/source/sessions/train.txt", "events": None}]
    presets.apply({"sessions.ingest.sources": source} | FEW | values, copy / "params.yaml")
    run(["dvc", "repro", "evaluate@sessions"], copy)
    found = json.loads((copy / "metrics/sessions/judgement.json").read_text())
    parts = {
        "network and filter": found["model"],
        "network": found["reference"]["network"],
        "filter": found["baseline"]["graph_filter"],
    }
    return {name: {key: own[key] for key in ("recall_at_20", "ndcg_at_20")} for name, own in parts.items()}


def main() -> None:
    folder, *asked = sys.argv[1:]
    copy = Path(folder)
    if not copy.exists():
        clone(copy)
    merge("sessions/blocks", {"alike": write_blocks(copy / "data/source/sessions")})
    for name in asked or TRIED:
        if name not in kept("sessions/blocks"):
            merge("sessions/blocks", {name: judged(copy, TRIED[name])})


if __name__ == "__main__":
    main()
