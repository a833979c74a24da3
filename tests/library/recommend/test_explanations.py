"""The check of first reasons."""

import numpy as np
import pytest

from winnow.recommend.explanations import Reason, check_first_reasons, sort_reasons

TRUE_EFFECTS = {1: 3.0, 2: 2.0, 3: 1.0}
"""By how much the score falls without each of three items."""


class Claims:
    """An explainer that claims these effects, whatever the true ones are."""

    def __init__(self, claimed: dict[int, float]) -> None:
        self.claimed = claimed

    def score(self, user: int, item: int) -> float:
        return 10.0

    def reasons(self, user: int, item: int) -> list[Reason]:
        return sort_reasons([Reason("item", index, effect) for index, effect in self.claimed.items()])

    def score_without(self, user: int, item: int, reason: Reason) -> float:
        return 10 - TRUE_EFFECTS[reason.index]


@pytest.mark.parametrize(
    ("claimed", "share"), [(TRUE_EFFECTS, 1.0), ({1: 1.0, 2: 2.0, 3: 3.0}, 0.0), ({1: 1.0, 2: 2.0, 3: 0.0}, 0.5)]
)
def test_the_first_reason_holds_when_the_score_falls_most_without_it(claimed: dict[int, float], share: float) -> None:
    checks = check_first_reasons(Claims(claimed), [(0, 0)] * 400, np.random.default_rng(0))
    assert len(checks) == 400
    assert set(checks["kind"]) == {"item"}
    assert (checks["fall"] > checks["other_fall"]).mean() == pytest.approx(share, abs=0.08)


def test_another_ranking_is_checked_by_the_same_falls() -> None:
    checks = check_first_reasons(
        Claims(TRUE_EFFECTS), [(0, 0)] * 50, np.random.default_rng(0), lambda _user, reasons: reasons[:0:-1]
    )
    assert set(zip(checks["fall"], checks["other_fall"], strict=True)) == {(1.0, 2.0)}


def test_a_recommendation_with_one_reason_cannot_be_checked() -> None:
    assert check_first_reasons(Claims({1: 3.0}), [(0, 0)], np.random.default_rng(0)).empty
