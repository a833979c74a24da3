"""Sources that hold the same rows: every domain says it, with counts, first cases and what to do, in the same way."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.stages.programs import Programs
from winnow.domains.documents.source.synthetic import draw_page
from winnow.domains.load import domain_names
from winnow.workspace.rows import as_lines, rows_of

Source = dict[str, Any]


def text(path: str, content: str) -> str:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(content)
    return path


def climb(name: str, rows: list[int]) -> Source:
    lines = [f"6{'ABC'[row % 3]},A5 C9 {'ABCDEFGHIJK'[row]}12 K18\n" for row in rows]
    return {"format": "csv", "path": text(f"data/source/climb/{name}.csv", "grade,holds\n" + "".join(lines))}


def sessions(name: str, rows: list[int]) -> Source:
    lines = [f"u{row % 2},s{row % 3},{1000 * row + 5}\n" for row in rows]
    path = text(f"data/source/sessions/{name}.csv", "user,song,time\n" + "".join(lines))
    others = dict.fromkeys(["genre", "skipped", "share_played"])
    events = {"header": True, "user": "user", "item": ["song"], "timestamp": "time", **others}
    return {"format": "events", "path": path, "events": events}


def playlists(name: str, rows: list[int]) -> Source:
    lines = [f"ann,list {row},one {row + n}\n" for row in rows for n in range(3)]
    return {
        "format": "csv",
        "path": text(f"data/source/playlists/{name}.csv", "user,playlist,track\n" + "".join(lines)),
    }


def articles(name: str, rows: list[int]) -> Source:
    lines = [json.dumps({"id": f"id {row}", "content": f"words {row}"}) + "\n" for row in rows]
    return {"format": "jsonl", "path": text(f"data/source/articles/{name}.jsonl", "".join(lines))}


def retina(name: str, rows: list[int]) -> Source:
    folder = f"data/source/retina/{name}"
    for row in rows:
        Path(folder, str(row % 2)).mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(row).integers(0, 256, (60, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"{folder}/{row % 2}/{name}{row}.png")
    return {"format": "folders", "path": folder, "images": None}


def documents(name: str, rows: list[int]) -> Source:
    folder = f"data/source/documents/{name}"
    Path(folder).mkdir(parents=True)
    for row in rows:
        Image.fromarray(draw_page("letter", 200, np.random.default_rng(row))).save(f"{folder}/{name}{row}.png")
    return {"format": "clean_pages", "path": folder}


MAKERS: dict[str, Callable[[str, list[int]], Source]] = {
    "climb": climb, "sessions": sessions, "playlists": playlists, "articles": articles, "retina": retina,
    "documents": documents,
}  # fmt: skip
STAGES = {"playlists": "filter"}
"""Where it is found: in ingest, but that playlists are compared when all are read."""


@pytest.mark.parametrize("domain", [name for name in domain_names() if name in MAKERS])
def test_every_domain_tells_of_sources_that_overlap(
    domain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An export that contains last month's, a file that shares a part, and one that shares nothing."""
    monkeypatch.chdir(tmp_path)
    make = MAKERS[domain]
    sources = [make("old", [1, 2, 3]), make("new", [1, 2, 3, 4, 5]), make("part", [5, 7, 8]), make("other", [9])]
    programs, stage = Programs(domain), STAGES.get(domain, "ingest")
    ingested = programs.run("ingest", sources=sources, max_rejected_share=1.0)
    if stage == "filter":
        programs.run("filter", min_tracks=2, min_track_playlists=1)
    printed = [line for line in capsys.readouterr().err.splitlines() if "are also in" in line]
    old, new, part, other = (each["path"] for each in sources)
    found = rows_of(domain, stage)[stage]["overlaps"]
    told = {(each["source"], each["other"]): (each["rows"], each["of"], each["of_other"]) for each in found}
    assert told == {(new, old): (3, 5, 3), (part, new): (1, 3, 5)}
    assert [line.strip() for line in printed] == [each["told"] for each in found], "what is shown is what was printed"
    assert f"winnow remove {domain} {old}" in printed[0], "the export holds all of last month's"
    assert "winnow remove" not in printed[1], "each of the two has rows of its own"
    assert not any(other in line for line in printed)
    shown = list(as_lines({stage: rows_of(domain, stage)[stage]}))
    (place,) = (number for number, line in enumerate(shown) if line.split(maxsplit=1)[1] == found[0]["told"])
    assert shown[place].split()[0] == "3"
    assert len(found[0]["first"]) == 3
    assert all(each in shown[place + 1] for each in found[0]["first"])
    table = pd.read_parquet(f"data/{domain}/{stage}/overlaps.parquet")
    assert sorted(table.loc[table["source"] == new, "place"]) == sorted(found[0]["first"])
    assert ingested["rows_in"] >= 12


@pytest.mark.parametrize("domain", [name for name in domain_names() if name in MAKERS])
def test_sources_that_share_nothing_say_nothing(
    domain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    sources = [MAKERS[domain]("one", [1, 2]), MAKERS[domain]("two", [4, 5])]
    programs = Programs(domain)
    programs.run("ingest", sources=sources)
    if domain in STAGES:
        programs.run("filter", min_tracks=2, min_track_playlists=1)
    assert "are also in" not in capsys.readouterr().err
    assert "overlaps" not in rows_of(domain)[STAGES.get(domain, "ingest")]


def test_counts_of_plays_without_a_time_are_said_to_be_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folders = [Path("data/source/sessions", name) for name in ("one", "two")]
    for folder in folders:
        text(f"{folder}/user_artists.dat", "userID\tartistID\tweight\n1\t1\t5\n1\t2\t7\n2\t1\t3\n")
    sources = [{"format": "lastfm_hetrec", "path": f"{each}/user_artists.dat", "events": None} for each in folders]
    Programs("sessions").run("ingest", sources=sources)
    assert pd.read_parquet("data/sessions/ingest/plays.parquet")["plays"].tolist() == [10, 14, 6]
    told = capsys.readouterr().err
    assert "added up" in told
    assert "winnow remove sessions data/source/sessions/two/user_artists.dat" in told
