"""
Keep photographs that can be graded, find those that show the same, and report where their grades disagree.

    dvc repro filter@retina
"""

from dataclasses import asdict

import numpy as np
import pandas as pd

from winnow.curate.filters import apply_rules, check_not_empty, dropped_rows
from winnow.domains.retina import definitions
from winnow.domains.retina.params import Common, Filter
from winnow.domains.retina.rules.duplicates import conflicts, duplicate_groups, report_duplicates, surplus
from winnow.domains.retina.rules.quality import quality_rules
from winnow.domains.retina.tables import Dropped, Duplicates, Kept, Photos, QualityLimits
from winnow.pipeline.errors import TableError
from winnow.pipeline.stage import Stage, run_stage

LIMITS = {
    "no_retina": ("retina_share", "min_retina_share"),
    "too_dark": ("brightness", "min_brightness"),
    "too_bright": ("brightness", "max_brightness"),
    "too_blurred": ("sharpness", "min_sharpness"),
}
"""The measure and the param behind each reason."""
DUPLICATE_RULES = ("conflicting_grades", "duplicate")


def keep_photographs(
    photos: pd.DataFrame, params: Filter
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, int]]:
    """`Kept`, `Dropped`, `Duplicates` and how many each rule dropped.

    Duplicates are looked for among the photographs that can be graded. Raises TableError when none is left, or when the
    limits drop more than `max_dropped_share`.
    """
    rules = quality_rules(limits_of(params))
    reason = apply_rules(photos, rules)
    check_dropped_share(photos, reason, params)
    gradable = photos[reason.isna()]
    gradable = gradable.assign(duplicate_group=duplicate_groups(gradable, params.max_hash_distance))
    going = surplus(gradable, params)
    report = report_duplicates(gradable, going)
    reason = reason.fillna(going.reindex(photos.index))
    counts = {name: int((reason == name).sum()) for name in (*(rule.name for rule in rules), *DUPLICATE_RULES)}
    kept = gradable[going.isna()]
    check_not_empty(kept, counts, fix="loosen retina.filter, or name other retina.ingest.sources")
    return kept, dropped_rows(photos["image_id"], reason), report, counts


def check_dropped_share(photos: pd.DataFrame, reason: "pd.Series[str]", params: Filter) -> None:
    """Raises TableError, with the measured value of each limit broken, when the limits drop too many photographs."""
    share = float(reason.notna().mean())
    if share <= params.max_dropped_share:
        return
    told = []
    for rule, count in reason.value_counts().items():
        measure, limit = LIMITS[str(rule)]
        low, middle, high = np.quantile(photos[measure], [0.05, 0.5, 0.95])
        told.append(
            f"{rule} {count}: {measure} is {low:.3g} to {high:.3g} (5% to 95%, median {middle:.3g}), "
            f"{limit} {getattr(params, limit):g}"
        )
    raise TableError(
        f"the limits drop {share:.1%} of {len(photos)} photographs, more than retina.filter.max_dropped_share "
        f"{params.max_dropped_share:g}: {'; '.join(told)}",
        fix="look at some: move the limit if they can be graded, else raise max_dropped_share",
    )


def limits_of(params: Filter) -> definitions.QualityLimits:
    """The limits that the model applies too, when it is used on new photographs."""
    return definitions.QualityLimits(
        min_brightness=params.min_brightness,
        max_brightness=params.max_brightness,
        min_retina_share=params.min_retina_share,
        min_sharpness=params.min_sharpness,
        max_hash_distance=params.max_hash_distance,
    )


def main(stage: Stage[Common, Filter]) -> None:
    photos = stage.read("ingest/photos.parquet", Photos)
    kept, dropped, duplicates, counts = keep_photographs(photos, stage.params)
    stage.write("photos.parquet", kept, Kept)
    stage.write("dropped.parquet", dropped, Dropped)
    stage.write("duplicates.parquet", duplicates, Duplicates)
    stage.write("limits.parquet", pd.DataFrame([asdict(limits_of(stage.params))]), QualityLimits)
    stage.account(len(photos), kept=len(kept), dropped=len(dropped))
    stage.metrics(dropped=counts, duplicates=conflicts(duplicates))


if __name__ == "__main__":
    run_stage(main)
