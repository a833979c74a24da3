"""The doors through which files come in: ingest of every format, every stage, every verb with its input and its model.

A door has a folder that is made once; an attempt works on a copy of it (hard links) with one file changed.
"""

import gzip
import json
import os
import random
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from tests.faults.damage import npz
from tests.stages.domain_examples import EXAMPLES
from tests.stages.programs import Programs
from winnow.cli import app as winnow_app
from winnow.domains.articles.rules.oracles import NoAnswer, Tokens, read_reply
from winnow.domains.articles.source.filters import read_filter
from winnow.domains.climb.source import app
from winnow.domains.documents.source.synthetic import draw_page
from winnow.domains.retina.source.fundus import draw_fundus
from winnow.pipeline.ledger import latest_seconds
from winnow.pipeline.params import Document
from winnow.recommend.typed import read_file
from winnow.workspace.validation import validate_params

SOURCE = "data/source"


@dataclass(frozen=True)
class Door:
    """Where one file is read."""

    domain: str
    name: str
    files: tuple[str, ...]
    """what may be damaged, relative to the folder"""
    go: Callable[[], Any]
    """in the folder"""
    is_verified: bool = False
    """whether a change of a file that is carried on with, and of which nothing is told, must not change the answer"""
    names_file: bool = True
    """whether a message has to name the file: not where it is one of a model's, whose folder is named"""


def copied(folder: Path, target: Path, changed: Mapping[str, bytes]) -> Path:
    """The folder by hard links, with other contents of some files."""
    shutil.copytree(folder, target, copy_function=os.link)
    for name, content in changed.items():
        file = target / name
        file.unlink(missing_ok=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return target


# -- the sources of every domain: tiny files of every format


def climb_sources(folder: Path) -> dict[str, dict[str, Any]]:
    rng = random.Random(0)
    routes = [
        ("2016", 40, rng.choice(("6B+", "6C", "7A")), [
            (f"{rng.choice('ABCDEFGHIJK')}{row}", "start" if row == 4 else "finish" if row == 18 else "move")
            for row in (4, 7, 9, 12, 15, 18)
        ])
        for _ in range(30)
    ]  # fmt: skip
    rows = app.document(routes)
    minimal = [{"Grade": grade, "Moves": [hold for hold, _ in holds], "UserRating": 2} for _, _, grade, holds in routes]
    (folder / "app.json").write_text(json.dumps(rows))
    (folder / "app2.json.gz").write_bytes(gzip.compress(json.dumps(rows).encode(), mtime=0))
    (folder / "minimal.json").write_text(json.dumps(minimal))
    lines = [f"2016,40,{grade},1,0,0.5,{' '.join(hold for hold, _ in holds)}" for _, _, grade, holds in routes]
    header = "board,angle,grade,repeats,is_benchmark,user_rating,holds"
    (folder / "routes.csv").write_text("\n".join([header, *lines]) + "\n")
    return {
        "app.json": {"format": "app"}, "app2.json.gz": {"format": "app"}, "minimal.json": {"format": "minimal"},
        "routes.csv": {"format": "csv"},
    }  # fmt: skip


def retina_sources(folder: Path) -> dict[str, dict[str, Any]]:
    rng = np.random.default_rng(0)
    (folder / "eyes").mkdir()
    lines = ["id_code,diagnosis"]
    for number, suffix in enumerate((".png", ".jpg", ".tif", ".bmp", ".png", ".jpg")):
        draw_fundus(number % 5, True, 90, np.random.default_rng(number)).save(folder / "eyes" / f"e{number}{suffix}")
        lines.append(f"e{number},{number % 5}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    parts: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        parts[f"{split}_images"] = rng.integers(0, 256, (6, 28, 28, 3), dtype=np.uint8)
        parts[f"{split}_labels"] = np.arange(6)[:, None] % 5
    (folder / "small.npz").write_bytes(npz(**parts))
    return {
        "labels.csv": {"format": "aptos", "images": f"{SOURCE}/retina/eyes"},
        "small.npz": {"format": "medmnist", "images": None},
    }


def documents_sources(folder: Path) -> dict[str, dict[str, Any]]:
    (folder / "pages").mkdir()
    rng = np.random.default_rng(0)
    made = [Image.fromarray(draw_page(kind, 200, rng)) for kind in ("letter", "table", "receipt", "form")]
    for number, suffix in enumerate((".png", ".jpg", ".tif", ".gif", ".webp", ".bmp")):
        made[number % 4].save(folder / "pages" / f"p{number}{suffix}")
    made[0].save(folder / "pages" / "many.tiff", save_all=True, append_images=made[1:3])
    made[0].save(folder / "pages" / "two.pdf", save_all=True, append_images=made[1:2])
    lines = ["filename,quality_score,issues", *(f"p{n}{s},0.{n + 3}," for n, s in enumerate((".png", ".jpg", ".tif")))]
    (folder / "pages" / "metadata.csv").write_text("\n".join(lines) + "\n")
    return {"pages": {"format": "clean_pages"}, "pages/metadata.csv": {"format": "labelled"}}


def articles_sources(folder: Path) -> dict[str, dict[str, Any]]:
    rows = [
        {
            "id": f"a{n}", "title": f"Title {n}", "content": f"The {n} volunteers rebuilt the school together. " * 9,
            "published": f"2024-01-{n + 1:02}", "source": "paper", "language": "en",
        }
        for n in range(25)
    ]  # fmt: skip
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "mine.jsonl").write_text(text)
    (folder / "more.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    pd.DataFrame(rows).assign(published=pd.to_datetime([row["published"] for row in rows])).to_parquet(
        folder / "mine.parquet"
    )
    return {
        "mine.jsonl": {"format": "jsonl"}, "more.jsonl.gz": {"format": "jsonl"}, "mine.parquet": {"format": "parquet"}
    }  # fmt: skip


def sessions_sources(folder: Path) -> dict[str, dict[str, Any]]:
    rng = random.Random(0)
    plays = [(f"u{rng.randrange(12)}", f"s{rng.randrange(30)}", 1_600_000_000 + 60 * n) for n in range(400)]
    columns = ["user", "song", "time"]
    table = pd.DataFrame(plays, columns=columns)
    table.to_csv(folder / "plays.csv", index=False)
    table.to_csv(folder / "plays2.csv.gz", index=False)
    table.to_parquet(folder / "plays.parquet")
    events = {
        "header": True, "user": "user", "item": ["song"], "timestamp": "time", "genre": None, "skipped": None,
        "share_played": None,
    }  # fmt: skip
    counts = table.groupby(["user", "song"]).size().reset_index()
    lines = [f"{user}\t{song}\t{count}" for user, song, count in counts.itertuples(index=False)]
    (folder / "user_artists.dat").write_text("\n".join(["userID\tartistID\tweight", *lines]) + "\n")
    (folder / "tags.dat").write_text("tagID\ttagValue\n1\trock\n2\tpop\n")
    (folder / "user_taggedartists.dat").write_text("userID\tartistID\ttagID\nu1\ts1\t1\nu2\ts2\t2\n")
    (folder / "artists.dat").write_text("id\tname\ns1\tOne\ns2\tTwo\n")
    return {
        "plays.csv": {"format": "events", "events": events}, "plays2.csv.gz": {"format": "events", "events": events},
        "plays.parquet": {"format": "events", "events": events},
        "user_artists.dat": {"format": "lastfm_hetrec", "events": None},
    }  # fmt: skip


def playlists_sources(folder: Path) -> dict[str, dict[str, Any]]:
    rng = random.Random(0)
    lists = [
        {
            "pid": number, "name": f"list {number}",
            "tracks": [
                {"track_uri": f"t{track}", "track_name": f"Track {track}", "artist_name": f"Artist {track % 9}"}
                for track in rng.sample(range(40), 12)
            ],
        }
        for number in range(40)
    ]  # fmt: skip
    text = json.dumps({"playlists": lists})
    (folder / "mpd.slice.0-39.json").write_text(text)
    (folder / "mpd.slice.40-79.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    lines = [
        f'"u{each["pid"]}","{track["artist_name"]}","{track["track_name"]}","mine"'
        for each in lists
        for track in each["tracks"]
    ]
    (folder / "mine.csv").write_text("\n".join(['"user_id", "artistname", "trackname", "playlistname"', *lines]) + "\n")
    return {
        "mpd.slice.0-39.json": {"format": "mpd"}, "mpd.slice.40-79.json.gz": {"format": "mpd"},
        "mine.csv": {"format": "csv"},
    }  # fmt: skip


SOURCES = {
    "climb": climb_sources, "retina": retina_sources, "documents": documents_sources, "articles": articles_sources,
    "sessions": sessions_sources, "playlists": playlists_sources,
}  # fmt: skip


def ingest_doors(domain: str, folder: Path) -> list[Door]:
    """Ingest of each format of a domain; `folder` is filled. Every row may be rejected."""
    place = folder / SOURCE / domain
    place.mkdir(parents=True)
    doors = []
    for name, source in SOURCES[domain](place).items():
        path = f"{SOURCE}/{domain}/{name}"
        beside = {path} if (folder / path).is_file() else set()
        if domain in {"retina", "documents"} and not name.endswith(".npz"):
            beside |= {file.relative_to(folder).as_posix() for file in place.rglob("*") if file.is_file()} - {
                f"{SOURCE}/{domain}/small.npz"
            }
        if name.endswith(".dat"):
            beside |= {file.relative_to(folder).as_posix() for file in place.glob("*.dat")}
        doors.append(Door(domain, f"ingest {name}", tuple(sorted(beside)), _ingest(domain, {**source, "path": path})))
    return doors


def _ingest(domain: str, source: dict[str, Any]) -> Callable[[], None]:
    def go() -> None:
        Programs.tiny(domain).run("ingest", sources=[source], max_rejected_share=1.0)

    return go


def stage_doors(domain: str, folder: Path) -> list[Door]:
    """Every stage after ingest but train, whose inputs are other stages' tables, images and JSON."""
    doors = []
    order = ("ingest", "filter", "label", "split", "weight", "train", "evaluate", "plot")
    for number, stage in enumerate(order):
        if stage in {"ingest", "train"}:
            continue
        files = [
            file.relative_to(folder).as_posix()
            for before in order[:number]
            for file in sorted((folder / "data" / domain / before).rglob("*"))
            if file.is_file() and file.suffix in {".parquet", ".arrow", ".json", ".safetensors"}
            and "checkpoints" not in file.parts
        ]  # fmt: skip
        doors.append(Door(domain, stage, tuple(files), _stage(domain, stage), names_file=False))
    return doors


def _stage(domain: str, stage: str) -> Callable[[], None]:
    def go() -> None:
        print(json.dumps(Programs.tiny(domain).run(stage), sort_keys=True))

    return go


def verb_doors(domain: str, folder: Path) -> list[Door]:
    """Every example command of a domain, by its input files and by the files of its model."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        commands = EXAMPLES[domain].commands()
    finally:
        os.chdir(here)
    made = ("data", "metrics", "src", ".winnow", "params.yaml", "dvc.yaml", "finished")
    named = [file.relative_to(folder) for file in folder.rglob("*") if file.is_file()]
    inputs = [file.as_posix() for file in named if file.parts[0] not in made]
    model = [
        file.relative_to(folder).as_posix()
        for file in sorted((folder / "data" / domain / "train" / "model").rglob("*"))
        if file.is_file() and file.name not in {"README.md", "judgement.json"}
    ]
    doors = []
    for command in commands:
        own = tuple(sorted(each for each in inputs if any(each.startswith(part) for part in command)))
        title = f"{command[0]} {' '.join(part for part in command[1:] if part.startswith('--'))}"
        if own:
            # articles names rows of the one file that was given
            doors.append(Door(domain, f"{title} input", own, verb(domain, command), names_file=domain != "articles"))
        doors.append(
            Door(domain, f"{title} model", tuple(model), verb(domain, command), is_verified=True, names_file=False)
        )
    return doors


def verb(domain: str, command: Sequence[str]) -> Callable[[], None]:
    def go() -> None:
        sys.argv = ["winnow", domain, *command]
        winnow_app.main()

    return go


def shared_doors(folder: Path, repository: Path) -> list[Door]:
    """What belongs to no stage: params.yaml, a filter's definition, replies, lists of titles, the ledger."""
    shutil.copy(repository / "params.yaml", folder / "params.yaml")
    for name in ("data/source/articles/filters",):
        shutil.copytree(repository / name, folder / name)
    filters = [
        file.relative_to(folder).as_posix()
        for file in (folder / "data/source/articles/filters").rglob("*")
        if file.is_file() and file.suffix in {".yaml", ".md", ".jsonl"} and file.name != "README.md"
        and "uplifting" in file.parts
    ]  # fmt: skip
    content = json.dumps({"content_score": 7, "reasoning": "x"})
    reply = {
        "choices": [{"message": {"content": content}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
    }
    (folder / "reply.json").write_text(json.dumps(reply))
    (folder / "titles.json").write_text(json.dumps([{"title": "One", "artist": "A"}, {"title": "Two"}]))
    (folder / "titles.csv").write_text("title,artist\nOne,A\nTwo,B\n")
    (folder / "titles.m3u").write_text("#EXTM3U\n#EXTINF:1,One\none.mp3\n")
    (folder / ".winnow").mkdir()
    line = {"stage": "train@climb", "outcome": "done", "began": "2024-01-01T00:00:00Z", "seconds": 3.0}
    (folder / ".winnow" / "ledger.jsonl").write_text(json.dumps(line) + "\n" + json.dumps(line) + "\n")
    titles = ("titles.json", "titles.csv", "titles.m3u")
    return [
        Door("shared", "params.yaml", ("params.yaml",), lambda: validate_params(Document(Path("params.yaml")))),
        Door("shared", "filter", tuple(sorted(filters)), _filter, names_file=False),
        Door("shared", "reply", ("reply.json",), _reply),
        *(Door("shared", name, (name,), _titles(name)) for name in titles),
        Door("shared", "ledger", (".winnow/ledger.jsonl",), latest_seconds),
    ]


def _filter() -> None:
    read_filter("uplifting/v1")


def _reply() -> None:
    try:
        found = read_reply(Path("reply.json").read_bytes(), Tokens(1000, 0, 1000, 0))
    except NoAnswer:
        return
    counts = list(found.tokens)
    if not all(isinstance(count, int) and 0 <= count < 10**13 for count in counts):
        raise AssertionError(f"token counts {counts}")
    found.text.encode()


def _titles(name: str) -> Callable[[], Any]:
    return lambda: read_file(Path(name))
