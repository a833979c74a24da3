"""Features of frozen networks: computed once for a collection of images, for they never change, and kept between runs.

Folds of a cross-validation, seeds of a repetition and experiments share them.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from winnow.learn.devices import device_name
from winnow.learn.interrupt import check_stop
from winnow.learn.progress import told
from winnow.pipeline.cache import DiskCache, content_key
from winnow.pipeline.code import module_digest
from winnow.pipeline.console import say
from winnow.vision.loaders import decode
from winnow.vision.views import VIEWS, view

BATCH = 4
"""Images at a time. Always the same, for the last bits of a convolution may depend on it; and few, for glibc hands
tensors above 32 MB back to the system after every layer, which took longer than the layers did."""

MAX_BYTES = 32 * 2**30
"""Of all kept features together: EyePACS' 35,126 photographs with a head's inputs are 0.7 GB, at block 15 11 GB."""


class BlockNetwork(Protocol):
    """A network whose first part is a sequence of blocks, some of them frozen."""

    blocks: nn.Sequential
    frozen_blocks: int
    pooled_blocks: tuple[int, ...]

    def frozen(self, images: Tensor) -> Tensor:
        """What the frozen blocks make of images of bytes: `(rows, channels, h, w)`, pooled (h = w = 1) if all are."""


def frozen_features(network: BlockNetwork, images: Sequence[bytes]) -> Tensor:
    """Half-precision features `(images, VIEWS, channels, h, w)` of the network's frozen blocks, for each view."""
    count = network.frozen_blocks

    def compute(batch: Tensor) -> Tensor:
        return torch.stack([network.frozen(view(batch, number)) for number in range(VIEWS)], dim=1)

    pooled = f", pooled {network.pooled_blocks}" if count >= len(network.blocks) else ""
    what, code = f"{VIEWS} views, {count} blocks{pooled}", type(network).__module__
    return kept_features(what, code, network.blocks[:count], compute, images)


def kept_features(
    what: str, code: str, network: nn.Module, compute: Callable[[Tensor], Tensor], images: Sequence[bytes]
) -> Tensor:
    """`compute` of all images, in order: half-precision features on the CPU, mapped from the file they are kept in.

    `compute` turns a batch `(rows, 3, height, width)` of bytes, on the network's device, into features `(rows, …)`; it
    must depend on nothing but `what`, a description such as "pooled", the code of the module named `code` and of what
    that imports, and the weights of `network`. Features of another device, version of PyTorch, number of threads or CPU
    setting are not used: their last bits may differ. The images are read twice, in order and few at a time: for the
    key, and for the features if they have to be computed.
    """
    device = next(network.parameters()).device
    return kept_encoded_features(what, code, network, lambda encoded: compute(decode(encoded).to(device)), images)


def kept_encoded_features(
    what: str, code: str, network: nn.Module, compute: Callable[[Sequence[bytes]], Tensor], images: Sequence[bytes]
) -> Tensor:
    """As `kept_features`, for images of different sizes: `compute` gets a few encoded ones and decodes them itself.

    What it does with them, besides the network, must be part of `what`.
    """
    codes = f"code {module_digest(code)} {module_digest(__name__)}"
    key = content_key(_parts(f"{what}, {codes}, {_platform(next(network.parameters()).device)}", network, images))
    return kept_array("features", key, len(images), lambda: _computed(network, compute, images))


def kept_array(name: str, key: str, rows: int, compute: Callable[[], Iterator[Tensor]]) -> Tensor:
    """What `compute` yields, some rows at a time, `rows` in all: on the CPU, mapped from the file it is kept in.

    `key` must be a content key of all that it depends on, its code too: see `pipeline.cache` and `pipeline.code`.
    """
    return DiskCache(name, MAX_BYTES).obtain(key, lambda path: _write(path, rows, compute()), _read)


def _platform(device: torch.device) -> str:
    """What the last bits of features depend on, besides the network and the images."""
    settings = [f"{name}={os.environ.get(name, '')}" for name in ("MKL_CBWR", "ONEDNN_MAX_CPU_ISA")]
    cpu = torch.backends.cpu.get_cpu_capability()
    return ", ".join([torch.__version__, device_name(device), cpu, f"{torch.get_num_threads()} threads", *settings])


def _write(path: Path, rows: int, parts: Iterator[Tensor]) -> None:
    array: np.memmap[tuple[int, ...], np.dtype[Any]] | None = None
    start = 0
    for part in parts:
        values = part.numpy()
        if array is None:
            shape = (rows, *values.shape[1:])
            array = np.lib.format.open_memmap(path, mode="w+", dtype=values.dtype, shape=shape)
        array[start : start + len(values)] = values
        start += len(values)
    if array is None:
        raise ValueError("no image to compute features of")
    array.flush()


def _computed(
    network: nn.Module, compute: Callable[[Sequence[bytes]], Tensor], images: Sequence[bytes]
) -> Iterator[Tensor]:
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        starts = range(0, len(images), BATCH)
        lost = "the features are computed from the start again by the next run"
        for start in told(starts, lambda batch: f"features: {BATCH * batch:,} of {len(images):,} images …", say):
            check_stop(lost)
            yield compute(images[start : start + BATCH]).half().cpu()
    network.train(was_training)


def _read(path: Path) -> Tensor:
    return torch.from_numpy(np.load(path, mmap_mode="c"))


def _parts(what: str, network: nn.Module, images: Sequence[bytes]) -> Iterator[bytes | str]:
    yield what
    for name, value in sorted(network.state_dict().items()):
        yield name
        yield value.cpu().contiguous().numpy().tobytes()
    yield from images
