"""Measures of any image."""

import numpy as np
import pytest
from scipy import ndimage

from winnow.images.quality import brightness, mean_colours, relative_sharpness, without_lighting


@pytest.fixture
def grey() -> np.ndarray:
    return np.random.default_rng(0).uniform(60, 140, (40, 40)).astype(np.float32)


ALL = np.ones((40, 40), dtype=bool)


def test_light_and_colour_are_means_of_the_region() -> None:
    pixels = np.zeros((40, 40, 3), dtype=np.uint8)
    pixels[:10] = (30, 60, 90)
    region = np.zeros((40, 40), dtype=bool)
    region[:10] = True
    assert brightness(pixels, region) == 60
    assert brightness(pixels, ALL) == 15
    assert mean_colours(pixels, region) == {"red": 30, "green": 60, "blue": 90}


def test_sharpness_falls_with_blur_and_not_with_light(grey: np.ndarray) -> None:
    sharp = relative_sharpness(grey, ALL)
    by_hand = 1000 * np.var(ndimage.convolve(grey, np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]))) / grey.mean() ** 2
    assert sharp == pytest.approx(by_hand, rel=1e-3)
    assert relative_sharpness(0.3 * grey, ALL) == pytest.approx(sharp, rel=1e-3)
    assert relative_sharpness(ndimage.gaussian_filter(grey, 2), ALL) < 0.05 * sharp


def test_without_lighting_a_gradient_is_gone_and_details_stay(grey: np.ndarray) -> None:
    light = np.linspace(0.6, 1.4, 40, dtype=np.float32)[None, :]
    flat, lit = (without_lighting(each, ALL, 5.0) for each in (grey, grey * light))
    inner = np.s_[8:-8, 8:-8]
    assert np.corrcoef(flat[inner].ravel(), lit[inner].ravel())[0, 1] > 0.99
    assert abs(lit[:, 5:15].mean() - lit[:, 25:35].mean()) < 0.02
    half = ALL.copy()
    half[:, 20:] = False
    assert not without_lighting(grey, half, 5.0)[:, 20:].any()
