"""Several networks whose probabilities are averaged."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from winnow.domains.climb import definitions
from winnow.domains.climb.model.likelihood import token_losses
from winnow.domains.climb.model.network import RouteTransformer
from winnow.domains.climb.model.sequences import END, START, Sequences
from winnow.domains.climb.model.training import GeneratorTask

MEMBERS = 3
SMALL: dict[str, Any] = {"width": 16, "layers": 1, "heads": 2, "dropout": 0.0, "max_holds": 14, "reaches": 2}


def holds(*names: str) -> list[int]:
    return [definitions.cell_index(name) for name in names]


TOKENS = torch.tensor([[*holds("C5", "D9", "E18"), END], [*holds("A3", "B12"), END, START]])
CONDITIONS = torch.tensor([[0, 1, 5], [1, 1, 3]])


@pytest.fixture
def ensemble() -> RouteTransformer:
    torch.manual_seed(0)
    model = RouteTransformer(**SMALL, members=MEMBERS)
    with torch.no_grad():  # far from uniform and from one another
        for parameter in model.parameters():
            parameter.mul_(3.0)
    return model


def alone(ensemble: RouteTransformer) -> list[RouteTransformer]:
    """Each member as a network of its own."""
    models = []
    for member in (ensemble, *ensemble.others):
        one = RouteTransformer(**SMALL)
        one.load_state_dict({name: each for name, each in member.state_dict().items() if not name.startswith("others")})
        models.append(one)
    return models


def chances(model: nn.Module) -> Tensor:
    model.eval()
    before = torch.tensor([[START, *holds("C5", "D9")], [START, *holds("A3", "B12")]])
    with torch.inference_mode():
        return model(before, CONDITIONS).softmax(dim=2)


def test_the_chance_of_a_hold_is_the_mean_of_the_members(ensemble: RouteTransformer) -> None:
    apart = torch.stack([chances(one) for one in alone(ensemble)])
    assert (apart[0] - apart[1]).abs().max() > 0.05, "the members differ"
    assert torch.allclose(chances(ensemble), apart.mean(dim=0), atol=1e-6)


def test_each_member_learns_as_it_would_alone(ensemble: RouteTransformer) -> None:
    params = SimpleNamespace(grade_dropout=0.0, network=SimpleNamespace(members=MEMBERS))
    task = GeneratorTask(None, None, None, params, None)  # type: ignore[arg-type]
    loss = task.loss(ensemble.train(), {"tokens": TOKENS, "conditions": CONDITIONS})
    assert loss.count == MEMBERS * (TOKENS != START).sum()
    loss.total.backward()
    for member, one in zip((ensemble, *ensemble.others), alone(ensemble), strict=True):
        token_losses(one.train(), TOKENS, CONDITIONS).sum().backward()
        own = dict(member.named_parameters())
        for name, parameter in one.named_parameters():
            if parameter.grad is None:
                assert own[name].grad is None
                continue
            assert torch.allclose(own[name].grad, parameter.grad, atol=1e-5), name


def test_the_grade_is_hidden_of_other_routes_for_each_member(
    ensemble: RouteTransformer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []
    own = RouteTransformer.own

    def noted(self: RouteTransformer, previous: Tensor, conditions: Tensor) -> Tensor:
        seen.append(conditions[:, 2])
        return own(self, previous, conditions)

    monkeypatch.setattr(RouteTransformer, "own", noted)
    params = SimpleNamespace(grade_dropout=0.5, network=SimpleNamespace(members=MEMBERS))
    task = GeneratorTask(None, None, None, params, None)  # type: ignore[arg-type]
    batch = {"tokens": TOKENS.repeat(20, 1), "conditions": CONDITIONS.repeat(20, 1)}
    torch.manual_seed(0)
    task.loss(ensemble.train(), batch)
    assert [len(each) for each in seen] == [40] * MEMBERS, "each reads the whole batch"
    assert not any(torch.equal(seen[0], other) for other in seen[1:])


def test_a_saved_ensemble_says_the_same(ensemble: RouteTransformer, tmp_path: Path) -> None:
    ensemble.save_pretrained(tmp_path)
    again = RouteTransformer.from_pretrained(tmp_path)
    assert again.members == MEMBERS
    assert torch.equal(chances(again), chances(ensemble))


def test_a_training_builds_the_networks_that_the_params_say(monkeypatch: pytest.MonkeyPatch) -> None:
    network = SimpleNamespace(width=8, layers=4, heads=2, dropout=0.3, reaches=5, members=3)
    common: Any = SimpleNamespace(max_holds=6)
    params: Any = SimpleNamespace(network=network)
    task = GeneratorTask(None, None, common, params, None)  # type: ignore[arg-type]
    tokens, conditions = np.array([[*holds("A1", "B5"), END]]), np.zeros((1, 3), dtype=np.int64)
    monkeypatch.setitem(task.__dict__, "train", Sequences(("one",), tokens, conditions))
    model = task.build()
    assert model.members == 3
    for member in (model, *model.others):
        assert (len(member.blocks), len(member.reaches), member.dropout.p) == (4, 5, 0.3)
        assert (member.blocks[0].self_attn.num_heads, member.blocks[0].self_attn.embed_dim) == (2, 8)
        assert member.position.num_embeddings == 6 + 1
    assert len({tuple(member.position.weight.flatten().tolist()) for member in (model, *model.others)}) == 3
