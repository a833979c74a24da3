"""The eight symmetries of a square image."""

from torch import Tensor

VIEWS = 8
"""Four rotations by multiples of 90 degrees, and the same of the mirrored image."""


def view(images: Tensor, number: int) -> Tensor:
    """View `number`, from 0, of images or square feature maps `(…, side, side)`."""
    mirrored = images.flip(-1) if number >= VIEWS // 2 else images
    return mirrored.rot90(number % (VIEWS // 2), (-2, -1))
