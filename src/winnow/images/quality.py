"""Brightness, colour and sharpness of a region of an image."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from winnow.images.codec import Pixels

Mask = NDArray[np.bool_]


def brightness(pixels: Pixels, region: Mask) -> float:
    """Mean of all channels over the region, 0 to 255."""
    return float(pixels[region].mean())


def mean_colours(pixels: Pixels, region: Mask) -> dict[str, float]:
    """Mean red, green and blue over the region, 0 to 255."""
    means = pixels[region].mean(axis=0)
    return {name: float(means[channel]) for channel, name in enumerate(("red", "green", "blue"))}


def relative_sharpness(grey: NDArray[np.float32], region: Mask) -> float:
    """Variance of the Laplacian over the region, in thousandths of the region's squared mean brightness.

    The variance of the Laplacian is the usual measure of focus (Pech-Pacheco et al. 2000); divided by the brightness, a
    dim image is not mistaken for a blurred one.
    """
    edges = ndimage.laplace(grey)[region]
    return float(1000 * edges.var() / max(float(grey[region].mean()), 1.0) ** 2)


def without_lighting(grey: NDArray[np.float32], region: Mask, reach: float) -> NDArray[np.float32]:
    """Each pixel's difference from the light around it, as a share of that light; 0 outside the region.

    The light is the region's Gaussian mean, its standard deviation `reach` pixels; differences are cut at ±60 of 255.
    """
    share = ndimage.gaussian_filter(region.astype(np.float32), reach)
    light = ndimage.gaussian_filter(grey * region, reach) / np.maximum(share, 1e-3)
    return np.where(region, np.clip(grey - light, -60, 60) / np.maximum(light, 16), 0).astype(np.float32)
