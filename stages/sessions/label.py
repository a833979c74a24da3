"""
Turn plays into implicit positives (user, song) with a confidence.

    dvc repro label@sessions
"""

from winnow.domains.sessions.params import Common, Label
from winnow.domains.sessions.rules.positives import number_songs, number_tags, number_users, positives
from winnow.domains.sessions.tables import Catalogue, Interactions, PlayRules, Plays, SongGenres, Songs, Tags, Users
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Label]) -> None:
    plays = stage.read("filter/plays.parquet", Plays)
    users = number_users(plays)
    songs = number_songs(plays, stage.read("ingest/catalogue.parquet", Catalogue))
    tags = number_tags(stage.read("ingest/genres.parquet", SongGenres), users, songs)
    found = positives(plays, users, songs, stage.params)
    stage.write("users.parquet", users, Users)
    stage.write("songs.parquet", songs, Songs)
    stage.write("tags.parquet", tags, Tags)
    stage.write("interactions.parquet", found, Interactions)
    stage.write("rules.parquet", stage.read("filter/rules.parquet", PlayRules), PlayRules)
    stage.account(len(plays), positives=len(found), played_again=len(plays) - len(found))
    stage.metrics(
        users=len(users),
        songs=len(songs),
        genres=tags["genre"].nunique(),
        density=len(found) / (len(users) * len(songs)),
    )


if __name__ == "__main__":
    run_stage(main)
