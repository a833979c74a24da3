"""The loop: what it learns, selects, stops at and says."""

import copy
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tests.library.learn import tiny
from winnow.learn import devices
from winnow.learn.accumulator import Loss
from winnow.learn.loaders import Loaders, TensorLoader
from winnow.learn.loop import fit
from winnow.learn.samplers import BatchShare, EpochSampler
from winnow.pipeline.errors import TrainingError
from winnow.pipeline.params import Runtime


def test_it_learns_and_gives_the_best_epochs_weights(tmp_path: Path) -> None:
    result = tiny.run(tmp_path, tiny.settings(epochs=8))
    losses = [record["val"]["loss"] for record in result.history]
    assert min(losses) < 0.9 * losses[0]
    assert losses[result.best_epoch - 1] == min(losses)
    with torch.inference_mode():
        val = _val()
        rows = {"logits": result.model(val["x"]), "y": val["y"]}
        assert tiny.metrics(rows)["loss"] == pytest.approx(min(losses), rel=1e-6)
    assert load_file(result.weights).keys() == result.model.state_dict().keys()
    assert len(result.epoch_seconds) == 8


def test_select_last_gives_the_last_epochs_weights(tmp_path: Path) -> None:
    result = tiny.run(tmp_path, tiny.settings(epochs=12, learning_rate=0.3, select="last"))
    assert result.best_epoch == 12
    assert not result.history[-1]["best"], "the settings should overfit, or the test says nothing"
    assert result.weights.read_bytes() == (tmp_path / "run/last/model.safetensors").read_bytes()


def test_train_metrics_are_means_of_the_loss_and_of_its_parts(tmp_path: Path) -> None:
    """One epoch at a learning rate that moves nothing: all batches see the first weights."""
    chosen = tiny.settings(epochs=1, learning_rate=1e-12, weight_decay=0.0, seed=7)
    (record,) = tiny.run(tmp_path, chosen, tiny.task(build=lambda: tiny.build(0.0))).history
    devices.seed_epoch(7, 0, 0, rank=0)
    model = tiny.build(0.0)
    batch = {name: tensor[: tiny.ROWS] for name, tensor in tiny.data().items()}
    logits = model(batch["x"])
    accuracy = (logits.argmax(1) == batch["y"]).double().mean().item()
    loss = nn.functional.cross_entropy(logits, batch["y"]).item()
    assert record["train"] == pytest.approx({"loss": loss, "accuracy": accuracy}, rel=1e-4)


@pytest.mark.parametrize("max_grad_norm", [0.0, 0.05])
def test_one_step_is_gradient_descent_by_hand_with_clipping_and_without(tmp_path: Path, max_grad_norm: float) -> None:
    """The task's own optimiser, plain descent: weights move against the mean gradient, clipped to `max_grad_norm`."""
    made = tiny.task(build=lambda: tiny.build(0.0), optimizer=lambda groups, rate, _: torch.optim.SGD(groups, rate))
    chosen = tiny.settings(epochs=1, batch_size=tiny.ROWS, max_grad_norm=max_grad_norm, learning_rate=0.5, seed=7)
    trained = tiny.run(tmp_path, chosen, made).model
    devices.seed_epoch(7, 0, 0, rank=0)
    model = tiny.build(0.0)
    batch = {name: tensor[: tiny.ROWS] for name, tensor in tiny.data().items()}
    nn.functional.cross_entropy(model(batch["x"]), batch["y"]).backward()
    norm = torch.cat([parameter.grad.ravel() for parameter in model.parameters()]).norm().item()  # type: ignore[union-attr]
    assert norm > 0.05, "the gradient is to be longer than what it is cut to"
    factor = min(1.0, max_grad_norm / norm) if max_grad_norm else 1.0
    for start, end in zip(model.parameters(), trained.parameters(), strict=True):
        assert start.grad is not None
        torch.testing.assert_close(end, start - 0.5 * factor * start.grad, rtol=1e-4, atol=1e-6)


def test_validation_every_so_many_steps(tmp_path: Path) -> None:
    chosen = tiny.settings(epochs=2, eval_every=4, checkpoint_every=1)
    result = tiny.run(tmp_path / "often", chosen)
    assert [(record["epoch"], record["step"]) for record in result.history] == [(1, 4), (1, 0), (2, 4), (2, 0)]
    named = {path.name for path in result.checkpoints.iterdir()}
    assert named == {"best", "final", "epoch_0001", "epoch_0002"}
    plain = tiny.run(tmp_path / "plain", tiny.settings(epochs=2))
    assert result.history[-1]["val"] == plain.history[-1]["val"], "validating must not change the training"
    early = tiny.settings(epochs=50, eval_every=2, learning_rate=0.3, early_stopping__patience=2)
    stopped = tiny.run(tmp_path / "early", early).history
    best = max(index for index, record in enumerate(stopped) if record["best"])
    assert len(stopped) == best + 3
    assert stopped[-1]["epoch"] < 50


def test_threads_that_prepare_batches_change_no_byte(tmp_path: Path) -> None:
    for workers in (0, 3):
        runtime = Runtime(device="cpu", devices=1, num_workers=workers, progress="none", cluster=None)
        folder = tmp_path / str(workers)
        options = {"folder": folder / "run", "curves": folder / "curves", "fingerprint": "f"}
        fit(tiny.task(), tiny.settings(epochs=2, eval_every=4), runtime=runtime, **options)  # type: ignore[arg-type]
    tiny.assert_same(tmp_path / "3", tmp_path / "0")


def test_constants_are_added_to_every_batch(tmp_path: Path) -> None:
    def loss(model: nn.Module, batch: dict[str, Tensor]) -> Loss:
        found = tiny.loss(model, batch)
        return replace(found, total=found.total * batch["scale"])

    def predict(model: nn.Module, batches: Any) -> Any:
        for batch in batches:
            yield {"logits": model(batch["x"]) * batch["scale"], "y": batch["y"]}

    made = tiny.task(loss=loss, predict=predict, constants={"scale": torch.tensor(0.0)})
    (record,) = tiny.run(tmp_path, tiny.settings(epochs=1), made).history
    assert record["train"]["loss"] == 0
    assert record["val"]["loss"] == pytest.approx(0.6931, abs=1e-4)


def test_a_finished_training_is_given_again_without_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = tiny.run(tmp_path, tiny.settings())
    before = tiny.contents(tmp_path)
    capsys.readouterr()

    def never(*_: Any) -> Any:
        raise AssertionError("trained again")

    second = tiny.run(tmp_path, tiny.settings(), tiny.task(loss=never, loaders=never))
    assert (second.best_epoch, second.history) == (first.best_epoch, first.history)
    assert tiny.contents(tmp_path) == before
    assert capsys.readouterr().err == ""
    assert all(torch.equal(a, b) for a, b in zip(first.model.parameters(), second.model.parameters(), strict=True))


def test_another_fingerprint_starts_anew(tmp_path: Path) -> None:
    tiny.run(tmp_path, tiny.settings(epochs=3))
    result = tiny.run(tmp_path, tiny.settings(epochs=2), fingerprint="other")
    assert len(result.history) == 2
    assert len(result.epoch_seconds) == 2
    assert not (result.checkpoints / "epoch_0003").exists()


def test_the_seed_decides_everything(tmp_path: Path) -> None:
    bytes_of = [
        tiny.run(tmp_path / str(number), tiny.settings(epochs=2, seed=seed)).weights.read_bytes()
        for number, seed in enumerate((1, 1, 2))
    ]
    assert bytes_of[0] == bytes_of[1]
    assert bytes_of[0] != bytes_of[2]


def test_accumulated_micro_batches_equal_the_whole_batch(tmp_path: Path) -> None:
    without_dropout = tiny.task(build=lambda: tiny.build(0.0))
    whole, cut = (
        tiny.run(tmp_path / str(pieces), tiny.settings(gradient_accumulation_steps=pieces), without_dropout)
        for pieces in (1, 4)
    )
    for one, other in zip(whole.model.parameters(), cut.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    assert whole.history[-1]["train"]["loss"] == pytest.approx(cut.history[-1]["train"]["loss"], rel=1e-5)


def test_a_batch_that_cannot_be_cut_evenly_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="batch_size 16 cannot be cut evenly into 1 devices × 3 micro-batches"):
        tiny.run(tmp_path, tiny.settings(gradient_accumulation_steps=3))


def test_early_stopping_ends_after_patience_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = tiny.run(tmp_path, tiny.settings(epochs=50, learning_rate=0.3, early_stopping__patience=3))
    assert len(result.history) == result.best_epoch + 3
    told = capsys.readouterr().err.splitlines()[-1]
    for part in ("loss", " 3 ", f"{result.best['val']['loss']:.4g} in epoch {result.best_epoch}"):
        assert part in told
    tiny.run(tmp_path / "whole", tiny.settings(epochs=3))
    assert "early" not in capsys.readouterr().err


def test_plateau_lowers_the_learning_rate(tmp_path: Path) -> None:
    chosen = tiny.settings(epochs=8, learning_rate=0.3, scheduler__name="plateau", scheduler__patience=0)
    history = tiny.run(tmp_path, chosen).history
    for before, after in pairwise(history):
        factor = 1.0 if before["best"] else 0.5
        assert after["learning_rate"] == pytest.approx(before["learning_rate"] * factor)
    assert history[-1]["learning_rate"] < 0.3


def test_phases_go_from_one_to_the_next_with_the_best_weights(tmp_path: Path) -> None:
    phases = [
        {"subset": "half", "epochs": 6, "learning_rate": 0.3},
        {"subset": "all", "epochs": 2, "learning_rate": 1e-12},
    ]
    result = tiny.run(tmp_path, tiny.settings(phases=phases, weight_decay=0.0))
    first = [record for record in result.history if record["phase"] == 0]
    best = min(record["val"]["loss"] for record in first)
    assert first[-1]["val"]["loss"] > best, "the settings should overfit, or the test says nothing"
    assert result.history[6]["val"]["loss"] == pytest.approx(best, rel=1e-5)
    assert result.best_epoch > 6
    first_phase = json.loads((result.checkpoints / "phase_1/checkpoint.json").read_text())
    assert len(first_phase["history"]) == 6


def test_averaged_weights_are_validated_kept_and_start_the_next_phase(tmp_path: Path) -> None:
    """By hand: weights and batch statistics after every step, averaged by the formula, anew in each phase."""
    models: list[nn.Module] = []
    states: list[dict[str, Tensor]] = []

    def record() -> None:
        states.append({name: value.clone() for name, value in models[0].state_dict().items()})

    def build() -> nn.Module:
        models.append(nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2)))
        record()
        return models[0]

    class Recording(torch.optim.AdamW):
        def step(self, closure: Any = None) -> Any:
            done = super().step(closure)
            record()
            return done

    def averaged(value: Tensor, name: str, after: list[dict[str, Tensor]]) -> Tensor:
        for step, state in enumerate(after):
            decay = min(0.9, (1 + step) / (10 + step))
            value = decay * value + (1 - decay) * state[name]
        return value

    phases = [{"subset": "all", "epochs": count, "learning_rate": rate} for count, rate in ((2, 0.1), (1, 0.001))]
    chosen = tiny.settings(phases=phases, select="last", ema_decay=0.9)
    recording = tiny.task(
        build=build, optimizer=lambda groups, rate, decay: Recording(groups, rate, weight_decay=decay)
    )
    result = tiny.run(tmp_path, chosen, recording)
    start, first, second = states[0], states[1:13], states[13:]
    between, final = load_file(result.checkpoints / "phase_1/model.safetensors"), result.model.state_dict()
    for name in ("0.weight", "1.running_mean"):
        assert torch.allclose(between[name], averaged(start[name], name, first), atol=1e-6)
        assert torch.allclose(final[name], averaged(between[name], name, second), atol=1e-6)
        assert not torch.allclose(between[name], first[-1][name], atol=1e-3), "nothing to tell apart"
    assert (second[0]["0.weight"] - between["0.weight"]).abs().max() < 0.002, "the next phase starts from the average"
    with torch.inference_mode():
        val = _val()
        found = tiny.metrics({"logits": result.model(val["x"]), "y": val["y"]})
    assert found["loss"] == pytest.approx(result.history[-1]["val"]["loss"], rel=1e-6)


def test_params_groups_scale_the_learning_rate(tmp_path: Path) -> None:
    def groups(model: nn.Module) -> list[dict[str, Any]]:
        first, last = model[0], model[3]  # type: ignore[index]
        return [{"params": [*first.parameters()], "lr_scale": 0.0}, {"params": [*last.parameters()]}]

    chosen = tiny.settings(epochs=1, weight_decay=0.0)
    still = tiny.run(tmp_path / "a", chosen, tiny.task(parameter_groups=groups)).model.state_dict()
    torch.manual_seed(0)
    moved = tiny.run(tmp_path / "b", chosen).model.state_dict()
    assert not torch.equal(still["0.weight"], moved["0.weight"])
    assert not torch.equal(still["3.weight"], still["3.weight"] * 0)


def test_only_matrices_decay(tmp_path: Path) -> None:
    """Without a gradient AdamW multiplies what decays by 1 - rate * decay in each of the 96 / 16 steps, and no more."""
    start: dict[str, Tensor] = {}

    def build() -> nn.Module:
        layers = [nn.Embedding(9, 1), nn.Linear(8, 16), nn.LayerNorm(16), nn.Conv1d(16, 2, 3), nn.Linear(2, 1)]
        model = nn.Sequential(*layers)
        for parameter in model.parameters():
            nn.init.normal_(parameter)
        start.update(copy.deepcopy(model.state_dict()))
        return model

    def loss(model: nn.Module, batch: dict[str, Tensor]) -> Loss:
        nothing = torch.stack([(parameter * 0).sum() for parameter in model.parameters()]).sum()
        return Loss(nothing + 1.0, len(batch["ids"]), {})

    def predict(model: nn.Module, batches: Iterable[dict[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
        del model
        yield from ({"loss": torch.ones(len(batch["ids"]))} for batch in batches)

    def metrics(rows: dict[str, Tensor]) -> dict[str, float]:
        return {"loss": rows["loss"].mean().item()}

    own = tiny.task(build=build, loss=loss, predict=predict, metrics=metrics)
    ended = tiny.run(tmp_path, tiny.settings(epochs=1, weight_decay=0.5), own).model.state_dict()
    for name, before in start.items():
        factor = (1 - 0.02 * 0.5) ** 6 if name in ("1.weight", "3.weight", "4.weight") else 1.0
        assert torch.allclose(ended[name], before * factor, atol=1e-6), name


def test_a_loss_that_is_not_a_number_is_named(tmp_path: Path) -> None:
    def loss(model: nn.Module, batch: dict[str, Tensor]) -> Loss:
        found = tiny.loss(model, batch)
        return replace(found, total=found.total * float("nan")) if (batch["ids"] == 7).any() else found

    with pytest.raises(TrainingError, match="the loss is nan") as caught:
        tiny.run(tmp_path, tiny.settings(), tiny.task(loss=loss))
    assert caught.value.where.startswith("phase 1, epoch 1, batch ")
    assert "tensor" not in caught.value.where
    assert 7 in json.loads(caught.value.where.split("rows ")[1])


def test_of_a_large_batch_without_a_loss_the_first_32_rows_are_named(tmp_path: Path) -> None:
    def loss(model: nn.Module, batch: dict[str, Tensor]) -> Loss:
        found = tiny.loss(model, batch)
        return replace(found, total=found.total * float("nan"))

    with pytest.raises(TrainingError, match="the loss is nan") as caught:
        tiny.run(tmp_path, tiny.settings(batch_size=40), tiny.task(loss=loss))
    assert len(json.loads(caught.value.where.split("rows ")[1])) == 32


def test_a_metric_that_is_not_a_number_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not finite numbers: accuracy = nan"):
        tiny.run(tmp_path, tiny.settings(), tiny.task(metrics=lambda _: {"loss": 1.0, "accuracy": float("nan")}))


def test_an_unknown_watched_metric_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"'other_loss' is not among the validation metrics"):
        tiny.run(tmp_path, tiny.settings(early_stopping__metric="other_loss"))


def test_a_training_whose_dvc_was_killed_leaves_the_curves_to_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    curves = tmp_path / "curves"
    curves.mkdir()
    (curves / "metrics.json").write_text("of the next training")
    monkeypatch.setenv("WINNOW_PARENT", "1")  # not this process's parent: orphaned from the start
    tiny.run(tmp_path, tiny.settings(epochs=1))
    assert tiny.contents(curves) == {"metrics.json": b"of the next training"}
    monkeypatch.setenv("WINNOW_PARENT", str(os.getppid()))
    killing = tiny.task(loss=tiny.crashing(8, lambda: monkeypatch.setenv("WINNOW_PARENT", "1")))
    tiny.run(tmp_path, tiny.settings(epochs=2), killing, fingerprint="another")  # in the second epoch of 6 batches
    assert len((curves / "plots/metrics/val/loss.tsv").read_text().splitlines()) == 2
    assert json.loads((curves / "metrics.json").read_text())["epoch"] == 1


def test_curves_are_dvclives_files(tmp_path: Path) -> None:
    result = tiny.run(tmp_path, tiny.settings(epochs=3))
    lines = (tmp_path / "curves/plots/metrics/val/loss_by_class/yes.tsv").read_text().splitlines()
    assert lines[0].split("\t") == ["step", "yes"]
    assert [line.split("\t")[0] for line in lines[1:]] == ["1", "2", "3"]
    summary = json.loads((tmp_path / "curves/metrics.json").read_text())
    best = result.history[result.best_epoch - 1]
    assert summary == {
        "epoch": result.best_epoch,
        "step": 3,
        "train": {"loss": best["train"]["loss"]},
        "val": {"loss": best["val"]["loss"]},
    }
    files = {path.suffix for path in (tmp_path / "curves").rglob("*") if path.is_file()}
    assert files == {".tsv", ".json"}


def test_fp16_needs_a_gpu(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="fp16 needs a GPU"):
        tiny.run(tmp_path, tiny.settings(precision="fp16"))


def test_mixed_precision_changes_the_sums_but_not_the_weights_type(tmp_path: Path) -> None:
    plain = tiny.run(tmp_path / "a", tiny.settings(epochs=1)).model.state_dict()
    mixed = tiny.run(tmp_path / "b", tiny.settings(epochs=1, precision="bf16")).model.state_dict()
    assert mixed["0.weight"].dtype == torch.float32
    assert not torch.equal(plain["0.weight"], mixed["0.weight"])
    torch.testing.assert_close(plain["0.weight"], mixed["0.weight"], atol=0.1, rtol=0.1)


def test_what_a_person_sees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny.run(tmp_path, tiny.settings(epochs=2))
    said = capsys.readouterr().err
    for part in (
        "all, at most 2 epochs, learning rate 0.02",
        "device      cpu (1 threads), processes: 1, precision: fp32",
        "parameters  178 (178 trainable)",
        "train       96 rows, 6 batches",
        "val         32 rows, 2 batches",
        "yes    1.2000  (56 rows)",
        "epoch 1/2 | val loss 0.",
        "✓ new best",
    ):
        assert part in said
    assert "by_class" not in said


def test_batches_may_be_anything(tmp_path: Path) -> None:
    whole = tiny.data()

    class Numbers:
        sampler = EpochSampler(48, BatchShare(16, 2, 1, 0))

        def batch(self, seed: int, index: int) -> int:
            return seed + index

    def loss(model: nn.Module, seed: int) -> Loss:
        rows = torch.randperm(len(whole["y"]), generator=torch.Generator().manual_seed(seed))[:16]
        return Loss(nn.functional.cross_entropy(model(whole["x"][rows]), whole["y"][rows], reduction="sum"), 16)

    def loaders(subset: str, share: BatchShare) -> Loaders:
        return Loaders(train=Numbers(), val=range(3), rows={"train": 128})

    made = tiny.task(
        loaders=loaders,
        loss=loss,
        predict=lambda _, batches: ({"number": torch.tensor([batch])} for batch in batches),
        metrics=lambda rows: {"recall_at_10": float(rows["number"].sum())},
    )
    chosen = tiny.settings(gradient_accumulation_steps=2, early_stopping__metric="recall_at_10", epochs=2)
    assert [record["val"]["recall_at_10"] for record in tiny.run(tmp_path, chosen, made).history] == [3.0, 3.0]


def test_an_empty_subset_is_an_error() -> None:
    with pytest.raises(TrainingError, match="there is no row to train on"):
        TensorLoader({}, EpochSampler(0, BatchShare(1, 1, 1, 0)))


def _val() -> dict[str, Tensor]:
    return {name: tensor[tiny.ROWS :] for name, tensor in tiny.data().items()}
