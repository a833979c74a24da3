"""A training small enough to run many times: made-up data, a small model, `learn`'s own settings."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from winnow.learn.accumulator import Loss
from winnow.learn.loaders import Loaders, OrderedLoader, TensorLoader
from winnow.learn.loop import fit
from winnow.learn.samplers import BatchShare, EpochSampler
from winnow.learn.settings import TrainingSettings
from winnow.learn.task import Result, Task
from winnow.pipeline.params import Runtime

ROWS = 96
SETTINGS: dict[str, Any] = {
    "subset": "all",
    "epochs": 4,
    "learning_rate": 0.02,
    "phases": [],
    "weight_decay": 0.01,
    "batch_size": 16,
    "gradient_accumulation_steps": 1,
    "max_grad_norm": 1.0,
    "precision": "fp32",
    "threads": 1,
    "seed": 3,
    "checkpoint_every": 1,
    "checkpoint_steps": 0,
    "keep_last": 2,
    "eval_every": 0,
    "ema_decay": 0.0,
    "select": "best",
    "early_stopping": {"metric": "loss", "patience": 0, "min_delta": 0.0},
    "scheduler": {
        "name": "constant",
        "warmup": 0.0,
        "period": 2,
        "factor": 0.5,
        "patience": 0,
        "minimum": 0.0001,
    },
    "init_from": None,
}


class TinyTraining(TrainingSettings):
    subsets = ("all", "half")


def settings(**changes: Any) -> TrainingSettings:
    """The settings above with some changed; `scheduler__name` reaches into a section."""
    values = copy.deepcopy(SETTINGS)
    for key, value in changes.items():
        *path, leaf = key.split("__")
        section = values
        for name in path:
            section = section[name]
        section[leaf] = value
    return TinyTraining.model_validate(values)


def data() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(ROWS + 32, 8, generator=generator)
    noise = torch.randn(ROWS + 32, generator=generator)
    return {"x": x, "y": (x[:, 0] + x[:, 1] + 0.5 * noise > 0).long(), "ids": torch.arange(ROWS + 32)}


def build(dropout: float = 0.2) -> nn.Module:
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 2))


def loaders(subset: str, share: BatchShare) -> Loaders:
    rows = {"all": ROWS, "half": ROWS // 2}[subset]
    tensors = data()
    weights = np.linspace(1.0, 3.0, rows) if subset == "half" else None
    train = {name: tensor[:rows] for name, tensor in tensors.items()}
    val = {name: tensor[ROWS:] for name, tensor in tensors.items()}
    return Loaders(
        train=TensorLoader(train, EpochSampler(rows, share, weights)),
        val=OrderedLoader(val, 16),
        rows={"train": rows, "val": 32},
        weights={"no": (0.8, 40), "yes": (1.2, 56)},
    )


def loss(model: nn.Module, batch: Mapping[str, Tensor]) -> Loss:
    logits = model(batch["x"])
    correct = (logits.argmax(1) == batch["y"]).sum()
    return Loss(cross_entropy(logits, batch["y"], reduction="sum"), len(logits), {"accuracy": correct})


def predict(model: nn.Module, batches: Iterable[Mapping[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    for batch in batches:
        yield {"logits": model(batch["x"]), "y": batch["y"]}


def metrics(rows: Mapping[str, Tensor]) -> dict[str, float]:
    logits, y = rows["logits"], rows["y"]
    each = cross_entropy(logits, y, reduction="none")
    by_class = {f"loss_by_class/{name}": each[y == index].mean().item() for index, name in enumerate(("no", "yes"))}
    predicted = logits.argmax(1)
    accuracy = (predicted == y).float().mean().item()
    return {
        "loss": each.mean().item(),
        "accuracy": accuracy,
        "predictions_distinct": len(predicted.unique()),
        **by_class,
    }


def task(**changes: Any) -> Task:
    """The tiny task, with methods (functions without `self`) or attributes replaced."""
    own = {"build": build, "loaders": loaders, "loss": loss, "predict": predict, "metrics": metrics, **changes}
    methods = {name: staticmethod(value) if callable(value) else value for name, value in own.items()}
    made: Task = type("TinyTask", (Task,), methods)()
    return made


class CrashError(Exception):
    """Stands for whatever ends a process between two batches."""


def crashing(at: int, crash: Callable[[], None]) -> Callable[..., Any]:
    """The tiny loss, that crashes at its `at`-th call."""
    calls = 0

    def crashing_loss(model: nn.Module, batch: Mapping[str, Tensor]) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            crash()
        return loss(model, batch)

    return crashing_loss


def crash() -> None:
    raise CrashError


def run(folder: Path, chosen: TrainingSettings, made: Task | None = None, *, fingerprint: str = "f") -> Result:
    """Train in `folder`, as a stage would."""
    runtime = Runtime(device="cpu", devices=1, num_workers=0, progress="lines", cluster=None)
    return fit(
        made or task(),
        chosen,
        runtime=runtime,
        folder=folder / "run",
        curves=folder / "curves",
        fingerprint=fingerprint,
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that a training leaves for others, by its path: checkpoints, curves and the state to resume from."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def assert_same(folder: Path, other: Path) -> None:
    one, two = contents(folder), contents(other)
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []
