"""torch_geometric's HeteroConv and HGTConv over the tracks, artists and genres of playlists, by their formulas."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.conftest import ROOT
from tests.library.domains.playlists import small
from winnow.domains.playlists.model.network import PlaylistGAT, encode_lists

NAMES = ("HeteroConv", "HGTConv")
EACH = 4
"""Dimensions of a head of `small.network`'s two."""
OWN = [4, 9, 17, 8, 3, 14]
"""The last tracks of a playlist, the last one first: 9 and 17 have one artist, of two genres; 4's has none."""
Neighbours = list[tuple[str, Tensor]]


def neighbours_of(model: PlaylistGAT, own: list[int]) -> tuple[Neighbours, Tensor]:
    """The playlist's neighbours, (type, vector), one for every edge, and its own vector: the mean of the tracks."""
    _, vectors = model.all_tracks()
    share = torch.softmax(model.gate[: len(own)], dim=0) * len(own)
    found: Neighbours = []
    for place, track in enumerate(own):
        found.append(("track", vectors[track] * share[place].repeat_interleave(EACH)))
        artist = int(small.ARTIST_OF[track])
        if artist >= 0:
            found.append(("artist", model.artist[artist]))
            genres = small.GENRES.loc[small.GENRES["artist_index"] == artist, "genre_index"]
            found += [("genre", model.genre[genre]) for genre in genres]
    return found, vectors[own].mean(dim=0)


def hetero_by_hand(model: PlaylistGAT, own: list[int]) -> Tensor:
    """The sum over the types of GATConv's attention among the neighbours of the type."""
    neighbours, mean = neighbours_of(model, own)
    state = {name.replace("<", "").replace(">", ""): value for name, value in model.convolution.state_dict().items()}
    whole = torch.zeros(2 * EACH)
    for kind in ("track", "artist", "genre"):
        parts = {
            name: next(value for key, value in state.items() if kind in key.split("___")[0] and key.endswith(name))
            for name in ("att_src", "att_dst", "lin_src.weight", "lin_dst.weight", "bias")
        }
        sources = [(parts["lin_src.weight"] @ vector).view(2, EACH) for of, vector in neighbours if of == kind]
        common = (parts["att_dst"][0] * (parts["lin_dst.weight"] @ mean).view(2, EACH)).sum(dim=1)
        if sources:
            logits = torch.stack([(parts["att_src"][0] * each).sum(dim=1) + common for each in sources])
            share = torch.where(logits > 0, logits, 0.2 * logits).softmax(dim=0)
            whole += (share[:, :, None] * torch.stack(sources)).sum(dim=0).flatten()
        whole += parts["bias"]
    return whole


def hgt_by_hand(model: PlaylistGAT, own: list[int]) -> Tensor:
    """Attention among all neighbours (Hu et al. 2020), with keys and values by node type and by edge type."""
    neighbours, mean = neighbours_of(model, own)
    hgt = model.convolution.convolution
    kinds = ["track", "artist", "genre"]

    def projected(kind: str, vector: Tensor) -> list[Tensor]:
        lin = hgt.kqv_lin.lins[kind]
        return [part.view(2, EACH) for part in (lin.weight @ vector + lin.bias).split(2 * EACH)]

    query = projected("playlist", mean)[1]
    logits, values = [], []
    for kind, vector in neighbours:
        key, _, value = projected(kind, vector)
        of_head = [head * len(kinds) + kinds.index(kind) for head in range(2)]
        key = torch.stack([key[head] @ hgt.k_rel.weight[row] for head, row in enumerate(of_head)])
        values.append(torch.stack([value[head] @ hgt.v_rel.weight[row] for head, row in enumerate(of_head)]))
        prior = hgt.p_rel["__".join((kind, "in", "playlist"))][0]
        logits.append((query * key).sum(dim=1) * prior / EACH**0.5)
    share = torch.stack(logits).softmax(dim=0)
    summed = (share[:, :, None] * torch.stack(values)).sum(dim=0).flatten()
    lin, skip = hgt.out_lin.lins["playlist"], hgt.skip["playlist"].sigmoid()
    return skip * (lin.weight @ torch.nn.functional.gelu(summed) + lin.bias) + (1 - skip) * mean


@torch.no_grad()
@pytest.mark.parametrize(("name", "by_hand"), [("HeteroConv", hetero_by_hand), ("HGTConv", hgt_by_hand)])
@pytest.mark.parametrize("own", [OWN, OWN[1:3], [4], [8]], ids=str)
def test_a_playlist_s_vector_is_the_formula_s(
    name: str, by_hand: Callable[[PlaylistGAT, list[int]], Tensor], own: list[int]
) -> None:
    """Track 8 has no artist."""
    assert small.ARTIST_OF[OWN].tolist() == [3, 0, 0, -1, 2, 5]
    model = small.network(small.sequences(), convolution=name)
    lists = torch.tensor([own, OWN[: len(own)]])
    found = encode_lists(model, model.all_tracks()[1], lists)[0]
    expected = by_hand(model, own) @ model.query
    torch.testing.assert_close(found, expected / expected.norm(), atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_a_batch_in_training_has_the_artists_and_genres_of_the_given_tracks(name: str) -> None:
    """Without the walk, whose edges to the tracks to find are left out in training."""
    given = small.sequences()
    model = small.network(given, convolution=name)
    batch = small.loader(given).of_playlists(np.array([2, 5, 11]), np.random.default_rng(0))
    model.propagation_weight.zero_()
    inside, place = batch["inside"], batch["place"]
    last = torch.full((inside.numel(),), -1).index_copy(0, place, batch["track"][: len(place)]).view(inside.shape)
    expected = encode_lists(model, model.all_tracks()[1], last)
    torch.testing.assert_close(model(batch)[0][:, :-1], expected, atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("without", "kinds"), [(["genres"], {"track", "artist"}), (["artists"], {"track"})])
def test_a_part_that_the_network_does_without_is_no_node(name: str, without: list[str], kinds: set[str]) -> None:
    model = small.network(small.sequences(), convolution=name, without=without)
    assert set(model.convolution.edge_types) == kinds
    lists = torch.tensor([OWN])
    before = encode_lists(model, model.all_tracks()[1], lists)
    model.genre.add_(1)
    if "artists" in without:
        model.artist.add_(1)
    assert encode_lists(model, model.all_tracks()[1], lists).equal(before)
    assert set(small.network(small.sequences(), convolution=name, genres=False).convolution.edge_types) == {
        "track",
        "artist",
    }


def test_torch_geometric_is_imported_where_it_is_chosen_and_nowhere_else() -> None:
    code = (
        "import sys\nfrom tests.library.domains.playlists import small\n"
        "for name in ('own', 'HGTConv'):\n"
        "    small.network(small.sequences(), convolution=name)\n"
        "    print('torch_geometric' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
