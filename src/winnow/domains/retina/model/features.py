"""What a frozen network makes of every photograph, computed once: it never changes, so neither does this.

Kept in `.winnow/features/` under a name made of the network's weights and the photographs' bytes, so that the folds of
a cross-validation and the seeds of a repetition share it. Removing the folder costs time and changes nothing.
"""

import hashlib
from collections.abc import Callable, Sequence

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from winnow.domains.retina.model.network import Grader
from winnow.domains.retina.model.photographs import VIEWS, decode, view
from winnow.pipeline.files import atomic_path
from winnow.pipeline.ledger import state_folder

BATCH = 4
"""Photographs at a time. Always the same, for the last bits of a convolution may depend on it; and few, for glibc
hands tensors above 32 MB back to the system after every layer, which took longer than the layers did."""

KEPT_FILES = 4
"""The store is for what is worked on now."""


def frozen_features(model: Grader, pngs: Sequence[bytes]) -> Tensor:
    """Half-precision features `(rows, VIEWS, channels, h, w)` of the model's frozen blocks, for each view.

    When every block is frozen they are pooled already (h = w = 1): the head asks for no more.
    """
    frozen = model.blocks[: model.frozen_blocks]
    pooled = model.frozen_blocks >= len(model.blocks)

    def of(images: Tensor) -> Tensor:
        made = [model.features(view(images, number), stop=model.frozen_blocks) for number in range(VIEWS)]
        return torch.stack([maps.mean(dim=(2, 3), keepdim=True) if pooled else maps for maps in made], dim=1).half()

    return _kept(f"views {VIEWS} blocks {model.frozen_blocks}", frozen, pngs, of)


def pooled_features(model: Grader, pngs: Sequence[bytes]) -> Tensor:
    """The mean of the last feature maps `(rows, channels)` of the photographs as they are."""
    return _kept("pooled", model.blocks, pngs, lambda images: model.features(images).mean(dim=(2, 3)))


def _kept(what: str, network: nn.Module, pngs: Sequence[bytes], of: Callable[[Tensor], Tensor]) -> Tensor:
    file = state_folder() / "features" / "retina" / f"{_name(what, network, pngs)}.safetensors"
    if file.exists():
        file.touch()
        return load_file(file)["features"]
    was_training = network.training
    network.eval()
    with torch.inference_mode():
        parts = [of(decode(pngs[start : start + BATCH])) for start in range(0, len(pngs), BATCH)]
    network.train(was_training)
    features = torch.cat(parts).contiguous()
    with atomic_path(file) as scratch:
        save_file({"features": features}, scratch)
    for old in sorted(file.parent.glob("*.safetensors"), key=lambda kept: kept.stat().st_mtime)[:-KEPT_FILES]:
        old.unlink(missing_ok=True)
    return features


def _name(what: str, network: nn.Module, pngs: Sequence[bytes]) -> str:
    digest = hashlib.sha256(what.encode())
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode() + value.contiguous().numpy().tobytes())
    for png in pngs:
        digest.update(hashlib.sha256(png).digest())
    return digest.hexdigest()[:16]
