"""SASRec reads the order, learns what comes next, and never sees what comes after."""

import numpy as np
import pytest
import torch

from tests.library.domains.playlists import small
from winnow.domains.playlists.evaluation import sasrec
from winnow.domains.playlists.evaluation.sasrec import HISTORY, SASRec, fit_sasrec, scorer
from winnow.domains.playlists.model.sequences import Sequences, sequences_from
from winnow.recommend.evaluation_set import evaluation_set
from winnow.recommend.graph import build_graph

TRACKS = 40


def cycles(count: int = 400) -> Sequences:
    """Track n is followed by n + 1, and the last one by the first."""
    rng = np.random.default_rng(0)
    return sequences_from([(start + np.arange(6)) % TRACKS for start in rng.integers(TRACKS, size=count)], TRACKS)


@torch.no_grad()
def test_a_place_sees_itself_and_those_before_it() -> None:
    torch.manual_seed(0)
    model = SASRec(np.ones(TRACKS, dtype=np.int64), 8).eval()
    lists = torch.tensor([[3, 1, 4, 1, 5]])
    changed = torch.tensor([[3, 1, 4, 9, TRACKS]])
    torch.testing.assert_close(model(lists)[:, :3], model(changed)[:, :3])
    assert not torch.allclose(model(lists)[:, 3], model(changed)[:, 3], atol=1e-4)


@torch.no_grad()
def test_scores_are_of_what_follows_the_last_track_whatever_the_other_lists() -> None:
    torch.manual_seed(0)
    given = sequences_from([np.array([3, 1, 4]), np.array([2]), np.arange(TRACKS)], TRACKS)
    model = SASRec(np.arange(1, TRACKS + 1), 8).eval()
    together = scorer(model, given)(np.arange(3))
    for row, own in enumerate(([3, 1, 4], [2], list(range(TRACKS)))):
        alone = model(torch.tensor([own]))[0, -1] @ model.track.weight[:-1].T + model.bias
        torch.testing.assert_close(together[row], alone, atol=1e-5, rtol=1e-5)
    assert HISTORY > TRACKS, "all tracks are read here"


def test_it_learns_what_comes_next_from_training_tracks_alone() -> None:
    train = cycles()
    last = train.track[train.indptr[1:] - 1]
    owner = np.arange(len(train))
    graph = build_graph((np.repeat(owner, 6), train.track), (len(train), TRACKS))
    known = np.repeat(owner, 6), train.track
    held = evaluation_set(graph, hidden=(owner, (last + 1) % TRACKS), known=known)
    found = fit_sasrec(train, held, dim=16, epochs=30, learning_rate=0.01, seed=1, block=16)
    scores = found.fitted(train)(owner)
    scores[torch.arange(len(train)).repeat_interleave(6), torch.from_numpy(train.track)] = -torch.inf
    found_at = (scores.argsort(dim=1, descending=True).numpy() == ((last + 1) % TRACKS)[:, None]).argmax(axis=1)
    assert (found_at < 3).mean() > 0.9, "by chance three in thirty-four"
    assert found.epoch > 1
    once = fit_sasrec(train, held, dim=16, epochs=1, learning_rate=0.01, seed=1, block=16)
    assert not torch.equal(once.fitted(train)(owner), found.fitted(train)(owner)), "more epochs learn more"
    again = fit_sasrec(train, held, dim=16, epochs=30, learning_rate=0.01, seed=1, block=16)
    assert torch.equal(again.fitted(train)(owner), found.fitted(train)(owner)), "the same bits from the same seed"


def test_the_loss_is_that_of_each_place_s_next_track_among_corrected_negatives() -> None:
    given = small.sequences()
    held = np.bincount(given.track, minlength=small.TRACKS)
    chance = held**0.75 / (held**0.75).sum()
    torch.manual_seed(0)
    model = SASRec(held, 8).eval()
    found = sasrec._loss(model, given, np.arange(5), chance, np.random.default_rng(0))
    drawn = [track for track in range(small.TRACKS) if chance[track] > 0]  # 1,024 draws miss none of 29 tracks
    losses = []
    for row in range(5):
        own = torch.from_numpy(given.track[given.indptr[row] : given.indptr[row + 1]])
        for end in range(1, len(own)):
            scores = model(own[None, :end])[0, -1] @ model.track.weight[:-1].T + model.bias
            corrected = scores[drawn] - torch.from_numpy(np.log(sasrec.NEGATIVES * chance[drawn]))
            losses.append(-torch.log_softmax(corrected, dim=0)[drawn.index(int(own[end]))].item())
    assert found.item() == pytest.approx(np.mean(losses), rel=1e-4)


def test_a_list_of_one_track_and_an_empty_one_are_no_error() -> None:
    given = small.sequences()
    torch.manual_seed(0)
    model = SASRec(np.ones(small.TRACKS, dtype=np.int64), 8)
    empty = sequences_from([np.zeros(0, dtype=np.int64), given.track[:1]], small.TRACKS)
    assert torch.isfinite(scorer(model, empty)(np.arange(2))).all()


def test_training_ends_five_epochs_after_the_best_one(monkeypatch: pytest.MonkeyPatch) -> None:
    train = cycles(40)
    owner, last = np.arange(len(train)), train.track[train.indptr[1:] - 1]
    graph = build_graph((np.repeat(owner, 6), train.track), (len(train), TRACKS))
    held = evaluation_set(graph, hidden=(owner, (last + 1) % TRACKS), known=(np.repeat(owner, 6), train.track))
    told = iter([0.1, 0.2, 0.3, 0.1, 0.1, 0.1, 0.35, 0.1, 0.3, 0.3, 0.3, 0.3, 0.9])
    monkeypatch.setattr(sasrec, "recall_at", lambda *_: np.array([next(told)]))
    found = fit_sasrec(train, held, dim=8, epochs=30, learning_rate=0.01, seed=1, block=16)
    assert found.epoch == 7, "three epochs without a better one end nothing"
    assert next(told) == 0.9, "and five do"
