"""
Drop repeated tracks and playlists, rare tracks and short playlists.

    dvc repro filter@playlists
"""

from winnow.curate.overlaps import tell_overlaps
from winnow.domains.playlists.params import Common, Filter
from winnow.domains.playlists.rules.keep import keep_entries, same_playlists
from winnow.domains.playlists.tables import Dropped, Entries, Playlists
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Filter]) -> None:
    entries = stage.read("ingest/entries.parquet", Entries)
    playlists = stage.read("ingest/playlists.parquet", Playlists)
    kept, dropped, counts = keep_entries(entries, stage.params)
    stage.write("entries.parquet", kept, Entries)
    stage.write("dropped.parquet", dropped, Dropped)
    stage.account(len(entries), kept=len(kept), dropped=len(dropped))
    if playlists["source"].nunique() > 1:
        tell_overlaps(stage, same_playlists(entries, playlists), "playlists", "the first stays")
    stage.metrics(dropped=counts, playlists=kept["playlist"].nunique(), tracks=kept["track"].nunique())


if __name__ == "__main__":
    run_stage(main)
