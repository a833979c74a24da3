"""
Hold out the last tracks of every playlist, and make the training graph without them.

    dvc repro split@playlists
"""

from winnow.domains.playlists import definitions
from winnow.domains.playlists.params import Common, Split
from winnow.domains.playlists.rules.splits import (
    check_findable,
    check_graph,
    choose_playlists,
    split_entries,
    training_graph,
)
from winnow.domains.playlists.tables import NumberedEntries, Splits, TrainingGraph
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Split]) -> None:
    entries = stage.read("label/entries.parquet", NumberedEntries)
    rng = stage.rng()
    used = choose_playlists(entries, stage.params.max_playlists, rng)
    splits = split_entries(used, stage.params, rng)
    graph = training_graph(splits)
    check_graph(graph, splits)
    check_findable(graph, splits)
    stage.write("splits.parquet", splits, Splits)
    stage.write("graph.parquet", graph, TrainingGraph)
    by_split = splits["split"].value_counts()
    counts = {split: int(by_split.get(split, 0)) for split in (*definitions.SPLITS, definitions.UNSEEN)}
    stage.account(len(entries), **counts, over_max_playlists=len(entries) - len(splits))
    tests = splits[splits["split"] == "test"]
    stage.metrics(
        playlists=splits["playlist_index"].nunique(),
        playlists_too_short_to_test=splits["playlist_index"].nunique() - tests["playlist_index"].nunique(),
        test_entries_never_in_train=int((~tests["track_index"].isin(graph["track_index"])).sum()),
    )


if __name__ == "__main__":
    run_stage(main)
