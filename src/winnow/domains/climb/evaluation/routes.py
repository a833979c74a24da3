"""Properties of generated routes and of others for comparison: validity, novelty, diversity, agreement of grades."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.climb import definitions
from winnow.domains.climb.metrics import route_statistics
from winnow.domains.climb.model.grades import GradeJudge
from winnow.domains.climb.model.sequences import Sequences, encode, holds_of, membership, train_distances, with_roles
from winnow.domains.climb.params import Common
from winnow.domains.climb.rules.validity import broken_rules_of_generated
from winnow.judge.intervals import values
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
    """Routes from `PeerHolds`: bottom up, roles inferred, repeated holds and those that are no cells left to the judge.

    The sequences have each cell once. Holds that are no cells come last, of unknown role.
    """
    routes = holds.groupby("route_id", as_index=False)["board"].first().assign(angle=angle, grade=None, grade_index=0)
    placed = holds.assign(cell=holds["hold"].map(definitions.CELL_INDEX))
    placed = placed.sort_values(["route_id", "cell"], kind="stable")  # NaN last
    placed["position"] = placed.groupby("route_id").cumcount()
    cells = placed.dropna(subset="cell").astype({"cell": "int64"})
    once = cells.drop_duplicates(["route_id", "cell"]).rename(columns={"cell": "token"})
    once["position"] = once.groupby("route_id").cumcount()
    known = with_roles(cells, routes.set_index("route_id")["board"].to_dict())
    others = placed.loc[placed["cell"].isna(), ["route_id", "position", "hold"]].assign(role="unknown")
    roles = pd.concat([known, others.astype(known.dtypes)]).sort_values(["route_id", "position"], ignore_index=True)
    return Collection(routes, encode(routes, once), roles, np.ones(len(routes)))


def judge_routes(
    origin: str, collection: Collection, *, train: Sequences, judge: GradeJudge, common: Common
) -> pd.DataFrame:
    """The `Judged` table of a collection; a route of fewer than two cells has no move to judge a grade by."""
    routes = collection.routes[["route_id", "board", "angle", "grade"]].reset_index(drop=True)
    broken = broken_rules(collection, common)
    distance = train_distances(collection.sequences, train)
    climbable = membership(collection.sequences).sum(axis=1) > 1
    said = np.full(len(routes), None, dtype=object)
    said[climbable] = np.array(definitions.GRADES)[judge.grades(collection.sequences.rows(climbable))]
    routes.insert(0, "origin", origin)
    judged = routes.assign(
        judged_grade=said,
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

    Diversity is measured within each board, and averaged over the routes.
    """
    held = membership(sequences)
    on_board = judged.groupby("board").indices
    found = values(route_statistics(judged), len(judged))
    found["distinct_score"] = sum(distinct_share(held[rows]) * len(rows) for rows in on_board.values()) / len(held)
    spread = [(mean_pairwise_distance(held[rows]), len(rows)) for rows in on_board.values() if len(rows) > 1]
    if spread:
        scores, counts = np.array(spread).T
        found["diversity_score"] = float(np.average(scores, weights=counts))
    return found


def proportions(judged: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """(successes, routes) of those metrics that are proportions of equally weighted routes."""
    return {
        "validity_score": (int(judged["broken_rule"].isna().sum()), len(judged)),
        "novelty_score": (int(judged["novel"].sum()), len(judged)),
    }


def slice_routes(judged: pd.DataFrame) -> pd.DataFrame:
    """The `Slices` of `Judged` routes with a grade: what they are like by grade and by board, unweighted."""

    def metric(name: str) -> Metric:
        return lambda part: values(route_statistics(part.assign(weight=1.0)), len(part))[name]

    metrics = {name: metric(name) for name in route_statistics(judged)}
    return slice_metrics(judged, ["grade", "board"], metrics)
