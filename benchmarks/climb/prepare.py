"""The MoonBoard problems that climb is measured on, from their publishers: `python -m benchmarks.climb.prepare`.

A fifth of the problems is left out: those whose board and hold set have a SHA-1 that is divisible by five, so that the
same problem is on the same side in every file. Names of setters are left out too.
"""

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.fetching import check, new_folder, published, write_gzip

SETTERS = ("setby", "setbyId", "setter", "Setter")
YEARS = {1: "2016", 15: "2017", 17: "2019", 19: "2020"}
GUIDEBOOK_YEARS = ("2016", "2017", "2017", "2019", "2019", "2020")
APP = ("2016-40", "2017-25", "2017-40", "2019-25", "2019-40", "2020-40")

Row = Mapping[str, Any]


def is_used(year: str, holds: Iterable[str]) -> bool:
    key = f"{year}|{','.join(sorted(holds))}"
    return int(hashlib.sha1(key.encode()).hexdigest()[:8], 16) % 5 != 0


def year_and_holds(row: Row) -> tuple[str, list[str]]:
    """Of a row of any of the four formats."""
    if "start_holds" in row:
        return GUIDEBOOK_YEARS[row["mb_type"]], [*row["start_holds"], *row["mid_holds"], *row["end_holds"]]
    if "moves" in row:
        return YEARS[row["holdsetup"]["apiId"]], [move["description"] for move in row["moves"]]
    if "Holdsetup" in row:
        return YEARS[row["Holdsetup"]["Id"]], [move["Description"] for move in row["Moves"]]
    return "2016", list(row["Moves"])


def used(rows: Iterable[Row]) -> list[Row]:
    return [
        {name: value for name, value in row.items() if name not in SETTERS}
        for row in rows
        if is_used(*year_and_holds(row))
    ]


def as_json(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def peers_of(script: str) -> object:
    """The routes of `var climbs_2016 = {"lstm": [{'moves': [...], 'grade': {...}, ...}]}`, without their pictures."""
    routes = ast.literal_eval(script[script.index("{") : script.rindex("}") + 1])["lstm"]
    return [{"moves": route["moves"], "grade": route["grade"]} for route in routes]


def read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def main() -> None:
    target = new_folder("climb")
    minimal, peers = "moon/utils/2016.json", "website-moon/moon/climbs/2016.js"
    with published(
        "andrew-houghton/moon-board-climbing", "ae149586099f4e0a0ee3664404f6493f19f6ad61", minimal, peers
    ) as folder:
        write_gzip(target / "minimal_2016.json.gz", as_json(used(read(folder / minimal))))
        lstm = peers_of((folder / peers).read_text(encoding="utf-8"))
    raw = [f"setup/data/raw_{each}.json" for each in APP]
    with published("smchase/Moonboard-Guidebook", "0851ee8139f9bbd19e31e7d8957417fcddcc3303", *raw) as folder:
        for name, path in zip(APP, raw, strict=True):
            write_gzip(target / f"app_benchmarks_{name}.json.gz", as_json(used(read(folder / path))))
    web = "artifacts/data"
    with published("ClementBM/climbing-moonboard-ai", "9bf0e221867e15913d2b56709dae1ab5825fd0cb", web) as folder:
        rows = used(row for file in sorted((folder / web).glob("*.json")) for row in read(file)["Data"])
    whole = {"Data": rows, "Total": len(rows), "AggregateResults": None, "Errors": None}
    write_gzip(target / "web_masters2017_40.json.gz", as_json(whole))
    path = "OpenMoonBoard.Infrastructure/SeedData/downloaded_benchmarks.json"
    with published(
        "ConnorDoughertyKeehan-InfoTrack/OpenMoonBoard", "6b33fe62f05dcb7d4ad4b2c9c8781ae79f9c8a68", path
    ) as folder:
        write_gzip(target / "guidebook_benchmarks.json.gz", as_json(used(read(folder / path))))
    path = "website/moon/climbs/2016.js"
    with published("jrchang612/MoonBoardRNN", "f25af6dd163c247e8bc150e612ac232618502031", path) as folder:
        routes = peers_of((folder / path).read_text(encoding="utf-8"))
    both = {"DeepRouteSet": routes, "AndrewHoughtonLSTM": lstm}
    write_gzip(target / "peer_generated_2016.json.gz", as_json(both))
    check("climb")


if __name__ == "__main__":
    main()
