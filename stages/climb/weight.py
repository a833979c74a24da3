"""
Weight training routes by the logarithm of their repeats, so that proven routes are drawn more often.

    dvc repro weight@climb
"""

import numpy as np
import pandas as pd

from winnow.curate.weights import draw_epochs, drawn_ratio, effective_sample_size, log_scale_weights, to_mean_one
from winnow.domains.climb import definitions
from winnow.domains.climb.params import Common, Weight
from winnow.domains.climb.tables import Labels, Splits, Weights
from winnow.pipeline.stage import Stage, run_stage


def weigh_routes(routes: pd.DataFrame, params: Weight) -> pd.DataFrame:
    """The columns of `Weights`; a route of unknown repeats weighs the mean of the others, which is 1."""
    weights = log_scale_weights(
        routes["repeats"],
        low=params.low_repeats,
        high=params.high_repeats,
        high_ratio=params.high_ratio,
        max_ratio=params.max_ratio,
    )
    return pd.DataFrame({"route_id": routes["route_id"], "weight": to_mean_one(weights)})


def measure_draws(
    routes: pd.DataFrame, weights: "pd.Series[float]", params: Weight, rng: np.random.Generator
) -> dict[str, object]:
    """The effect of weighted sampling on an epoch of these routes: effective sample size, and ratios of draws."""
    draws = draw_epochs(weights, params.simulated_epochs, rng)
    repeats = routes["repeats"]
    often = (repeats >= params.high_repeats).fillna(False).to_numpy(dtype=bool)
    seldom = (repeats <= params.low_repeats).fillna(False).to_numpy(dtype=bool)
    unknown, known = repeats.isna().to_numpy(dtype=bool), repeats.notna().to_numpy(dtype=bool)
    found = {
        "drawn_ratio_high_to_low": drawn_ratio(draws, often, seldom),
        "drawn_ratio_unknown_to_known": drawn_ratio(draws, unknown, known),
    }
    return {
        "routes": len(routes),
        "routes_high": int(often.sum()),
        "routes_low": int(seldom.sum()),
        "routes_unknown": int(unknown.sum()),
        "effective_sample_size": effective_sample_size(weights),
        "max_ratio": float(weights.max() / weights.min()),
        **{name: ratio for name, ratio in found.items() if ratio},
    }


def main(stage: Stage[Common, Weight]) -> None:
    labels = stage.read("label/labels.parquet", Labels)
    splits = stage.read("split/splits.parquet", Splits)
    train = labels[labels["route_id"].isin(splits.loc[splits["split"] == "train", "route_id"])].reset_index(drop=True)
    weights = weigh_routes(train, stage.params)
    stage.write("weights.parquet", weights, Weights)
    stage.account(len(labels), weighed=len(weights), held_out=len(labels) - len(weights))
    rng = stage.rng()
    for name in definitions.SUBSETS:
        inside = train[f"in_{name}"]
        if inside.any():
            stage.metrics(**{name: measure_draws(train[inside], weights.loc[inside, "weight"], stage.params, rng)})


if __name__ == "__main__":
    run_stage(main)
