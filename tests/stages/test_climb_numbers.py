"""What evaluate writes of climb, computed again from its tables: by scipy, or formulas written out."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.spatial.distance import jensenshannon
from scipy.stats import norm, wasserstein_distance

from stages.climb import evaluate as climb_evaluate
from tests.conftest import ROOT
from tests.stages.conftest import Finished, torch_restored
from tests.stages.programs import Programs
from winnow.domains.climb import definitions
from winnow.domains.climb.evaluation import baselines, c2st, results
from winnow.domains.climb.model.artifacts import read_artifacts
from winnow.domains.climb.model.generation import generate
from winnow.domains.climb.model.grades import fit_judge
from winnow.domains.climb.model.network import RouteTransformer
from winnow.domains.climb.model.sequences import Sequences, encode
from winnow.judge.files import evaluation_files
from winnow.pipeline.seeds import derive_seed

CLIMB = Programs.tiny("climb")
table = CLIMB.table

Holds = Mapping[tuple[str, str], list[str]]
"""The holds of each route, by origin and route_id."""


@pytest.fixture(scope="module")
def judged(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the finished folder, the working folder, in which climb was evaluated beside two peers."""
    folder = tmp_path_factory.mktemp("judged")
    shutil.copytree(finished.folder, folder, dirs_exist_ok=True)
    with pytest.MonkeyPatch.context() as patch, torch_restored():
        patch.chdir(folder)
        peers().to_parquet("data/climb/ingest/peers.parquet")
        CLIMB.run("evaluate")
        yield folder


of_climb = pytest.mark.parametrize("finished", ["climb"], indirect=True)


def peers() -> pd.DataFrame:
    """One that copies training routes of the board 2016, and one whose routes are new, few of them possible."""
    labels, holds = train_side(), table("ingest/holds.parquet")
    known = labels.loc[labels["board"] == "2016", "route_id"].head(3)
    copies = [holds.loc[holds["route_id"] == name, "hold"].tolist() for name in known]
    others = [
        ["A1", "B6", "C10", "D14", "E18"],
        ["A1", "E18"],
        ["A9", "B12", "C15", "D18"],
        ["A1", "B6", "B6", "C10", "D14", "E18"],
        ["F4", "F8", "F12"],
        ["K3", "K7", "K11", "J15", "J18"],
        ["A1", "B6", "C10", "Z99", "D15", "E18"],
        ["Z1", "Z9", "Z18"],
        ["F6"],
    ]
    flat = [
        (peer, f"{peer}-{number}", "2016", position, hold)
        for peer, made in {"copies": copies, "others": others}.items()
        for number, route in enumerate(made)
        for position, hold in enumerate(route)
    ]
    return pd.DataFrame(flat, columns=["peer", "route_id", "board", "position", "hold"])


def sides() -> pd.DataFrame:
    return table("label/labels.parquet").merge(table("split/splits.parquet")[["route_id", "split"]], on="route_id")


def train_side() -> pd.DataFrame:
    return sides().query("split == 'train'")


def judgement() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("metrics/climb/judgement.json").read_text())
    return found


def known_sets() -> dict[str, list[frozenset[str]]]:
    """The hold sets of the training routes of each board."""
    holds = {name: frozenset(part) for name, part in table("ingest/holds.parquet").groupby("route_id")["hold"]}
    return {str(board): [holds[name] for name in part] for board, part in train_side().groupby("board")["route_id"]}


def judged_holds() -> Holds:
    rows = table("evaluate/judged_holds.parquet").sort_values(["origin", "route_id", "position"])
    return {(str(a), str(b)): part.tolist() for (a, b), part in rows.groupby(["origin", "route_id"])["hold"]}


def is_possible(holds: Sequence[str], board: str) -> bool:
    """The rules of generated routes, written out."""
    if not set(holds) <= definitions.CELL_INDEX.keys():
        return False
    places = [("ABCDEFGHIJK".index(hold[0]), int(hold[1:])) for hold in holds]
    rows = definitions.BOARDS[board].rows
    reach = [
        min(np.hypot(x - a, y - b) for a, b in places[:number]) for number, (x, y) in enumerate(places) if number > 0
    ]
    return (
        3 <= len(holds) <= 14
        and len(set(holds)) == len(holds)
        and all(y <= rows for _, y in places)
        and any(y <= 6 for _, y in places[:2])
        and any(y == rows for _, y in places)
        and max(reach) <= 9.5
    )


def cells_among(holds: Sequence[str]) -> frozenset[str]:
    return frozenset(holds) & frozenset(definitions.CELL_INDEX)


def jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    return 1 - len(first & second) / len(first | second)


def grades_apart(routes: pd.DataFrame) -> "pd.Series[int]":
    """Steps on the Font scale between the requested grade and the judge's."""
    return (routes["grade"].map(definitions.GRADES.index) - routes["judged_grade"].map(definitions.GRADES.index)).abs()


def route_metrics(routes: pd.DataFrame, holds: Holds, known: Mapping[str, list[frozenset[str]]]) -> dict[str, float]:
    """Every metric of the routes of one origin; holds that are no cells make a route impossible, and no more."""
    sets = [cells_among(holds[row.origin, row.route_id]) for row in routes.itertuples()]
    nearest = [
        min((jaccard(own, other) for other in known.get(board, [])), default=1.0)
        for own, board in zip(sets, routes["board"], strict=True)
    ]
    own_board: dict[str, list[int]] = {}
    for number, board in enumerate(routes["board"]):
        own_board.setdefault(board, []).append(number)
    possible = [is_possible(holds[row.origin, row.route_id], row.board) for row in routes.itertuples()]
    found = {
        "validity_score": np.mean(possible),
        "novelty_score": np.mean([distance > 0 for distance in nearest]),
        "train_distance_score": np.mean(nearest),
        "distinct_score": sum(len({sets[n] for n in numbers}) for numbers in own_board.values()) / len(sets),
    }
    spread = {
        board: np.mean([jaccard(sets[a], sets[b]) for a, b in combinations(numbers, 2)])
        for board, numbers in own_board.items()
        if len(numbers) > 1
    }
    if spread:
        found["diversity_score"] = np.average(list(spread.values()), weights=[len(own_board[b]) for b in spread])
    divergence, weights = [], routes["weight"].to_numpy()
    for board, numbers in own_board.items():
        cells = sorted(set().union(*(sets[n] for n in numbers), *known.get(board, [])))
        if known.get(board):
            used = [sum(weights[n] for n in numbers if cell in sets[n]) for cell in cells]
            seen = [sum(cell in other for other in known[board]) for cell in cells]
            divergence.append((jensenshannon(used, seen, base=2) ** 2, len(numbers)))
    if divergence:
        found["usage_divergence"] = np.average([d for d, _ in divergence], weights=[n for _, n in divergence])
    if routes["grade"].notna().all():
        apart = grades_apart(routes)
        found["grade_exact_accuracy"] = np.average(apart == 0, weights=weights)
        found["grade_within_one_accuracy"] = np.average(apart <= 1, weights=weights)
    return {name: float(value) for name, value in found.items()}


def token_metrics(predicted: pd.DataFrame, column: str) -> dict[str, float]:
    found = {}
    for prefix, rows in {"": predicted, "quality_": predicted[predicted["in_quality"]]}.items():
        loss = rows[column].sum() / max(rows["tokens"].sum(), 1)
        found |= {f"{prefix}token_loss": loss, f"{prefix}perplexity": np.exp(loss)}
    return found


def close(values: Mapping[str, float]) -> Any:
    """judgement.json keeps six significant digits."""
    return pytest.approx(dict(values), rel=1e-5, abs=1e-6)


def wilson(hits: int, rows: int) -> tuple[float, float]:
    z, share = norm.ppf(0.975), hits / rows
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * np.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    return middle - half, middle + half


@of_climb
def test_every_metric_of_the_judgement(judged: Path) -> None:
    found, predicted = judgement(), table("evaluate/predictions.parquet")
    routes, holds, known = table("evaluate/judged.parquet"), judged_holds(), known_sets()
    origins = {str(origin): route_metrics(part, holds, known) for origin, part in routes.groupby("origin")}
    assert set(origins) == {"model", "test", "copies", "others"}
    agreement = origins["model"]["grade_within_one_accuracy"] / origins["test"]["grade_within_one_accuracy"]
    apart = (predicted["nll"].sum() - predicted["nll_grade_bigram"].sum()) / predicted["tokens"].sum()
    model = {
        **token_metrics(predicted, "nll"),
        **origins["model"],
        "perplexity_reduction_score": 1 - np.exp(apart),
        "grade_agreement_score": agreement,
        "unconstrained_validity_score": found["model"]["unconstrained_validity_score"],  # its routes are not kept
    }
    assert found["model"] == close(model)
    assert found["baseline"].keys() == {"uniform", "unigram", "bigram", "grade_bigram"}
    for name, values in found["baseline"].items():
        assert values == close(token_metrics(predicted, f"nll_{name}"))
    references = {"real_test_routes": "test", "peer_copies": "copies", "peer_others": "others"}
    assert found["reference"].keys() == references.keys()
    for name, origin in references.items():
        assert found["reference"][name] == close(origins[origin])
    assert found["reference"]["peer_copies"]["novelty_score"] == 0
    assert found["reference"]["peer_others"]["novelty_score"] == 1
    assert found["reference"]["peer_others"]["validity_score"] == pytest.approx(2 / 9)
    assert found["rows_test"] == len(predicted) == (sides()["split"] == "test").sum()
    short = json.loads(Path("metrics/climb/evaluate.json").read_text())
    assert {name: short[name] for name in short if name in model} == close({k: model[k] for k in short if k in model})
    assert short["perplexity_baseline"] == min(values["perplexity"] for values in found["baseline"].values())


@of_climb
def test_proportions_have_wilsons_interval(judged: Path) -> None:
    found, rows = judgement(), table("evaluate/judged.parquet").query("origin == 'model'")
    for name, hits in {"validity_score": rows["broken_rule"].isna(), "novelty_score": rows["novel"]}.items():
        low, high = wilson(int(hits.sum()), len(rows))
        assert found["interval"][name] == close({"low": low, "high": min(high, 1.0)})


@of_climb
def test_the_judged_table_says_of_each_route_what_it_is(judged: Path) -> None:
    routes, holds, known = table("evaluate/judged.parquet"), judged_holds(), known_sets()
    for row in routes.itertuples():
        own = holds[row.origin, row.route_id]
        distance = min(jaccard(cells_among(own), other) for other in known[row.board])
        assert row.train_distance == pytest.approx(distance)
        assert row.novel == (cells_among(own) not in known[row.board])
        assert pd.isna(row.broken_rule) == is_possible(own, row.board), f"{row} {own}"
    others = routes.query("origin == 'others'").sort_values("route_id")
    assert others["judged_grade"].isna().tolist() == [False] * 7 + [True] * 2  # no cell, and one hold: no move
    broken = others["broken_rule"]
    assert [None if pd.isna(rule) else rule for rule in broken] == [
        None, "too_few_holds", "no_start", "repeated_hold", "no_finish", None,
        "hold_off_board", "hold_off_board", "too_few_holds",
    ]  # fmt: skip
    shares = sides().query("split == 'test'")["grade"].value_counts(normalize=True)
    own = routes.query("origin == 'model'")
    assert set(own["grade"]) == set(shares.index)
    assert own.groupby("grade")["weight"].sum().to_dict() == close((shares * len(own)).to_dict())
    assert own.groupby("grade")["weight"].nunique().eq(1).all()
    assert (routes.query("origin != 'model'")["weight"] == 1).all()


@of_climb
def test_slices_are_the_metrics_of_their_rows(judged: Path) -> None:
    predicted = table("evaluate/predictions.parquet")
    for row in table("evaluate/slices.parquet").itertuples():
        part = predicted[predicted[row.by].astype("str") == row.value]
        nll = part["nll" if row.metric == "perplexity" else "nll_grade_bigram"]
        assert (row.rows, row.score) == (len(part), pytest.approx(np.exp(nll.sum() / part["tokens"].sum())))
    own = table("evaluate/judged.parquet").query("origin == 'model'")
    scores = table("evaluate/judged_slices.parquet")
    assert set(scores["by"]) == {"grade", "board"}
    holds, known = judged_holds(), known_sets()
    for (by, value), rows in scores.groupby(["by", "value"]):
        part = own[own[by] == value].assign(weight=1.0)
        expected = route_metrics(part, holds, known)
        assert (rows["rows"] == len(part)).all()
        assert rows["score"].tolist() == [pytest.approx(expected[metric]) for metric in rows["metric"]]


@of_climb
def test_hold_usage_is_the_share_of_each_hold(judged: Path) -> None:
    usage = table("evaluate/hold_usage.parquet").set_index(["board", "hold"])
    test, holds = sides().query("split == 'test'"), table("ingest/holds.parquet")
    made = table("evaluate/judged_holds.parquet").merge(table("evaluate/judged.parquet"), on=["origin", "route_id"])
    for column, rows in {
        "train": holds.merge(train_side(), on="route_id").assign(weight=1.0),
        "test": holds.merge(test, on="route_id").assign(weight=1.0),
        "model": made.query("origin == 'model'"),
    }.items():
        counted = rows.groupby(["board", "hold"])["weight"].sum()
        shares = (counted / counted.groupby("board").transform("sum")).reindex(usage.index, fill_value=0.0)
        assert usage[column].to_numpy() == pytest.approx(shares.to_numpy())


def measures_by_hand(holds: Sequence[str]) -> dict[str, list[float]]:
    """Three of the measures of a route, from the names of its holds, bottom up."""
    places = [("ABCDEFGHIJK".index(hold[0]), int(hold[1:])) for hold in holds]
    moves = [
        min(np.hypot(x - a, y - b) for a, b in places[:number]) for number, (x, y) in enumerate(places) if number > 0
    ]
    consecutive = [float(np.hypot(x - a, y - b)) for (a, b), (x, y) in pairwise(places)]
    return {"number_of_holds": [len(holds)], "longest_move": [max(moves)], "consecutive_distance": consecutive}


def measured_by_origin() -> dict[str, dict[str, tuple[list[float], list[float]]]]:
    """{measure: {origin: (values, weights)}} of the routes of training, of test, and those that the model wrote."""
    holds = judged_holds()
    own = table("evaluate/judged.parquet").query("origin == 'model'")
    known = {str(a): part["hold"].tolist() for a, part in table("label/tokens.parquet").pipe(named).groupby("route_id")}
    routes = {
        "model": [(holds["model", row.route_id], row.weight) for row in own.itertuples()],
        **{
            side: [(known[name], 1.0) for name in sides().query("split == @side")["route_id"]]
            for side in ("train", "test")
        },
    }
    found: dict[str, dict[str, tuple[list[float], list[float]]]] = {}
    for origin, listed in routes.items():
        for names, weight in listed:
            for measure, values in measures_by_hand(names).items():
                into = found.setdefault(measure, {}).setdefault(origin, ([], []))
                into[0].extend(values)
                into[1].extend([weight] * len(values))
    return found


def named(tokens: pd.DataFrame) -> pd.DataFrame:
    """Tokens with the names of their holds, bottom up."""
    return tokens.assign(hold=tokens["token"].map(definitions.cell_name)).sort_values(["route_id", "position"])


@of_climb
def test_shares_and_distances_of_moves_are_those_of_each_origins_routes(judged: Path) -> None:
    shares, far = table("evaluate/move_shares.parquet"), judgement()["distance_from_test_routes"]
    assert set(far) == {"model", "train"}
    for measure, origins in measured_by_origin().items():
        for origin, (values, weights) in origins.items():
            own = shares.query("measure == @measure and origin == @origin")
            mean = float((own["value"] * own["share"]).sum())
            assert mean == pytest.approx(np.average(values, weights=weights), abs=1e-5), (measure, origin)
            assert own["share"].sum() == pytest.approx(1)
        for origin in ("model", "train"):
            expected = wasserstein_distance(origins[origin][0], origins["test"][0], origins[origin][1])
            assert far[origin][measure]["distance"] == pytest.approx(expected, abs=1e-4), (measure, origin)
            assert far[origin][measure]["distance"] > 0


@of_climb
def test_generated_routes_are_told_from_test_routes_with_the_weights_of_their_grades(
    judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The preset has too few routes of a board: here fewer suffice, and what the classifier is given is kept."""
    shutil.copytree(judged, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(c2st, "FEWEST", 5)
    given: list[Any] = []

    def kept(generated: Sequences, weights: Any, real: Sequences, *rest: Any) -> Any:
        given.extend([generated, weights, real])
        return c2st.c2st(generated, weights, real, *rest)

    monkeypatch.setattr(climb_evaluate, "c2st", kept)
    with torch_restored():
        CLIMB.run("evaluate")
    generated, weights, real = given
    own = table("evaluate/judged.parquet").query("origin == 'model'")
    assert generated.ids == tuple(own["route_id"])
    assert weights.tolist() == pytest.approx(own["weight"].tolist())
    assert len(set(weights.tolist())) > 1, "one weight for all would not show"
    assert set(real.ids) == set(sides().query("split == 'test'")["route_id"])
    told = judgement()["c2st"]
    boards = {
        side: part["board"].value_counts()
        for side, part in {"real": sides().query("split == 'test'"), "generated": own}.items()
    }
    assert told.keys() == {board for board in boards["real"].index if min(boards[s].get(board, 0) for s in boards) >= 5}
    assert told
    for board, found in told.items():
        assert {side: found[side] for side in boards} == {side: int(boards[side][board]) for side in boards}


@of_climb
def test_routes_are_written_with_the_decoding_and_the_limits_of_the_model(
    judged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = read_artifacts(Path("data/climb/train/model")).settings
    decoding = settings.decoding.model_copy(update={"guidance": 1.7, "temperature": 0.8, "top_p": 0.9})
    limits = settings.limits.model_copy(update={"max_holds": settings.limits.max_holds - 2})
    changed = settings.model_copy(update={"decoding": decoding, "limits": limits})
    asked: list[tuple[Any, Any, bool]] = []

    def kept(model: Any, conditions: Any, limits: Any, decoding: Any, generator: Any, *, constrained: bool) -> Any:
        asked.append((limits, decoding, constrained))
        return generate(model, conditions, limits, decoding, generator, constrained=constrained)

    monkeypatch.setattr(climb_evaluate, "generate", kept)
    with torch_restored():
        model = RouteTransformer.from_pretrained("data/climb/train/model").eval()
        climb_evaluate.write_routes(model, changed, sides().query("split == 'test'"), (), 2, np.random.default_rng(0))
    assert [constrained for *_, constrained in asked] == [True, False]
    for own, drawing, _ in asked:
        assert (drawing.guidance, drawing.temperature, drawing.top_p) == (1.7, 0.8, 0.9)
        assert own.max_holds == limits.max_holds


def encoded() -> dict[str, Sequences]:
    labels, tokens = sides(), table("label/tokens.parquet")
    return {str(side): encode(part.reset_index(drop=True), tokens) for side, part in labels.groupby("split")}


@of_climb
def test_the_judge_and_the_ngrams_are_those_of_training_and_validation(judged: Path) -> None:
    side = encoded()
    predicted = table("evaluate/predictions.parquet").set_index("route_id").loc[list(side["test"].ids)]
    seed = yaml.safe_load((ROOT / "params.yaml").read_text())["seed"]
    drawn = int(np.random.default_rng(derive_seed(seed, "climb", "evaluate")).integers(2**32))
    judge = fit_judge(side["train"], **CLIMB.section("evaluate").grade_judge.model_dump(), seed=drawn)
    said = [definitions.GRADES[grade] for grade in judge.grades(side["test"])]
    assert predicted["judged_grade"].tolist() == said
    for name in baselines.NAMES:
        nll = baselines.fit(name, side["train"], side["val"]).route_nll(side["test"])
        assert predicted[f"nll_{name}"].to_numpy() == pytest.approx(nll)


def resampled(rng: np.random.Generator, groups: Sequence[Any], resamples: int) -> list[list[int]]:
    """The rows of each resample: as many groups as there are, drawn with replacement, each with all of its rows."""
    rows = [[n for n, group in enumerate(groups) if group == name] for name in sorted(set(groups))]
    drawn = rng.integers(len(rows), size=(resamples, len(rows)))
    return [[row for group in draw for row in rows[group]] for draw in drawn]


def bounds(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return pytest.approx(low), pytest.approx(high)


LOSSES = ("nll", "nll_bigram", "nll_grade_bigram", "nll_unigram", "nll_uniform")


def hand_made() -> tuple[pd.DataFrame, dict[str, pd.DataFrame], dict[str, dict[str, float]]]:
    rng, rows = np.random.default_rng(0), 14
    predicted = pd.DataFrame(
        {
            "hold_set": list("aabbbcccddefgg"),
            "in_full": True,
            "in_quality": rng.random(rows) < 0.6,
            "tokens": rng.integers(3, 12, rows),
            **{name: rng.uniform(5, 40, rows) for name in LOSSES},
        }
    )
    routes = {}
    for origin, count in {"model": 12, "test": 9}.items():
        routes[origin] = pd.DataFrame(
            {
                "board": "2016",
                "grade": rng.choice(["6B", "6C", "7A"], count),
                "judged_grade": rng.choice(["6B", "6B+", "6C", "7A"], count),
                "weight": rng.uniform(0.1, 3, count) if origin == "model" else 1.0,
                "broken_rule": [None, "no_start", None] * (count // 3),
                "novel": [True, True, False] * (count // 3),
                "train_distance": rng.random(count),
            }
        )
    names = ("grade_exact_accuracy", "grade_within_one_accuracy")
    measured = {origin: accuracies(part, range(len(part))) for origin, part in routes.items()}
    shares = {"validity_score": 2 / 3, "novelty_score": 2 / 3}
    measured = {origin: shares | {name: values[name] for name in names} for origin, values in measured.items()}
    return predicted, routes, measured


def accuracies(routes: pd.DataFrame, rows: Sequence[int]) -> dict[str, float]:
    part = routes.iloc[list(rows)]
    apart = grades_apart(part)
    return {
        "train_distance_score": part["train_distance"].mean(),
        "grade_exact_accuracy": np.average(apart == 0, weights=part["weight"]),
        "grade_within_one_accuracy": np.average(apart <= 1, weights=part["weight"]),
    }


def perplexities(predicted: pd.DataFrame) -> dict[str, float]:
    """The metrics of the likelihood that are defined on these rows."""
    found = token_metrics(predicted, "nll")
    if not predicted["in_quality"].any():
        found = {name: value for name, value in found.items() if not name.startswith("quality_")}
    bigram = token_metrics(predicted, "nll_grade_bigram")["perplexity"]
    return found | {"perplexity_reduction_score": 1 - found["perplexity"] / bigram}


def by_name(values: Sequence[Mapping[str, float]]) -> dict[str, list[float]]:
    names = sorted(set().union(*values))
    return {name: [each[name] for each in values if name in each] for name in names}


def differences(predicted: pd.DataFrame) -> dict[str, float]:
    """The perplexity less each n-gram model's."""
    own = token_metrics(predicted, "nll")["perplexity"]
    return {name: own - token_metrics(predicted, f"nll_{name}")["perplexity"] for name in baselines.NAMES}


def test_intervals_resample_hold_sets_and_weighted_routes() -> None:
    """Everything by loops over resamples that the same generator draws in the same order."""
    predicted, routes, measured = hand_made()
    params = CLIMB.section("evaluate")
    result = results.result(predicted, routes, measured, (8, 12), {}, params, np.random.default_rng(5))
    found = evaluation_files(params.gate, result).judgement
    rng, draws = np.random.default_rng(5), params.bootstrap.resamples
    model, hold_sets = routes["model"], predicted["hold_set"].tolist()
    expected = by_name([perplexities(predicted.iloc[rows]) for rows in resampled(rng, hold_sets, draws)])
    paired = by_name([differences(predicted.iloc[rows]) for rows in resampled(rng, hold_sets, draws)])
    expected |= by_name([accuracies(model, rows) for rows in resampled(rng, range(len(model)), draws)])
    within = [
        [accuracies(part, rows)["grade_within_one_accuracy"] for rows in resampled(rng, range(len(part)), draws)]
        for part in (model, routes["test"])
    ]
    expected["grade_agreement_score"] = [above / below for above, below in zip(*within, strict=True) if below]
    shares = ("validity_score", "novelty_score", "unconstrained_validity_score")
    assert found["interval"].keys() == {*expected, *shares}
    for name, values in expected.items():
        assert tuple(found["interval"][name].values()) == bounds(values), name
    for name in shares:
        assert tuple(found["interval"][name].values()) == pytest.approx(wilson(8, 12))
    for name, values in paired.items():
        assert tuple(found["difference"]["perplexity"][name].values()) == bounds(values), name
    own, real = (measured[origin]["grade_within_one_accuracy"] for origin in ("model", "test"))
    assert found["model"]["grade_agreement_score"] == pytest.approx(own / real)
