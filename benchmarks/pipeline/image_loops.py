"""
Trainings on images beside torchvision's and timm's ways: JPEG files read, decoded and put through the network in
every epoch.

    pip install --no-deps --target PEERS timm==1.0.31      (not a dependency of winnow; the rest is installed with it)
    PYTHONPATH=src:.:PEERS python -m benchmarks.pipeline.image_loops [retina] [documents]

Retina is the preset `idrid` on the first fold that keeps patients together (`$WINNOW_SHARED_DATA/retina`, see
benchmarks/retina/README.md), documents its embedded default. The other sides are what the reference trainings of
torchvision and timm do: a `Dataset` of JPEG files of quality 95, transforms, a loader, and a linear layer on the pooled
maps of the same pretrained EfficientNet-Lite0, whose blocks are frozen. torchvision flips photographs; timm's
`create_loader` crops, flips and shifts their colours too (pages stay as they are, since a crop or another contrast
changes their score) and its `create_optimizer_v2` makes the optimiser. Each may use as much processor time as the
domain's train program, features and imports included, and keeps the epoch that is best on validation. `epoch_ratio` is
the faster one's processor time for an epoch over winnow's from the second on, when the features of frozen blocks are
kept. One thread each.
"""

import json
import math
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from benchmarks.measure import clone, data_of, merge, processor_seconds, run
from benchmarks.pipeline.loops import epoch_seconds
from benchmarks.pipeline.throughput import prepare, task_of
from winnow.images.codec import load_pixels
from winnow.measure.classification import quadratic_weighted_kappa
from winnow.pipeline import presets
from winnow.pipeline.params import PARAMS_FILE
from winnow.vision.backbones import pretrained

BATCH, RATE = 32, 1e-3


@dataclass(frozen=True)
class Job:
    """What is learned of images."""

    side: int
    outputs: int
    loss: nn.Module
    metric: str
    """of judgement.json"""
    measure: Callable[[Tensor, Tensor], float]
    """of outputs and targets"""
    higher: bool
    flips: bool


JOBS = {
    "retina": Job(
        416, 5, nn.CrossEntropyLoss(), "quadratic_weighted_kappa",
        lambda out, true: quadratic_weighted_kappa(true.numpy(), out.argmax(dim=1).numpy(), 5), higher=True, flips=True,
    ),
    "documents": Job(
        320, 1, nn.L1Loss(), "mae", lambda out, true: float((out[:, 0].clamp(0, 1) - true[:, 0]).abs().mean()),
        higher=False, flips=False,
    ),
}  # fmt: skip


class Files(Dataset[tuple[Tensor, Tensor]]):
    """JPEG files with their targets."""

    def __init__(self, files: list[Path], targets: Tensor, transform: Any) -> None:
        self.files, self.targets, self.transform = files, targets, transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        with Image.open(self.files[row]) as image:
            return self.transform(image.convert("RGB")), self.targets[row]


class Linear(nn.Module):
    """A linear layer on the pooled maps of a frozen backbone."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        found = pretrained("efficientnet_lite0", "imagenet")
        self.blocks, self.mean, self.std = found.blocks.eval(), found.mean, found.std
        self.head = nn.Linear(found.channels, outputs)

    def forward(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            maps = self.blocks(images.contiguous(memory_format=torch.channels_last))
        out: Tensor = self.head(maps.mean(dim=(2, 3)))
        return out


def examples(domain: str, task: Any, folder: Path) -> dict[str, tuple[list[Path], Tensor]]:
    """JPEG files and targets of each split."""
    rows = (task.photographs if domain == "retina" else task.examples.rows).reset_index(drop=True)
    images = task.images if domain == "retina" else task.examples.images
    rows = rows[rows["grade" if domain == "retina" else "score"].notna()]
    folder.mkdir()
    found = {}
    for split, part in rows.groupby("split"):
        files = [folder / f"{place}.jpg" for place in part.index]
        for place, file in zip(part.index, files, strict=True):
            Image.fromarray(load_pixels(images[place])).save(file, quality=95)
        grades = torch.tensor(part["grade"].to_numpy(np.int64)) if domain == "retina" else None
        scores = None if domain == "retina" else torch.tensor(part[["score"]].to_numpy(np.float32))
        targets = grades if grades is not None else scores
        assert targets is not None
        found[str(split)] = files, targets
    return found


def torchvision_loader(job: Job, side: tuple[list[Path], Tensor], model: Linear, *, train: bool) -> DataLoader[Any]:
    """Batches of a split, as torchvision's references make them."""
    steps = [v2.Resize((job.side, job.side)), v2.PILToTensor(), v2.ToDtype(torch.float32)]
    flips = [v2.RandomHorizontalFlip(), v2.RandomVerticalFlip()] if train and job.flips else []
    transform = v2.Compose([*steps, *flips, v2.Normalize(model.mean, model.std)])
    return DataLoader(Files(*side, transform), BATCH, shuffle=train)


def timm_loader(job: Job, side: tuple[list[Path], Tensor], model: Linear, *, train: bool) -> DataLoader[Any]:
    """Batches of a split, as timm's train.py makes them."""
    batches: DataLoader[Any] = timm.data.create_loader(
        Files(*side, None),
        input_size=(3, job.side, job.side),
        batch_size=BATCH,
        is_training=train,
        no_aug=not job.flips,
        scale=(0.8, 1.0),
        vflip=0.5,
        mean=tuple(value / 255 for value in model.mean),
        std=tuple(value / 255 for value in model.std),
        crop_pct=1.0,
        crop_mode="squash",
        num_workers=0,
        device=torch.device("cpu"),
        use_prefetcher=False,
        persistent_workers=False,
    )
    return batches


LOADERS = {"torchvision_like": torchvision_loader, "timm_like": timm_loader}


@torch.inference_mode()
def outputs(model: Linear, batches: DataLoader[Any]) -> tuple[Tensor, Tensor]:
    pairs = [(model(images), targets) for images, targets in batches]
    return torch.cat([out for out, _ in pairs]), torch.cat([target for _, target in pairs])


def trained_by(peer: str, job: Job, sides: dict[str, tuple[list[Path], Tensor]], seconds: float) -> dict[str, Any]:
    """The best epoch on validation within so many seconds of processor time, and its test figure."""
    torch.manual_seed(0)
    model = Linear(job.outputs)
    if peer == "timm_like":
        optimizer = timm.optim.create_optimizer_v2(model.head, opt="adamw", lr=RATE, weight_decay=0.01)
    else:
        optimizer = torch.optim.AdamW(model.head.parameters(), RATE)
    train = LOADERS[peer](job, sides["train"], model, train=True)
    val, test = (LOADERS[peer](job, sides[name], model, train=False) for name in ("val", "test"))
    best, weights, taken, began = -math.inf, model.head.state_dict(), [], time.process_time()
    while time.process_time() - began < seconds:
        started = time.process_time()
        for images, targets in train:
            job.loss(model(images), targets).backward()
            optimizer.step()
            optimizer.zero_grad()
        taken.append(time.process_time() - started)
        value = job.measure(*outputs(model, val)) * (1 if job.higher else -1)
        if value > best:
            best, weights = value, {name: each.clone() for name, each in model.head.state_dict().items()}
    used = time.process_time() - began
    model.head.load_state_dict(weights)
    return {
        "epochs": len(taken),
        "epoch_seconds": round(float(np.median(taken)), 2),
        "seconds": round(used, 1),
        f"test_{job.metric}": round(job.measure(*outputs(model, test)), 4),
    }


def measured(domain: str, folder: Path) -> dict[str, Any]:
    job = JOBS[domain]
    if domain == "retina":
        source = data_of("retina")
        labels = next(source.rglob("idrid_384.csv"))
        shutil.copytree(source / "idrid_384", "data/source/retina/idrid_384")
        shutil.copy(labels, "data/source/retina/idrid_384.csv")
        presets.apply(presets.overrides("retina", presets.read("retina", "idrid")), PARAMS_FILE)
    prepare(domain)
    seconds = processor_seconds([sys.executable, "-m", f"stages.{domain}.train"], Path.cwd())
    run([sys.executable, "-m", f"stages.{domain}.evaluate"], Path.cwd())
    judged = json.loads(Path("metrics", domain, "judgement.json").read_text())
    task, settings = task_of(domain)
    torch.set_num_threads(settings.threads)
    first = settings.curriculum[0]
    alone = settings.model_copy(update={"phases": [], "epochs": 1, "subset": first.subset})
    own = float(np.median([epoch_seconds(task, alone) for _ in range(3)]))
    sides = examples(domain, task, folder)
    peers = {peer: trained_by(peer, job, sides, seconds) for peer in LOADERS}
    return {
        "winnow": {
            "epoch_seconds": round(own, 3),
            "seconds": round(seconds, 1),
            f"test_{job.metric}": judged["model"][job.metric],
        },
        **peers,
        "epoch_ratio": round(min(peer["epoch_seconds"] for peer in peers.values()) / own, 1),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(clone(Path(scratch, "winnow")))
        for domain in sys.argv[1:] or JOBS:
            merge("pipeline/image_loops", {domain: measured(domain, Path(scratch, domain))})


if __name__ == "__main__":
    main()
