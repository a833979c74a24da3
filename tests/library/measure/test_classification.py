"""Classification metrics beside scikit-learn's, one at a time and resampled."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from winnow.measure import classification as ours
from winnow.measure.calibration import calibration_errors, reliability

GRADES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=60)


@given(GRADES)
def test_confusion_metrics_are_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    true, predicted = np.array(pairs).T
    confusion = ours.confusion_matrix(true, predicted, 5)
    assert (confusion == sk.confusion_matrix(true, predicted, labels=range(5))).all()
    assert ours.accuracies(confusion) == pytest.approx(sk.accuracy_score(true, predicted))
    present = sorted(set(true))
    precision, recall, f1, _ = sk.precision_recall_fscore_support(
        true, predicted, labels=range(5), zero_division=np.nan
    )
    assert ours.precisions(confusion) == pytest.approx(precision, nan_ok=True)
    assert ours.recalls(confusion) == pytest.approx(recall, nan_ok=True)
    assert ours.f1s(confusion)[present] == pytest.approx(f1[present])
    assert ours.balanced_accuracies(confusion) == pytest.approx(np.mean(recall[present]))
    assert ours.macro_f1s(confusion) == pytest.approx(np.mean(f1[present]))
    if len(set(true) | set(predicted)) > 1:
        kappa = sk.cohen_kappa_score(true, predicted, weights="quadratic", labels=range(5))
        assert ours.quadratic_weighted_kappa(true, predicted, 5) == pytest.approx(kappa)


def test_a_part_of_the_classes_and_nothing_to_disagree_about() -> None:
    confusion = ours.confusion_matrix([0, 0, 1, 2], [0, 1, 1, 1], 3)
    assert ours.macro_f1s(confusion, [1, 2]) == pytest.approx((0.5 + 0) / 2)
    assert ours.quadratic_weighted_kappa([2, 2], [2, 2], 5) == 0
    assert np.isnan(ours.recalls(ours.confusion_matrix([0], [1], 3))[2])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=50))
def test_auc_is_scikit_learns_with_ties(rows: list[tuple[bool, int]]) -> None:
    positive, score = (np.array(column) for column in zip(*rows, strict=True))
    (auc,) = ours.aucs(positive, score / 7)
    if positive.all() or not positive.any():
        assert np.isnan(auc)
    else:
        assert auc == pytest.approx(sk.roc_auc_score(positive, score))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=50))
def test_average_precision_is_scikit_learns_with_ties_and_of_repeated_rows(rows: list[tuple[bool, int, int]]) -> None:
    positive, score, count = (np.array(column) for column in zip(*rows, strict=True))
    found = ours.average_precisions(positive, score / 7, np.stack([np.ones_like(count), count]))
    for precision, times in zip(found, (np.ones_like(count), count), strict=True):
        repeated = np.repeat(np.arange(len(rows)), times)
        if not positive[repeated].any():
            assert np.isnan(precision)
        else:
            assert precision == pytest.approx(sk.average_precision_score(positive[repeated], score[repeated]))


def test_macro_auc_is_medmnists_one_against_the_rest() -> None:
    rng = np.random.default_rng(0)
    true, values = rng.integers(0, 4, 200), rng.dirichlet(np.ones(5), 200)  # nobody is a 4
    each = [sk.roc_auc_score(true == grade, values[:, grade]) for grade in range(4)]
    assert ours.macro_aucs(true, values)[0] == pytest.approx(np.mean(each))


def test_resampled_metrics_are_those_of_the_repeated_rows() -> None:
    rng = np.random.default_rng(1)
    true, predicted, values = rng.integers(0, 5, 40), rng.integers(0, 5, 40), rng.random(40).round(1)
    counts = rng.integers(0, 4, (6, 40))
    confusions = ours.resampled_confusions(true, predicted, 5, counts)
    aucs = ours.aucs(true > 1, values, counts)
    errors = calibration_errors(values, true == predicted, counts)
    for row, count in enumerate(counts):
        repeated = np.repeat(np.arange(40), count)
        assert (confusions[row] == sk.confusion_matrix(true[repeated], predicted[repeated], labels=range(5))).all()
        assert aucs[row] == pytest.approx(sk.roc_auc_score(true[repeated] > 1, values[repeated]))
        (error,) = calibration_errors(values[repeated], (true == predicted)[repeated])
        assert errors[row] == pytest.approx(error)


def test_calibration_by_hand() -> None:
    confidence, right = [0.95, 0.92, 0.55, 1.0], [True, False, True, True]
    # bins .9 to 1 (three rows, 2 right, mean .9567) and .5 to .6 (one row, right)
    assert calibration_errors(confidence, right)[0] == pytest.approx((abs(2 - 2.87) + abs(1 - 0.55)) / 4)
    found = reliability((confidence, right), (confidence[:1], right[:1]))
    assert found.to_numpy(float) == pytest.approx(np.array([(0, 0.55, 1, 1), (0, 2.87 / 3, 2 / 3, 3), (1, 0.95, 1, 1)]))
