"""The brake of batch labelling: whether so many first attempts fail that it is no chance."""

import math
from functools import cache

from winnow.pipeline.errors import WinnowError

WINDOW = 100
"""Articles over which the brake looks back."""
CHANCE = 1e-6
"""How likely a window may be that stops a run though no more fail than the filter allows: a run sees many windows."""


class BrakeError(WinnowError):
    """Too many of the last articles got no scores at the first attempt."""


class Brake:
    """Whether too many of the articles in some window of `WINDOW` failed for `share` to be the share that fails.

    Windows are of places and not of arrivals: a run that goes on asks about all that were refused, one after another.
    """

    def __init__(self, share: float) -> None:
        self.share = share
        self.bad: set[int] = set()

    def press(self, place: int) -> tuple[int, int]:
        """The article at `place` failed: how many have, of the window that ends at the last one near to it."""
        self.bad.add(place)
        end = max(each for each in range(place, place + WINDOW) if each in self.bad)
        window = range(max(end - WINDOW + 1, 0), end + 1)
        return sum(each in self.bad for each in window), len(window)

    def holds(self, bad: int, of: int) -> bool:
        return binomial_tail(bad, of, self.share) < CHANCE


@cache
def binomial_tail(count: int, trials: int, share: float) -> float:
    """The probability of `count` or more of `trials` when each has the probability `share`."""
    return math.fsum(math.comb(trials, k) * share**k * (1 - share) ** (trials - k) for k in range(count, trials + 1))
