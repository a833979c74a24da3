"""The rules by which routes are kept, and the subsets they belong to."""

import pandas as pd

from winnow.curate.filters import Rule, apply_rules, check_not_empty, dropped_rows, rule_counts
from winnow.domains.climb import definitions
from winnow.domains.climb.params import Common
from winnow.domains.climb.rules.validity import broken_rules


def route_rules(common: Common, broken: pd.DataFrame) -> list[Rule]:
    """The rules in the order in which they are applied; `broken` is from `broken_rules`."""

    def breaks(name: str) -> Rule:
        return Rule(name, lambda routes: broken[name].reindex(routes["route_id"]).set_axis(routes.index))

    return [
        Rule("other_board", lambda routes: ~routes["board"].isin(common.boards)),
        Rule("unknown_grade", lambda routes: routes["grade"].isna()),
        *(breaks(str(name)) for name in broken.columns),
    ]


def keep_routes(
    routes: pd.DataFrame, holds: pd.DataFrame, common: Common
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, int]]:
    """The routes that break no rule, the `Dropped` ones, and how many each rule dropped.

    Raises TableError when no route is left.
    """
    rules = route_rules(common, broken_rules(routes, holds, min_holds=common.min_holds, max_holds=common.max_holds))
    reason = apply_rules(routes, rules)
    counts = rule_counts(reason, rules)
    kept = routes[reason.isna()]
    grades = f"{definitions.GRADES[0]} to {definitions.GRADES[-1]}"
    cure = f"use routes of grades from {grades}, on the boards and with the hold counts of climb.common"
    check_not_empty(kept, counts, fix=cure)
    return kept, dropped_rows(routes["route_id"], reason), counts


def mark_subsets(routes: pd.DataFrame, min_repeats: int) -> pd.DataFrame:
    """The routes with in_benchmark, in_quality and in_full. Unknown repeats are not enough for `quality`."""
    return routes.assign(
        in_benchmark=routes["benchmark"],
        in_quality=(routes["repeats"] >= min_repeats).fillna(False).astype(bool),
        in_full=True,
    )
