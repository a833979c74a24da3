"""
The training loop beside a bare PyTorch one: the same model, data, optimiser and batches, in turn, in one process.

    python -m benchmarks.pipeline.loop    # ratio = bare time / loop time, by model
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.measure import merge
from benchmarks.pipeline.loops import compared, epoch_seconds
from winnow.learn.accumulator import Loss
from winnow.learn.loaders import Loaders, TensorLoader
from winnow.learn.samplers import BatchShare, EpochSampler
from winnow.learn.settings import TrainingSettings
from winnow.learn.task import Task

ROWS, ROUNDS, BATCH = 3200, 15, 16
SETTINGS = {
    "subset": "all", "epochs": 1, "learning_rate": 1e-3, "phases": [], "weight_decay": 0.01, "batch_size": BATCH,
    "gradient_accumulation_steps": 1, "max_grad_norm": 1.0, "precision": "fp32", "threads": 1, "seed": 0,
    "checkpoint_every": 0,
    "checkpoint_steps": 0, "eval_every": 0, "ema_decay": 0.0, "keep_last": 1, "select": "last", "init_from": None,
    "early_stopping": {"metric": "loss", "patience": 0, "min_delta": 0.0},
    "scheduler": {"name": "cosine", "warmup": 0.0, "period": 1, "factor": 0.5, "patience": 0, "minimum": 0.0},
}  # fmt: skip


class Sequences(nn.Module):
    """A small decoder-only transformer, such as writes climbing routes."""

    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(200, width)
        block = nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.1, batch_first=True)
        self.blocks = nn.TransformerEncoder(block, layers, enable_nested_tensor=False)
        self.head = nn.Linear(width, 200)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(16), persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.head(self.blocks(self.embed(tokens), mask=self.mask, is_causal=True))
        return logits


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Embedding(200, 16), nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 200))


def loss(model: nn.Module, batch: Mapping[str, Tensor], reduction: str = "mean") -> Tensor:
    logits = model(batch["tokens"])
    target = batch["tokens"] if logits.dim() == 3 else batch["tokens"][:, 0]
    return nn.functional.cross_entropy(logits.flatten(0, -2), target.flatten(), reduction=reduction)


def bare(build: Callable[[], nn.Module], tokens: Tensor) -> float:
    """Processor seconds of one epoch as one would write it by hand."""
    model = build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01, fused=True)
    steps = ROWS // BATCH
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    model.train()
    started, total = time.process_time(), 0.0
    for indices in torch.randperm(ROWS).split(BATCH):
        value = loss(model, {"tokens": tokens[indices]})
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        total += value.item()
    return time.process_time() - started


@dataclass
class Trained(Task):
    """The same model and data for the loop; it does not validate, because the bare loop does not either."""

    make: Callable[[], nn.Module]
    tokens: Tensor

    def build(self) -> nn.Module:
        return self.make()

    def loaders(self, subset: str, share: BatchShare) -> Loaders:
        return Loaders(TensorLoader({"tokens": self.tokens}, EpochSampler(ROWS, share)), val=range(1), rows={})

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Loss:
        return Loss(loss(model, batch, "sum"), len(batch["tokens"]))  # any constant count costs the same

    def predict(self, model: nn.Module, batches: Iterable[Any]) -> Iterator[dict[str, Tensor]]:
        yield {"rows": torch.zeros(1)}

    def metrics(self, rows: Mapping[str, Tensor]) -> dict[str, float]:
        return {"loss": 1.0}


def ours(build: Callable[[], nn.Module], tokens: Tensor) -> float:
    """Seconds of one epoch of the loop."""
    return epoch_seconds(Trained(build, tokens), TrainingSettings.model_validate(SETTINGS))


def main() -> None:
    torch.set_num_threads(1)
    tokens = torch.randint(200, (ROWS, 16), generator=torch.Generator().manual_seed(0))
    models: dict[str, Callable[[], nn.Module]] = {"perceptron": perceptron, "transformer": lambda: Sequences(64, 2)}
    merge(
        "pipeline/loop",
        {
            name: compared(
                partial(bare, build, tokens), partial(ours, build, tokens), rounds=ROUNDS, steps=ROWS // BATCH
            )
            for name, build in models.items()
        },
    )


if __name__ == "__main__":
    main()
