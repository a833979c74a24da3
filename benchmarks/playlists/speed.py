"""How PlaylistGAT grows, and two ways to train it: `python -m benchmarks.playlists.speed [PART …]`.

scale: processor seconds and memory of an epoch over 1,000, 5,000, 20,000 and 50,000 generated playlists of 66 tracks
(200,000 tracks), each in a process of its own; steps are timed by their parts on some of the epoch and counted up,
beside the vectors that a step touches. every_track: the same with a vector for every track of a playlist. ranking:
2,048 playlists against 200,000 tracks, beside a blocked product and `topk` without anything around them. formulations:
a step of 128 playlists by the loader's nearest edges, and by sums over the whole graph of playlists and tracks
(LightGCN's two hops) as products of sparse matrices. completion: 1,000 lists of titles, some fifty tracks each.
convolutions: an epoch over 1,200 of these playlists (10,000 tracks) by each convolution, with params.yaml's settings;
their steps take turns. One thread; processor seconds, since other work may share the machine.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from benchmarks.measure import ROOT, merge
from winnow.domains.playlists.inference import PlaylistCompleter
from winnow.domains.playlists.model.artifacts import Artifacts, write_settings
from winnow.domains.playlists.model.batches import PlaylistLoader, TrackGraph
from winnow.domains.playlists.model.completion import Neighbourhood, genres_of_tracks, similar_tracks
from winnow.domains.playlists.model.network import PlaylistGAT
from winnow.domains.playlists.model.sequences import Sequences, sequences_of
from winnow.domains.playlists.model.tensors import build_model, track_graph
from winnow.domains.playlists.model.training import CompleterTask
from winnow.domains.playlists.params import Blend, Convolution, Network, Synthetic, Train, Weight
from winnow.domains.playlists.rules.weights import track_edges, weigh_tracks
from winnow.domains.playlists.source import synthetic
from winnow.learn.devices import keep_freed_memory
from winnow.learn.samplers import BatchShare
from winnow.pipeline.params import Document
from winnow.recommend.chances import Chances
from winnow.recommend.evaluation_set import EvaluationSet
from winnow.recommend.graph import build_graph
from winnow.recommend.propagation import to_items, to_users, weigh_edges
from winnow.recommend.ranking import dot_scorer, rank_by
from winnow.recommend.typed import TypedList, Wanted
from winnow.recommend.words import fit_words

SIZES = (1_000, 5_000, 20_000, 50_000)
TRACKS, ARTISTS, DIM = 200_000, 27_000, 96
STEPS = 24
NETWORK = Network(embedding_dim=DIM, heads=4, history=100, temperature=0.08, dropout=0.0, without=[], convolution="own")
WEIGHT = Weight(negatives="popularity", popularity_exponent=0.75, min_playlists=3, neighbours=32, shrink=20.0)


@cache
def task() -> CompleterTask:
    """A training of `NETWORK`, for its loss alone."""
    values = Document(ROOT / "params.yaml").content["playlists"]["train"] | {"loss": "sampled_softmax"}
    params = Train.model_validate(values).model_copy(update={"network": NETWORK})
    nothing: Any = None
    return CompleterTask(nothing, nothing, nothing, 0, nothing, params, nothing)


def world(
    playlists: int, min_playlists: int = 3, tracks: int = TRACKS
) -> tuple[Sequences, TrackGraph, NDArray[np.float64], PlaylistGAT, float]:
    """Generated playlists, their graph, the chances of negatives, a network, and the seconds of making the edges."""
    weight = WEIGHT.model_copy(update={"min_playlists": min_playlists})
    artists = min(ARTISTS, tracks // 7)
    params = Synthetic(playlists=playlists, tracks=tracks, artists=artists, genres=12, mean_length=66, explore=0.1)
    made = synthetic.make_world(params, np.random.default_rng(0))
    parts = []
    for piece in synthetic.make_pieces(params, made, np.random.default_rng(1)):
        number = piece.entries["track"].str[1:].astype("int64")
        parts.append(piece.entries[["playlist", "position"]].assign(track_index=number))
    entries = pd.concat(parts).rename(columns={"playlist": "playlist_index"})
    sequences = sequences_of(entries, playlists, tracks)
    began = time.process_time()
    sampling = weigh_tracks(tracks, entries, weight)
    edges = pd.concat(track_edges(entries, sampling, weight), ignore_index=True)
    seconds = time.process_time() - began
    settings = pd.DataFrame({"neighbours": [weight.neighbours], "shrink": [weight.shrink]})
    graph = track_graph(pd.DataFrame({"artist_index": made.artist}), edges, sampling, settings)
    none = pd.DataFrame({"artist_index": [], "genre_index": [], "share": []}).astype("int64")
    model = build_model(NETWORK, graph, none, artists)
    return sequences, graph, sampling["probability"].to_numpy(), model, seconds


def loader_of(sequences: Sequences, graph: TrackGraph, probability: NDArray[np.float64], batch: int) -> PlaylistLoader:
    return PlaylistLoader(
        sequences, graph, probability, BatchShare(batch, 1, 1, 0),
        loss="sampled_softmax", negatives=4096, targets=5, min_context_share=0.5, history=NETWORK.history,
    )  # fmt: skip


def per_step(step: Callable[[int], object], steps: int = STEPS) -> float:
    """Median processor seconds of a step, after two that warm up."""
    taken = []
    for number in range(steps + 2):
        began = time.process_time()
        step(number)
        taken.append(time.process_time() - began)
    return statistics.median(taken[2:])


def one_size(playlists: int, min_playlists: int) -> dict[str, float]:
    sequences, graph, probability, model, edge_seconds = world(playlists, min_playlists)
    loader = loader_of(sequences, graph, probability, batch=64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def parts(number: int) -> NDArray[np.float64]:
        marks = [time.process_time()]
        batch = loader.batch(0, number % len(loader.sampler))
        marks.append(time.process_time())
        loss = task().loss(model, batch)
        marks.append(time.process_time())
        optimizer.zero_grad(set_to_none=True)
        (loss.total / loss.count).backward()
        marks.append(time.process_time())
        optimizer.step()
        marks.append(time.process_time())
        return np.diff(marks)

    taken = np.median([parts(number) for number in range(STEPS + 2)][2:], axis=0)
    names = ("batch_seconds", "forward_seconds", "backward_seconds", "update_seconds")
    return {
        "steps": len(loader.sampler),
        "step_seconds": taken.sum(),
        **dict(zip(names, taken, strict=True)),
        "vectors_a_step": len(loader.batch(0, 0)["track_columns"].unique()),
        "epoch_seconds": taken.sum() * len(loader.sampler),
        "edges_seconds": edge_seconds,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def scale(min_playlists: int = 3) -> dict[str, object]:
    """Each size in its own process, whose memory is then its own; `min_playlists` of `playlists.weight`."""
    found = {}
    for size in SIZES:
        command = [sys.executable, "-m", "benchmarks.playlists.speed", "size", str(size), str(min_playlists)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        found[str(size)] = json.loads(done.stdout.splitlines()[-1])
        print(size, found[str(size)], flush=True)
    first, last = found[str(SIZES[0])], found[str(SIZES[-1])]
    times = SIZES[-1] / SIZES[0]
    return found | {
        "growth over linear": {
            name: last[name] / first[name] / times for name in ("epoch_seconds", "edges_seconds", "peak_gib")
        }
    }


def ranking() -> dict[str, float]:
    """Throughput of ranking over that of a bare blocked product with `topk`, for lists of 100 and of 500."""
    rng = np.random.default_rng(0)
    count, block = 2048, 256
    users, items = torch.randn(count, DIM), torch.randn(TRACKS, DIM)
    bias, transposed = torch.zeros(TRACKS), items.T.contiguous()
    known = [np.sort(rng.permutation(TRACKS)[:66]) for _ in range(count)]
    hidden = [np.sort(rng.permutation(TRACKS)[:5]) for _ in range(count)]
    pairs = np.repeat(np.arange(count), 66), np.concatenate(known)
    held = EvaluationSet(build_graph(pairs, (count, TRACKS)), np.arange(count), hidden, known)
    found = {}
    for places in (100, 500):

        def bare(_: int, places: int = places) -> None:
            for start in range(0, count, block):
                (users[start : start + block] @ transposed).topk(places, dim=1)

        def ours(_: int, places: int = places) -> None:
            rank_by(dot_scorer(users, items, bias), held, places=places, block=block)

        bare_seconds, own_seconds = per_step(bare, 2), per_step(ours, 2)
        found |= {f"bare_{places}": bare_seconds, f"rank_by_{places}": own_seconds}
        found[f"speed_{places}"] = bare_seconds / own_seconds
    return found


def formulations() -> dict[str, float]:
    """A step of 128 of 5,000 playlists in both formulations."""
    sequences, graph, probability, model, _ = world(5_000)
    loader = loader_of(sequences, graph, probability, batch=128)

    def nearest(number: int) -> None:
        loss = task().loss(model, loader.batch(0, number))
        (loss.total / loss.count).backward()
        model.zero_grad(set_to_none=True)

    whole = loader.known

    def full(number: int) -> None:
        batch = loader.batch(0, number)
        keep = torch.ones(len(whole.item), 1)
        keep[:: len(whole.item) // len(batch["target_list"])] = 0
        weights = weigh_edges(whole, keep, torch.diff(whole.indptr))
        plain = model.plain()
        vectors = plain + to_items(weights, to_users(weights, plain))
        rows = vectors.index_select(0, batch["track"])
        rows.square().sum().backward()
        model.zero_grad(set_to_none=True)

    return {"nearest_edges_step_seconds": per_step(nearest), "whole_graph_step_seconds": per_step(full, 5)}


def convolutions() -> dict[str, dict[str, float]]:
    """Seconds of an epoch, steps times the median step, by each convolution."""
    sequences, graph, probability, made, _ = world(1_200, tracks=10_000)
    section = Document(ROOT / "params.yaml").content["playlists"]["train"]
    options = {name: section[name] for name in ("loss", "negatives", "targets", "min_context_share")}
    share = BatchShare(section["batch_size"], 1, 1, 0)
    loader = PlaylistLoader(sequences, graph, probability, share, history=section["network"]["history"], **options)
    artist = np.arange(len(made.artist))
    genres = pd.DataFrame({"artist_index": artist, "genre_index": artist % 12, "share": 1.0})
    networks, optimizers = {}, {}
    for name in get_args(Convolution):
        network = Network.model_validate(section["network"] | {"convolution": name})
        networks[name] = build_model(network, graph, genres, len(artist))
        optimizers[name] = torch.optim.AdamW(networks[name].parameters(), lr=1e-3, fused=True)
    taken: dict[str, list[float]] = {name: [] for name in networks}
    for number in range(STEPS + 2):
        for name, network in networks.items():
            began = time.process_time()
            loss = task().loss(network, loader.batch(0, number))
            optimizers[name].zero_grad(set_to_none=True)
            (loss.total / loss.count).backward()
            optimizers[name].step()
            taken[name].append(time.process_time() - began)
    steps = len(loader.sampler)
    return {name: {"steps": steps, "epoch_seconds": steps * statistics.median(own[2:])} for name, own in taken.items()}


def completion() -> dict[str, float]:
    """Lists a second of a file of 1,000, by titles, with a model's folder of 200,000 tracks and one of 10,000."""
    found = {}
    for tracks in (TRACKS, 10_000):
        with tempfile.TemporaryDirectory() as folder:
            lists = model_folder(Path(folder), tracks)
            completer = PlaylistCompleter(Path(folder), torch.device("cpu"))

            def all_lists(_: int, completer: PlaylistCompleter = completer, lists: list[TypedList] = lists) -> None:
                assert sum(1 for _ in completer.complete_all(lists, 10)) == len(lists)

            found[f"{tracks}_tracks"] = len(lists) / per_step(all_lists, 3)
    return found


def model_folder(folder: Path, count: int) -> list[TypedList]:
    """Write an untrained model of `count` tracks and 20,000 playlists; gives 1,000 of them by their titles."""
    sequences, _, _, model, _ = world(20_000, tracks=count)
    artist = model.artist_of.numpy()
    named = int(artist.max()) + 1
    values = Document(ROOT / "params.yaml").content["playlists"]["train"]["blend"]
    number = np.arange(count)
    tracks = pd.DataFrame({"track_index": number, "track": [f"t{each}" for each in number]})
    tracks["title"] = [f"Title {each}" for each in number]
    tracks["artist_index"] = artist
    names = [f"Artist {each}" for each in range(named)]
    artists = pd.DataFrame({"artist_index": np.arange(named), "artist": names})
    genres = pd.DataFrame({"genre_index": np.arange(12), "genre": [f"genre {each}" for each in range(12)]})
    edges = pd.DataFrame({"artist_index": np.arange(named), "genre_index": np.arange(named) % 12, "share": 1.0})
    popularity = np.bincount(sequences.track, minlength=count)
    owner = np.repeat(np.arange(len(sequences)), sequences.lengths())
    words = fit_words([""] * len(sequences), owner, sequences.track, popularity)
    about = Artifacts(tracks.assign(playlists=popularity), artists, genres, edges, 5, words, frozenset())
    near = Neighbourhood(
        weight=0.5,
        **{name: values[name] for name in ("decay", "floor", "artist_weight", "genre_weight")},
        similar=similar_tracks(sequences, Blend.model_validate(values)),
        artist=artist,
        popularity=popularity.astype(np.float32),
        genres=genres_of_tracks(artist, edges),
    )
    model.save_pretrained(folder)
    about.write(folder)
    write_settings(folder, about, near, Chances(1.0, 0.0, 1.0))
    own = [sequences.track[sequences.indptr[each] : sequences.indptr[each + 1]] for each in range(1_000)]
    return [TypedList(tuple(Wanted(f"{names[artist[t]]} – Title {t}") for t in each)) for each in own]


PARTS: dict[str, Callable[[], dict[str, object]]] = {
    "formulations": formulations, "ranking": ranking, "scale": scale, "every_track": partial(scale, 1),
    "completion": completion, "convolutions": convolutions,
}  # type: ignore[dict-item]  # fmt: skip


def main() -> None:
    torch.set_num_threads(1)
    keep_freed_memory()
    asked = sys.argv[1:]
    if asked[:1] == ["size"]:
        print(json.dumps(one_size(*map(int, asked[1:]))))
        return
    for name in asked or PARTS:
        merge("playlists/speed", {name: PARTS[name]()})


if __name__ == "__main__":
    main()
