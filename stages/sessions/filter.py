"""
Drop skipped and repeated plays and bots, and keep the k-core of users and songs.

    dvc repro filter@sessions
"""

from winnow.domains.sessions.params import Common, Filter
from winnow.domains.sessions.rules.plays import check_enough, keep_plays, rules_table
from winnow.domains.sessions.tables import Dropped, PlayRules, Plays
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Filter]) -> None:
    plays = stage.read("ingest/plays.parquet", Plays)
    kept, dropped, counts, rounds = keep_plays(plays, stage.params)
    users, songs = kept["user"].nunique(), kept["song"].nunique()
    check_enough(users, songs)
    stage.write("plays.parquet", kept, Plays)
    stage.write("dropped.parquet", dropped, Dropped)
    stage.write("rules.parquet", rules_table(stage.params), PlayRules)
    stage.account(len(plays), kept=len(kept), dropped=len(dropped))
    stage.metrics(dropped=counts, k_core_rounds=rounds, users=users, songs=songs)


if __name__ == "__main__":
    run_stage(main)
