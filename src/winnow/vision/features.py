"""Features of frozen networks: computed once for a collection of images, for they never change, and kept between runs.

Folds of a cross-validation, seeds of a repetition and experiments share them.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from winnow.learn.devices import device_name
from winnow.pipeline.kept import Kept, content_key
from winnow.vision.loaders import decode
from winnow.vision.views import VIEWS, view

BATCH = 4
"""Images at a time. Always the same, for the last bits of a convolution may depend on it; and few, for glibc hands
tensors above 32 MB back to the system after every layer, which took longer than the layers did."""

MAX_BYTES = 32 * 2**30
"""Of all kept features together: EyePACS' 35,126 photographs with a head's inputs are 0.7 GB, at block 15 11 GB."""


class BlockNetwork(Protocol):
    """A network whose first part is a sequence of blocks."""

    blocks: nn.Sequential

    def features(self, images: Tensor, stop: int | None = None) -> Tensor:
        """Feature maps `(rows, channels, h, w)` that the first `stop` blocks make of images of bytes."""


def frozen_features(network: BlockNetwork, frozen_blocks: int, images: Sequence[bytes]) -> Tensor:
    """Half-precision features `(images, VIEWS, channels, h, w)` of the first `frozen_blocks` blocks, for each view.

    When all blocks are frozen the features are pooled (h = w = 1): a head needs no more.
    """
    pooled = frozen_blocks >= len(network.blocks)

    def compute(batch: Tensor) -> Tensor:
        maps = [network.features(view(batch, number), stop=frozen_blocks) for number in range(VIEWS)]
        return torch.stack([each.mean(dim=(2, 3), keepdim=True) if pooled else each for each in maps], dim=1)

    what = f"{VIEWS} views, {frozen_blocks} blocks{', pooled' * pooled}"
    return kept_features(what, network.blocks[:frozen_blocks], compute, images)


def kept_features(
    what: str, network: nn.Module, compute: Callable[[Tensor], Tensor], images: Sequence[bytes]
) -> Tensor:
    """`compute` of all images, in order: half-precision features on the CPU, mapped from the file they are kept in.

    `compute` turns a batch `(rows, 3, height, width)` of bytes, on the network's device, into features `(rows, …)`; it
    must depend on nothing but `what`, a description such as "pooled", and the weights of `network`. Features of another
    device, version of PyTorch, number of threads or CPU setting are not used: their last bits may differ. The images
    are read twice, in order and few at a time: for the key, and for the features if they have to be computed.
    """
    key = content_key(_parts(f"{what}, {_platform(next(network.parameters()).device)}", network, images))
    return Kept("features", MAX_BYTES).obtain(key, lambda path: _write(path, network, compute, images), _read)


def _platform(device: torch.device) -> str:
    """What the last bits of features depend on, besides the network and the images."""
    settings = [f"{name}={os.environ.get(name, '')}" for name in ("MKL_CBWR", "ONEDNN_MAX_CPU_ISA")]
    cpu = torch.backends.cpu.get_cpu_capability()
    return ", ".join([torch.__version__, device_name(device), cpu, f"{torch.get_num_threads()} threads", *settings])


def _write(path: Path, network: nn.Module, compute: Callable[[Tensor], Tensor], images: Sequence[bytes]) -> None:
    was_training = network.training
    network.eval()
    features: np.memmap[tuple[int, ...], np.dtype[np.float16]] | None = None
    with torch.inference_mode():
        for start, part in _computed(next(network.parameters()).device, compute, images):
            if features is None:
                shape = (len(images), *part.shape[1:])
                features = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=shape)
            features[start : start + len(part)] = part.numpy()
    if features is None:
        raise ValueError("no image to compute features of")
    features.flush()
    network.train(was_training)


def _computed(
    device: torch.device, compute: Callable[[Tensor], Tensor], images: Sequence[bytes]
) -> Iterator[tuple[int, Tensor]]:
    for start in range(0, len(images), BATCH):
        yield start, compute(decode(images[start : start + BATCH]).to(device)).half().cpu()


def _read(path: Path) -> Tensor:
    return torch.from_numpy(np.load(path, mmap_mode="c"))


def _parts(what: str, network: nn.Module, images: Sequence[bytes]) -> Iterator[bytes | str]:
    yield what
    for name, value in sorted(network.state_dict().items()):
        yield name
        yield value.cpu().contiguous().numpy().tobytes()
    yield from images
