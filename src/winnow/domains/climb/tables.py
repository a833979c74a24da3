"""The tables between the climb stages. One row per route unless the name says otherwise."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from winnow.curate import tables
from winnow.curate.sides import SIDES
from winnow.domains.climb import definitions
from winnow.pipeline.tables import Table


class Routes(Table):
    """A problem: one (board, angle, hold set)."""

    route_id: Series[str] = pa.Field(unique=True, description="<board>-<angle>-<hash of the hold set>")
    hold_set: Series[str] = pa.Field(description="<board>-<hash of the hold set>: the same whatever the angle")
    board: Series[str] = pa.Field(isin=list(definitions.BOARDS))
    angle: Series[int] = pa.Field(isin=list(definitions.ANGLES), description="degrees of overhang")
    grade: Series[str] = pa.Field(nullable=True, description="Font grade as the best source gives it")
    repeats: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=0, description="ascents logged; unknown stays unknown")
    benchmark: Series[bool]
    user_rating: Series[float] = pa.Field(nullable=True, ge=0, le=5, description="stars on the source's own scale")
    name: Series[str] = pa.Field(nullable=True)
    method: Series[str] = pa.Field(nullable=True, description="how feet may be used")
    source: Series[str] = pa.Field(description="formats that hold it, best first, joined by +")


class Holds(Table):
    """One row per hold of a route, in token order (bottom up); no hold twice."""

    route_id: Series[str]
    position: Series[int] = pa.Field(ge=0)
    hold: Series[str] = pa.Field(description="cell, such as F12, or text that is no cell")
    role: Series[str] = pa.Field(isin=["start", "move", "finish", "unknown"])


class PeerHolds(Table):
    """One row per hold of a route that somebody else's model made, in the order of its source."""

    peer: Series[str] = pa.Field(description="the model's name")
    route_id: Series[str]
    board: Series[str] = pa.Field(isin=list(definitions.BOARDS))
    position: Series[int] = pa.Field(ge=0)
    hold: Series[str] = pa.Field(description="cell, such as F12, or text that is no cell")


class Kept(Routes):
    """A route that passed every rule, with the subsets it belongs to."""

    in_benchmark: Series[bool]
    in_quality: Series[bool] = pa.Field(description="repeats known and at least min_repeats")
    in_full: Series[bool] = pa.Field(eq=True)


class Dropped(tables.Dropped):
    route_id: Series[str] = pa.Field(unique=True)


class Labels(Table):
    route_id: Series[str] = pa.Field(unique=True)
    hold_set: Series[str]
    board: Series[str] = pa.Field(isin=list(definitions.BOARDS))
    angle: Series[int] = pa.Field(isin=list(definitions.ANGLES))
    grade: Series[str] = pa.Field(isin=list(definitions.GRADES))
    grade_index: Series[int] = pa.Field(
        ge=0, lt=len(definitions.GRADES), description="ordinal position on the Font scale"
    )
    repeats: Series[pd.Int64Dtype] = pa.Field(nullable=True, ge=0)
    quality: Series[str] = pa.Field(isin=list(definitions.QUALITY_BINS))
    in_benchmark: Series[bool]
    in_quality: Series[bool]
    in_full: Series[bool] = pa.Field(eq=True)


class Tokens(Table):
    """One row per token of a route, holds bottom up, without conditioning and end tokens."""

    route_id: Series[str]
    position: Series[int] = pa.Field(ge=0)
    token: Series[int] = pa.Field(ge=0, lt=definitions.CELLS, description="cell index, definitions.cell_index(hold)")


class QualityBins(Table):
    """Where the quality bins begin; a route of unknown repeats belongs to none of these."""

    quality: Series[str] = pa.Field(unique=True, isin=list(definitions.QUALITY_BINS))
    min_repeats: Series[int] = pa.Field(ge=0)


class KnownRoutes(Table):
    """The training and validation routes of a trained model; no test route."""

    route_id: Series[str] = pa.Field(unique=True)
    hold_set: Series[str]
    board: Series[str] = pa.Field(isin=list(definitions.BOARDS))
    angle: Series[int] = pa.Field(isin=list(definitions.ANGLES))
    grade_index: Series[int] = pa.Field(ge=0, lt=len(definitions.GRADES))
    split: Series[str] = pa.Field(isin=["train", "val"])


class Splits(Table):
    route_id: Series[str] = pa.Field(unique=True)
    stratum: Series[str] = pa.Field(description="<grade>_<quality>, or what it was merged into")
    split: Series[str] = pa.Field(isin=SIDES)


class Weights(Table):
    """Training routes only."""

    route_id: Series[str] = pa.Field(unique=True)
    weight: Series[float] = pa.Field(gt=0, description="relative chance to be drawn; mean 1")


class Predictions(Table):
    """The likelihood of each test route."""

    route_id: Series[str] = pa.Field(unique=True)
    hold_set: Series[str]
    board: Series[str] = pa.Field(isin=list(definitions.BOARDS))
    angle: Series[int] = pa.Field(isin=list(definitions.ANGLES))
    grade: Series[str] = pa.Field(isin=list(definitions.GRADES))
    quality: Series[str] = pa.Field(isin=list(definitions.QUALITY_BINS))
    in_full: Series[bool] = pa.Field(eq=True)
    in_quality: Series[bool]
    tokens: Series[int] = pa.Field(ge=1, description="holds and the end")
    nll: Series[float] = pa.Field(ge=0, description="negative log-likelihood of the route in nats")
    nll_bigram: Series[float] = pa.Field(ge=0)
    nll_uniform: Series[float] = pa.Field(ge=0)
    nll_unigram: Series[float] = pa.Field(ge=0)
    judged_grade: Series[str] = pa.Field(isin=list(definitions.GRADES), description="what the grade judge says")


class Judged(Table):
    """What the judge says of routes: the model's, the peers', and real test routes beside them."""

    origin: Series[str] = pa.Field(description="model, test, or a peer's name")
    route_id: Series[str]
    board: Series[str] = pa.Field(isin=list(definitions.BOARDS))
    angle: Series[int] = pa.Field(isin=list(definitions.ANGLES))
    grade: Series[str] = pa.Field(nullable=True, isin=list(definitions.GRADES), description="requested or known grade")
    judged_grade: Series[str] = pa.Field(isin=list(definitions.GRADES), description="what the grade judge says")
    weight: Series[float] = pa.Field(ge=0, description="makes the mix of grades that of the test routes; mean 1")
    broken_rule: Series[str] = pa.Field(nullable=True, description="the first rule it breaks; none: it is valid")
    novel: Series[bool] = pa.Field(description="its hold set is no training route's on its board")
    train_distance: Series[float] = pa.Field(ge=0, le=1, description="Jaccard distance to the nearest training route")


class JudgedHolds(Holds):
    """The holds of `Judged` routes, in token order."""

    origin: Series[str]


class HoldUsage(Table):
    """How often a hold of a board is used, as shares of all holds of the board's routes."""

    board: Series[str] = pa.Field(isin=list(definitions.BOARDS))
    hold: Series[str]
    train: Series[float] = pa.Field(ge=0, le=1, description="in training routes")
    test: Series[float] = pa.Field(ge=0, le=1, description="in test routes")
    model: Series[float] = pa.Field(ge=0, le=1, description="in generated routes, weighted to the test routes' grades")
