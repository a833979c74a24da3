"""The page on which a person decides whether to deploy a model: `metrics/articles/model_evaluation.md`."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from winnow.domains.articles.definitions import plain

MARKS = {"DEPLOY": "✅ DEPLOY", "REVIEW": "⚠️ REVIEW", "FAIL": "❌ FAIL"}
NEXT = {
    "DEPLOY": "Every condition is met: the model may go into production.",
    "REVIEW": "Borderline: weigh a deployment for coarse filtering against more training.",
    "FAIL": "Do not deploy: try more epochs, a larger or pretrained model (`articles.train.model_name`), or more data.",
}


def render(
    judgement: Mapping[str, Any],
    dimensions: pd.DataFrame,
    ceiling: pd.DataFrame,
    slices: pd.DataFrame,
    worst: pd.DataFrame,
    progression: Mapping[str, Any],
    oracle: Mapping[Any, Any],
) -> str:
    """The page. `judgement` is that of judgement.json; `oracle` is the row of `OracleUse`."""
    lines = [
        f"# Model evaluation: {MARKS[judgement['verdict']]}",
        "",
        NEXT[judgement["verdict"]],
        "",
        "What decided, worst first:",
        "",
        *(f"- {reason}" for reason in judgement["reasons"]),
        "",
        "A constant prediction may have a low error too: skill says how much lower the model's is in a dimension.",
        "",
        *_metrics(judgement),
        *_dimensions(dimensions),
        *_ceiling(ceiling),
        *_progression(progression, judgement),
        *_slices(slices),
        *_worst(worst),
        *_cost(oracle),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _metrics(judgement: Mapping[str, Any]) -> Iterator[str]:
    baselines = sorted(judgement["baseline"])
    yield f"| metric | model | interval | {' | '.join(baselines)} |"
    yield "|---" * (3 + len(baselines)) + "|"
    for name, value in sorted(judgement["model"].items()):
        bounds = judgement["interval"].get(name)
        shown = f"{bounds['low']:.3f} to {bounds['high']:.3f}" if bounds else ""
        others = (judgement["baseline"][each].get(name) for each in baselines)
        cells = " | ".join("" if other is None else f"{other:.3f}" for other in others)
        yield f"| {name} | {value:.3f} | {shown} | {cells} |"
    yield ""


def _dimensions(table: pd.DataFrame) -> Iterator[str]:
    yield "## Dimensions"
    yield ""
    yield "| dimension | MAE | RMSE | Pearson | Spearman | within 1 point | MAE of the mean | skill |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in table.to_dict("records"):
        pearson, spearman = ("–" if pd.isna(row[key]) else f"{row[key]:.2f}" for key in ("pearson", "spearman"))
        skill = f"{row['skill']:+.2f} ({row['skill_low']:+.2f} to {row['skill_high']:+.2f})"
        skill = "constant: nothing to predict" if pd.isna(row["skill"]) else skill
        yield (
            f"| {row['dimension']} | {row['mae']:.3f} | {row['rmse']:.3f} | {pearson} | {spearman} | "
            f"{row['within_one']:.0%} | {row['mean_mae']:.3f} | {skill} |"
        )
    yield ""


def _ceiling(table: pd.DataFrame) -> Iterator[str]:
    """The model's error beside the oracle's own, and beside people's."""
    repeats, people = int(table["repeats"].max()), int(table["people"].max())
    yield "## How low the error can be"
    yield ""
    if repeats:
        yield (
            f"Asked twice about {repeats} calibration articles, the oracle differs from itself as below. If that is "
            "noise, the labels hold it too, and a perfect model has an error of about .7 of it."
        )
    else:
        yield "The oracle was asked about no article twice, so its noise is not known."
    if people:
        yield f"{people} test articles have the oracle's scores and people's."
    else:
        yield "No test article has both the oracle's scores and people's: agreement with people is not known."
    yield ""
    yield "| dimension | model from the labels | oracle from itself | oracle from people | model from people |"
    yield "|---|---|---|---|---|"
    columns = ["mae", "repeat_mae", "oracle_people_mae", "model_people_mae"]
    for row in table.to_dict("records"):
        cells = ("–" if pd.isna(row[name]) else f"{row[name]:.3f}" for name in columns)
        yield f"| {row['dimension']} | {' | '.join(cells)} |"
    yield ""


SHARES = {
    "good": "below 10% of the scale",
    "may need more training": "10% to 15% of the scale",
    "retrain": "above 15% of the scale",
}
"""What the verdicts on a validation MAE mean; where scores vary little, a constant prediction has a low one too."""


def _progression(found: Mapping[str, Any], judgement: Mapping[str, Any]) -> Iterator[str]:
    ridge, apart = judgement.get("ridge"), judgement["model"]["overfit_error"]
    mean = judgement["baseline"]["mean"]["mae"]
    yield "## Training"
    yield ""
    yield (
        f"- the weights are those of validation {found['best_validation']} of {found['validations']}: validation MAE "
        f"{found['best_val_mae']:.3f} ({SHARES[found['val_mae_verdict']]}; a constant prediction has {mean:.3f} in the "
        f"test), training MAE then {found['train_mae_then']:.3f}"
    )
    yield f"- {'the last validations differ by less than 2%: converged' if found['converged'] else 'not converged yet'}"
    worse = "validation got worse while training improved" if found["overfitting"] else "validation did not get worse"
    yield f"- after it {worse}; the error in training is {apart:.0%} lower than in the test (overfit_error)"
    if ridge:
        yield (
            f"- the model averages the network, of which this is said, with ridge regression on TF-IDF (share "
            f"{ridge['share']:.0%}, chosen on validation): validation MAE {ridge['mixture_val_mae']:.3f}"
        )
    yield ""


def _slices(table: pd.DataFrame) -> Iterator[str]:
    yield "## Parts of the test set"
    yield ""
    yield "| by | value | articles | MAE |"
    yield "|---|---|---|---|"
    for row in table[table["metric"] == "mae"].to_dict("records"):
        yield f"| {row['by']} | {row['value']} | {row['rows']} | {row['score']:.3f} |"
    yield ""


def _worst(table: pd.DataFrame) -> Iterator[str]:
    yield "## Worst cases"
    yield ""
    for row in table.to_dict("records"):
        name, title = plain(row["article_id"], 100), plain(row["title"], 100)
        yield (
            f"- {name} ({title}): mean error {row['error']:.2f}; overall {row['true_overall']:.2f}, "
            f"predicted {row['predicted_overall']:.2f}"
        )
    yield ""


def _cost(oracle: Mapping[Any, Any]) -> Iterator[str]:
    each = 1000 * oracle["cost_usd"] / oracle["requests"] if oracle["requests"] else 0.0
    yield "## Cost"
    yield ""
    yield (
        f"The oracle (`{oracle['provider']}`, {oracle['model']}) cost ${oracle['cost_usd']:.4f} for "
        f"{oracle['requests']} answers: ${each:.4f} per 1,000. The model costs nothing per article. How many articles "
        "the oracle and the model score in a second is in the run ledger, `.winnow/ledger.jsonl` (label, evaluate)."
    )
