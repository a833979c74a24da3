"""New routes from the network, possible ones only.

Each hold is drawn from the network's distribution, cut to what keeps the route possible: a hold that is on the wall,
not used yet, within reach of one below it, from which the top can still be reached with the holds left; the first in
the start rows; the end only on the top row. So the rules hold by construction, and `rules.validity` can check them
independently. A route that runs into a dead end all the same is begun again.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from winnow.domains.climb import nouns
from winnow.domains.climb.model.network import RouteTransformer, impossible
from winnow.domains.climb.model.sequences import ANY_GRADE, BOARDS, END, START, Integers, Sequences
from winnow.pipeline.errors import WinnowError

TRIES = 100
"""Times that dead ends are begun again, before the limits are called impossible."""


@dataclass(frozen=True)
class Sampling:
    """How holds are drawn from the network's distribution."""

    guidance: float
    """Scales how the log-odds differ from those for any grade (Ho and Salimans 2022): 1 takes them as they are, more
    exaggerates what the grade changes; for a network trained with grade dropout"""
    temperature: float
    """Divides the log-odds"""
    top_p: float
    """The likeliest holds that together have this probability stay (Holtzman et al. 2020)"""


class Limits:
    """What a generated route may be, as tables by board; see `nouns` for the rules. `known` is (boards, cells)."""

    def __init__(self, known: Tensor, *, min_holds: int, max_holds: int, max_reach: float) -> None:
        self.min_holds, self.max_holds = min_holds, max_holds
        cells = range(nouns.CELLS)
        apart = torch.tensor([[nouns.distance(first, second) for second in cells] for first in cells])
        rows = torch.tensor([nouns.row_of(cell) for cell in cells])
        tops = torch.tensor([nouns.BOARDS[board].rows for board in BOARDS])
        self.known = known & (rows <= tops[:, None])
        self.reach = apart <= max_reach
        self.top = rows == tops[:, None]
        """(boards, cells)"""
        self.start = self.known & (rows <= nouns.START_ROWS)
        self.to_top = _holds_to_top(self.known, self.top, self.reach)
        """(boards, cells): fewest further holds from here to the top row"""

    def allowed(self, routes: Tensor, boards: Tensor) -> Tensor:
        """(batch, VOCABULARY): what may follow routes of (batch, n) cells on (batch,) boards."""
        count = routes.shape[1]
        if count == 0:
            near, finishes = self.start[boards], torch.zeros_like(boards)
        else:
            near = self.known[boards] & self.reach[routes].any(dim=1)
            finishes = self.top[boards[:, None], routes].sum(dim=1)
        ended = (finishes > 0) & (count >= self.min_holds)
        cells = near & (self.to_top[boards] + count + 1 <= self.max_holds)
        top_fits = (finishes < nouns.MAX_FINISHES) & (count + 1 >= self.min_holds)
        cells &= ~self.top[boards] | top_fits[:, None]
        return torch.cat([cells, ended[:, None]], dim=1)


def _holds_to_top(known: Tensor, top: Tensor, reach: Tensor) -> Tensor:
    """(boards, cells): fewest holds after each cell that lead to the top row; more than any route has where none do.

    Each is in reach of the one before it, and after it in the token order.
    """
    far = torch.full(known.shape, nouns.CELLS)
    steps = torch.where(top, 0, far)
    for cell in range(nouns.CELLS - 1, -1, -1):
        onward = torch.where(known & reach[cell], steps, far)[:, cell + 1 :]
        if onward.shape[1]:
            steps[:, cell] = torch.where(top[:, cell], 0, onward.min(dim=1).values + 1)
    return steps


@torch.inference_mode()
def generate(
    model: RouteTransformer,
    conditions: Integers,
    limits: Limits,
    sampling: Sampling,
    generator: torch.Generator,
) -> Sequences:
    """One route for each of the (routes, 3) conditions: board, angle and grade indices; ids count from 0000.

    Raises WinnowError when the limits leave no way to the top.
    """
    model.eval()
    told = torch.from_numpy(conditions)
    tokens = np.full((len(conditions), limits.max_holds + 1), START, dtype=np.int64)
    open_rows = torch.arange(len(conditions))
    for _ in range(TRIES):
        if len(open_rows) == 0:
            break
        made, whole = _attempt(model, told[open_rows], limits, sampling, generator)
        tokens[open_rows[whole].numpy()] = made[whole].numpy()
        open_rows = open_rows[~whole]
    if len(open_rows):
        board = BOARDS[int(told[open_rows[0], 0])]
        raise WinnowError(
            f"no route on board {board} keeps within the limits after {TRIES} tries",
            where=f"{len(open_rows)} of {len(conditions)} routes",
            fix="raise max_reach or max_holds, lower min_holds, or train longer and on routes of this board",
        )
    return Sequences(tuple(f"{number:04d}" for number in range(len(conditions))), tokens, conditions)


def _attempt(
    model: RouteTransformer, told: Tensor, limits: Limits, sampling: Sampling, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Tokens (routes, max_holds + 1), and which of the routes came to their end."""
    tokens = torch.full((len(told), limits.max_holds + 1), START)
    active = torch.arange(len(told))
    whole = torch.zeros(len(told), dtype=torch.bool)
    for count in range(limits.max_holds + 1):
        holds = tokens[active, :count]
        before = torch.cat([torch.full((len(active), 1), START), holds], dim=1)
        logits = _log_odds(model, before, told[active], sampling.guidance) / sampling.temperature
        allowed = limits.allowed(holds, told[active, 0]) & ~impossible(before[:, -1])
        alive = allowed.any(dim=1)
        active, logits = active[alive], logits[alive].masked_fill(~allowed[alive], -torch.inf)
        if len(active) == 0:
            break
        drawn = torch.multinomial(_nucleus(logits.softmax(dim=1), sampling.top_p), 1, generator=generator).squeeze(1)
        tokens[active, count] = drawn
        whole[active[drawn == END]] = True
        active = active[drawn != END]
        if len(active) == 0:
            break
    return tokens, whole


def _log_odds(model: RouteTransformer, before: Tensor, told: Tensor, guidance: float) -> Tensor:
    """(batch, VOCABULARY) of the next token; what cannot follow is not finite."""
    asked: Tensor = model(before, told)[:, -1]
    if guidance == 1:
        return asked
    anyhow: Tensor = model(before, told.index_fill(1, torch.tensor([2]), ANY_GRADE))[:, -1]
    return anyhow + guidance * (asked - anyhow)


def _nucleus(chances: Tensor, top_p: float) -> Tensor:
    """The likeliest tokens of (batch, VOCABULARY) that together have `top_p`, at least one; the others 0."""
    ordered, order = chances.sort(dim=1, descending=True, stable=True)
    kept = ordered * (ordered.cumsum(dim=1) - ordered < top_p)
    return torch.zeros_like(chances).scatter(1, order, kept)
