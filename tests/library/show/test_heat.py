"""A heat map over its image: nothing where it is dark, and over half of the colour where it is brightest."""

import numpy as np
import pytest
from matplotlib import colormaps

from winnow.images.codec import encode_png
from winnow.show.heat import overlay


@pytest.mark.parametrize(("level", "opacity"), [(0, 0.0), (51, 0.11), (255, 0.55)])
def test_the_image_shines_through_by_how_weak_the_evidence_is(level: int, opacity: float) -> None:
    image = np.random.default_rng(0).integers(256, size=(6, 8, 3), dtype=np.uint8)
    found = overlay(encode_png(image), encode_png(np.full((3, 4), level, np.uint8)))
    colour = np.array(colormaps["inferno"](level)[:3]) * 255
    assert np.abs(found - (image * (1 - opacity) + colour * opacity)).max() <= 1
