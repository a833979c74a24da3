"""What every table between stages refuses, by the meaning of its columns' names."""

import importlib
import inspect
import re

import pandera.pandas as pa
import pytest

from winnow.domains.load import domain_names

SHARE = re.compile(
    r"p_.+|p\d|severity(_.+)?|(true_)?(score|legibility|readability)|framing|(seen_)?(recall|ndcg)_at_\d+|r_precision"
    r"|recall|precision|average_precision|f1(_low|_high)?|probability|.*(?<!p)share|share_played|diversity"
    r"|reciprocal_rank|raw_confidence|user_rating|within_one|train_distance|threshold|found|false_rejects|flag_from"
    r"|confidence|accuracy"
)
COUNT = re.compile(
    r"playlist|entry|play|row|position|words|shrink|(user|song|item|track|genre|word|playlist)_index|repeats|nll.*"
)
KEYS = {
    ("playlists", "Entries"): "entry", ("playlists", "Playlists"): "playlist", ("playlists", "Tracks"): "track_index",
    ("sessions", "Plays"): "play", ("sessions", "Users"): "user_index", ("sessions", "Songs"): "song_index",
    ("climb", "Routes"): "route_id", ("articles", "Articles"): "article_id", ("documents", "Pages"): "image_id",
    ("retina", "Photos"): "image_id",
}  # fmt: skip
OTHER = {  # scores of another scale
    ("articles", "score"),
    ("documents", "severity_error"),
    ("playlists", "score"),
    ("sessions", "score"),
    ("sessions", "confidence"),  # of an interaction, from 1
    ("judge.slices", "score"),
}

ROOMS = ("curate.tables", "curate.overlaps", "judge.slices", "measure.calibration", "recommend.tables")
"""Modules with tables that several domains write."""
MODULES = {**{domain: f"domains.{domain}.tables" for domain in domain_names()}, **{room: room for room in ROOMS}}
TABLES = [
    pytest.param(domain, table, id=f"{domain}-{name}")
    for domain, module in MODULES.items()
    for name, table in sorted(vars(importlib.import_module(f"winnow.{module}")).items())
    if name != "Measures"  # of any value, once standardised
    and inspect.isclass(table)
    and issubclass(table, pa.DataFrameModel)
    and table.__module__.startswith("winnow.domains" if domain in domain_names() else f"winnow.{module}")
]


@pytest.mark.parametrize(("domain", "table"), TABLES)
def test_shares_lie_between_0_and_1_counts_are_not_negative_and_keys_are_unique(
    domain: str, table: type[pa.DataFrameModel]
) -> None:
    columns = table.to_schema().columns
    for name, column in columns.items():
        checks = {check.name: next(iter(check.statistics.values())) for check in column.checks}
        if SHARE.fullmatch(name) and str(column.dtype).startswith(("float", "Float")) and (domain, name) not in OTHER:
            low = checks.get("greater_than_or_equal_to", checks.get("greater_than"))
            assert (low, checks.get("less_than_or_equal_to")) == (0, 1), f"{table.__name__}.{name} is a share"
        elif COUNT.fullmatch(name) and str(column.dtype).lower().startswith(("float", "int")):
            assert checks.get("greater_than_or_equal_to") == 0, f"{table.__name__}.{name} counts from 0"
    if (domain, table.__name__) in KEYS:
        assert columns[KEYS[domain, table.__name__]].unique, "the table's key"
