"""The five data stages of climb: on the real files, and on the real params with fewer synthetic routes."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages.climb import split
from tests.stages.programs import DATA_STAGES, Programs
from winnow.domains.climb import definitions
from winnow.domains.climb.source import formats
from winnow.domains.climb.source.export import export_split
from winnow.domains.climb.source.merge import SourceFile, merge
from winnow.pipeline.errors import LeakageError, SourceError, TableError

CLIMB = Programs("climb")
run, metrics, table = CLIMB.run, CLIMB.metrics, CLIMB.table
GOOD_ROW = {"Grade": "7A", "Moves": ["A5", "C9", "F13", "F18"], "UserRating": 2}


def source(rows: list[Any]) -> list[dict[str, str]]:
    """A `minimal` file of these rows, as `sources`."""
    path = Path("data", "source", "climb", "mine.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows))
    return [{"format": "minimal", "path": str(path)}]


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all five stages ran on 400 synthetic routes."""
    folder = tmp_path_factory.mktemp("synthetic")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run("ingest", synthetic={"routes": 400, "benchmark_share": 0.08, "unknown_share": 0.15})
        for name in DATA_STAGES[1:]:
            run(name)
    return folder


@pytest.fixture(scope="module")
def real(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all five stages ran on all real files."""
    folder = tmp_path_factory.mktemp("real")
    files = folder / "data" / "source" / "climb"
    files.mkdir(parents=True)
    sources = []
    for file in sorted((shared_data / "climb").glob("*.json.gz")):
        form = file.name.split("_")[0]
        if form != "peer":
            shutil.copy(file, files)
            sources.append({"format": form, "path": f"data/source/climb/{file.name}"})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run("ingest", sources=sources)
        for name in DATA_STAGES[1:]:
            run(name)
    return folder


@pytest.fixture(params=["synthetic", "real"])
def done(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the two folders in turn, as the working folder."""
    monkeypatch.chdir(request.getfixturevalue(request.param))
    return str(request.param)


@pytest.fixture
def here(synthetic: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the synthetic folder to change, as the working folder."""
    shutil.copytree(synthetic, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_row_is_somewhere(done: str) -> None:
    routes, kept = table("ingest/routes.parquet"), table("filter/routes.parquet")
    dropped, splits = table("filter/dropped.parquet"), table("split/splits.parquet")
    counts = metrics("ingest")
    assert counts["rows_in"] == counts["rows_kept"] + counts["rows_rejected"] + counts["rows_merged"]
    assert set(routes["route_id"]) == set(kept["route_id"]) | set(dropped["route_id"])
    assert set(kept["route_id"]) == set(table("label/labels.parquet")["route_id"]) == set(splits["route_id"])
    assert set(table("weight/weights.parquet")["route_id"]) == set(splits.query("split == 'train'")["route_id"])


def test_tokens_are_the_holds_bottom_up(done: str) -> None:
    tokens = table("label/tokens.parquet")
    holds = table("ingest/holds.parquet").merge(tokens[["route_id"]].drop_duplicates(), on="route_id")
    assert holds["hold"].map(definitions.CELL_INDEX).tolist() == tokens["token"].tolist()
    assert (tokens.groupby("route_id")["token"].diff().dropna() > 0).all()


def test_no_hold_set_stands_on_two_sides_whatever_the_angle(done: str) -> None:
    routes = table("split/splits.parquet").merge(table("label/labels.parquet"), on="route_id")
    groups = routes.groupby("hold_set")
    assert groups["split"].nunique().eq(1).all()
    assert (groups["angle"].nunique() == 2).any(), "the data must hold the case"


def test_sides_come_near_their_shares_in_each_stratum(done: str) -> None:
    splits = table("split/splits.parquet")
    for side, share in (("train", 0.8), ("val", 0.1), ("test", 0.1)):
        assert (splits["split"] == side).mean() == pytest.approx(share, abs=2 / len(splits))
    counts = pd.crosstab(splits["stratum"], splits["split"])
    assert (counts[["val", "test"]] >= 1).all(axis=None)
    told = {name: {side: int(n) for side, n in row.items() if n} for name, row in counts.iterrows()}
    found = metrics("split")["by_stratum"]
    assert {name: {side: n for side, n in row.items() if n} for name, row in found.items()} == told


def test_each_grade_is_spread_over_the_splits_by_its_quality() -> None:
    """Of 40 routes of each grade and quality come 4 to the test; by grade alone one quality would have more."""
    pairs = [(grade, quality) for grade in ("6A", "6B", "7A") for quality in ("low", "medium", "high")] * 40
    labels = pd.DataFrame(pairs, columns=["grade", "quality"])
    labels["route_id"] = labels["hold_set"] = [f"route {number}" for number in range(len(labels))]
    params = CLIMB.section("split").model_copy(
        update={"min_stratum": 10, "folds": 0, "val_share": 0.1, "test_share": 0.1}
    )
    rows = labels.merge(split.split_routes(labels, params, np.random.default_rng(0)), on="route_id")
    assert (rows["stratum"] == rows["grade"] + "_" + rows["quality"]).all()
    counts = pd.crosstab([rows["grade"], rows["quality"]], rows["split"])
    assert counts[["train", "val", "test"]].to_numpy().tolist() == [[32, 4, 4]] * 9


def test_proven_routes_are_drawn_two_to_three_times_as_often(done: str) -> None:
    weights = table("weight/weights.parquet").merge(table("label/labels.parquet"), on="route_id")
    assert weights["weight"].mean() == pytest.approx(1)
    assert weights.loc[weights["quality"] == "unknown", "weight"].to_numpy() == pytest.approx(1)
    assert weights["weight"].max() / weights["weight"].min() <= 3
    at_ten = weights.loc[weights["repeats"] <= 10, "weight"].iloc[0]
    proven = weights.loc[weights["repeats"] >= 100, "weight"] / at_ten
    assert proven.between(2, 3).all()
    # 100 simulated epochs: the ratio of the means has a standard error of a tenth of one epoch's deviation.
    drawn = metrics("weight")["full"]["drawn_ratio_high_to_low"]
    assert drawn["mean"] == pytest.approx(proven.mean(), abs=max(4 * drawn["std"] / 10, 0.05))
    assert metrics("weight")["full"]["effective_sample_size"] < len(weights)


def test_a_weight_grows_with_the_logarithm_of_the_repeats(done: str) -> None:
    """1 up to `low_repeats`, `high_ratio` at `high_repeats`, by the same for each doubling up to `max_ratio`."""
    params = CLIMB.section("weight")
    weights = table("weight/weights.parquet").merge(table("label/labels.parquet"), on="route_id")
    known = weights[weights["repeats"].notna()]
    points = [params.low_repeats, params.high_repeats]
    doublings = (known["repeats"].astype(float).clip(lower=1).map(math.log2) - math.log2(points[0])).clip(lower=0)
    of_one = (params.high_ratio - 1) / math.log2(points[1] / points[0])
    ratio = (1 + of_one * doublings).clip(upper=params.max_ratio)
    assert known["weight"].to_numpy() == pytest.approx((ratio / ratio.mean()).to_numpy())


def test_the_real_files_hold_what_source_md_says(real: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(real)
    counts = metrics("ingest")
    assert counts["rows_in"] == 10_880 + 1_339 + 893 + 1_563
    assert counts["rows_rejected"] == 0
    # Told of the raw lists: 304 problems of 2016 in app and minimal, 80 of them with another grade. As sets (14 rows of
    # minimal and 2 of app list a hold twice) 306 are the same problem, and 80 of them share no grade.
    assert counts["in_both"]["app+minimal"] == 306
    assert counts["grade_conflicts"]["app+minimal"] == 80
    # 14 of minimal's hold sets recur with another grade as lists, 15 as sets.
    assert counts["grade_conflicts"]["minimal"] == 15
    assert counts["in_both"]["app+guidebook"] == 1338
    labels = table("label/labels.parquet")
    assert metrics("filter")["rows_dropped"] == 0
    assert (labels.groupby("hold_set")["angle"].nunique() == 2).sum() == 39
    assert set(labels["board"]) == set(definitions.BOARDS)


def test_the_real_files_one_by_one(shared_data: Path) -> None:
    folder = shared_data / "climb"
    web = formats.read("web", folder / "web_masters2017_40.json.gz").routes
    assert len(web) == 893
    assert web["benchmark"].sum() == 201
    assert (web["repeats"] >= 10).sum() == 847
    assert ((web["repeats"] >= 10) | web["benchmark"]).sum() == 848
    assert (web["repeats"].min(), web["repeats"].median(), web["repeats"].max()) == (3, 65, 6182)
    assert web["method"].value_counts().to_dict() == {
        "Feet follow hands": 835,
        "Feet follow hands + screw ons": 43,
        "Footless + kickboard": 10,
        "Screw ons only": 5,
    }
    app = pd.concat([formats.read("app", file).routes for file in sorted(folder.glob("app_*.json.gz"))])
    assert len(app) == app["benchmark"].sum() == 1339
    assert (app["repeats"] < 10).sum() == 37
    assert (app["repeats"].min(), app["repeats"].median(), app["repeats"].max()) == (1, 1161, 35_548)
    guidebook = formats.read("guidebook", folder / "guidebook_benchmarks.json.gz").routes
    assert len(guidebook) == 1563
    minimal = formats.read("minimal", folder / "minimal_2016.json.gz")
    assert len(minimal.routes) == 10_880
    assert minimal.routes["repeats"].isna().all()
    assert (minimal.holds.groupby("row")["hold"].agg(lambda holds: any(cell.endswith("18") for cell in holds))).all()


def test_bad_rows_are_counted_and_the_rest_goes_on(here: Path) -> None:
    rows = [GOOD_ROW | {"Moves": [f"{column}5", "C9", "F18"]} for column in "ABDEG"]
    rows += [GOOD_ROW | {"Grade": "??"}, GOOD_ROW | {"Moves": ["A5", "L9", "F18"]}, GOOD_ROW | {"Moves": []}]
    counts = run("ingest", sources=source(rows), max_rejected_share=0.2)
    assert (counts["rows_kept"], counts["rows_rejected"]) == (7, 1)
    assert table("ingest/rejected.parquet").to_numpy().tolist() == [["data/source/climb/mine.json", 8, "no moves"]]
    dropped = run("filter")["dropped"]
    assert {name: count for name, count in dropped.items() if count} == {"unknown_grade": 1, "hold_off_board": 1}


def test_too_many_bad_rows_stop_the_stage_and_the_first_are_shown(here: Path) -> None:
    rows = [GOOD_ROW, GOOD_ROW | {"Moves": []}]
    with pytest.raises(SourceError, match=r"1 of 2 source rows cannot be used: 50.0%.*\n.*mine.json, row 2: no moves"):
        run("ingest", sources=source(rows), max_rejected_share=0.1)


@pytest.mark.parametrize(
    ("rows", "message"), [([], "hold no row"), ([GOOD_ROW | {"Moves": []}], "1 of 1 source rows cannot be used")]
)
def test_sources_without_a_usable_row_stop_the_stage(here: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        run("ingest", sources=source(rows), max_rejected_share=1.0)


def test_nothing_left_after_filtering_stops_the_stage(here: Path) -> None:
    run("ingest", sources=source([GOOD_ROW]))
    with pytest.raises(TableError, match=r"no row is left after filtering \(dropped: other_board 1\)"):
        run("filter", common={"boards": ["2020"]})


def test_hold_counts_and_boards_are_filtered(here: Path) -> None:
    dropped = run("filter", common={"boards": ["2016", "2017"], "min_holds": 6, "max_holds": 7})["dropped"]
    assert min(dropped["other_board"], dropped["too_few_holds"], dropped["too_many_holds"]) > 0
    kept = table("filter/routes.parquet")
    assert set(kept["board"]) == {"2016", "2017"}
    assert set(table("ingest/holds.parquet")["route_id"].value_counts()[kept["route_id"]]) == {6, 7}


def test_subsets_are_marked_and_unknown_repeats_are_no_quality(here: Path) -> None:
    kept = table("filter/routes.parquet")
    assert kept["in_full"].all()
    assert kept["in_benchmark"].equals(kept["benchmark"])
    assert kept["in_quality"].tolist() == [bool(repeats >= 10) for repeats in kept["repeats"].fillna(0)]
    assert kept["repeats"].isna().any()


def test_over_all_folds_each_route_is_tested_once(here: Path) -> None:
    tested = []
    for fold in range(4):
        run("split", folds=4, fold=fold)
        tested += table("split/splits.parquet").query("split == 'test'")["route_id"].tolist()
    assert sorted(tested) == sorted(table("label/labels.parquet")["route_id"])


def test_a_leak_stops_the_stage(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels, tokens = table("label/labels.parquet"), table("label/tokens.parquet")
    sides = ["train", "test"] * len(labels)
    splits = pd.DataFrame({"route_id": labels["route_id"], "split": sides[: len(labels)]})
    monkeypatch.setattr(split, "split_routes", lambda *_: splits)
    with pytest.raises(LeakageError, match=r"values of `hold_set` are in two splits"):
        run("split")
    with pytest.raises(LeakageError, match=r"values of `hold_set` are in two splits"):
        split.check_no_shared_routes(labels, tokens, splits)
    # The tokens are checked on their own, in case ingest named the same holds twice.
    with pytest.raises(LeakageError, match=r"values of `tokens` are in two splits"):
        split.check_no_shared_routes(labels.assign(hold_set=labels["route_id"]), tokens, splits)


def test_too_few_routes_to_split_stop_the_stage(here: Path) -> None:
    run("ingest", sources=source([GOOD_ROW, GOOD_ROW | {"Moves": ["B5", "C9", "F18"]}]))
    run("filter")
    run("label")
    with pytest.raises(TableError, match="2 rows are too few to split"):
        run("split")


def test_a_source_outside_its_folder_or_missing_is_refused(here: Path) -> None:
    (here / "mine.json").write_text("[]")
    source([GOOD_ROW])
    with pytest.raises(SourceError, match="mine.json lies outside data/source/climb"):
        run("ingest", sources=[{"format": "minimal", "path": "mine.json"}])
    with pytest.raises(SourceError, match="other.json does not exist"):
        run("ingest", sources=[{"format": "minimal", "path": "data/source/climb/other.json"}])


def test_the_split_is_exported_as_csv(done: str, tmp_path: Path) -> None:
    written = {path.name: pd.read_csv(path) for path in export_split(tmp_path / "out")}
    endings = ("", "_benchmark", "_quality")
    sides = ("train", "val", "test")
    assert set(written) == {"quality_weights.csv", *(f"moonboard_{side}{end}.csv" for side in sides for end in endings)}
    for side in sides:
        whole, benchmark, quality = (written[f"moonboard_{side}{end}.csv"] for end in endings)
        assert len(whole) == metrics("split")[f"rows_{side}"]
        assert set(benchmark["route_id"]) == set(whole.loc[whole["is_benchmark"], "route_id"])
        assert set(quality["route_id"]) == set(whole.loc[whole["repeats"] >= 10, "route_id"])
    train, weights = written["moonboard_train.csv"], written["quality_weights.csv"]
    own = table("weight/weights.parquet").set_index("route_id")["weight"]
    assert weights.set_index("route_id")["weight"].to_dict() == pytest.approx(own.to_dict())
    assert set(weights["route_id"]) == set(train["route_id"])
    assert (train["repeats"].isna() == (train["quality_bin"] == "unknown")).all(), "unknown repeats stay empty"
    tokens = table("label/tokens.parquet").groupby("route_id")["token"].agg(list)
    first = train.iloc[0]
    assert [definitions.CELL_INDEX[hold] for hold in first["holds"].split()] == tokens[first["route_id"]]
    told = train[train["start_holds"].notna()]
    assert all(set(a.split()) < set(b.split()) for a, b in zip(told["start_holds"], told["holds"], strict=True))


def test_an_export_is_read_back(done: str, tmp_path: Path) -> None:
    """The files of all splits and subsets together: each problem once, with what the export tells of it."""
    export_split(tmp_path)
    paths = sorted(tmp_path.glob("moonboard_*.csv"))
    files = [SourceFile("csv", str(path), formats.read("csv", path)) for path in paths]
    assert not any(len(file.problems.rejected) for file in files)
    again = merge(files)
    ours = table("ingest/routes.parquet").set_index("route_id").loc[again.routes["route_id"]].reset_index()
    assert set(again.routes["route_id"]) == set(table("split/splits.parquet")["route_id"])
    kept = ["board", "angle", "grade", "repeats", "user_rating", "name", "method"]
    assert ours[kept].notna().any().all(), "else nothing is compared"
    pd.testing.assert_frame_equal(again.routes[kept], ours[kept], check_dtype=False)
    labels = table("label/labels.parquet").set_index("route_id").loc[again.routes["route_id"]]
    assert again.routes["benchmark"].tolist() == labels["in_benchmark"].tolist()
    holds = table("ingest/holds.parquet")
    holds = holds[holds["route_id"].isin(again.routes["route_id"])].sort_values(["route_id", "position"])
    pd.testing.assert_frame_equal(again.holds.reset_index(drop=True), holds[[*again.holds]].reset_index(drop=True))


def test_an_export_without_data_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TableError, match="does not exist"):
        export_split(tmp_path / "out")


@pytest.mark.parametrize(
    ("section", "change", "message"),
    [
        ("common", {"min_holds": 9, "max_holds": 8}, r"min_holds \(9\) is more than max_holds \(8\)"),
        ("common", {"boards": ["2016", "2016"]}, "a board is named twice"),
        ("ingest", {"sources": [{"format": "web", "path": "x"}] * 2}, "a source is named twice: x"),
        ("label", {"medium_from": 100, "high_from": 100}, r"medium_from \(100\) is not below high_from \(100\)"),
        ("split", {"val_share": 0.5, "test_share": 0.5}, "nothing is left to train on"),
        ("split", {"folds": 2}, "folds is 2"),
        ("split", {"folds": 5, "fold": 5}, "fold 5 does not exist with folds: 5"),
        ("weight", {"low_repeats": 100}, r"low_repeats \(100\) is not below high_repeats \(100\)"),
        ("weight", {"max_ratio": 2.0}, r"high_ratio \(2.1\) is more than max_ratio \(2\)"),
    ],
)
def test_params_that_contradict_each_other_are_refused(section: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CLIMB.section(section, **change)
