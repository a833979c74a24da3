"""What the network knows of where holds lie from one another, checked on the board's grid and by moving routes."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from winnow.domains.climb import definitions
from winnow.domains.climb.model.likelihood import token_losses
from winnow.domains.climb.model.network import OFFSETS, RouteTransformer, earlier, offsets
from winnow.domains.climb.model.sequences import END, START, VOCABULARY

CONDITIONS = torch.tensor([[0, 1, 5]])


def cell(column: int, row: int) -> int:
    """Counted from 0."""
    return definitions.cell_index(f"{definitions.COLUMNS[column]}{row + 1}")


def network(reaches: int) -> RouteTransformer:
    torch.manual_seed(0)
    return RouteTransformer(width=32, layers=2, heads=2, dropout=0.0, max_holds=14, reaches=reaches)


def without_cells(model: RouteTransformer) -> RouteTransformer:
    """The same, not knowing one cell from another: what is left is where holds lie from each other."""
    with torch.no_grad():
        for parameter in [*model.cells.parameters(), model.bias]:
            parameter.zero_()
        if model.last_move is not None:
            nn.init.normal_(model.last_move.weight)
        for reach in model.reaches:
            nn.init.normal_(reach.offset.weight)
    return model.eval()


def route(*holds: tuple[int, int], across: int = 0, up: int = 0) -> Tensor:
    return torch.tensor([[START, *(cell(column + across, row + up) for column, row in holds)]])


def test_an_offset_is_the_same_for_pairs_that_lie_alike_and_for_no_others() -> None:
    table, rng = offsets(), np.random.default_rng(0)
    named: dict[tuple[int, int], int] = {}
    for first, second in rng.integers(definitions.CELLS, size=(20_000, 2)):
        up = definitions.row_of(int(first)) - definitions.row_of(int(second))
        across = int(first) % len(definitions.COLUMNS) - int(second) % len(definitions.COLUMNS)
        index = int(table[first, second])
        assert (index == OFFSETS - 1) == (up < 0)
        if up >= 0:
            assert named.setdefault((up, across), index) == index
    assert len(set(named.values())) == len(named)
    assert max(named.values()) < OFFSETS - 1
    assert (table[[START, END]] == OFFSETS - 1).all()
    assert (table[:, [START, END]] == OFFSETS - 1).all()


def test_earlier_holds_are_those_so_many_places_before() -> None:
    tokens = torch.tensor([[START, 3, 8, 9]])
    assert [earlier(tokens, back).tolist()[0] for back in range(6)] == [
        [START, 3, 8, 9],
        [START, START, 3, 8],
        [START, START, START, 3],
        *([[START] * 4] * 3),
    ]


@pytest.mark.parametrize("reaches", [0, 1, 2])
def test_a_route_moved_on_the_board_has_its_odds_moved_with_it(reaches: int) -> None:
    """Without cells nothing but offsets is known, so what follows a route lies where it lay, seen from the route."""
    model, holds = without_cells(network(reaches)), [(2, 3), (5, 6)]
    across, up = 3, 4
    with torch.inference_mode():
        here, there = (model(route(*holds, **by), CONDITIONS)[0, -1] for by in ({}, {"across": across, "up": up}))
    pairs = [
        (cell(column, row), cell(column + across, row + up))
        for column in range(len(definitions.COLUMNS) - across)
        for row in range(7, definitions.ROWS - up)
    ]
    before, after = here[[pair[0] for pair in pairs]], there[[pair[1] for pair in pairs]]
    assert torch.allclose(before, after, atol=1e-5)
    assert (float(before.std()) > 0.1) == (reaches > 0), "candidates differ by their offset alone"


def test_each_reach_starts_from_its_own_hold() -> None:
    """Without the offset from the last hold, odds depend on the hold before it and on no other."""
    model = without_cells(network(2))
    assert model.last_move is not None
    for silent in (model.last_move, model.reaches[0].offset):
        silent.weight.data.zero_()
    above = slice(cell(0, 9), cell(10, 17))
    with torch.inference_mode():
        one, other_last, other_before = (
            model(route(*holds), CONDITIONS)[0, -1, above].softmax(0)
            for holds in ([(2, 3), (5, 6)], [(2, 3), (8, 8)], [(7, 1), (5, 6)])
        )
    assert torch.allclose(one, other_last, atol=1e-6)
    assert not torch.allclose(one, other_before, atol=1e-4)


def test_a_hold_carries_how_it_was_reached() -> None:
    """The same last hold, reached from elsewhere: only the move to it can tell, since cells say nothing here."""
    model = without_cells(network(1))
    for moved in (True, False):
        with torch.inference_mode():
            near, far = (
                model(route(from_hold, (5, 6)), CONDITIONS)[0, -1].softmax(0) for from_hold in ((5, 5), (0, 2))
            )
        assert torch.allclose(near, far, atol=1e-6) != moved
        assert model.last_move is not None
        model.last_move.weight.data.zero_()


@pytest.mark.parametrize("reaches", [0, 1])
def test_a_move_learnt_on_the_left_is_known_on_the_right_with_reaches_only(reaches: int) -> None:
    """Every route goes three up and one to the right; training shows columns A to E, the question is about G to I."""
    model = network(reaches)
    paths = [[(column + step, 3 * step) for step in range(3)] for column in range(3)]
    tokens = torch.tensor([[*(cell(*hold) for hold in path), END] for path in paths])
    told = CONDITIONS.repeat(len(tokens), 1)
    model.cells.requires_grad_(requires_grad=False)  # the shortest way to these three routes is to learn their cells
    optimizer = torch.optim.Adam([each for each in model.parameters() if each.requires_grad], lr=3e-3)
    for _ in range(150):
        optimizer.zero_grad()
        token_losses(model, tokens, told)[:, 1:].mean().backward()
        optimizer.step()
    model.eval()
    with torch.inference_mode():
        seen, new = (
            model(route((column, 0)), CONDITIONS)[0, -1].softmax(0)[cell(column + 1, 3)].item() for column in (1, 7)
        )
    assert seen > 0.5
    assert (new > 10 / VOCABULARY) == bool(reaches)
