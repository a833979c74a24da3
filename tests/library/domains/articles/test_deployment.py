"""The page on which a person decides whether to deploy a scorer: every figure stands under its own name."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from winnow.domains.articles.evaluation.deployment import render

JUDGEMENT: dict[str, Any] = {
    "verdict": "REVIEW",
    "reasons": ["REVIEW: skill", "PASS: mae"],
    "model": {"mae": 0.5, "overfit_error": 0.07, "skill": 0.25},
    "interval": {"mae": {"low": 0.4, "high": 0.6}},
    "baseline": {"mean": {"mae": 0.8, "skill": 0.0}, "forest": {"mae": 0.7}},
}
DIMENSIONS = pd.DataFrame(
    [
        ("hope", 0.51, 0.61, 0.71, np.nan, 0.81, 0.91, 0.44, 0.33, 0.55),
        ("harm", 0.52, 0.62, np.nan, 0.72, 0.82, 0.92, np.nan, np.nan, np.nan),
    ],
    columns=[
        *("dimension", "mae", "rmse", "pearson", "spearman"),
        *("within_one", "mean_mae", "skill", "skill_low", "skill_high"),
    ],
)
CEILING = pd.DataFrame(
    [("hope", 0.51, 0.31, np.nan, np.nan, 12, 0), ("harm", 0.52, np.nan, 0.41, 0.42, 12, 0)],
    columns=["dimension", "mae", "repeat_mae", "oracle_people_mae", "model_people_mae", "repeats", "people"],
)
SLICES = pd.DataFrame(
    [("source", "news", 30, "mae", 0.53), ("source", "news", 30, "rmse", 0.99), ("length", "long", 8, "mae", 0.59)],
    columns=["by", "value", "rows", "metric", "score"],
)
WORST = pd.DataFrame(
    [("a7", "A | title", 2.25, 6.5, 4.25)],
    columns=["article_id", "title", "error", "true_overall", "predicted_overall"],
)
PROGRESSION: dict[str, Any] = {
    "best_validation": 3, "validations": 5, "best_val_mae": 0.55, "val_mae_verdict": "good", "train_mae_then": 0.45,
    "converged": True, "overfitting": False,
}  # fmt: skip
ORACLE = {"provider": "openai", "model": "some", "cost_usd": 0.9, "requests": 60}


def page(**changes: Any) -> str:
    parts = {
        "judgement": JUDGEMENT, "dimensions": DIMENSIONS, "ceiling": CEILING, "slices": SLICES, "worst": WORST,
        "progression": PROGRESSION, "oracle": ORACLE,
    }  # fmt: skip
    return render(**parts | changes)


def table(text: str, head: str) -> list[list[str]]:
    """The cells below a table's head."""
    rows = text.partition(f"| {head} |\n")[2].partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]


def test_every_figure_of_a_table_stands_under_its_own_name() -> None:
    text = page()
    assert table(text, "metric | model | interval | forest | mean") == [
        ["mae", "0.500", "0.400 to 0.600", "0.700", "0.800"],
        ["overfit_error", "0.070", "", "", ""],
        ["skill", "0.250", "", "", "0.000"],
    ]
    head = "dimension | MAE | RMSE | Pearson | Spearman | within 1 point | MAE of the mean | skill"
    assert table(text, head) == [
        ["hope", "0.510", "0.610", "0.71", "–", "81%", "0.910", "+0.44 (+0.33 to +0.55)"],
        ["harm", "0.520", "0.620", "–", "0.72", "82%", "0.920", "constant: nothing to predict"],
    ]
    assert table(
        text, "dimension | model from the labels | oracle from itself | oracle from people | model from people"
    ) == [
        ["hope", "0.510", "0.310", "–", "–"],
        ["harm", "0.520", "–", "0.410", "0.420"],
    ]
    assert table(text, "by | value | articles | MAE") == [
        ["source", "news", "30", "0.530"],
        ["length", "long", "8", "0.590"],
    ]
    assert "mean error 2.25; overall 6.50, predicted 4.25" in text


@pytest.mark.parametrize(
    ("verdict", "told"),
    [("DEPLOY", "may go into production"), ("REVIEW", "Borderline"), ("FAIL", "Do not deploy")],
)
def test_the_page_begins_with_the_verdict_and_what_decided_it(verdict: str, told: str) -> None:
    head, decided = page(judgement=JUDGEMENT | {"verdict": verdict}).split("What decided, worst first:\n\n")
    assert head.splitlines()[0].endswith(verdict)
    assert told in head
    assert decided.splitlines()[:2] == ["- REVIEW: skill", "- PASS: mae"]


def test_what_is_known_of_the_labels_own_noise_is_told() -> None:
    assert "Asked twice about 12 calibration articles" in page()
    assert "No test article has both" in page()
    text = page(ceiling=CEILING.assign(repeats=0, people=[0, 9]))
    assert "asked about no article twice" in text
    assert "9 test articles have the oracle's scores and people's." in text


@pytest.mark.parametrize("overfitting", [False, True])
@pytest.mark.parametrize("converged", [False, True])
def test_how_the_training_went_is_told(converged: bool, overfitting: bool) -> None:
    ridge = {"ridge": {"share": 0.3, "mixture_val_mae": 0.52}} if converged else {}
    found = PROGRESSION | {"converged": converged, "overfitting": overfitting}
    text = page(judgement=JUDGEMENT | ridge, progression=found)
    assert (
        "those of validation 3 of 5: validation MAE 0.550 (below 10% of the scale; a constant prediction has 0.800"
        in text
    )
    assert "training MAE then 0.450" in text
    assert ("not converged yet" in text, "by less than 2%: converged" in text) == (not converged, converged)
    worse = "validation got worse while training improved", "validation did not get worse"
    assert tuple(each in text for each in worse) == (overfitting, not overfitting)
    assert "the error in training is 7% lower" in text
    assert ("(share 30%, chosen on validation): validation MAE 0.520" in text) == converged


@pytest.mark.parametrize(("cost", "requests", "told"), [(0.9, 60, "15.0000"), (0.0, 60, "0.0000"), (0.0, 0, "0.0000")])
def test_what_an_oracle_cost_is_told_for_a_thousand_articles(cost: float, requests: int, told: str) -> None:
    text = page(oracle=ORACLE | {"cost_usd": cost, "requests": requests})
    assert f"The oracle (`openai`, some) cost ${cost:.4f} for {requests} answers: ${told} per 1,000." in text
