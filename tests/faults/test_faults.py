"""A bad input ends in one message that names its file, or is left out with a reason: within seconds and a gibibyte.

`make torture` does the same with thousands of inputs damaged at random.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import ROOT
from tests.faults.cases import CASES, Case
from tests.faults.doors import SOURCES, Door, copied, ingest_doors, shared_doors, verb
from tests.faults.forks import MEMORY, SECONDS, attempt


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], tuple[Path, Door]]:
    """Every door that needs no trained model, by domain and name, with its folder."""
    base = tmp_path_factory.mktemp("doors")
    found = []
    for domain in SOURCES:
        (base / domain).mkdir()
        found += [(base / domain, door) for door in ingest_doors(domain, base / domain)]
    (base / "shared").mkdir()
    found += [(base / "shared", door) for door in shared_doors(base / "shared", ROOT)]
    return {(door.domain, door.name): (folder, door) for folder, door in found}


@pytest.fixture
def scratch(doors: dict[tuple[str, str], tuple[Path, Door]]) -> Iterator[Path]:
    """A folder beside those of the doors: files are linked from there."""
    (folder, _) = next(iter(doors.values()))
    with tempfile.TemporaryDirectory(dir=folder.parent) as found:
        yield Path(found)


def test_every_door_is_open_to_what_is_whole(doors: dict[tuple[str, str], tuple[Path, Door]], scratch: Path) -> None:
    """Or a bad input would be refused for another reason. The modules that doors need are imported on the way."""
    for number, (folder, door) in enumerate(doors.values()):
        place = copied(folder, scratch / str(number), {})
        outcome = attempt(partial(_go, place, door))
        assert outcome.kind == "carried on", f"{door.domain} {door.name}: {outcome.said}"


def test_a_command_is_asked_as_on_the_command_line() -> None:
    """Those of trained models, which `make torture` damages, take too long to make here."""
    outcome = attempt(verb("climb", ["generate", "--help"]))
    assert outcome.kind == "carried on", outcome.said
    assert "--grade" in outcome.printed
    assert attempt(verb("climb", ["no-such-verb"])).kind != "carried on"


@pytest.mark.parametrize("case", CASES, ids=[f"{case.domain}: {case.name}" for case in CASES])
def test_a_bad_input(case: Case, doors: dict[tuple[str, str], tuple[Path, Door]], scratch: Path) -> None:
    folder, door = doors[case.domain, case.door]
    place = copied(folder, scratch / "here", {})
    (file,) = (place / each for each in door.files if each.endswith(case.file) and "backup" not in each)
    good = file.read_bytes()
    file.unlink()
    case.make(file, good)
    outcome = attempt(partial(_go, place, door), file.name if door.names_file else "")
    assert outcome.kind == ("carried on" if case.is_left_out else "message"), outcome.said
    assert outcome.mib <= MEMORY / 2**20
    assert outcome.seconds <= SECONDS
    said = outcome.said
    if case.is_left_out:
        table = place / "data" / case.domain / "ingest" / "rejected.parquet"
        said = " | ".join(pd.read_parquet(table)["reason"]) if table.exists() else ""
    else:
        assert said.count("to do:") == 1, f"one message with one remedy: {said}"
        assert max(map(len, said.splitlines())) < 1500
    assert re.search(case.told, said, re.IGNORECASE), said


def _go(place: Path, door: Door) -> None:
    os.chdir(place)
    door.go()
