"""What a training keeps, and what another one starts from."""

import json
import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tests.library.learn import tiny
from tests.library.learn.processes import in_child
from winnow.learn.checkpoints import Checkpoints, Progress, load_weights, optimizer_tensors, saved_tensors
from winnow.learn.task import adamw
from winnow.pipeline.errors import TrainingError


def test_named_checkpoints(tmp_path: Path) -> None:
    result = tiny.run(tmp_path, tiny.settings(epochs=5, checkpoint_every=2, keep_last=1))
    assert {path.name for path in result.checkpoints.iterdir()} == {"best", "epoch_0004", "final"}
    place = json.loads((result.checkpoints / "epoch_0004/checkpoint.json").read_text())
    assert len(place["history"]) == 4
    assert place["params"]["keep_last"] == 1
    assert place["fingerprint"] == "f"


def test_only_last_holds_the_optimiser(tmp_path: Path) -> None:
    result = tiny.run(tmp_path, tiny.settings(epochs=3))
    files = {path.name: {file.name for file in path.iterdir()} for path in result.checkpoints.iterdir()}
    assert set(files) == {"best", "final", "epoch_0002", "epoch_0003"}
    assert all(names == {"model.safetensors", "checkpoint.json"} for names in files.values())
    last = load_file(tmp_path / "run/last/state.safetensors")
    assert last["optimizer.0.exp_avg"].shape == (16, 8)
    assert load_file(result.checkpoints / "final/model.safetensors").keys() == result.model.state_dict().keys()


def test_a_resumed_optimiser_goes_on_whatever_the_layout_of_the_weights(tmp_path: Path) -> None:
    """The fused one walks through weights and moments as they lie in memory; a file holds them row by row."""

    def built() -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(0)
        model = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)
        return model, adamw([{"params": list(model.parameters())}], 0.1, 0.01)

    def step(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
        model(torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(seed))).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    (model, optimizer), checkpoints = built(), Checkpoints(tmp_path, "f", {})
    step(model, optimizer, 1)
    checkpoints.save_last(saved_tensors(model), Progress(), optimizer_tensors(optimizer), {}, {})
    step(model, optimizer, 2)
    again, resumed = built()
    load_weights(again, checkpoints.path("last"))
    checkpoints.load_optimizer(resumed)
    step(again, resumed, 2)
    assert not model.weight.is_contiguous()
    assert torch.equal(again.weight, model.weight)
    assert torch.equal(again.bias, model.bias)


def test_checkpoints_are_pruned_by_number(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, "f", {})
    for number in (9998, 9999, 10000, 10001):
        (checkpoints.named / f"epoch_{number:04d}").mkdir()
    checkpoints.prune(2)
    assert sorted(path.name for path in checkpoints.named.iterdir()) == ["epoch_10000", "epoch_10001"]


def saved(folder: Path) -> Checkpoints:
    """The state of a training with the fingerprint f, and its best weights."""
    checkpoints, weights = Checkpoints(folder, "f", {"rate": 0.1}), {"weight": torch.tensor([1.0, 2.0])}
    checkpoints.save_last(weights, Progress(epoch=1), {"0.step": torch.ones(1)}, {"0": torch.ones(2)}, {})
    checkpoints.save("best", weights, Progress(epoch=1))
    return checkpoints


def test_a_state_that_was_being_replaced_is_the_old_one_until_the_new_one_stands(tmp_path: Path) -> None:
    checkpoints = saved(tmp_path)
    checkpoints.path("last").rename(tmp_path / ".last.old")
    (tmp_path / ".best.old").mkdir()
    assert checkpoints.resume()
    assert checkpoints.progress().epoch == 1
    assert (checkpoints.path("best") / "model.safetensors").exists()
    assert not list(tmp_path.glob(".*.old"))


@pytest.mark.parametrize(
    "file",
    ["last/model.safetensors", "last/state.safetensors", "last/checkpoint.json", "checkpoints/best/model.safetensors"],
)
@pytest.mark.parametrize("damage", ["flipped", "half", "empty", "gone"])
def test_a_damaged_state_is_told_and_never_resumed_from(
    file: str, damage: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = saved(tmp_path)
    path = tmp_path / file
    content = path.read_bytes()
    place = content.index(b'"rate": 0.1') + 10 if path.suffix == ".json" else -3
    changed = bytearray(content)
    changed[place] ^= 1
    path.write_bytes(
        {"flipped": bytes(changed), "half": content[: len(content) // 2], "empty": b"", "gone": b""}[damage]
    )
    if damage == "gone":
        path.unlink()
    assert not checkpoints.resume()
    told = capsys.readouterr().err
    assert ("damaged (last)" if "last" in file else "damaged (best)") in told or (damage, path.name) == (
        "gone",
        "checkpoint.json",
    )
    assert not checkpoints.path("last").exists()
    assert list(checkpoints.named.iterdir()) == [], "nothing of it is left"


def test_a_whole_state_is_resumed_from_without_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert saved(tmp_path).resume()
    assert not Checkpoints(tmp_path, "another", {}).resume(), "of another training"
    assert capsys.readouterr() == ("", "")


def test_checkpoints_hold_what_the_task_says_is_worth_saving(tmp_path: Path) -> None:
    def build() -> nn.Module:
        model = tiny.build(0.0)
        model[0].requires_grad_(False)  # type: ignore[index]
        return model

    adapter = {"3.weight", "3.bias"}
    own = {"build": build, "state_dict_keys": lambda _: adapter}
    made, crashing = tiny.task(**own), tiny.task(**own, loss=tiny.crashing(15, tiny.crash))
    chosen = tiny.settings(epochs=4, early_stopping__patience=0)
    with pytest.raises(tiny.CrashError):
        tiny.run(tmp_path / "stopped", chosen, crashing)
    stopped = tiny.run(tmp_path / "stopped", chosen, made)
    whole = tiny.run(tmp_path / "whole", chosen, made)
    assert load_file(whole.weights).keys() == adapter
    tiny.assert_same(tmp_path / "stopped", tmp_path / "whole")
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, stopped.model.state_dict()[name])
    chosen = tiny.settings(epochs=1, learning_rate=1e-12, weight_decay=0.0, init_from=str(whole.weights))
    again = tiny.run(tmp_path / "again", chosen, made)
    for name in adapter:
        torch.testing.assert_close(again.model.state_dict()[name], whole.model.state_dict()[name])


def test_warm_start_takes_weights_and_forgives_a_losses_buffers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Weighted(nn.Module):
        def __init__(self, class_weights: Tensor | None) -> None:
            super().__init__()
            self.body = tiny.build(0.0)
            self.register_buffer("class_weights", class_weights)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.body(x)
            return logits

    def train(name: str, class_weights: Tensor | None, init_from: str | None) -> Path:
        chosen = tiny.settings(epochs=1, learning_rate=1e-12, weight_decay=0.0, init_from=init_from)
        return tiny.run(tmp_path / name, chosen, tiny.task(build=lambda: Weighted(class_weights))).weights

    first = train("first", torch.tensor([1.0, 2.0]), None)
    without = train("without", None, str(first.parent))
    again = train("again", torch.tensor([3.0, 4.0]), str(without))
    assert "class_weights" in capsys.readouterr().err
    assert "class_weights" not in load_file(without)
    assert load_file(again)["class_weights"].tolist() == [3.0, 4.0]
    torch.testing.assert_close(load_file(again)["body.0.weight"], load_file(first)["body.0.weight"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop("0.weight"), "0.weight is missing"),
        (lambda weights: weights.update({"9.weight": torch.zeros(1)}), "9.weight is not in this model"),
        (lambda weights: weights.update({"0.bias": torch.zeros(3)}), r"0.bias has shape \(3,\), not \(16,\)"),
    ],
)
def test_warm_start_from_another_model_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    weights = dict(tiny.build().state_dict())
    change(weights)
    save_file(weights, tmp_path / "other.safetensors")
    with pytest.raises(TrainingError, match=message):
        tiny.run(tmp_path, tiny.settings(init_from=str(tmp_path / "other.safetensors")))


def test_warm_start_from_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="nowhere holds no weights that can be read"):
        tiny.run(tmp_path, tiny.settings(init_from=str(tmp_path / "nowhere")))


def test_a_full_disk_is_an_error_of_the_system_that_names_the_file(tmp_path: Path) -> None:
    def fill() -> None:  # Python ignores the signal that comes with it: writing fails
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))

    def train() -> None:
        with pytest.raises(OSError, match="File too large") as caught:
            tiny.run(tmp_path, tiny.settings(), tiny.task(loss=tiny.crashing(3, fill)))
        assert caught.value.filename.endswith(".safetensors")

    in_child(train)
