"""Bad inputs that once ended in a traceback, a hang, or gigabytes: (name, door, how it is made, what is said of it).

The door is that of `doors.py`, by domain and name; `told` is a pattern that the message or, where the file is left out
and the stage goes on, a reason in the table of rejected rows has.
"""

import gzip
import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as arrow
from PIL import Image
from pyarrow import parquet

from tests.faults.damage import DEEP, claimed, npz, png

Make = Callable[[Path, bytes], Any]
"""Writes the bad file, given the path, at which nothing is, and the bytes of the good one."""


class Case(NamedTuple):
    name: str
    domain: str
    door: str
    file: str
    make: Make
    told: str
    is_left_out: bool = False
    """whether the stage goes on without the file or the row"""


def content(made: bytes | Callable[[], bytes]) -> Make:
    return lambda path, _: path.write_bytes(made if isinstance(made, bytes) else made())


def bomb(head: bytes, piece: bytes, mib: int) -> Callable[[], bytes]:
    """A gzip file of so many MiB of a few bytes again and again."""

    def make() -> bytes:
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        block = piece * (2**20 // len(piece))
        return b"".join([packer.compress(head), *(packer.compress(block) for _ in range(mib)), packer.flush()])

    return make


def zip_bomb(path: Path, _good: bytes) -> None:
    """An npz of 210 MB of zeros in 200 kilobytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for split in ("train", "val", "test"):
            with packed.open(f"{split}_images.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array_header_1_0(
                    file, {"descr": "|u1", "fortran_order": False, "shape": (70, 1000, 1000)}
                )
                for _ in range(70):
                    file.write(bytes(1_000_000))


def splits_of(shape: tuple[int, ...]) -> dict[str, Any]:
    parts: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        parts[f"{split}_images"] = np.zeros(shape, dtype=np.uint8)
        parts[f"{split}_labels"] = np.zeros((shape[0], 1), dtype=np.int64)
    return parts


def pdf_of_large_pages(path: Path, _good: bytes) -> None:
    """Pages that are all one black scan of 81 million pixels: 80 kilobytes of file."""
    side, pages = 9000, 4
    packed = zlib.compress(bytes(side * side), 9)
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(pages))
    drawn = b"q 600 0 0 600 0 0 cm /I Do Q"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {pages}/Kids[{kids}]>>".encode(),
        f"<</Type/XObject/Subtype/Image/Width {side}/Height {side}/ColorSpace/DeviceGray/BitsPerComponent 8"
        f"/Filter/FlateDecode/Length {len(packed)}>>stream\n".encode()
        + packed
        + b"\nendstream",
    ]
    for number in range(pages):
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 600]/Contents {5 + 2 * number} 0 R"
            "/Resources<</XObject<</I 3 0 R>>>>>>".encode()
        )
        objects.append(f"<</Length {len(drawn)}>>stream\n".encode() + drawn + b"\nendstream")
    found, places = bytearray(b"%PDF-1.7\n"), []
    for number, each in enumerate(objects, 1):
        places.append(len(found))
        found += f"{number} 0 obj\n".encode() + each + b"\nendobj\n"
    start = len(found)
    found += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    found += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    found += f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF".encode()
    path.write_bytes(found)


def many_frames(path: Path, _good: bytes) -> None:
    frames = [Image.new("L", (64, 64), number % 256) for number in range(2100)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def binary_columns(path: Path, _good: bytes) -> None:
    pd.DataFrame({"user": [b"\xff\xfe"] * 9, "song": [b"\x00"] * 9, "time": [1] * 9}).to_parquet(path)


def a_row_a_million_times(path: Path, _good: bytes) -> None:
    """Sixty million plays in some kilobytes."""
    one = arrow.table({"user": ["u"] * 10**6, "song": ["s"] * 10**6, "time": [1] * 10**6})
    with parquet.ParquetWriter(path, one.schema, compression="zstd") as writer:
        for _ in range(60):
            writer.write_table(one)


def date_of_no_year(path: Path, _good: bytes) -> None:
    times = arrow.array([2**62] * 3, arrow.timestamp("ms"))
    parquet.write_table(arrow.table({"id": ["a", "b", "c"], "content": ["x"] * 3, "published": times}), path)


def damaged_tail(suffix: str) -> Callable[[], bytes]:
    """A picture whose second half is another's."""

    def make() -> bytes:
        buffer = io.BytesIO()
        image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8))
        image.save(buffer, suffix)
        whole = buffer.getvalue()
        return whole[: len(whole) // 2] + whole[: len(whole) // 2]

    return make


def pages_csv(name: str) -> bytes:
    return f"filename,quality_score\n{name},0.5\np0.png,0.4\n".encode()


def routes(**changes: Any) -> bytes:
    row = {"Grade": "7A", "Moves": ["A5", "B8", "C12", "D15", "E18"], "UserRating": 2}
    return json.dumps([row, {**row, **changes}]).encode()


def references(path: Path, _good: bytes) -> None:
    """Ten lines that stand for a billion values."""
    lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    path.write_text("\n".join(lines))


def with_line(line: str) -> Make:
    return lambda path, good: path.write_bytes(f"{line}\n".encode() + good)


DEEP_YAML = b"a: " + DEEP
APP, MPD, EYES, PAGES = "ingest app2.json.gz", "ingest mpd.slice.40-79.json.gz", "ingest labels.csv", "ingest pages"

CASES = [
    Case("a picture 8 pixels wide and 60,000 high", "retina", EYES, "eyes/e0.png", content(lambda: png(8, 60_000)),
         "too narrow: 8 × 60000 pixels", is_left_out=True),
    Case("a picture of 2.5 billion pixels", "retina", EYES, "eyes/e0.png", content(lambda: claimed(50_000, 50_000)),
         "too large", is_left_out=True),
    Case("half of an AVIF as PNG", "retina", EYES, "eyes/e0.png", content(damaged_tail("AVIF")), "corrupt image",
         is_left_out=True),
    Case("half of a TIFF", "retina", EYES, "eyes/e2.tif", lambda path, good: path.write_bytes(good[:999]),
         "corrupt image", is_left_out=True),
    Case("a pipe among the photographs", "retina", EYES, "eyes/e0.png", lambda path, _: os.mkfifo(path),
         "no photograph e0", is_left_out=True),
    Case("a link to a device among the photographs", "retina", EYES, "eyes/e0.png",
         lambda path, _: path.symlink_to("/dev/zero"), "no photograph e0", is_left_out=True),
    Case("an npz of 210 megabytes of zeros", "retina", "ingest small.npz", "small.npz", zip_bomb,
         r"210,\d+,\d+ bytes come out of it, and at most \d+,\d+,\d+"),
    Case("an npz of wide pictures", "retina", "ingest small.npz", "small.npz",
         content(lambda: npz(**splits_of((2, 8, 60_000)))), "too narrow"),
    Case("an npz of pictures without pixels", "retina", "ingest small.npz", "small.npz",
         content(lambda: npz(**splits_of((6, 28, 0)))), "do not fit"),
    Case("an npz that is none", "retina", "ingest small.npz", "small.npz", content(b"PK\x03\x04" + bytes(90)),
         "is no MedMNIST file"),
    Case("an npz of text", "retina", "ingest small.npz", "small.npz", content(DEEP), "is no MedMNIST file"),
    Case("a PDF of pages of 81 million pixels", "documents", PAGES, "pages/two.pdf", pdf_of_large_pages, "^$",
         is_left_out=True),
    Case("a GIF of 2,100 pictures", "documents", PAGES, "pages/p3.gif", many_frames, "2100 images, and at most 2000",
         is_left_out=True),
    Case("half of a TIFF of several pages", "documents", PAGES, "pages/many.tiff",
         lambda path, good: path.write_bytes(good[:999]), "corrupt", is_left_out=True),
    Case("a file name of 300 characters", "documents", "ingest pages/metadata.csv", "pages/metadata.csv",
         content(pages_csv("a" * 300 + ".png")), "name too long", is_left_out=True),
    Case("a file name with NUL", "documents", "ingest pages/metadata.csv", "pages/metadata.csv",
         content(pages_csv("a\0.png")), "bytes that are no text"),
    Case("100,000 brackets", "climb", "ingest app.json", "app.json", content(DEEP), "nested too deeply"),
    Case("256 MiB of blanks", "climb", APP, "app2.json.gz", content(bomb(b"[", b" ", 256)),
         r"more than \d+,\d+,\d+ bytes come out of it"),
    Case("a gzip file cut off", "climb", APP, "app2.json.gz", content(gzip.compress(b"[]" * 99)[:-9]),
         "cannot be read"),
    Case("a rating of 400 digits", "climb", "ingest minimal.json", "minimal.json", content(routes(UserRating=10**400)),
         "`UserRating` is 1000", is_left_out=True),
    Case("a rating of 5,000 digits", "climb", "ingest minimal.json", "minimal.json",
         content(b'[{"UserRating": ' + b"9" * 5000 + b"}]"), "is not valid JSON"),
    Case("half of a surrogate pair", "climb", "ingest minimal.json", "minimal.json",
         content(routes(Moves=["A5", "\ud800", "C12"])), "surrogate", is_left_out=True),
    Case("a field of 200,000 characters", "sessions", "ingest plays.csv", "plays.csv",
         content(b"user,song,time\nu," + b"s" * 200_000 + b",1\n"), "field larger than field limit"),
    Case("a table cut off", "sessions", "ingest plays.parquet", "plays.parquet",
         lambda path, good: path.write_bytes(good[:-300]), "is not a readable Parquet file"),
    Case("a table of bytes that are no text", "sessions", "ingest plays.parquet", "plays.parquet", binary_columns,
         "is not a readable Parquet file"),
    Case("a table of sixty million equal rows", "sessions", "ingest plays.parquet", "plays.parquet",
         a_row_a_million_times, "60,000,000 rows come out of it, and at most"),
    Case("tags without a tag", "sessions", "ingest user_artists.dat", "tags.dat", content(b"tagID\ttagValue\n"), "^$",
         is_left_out=True),
    Case("256 MiB of plays", "sessions", "ingest plays2.csv.gz", "plays2.csv.gz",
         content(bomb(b"user,song,time\n", b"u,s,1\n", 256)), r"more than \d+,\d+,\d+ bytes come out of it"),
    Case("a slice of brackets", "playlists", "ingest mpd.slice.0-39.json", "mpd.slice.0-39.json", content(DEEP),
         "nested too deeply"),
    Case("256 MiB of playlists", "playlists", MPD, "mpd.slice.40-79.json.gz",
         content(bomb(b'{"playlists": [', b"[],", 256)), r"more than \d+,\d+,\d+ bytes come out of it"),
    Case("256 MiB in one line", "articles", "ingest more.jsonl.gz", "more.jsonl.gz",
         content(bomb(b"", b"a", 256)), r"more than \d+,\d+,\d+ bytes come out of it"),
    Case("a date of no year", "articles", "ingest mine.parquet", "mine.parquet", date_of_no_year,
         "is not a readable Parquet file"),
    Case("a line of brackets", "articles", "ingest mine.jsonl", "mine.jsonl",
         lambda path, good: path.write_bytes(DEEP + b"\n" + good), "nested too deeply", is_left_out=True),
    Case("references to references in params.yaml", "shared", "params.yaml", "params.yaml", references,
         "more than 100,000 values"),
    Case("brackets in params.yaml", "shared", "params.yaml", "params.yaml", content(DEEP_YAML), "nested too deeply"),
    Case("an odd tag in params.yaml", "shared", "params.yaml", "params.yaml", with_line("a: !!bool maybe"),
         "`a` is `maybe`"),
    Case("references in config.yaml", "shared", "filter", "config.yaml", references, "more than 100,000 values"),
    Case("references in prefilter.yaml", "shared", "filter", "prefilter.yaml", references, "more than 100,000 values"),
    Case("a reply of brackets", "shared", "reply", "reply.json", content(DEEP), "^$", is_left_out=True),
    Case("a ledger of other things", "shared", "ledger", ".winnow/ledger.jsonl",
         content(b'[]\n{"began": 3}\n\xff\xfe\n' + DEEP + b'\n{"outcome": "done", "began": [], "stage": {}}\n'), "^$",
         is_left_out=True),
    Case("titles of brackets", "shared", "titles.json", "titles.json", content(DEEP), "nested too deeply"),
]  # fmt: skip
