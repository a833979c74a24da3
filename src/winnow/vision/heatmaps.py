"""Heat maps of the image regions that raise a score: Grad-CAM (Selvaraju et al. 2017)."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional


def grad_cam(
    images: Tensor, features: Callable[[Tensor], Tensor], scores: Callable[[Tensor], Tensor], *, together: bool = False
) -> Tensor:
    """Heat maps `(rows, height, width)`, bytes on the CPU, 255 where the evidence for the image's score is strongest.

    `features` gives the last feature maps `(rows, channels, h, w)` of images `(rows, 3, height, width)`, and `scores`
    one score `(rows,)` of these maps. The maps are weighed by the mean gradient of the score and summed; negative
    values are set to 0, and each image's highest value is 255; with `together` the highest one of all images, which are
    parts of one then.
    """
    with torch.enable_grad():
        maps = features(images).detach().requires_grad_()
        (gradient,) = torch.autograd.grad(scores(maps).sum(), maps)
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    heat = torch.relu((weights * maps.detach()).sum(dim=1, keepdim=True))
    heat = functional.interpolate(heat, size=images.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
    top = (heat.amax() if together else heat.amax(dim=(1, 2), keepdim=True)).clamp(min=1e-12)
    return (heat / top * 255).round().to(torch.uint8).cpu()
