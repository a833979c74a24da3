"""
The generator beside a small GPT as nanoGPT trains one: the same routes, the same processor time, the same test routes.

    python -m benchmarks.climb.peers

The GPT has the width, layers, heads and dropout of the domain's default, learned positions, and board, angle and grade
as its first three tokens; AdamW with a warm-up of an epoch, then a cosine; the epoch of the lowest validation loss. It
may use as much processor time as the domain's train program, imports included. Perplexity is per hold or end, as in
evaluate.
"""

import math
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.measure import clone, processor_seconds, report, run
from benchmarks.pipeline.throughput import prepare, task_of
from winnow.domains.climb import definitions
from winnow.domains.climb.model.sequences import BOARDS, START, Sequences, encode
from winnow.domains.climb.model.training import GeneratorTask

BATCH, RATE = 64, 1e-3
FIRST = START + 1
"""Of the tokens of boards, angles and grades."""
VOCABULARY = FIRST + len(BOARDS) + len(definitions.ANGLES) + len(definitions.GRADES)


class GPT(nn.Module):
    """A decoder-only transformer with learned positions."""

    def __init__(self, width: int, layers: int, heads: int, dropout: float, positions: int) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, width), nn.Embedding(positions, width)
        block = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout, functional.gelu, batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.head = nn.Linear(width, START, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits `(rows, positions, holds and end)` of what follows each token."""
        length = tokens.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        hidden = self.tokens(tokens) + self.positions(torch.arange(length))
        logits: Tensor = self.head(self.blocks(hidden, mask=mask, is_causal=True))
        return logits


def losses(model: GPT, rows: Tensor) -> Tensor:
    """Nats of each token, `(rows, positions)`; 0 where a route is filled up."""
    targets = rows[:, 3:]
    logits = model(rows[:, :-1])[:, 2:]
    return functional.cross_entropy(logits.transpose(1, 2), targets, ignore_index=START, reduction="none")


def with_conditions(sequences: Sequences) -> Tensor:
    """Board, angle and grade as tokens before the route's."""
    board, angle, grade = torch.from_numpy(sequences.conditions).unbind(dim=1)
    angles = FIRST + len(BOARDS)
    first = torch.stack([FIRST + board, angles + angle, angles + len(definitions.ANGLES) + grade], dim=1)
    return torch.cat([first, torch.from_numpy(sequences.tokens)], dim=1)


@torch.inference_mode()
def loss_of(model: GPT, rows: Tensor) -> float:
    """Mean nats a token."""
    model.eval()
    total = sum(float(losses(model, part).double().sum()) for part in rows.split(512))
    model.train()
    return total / int((rows[:, 3:] != START).sum())


def fitted(task: GeneratorTask, train: Tensor, val: Tensor, seconds: float) -> tuple[GPT, dict[str, Any]]:
    """The GPT of the lowest validation loss within so many seconds of processor time."""
    torch.manual_seed(0)
    network = task.params.network
    model = GPT(network.width, network.layers, network.heads, network.dropout, train.shape[1])
    optimizer = torch.optim.AdamW(model.parameters(), RATE, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    epoch = math.ceil(len(train) / BATCH)
    began, step, steps = time.process_time(), 0, epoch
    best, weights = math.inf, model.state_dict()
    while step < steps:
        for rows in torch.randperm(len(train)).split(BATCH):
            share = step / steps if steps > epoch else 0  # in the first epoch it is not known how many there will be
            rate = RATE * min((step + 1) / epoch, 0.5 * (1 + math.cos(math.pi * share)))
            for group in optimizer.param_groups:
                group["lr"] = rate
            part = train[rows]
            part = part[:, : 3 + int((part[:, 3:] != START).sum(dim=1).max())]
            loss = losses(model, part).sum() / (part[:, 3:] != START).sum()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
        found = loss_of(model, val)
        if found < best:
            best, weights = found, {name: value.clone() for name, value in model.state_dict().items()}
        if step == epoch:
            steps = max(epoch, int(seconds / (time.process_time() - began)) * epoch)
    model.load_state_dict(weights)
    about = {"epochs": steps // epoch, "seconds": round(time.process_time() - began, 1), "validation_loss": best}
    return model, about


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(clone(Path(scratch, "winnow")))
        prepare("climb")
        seconds = processor_seconds([sys.executable, "-m", "stages.climb.train"], Path.cwd())
        run([sys.executable, "-m", "stages.climb.evaluate"], Path.cwd())
        predictions = pd.read_json(Path("metrics/climb/judgement.json"), typ="series")
        task, settings = task_of("climb")
        assert isinstance(task, GeneratorTask)
        torch.set_num_threads(settings.threads)
        sides = {name: encode(rows, task.tokens) for name, rows in task.routes.groupby("split")}
        train, val, test = (with_conditions(sides[name]) for name in ("train", "val", "test"))
        model, about = fitted(task, train, val, seconds)
        weights = sum(each.numel() for each in model.parameters())
    report(
        "climb/peers",
        {
            "winnow": {
                "test_perplexity": predictions["model"]["perplexity"],
                "seconds": round(seconds, 1),
                "weights": sum(each.numel() for each in task.build().parameters()),
            },
            "nanogpt_like": {**about, "test_perplexity": math.exp(loss_of(model, test)), "weights": weights},
            "perplexity_over_peer": predictions["model"]["perplexity"] / math.exp(loss_of(model, test)),
        },
    )


if __name__ == "__main__":
    main()
