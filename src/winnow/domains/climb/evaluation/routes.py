"""Properties of generated routes and of others for comparison: validity, novelty, diversity, agreement of grades."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.climb import definitions
from winnow.domains.climb.model.grades import GradeJudge
from winnow.domains.climb.model.sequences import (
    Integers,
    Sequences,
    encode,
    holds_of,
    membership,
    train_distances,
    with_roles,
)
from winnow.domains.climb.params import Common
from winnow.domains.climb.rules.validity import broken_rules_of_generated
from winnow.judge.intervals import Statistic, mean, ratio
from winnow.judge.slices import Metric, slice_metrics
from winnow.measure.sets import distinct_share, mean_pairwise_distance

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Collection:
    """Routes of one origin; every part has them in the same order."""

    routes: pd.DataFrame
    """route_id, board, angle and grade (requested, or known; None where neither)"""
    sequences: Sequences
    holds: pd.DataFrame
    """`Holds`, roles inferred"""
    weights: Floats
    """(routes,) of mean 1"""


def real_routes(labels: pd.DataFrame, sequences: Sequences) -> Collection:
    """Routes of a `Labels` table, each of weight 1; roles are inferred as for generated routes."""
    return Collection(labels, sequences, holds_of(sequences), np.ones(len(labels)))


def draw_conditions(test: pd.DataFrame, per_grade: int, rng: np.random.Generator) -> pd.DataFrame:
    """`per_grade` rows of board, angle, grade and grade_index for each grade of the test routes, drawn from those."""
    grades = test.sort_values("route_id").groupby("grade_index")
    drawn = pd.concat([part.iloc[rng.integers(len(part), size=per_grade)] for _, part in grades])
    return drawn[["board", "angle", "grade", "grade_index"]].reset_index(drop=True)


def grade_weights(grades: "pd.Series[str]", test: "pd.Series[str]") -> Floats:
    """(routes,) weights of mean 1 that give the routes the test routes' mix of grades."""
    wanted, given = test.value_counts(normalize=True), grades.value_counts(normalize=True)
    weights = grades.map(wanted.reindex(given.index, fill_value=0.0) / given).to_numpy(dtype=np.float64)
    return np.asarray(weights / weights.mean(), dtype=np.float64)


def generated_routes(requested: pd.DataFrame, made: Sequences, test: pd.DataFrame) -> Collection:
    """Routes generated for the conditions `requested`, weighted to the test routes' mix of grades."""
    weights = grade_weights(requested["grade"], test["grade"])
    return Collection(requested.assign(route_id=list(made.ids)), made, holds_of(made), weights)


def peer_routes(holds: pd.DataFrame, angle: int) -> Collection:
    """Routes from `PeerHolds`: bottom up, roles inferred, repeated holds left to the judge.

    The sequences have each cell once. Holds that are no cells are ignored.
    """
    cells = holds.assign(cell=holds["hold"].map(definitions.CELL_INDEX)).dropna(subset="cell").astype({"cell": "int64"})
    cells = cells.sort_values(["route_id", "cell"], kind="stable")
    cells["position"] = cells.groupby("route_id").cumcount()
    routes = cells.groupby("route_id", as_index=False)["board"].first().assign(angle=angle, grade=None, grade_index=0)
    once = cells.drop_duplicates(["route_id", "cell"]).rename(columns={"cell": "token"})
    once["position"] = once.groupby("route_id").cumcount()
    roles = with_roles(cells, routes.set_index("route_id")["board"].to_dict())
    return Collection(routes, encode(routes, once), roles, np.ones(len(routes)))


def judge_routes(
    origin: str, collection: Collection, *, train: Sequences, judge: GradeJudge, common: Common
) -> pd.DataFrame:
    """The `Judged` table of a collection."""
    routes = collection.routes[["route_id", "board", "angle", "grade"]].reset_index(drop=True)
    broken = broken_rules(collection, common)
    distance = train_distances(collection.sequences, train)
    routes.insert(0, "origin", origin)
    judged = routes.assign(
        judged_grade=np.array(definitions.GRADES)[judge.grades(collection.sequences)],
        weight=collection.weights,
        broken_rule=broken.idxmax(axis=1).where(broken.any(axis=1)).to_numpy(),
        novel=distance > 0,
        train_distance=distance,
    )
    return judged.astype(dict.fromkeys(["origin", "route_id", "board", "grade", "judged_grade", "broken_rule"], "str"))


def broken_rules(collection: Collection, common: Common) -> pd.DataFrame:
    """Which rules each route breaks: a boolean column for each rule."""
    return broken_rules_of_generated(
        collection.routes,
        collection.holds,
        min_holds=common.min_holds,
        max_holds=common.max_holds,
        max_reach=common.max_reach,
    )


def route_metrics(judged: pd.DataFrame, sequences: Sequences) -> dict[str, float]:
    """Metrics of the routes of one origin, given as `Judged` and, in the same order, as `sequences`.

    Diversity is measured within each board, and averaged over the routes. Grade accuracies are weighted to the test
    routes' mix of grades, and left out where no grade was requested.
    """
    held = membership(sequences)
    on_board = judged.groupby("board").indices
    metrics = {
        "validity_score": float(judged["broken_rule"].isna().mean()),
        "novelty_score": float(judged["novel"].mean()),
        "train_distance_score": float(judged["train_distance"].mean()),
        "distinct_score": sum(distinct_share(held[rows]) * len(rows) for rows in on_board.values()) / len(held),
    }
    spread = [(mean_pairwise_distance(held[rows]), len(rows)) for rows in on_board.values() if len(rows) > 1]
    if spread:
        metrics["diversity_score"] = sum(score * rows for score, rows in spread) / sum(rows for _, rows in spread)
    if judged["grade"].notna().all():
        apart = grades_apart(judged)
        metrics["grade_exact_accuracy"] = float(np.average(apart == 0, weights=judged["weight"]))
        metrics["grade_within_one_accuracy"] = float(np.average(apart <= 1, weights=judged["weight"]))
    return metrics


def route_statistics(judged: pd.DataFrame) -> dict[str, Statistic]:
    """Those metrics of routes with a grade that are means over routes, for `judge.intervals`."""
    apart, weight = grades_apart(judged), judged["weight"].to_numpy()
    return {
        "train_distance_score": mean(judged["train_distance"]),
        "grade_exact_accuracy": ratio((apart == 0) * weight, weight),
        "grade_within_one_accuracy": ratio((apart <= 1) * weight, weight),
    }


def proportions(judged: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """(successes, routes) of those metrics that are proportions of equally weighted routes."""
    return {
        "validity_score": (int(judged["broken_rule"].isna().sum()), len(judged)),
        "novelty_score": (int(judged["novel"].sum()), len(judged)),
    }


def slice_routes(judged: pd.DataFrame) -> pd.DataFrame:
    """The `Slices` of `Judged` routes with a grade: what they are like by grade and by board."""
    metrics: dict[str, Metric] = {
        "validity_score": lambda part: float(part["broken_rule"].isna().mean()),
        "novelty_score": lambda part: float(part["novel"].mean()),
        "train_distance_score": lambda part: float(part["train_distance"].mean()),
        "grade_exact_accuracy": lambda part: float((grades_apart(part) == 0).mean()),
        "grade_within_one_accuracy": lambda part: float((grades_apart(part) <= 1).mean()),
    }
    return slice_metrics(judged, ["grade", "board"], metrics)


def grades_apart(judged: pd.DataFrame) -> Integers:
    """(routes,) steps on the Font scale between the requested grade and the judge's."""
    requested, judged_grade = (
        judged[column].map(definitions.GRADE_INDEX).to_numpy(np.int64) for column in ("grade", "judged_grade")
    )
    apart: Integers = np.abs(requested - judged_grade)
    return apart
