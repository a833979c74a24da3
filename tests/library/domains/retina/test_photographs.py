"""From files to prepared photographs: cropping, contrast and measures."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy import ndimage

from winnow.domains.retina.definitions import Preparation
from winnow.domains.retina.source.fundus import draw_fundus
from winnow.domains.retina.source.photographs import (
    ben_graham,
    crop_to_retina,
    prepare,
    prepared_retina,
    retina_mask,
)
from winnow.images.resizing import resize_square

SIZE = 64


def jpeg(image: Image.Image, quality: int = 92) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=quality)
    return buffer.getvalue()


@pytest.fixture
def fundus() -> Image.Image:
    return draw_fundus(2, True, 160, np.random.default_rng(3))


def measures(image: Image.Image, *, crop: bool = True) -> dict[str, float]:
    return prepare(jpeg(image), Preparation(SIZE, crop, contrast=False)).measures  # type: ignore[return-value]


def test_the_retina_fills_the_square_wherever_it_lay(fundus: Image.Image) -> None:
    wide = Image.new("RGB", (400, 200))
    wide.paste(fundus, (210, 30))
    square = np.asarray(Image.open(io.BytesIO(prepare(jpeg(wide), Preparation(SIZE, crop=True, contrast=False)).png)))
    assert square.shape == (SIZE, SIZE, 3)
    mask = retina_mask(square)
    assert mask[:, SIZE // 2].mean() > 0.95
    assert mask[SIZE // 2].mean() > 0.95
    found = measures(wide)
    assert (found["width"], found["height"]) == (400, 200)
    assert found["retina_share"] == pytest.approx(np.pi / 4, abs=0.03)


def test_a_retina_cut_off_above_and_below_keeps_its_shape(fundus: Image.Image) -> None:
    cut = np.asarray(fundus)[30:130]
    square = crop_to_retina(cut, retina_mask(cut))
    assert square.shape[0] == square.shape[1]
    assert not square[0].any()
    assert not square[-1].any()


def test_a_retina_that_is_hardly_there_is_not_cropped_to(fundus: Image.Image) -> None:
    photograph, mask = np.asarray(fundus)[:100], np.zeros((100, np.asarray(fundus).shape[1]), dtype=bool)
    mask[:, 20:27] = True
    square = crop_to_retina(photograph, mask)
    assert square.shape[0] == square.shape[1] == photograph.shape[1]


def test_flaws_show_in_the_measures(fundus: Image.Image) -> None:
    good = measures(fundus)
    assert measures(fundus.point(lambda value: value * 0.15))["brightness"] < 0.2 * good["brightness"]
    assert measures(fundus.filter(ImageFilter.GaussianBlur(7)))["sharpness"] < 0.1 * good["sharpness"]
    # A dim photograph is not taken for a blurred one.
    assert measures(fundus.point(lambda value: value * 0.5))["sharpness"] > 0.7 * good["sharpness"]
    assert measures(Image.new("RGB", (100, 100), (3, 3, 3)))["retina_share"] == 0


def test_contrast_takes_the_light_out_and_leaves_the_lesions() -> None:
    lit = np.asarray(draw_fundus(3, True, 128, np.random.default_rng(5)))
    dim = (lit * 0.6).astype(np.uint8)
    inner = np.s_[40:88, 40:88]
    apart = np.abs(lit[inner].astype(int) - dim[inner]).mean()
    lifted_lit, lifted_dim = ben_graham(lit), ben_graham(dim)
    assert np.abs(lifted_lit[inner].astype(int) - lifted_dim[inner]).mean() < 0.5 * apart
    assert lifted_lit[inner].std() > 20
    assert (lifted_lit[0, 0] == 128).all()


def test_contrast_leaves_no_bright_rim_round_or_cut_off() -> None:
    """The contrast with the black around stands out from what the retina itself shows by more than its lesions do."""
    whole = np.asarray(draw_fundus(0, True, 200, np.random.default_rng(5)))
    for photograph in (whole, np.concatenate([np.zeros_like(whole[:20]), whole[40:160], np.zeros_like(whole[:20])])):
        square = resize_square(crop_to_retina(photograph, retina_mask(photograph)), 200)
        lifted = ben_graham(square)
        shown = prepared_retina(lifted, Preparation(200, crop=True, contrast=True))
        edge = shown & ~ndimage.binary_erosion(shown, iterations=8)
        assert 0.5 < shown.mean() / retina_mask(square).mean() < 0.9
        assert (lifted[edge] == 255).mean() < 0.01
    assert not prepared_retina(whole, Preparation(200, crop=True, contrast=False))[0].any()
