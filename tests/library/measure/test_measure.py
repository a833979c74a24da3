import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from winnow.measure.direction import beats, higher_is_better
from winnow.measure.distributions import jensen_shannon_divergence, shares
from winnow.measure.likelihood import perplexity, token_nll
from winnow.measure.sets import distinct_share, jaccard_distances, mean_pairwise_distance, nearest_distances
from winnow.pipeline.errors import WinnowError


@pytest.mark.parametrize("name", ["accuracy", "within_one_accuracy", "ndcg_at_10", "val/auc", "f1_score", "recall@5"])
def test_up(name: str) -> None:
    assert higher_is_better(name)
    assert beats(name, 2.0, 1.0)


@pytest.mark.parametrize("name", ["val_loss", "quality_perplexity", "mae", "grade_rmse", "ece", "angle_error_degrees"])
def test_down(name: str) -> None:
    assert not higher_is_better(name)
    assert beats(name, 1.0, 2.0)


def test_the_last_telling_word_decides() -> None:
    assert not higher_is_better("score_loss")
    assert higher_is_better("loss_reduction_score")


def test_a_name_without_direction_is_refused() -> None:
    with pytest.raises(WinnowError, match="`share_valid` does not imply"):
        higher_is_better("share_valid")


def test_equal_is_not_better() -> None:
    assert not beats("accuracy", 1.0, 1.0)
    assert not beats("mae", 1.0, 1.0)


def test_direction_is_light() -> None:
    code = "import sys, winnow.measure.direction; print(sorted({'torch', 'pandas', 'sklearn'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_perplexity_of_a_uniform_model_is_its_vocabulary() -> None:
    tokens = np.array([3, 7, 1])
    assert perplexity(tokens * np.log(50), tokens) == pytest.approx(50)


def test_token_nll_is_a_mean_over_tokens_not_sequences() -> None:
    assert token_nll([9.0, 1.0], [9, 1]) == 1.0
    assert token_nll([0.0, 4.0], [1, 3]) == 1.0


def test_no_token_has_no_nll() -> None:
    with pytest.raises(ValueError, match="no token"):
        token_nll([], [])


def test_divergence_bounds() -> None:
    assert jensen_shannon_divergence([1, 2, 3], [2, 4, 6]) == pytest.approx(0)
    assert jensen_shannon_divergence([1, 0], [0, 1]) == pytest.approx(1)


def test_divergence_value() -> None:
    # by hand: m = (.75, .25); half of KL(p|m) + half of KL(q|m) with p = (1, 0), q = (.5, .5)
    expected = 0.5 * np.log2(1 / 0.75) + 0.5 * (0.5 * np.log2(0.5 / 0.75) + 0.5 * np.log2(0.5 / 0.25))
    assert jensen_shannon_divergence([1, 0], [0.5, 0.5]) == pytest.approx(expected)


def test_shares() -> None:
    assert shares([0, 2, 2, 2], 4).tolist() == [0.25, 0, 0.75, 0]
    with pytest.raises(ValueError, match="no value"):
        shares([], 4)


sets = st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=2, max_size=8)


@settings(deadline=None, max_examples=50)
@given(sets)
def test_jaccard_is_a_distance(rows: list[list[bool]]) -> None:
    distances = jaccard_distances(rows, rows)
    assert np.allclose(distances, distances.T)
    assert np.allclose(np.diag(distances), 0)
    assert (distances >= 0).all()
    assert (distances <= 1).all()
    for i, a in enumerate(rows):
        for j, b in enumerate(rows):
            union = sum(x or y for x, y in zip(a, b, strict=True))
            common = sum(x and y for x, y in zip(a, b, strict=True))
            assert distances[i, j] == pytest.approx(1 - common / union if union else 0)


@settings(deadline=None, max_examples=50)
@given(sets)
def test_diversity_is_the_mean_over_pairs(rows: list[list[bool]]) -> None:
    distances = jaccard_distances(rows, rows)
    assert mean_pairwise_distance(rows) == pytest.approx(distances[np.triu_indices(len(rows), 1)].mean())
    assert nearest_distances(rows, rows).tolist() == [0] * len(rows)
    assert nearest_distances(rows[:0], rows).shape == (0,)


def test_distinct_share() -> None:
    assert distinct_share([[1, 0], [1, 0], [0, 1], [1, 1]]) == 0.75


def test_diversity_needs_two() -> None:
    with pytest.raises(ValueError, match="two sets"):
        mean_pairwise_distance([[1, 0]])
