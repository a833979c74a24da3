"""A first look at a trained network on its test playlists: `python -m benchmarks.playlists.mpd FOLDER`.

FOLDER is a clone in which `benchmarks/playlists/quality.py` has trained the row `mpd`. The network, its blend and the
strongest baselines, with settings chosen on validation before, are ranked over all tracks; nothing is tuned, and the
lists have 10 places: this takes minutes, where the evaluate stage takes most of an hour.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.measure import merge
from winnow.domains.playlists.evaluation.baselines import give
from winnow.domains.playlists.model.artifacts import read_blend
from winnow.domains.playlists.model.completion import Completer
from winnow.domains.playlists.model.network import PlaylistGAT
from winnow.judge.intervals import bootstrap, difference, ratio
from winnow.recommend.baselines import fit_item_knn, fit_item_knn_with_groups, fit_popularity, matrix_scorer
from winnow.recommend.ranking import Scorer, rank_by

KNN = {"neighbours": 50, "shrink": 20.0}
DECAY, FLOOR, ARTIST = 5.0, 0.1, 0.8
OPTIONS = {"resamples": 1000, "confidence": 0.95}


def main() -> None:
    folder = Path(sys.argv[1], "data/playlists")
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    splits, tracks = (pd.read_parquet(folder / name) for name in ("split/splits.parquet", "label/tracks.parquet"))
    popularity = pd.read_parquet(folder / "weight/sampling.parquet")["playlists"].to_numpy()
    count = int(splits["playlist_index"].max()) + 1
    data = give(splits, (count, len(tracks)), tuned_on=10, tested_on=count)
    model = PlaylistGAT.from_pretrained(folder / "train/model").eval()
    blend = read_blend(folder / "train/model")
    train, recent = data.train.matrix(), data.known.recency_matrix(DECAY, FLOOR)
    artist = tracks["artist_index"].to_numpy()
    scorers: dict[str, Scorer] = {
        "blend": Completer(model, blend).scorer(data.known),
        "network": Completer(model, None).scorer(data.known),
        "item_knn_recency": matrix_scorer(fit_item_knn(train, **KNN), recent),
        "item_knn_recency_artist": matrix_scorer(
            fit_item_knn_with_groups(train, **KNN, group=artist, weight=ARTIST), recent
        ),
        "item_knn": matrix_scorer(fit_item_knn(train, **KNN), data.known.matrix()),
        "popularity": matrix_scorer(fit_popularity(train), recent),
    }
    seen = popularity > 0
    held = np.array([seen[hidden].sum() for hidden in data.test.hidden])
    own, found = {}, {}
    for name, scorer in scorers.items():
        ranked = rank_by(scorer, data.test, places=10, block=256)
        of_seen = (ranked.hits & seen[ranked.lists]).sum(axis=1)
        own[name] = (
            ratio(of_seen / np.maximum(held, 1), held > 0),
            ratio(ranked.hits.sum(1) / ranked.relevant, held >= 0),
        )
        once = np.ones((1, len(held)), dtype=np.int64)
        found[name] = {"seen": float(own[name][0](once)[0]), "all": float(own[name][1](once)[0])}
        bounds = bootstrap(
            {"seen": own[name][0], "all": own[name][1]}, len(held), rng=np.random.default_rng(0), **OPTIONS
        )
        found[name] |= {f"{key}_{end}": getattr(each, end) for key, each in bounds.items() for end in ("low", "high")}
        print(name, found[name], flush=True)
    for first in ("blend", "network"):
        apart = {
            name: difference(own[first][1], own[name][1]) for name in ("item_knn_recency", "item_knn_recency_artist")
        }
        bounds = bootstrap(apart, len(held), rng=np.random.default_rng(0), **OPTIONS)
        found[f"{first} less"] = {name: vars(each) for name, each in bounds.items()}
    share = {"unseen_share": float(1 - held.sum() / sum(map(len, data.test.hidden))), "playlists": len(held)}
    weight = {"blend_weight": blend.weight if blend else 0.0, "parameters": sum(p.numel() for p in model.parameters())}
    merge("playlists/mpd", {"sampled_softmax": found | share | weight})


if __name__ == "__main__":
    main()
