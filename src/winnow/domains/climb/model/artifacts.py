"""What the trained generator's folder holds besides the network, so that using it reads nothing else."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from winnow.domains.climb.model.sequences import Sequences, encode
from winnow.domains.climb.params import Common, Decoding
from winnow.domains.climb.tables import KnownRoutes, QualityBins, Tokens
from winnow.learn.folder import read_settings
from winnow.pipeline.files import write_text
from winnow.pipeline.section import Section
from winnow.pipeline.tables import read_table, write_table

SETTINGS = "settings.json"


class Settings(Section):
    """The limits of a possible route, and how holds are drawn."""

    limits: Common
    decoding: Decoding


@dataclass(frozen=True)
class Artifacts:
    """The generator's settings, and the routes that shaped it."""

    settings: Settings
    routes: pd.DataFrame
    """`KnownRoutes`"""
    tokens: pd.DataFrame
    """`Tokens` of those routes"""
    quality_bins: pd.DataFrame
    """`QualityBins`"""

    def sequences(self, split: str) -> Sequences:
        """The routes of a split, train or val."""
        return encode(self.routes[self.routes["split"] == split], self.tokens)

    def write(self, folder: Path) -> None:
        """Add the files to a model's folder."""
        write_text(folder / SETTINGS, self.settings.model_dump_json(indent=2) + "\n")
        write_table(folder / "routes.parquet", self.routes, KnownRoutes)
        write_table(folder / "tokens.parquet", self.tokens, Tokens)
        write_table(folder / "quality_bins.parquet", self.quality_bins, QualityBins)


def make_artifacts(
    settings: Settings, labels: pd.DataFrame, splits: pd.DataFrame, tokens: pd.DataFrame, quality_bins: pd.DataFrame
) -> Artifacts:
    """From the settings, `Labels`, `Splits`, `Tokens` and `QualityBins`."""
    known = labels.merge(splits[splits["split"] != "test"], on="route_id", validate="one_to_one")
    routes = known[list(KnownRoutes.to_schema().columns)].sort_values("route_id", ignore_index=True)
    own = tokens[tokens["route_id"].isin(routes["route_id"])].sort_values(["route_id", "position"], ignore_index=True)
    return Artifacts(settings, routes, own, quality_bins)


def read_artifacts(folder: Path) -> Artifacts:
    """The files of a model's folder; raises TableError when one is missing, damaged or of another version."""
    return Artifacts(
        read_settings(folder / SETTINGS, Settings, "climb"),
        read_table(folder / "routes.parquet", KnownRoutes),
        read_table(folder / "tokens.parquet", Tokens),
        read_table(folder / "quality_bins.parquet", QualityBins),
    )
