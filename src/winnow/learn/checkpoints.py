"""
Checkpoints: folders written atomically, with the same bytes for the same state of a training.

A checkpoint holds `model.safetensors` (weights) and `checkpoint.json` (history, params, fingerprint, place in the
training, and digests of all that); `last`, from which a training is resumed, also holds `state.safetensors`
(optimiser, random generators). No pickle: its bytes depend on which objects happen to be shared, and it runs code when
read.
"""

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from winnow.learn.sharding import part_like, whole
from winnow.pipeline.errors import TrainingError
from winnow.pipeline.reading import reading

WEIGHTS, STATE, PLACE = "model.safetensors", "state.safetensors", "checkpoint.json"


class DamagedWeightsError(TrainingError):
    """Weights that are no numbers."""


@dataclass
class Progress:
    """The progress of a training: its state apart from weights, optimiser and generators."""

    phase: int = 0
    epoch: int = 0
    """finished epochs of the phase"""
    batch: int = 0
    """finished micro-batches of an unfinished epoch"""
    history: list[dict[str, Any]] = field(default_factory=list)
    """one record per validation"""
    sums: dict[str, float] = field(default_factory=dict)
    """sums over the batches since the last validation"""
    averaged: int = 0
    """steps of the phase that the weights' moving average has seen"""
    scaler: dict[str, Any] = field(default_factory=dict)
    random: list[dict[str, Any]] = field(default_factory=list)
    """each process's generators, within an epoch"""


class Checkpoints:
    """The checkpoints of a run folder: `last` to resume from, and named ones, of weights alone, in `checkpoints/`."""

    def __init__(self, folder: Path, fingerprint: str, params: Mapping[str, Any]) -> None:
        self.folder = folder
        self.named = folder / "checkpoints"
        self.fingerprint = fingerprint
        self.params = dict(params)
        self.named.mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        return self.folder / name if name == "last" else self.named / name

    def save(self, name: str, weights: Mapping[str, Tensor], progress: Progress) -> None:
        """Replace the named checkpoint by these weights, without the state to resume from.

        That state depends on when it was last written: the bytes would not be those of an uninterrupted training.
        """
        self._write(name, weights, replace(progress, averaged=0, scaler={}, random=[]), {})

    def save_last(
        self,
        weights: Mapping[str, Tensor],
        progress: Progress,
        optimizer: Mapping[str, Tensor],
        random: Mapping[str, Tensor],
        average: Mapping[str, Tensor],
    ) -> None:
        """Replace `last`, the state to resume from; a kill at any moment leaves the old or the new one."""
        parts = {"random": random, "average": average, "optimizer": optimizer}
        state = {f"{part}.{key}": value for part, values in parts.items() for key, value in values.items()}
        self._write("last", weights, progress, state)

    def _write(self, name: str, weights: Mapping[str, Tensor], progress: Progress, state: Mapping[str, Tensor]) -> None:
        place = {**asdict(progress), "fingerprint": self.fingerprint, "params": self.params}
        scratch = self.folder / f".{name}.new"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        save_weights(weights, scratch / WEIGHTS)
        if name == "last":
            with os_errors(scratch / STATE):
                save_file(dict(state), scratch / STATE)
        place["files"] = _file_digests(scratch)
        text = json.dumps(place | {"digest": _digest_of(place)}, indent=1, sort_keys=True, allow_nan=False)
        (scratch / PLACE).write_text(text + "\n", encoding="utf-8")
        _replace(scratch, self.path(name), self.folder / f".{name}.old")

    def resume(self) -> bool:
        """Whether there is a state of this training to resume from; that of another training, or a damaged one, goes.

        A bit that has changed on the disk would give another model without a word, so what was written is compared with
        its digests, and a line on standard error tells when the training starts anew.
        """
        for leftover in self.folder.glob(".*.old"):  # killed between the two renames of `_replace`
            target = self.path(leftover.name.removeprefix(".").removesuffix(".old"))
            if target.exists():
                shutil.rmtree(leftover)
            else:
                leftover.rename(target)
        for leftover in self.folder.glob(".*.new"):
            shutil.rmtree(leftover)
        if (self.path("last") / PLACE).exists():
            folders = [self.path("last"), *sorted(self.named.iterdir())]
            damaged = [folder for folder in folders if not _is_whole(folder)]
            if not damaged and _place(folders[0])["fingerprint"] == self.fingerprint:
                return True
            if damaged:
                names = ", ".join(folder.name for folder in damaged)
                print(f"⚠ the saved state of this training is damaged ({names}); it starts anew", file=sys.stderr)
        shutil.rmtree(self.path("last"), ignore_errors=True)
        shutil.rmtree(self.named)
        self.named.mkdir()
        return False

    def progress(self) -> Progress:
        place = _place(self.path("last"))
        return Progress(**{name: place[name] for name in Progress.__dataclass_fields__})

    def random(self, rank: int) -> dict[str, Tensor]:
        """The states in `last` of a process's generators; empty at an epoch's end."""
        tensors, prefix = load_file(self.path("last") / STATE), f"random.{rank}."
        return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

    def average(self) -> dict[str, Tensor]:
        """The weights' moving average in `last`; empty where none is kept."""
        tensors, prefix = load_file(self.path("last") / STATE), "average."
        return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

    def load_optimizer(self, optimizer: Optimizer) -> None:
        """Load the optimiser's state from `last`.

        The fused optimiser walks through parameter and moments as they lie in memory, so these get the same layout.
        """
        moments: dict[int, dict[str, Tensor]] = {}
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        for name, value in load_file(self.path("last") / STATE).items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".", 2)
                own = parameters[int(index)]
                if value.dim():
                    value = torch.empty_like(own, dtype=value.dtype).copy_(part_like(value, own))  # noqa: PLW2901
                moments.setdefault(int(index), {})[key] = value
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})

    def prune(self, keep: int) -> None:
        """Remove all but the last `keep` of epoch_NNNN."""
        epochs = {int(path.name.removeprefix("epoch_")): path for path in self.named.glob("epoch_*")}
        for number in sorted(epochs)[:-keep]:
            shutil.rmtree(epochs[number])

    def remove(self, name: str) -> None:
        shutil.rmtree(self.path(name), ignore_errors=True)


def _place(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / PLACE).read_text(encoding="utf-8"))
    return found


def _is_whole(folder: Path) -> bool:
    """Whether a checkpoint is as it was written."""
    try:
        place = _place(folder)
        return bool(place.pop("digest") == _digest_of(place) and place["files"] == _file_digests(folder))
    except Exception:  # whatever is in them
        return False


def _file_digests(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _digest_of(place: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(place, sort_keys=True).encode()).hexdigest()


def saved_tensors(model: nn.Module, saved: Collection[str] | None = None) -> dict[str, Tensor]:
    """
    The model's parameters and buffers on the CPU, tied ones once; only those in `saved`.

    All processes call it where the model is sharded over them: tensors are gathered whole.
    """
    tensors: dict[str, Tensor] = {}
    seen: set[tuple[int, tuple[int, ...]]] = set()
    for name, value in model.state_dict().items():
        if saved is not None and name not in saved:
            continue
        address = value.data_ptr()  # 0 where there is no memory, or on each process another
        if address and (key := (address, tuple(value.shape))) in seen:
            continue
        if address:
            seen.add(key)
        tensors[name] = on_cpu(value)
    return tensors


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """The optimiser's state on the CPU, gathered as `saved_tensors` does."""
    state = optimizer.state_dict()["state"]
    return {f"{index}.{key}": on_cpu(value) for index, entries in state.items() for key, value in entries.items()}


def on_cpu(value: Tensor) -> Tensor:
    return whole(value.detach()).cpu().contiguous()


def save_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    """
    Write weights as safetensors, always the same bytes.

    (safetensors' own `save_model` notes tied names in a metadata table whose order is random.)
    """
    with os_errors(path):
        save_file(dict(weights), path, metadata={"format": "pt"})


@contextmanager
def os_errors(path: Path) -> Iterator[None]:
    """Raise OSError naming `path` where safetensors, which has its own error class, was refused by the system."""
    try:
        yield
    except SafetensorError as error:
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from None


def load_weights(model: nn.Module, source: Path, saved: Collection[str] | None = None) -> list[str]:
    """
    Read weights into the model in place; returns the names of buffers that only one side has.

    `source` is a checkpoint, a model folder or a .safetensors file. Every parameter (of those in `saved`, when given)
    must be there, with its shape, and every number must be finite. A buffer may be missing (the model keeps its own),
    or be present although the model declares it as None: a loss's class weights may be added or removed. Raises
    TrainingError otherwise, and its kind DamagedWeightsError for what is not finite, since a network of NaN answers as
    one of numbers does.
    """
    file = source / WEIGHTS if source.is_dir() else source
    fix = "name a checkpoint folder, a model folder, or a .safetensors file"
    with reading(source, "holds no weights that can be read", fix=fix, error=TrainingError):
        if not file.is_file():  # a pipe would be waited for
            raise FileNotFoundError(f"there is no file {file}")
        found = load_file(file)
    if spoilt := [name for name, value in found.items() if not value.isfinite().all()]:
        raise DamagedWeightsError(
            f"the weights in {source} are not finite: {', '.join(spoilt[:5])}{' …' if len(spoilt) > 5 else ''}",
            fix="copy or download them again, or train again",
        )
    own = model.state_dict(keep_vars=True)
    tied = {address for name, value in own.items() if name in found and (address := value.data_ptr())}
    buffers = {name for name, value in own.items() if not isinstance(value, nn.Parameter)}
    needed = own if saved is None else [name for name in own if name in saved]
    missing = [name for name in needed if name not in found and own[name].data_ptr() not in tied]
    surplus = [name for name in found if name not in own]
    unlike = [name for name in found if name in own and found[name].shape != own[name].shape]
    wrong = (
        [f"{name} is missing" for name in missing if name not in buffers]
        + [f"{name} is not in this model" for name in surplus if not _declares_buffer(model, name)]
        + [f"{name} has shape {tuple(found[name].shape)}, not {tuple(own[name].shape)}" for name in unlike]
    )
    if wrong:
        raise TrainingError(
            f"the weights in {source} are of another model: {'; '.join(wrong[:5])}{' …' if len(wrong) > 5 else ''}",
            fix="build the model with the params those weights were trained with",
        )
    known = {name: part_like(value, own[name].detach()) for name, value in found.items() if name in own}
    model.load_state_dict(known, strict=False)
    return sorted(missing + surplus)


def _declares_buffer(model: nn.Module, name: str) -> bool:
    owner, _, leaf = name.rpartition(".")
    try:
        return leaf in model.get_submodule(owner)._buffers
    except AttributeError:
        return False


def _replace(scratch: Path, target: Path, aside: Path) -> None:
    """Rename `scratch` to `target`; what is there goes aside first, and `resume` restores it after a kill."""
    for path in (*scratch.iterdir(), scratch):
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
    if target.exists():
        target.rename(aside)
    scratch.rename(target)
    shutil.rmtree(aside, ignore_errors=True)
