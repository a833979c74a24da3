"""Drafts of which one is drawn: by the odds of a forest that knows validation routes, and of nothing else."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from winnow.domains.climb import definitions
from winnow.domains.climb.model import writing
from winnow.domains.climb.model.artifacts import Artifacts, Settings
from winnow.domains.climb.model.generation import generate
from winnow.domains.climb.model.network import RouteTransformer
from winnow.domains.climb.model.sequences import Sequences
from winnow.domains.climb.model.writing import Writer, fit_realism, odds_to_be_real
from winnow.domains.climb.params import Common, Decoding

CONDITIONS = np.tile([[0, 1, 5]], (120, 1))


@pytest.fixture(scope="module")
def model() -> RouteTransformer:
    torch.manual_seed(0)
    return RouteTransformer(width=16, layers=1, heads=2, dropout=0.0, max_holds=8, reaches=1).eval()


def settings(candidates: int) -> Settings:
    limits = Common(boards=["2016"], min_holds=3, max_holds=8, max_reach=9.5)
    return Settings(limits=limits, decoding=Decoding(guidance=1.0, temperature=1.0, top_p=1.0, candidates=candidates))


def columns(routes: Sequences) -> np.ndarray:
    """(routes,) mean column, counted from 0."""
    held = routes.tokens < definitions.CELLS
    return np.asarray(np.nanmean(np.where(held, routes.tokens % len(definitions.COLUMNS), np.nan), axis=1))


@pytest.fixture(scope="module")
def artifacts(model: RouteTransformer) -> Artifacts:
    """Validation routes on the left of the board, training routes on the right."""
    empty = Artifacts(settings(1), pd.DataFrame(), pd.DataFrame(), pd.DataFrame())
    made = Writer(model, empty).write(np.tile([[0, 1, 5]], (900, 1)), torch.Generator().manual_seed(1))
    left = np.argsort(columns(made))
    named = {"val": left[:150], "train": left[-150:]}
    rows, tokens = [], []
    for split, places in named.items():
        for place in places:
            name = f"{split} {place}"
            rows.append((name, name, "2016", 40, 5, split))
            cells = made.tokens[place][made.tokens[place] < definitions.CELLS]
            tokens += [(name, position, int(cell)) for position, cell in enumerate(cells)]
    routes = pd.DataFrame(rows, columns=["route_id", "hold_set", "board", "angle", "grade_index", "split"])
    return Artifacts(
        settings(8), routes, pd.DataFrame(tokens, columns=["route_id", "position", "token"]), pd.DataFrame()
    )


def written(model: RouteTransformer, artifacts: Artifacts, seed: int = 2) -> Sequences:
    return Writer(model, artifacts).write(CONDITIONS, torch.Generator().manual_seed(seed))


def test_one_draft_is_what_the_network_generates(model: RouteTransformer, artifacts: Artifacts) -> None:
    alone = replace(artifacts, settings=settings(1))
    writer = Writer(model, alone)
    plain = generate(model, CONDITIONS, writer.limits, writer.decoding, torch.Generator().manual_seed(2))
    assert np.array_equal(written(model, alone).tokens, plain.tokens)


def test_routes_move_towards_validation_routes_and_not_to_training_routes(
    model: RouteTransformer, artifacts: Artifacts
) -> None:
    left = artifacts.sequences("val")
    plain, chosen = (columns(written(model, replace(artifacts, settings=settings(count)))) for count in (1, 8))
    assert columns(left).mean() < plain.mean() - 0.5
    assert chosen.mean() < plain.mean() - 0.3


def test_a_draft_is_drawn_among_those_of_its_own_conditions_by_its_odds(
    model: RouteTransformer, artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With odds of 3 for routes with few holds and 1 for others, they are drawn as Bayes' rule says."""
    drafted: list[Sequences] = []

    def few_holds(_: object, routes: Sequences) -> np.ndarray:
        drafted.append(routes)
        return np.where((routes.tokens < definitions.CELLS).sum(axis=1) <= 5, 3.0, 1.0)

    monkeypatch.setattr(writing, "odds_to_be_real", few_holds)
    asked = np.tile([[0, 1, 3], [0, 1, 9]], (1500, 1))
    made = Writer(model, replace(artifacts, settings=settings(2))).write(asked, torch.Generator().manual_seed(5))
    assert np.array_equal(made.conditions, asked)
    pairs = drafted[0].tokens.reshape(len(asked), 2, -1)
    assert np.array_equal(drafted[0].conditions.reshape(len(asked), 2, 3)[:, 1], asked)
    assert (pairs == made.tokens[:, None]).all(axis=2).any(axis=1).all()
    few = (pairs < definitions.CELLS).sum(axis=2) <= 5
    torn = few.sum(axis=1) == 1
    share = ((made.tokens[torn] < definitions.CELLS).sum(axis=1) <= 5).mean()
    assert share == pytest.approx(0.75, abs=4 * (0.75 * 0.25 / torn.sum()) ** 0.5)


def test_odds_are_those_of_the_forests_chances(model: RouteTransformer, artifacts: Artifacts) -> None:
    real = artifacts.sequences("val")
    drafts = Writer(model, replace(artifacts, settings=settings(1))).write(
        real.conditions, torch.Generator().manual_seed(9)
    )
    realism = fit_realism(real, drafts)
    odds = odds_to_be_real(realism, drafts)
    assert ((odds > 0) & np.isfinite(odds)).all()
    medians = [float(np.median(each)) for each in (odds, odds_to_be_real(realism, real))]
    assert medians[0] < 1 < medians[1]


def test_too_few_validation_routes_choose_nothing(model: RouteTransformer, artifacts: Artifacts) -> None:
    few = artifacts.routes.groupby("split").head(writing.FEWEST - 1)
    writer = Writer(model, replace(artifacts, routes=few))
    assert writer.realism is None
    plain = generate(model, CONDITIONS, writer.limits, writer.decoding, torch.Generator().manual_seed(2))
    assert np.array_equal(writer.write(CONDITIONS, torch.Generator().manual_seed(2)).tokens, plain.tokens)
