"""
Hold out the last tracks of every playlist, and make the training graph without them.

    dvc repro split@playlists
"""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from winnow.curate.splits import check_split_counts
from winnow.domains.playlists import definitions
from winnow.domains.playlists.params import Common, Split
from winnow.domains.playlists.rules.splits import (
    check_findable,
    check_graph,
    choose_playlists,
    choose_unseen,
    split_entries,
    training_graph,
)
from winnow.domains.playlists.tables import NumberedEntries, Splits, TrainingGraph
from winnow.pipeline.stage import Stage, run_stage
from winnow.pipeline.tables import whole_owners


def main(stage: Stage[Common, Split]) -> None:
    source = "label/entries.parquet"
    rng = stage.rng()
    present = [each["playlist_index"].unique() for each in stage.pieces(source, NumberedEntries)]
    numbers = np.unique(np.concatenate(present))
    used = choose_playlists(numbers, stage.params.max_playlists, rng)
    unseen = choose_unseen(used, stage.params, rng)
    rows, tested, counts = 0, 0, Counter[str]()
    tracks: dict[str, list[NDArray[np.int64]]] = {split: [] for split in definitions.SPLITS}
    with (
        stage.writer("splits.parquet", Splits) as add_splits,
        stage.writer("graph.parquet", TrainingGraph) as add_edges,
    ):
        for entries in whole_owners(stage.pieces(source, NumberedEntries), "playlist_index"):
            splits = split_entries(entries[entries["playlist_index"].isin(used)], unseen, stage.params)
            graph = training_graph(splits)
            check_graph(graph, [splits])
            add_splits(splits)
            add_edges(graph)
            rows += len(entries)
            counts.update(splits["split"])
            tested += splits.loc[splits["split"] == "test", "playlist_index"].nunique()
            tracks["train"].append(graph["track_index"].unique())
            for split in definitions.SPLITS[1:]:
                tracks[split].append(splits.loc[splits["split"] == split, "track_index"].to_numpy())
    check_split_counts({split: counts[split] for split in definitions.SPLITS}, definitions.SPLITS)
    train, val, test = (np.concatenate(tracks[split]) for split in definitions.SPLITS)
    check_findable(train, {"val": val, "test": test})
    parts = {split: counts[split] for split in (*definitions.SPLITS, definitions.UNSEEN)}
    stage.account(rows, **parts, over_max_playlists=rows - counts.total())
    stage.metrics(
        playlists=len(used),
        playlists_too_short_to_test=len(used) - len(unseen) - tested,
        test_entries_never_in_train=int((~np.isin(test, train)).sum()),
    )


if __name__ == "__main__":
    run_stage(main)
