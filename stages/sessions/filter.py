"""
Drop skipped and repeated plays and bots, and keep the k-core of users and songs.

    dvc repro filter@sessions
"""

from winnow.curate.filters import dropped_rows
from winnow.domains.sessions.params import Common, Filter
from winnow.domains.sessions.rules.plays import check_enough, judge_plays, rules_table
from winnow.domains.sessions.tables import Dropped, PlayRules, Plays
from winnow.pipeline.stage import Stage, run_stage
from winnow.pipeline.tables import whole_owners

SOURCE = "ingest/plays.parquet"


def main(stage: Stage[Common, Filter]) -> None:
    judged = judge_plays(whole_owners(stage.pieces(SOURCE, Plays), "user"), stage.params)
    check_enough(judged.users, judged.songs)
    rows = 0
    with stage.writer("plays.parquet", Plays) as keep, stage.writer("dropped.parquet", Dropped) as drop:
        for plays in stage.pieces(SOURCE, Plays):
            reason = judged.reasons(plays, rows)
            keep(plays[reason.isna()])
            drop(dropped_rows(plays["play"], reason))
            rows += len(plays)
    stage.write("rules.parquet", rules_table(stage.params), PlayRules)
    dropped = sum(judged.counts.values())
    stage.account(rows, kept=rows - dropped, dropped=dropped)
    stage.metrics(dropped=judged.counts, k_core_rounds=judged.rounds, users=judged.users, songs=judged.songs)


if __name__ == "__main__":
    run_stage(main)
