"""New routes from the network, possible ones only.

Each hold is drawn from the network's distribution, cut to what keeps the route possible: a hold that is on the wall,
not used yet, within reach of one below it, from which the top row can be reached so that the route has neither too few
holds nor too many; the first in the start rows; the end only on the top row. So the rules hold by construction,
whatever the network says, and `rules.validity` can check them independently.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from winnow.domains.climb import definitions, params
from winnow.domains.climb.model.network import RouteTransformer
from winnow.domains.climb.model.sequences import ANY_GRADE, BOARDS, END, START, Integers, Sequences, known_holds
from winnow.pipeline.errors import TableError, WinnowError


@dataclass(frozen=True)
class Decoding:
    """How holds are drawn from the network's distribution."""

    guidance: float
    """Scales how the log-odds differ from those for any grade (Ho and Salimans 2022): 1 takes them as they are, more
    exaggerates what the grade changes; for a network trained with grade dropout"""
    temperature: float
    """Divides the log-odds"""
    top_p: float
    """The likeliest holds that together have this probability stay (Holtzman et al. 2020)"""


class Limits:
    """What a generated route may be, as tables by board (rules: `definitions`). `known` is (boards, cells)."""

    def __init__(self, known: Tensor, *, min_holds: int, max_holds: int, max_reach: float) -> None:
        self.min_holds, self.max_holds = min_holds, max_holds
        cells = torch.arange(definitions.CELLS)
        columns, rows = cells % len(definitions.COLUMNS), cells // len(definitions.COLUMNS) + 1
        squared = (rows[:, None] - rows) ** 2 + (columns[:, None] - columns) ** 2
        tops = torch.tensor([definitions.BOARDS[board].rows for board in BOARDS])[:, None]
        self.known = known & (rows <= tops)
        self.reach = squared <= max_reach**2
        self.top = rows == tops
        """(boards, cells)"""
        self.start = self.known & (rows <= definitions.START_ROWS)
        self.further = _further_holds(self.known, self.top, self.reach, max_holds)

    def possible(self, boards: Tensor) -> Tensor:
        """(batch,): whether there is any route on boards (batch,) that keeps within the limits."""
        return self.allowed(torch.zeros(len(boards), 0, dtype=torch.int64), boards).any(dim=1)

    def allowed(self, routes: Tensor, boards: Tensor) -> Tensor:
        """(batch, VOCABULARY): what may follow routes of (batch, n) cells on (batch,) boards.

        Something always may, if it did at every hold before.
        """
        count = routes.shape[1]
        if count == 0:
            near, finishes = self.start[boards], torch.zeros_like(boards)
        else:
            above = torch.arange(definitions.CELLS) > routes[:, -1:]
            near = self.known[boards] & self.reach[routes].any(dim=1) & above
            finishes = self.top[boards[:, None], routes].sum(dim=1)
        fewest, most = max(self.min_holds - count - 1, 0), self.max_holds - count - 1
        ends = self.further[boards, :, fewest : max(most + 1, 0)].any(dim=2)
        cells = near & ends & (finishes < definitions.MAX_FINISHES)[:, None]
        return torch.cat([cells, (finishes > 0)[:, None]], dim=1)


def make_limits(known: Tensor, limits: params.Common) -> Limits:
    """The limits of the params, on walls with these (boards, cells) holds: those of the training routes."""
    return Limits(known.cpu(), min_holds=limits.min_holds, max_holds=limits.max_holds, max_reach=limits.max_reach)


def check_some_possible(train: Sequences, limits: params.Common) -> None:
    """Raise TableError when the limits leave a way to the top on none of the training routes' boards."""
    boards = torch.tensor(sorted(set(train.conditions[:, 0].tolist())))
    if not make_limits(torch.from_numpy(known_holds(train)), limits).possible(boards).any():
        raise TableError(
            f"no route on the holds of the {len(train.ids)} training routes keeps within the limits",
            where="params.yaml: climb.common",
            fix="raise max_reach or max_holds, lower min_holds, or use more routes",
        )


def make_decoding(decoding: params.Decoding) -> Decoding:
    """How holds are drawn, from the params."""
    return Decoding(decoding.guidance, decoding.temperature, decoding.top_p)


def _further_holds(known: Tensor, top: Tensor, reach: Tensor, max_holds: int) -> Tensor:
    """(boards, cells, max_holds): whether a route may end on the top row exactly so many holds after a cell.

    Each of them is in reach of the one before it, and after it in the token order.
    """
    further = torch.zeros(*known.shape, max_holds, dtype=torch.bool)
    further[..., 0] = top & known
    for cell in range(definitions.CELLS - 2, -1, -1):
        onward = (known & reach[cell])[:, cell + 1 :, None] & further[:, cell + 1 :, :-1]
        further[:, cell, 1:] = onward.any(dim=1) & ~top[:, cell, None]
    return further


@torch.inference_mode()
def generate(
    model: RouteTransformer,
    conditions: Integers,
    limits: Limits,
    decoding: Decoding,
    generator: torch.Generator,
    *,
    constrained: bool = True,
) -> Sequences:
    """One route for each of the (routes, 3) conditions: board, angle and grade indices; ids count from 0000.

    The network computes where it is; holds are drawn on the CPU, where `generator` is. Not `constrained`, holds are
    drawn as the network would have them, and one too many where it does not end.
    Raises WinnowError when the limits leave no way to the top.
    """
    model.eval()
    given = torch.from_numpy(conditions)
    tokens = torch.full((len(given), limits.max_holds + 1), START)
    active = torch.arange(len(given))
    for count in range(limits.max_holds + 1):
        if len(active) == 0:
            break
        holds = tokens[active, :count]
        before = torch.cat([torch.full((len(active), 1), START), holds], dim=1)
        log_odds = _log_odds(model, before, given[active], decoding.guidance) / decoding.temperature
        allowed = log_odds.isfinite()
        if constrained:
            allowed = limits.allowed(holds, given[active, 0])
            _check_possible(allowed, given[active, 0])
        chances = log_odds.masked_fill(~allowed, -torch.inf).softmax(dim=1)
        tokens[active, count] = torch.multinomial(_nucleus(chances, decoding.top_p), 1, generator=generator)[:, 0]
        active = active[tokens[active, count] != END]
    return Sequences(tuple(f"{number:04d}" for number in range(len(given))), tokens.numpy(), conditions)


def _check_possible(allowed: Tensor, boards: Tensor) -> None:
    """Raise WinnowError when nothing may follow a route, which can only be so before its first hold."""
    stuck = ~allowed.any(dim=1)
    if stuck.any():
        raise WinnowError(
            f"no route on board {BOARDS[int(boards[stuck][0])]} keeps within the limits",
            where="climb.common, as the model was trained with",
            fix="train with a higher max_reach or max_holds, a lower min_holds, or routes of this board",
        )


def _log_odds(model: RouteTransformer, before: Tensor, conditions: Tensor, guidance: float) -> Tensor:
    """(batch, VOCABULARY) of the next token, on the CPU; what cannot follow is not finite."""
    before, conditions = before.to(model.known.device), conditions.to(model.known.device)
    conditional: Tensor = model(before, conditions)[:, -1].cpu()
    if guidance == 1:
        return conditional
    any_grade = conditions.index_fill(1, conditions.new_tensor([2]), ANY_GRADE)
    unconditional: Tensor = model(before, any_grade)[:, -1].cpu()
    return unconditional + guidance * (conditional - unconditional)


def _nucleus(chances: Tensor, top_p: float) -> Tensor:
    """The most likely tokens of (batch, VOCABULARY) that together have `top_p`, at least one; the others 0."""
    ordered, order = chances.sort(dim=1, descending=True, stable=True)
    kept = ordered * (ordered.cumsum(dim=1) - ordered < top_p)
    return torch.zeros_like(chances).scatter(1, order, kept)
