"""Time and memory of the stages on lists of the Million Playlist Dataset's shape.

python -m benchmarks.playlists.scale [--playlists 10000 30000 100000] [--stages ingest … weight]

The lists are drawn as the embedded ones are, with 66 tracks in the mean and 6.8 tracks a list, but no more tracks than
the dataset has (a tenth of it has 100,000 lists, 6.6 million rows and some 680,000 tracks), written as the dataset's
slices, and read with the preset `mpd_full`.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.measure import clone, merge, run
from winnow.domains.playlists.params import Synthetic
from winnow.domains.playlists.source import synthetic
from winnow.pipeline import presets

STAGES = ("ingest", "filter", "label", "split", "weight", "train", "evaluate", "plot")
SLICE = 1000
TRACKS = 2_262_292
"""of the whole dataset"""
FOLDER = "data/source/playlists/drawn"


def write_slices(folder: Path, playlists: int) -> int:
    """The drawn lists as slices of the dataset; gives the number of rows."""
    tracks = min(int(6.8 * playlists), TRACKS)
    params = Synthetic(playlists=playlists, tracks=tracks, artists=tracks // 7, genres=12, mean_length=66, explore=0.1)
    world = synthetic.make_world(params, np.random.default_rng(0))
    folder.mkdir(parents=True)
    rows = 0
    for piece in synthetic.make_pieces(params, world, np.random.default_rng(1)):
        entries = {int(number): part for number, part in piece.entries.groupby("playlist")}
        lists = [
            {"pid": row["playlist"], "name": row["name"], "tracks": _tracks(entries[row["playlist"]])}
            for row in piece.playlists.to_dict("records")
            if row["playlist"] in entries
        ]
        rows += len(piece.entries)
        for first in range(0, len(lists), SLICE):
            part = lists[first : first + SLICE]
            begin, end = part[0]["pid"], part[-1]["pid"]
            (folder / f"mpd.slice.{begin}-{end}.json").write_text(json.dumps({"playlists": part}))
    return rows


def _tracks(entries: pd.DataFrame) -> list[dict[str, str]]:
    named = entries[["track", "title", "artist"]].to_dict("records")
    return [
        {"track_uri": f"spotify:track:{row['track']:0>22}", "track_name": row["title"], "artist_name": row["artist"]}
        for row in named
    ]


def measured(playlists: int, stages: list[str]) -> dict[str, object]:
    """Seconds and GiB of each stage."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = clone(Path(scratch, "winnow"))
        rows = write_slices(copy / FOLDER, playlists)
        run(["winnow", "preset", "playlists", "mpd_full", "--apply"], copy)
        presets.apply({"playlists.ingest.sources": [{"format": "mpd", "path": FOLDER}]}, copy / "params.yaml")
        run(["dvc", "repro", "--no-commit", f"{stages[-1]}@playlists"], copy)
        ledger = [json.loads(line) for line in (copy / ".winnow/ledger.jsonl").read_text().splitlines()]
        last = {line["stage"].partition("@")[0]: line for line in ledger if line["outcome"] == "done"}
        label = json.loads((copy / "metrics/playlists/label.json").read_text())
        judgement = copy / "metrics/playlists/judgement.json"
        judged = json.loads(judgement.read_text()) if "evaluate" in stages else {}
    return {
        "rows": rows,
        "tracks": label["tracks"],
        **{name: judged[name] for name in ("model", "baseline", "verdict") if name in judged},
        "seconds": {stage: round(last[stage]["seconds"], 1) for stage in stages},
        "minutes": round(sum(last[stage]["seconds"] for stage in stages) / 60, 1),
        "gib": {stage: round(last[stage]["peak_mib"] / 1024, 2) for stage in stages},
        "peak_gib": round(max(last[stage]["peak_mib"] for stage in stages) / 1024, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--playlists", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--stages", nargs="+", default=list(STAGES))
    options = parser.parse_args()
    for playlists in options.playlists:
        merge("playlists/scale", {f"{playlists:,} playlists": measured(playlists, options.stages)})


if __name__ == "__main__":
    main()
