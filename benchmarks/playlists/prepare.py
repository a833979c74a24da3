"""The Million Playlist Dataset's playlists that playlists is measured on: `python -m benchmarks.playlists.prepare`.

7,071 of its playlists are published in a repository's history. A fifth of them, drawn by seed, is left out. The dataset
is licensed by Spotify for non-commercial research and may not be passed on.
"""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.fetching import check, new_folder, published, write_gzip

LEFT_OUT = 1414
CHUNK = 1000

Playlist = Mapping[str, Any]


def used(playlists: Sequence[Playlist]) -> list[Playlist]:
    """Without those that are left out, by their numbers."""
    left_out = set(random.Random(42).sample(sorted(each["pid"] for each in playlists), LEFT_OUT))
    return [each for each in sorted(playlists, key=lambda each: each["pid"]) if each["pid"] not in left_out]


def slices(playlists: Sequence[Playlist], info: Mapping[str, str]) -> Iterator[tuple[str, bytes]]:
    """Names and contents of files in the dataset's own form."""
    for start in range(0, len(playlists), CHUNK):
        part = playlists[start : start + CHUNK]
        name = f"{start}-{start + len(part) - 1}"
        content = {"info": {**info, "slice": name}, "playlists": part}
        yield f"mpd.slice.{name}.json.gz", json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def main() -> None:
    target = new_folder("playlists") / "mpd-7k"
    with published("joshuakguo/SoundScout", "f611061", "data") as folder:
        files = [json.loads(file.read_text(encoding="utf-8")) for file in folder.rglob("mpd.slice.*.json")]
    playlists = used([each for file in files for each in file["playlists"]])
    for name, content in slices(playlists, files[0]["info"]):
        write_gzip(target / name, content)
    check("playlists")


if __name__ == "__main__":
    main()
