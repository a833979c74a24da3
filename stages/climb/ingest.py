"""
Read problems from files of any known format, or generate them, and merge duplicates.

    dvc repro ingest@climb
"""

from winnow.curate.overlaps import tell_overlaps
from winnow.curate.rejected import check_rejected_share, rejected_rows
from winnow.curate.tables import Rejected
from winnow.domains.climb.params import Common, Ingest
from winnow.domains.climb.source import formats, peers, synthetic
from winnow.domains.climb.source.merge import SourceFile, merge
from winnow.domains.climb.tables import Holds, PeerHolds, Routes
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Ingest]) -> None:
    sources = stage.params.sources
    files = [SourceFile(file.format, file.path, formats.read(file.format, stage.source(file.path))) for file in sources]
    if not files:
        made = synthetic.make(stage.common, stage.params.synthetic, stage.rng())
        files = [SourceFile("synthetic", "synthetic", made)]
    rejected = rejected_rows((file.path, file.problems.rejected) for file in files)
    rows_in = len(rejected) + sum(len(file.problems.routes) for file in files)
    check_rejected_share(rejected, rows_in, stage.params.max_rejected_share, domain=stage.domain)
    merged = merge(files)
    made_by_peers = peers.read([(stage.source(peer.path), peer.board) for peer in stage.params.peers])
    stage.write("routes.parquet", merged.routes, Routes)
    stage.write("holds.parquet", merged.holds, Holds)
    stage.write("rejected.parquet", rejected, Rejected)
    stage.write("peers.parquet", made_by_peers, PeerHolds)
    kept = len(merged.routes)
    stage.account(rows_in, kept=kept, rejected=len(rejected), merged=rows_in - len(rejected) - kept)
    tell_overlaps(stage, merged.rows, "routes", "each counts once")
    stage.metrics(
        in_both=merged.in_both,
        grade_conflicts=merged.grade_conflicts,
        by_source=merged.routes["source"].value_counts().to_dict(),
        by_board=(merged.routes["board"] + "-" + merged.routes["angle"].astype("str")).value_counts().to_dict(),
    )


if __name__ == "__main__":
    run_stage(main)
