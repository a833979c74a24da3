"""Several processes on one machine: the same global batch, files written once."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tests.library.learn import tiny
from tests.library.learn.processes import fork, wait
from winnow.learn import devices
from winnow.learn.accumulator import Loss
from winnow.learn.checkpoints import load_weights
from winnow.learn.loaders import Loaders, OrderedLoader, TensorLoader
from winnow.learn.samplers import BatchShare, EpochSampler
from winnow.learn.settings import TrainingSettings
from winnow.learn.sharding import own_part
from winnow.learn.task import Task


def test_two_processes_train_with_the_same_global_batch(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    chosen = tiny.settings(epochs=2, gradient_accumulation_steps=2, seed=5)
    alone = tiny.run(tmp_path / "one", chosen).history  # first, so that the children find all modules imported
    capfd.readouterr()
    _train_in_two(tmp_path / "two", chosen)
    said = capfd.readouterr().err
    assert "processes: 2" in said
    assert "train       96 rows, 12 batches" in said  # 6 steps of 16 rows: each process 2 × 4 rows a step
    assert said.count("epoch 1/2") == 1
    together = json.loads((tmp_path / "two/run/last/checkpoint.json").read_text())["history"]
    for one, two in zip(alone, together, strict=True):  # dropout differs between processes, so only nearly
        assert two["train"]["loss"] == pytest.approx(one["train"]["loss"], rel=0.1)
        assert two["learning_rate"] == one["learning_rate"]


def test_processes_draw_the_same_rows_and_each_a_dropout_of_its_own() -> None:
    def drawn(phase: int, epoch: int, rank: int) -> tuple[int, bytes]:
        rows = devices.seed_epoch(7, phase, epoch, rank=rank)
        return rows, nn.functional.dropout(torch.ones(64)).numpy().tobytes()

    places = [(phase, epoch) for phase in range(2) for epoch in range(3)]
    found = {(*place, rank): drawn(*place, rank) for place in places for rank in range(3)}
    assert len({dropped for _, dropped in found.values()}) == len(found), "two have the same dropout"
    rows = [{found[*place, rank][0] for rank in range(3)} for place in places]
    assert [len(each) for each in rows] == [1] * len(places), "processes draw other rows"
    assert len(set.union(*rows)) == len(places), "two epochs draw the same rows"


def test_two_processes_give_the_same_gradients_as_one(tmp_path: Path) -> None:
    chosen = tiny.settings(epochs=1)
    without_dropout = tiny.task(build=lambda: tiny.build(0.0))
    _train_in_two(tmp_path / "two", chosen, without_dropout)
    alone = tiny.run(tmp_path / "one", chosen, without_dropout).history[0]
    together = json.loads((tmp_path / "two/run/last/checkpoint.json").read_text())["history"][0]
    assert together["train"]["loss"] == pytest.approx(alone["train"]["loss"], rel=1e-5)
    assert together["val"]["loss"] == pytest.approx(alone["val"]["loss"], rel=1e-5)


LENGTHS = torch.randint(1, 9, (tiny.ROWS,), generator=torch.Generator().manual_seed(4))
"""tokens of each row"""


def unequal_rows(folder: Path) -> Task:
    """Rows of 1 to 8 tokens, 83 of them, so that the last batch of 16 has fewer than one row for each of 8 pieces."""

    def loaders(_: str, share: BatchShare) -> Loaders:
        generator = torch.Generator().manual_seed(5)
        tokens = torch.randn(tiny.ROWS, 8, 8, generator=generator)
        target = (tokens[..., 0] > 0).long().masked_fill(torch.arange(8) >= LENGTHS[:, None], -100)
        train = {"x": tokens[:83], "y": target[:83]}
        val = {"x": tokens[83:], "y": target[83:]}
        return Loaders(TensorLoader(train, EpochSampler(83, share)), OrderedLoader(val, 3), {"train": 83, "val": 13})

    def loss(model: nn.Module, batch: dict[str, Tensor]) -> Loss:
        each = cross_entropy(model(batch["x"]).flatten(0, 1), batch["y"].flatten(), reduction="sum")
        counted = batch["y"] != -100
        return Loss(each, counted.sum(), {"ones": (batch["y"] == 1).sum()})

    def predict(model: nn.Module, batches: Iterable[dict[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
        for batch in batches:
            yield {"logits": model(batch["x"]), "y": batch["y"]}

    def metrics(rows: Mapping[str, Tensor]) -> dict[str, float]:
        first = float(rows["logits"][0, 0, 0])
        return {"loss": float(cross_entropy(rows["logits"].flatten(0, 1), rows["y"].flatten())), "first_score": first}

    class Recording(torch.optim.AdamW):
        """Keeps the gradients of the first step."""

        def step(self, closure: Any = None) -> Any:
            file = folder / f"gradients {os.environ.get('RANK', '0')}.pt"
            if not file.exists():
                torch.save([parameter.grad for parameter in self.param_groups[0]["params"]], file)
            return super().step(closure)

    return tiny.task(
        build=lambda: tiny.build(0.0),
        loaders=loaders,
        loss=loss,
        predict=predict,
        metrics=metrics,
        optimizer=lambda groups, rate, decay: Recording(groups, lr=rate, weight_decay=decay),
    )


def test_two_processes_of_four_micro_batches_train_as_one_whole_batch_with_rows_of_unequal_length(
    tmp_path: Path,
) -> None:
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    # a validation after every step: 4 epochs of 6 steps
    settings = {"epochs": 4, "eval_every": 1, "max_grad_norm": 0.0}
    alone = tiny.run(tmp_path / "whole", tiny.settings(**settings), unequal_rows(tmp_path / "whole")).history
    _train_in_two(
        tmp_path / "cut", tiny.settings(gradient_accumulation_steps=4, **settings), unequal_rows(tmp_path / "cut")
    )
    together = json.loads((tmp_path / "cut/run/last/checkpoint.json").read_text())["history"]
    first = torch.load(tmp_path / "whole/gradients 0.pt")
    for rank in range(2):
        for one, other in zip(first, torch.load(tmp_path / f"cut/gradients {rank}.pt"), strict=True):
            assert torch.linalg.norm(one - other) <= 1e-6 * torch.linalg.norm(one)
    assert len(alone) == len(together) == 24
    assert [(record["epoch"], record["step"]) for record in alone[:7]] == [
        *((1, n) for n in (1, 2, 3, 4, 5, 0)),
        (2, 1),
    ]
    for one, two in zip(alone, together, strict=True):
        assert two["train"] == pytest.approx(one["train"], rel=1e-4)
        assert two["val"] == pytest.approx(one["val"], rel=1e-4)


def test_two_processes_stopped_within_an_epoch_end_in_the_same_bytes(tmp_path: Path) -> None:
    chosen = tiny.settings(epochs=2, checkpoint_steps=2)
    _train_in_two(tmp_path / "whole", chosen)
    _train_in_two(
        tmp_path / "stopped", chosen, tiny.task(loss=tiny.crashing(4, tiny.crash)), code=1
    )  # after a state of two steps
    _train_in_two(tmp_path / "stopped", chosen, tiny.task(loss=tiny.crashing(9, tiny.crash)), code=1)
    _train_in_two(tmp_path / "stopped", chosen)
    tiny.assert_same(tmp_path / "stopped", tmp_path / "whole")


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_two_processes_validate_one_model_whose_batch_statistics_are_the_main_ones(
    tmp_path: Path, ema_decay: float
) -> None:
    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))

    chosen = tiny.settings(epochs=2, checkpoint_steps=2, select="last", ema_decay=ema_decay)
    _train_in_two(tmp_path / "whole", chosen, tiny.task(build=build))
    crashing = tiny.task(build=build, loss=tiny.crashing(4, tiny.crash))
    _train_in_two(tmp_path / "stopped", chosen, crashing, code=1)
    _train_in_two(tmp_path / "stopped", chosen, tiny.task(build=build))
    tiny.assert_same(tmp_path / "stopped", tmp_path / "whole")

    model = build().eval()
    load_weights(model, tmp_path / "whole/run/checkpoints/final")
    val = {name: tensor[tiny.ROWS :] for name, tensor in tiny.data().items()}
    with torch.inference_mode():
        found = tiny.metrics({"logits": model(val["x"]), "y": val["y"]})
    recorded = json.loads((tmp_path / "whole/run/checkpoints/final/checkpoint.json").read_text())["history"][-1]["val"]
    assert recorded == pytest.approx(found, rel=1e-5)


def test_a_training_stopped_within_an_epoch_goes_on_with_another_number_of_processes(tmp_path: Path) -> None:
    chosen = tiny.settings(epochs=2, checkpoint_steps=2)
    with pytest.raises(tiny.CrashError):
        tiny.run(tmp_path, chosen, tiny.task(loss=tiny.crashing(4, tiny.crash)))
    _train_in_two(tmp_path, chosen, tiny.task(loss=tiny.crashing(4, tiny.crash)), code=1)
    assert json.loads((tmp_path / "run/last/checkpoint.json").read_text())["batch"] == 4
    tiny.run(tmp_path, chosen)
    history = json.loads((tmp_path / "run/last/checkpoint.json").read_text())["history"]
    assert [record["epoch"] for record in history] == [1, 2]


def sharded_task(**changes: Any) -> Task:
    """The tiny task without dropout, with three batches to validate on, whose layers two processes shard."""

    def loaders(subset: str, share: BatchShare) -> Loaders:
        found, val = tiny.loaders(subset, share), {name: each[:31] for name, each in tiny.data().items()}
        return Loaders(found.train, OrderedLoader(val, 12), {**found.rows, "val": 31})

    def loss(model: nn.Module, batch: Mapping[str, Tensor]) -> Loss:
        if os.environ.get("WORLD_SIZE") == "2":
            parts = [own_part(each).numel() for each in model.parameters()]
            assert sum(parts) * 2 == sum(each.numel() for each in model.parameters())
        return tiny.loss(model, batch)

    given = {"loss": loss, "fsdp_modules": lambda model: [model[0], model[3]], **changes}
    return tiny.task(build=lambda: tiny.build(0.0), loaders=loaders, **given)


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_two_processes_that_share_the_model_out_train_as_one(tmp_path: Path, ema_decay: float) -> None:
    chosen = tiny.settings(epochs=2, gradient_accumulation_steps=2, max_grad_norm=0.05, ema_decay=ema_decay)
    alone = tiny.run(tmp_path / "one", chosen, sharded_task())
    _train_in_two(tmp_path / "two", chosen, sharded_task())
    together = json.loads((tmp_path / "two/run/last/checkpoint.json").read_text())["history"]
    for one, two in zip(alone.history, together, strict=True):
        assert two["train"] == pytest.approx(one["train"], rel=1e-4)
        assert two["val"] == pytest.approx(one["val"], rel=1e-4)
    for file in ("checkpoints/final/model", "checkpoints/best/model", "last/model", "last/state"):
        whole, gathered = (load_file(tmp_path / name / "run" / f"{file}.safetensors") for name in ("one", "two"))
        assert whole.keys() == gathered.keys()
        assert all(torch.allclose(whole[key], gathered[key], atol=1e-5) for key in whole), file


def test_a_sharded_model_computes_in_bf16(tmp_path: Path) -> None:
    precisions = {name: tiny.settings(epochs=1, precision=name) for name in ("fp32", "bf16")}
    alone = {name: tiny.run(tmp_path / name, each, sharded_task()).history[0] for name, each in precisions.items()}
    _train_in_two(tmp_path / "two", precisions["bf16"], sharded_task())
    (together,) = json.loads((tmp_path / "two/run/last/checkpoint.json").read_text())["history"]
    for side in ("train", "val"):
        assert together[side]["loss"] == pytest.approx(alone["bf16"][side]["loss"], rel=0.02)
        assert together[side]["loss"] != pytest.approx(alone["fp32"][side]["loss"], rel=1e-6)


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_a_sharded_training_stopped_within_an_epoch_ends_in_the_same_bytes(tmp_path: Path, ema_decay: float) -> None:
    chosen = tiny.settings(epochs=2, checkpoint_steps=2, ema_decay=ema_decay)
    _train_in_two(tmp_path / "whole", chosen, sharded_task())
    _train_in_two(tmp_path / "stopped", chosen, sharded_task(loss=tiny.crashing(4, tiny.crash)), code=1)
    _train_in_two(tmp_path / "stopped", chosen, sharded_task(loss=tiny.crashing(9, tiny.crash)), code=1)
    _train_in_two(tmp_path / "stopped", chosen, sharded_task())
    tiny.assert_same(tmp_path / "stopped", tmp_path / "whole")

    _train_in_two(tmp_path / "alone", chosen, sharded_task(loss=tiny.crashing(4, tiny.crash)), code=1)
    last = tiny.run(tmp_path / "alone", chosen, sharded_task()).history[-1]["val"]
    whole = json.loads((tmp_path / "whole/run/last/checkpoint.json").read_text())["history"][-1]["val"]
    assert last == pytest.approx(whole, rel=1e-4), "one process goes on with what two have sharded"


def test_processes_that_read_other_params_do_not_train_together(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    chosen = tiny.settings(epochs=1)
    _train_in_two(tmp_path, chosen, code=1, fingerprints=("before the edit", "after it"))
    assert "params.yaml was changed while the training started" in capfd.readouterr().err
    assert not (tmp_path / "run/last").exists()


def test_the_launcher_sets_ranks_and_gives_the_programs_exit_code(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(f"import os, sys; open(f\"{tmp_path}/{{os.environ['RANK']}}\", 'w').close(); sys.exit(3)")
    command = [sys.executable, "-m", "winnow.learn.launch", "2", str(script)]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": "src"}, capture_output=True, text=True, check=False, timeout=180
    )
    assert done.returncode == 3
    assert (tmp_path / "0").exists()
    assert "Traceback" not in done.stderr


def test_a_program_starts_itself_again_once(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda _, command, __: started.append(command))
    monkeypatch.setattr(sys, "argv", ["/somewhere/stages/toy/train.py", "--debug"])
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", ModuleSpec("stages.toy.train", None))
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    devices.relaunch(1)
    assert started == []
    devices.relaunch(4)
    assert started == [[sys.executable, "-m", "winnow.learn.launch", "4", "--module", "stages.toy.train", "--debug"]]
    monkeypatch.setenv("LOCAL_RANK", "0")
    devices.relaunch(4)
    assert len(started) == 1


def _train_in_two(
    folder: Path,
    chosen: TrainingSettings,
    made: Task | None = None,
    *,
    code: int = 0,
    fingerprints: tuple[str, str] = ("f", "f"),
) -> None:
    """Two processes as torchrun sets them up, without its seconds of imports; both end with the exit code."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def work(rank: int) -> None:
        names = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_PORT": port}
        os.environ |= {name: str(value) for name, value in names.items()} | {"MASTER_ADDR": "127.0.0.1"}
        AcceleratorState._reset_state(reset_partial_state=True)
        tiny.run(folder, chosen, made, fingerprint=fingerprints[rank])

    children = [fork(lambda rank=rank: work(rank)) for rank in range(2)]  # type: ignore[misc]
    assert [wait(child) for child in children] == [code, code]


@pytest.mark.parametrize(("processes", "gpus", "backend"), [(2, 1, "gloo"), (2, 2, None), (1, 1, None)])
def test_processes_that_share_a_gpu_talk_by_gloo_which_nccl_refuses(
    processes: int, gpus: int, backend: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StoppedError(Exception):
        pass

    def accelerator(*, kwargs_handlers: list[Any], **_: Any) -> None:
        assert [handler.backend for handler in kwargs_handlers] == ([backend] if backend else [])
        raise StoppedError

    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(processes))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(devices, "Accelerator", accelerator)
    with pytest.raises(StoppedError):
        devices.start("cuda", tiny.settings())
