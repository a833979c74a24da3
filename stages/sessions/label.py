"""
Turn plays into implicit positives (user, song) with a confidence.

    dvc repro label@sessions
"""

import pandas as pd

from winnow.domains.sessions.params import Common, Label
from winnow.domains.sessions.rules.positives import number_songs, number_tags, number_users, positives
from winnow.domains.sessions.tables import Catalogue, Interactions, PlayRules, Plays, SongGenres, Songs, Tags, Users
from winnow.pipeline.stage import Stage, run_stage
from winnow.pipeline.tables import whole_owners

SOURCE = "filter/plays.parquet"


def main(stage: Stage[Common, Label]) -> None:
    heard = [
        {name: plays[name].drop_duplicates() for name in ("user", "song")} for plays in stage.pieces(SOURCE, Plays)
    ]
    users = number_users(pd.concat([each["user"] for each in heard]))
    catalogue = stage.read("ingest/catalogue.parquet", Catalogue)
    songs = number_songs(pd.concat([each["song"] for each in heard]), catalogue)
    tags = number_tags(stage.read("ingest/genres.parquet", SongGenres), users, songs)
    stage.write("users.parquet", users, Users)
    stage.write("songs.parquet", songs, Songs)
    stage.write("tags.parquet", tags, Tags)
    rows = pairs = 0
    with stage.writer("interactions.parquet", Interactions) as write:
        for plays in whole_owners(stage.pieces(SOURCE, Plays), "user"):
            found = positives(plays, users, songs, stage.params)
            write(found)
            rows, pairs = rows + len(plays), pairs + len(found)
    stage.write("rules.parquet", stage.read("filter/rules.parquet", PlayRules), PlayRules)
    stage.account(rows, positives=pairs, played_again=rows - pairs)
    stage.metrics(
        users=len(users), songs=len(songs), genres=tags["genre"].nunique(), density=pairs / (len(users) * len(songs))
    )


if __name__ == "__main__":
    run_stage(main)
