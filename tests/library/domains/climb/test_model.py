"""The generator: what it may say, what it writes, and how it is saved."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.climbing import distance
from winnow.domains.climb import definitions, params
from winnow.domains.climb.evaluation.routes import holds_of
from winnow.domains.climb.model.generation import Decoding, Limits, generate, make_decoding
from winnow.domains.climb.model.likelihood import route_nll, token_losses
from winnow.domains.climb.model.network import RouteTransformer
from winnow.domains.climb.model.sequences import (
    ANY_GRADE,
    BOARDS,
    END,
    START,
    VOCABULARY,
    Sequences,
    encode,
    known_holds,
    membership,
    previous,
)
from winnow.domains.climb.model.training import GeneratorTask, without_filling
from winnow.domains.climb.rules.validity import broken_rules_of_generated
from winnow.learn.samplers import BatchShare
from winnow.pipeline.errors import TableError, WinnowError

SMALL = {"width": 16, "layers": 2, "heads": 2, "dropout": 0.0, "max_holds": 14, "reaches": 2}
PLAIN = Decoding(guidance=1.0, temperature=1.0, top_p=1.0)


def cells(*holds: str) -> list[int]:
    return [definitions.cell_index(hold) for hold in holds]


def small_model(seed: int = 0) -> RouteTransformer:
    torch.manual_seed(seed)
    model = RouteTransformer(**SMALL)
    with torch.no_grad():  # far from uniform, so that order and conditions show
        for parameter in model.parameters():
            parameter.mul_(3.0)
    return model.eval()


@pytest.fixture(scope="module")
def routes() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "route_id": ["a", "b", "c", "d"],
            "board": ["2016", "2020", "2016", "2016"],
            "angle": [40, 40, 40, 40],
            "grade": ["6B", "7A", "6C", "6C"],
            "grade_index": [definitions.GRADE_INDEX[grade] for grade in ("6B", "7A", "6C", "6C")],
            "quality": ["low", "high", "unknown", "high"],
            "split": ["train", "train", "val", "val"],
            "weight": [0.5, 1.5, np.nan, np.nan],
            "in_full": True,
            "in_quality": [False, True, False, False],
        }
    )


@pytest.fixture(scope="module")
def tokens() -> pd.DataFrame:
    held = {
        "a": cells("C5", "D9", "E18"),
        "b": cells("A3", "B12"),
        "c": cells("F5", "G9", "H13", "I18"),
        "d": cells("C5", "J18"),
    }
    flat = [(route, position, cell) for route, row in held.items() for position, cell in enumerate(row)]
    return pd.DataFrame(flat, columns=["route_id", "position", "token"])


def test_encoding(routes: pd.DataFrame, tokens: pd.DataFrame) -> None:
    shuffled = encode(routes.iloc[[2, 0]], tokens.sample(frac=1, random_state=0))
    assert shuffled.ids == ("c", "a")
    assert shuffled.tokens.tolist() == [
        [*cells("F5", "G9", "H13", "I18"), END],
        [*cells("C5", "D9", "E18"), END, START],
    ]
    assert shuffled.lengths.tolist() == [5, 4]
    assert shuffled.conditions.tolist() == [
        [0, 1, definitions.GRADE_INDEX["6C"]],
        [0, 1, definitions.GRADE_INDEX["6B"]],
    ]
    assert previous(shuffled.tokens)[1].tolist() == [START, *cells("C5", "D9", "E18"), START]
    assert np.flatnonzero(membership(shuffled)[1]).tolist() == cells("C5", "D9", "E18")


def test_known_holds_are_the_boards_own(routes: pd.DataFrame, tokens: pd.DataFrame) -> None:
    known = known_holds(encode(routes, tokens))
    assert np.flatnonzero(known[BOARDS.index("2020")]).tolist() == cells("A3", "B12")
    assert not known[BOARDS.index("2019")].any()


def test_impossible_tokens_have_no_probability() -> None:
    before = torch.tensor([[START, *cells("C5", "D9")]])
    chances = small_model()(before, torch.tensor([[0, 1, 5]])).softmax(dim=-1)[0]
    assert chances.shape == (3, VOCABULARY)
    assert chances.sum(dim=-1).tolist() == pytest.approx([1, 1, 1])
    assert chances[0, END] == 0
    assert (chances[0, :END] > 0).all()
    assert (chances[1, : definitions.cell_index("C5") + 1] == 0).all()
    assert (chances[1, definitions.cell_index("C5") + 1 :] > 0).all()


def test_no_token_sees_what_comes_after() -> None:
    model, told = small_model(), torch.tensor([[0, 1, 5]])
    first = model(torch.tensor([[START, *cells("C5", "D9", "E13")]]), told)
    other = model(torch.tensor([[START, *cells("C5", "D9", "K16")]]), told)
    assert torch.allclose(first[:, :3], other[:, :3], atol=1e-6)
    assert not torch.allclose(first[:, 3].softmax(-1), other[:, 3].softmax(-1), atol=1e-3)


@pytest.mark.parametrize("told", [[1, 1, 5], [0, 0, 5], [0, 1, 9], [0, 1, ANY_GRADE]])
def test_board_angle_and_grade_are_seen(told: list[int]) -> None:
    model, before = small_model(), torch.tensor([[START, *cells("C5")]])
    plain, other = (model(before, torch.tensor([row])).softmax(-1) for row in ([0, 1, 5], told))
    assert not torch.allclose(plain, other, atol=1e-4)


def test_every_weight_of_the_network_shapes_the_odds() -> None:
    """What a route's loss does not depend on has no gradient: an embedding that was left out is named."""
    model = RouteTransformer(**SMALL)
    before, told = torch.tensor([[START, *cells("C5", "D9", "E13")]]), torch.tensor([[0, 1, 5]])
    after = torch.tensor([[*cells("C5", "D9", "E13"), END]])
    torch.nn.functional.cross_entropy(model(before, told).transpose(1, 2), after).backward()
    unused = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert unused == []


def test_a_hold_is_known_by_its_board_itself_its_row_and_its_column() -> None:
    table, (first, other) = small_model().cells, cells("C5", "D9")
    with torch.no_grad():
        found = table()
        for board in range(len(BOARDS)):
            for cell, row, column in ((first, 5 - 1, "C"), (other, 9 - 1, "D")):
                at = definitions.COLUMNS.index(column)
                expected = table.own[board, cell] + table.shared[cell] + table.row[row] + table.column[at]
                assert torch.allclose(found[board, cell], expected)


def test_the_place_of_a_grade_on_the_scale_runs_from_minus_one_to_one_and_is_none_for_any() -> None:
    steps = small_model().steps[:, 0]
    count = len(definitions.GRADES)
    assert steps[:count].tolist() == pytest.approx([2 * grade / (count - 1) - 1 for grade in range(count)])
    assert steps[ANY_GRADE].item() == 0


def test_input_dropout_is_of_training_only() -> None:
    torch.manual_seed(0)
    model = RouteTransformer(**{**SMALL, "layers": 0, "dropout": 0.5})
    before, told = torch.tensor([[START, *cells("C5", "D9")]]), torch.tensor([[0, 1, 5]])
    first, again = model(before, told), model(before, told)
    assert not torch.equal(first, again), "nothing is dropped of the inputs of a network without blocks"
    model.eval()
    assert torch.equal(model(before, told), model(before, told))


def test_likelihood_counts_the_end_and_no_filling(routes: pd.DataFrame, tokens: pd.DataFrame) -> None:
    model = small_model()
    both, alone = encode(routes, tokens), encode(routes.iloc[[3]], tokens)
    assert route_nll(model, both, 2)[3].item() == pytest.approx(route_nll(model, alone, 1)[0].item(), rel=1e-5)
    with torch.inference_mode():
        losses = token_losses(model, torch.from_numpy(both.tokens), torch.from_numpy(both.conditions)).numpy()
    told = both.tokens != START
    assert (losses[~told] == 0).all()
    assert (losses[told & (both.tokens != END)] > 0).all()
    assert (losses[both.tokens == END] > 0).all()


def test_a_batch_loses_its_filling_and_no_token(routes: pd.DataFrame, tokens: pd.DataFrame) -> None:
    all_routes = encode(routes, tokens)
    padded = torch.from_numpy(np.pad(all_routes.tokens, ((0, 0), (0, 3)), constant_values=START))
    cut, told = without_filling(padded), torch.from_numpy(all_routes.conditions)
    assert cut.shape[1] == max(all_routes.lengths)
    with torch.inference_mode():
        whole, short = (token_losses(small_model(), each, told).sum().item() for each in (padded, cut))
    assert short == pytest.approx(whole, rel=1e-5)


def test_saved_and_loaded_it_says_the_same(tmp_path: Path) -> None:
    model = small_model()
    model.known[0, :50] = False
    model.save_pretrained(tmp_path)
    again = RouteTransformer.from_pretrained(tmp_path).eval()
    before, told = torch.tensor([[START, *cells("C5")]]), torch.tensor([[0, 1, 5]])
    assert torch.equal(model(before, told), again(before, told))
    assert torch.equal(model.known, again.known)


def task(routes: pd.DataFrame, tokens: pd.DataFrame, **changes: Any) -> GeneratorTask:
    settings = {"weighted": False, "grade_dropout": 0.0, "eval_samples": 0, "network": SimpleNamespace(members=1)}
    params = SimpleNamespace(**settings | changes)
    return GeneratorTask(routes, tokens, None, params, None)  # type: ignore[arg-type]


def test_loaders_keep_to_the_subset(routes: pd.DataFrame, tokens: pd.DataFrame) -> None:
    loaders = task(routes, tokens, weighted=True).loaders("full", BatchShare(2, 1, 1, 0))
    assert loaders.rows == {"train": 2, "val": 2}
    assert loaders.weights == {"quality high": (1.5, 1), "quality low": (0.5, 1)}
    with pytest.raises(TableError, match="the subset `quality` has no validation route"):
        task(routes, tokens).loaders("quality", BatchShare(2, 1, 1, 0))


def test_validation_agrees_with_the_likelihood(routes: pd.DataFrame, tokens: pd.DataFrame) -> None:
    model = small_model()
    with torch.inference_mode():
        made = task(routes, tokens)
        (found,) = made.predict(model, [made.loaders("full", BatchShare(2, 1, 1, 0)).val[0]])
    val = encode(routes[routes["split"] == "val"], tokens)
    nll = route_nll(model, val, 8).numpy()
    measured = made.metrics(found)
    assert measured["loss"] == pytest.approx(nll.sum() / val.lengths.sum())
    assert measured["perplexity"] == pytest.approx(np.exp(measured["loss"]))
    assert measured["loss_by_quality/high"] == pytest.approx(nll[1] / val.lengths[1])
    assert sorted(measured) == [
        "loss",
        "loss_by_grade/6C",
        "loss_by_quality/high",
        "loss_by_quality/unknown",
        "perplexity",
    ]


def test_grade_dropout_hides_grades(routes: pd.DataFrame, tokens: pd.DataFrame) -> None:
    model = small_model()
    both = encode(routes, tokens)
    batch = {"tokens": torch.from_numpy(both.tokens), "conditions": torch.from_numpy(both.conditions)}
    hidden = both.conditions.copy()
    hidden[:, 2] = ANY_GRADE
    bare = {**batch, "conditions": torch.from_numpy(hidden)}
    assert (
        task(routes, tokens, grade_dropout=0.0).loss(model, bare).total
        == task(routes, tokens, grade_dropout=1.0).loss(model, batch).total
    )
    assert (
        task(routes, tokens, grade_dropout=0.0).loss(model, bare).total
        != task(routes, tokens, grade_dropout=0.0).loss(model, batch).total
    )
    assert (both.conditions[:, 2] != ANY_GRADE).all()


def written(seed: int, decoding: Decoding, **limits: float) -> tuple[Sequences, dict[str, float]]:
    bounds = {"min_holds": 3, "max_holds": 14, "max_reach": 9.5, **limits}
    grades, count = len(definitions.GRADES), 24
    told = np.stack([np.arange(count) % 4, np.arange(count) % 2, np.arange(count) % grades], axis=1)
    model = small_model(seed)
    generator = torch.Generator().manual_seed(seed)
    return generate(model, told, Limits(model.known, **bounds), decoding, generator), bounds  # type: ignore[arg-type]


def broken(made: Sequences, bounds: dict[str, float]) -> pd.DataFrame:
    routes = pd.DataFrame({"route_id": list(made.ids), "board": [BOARDS[board] for board in made.conditions[:, 0]]})
    return broken_rules_of_generated(routes, holds_of(made), **bounds)  # type: ignore[arg-type]


@settings(deadline=None, max_examples=10)
@given(
    seed=st.integers(0, 99),
    guidance=st.sampled_from([1.0, 3.0]),
    temperature=st.floats(0.1, 5),
    top_p=st.floats(0.01, 1),
    min_holds=st.integers(3, 6),
    more=st.integers(0, 8),
    max_reach=st.floats(6.5, 12),
)
def test_every_route_of_even_an_untrained_model_is_valid(
    seed: int, guidance: float, temperature: float, top_p: float, min_holds: int, more: int, max_reach: float
) -> None:
    decoding = Decoding(guidance, temperature, top_p)
    made, bounds = written(seed, decoding, min_holds=min_holds, max_holds=min_holds + more, max_reach=max_reach)
    found = broken(made, bounds)
    assert not found.to_numpy().any(), found.sum()
    for row, board in zip(made.tokens, made.conditions[:, 0], strict=True):
        route = [int(cell) for cell in row if cell < definitions.CELLS]
        roles = definitions.infer_roles(route, BOARDS[board])
        assert roles[0] == "start"
        assert 1 <= roles.count("finish") <= definitions.MAX_FINISHES


def test_same_seed_same_routes() -> None:
    first, again, other = (written(seed, PLAIN)[0].tokens for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize(
    "decoding",
    [PLAIN, Decoding(2.5, 1.0, 1.0), Decoding(1.0, 0.5, 1.0), Decoding(1.0, 1.0, 0.6), Decoding(2.0, 2.0, 0.8)],
)
def test_holds_are_drawn_from_the_guided_tempered_and_cut_distribution(decoding: Decoding) -> None:
    """The first of 3000 routes' holds on a wall of few, against its distribution written out."""
    model, starts = small_model(), cells("A1", "C2", "E3", "G4", "I5")
    model.known[:] = False
    model.known[0, [*starts, *cells("E9", "F13", "E18")]] = True
    limits = Limits(model.known, min_holds=3, max_holds=5, max_reach=20)
    condition = np.tile([0, 1, 5], (3000, 1))
    made = generate(model, condition, limits, decoding, torch.Generator().manual_seed(0))
    with torch.no_grad():
        log_odds = {
            grade: model(torch.tensor([[START]]), torch.tensor([[0, 1, grade]]))[0, 0, starts].tolist()
            for grade in (5, ANY_GRADE)
        }
    pairs = zip(log_odds[5], log_odds[ANY_GRADE], strict=True)
    values = [np.exp((anyhow + decoding.guidance * (own - anyhow)) / decoding.temperature) for own, anyhow in pairs]
    chances, kept, heaped = np.array(values) / sum(values), np.zeros(len(starts)), 0.0
    for place in np.argsort(-chances):
        if heaped < decoding.top_p:
            kept[place] = chances[place]
        heaped += chances[place]
    drawn = [(made.tokens[:, 0] == cell).mean() for cell in starts]
    assert drawn == pytest.approx(list(kept / kept.sum()), abs=0.03)


def test_only_holds_that_are_on_the_wall() -> None:
    model = small_model()
    model.known[:] = False
    model.known[0, cells("C5", "E6", "D9", "F13", "G15", "H18")] = True
    limits = Limits(model.known, min_holds=3, max_holds=14, max_reach=9.5)
    made = generate(model, np.tile([0, 1, 5], (20, 1)), limits, PLAIN, torch.Generator().manual_seed(0))
    assert set(np.unique(made.tokens)) <= {*cells("C5", "E6", "D9", "F13", "G15", "H18"), END, START}


@pytest.mark.parametrize("reach", [1.0, 2.5, 5.0, 9.1])
def test_the_holds_in_reach_are_those_of_the_definition(reach: float) -> None:
    limits = Limits(small_model().known, min_holds=3, max_holds=5, max_reach=reach)
    for cell in (0, 17, 100, definitions.CELLS - 1):
        expected = [distance(cell, other) <= reach for other in range(definitions.CELLS)]
        assert limits.reach[cell].tolist() == expected


def test_limits_that_no_route_keeps_are_told() -> None:
    with pytest.raises(WinnowError, match="no route on board 2016 keeps within the limits"):
        written(0, PLAIN, max_holds=3, max_reach=2.0)


def test_each_value_of_the_params_decides_its_own_part_of_decoding() -> None:
    given = params.Decoding(guidance=2.5, temperature=0.7, top_p=0.9)
    assert make_decoding(given) == Decoding(guidance=2.5, temperature=0.7, top_p=0.9)
