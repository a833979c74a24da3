"""
Drop repeated tracks and playlists, rare tracks and short playlists.

    dvc repro filter@playlists
"""

from winnow.curate.filters import check_not_empty
from winnow.curate.overlaps import tell_overlaps
from winnow.domains.playlists.params import Common, Filter
from winnow.domains.playlists.rules.keep import DROPPED, KEPT, SAME_PLAYLISTS, judge_entries
from winnow.domains.playlists.tables import Dropped, Entries, Playlists
from winnow.pipeline.engine import engine
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Filter]) -> None:
    with engine() as tables:
        entries = tables.load("entries", stage.pieces("ingest/entries.parquet", Entries))
        tables.load("playlists", stage.pieces("ingest/playlists.parquet", Playlists))
        counts = judge_entries(tables, stage.params)
        kept = entries - sum(counts.values())
        cure = "lower playlists.filter.min_tracks and min_track_playlists, or use more data"
        check_not_empty(range(kept), counts, fix=cure)
        stage.write_pieces("entries.parquet", tables.pieces(KEPT), Entries)
        stage.write_pieces("dropped.parquet", tables.pieces(DROPPED), Dropped)
        stage.account(entries, kept=kept, dropped=entries - kept)
        if tables.number("select count(distinct source) from playlists") > 1:
            tell_overlaps(stage, tables.rows(SAME_PLAYLISTS), "playlists", "the first stays")
        playlists = tables.number("select count(distinct playlist) from core")
        tracks = tables.number("select count(distinct number) from core")
    stage.metrics(dropped=counts, playlists=playlists, tracks=tracks)


if __name__ == "__main__":
    run_stage(main)
