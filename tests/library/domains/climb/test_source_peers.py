import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from winnow.domains.climb.source import peers
from winnow.domains.climb.tables import PeerHolds
from winnow.pipeline.errors import SourceError
from winnow.pipeline.tables import validate


def file_of(folder: Path, document: Any) -> Path:
    path = folder / "peers.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_a_start_hold_for_both_hands_is_one_hold(tmp_path: Path) -> None:
    routes = [{"moves": ["E6", "E6", "I10", "A18"]}, {"moves": ["g2", "G2", "F5", "F5", "H12", "H12", "K18"]}]
    found = peers.read([(file_of(tmp_path, {"net": routes}), "2016")])
    validate(found, PeerHolds, where="test")
    assert found.groupby("route_id")["hold"].agg(list).tolist() == [
        ["E6", "I10", "A18"],
        ["G2", "F5", "H12", "H12", "K18"],
    ]
    assert set(found["peer"]) == {"net"}


def test_each_file_is_for_its_own_board(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    routes = [{"moves": ["E6", "I10", "A12"]}]
    files = [(file_of(tmp_path, {"net": routes}), "2020"), (file_of(tmp_path / "other", {"tree": routes}), "2017")]
    found = peers.read(files)
    assert found.groupby("peer")["board"].unique().map(list).to_dict() == {"net": ["2020"], "tree": ["2017"]}


def test_a_models_routes_of_two_files_stay_apart(tmp_path: Path) -> None:
    """Numbered within each file, the first routes of both would be one route of six holds."""
    (tmp_path / "other").mkdir()
    files = [
        (file_of(tmp_path, {"GPT": [{"moves": ["E6", "I10", "A18"]}]}), "2016"),
        (file_of(tmp_path / "other", {"GPT": [{"moves": ["C3", "D8", "F12"]}]}), "2020"),
    ]
    found = peers.read(files)
    routes = found.groupby("route_id").agg({"board": "unique", "hold": list})
    assert routes["board"].map(list).tolist() == [["2016"], ["2020"]]
    assert routes["hold"].tolist() == [["E6", "I10", "A18"], ["C3", "D8", "F12"]]


@pytest.mark.parametrize("name", ["model", "test"])
def test_no_peer_takes_the_name_of_the_models_or_the_test_routes(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match=rf"names a model `{name}`"):
        peers.read([(file_of(tmp_path, {"net": [], name: [{"moves": ["E6", "A18"]}]}), "2016")])


def test_rows_are_told_counted_from_1(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="net, row 2"):
        peers.read([(file_of(tmp_path, {"net": [{"moves": ["E6", "A18"]}, {"moves": []}]}), "2016")])


def test_no_peers_are_an_empty_table() -> None:
    assert len(validate(peers.read([]), PeerHolds, where="test")) == 0


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ([{"moves": ["E6"]}], "is no file of generated routes"),
        ({"net": [{"moves": []}]}, "no moves"),
        ({"net": ["E6"]}, "the route is a str"),
        ({"net": [{"moves": [7]}]}, "a hold is 7"),
    ],
)
def test_what_is_no_route_is_told(tmp_path: Path, document: Any, told: str) -> None:
    with pytest.raises(SourceError, match=told):
        peers.read([(file_of(tmp_path, document), "2016")])


def test_the_real_file(shared_data: Path) -> None:
    path = shared_data / "climb" / "peer_generated_2016.json.gz"
    found = peers.read([(path, "2016")])
    routes = json.loads(gzip.decompress(path.read_bytes()))
    assert found.groupby("peer")["route_id"].nunique().to_dict() == {name: len(rows) for name, rows in routes.items()}
