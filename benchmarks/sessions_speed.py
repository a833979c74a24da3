"""How fast the network propagates and ranks, beside the bare operations: `python benchmarks/sessions_speed.py`.

One thread. Propagation: one sum song → user, forward and backward, 200,000 nodes, 2,000,000 edges, 64 dimensions,
4 heads. Ranking: 4,096 users, 40,000 songs, against a blocked product and `topk` without anything around them.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from measure import report

from winnow.domains.sessions.model.graph import build_graph
from winnow.domains.sessions.model.network import GraphRecommender
from winnow.domains.sessions.model.propagation import to_users
from winnow.domains.sessions.model.ranking import PLACES, rank
from winnow.domains.sessions.model.tensors import Held

NODES, EDGES, DIM, HEADS = 100_000, 2_000_000, 64, 4
USERS, SONGS, BLOCK = 4096, 40_000, 512
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
    graph = build_graph(pairs // NODES, pairs % NODES, (NODES, NODES))
    torch.manual_seed(0)
    songs = torch.randn(NODES, DIM, requires_grad=True)
    weights = graph.rarity[graph.song]
    matrix = torch.sparse_csr_tensor(graph.starts, graph.song, weights, graph.shape, check_invariants=False)
    turned = torch.sparse_csr_tensor(
        graph.song_starts, graph.listener, weights[graph.by_song], (NODES, NODES), check_invariants=False
    )
    fixed, learned = (
        GraphRecommender(
            songs=NODES, embeddings=1, genres=0, embedding_dim=DIM, heads=HEADS, layers=1, learned_attention=attention,
            temperature=1.0, dropout=0.0, genre_weight=0.0, sides=["train"],
        )
        for attention in (False, True)
    )  # fmt: skip
    both = torch.stack([graph.song + NODES, graph.user])
    nodes = torch.randn(2 * NODES, DIM, requires_grad=True)
    gat, lightgcn = GATConv(DIM, DIM // HEADS, heads=HEADS, add_self_loops=False), LGConv()

    def product() -> None:
        matrix @ songs.detach()
        turned @ songs.detach()

    return timed(
        {
            "csr_product": product,
            "fixed": lambda: to_users(fixed.flow(graph, songs), songs).sum().backward(),
            "attention": lambda: to_users(learned.flow(graph, songs), songs).sum().backward(),
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
    graph = build_graph(np.arange(USERS), rng.integers(SONGS, size=USERS), (USERS, SONGS))
    held = Held(graph, torch.zeros(USERS, dtype=torch.int64), np.arange(USERS), hidden, known)
    turned = songs.T.contiguous()

    def bare() -> None:
        for start in range(0, USERS, BLOCK):
            torch.topk(users[start : start + BLOCK] @ turned, PLACES, dim=1)

    return timed({"bare": bare, "ranking": lambda: rank(users, songs, bias, held, BLOCK)})


def main() -> None:
    torch.set_num_threads(1)
    sums, lists = propagation(), ranking()
    report(
        "sessions_speed",
        {
            "propagation_seconds": sums,
            "fixed_over_csr_product": sums["fixed"] / sums["csr_product"],
            "attention_over_csr_product": sums["attention"] / sums["csr_product"],
            "ranking_seconds": lists,
            "ranking_speed_over_bare": lists["bare"] / lists["ranking"],
        },
    )


if __name__ == "__main__":
    main()
