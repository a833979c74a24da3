"""Image files decoded upright and at eight bits, within bounds, and what is refused."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from winnow.images import codec
from winnow.images.codec import ImageError, decode, encode_png, load_pixels
from winnow.images.resizing import pad_to_square, resize_square
from winnow.pipeline.errors import TableError

ORIENTATION = 0x0112


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=form, **options)
    return buffer.getvalue()


def png16(values: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel, grey `(h, w)` or RGB `(h, w, 3)`, written by hand: Pillow writes no such RGB."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, 0 if values.ndim == 2 else 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def shape() -> np.ndarray:
    """A picture without any symmetry: 24 high, 40 wide, bright above on the left."""
    pixels = np.full((24, 40, 3), 30, dtype=np.uint8)
    pixels[:8, :16] = (250, 200, 100)
    return pixels


# What a camera stores for each orientation so that the picture above is seen upright (EXIF 2.3, tag 0x0112).
STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: np.rot90(p, -1),
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF"])
def test_every_exif_orientation_is_turned_upright(orientation: int, form: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"quality": 100, "subsampling": 0} if form == "JPEG" else {}
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](shape())))
    pixels, size = decode(encoded(stored, form, exif=exif, **options))
    assert size == (40, 24)
    assert pixels.shape == (24, 40, 3)
    assert np.abs(pixels.astype(int) - shape()).max() <= (12 if form == "JPEG" else 0)


def test_a_large_turned_jpeg_is_decoded_smaller_and_its_own_upright_size_is_given() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    turned = Image.fromarray(np.rot90(shape())).resize((960, 1600))
    pixels, size = decode(encoded(turned, "JPEG", exif=exif), at_least=128)
    assert size == (1600, 960)
    assert 128 <= pixels.shape[0] < 480
    assert pixels.shape[1] > pixels.shape[0]
    assert pixels[5, 5].min() > 80 > pixels[-5, -5].max()


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    ramp = np.linspace(0, 65535, 32 * 32).reshape(32, 32).round().astype(np.uint16)
    grey, _ = decode(png16(ramp))
    assert (grey == np.rint(ramp / 257)[..., None]).all()
    tiff, _ = decode(encoded(Image.fromarray(ramp), "TIFF"))
    assert (tiff == grey).all()
    colour = np.stack([ramp, ramp[::-1], ramp.T], axis=2)
    decoded, _ = decode(png16(colour))
    assert decoded.astype(float) == pytest.approx(colour / 257, abs=1)  # Pillow takes the higher byte


def test_palettes_grey_and_transparency_become_rgb() -> None:
    for mode in ("P", "L", "RGBA", "1", "CMYK"):
        form = "TIFF" if mode == "CMYK" else "PNG"
        pixels, _ = decode(encoded(Image.fromarray(shape()).convert(mode), form))
        assert pixels.shape == (24, 40, 3)
        assert pixels[2, 2].min() > pixels[-2, -2].max()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_are_white(mode: str) -> None:
    image = Image.fromarray(np.zeros((24, 40), dtype=np.uint8))  # black under a mask that hides the left half
    mask = np.repeat([[0, 255]], 20, axis=1).repeat(24, axis=0).astype(np.uint8)
    options = {}
    if mode == "P":
        image = Image.fromarray(mask // 255).convert("P")
        image.putpalette([0, 0, 0] * 256)
        options = {"transparency": 0}
    else:
        image = image.convert(mode)
        image.putalpha(Image.fromarray(mask))
    pixels, _ = decode(encoded(image, "PNG", **options))
    assert (pixels[:, :20] == 255).all()
    assert (pixels[:, 20:] == 0).all()


def bomb(width: int, height: int) -> bytes:
    """The head of a PNG that claims this size; whoever decoded it would allocate it."""
    small = encode_png(np.zeros((16, 16, 3), dtype=np.uint8))
    header = b"IHDR" + struct.pack(">II", width, height) + small[24:29]
    return small[:12] + header + struct.pack(">I", zlib.crc32(header)) + small[33:]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"<html>no photograph</html>", "not an image file"),
        (encoded(Image.new("RGB", (300, 300), (90, 40, 20)), "JPEG")[:700], "corrupt image"),
        (encoded(Image.new("RGB", (300, 300), (90, 40, 20)), "PNG")[:200], "corrupt image"),
        (encoded(Image.new("RGB", (6, 60)), "PNG"), "too small: 6 × 60 pixels"),
        (bomb(10_001, 10_000), "too large: 10001 × 10000 pixels, and at most 100,000,000 are decoded"),
        (bomb(100_000, 100_000), "too large: more than 100,000,000 pixels"),
        (encoded(Image.fromarray(np.ones((20, 20), dtype=np.float32)), "TIFF"), "pixels of 32 bits"),
        (encoded(Image.fromarray(np.full((20, 20), 70_000, dtype=np.int32)), "TIFF"), "pixels of 32 bits"),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_no_image_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        decode(content)


def test_the_limit_is_inclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "MAX_PIXELS", 24 * 40)
    assert decode(encode_png(shape()))[0].shape == (24, 40, 3)
    monkeypatch.setattr(codec, "MAX_PIXELS", 24 * 40 - 1)
    with pytest.raises(ImageError, match="too large: 40 × 24"):
        decode(encode_png(shape()))


def test_what_is_encoded_loads_again_and_is_the_same_bytes() -> None:
    assert (load_pixels(encode_png(shape())) == shape()).all()
    assert (load_pixels(encode_png(shape()[..., 0]), "L") == shape()[..., 0]).all()
    assert encode_png(shape()) == encode_png(shape())


def test_squares_are_padded_evenly_and_resized() -> None:
    square = pad_to_square(shape())
    assert square.shape == (40, 40, 3)
    assert (square[8:32] == shape()).all()
    assert not square[:8].any()
    assert not square[32:].any()
    means = square.reshape(20, 2, 20, 2, 3).mean(axis=(1, 3))
    assert resize_square(square, 20) == pytest.approx(means, abs=0.51)
    assert resize_square(square, 64).shape == (64, 64, 3)
    assert (resize_square(square, 40) == square).all()


def test_a_changed_bit_of_a_stored_image_is_told_wherever_it_lies() -> None:
    """Pillow does not look at the checksums of a PNG's pixels: it would give others."""
    stored = encode_png(np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))
    silent = 0
    for place in range(len(stored)):
        damaged = bytearray(stored)
        damaged[place] ^= 1
        with pytest.raises(TableError, match="an image of a store is damaged"):
            load_pixels(bytes(damaged))
        try:
            Image.open(io.BytesIO(damaged)).load()
            silent += 1
        except (OSError, SyntaxError, ValueError):
            pass
    assert silent, "Pillow tells of none of these"
    assert load_pixels(stored).shape == (16, 16, 3)


def test_a_narrow_image_is_not_padded_to_gigabytes() -> None:
    side = int(codec.MAX_PIXELS**0.5)
    with pytest.raises(ImageError, match=rf"too narrow: 8 × {side + 1} pixels, and a square of at most 100,000,000"):
        pad_to_square(np.zeros((side + 1, 8, 3), dtype=np.uint8))
    assert pad_to_square(np.zeros((300, 8, 3), dtype=np.uint8)).shape == (300, 300, 3)


def test_of_warnings_only_those_of_damaged_exif_are_silenced() -> None:
    """In the process that loads it, whatever its other libraries warn of."""
    told = ["Corrupt EXIF data.  Expecting to read 4 bytes but only got 0.", "Possibly corrupt EXIF data.", "The rest."]
    warned = "".join(f"warnings.warn({each!r}, UserWarning, stacklevel=1);" for each in told)
    program = f"import warnings; import winnow.images.codec; {warned}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert [each for each in told if f"UserWarning: {each}" in done.stderr] == ["The rest."]
