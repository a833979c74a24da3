"""How fast the network propagates and ranks, beside the bare operations: `python -m benchmarks.sessions.speed`.

One thread. Propagation: one sum song → user, forward and backward, 200,000 nodes, 2,000,000 edges, 64 dimensions,
4 heads. Ranking: 4,096 users, 40,000 songs, against a blocked product and `topk` without anything around them. Epoch:
Gowalla's training rows once through LightGCN's sums (64 dimensions, 3 layers), by the network of the preset gowalla and
by torch_geometric.nn.LightGCN in as many steps; measured on a few steps.
"""

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.measure import ROOT, data_of, report
from winnow.domains.sessions.model.network import GraphRecommender
from winnow.domains.sessions.model.training import RecommenderTask
from winnow.domains.sessions.params import Train
from winnow.domains.sessions.source import lightgcn
from winnow.learn.samplers import BatchShare
from winnow.pipeline.params import Document
from winnow.recommend.batches import UserLoader
from winnow.recommend.evaluation_set import EvaluationSet
from winnow.recommend.graph import build_graph
from winnow.recommend.negatives import NegativeSampler
from winnow.recommend.propagation import to_users
from winnow.recommend.ranking import dot_scorer, rank_by

NODES, EDGES, DIM, HEADS = 100_000, 2_000_000, 64, 4
USERS, SONGS, BLOCK, PLACES = 4096, 40_000, 512, 20
STEP_ROWS = 32_768
REPEATS = 5


def timed(work: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median seconds of each, in turn so that all see the same machine."""
    taken: dict[str, list[float]] = {name: [] for name in work}
    for repeat in range(REPEATS + 1):
        for name, call in work.items():
            began = time.perf_counter()
            call()
            if repeat:
                taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def propagation() -> dict[str, float]:
    from torch_geometric.nn import GATConv, LGConv  # noqa: PLC0415

    rng = np.random.default_rng(0)
    pairs = np.unique(rng.integers(NODES * NODES, size=EDGES))
    graph = build_graph((pairs // NODES, pairs % NODES), (NODES, NODES))
    torch.manual_seed(0)
    songs = torch.randn(NODES, DIM, requires_grad=True)
    weights = graph.inv_sqrt_degree[graph.item]
    matrix = torch.sparse_csr_tensor(graph.indptr, graph.item, weights, graph.shape, check_invariants=False)
    turned = torch.sparse_csr_tensor(
        graph.item_indptr, graph.user_by_item, weights[graph.by_item], (NODES, NODES), check_invariants=False
    )
    fixed, learned = (
        GraphRecommender(
            songs=NODES, embeddings=1, genres=0, embedding_dim=DIM, heads=HEADS, layers=1, learned_attention=attention,
            temperature=1.0, dropout=0.0, genre_weight=0.0, splits=["train"], convolution="own",
        )
        for attention in (False, True)
    )  # fmt: skip
    both = torch.stack([graph.item + NODES, graph.user])
    nodes = torch.randn(2 * NODES, DIM, requires_grad=True)
    gat, lightgcn = GATConv(DIM, DIM // HEADS, heads=HEADS, add_self_loops=False), LGConv()

    def product() -> None:
        matrix @ songs.detach()
        turned @ songs.detach()

    return timed(
        {
            "csr_product": product,
            "fixed": lambda: to_users(fixed.edge_weights(graph, songs), songs).sum().backward(),
            "attention": lambda: to_users(learned.edge_weights(graph, songs), songs).sum().backward(),
            "pyg_lgconv": lambda: lightgcn(nodes, both).sum().backward(),
            "pyg_gatconv": lambda: gat(nodes, both).sum().backward(),
        }
    )


def ranking() -> dict[str, float]:
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    users, songs, bias = torch.randn(USERS, DIM), torch.randn(SONGS, DIM), torch.randn(SONGS)
    known = [np.unique(rng.integers(SONGS, size=30)) for _ in range(USERS)]
    hidden = [np.setdiff1d(rng.integers(SONGS, size=8), songs_of) for songs_of in known]
    graph = build_graph((np.arange(USERS), rng.integers(SONGS, size=USERS)), (USERS, SONGS))
    held = EvaluationSet(graph, np.arange(USERS), hidden, known)
    turned = songs.T.contiguous()

    def bare() -> None:
        for start in range(0, USERS, BLOCK):
            torch.topk(users[start : start + BLOCK] @ turned, PLACES, dim=1)

    def ranked() -> None:
        rank_by(dot_scorer(users, songs, bias), held, places=PLACES, block=BLOCK)

    return timed({"bare": bare, "ranking": ranked})


def epoch() -> dict[str, float]:
    """Seconds an epoch: forward, backward and Adam for every training row of Gowalla."""
    from torch_geometric.nn import LightGCN  # noqa: PLC0415

    plays = lightgcn.read(data_of("sessions") / "lightgcn-gowalla/train.txt.gz").plays
    pairs = plays[plays["official_split"] == "train"][["user", "song"]].astype("int64").to_numpy()
    shape = (int(pairs[:, 0].max()) + 1, int(pairs[:, 1].max()) + 1)
    graph = build_graph((pairs[:, 0], pairs[:, 1]), shape)
    torch.manual_seed(0)
    ours = GraphRecommender(
        songs=shape[1], embeddings=shape[1], genres=0, embedding_dim=DIM, heads=HEADS, layers=3,
        learned_attention=False, temperature=0.15, dropout=0.0, genre_weight=0.0, splits=["train"], convolution="own",
    )  # fmt: skip
    theirs = LightGCN(sum(shape), DIM, 3)
    frequency = graph.popularity.numpy() ** 0.75
    loader = UserLoader(
        graph, np.ones(len(pairs), dtype=np.float32), NegativeSampler(frequency / frequency.sum(), graph),
        BatchShare(STEP_ROWS, 1, 1, 0), shared_negatives=4096, hidden_share=0.5,
    )  # fmt: skip
    batches = (loader.batch(0, index) for index in range(len(loader.sampler)))
    both = torch.stack([graph.user, graph.item + shape[0]])
    edges = torch.cat([both, both.flip(0)], dim=1)
    rng = np.random.default_rng(0)
    steps = {"ours": torch.optim.Adam(ours.parameters()), "pyg_lightgcn": torch.optim.Adam(theirs.parameters())}

    values = Document(ROOT / "params.yaml").content["sessions"]["train"] | {"loss": "sampled_softmax", "l2": 0.0}
    nothing: Any = None
    task = RecommenderTask(nothing, nothing, nothing, Train.model_validate(values), nothing)  # for its loss alone

    def our_loss() -> torch.Tensor:
        batch = next(batches) | {"graph": graph, "types": torch.zeros(shape[0], dtype=torch.int64)}
        loss = task.loss(ours, batch)
        return loss.total / loss.count

    def their_loss() -> torch.Tensor:
        chosen = both[:, torch.from_numpy(rng.integers(both.shape[1], size=STEP_ROWS))]
        negative = torch.from_numpy(rng.integers(shape[0], sum(shape), size=STEP_ROWS))
        ranks = theirs(edges, torch.cat([chosen, torch.stack([chosen[0], negative])], dim=1)).chunk(2)
        return theirs.recommendation_loss(*ranks, torch.unique(torch.cat([chosen.flatten(), negative])))

    def step(name: str, loss: Callable[[], torch.Tensor]) -> None:
        steps[name].zero_grad()
        loss().backward()
        steps[name].step()

    seconds = timed({"ours": lambda: step("ours", our_loss), "pyg_lightgcn": lambda: step("pyg_lightgcn", their_loss)})
    return {name: each * len(loader.sampler) for name, each in seconds.items()}


def main() -> None:
    torch.set_num_threads(1)
    sums, lists, epochs = propagation(), ranking(), epoch()
    report(
        "sessions/speed",
        {
            "propagation_seconds": sums,
            "fixed_over_csr_product": sums["fixed"] / sums["csr_product"],
            "attention_over_csr_product": sums["attention"] / sums["csr_product"],
            "gowalla_epoch_seconds": epochs,
            "gowalla_epoch_over_pyg_lightgcn": epochs["ours"] / epochs["pyg_lightgcn"],
            "ranking_seconds": lists,
            "ranking_speed_over_bare": lists["bare"] / lists["ranking"],
        },
    )


if __name__ == "__main__":
    main()
