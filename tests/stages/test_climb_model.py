"""Using the trained generator: new routes are new, and of what it was trained on."""

import json
import shutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from stages.climb import evaluate, plot, train
from tests.climbing import longest_move
from tests.stages.programs import Programs
from winnow.domains.climb import definitions
from winnow.domains.climb.asked import Asked
from winnow.domains.climb.model.artifacts import read_artifacts
from winnow.domains.climb.model.generation import generate, make_decoding, make_limits
from winnow.domains.climb.model.grades import fit_judge
from winnow.domains.climb.model.sequences import conditions
from winnow.domains.climb.serving import Grade
from winnow.domains.climb.tables import Labels, Splits, Weights
from winnow.learn.checkpoints import load_weights
from winnow.learn.folder import model_folder
from winnow.learn.samplers import BatchShare
from winnow.pipeline.errors import SourceError, TableError, WinnowError
from winnow.pipeline.tables import write_table

CLIMB = Programs.tiny("climb")
of_climb = pytest.mark.parametrize("finished", ["climb"], indirect=True)
REQUESTED = pd.DataFrame([{"board": "2016", "angle": 40, "grade_index": definitions.GRADE_INDEX["6C"]}] * 8)


@pytest.fixture
def generator(domain: Programs) -> Any:
    """As the command line makes it, in a folder where climb was trained."""
    from winnow.domains.climb.inference import Generator  # noqa: PLC0415

    return Generator(model_folder("climb"), torch.device("cpu"))


@pytest.mark.parametrize("board", ["2016", "2019"])
@of_climb
def test_generated_routes_are_distinct_and_no_training_route(generator: Any, board: str) -> None:
    """Routes that it would generate are made training routes of their board: it then generates others."""
    requested = REQUESTED.assign(board=board)
    first = generator.new_routes(requested, seed=0)
    assert len({tuple(route) for route in first}) == len(REQUESTED)
    known = generator.artifacts
    ids = [f"known {number}" for number in range(len(first))]
    routes = (
        known.routes.head(1)
        .loc[[0] * len(first)]
        .assign(route_id=ids, board=board, angle=40, split="train", grade_index=3)
    )
    tokens = pd.DataFrame(
        [(name, *pair) for name, cells in zip(ids, first, strict=True) for pair in enumerate(cells)],
        columns=["route_id", "position", "token"],
    )
    generator.artifacts = replace(
        known, routes=pd.concat([known.routes, routes]), tokens=pd.concat([known.tokens, tokens])
    )
    again = generator.new_routes(requested, seed=0)
    assert len(again) == len(requested)
    assert not {tuple(route) for route in again} & {tuple(route) for route in first}


@of_climb
def test_a_route_that_was_just_made_is_not_made_again(generator: Any) -> None:
    """Where next to nothing is left to chance, all rows of one grade would be one route."""
    settings = generator.artifacts.settings
    surest = settings.decoding.model_copy(update={"temperature": 1e-3})
    generator.artifacts = replace(generator.artifacts, settings=settings.model_copy(update={"decoding": surest}))
    with pytest.raises(WinnowError, match=r"only \d of 8 new routes"):
        generator.new_routes(REQUESTED, seed=0)


@of_climb
def test_the_limits_are_those_of_the_training(generator: Any) -> None:
    limits = generator.artifacts.settings.limits
    assert limits == CLIMB.section("common")
    assert generator.artifacts.settings.decoding == CLIMB.section("train").decoding
    for route in generator.new_routes(REQUESTED, seed=1):
        assert limits.min_holds <= len(route) <= limits.max_holds
        assert longest_move(route) <= limits.max_reach


@of_climb
def test_no_test_route_is_in_the_model_folder(generator: Any) -> None:
    sides = CLIMB.table("split/splits.parquet").set_index("route_id")["split"]
    assert set(generator.artifacts.routes["route_id"]) == set(sides.index[sides != "test"])
    assert set(generator.artifacts.tokens["route_id"]) == set(sides.index[sides != "test"])


def test_a_board_may_be_sent_as_a_number() -> None:
    assert Grade.model_validate({"grade": "6C", "board": 2019}).board == "2019"
    assert Grade(grade="6C").board is None


@of_climb
def test_a_board_that_is_not_asked_for_is_that_of_most_training_routes(generator: Any) -> None:
    routes = generator.artifacts.routes.astype({"board": "str"})
    train = np.flatnonzero(routes["split"] == "train")
    places = [("2019", 40)] * 2 + [("2017", 25)] * 3 + [("2017", 40)] * (len(train) - 5)
    for row, (board, angle) in zip(train, places, strict=True):
        routes.loc[routes.index[row], ["board", "angle"]] = [board, angle]
    generator.artifacts = replace(generator.artifacts, routes=routes)
    assert generator.boards() == [("2017", 40), ("2017", 25), ("2019", 40)]
    asked = {
        (None, None): ("2017", 40), (None, 25): ("2017", 25), ("2019", None): ("2019", 40),
        ("2016", None): ("2016", 40), ("2019", 25): ("2019", 25),
    }  # fmt: skip
    for (board, angle), place in asked.items():
        assert generator.place_of(Asked.of(grade="6C", board=board, angle=angle)) == place
    with pytest.raises(WinnowError, match="trained on no route of board 2016"):
        generator.asked_routes(Asked.of(grade="6C", board="2016"), 1, 0)


@of_climb
def test_the_seed_decides_which_routes_are_drawn(generator: Any) -> None:
    first, again, other = (generator.asked_routes(Asked.of(grade="6C"), 4, seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"board": "2016", "angle": 25, "grade": "6C"}, "trained on no route of board 2016 at 25°"),
        ({"board": "2016", "angle": 40, "grade": "8B+"}, "trained on no route of grade 8B"),
    ],
)
@of_climb
def test_what_the_model_was_not_trained_on_is_refused(generator: Any, options: dict[str, Any], message: str) -> None:
    routes = generator.artifacts.routes
    hard = routes["grade_index"] == definitions.GRADE_INDEX["8B+"]
    assert hard.any()
    routes = routes.assign(split=routes["split"].mask(hard, "val"))
    generator.artifacts = replace(generator.artifacts, routes=routes)
    with pytest.raises(WinnowError, match=message):
        generator.check_trained_on(**options)
    generator.check_trained_on(board="2016", angle=40, grade="6C")
    with pytest.raises(WinnowError) as error:
        generator.check_trained_on(board="2016", angle=25, grade="6C")
    assert "board 2016 with angle 40" in error.value.fix.split(" of ")[1].split(", ")


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([{"Grade": "7A", "Moves": []}], SourceError, r"1 of 1 source rows cannot be used(.|\n)*row 1: no moves"),
        ([{"Grade": "V5", "Moves": ["A5", "C9", "F18"]}], TableError, r"no row is left .*unknown_grade 1"),
        ([{"Grade": "7A", "Moves": ["A5", "F18"]}], TableError, r"no row is left .*too_few_holds 1"),
    ],
)
@of_climb
def test_an_export_without_a_route_to_judge_is_one_clear_error(
    generator: Any, rows: list[Any], error: type[WinnowError], message: str
) -> None:
    Path("other.json").write_text(json.dumps(rows))
    with pytest.raises(error, match=message):
        generator.judge_file(Path("other.json"), None)


@of_climb
def test_test_routes_as_an_export_are_judged_as_by_evaluate(generator: Any) -> None:
    predicted = CLIMB.table("evaluate/predictions.parquet").query("board == '2016'").set_index("route_id")
    holds = CLIMB.table("ingest/holds.parquet").groupby("route_id")["hold"].agg(list)
    rows = [{"Grade": route.grade, "Moves": holds[name]} for name, route in predicted.iterrows()]
    Path("other.json").write_text(json.dumps(rows))
    found = generator.judge_file(Path("other.json"), "minimal")
    assert found["all"]["routes"] == found["routes"]["judged"] == len(predicted) > 5
    for name, part in [("all", predicted), *predicted.groupby("grade")]:
        own = found["all"] if name == "all" else found["by_grade"][name]
        for measure, nll in (("perplexity", "nll"), ("bigram_perplexity", "nll_grade_bigram")):
            assert own[measure] == pytest.approx(np.exp(part[nll].sum() / part["tokens"].sum()), rel=1e-5)


@of_climb
def test_an_export_of_routes_that_shaped_the_model_has_none_to_judge(generator: Any) -> None:
    """Those of training and those of validation, which chose the epoch and the bigrams' weights."""
    known = generator.artifacts
    rows = []
    for side in ("train", "val"):
        route = known.routes[(known.routes["board"] == "2016") & (known.routes["split"] == side)].iloc[0]
        cells = known.tokens.loc[known.tokens["route_id"] == route["route_id"], "token"].map(definitions.cell_name)
        rows.append({"Grade": definitions.GRADES[route["grade_index"]], "Moves": cells.tolist()})
    new = {"Grade": "7A", "Moves": ["A5", "C9", "F13", "F18"]}
    Path("other.json").write_text(json.dumps([*rows, new]))
    assert generator.judge_file(Path("other.json"), None)["routes"] == {
        "in_file": 3, "rejected": 0, "repeated": 0, "dropped": 0, "untrained": 0, "trained_on": 2, "judged": 1,
    }  # fmt: skip
    Path("other.json").write_text(json.dumps(rows))
    with pytest.raises(WinnowError, match="the generator was trained on, or chosen by, every route of other.json"):
        generator.judge_file(Path("other.json"), None)


@of_climb
def test_routes_of_an_untrained_board_or_grade_are_counted_and_not_judged(generator: Any) -> None:
    """And what becomes of each row of the file is counted: the counts add up."""
    routes = generator.artifacts.routes
    kept = (
        (routes["board"] == "2016") & (routes["angle"] == 40) & (routes["grade_index"] < definitions.GRADE_INDEX["8A"])
    )
    generator.artifacts = replace(generator.artifacts, routes=routes.assign(split=routes["split"].where(kept, "val")))
    new, hard = ({"Grade": grade, "Moves": ["A5", "C9", "F13", "F18"]} for grade in ("7A", "8B+"))
    hard["Moves"] = ["B5", "C9", "F13", "F18"]
    short = {"Grade": "7A", "Moves": ["A5", "F18"]}
    Path("other.json").write_text(json.dumps([new, new, hard, short]))
    found = generator.judge_file(Path("other.json"), None)
    counts = dict(found["routes"])
    assert found["untrained"] == {"grade 8B+": 1}
    assert found["dropped"] == {"too_few_holds": 1}
    assert counts == {
        "in_file": 4, "rejected": 0, "repeated": 1, "dropped": 1, "untrained": 1, "trained_on": 0, "judged": 1,
    }  # fmt: skip
    assert counts.pop("in_file") == sum(counts.values())
    assert found["all"]["routes"] == 1
    Path("board.csv").write_text("board,angle,grade,holds\n2017,25,7A,A5 C9 F13 F18\n2017,25,7A,B5 C9 F13 F18\n")
    with pytest.raises(WinnowError, match="board 2017 at 25°") as error:
        generator.judge_file(Path("board.csv"), None)
    assert "2016 at 40°" in error.value.fix


@pytest.mark.parametrize("content", [None, "{", "{}"])
@of_climb
def test_settings_that_are_gone_damaged_or_of_another_version_are_told(domain: Programs, content: str | None) -> None:
    file = Path("data/climb/train/model/settings.json")
    file.unlink()
    if content is not None:
        file.write_text(content)
    with pytest.raises(TableError, match=r"settings.json is missing, damaged, or of another version: .*") as caught:
        read_artifacts(file.parent)
    assert "dvc repro train@climb" in caught.value.fix


def judgement() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("metrics/climb/judgement.json").read_text())
    return found


@of_climb
def test_an_export_of_one_grade_is_judged_but_for_its_grades(domain: Programs) -> None:
    labels = CLIMB.table("label/labels.parquet")
    labels = labels.assign(grade="6C", grade_index=definitions.GRADE_INDEX["6C"])
    write_table(Path("data/climb/label/labels.parquet"), labels, Labels)
    domain.run("train")
    found = domain.run("evaluate")
    domain.run("plot")
    assert found["verdict"] != "PASS"
    assert "grade_agreement_score" not in found
    judged = judgement()
    assert any(
        reason.startswith(
            "REVIEW: grade_agreement_score cannot be measured: the training routes are too few, or of one"
        )
        for reason in judged["reasons"]
    )
    assert judged["unmeasured"].keys() == {"grade_agreement_score"}


@of_climb
def test_a_board_without_training_routes_is_left_out_with_the_reason(domain: Programs) -> None:
    labels, splits = CLIMB.table("label/labels.parquet"), CLIMB.table("split/splits.parquet")
    rare = labels.loc[labels["board"] == "2019", "route_id"]
    splits.loc[splits["route_id"].isin(rare), "split"] = "test"
    write_table(Path("data/climb/split/splits.parquet"), splits, Splits)
    weights = CLIMB.table("weight/weights.parquet")
    write_table(Path("data/climb/weight/weights.parquet"), weights[~weights["route_id"].isin(rare)], Weights)
    domain.run("train")
    domain.run("evaluate")
    domain.run("plot")
    judged = judgement()
    assert judged["boards_left_out"]["2019"].startswith("its training routes show too few holds")
    assert "2019" not in judged["c2st"]
    generated = CLIMB.table("evaluate/judged.parquet").query("origin == 'model'")
    assert "2019" not in set(generated["board"])


@of_climb
def test_a_board_that_chance_did_not_draw_is_not_said_to_have_too_few_holds(
    domain: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate = import_module("stages.climb.evaluate")
    draw = evaluate.draw_conditions
    monkeypatch.setattr(evaluate, "draw_conditions", lambda test, *rest: draw(test[test["board"] == "2016"], *rest))
    domain.run("train")
    domain.run("evaluate")
    judged = judgement()
    real = CLIMB.table("evaluate/judged.parquet").query("origin == 'test'")["board"].value_counts()
    others = [board for board in real.index if board != "2016"]
    assert len(others) >= 2
    told = {board: judged["boards_left_out"][board] for board in others}
    assert told == {board: f"0 generated and {real[board]} real routes, and 20 of each are needed" for board in others}


def test_the_message_of_a_board_says_what_it_is_left_out_of() -> None:
    left_out = {"2017": "21 generated and 16 real routes", "2019": "no way to the top"}
    of_2017, of_2019 = evaluate.left_out_lines(left_out, {"2019"})
    assert "2017" in of_2017
    assert "C2ST" in of_2017
    assert "C2ST" not in of_2019
    assert "generated" in of_2019


@of_climb
def test_limits_without_any_route_are_an_error_before_the_training(domain: Programs) -> None:
    with pytest.raises(TableError, match="no route on the holds of the 319 training routes keeps within the limits"):
        domain.run("train", common={"max_reach": 0.5})
    assert Path("data/climb/train/model").is_dir(), "the model of before stays"


@of_climb
def test_test_routes_on_boards_without_any_route_are_an_error(domain: Programs) -> None:
    """All test routes are of a board on which the training routes show too few holds; the other boards are fine."""
    labels, splits = CLIMB.table("label/labels.parquet"), CLIMB.table("split/splits.parquet")
    rare = splits["route_id"].isin(labels.loc[labels["board"] == "2019", "route_id"])
    splits["split"] = splits["split"].mask(splits["split"] == "test", "val").mask(rare, "test")
    write_table(Path("data/climb/split/splits.parquet"), splits, Splits)
    weights = CLIMB.table("weight/weights.parquet")
    weights = weights[~weights["route_id"].isin(splits.loc[rare, "route_id"])]
    write_table(Path("data/climb/weight/weights.parquet"), weights, Weights)
    domain.run("train")
    with pytest.raises(WinnowError, match="no route on board 2019 keeps within the limits"):
        domain.run("evaluate")


@of_climb
def test_without_constraints_an_untrained_network_makes_few_valid_routes(generator: Any, domain: Programs) -> None:
    """As told beside the validity of constrained routes, which is all of them whatever the network."""
    domain.run("evaluate")
    own = judgement()["model"]
    assert own["validity_score"] == 1.0
    assert 0 <= own["unconstrained_validity_score"] < 0.9
    limits = make_limits(generator.model.known, generator.artifacts.settings.limits)
    decoding = make_decoding(generator.artifacts.settings.decoding)
    wanted = conditions(pd.concat([REQUESTED] * 10, ignore_index=True))
    free = generate(generator.model, wanted, limits, decoding, torch.Generator().manual_seed(0), constrained=False)
    assert (np.diff(np.where(free.tokens < definitions.CELLS, free.tokens, 10_000)) >= 0).all(), (
        "bottom up all the same"
    )


@of_climb
@pytest.mark.parametrize("weighted", [True, False])
def test_training_routes_are_drawn_by_the_weight_stages_weights_when_asked(domain: Programs, weighted: bool) -> None:
    weights = CLIMB.table("weight/weights.parquet")
    routes = train.join(CLIMB.table("label/labels.parquet"), CLIMB.table("split/splits.parquet"), weights)
    tokens = CLIMB.table("label/tokens.parquet")
    params = CLIMB.section("train", weighted=weighted)
    task = train.GeneratorTask(routes, tokens, CLIMB.section("common"), params, None)  # type: ignore[arg-type]
    loaders = task.loaders("full", BatchShare(64, 1, 1, 0))
    own = routes[routes["split"] == "train"].reset_index(drop=True)
    heavy = own["weight"] > own["weight"].median()
    batches = range(-(-len(own) // 64))
    drawn = np.concatenate([loaders.train.batch(seed, index)["ids"] for seed in range(20) for index in batches])  # type: ignore[attr-defined]
    share = own.loc[heavy, "weight"].sum() / own["weight"].sum() if weighted else heavy.mean()
    assert heavy.to_numpy()[drawn].mean() == pytest.approx(share, abs=0.01)


@of_climb
def test_routes_generated_while_training_have_curves_and_change_no_weight(domain: Programs) -> None:
    weights = Path("data/climb/train/model/model.safetensors").read_bytes()
    history = json.loads(Path("data/climb/train/checkpoints/final/checkpoint.json").read_text())["history"]
    names = {
        f"sample/{name}" for name in ("unconstrained_validity_score", "novelty_score", "grade_within_one_accuracy")
    }
    for record in history:
        assert names <= set(record["val"])
        assert all(0 <= record["val"][name] <= 1 for name in names)
    assert Path("data/climb/plot/generated_while_training.png").exists()
    for old in (Path("data/climb/train"), Path(".winnow")):
        shutil.rmtree(old)
    domain.run("train", eval_samples=0)
    domain.run("plot")
    assert Path("data/climb/train/model/model.safetensors").read_bytes() == weights


@of_climb
def test_the_samples_curves_are_those_of_routes_generated_so(generator: Any, domain: Programs) -> None:
    """The last record is that of the model kept last: generated again, by way of the command line's functions."""
    history = json.loads(Path("data/climb/train/checkpoints/final/checkpoint.json").read_text())["history"]
    load_weights(generator.model, Path("data/climb/train/checkpoints/final"))
    labels = CLIMB.table("label/labels.parquet").merge(CLIMB.table("split/splits.parquet"), on="route_id")
    wanted = conditions(labels[labels["split"] == "val"].head(32))
    limits = make_limits(generator.model.known, generator.artifacts.settings.limits)
    decoding = make_decoding(generator.artifacts.settings.decoding)
    made, free = (
        generate(generator.model, wanted, limits, decoding, torch.Generator().manual_seed(0), constrained=constrained)
        for constrained in (True, False)
    )
    known = {(board, cells) for board, cells in routes_of(generator.artifacts.sequences("train"))}
    novel = np.mean([route not in known for route in routes_of(made)])
    assert history[-1]["val"]["sample/novelty_score"] == pytest.approx(novel)
    short = np.mean([3 <= len(cells) <= 14 for _, cells in routes_of(free)])
    assert history[-1]["val"]["sample/unconstrained_validity_score"] <= short
    judge = fit_judge(generator.artifacts.sequences("train"), trees=50, min_leaf=3, neighbour_weight=0.5, seed=0)
    near = np.abs(judge.grades(made) - wanted[:, 2]) <= 1
    assert history[-1]["val"]["sample/grade_within_one_accuracy"] == pytest.approx(near.mean())


def test_the_sheet_shows_valid_generated_routes_evenly_over_the_grades_the_easiest_first() -> None:
    grades = ["7A", "6B", "6B", "6B", "7A", "8A", "6A"]
    judged = pd.DataFrame(
        {
            "origin": ["model"] * 6 + ["test"],
            "route_id": [f"{number:04d}" for number in range(7)],
            "board": "2016",
            "angle": 40,
            "grade": grades,
            "broken_rule": [None, "out_of_reach", None, None, None, None, None],
        }
    )
    holds = judged[["origin", "route_id"]].assign(hold=[f"A{number + 1}" for number in range(7)], role="move")
    shown = plot.choose_routes(judged, holds, 4)
    assert [route.title for route in shown] == [f"{grade} · 2016 · 40°" for grade in ("6B", "6B", "7A", "8A")]
    assert [hold for route in shown for hold, _ in route.holds] == ["A3", "A4", "A1", "A6"]


def routes_of(sequences: Any) -> list[tuple[int, frozenset[int]]]:
    """Board and cells of each route."""
    cells = [frozenset(row[row < definitions.CELLS].tolist()) for row in sequences.tokens]
    return list(zip(sequences.conditions[:, 0].tolist(), cells, strict=True))
