"""Image files to pixels and back: upright, eight bits a channel, and never more pixels than fit in memory."""

import io
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from winnow.images import memory
from winnow.pipeline.errors import TableError
from winnow.pipeline.reading import reading, reason

Pixels = NDArray[np.uint8]
Mode = Literal["RGB", "L"]

MAX_PIXELS = 100_000_000
"""Width × height of the largest image that is decoded: an A3 page at 600 dpi has 70 million pixels. A file of a few
kilobytes can claim billions (a decompression bomb)."""
MIN_SIDE = 8
"""Smallest accepted length of the shorter side, in pixels."""
PNG = b"\x89PNG\r\n\x1a\n"
COMPRESSION = 4
"""zlib's level: a third of the default's time for 5% more bytes."""

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # `decode` refuses with a reason instead
warnings.filterwarnings("ignore", message=".*orrupt EXIF data", category=UserWarning)  # of a file that may be readable


class ImageError(Exception):
    """Why a file cannot be decoded; the message is the reason in a table of rejected rows."""


def decode(content: bytes, *, at_least: int | None = None) -> tuple[Pixels, tuple[int, int]]:
    """Decode an image file to RGB `(height, width, 3)`, with the width and height that the file has when upright.

    The EXIF orientation is applied, 16 bits a channel are scaled to 8, and transparent pixels are put on white. With
    `at_least` a JPEG much larger than that many pixels a side is decoded at a half, a quarter or an eighth of its size.
    Raises ImageError.
    """
    if not content:
        raise ImageError("the file is empty")
    with decoding("corrupt image"), Image.open(io.BytesIO(content)) as image:
        check_size(*image.size)
        size = image.size
        memory.claim(size[0] * size[1])
        if at_least is not None:
            image.draft("RGB", (at_least, at_least))
        stored = image.size
        pixels = shown_pixels(image)
        turned = pixels.shape[1::-1] != stored  # by a quarter; of a TIFF Pillow gives the upright size from the start
        return pixels, size[::-1] if turned else size


def shown_pixels(image: Image.Image) -> Pixels:
    """RGB `(height, width, 3)` of an opened image, or of the one of its frames that was sought: see `decode`."""
    return np.asarray(_opaque(_eight_bits(ImageOps.exif_transpose(image))))


def found(outcome: Pixels | ImageError) -> Pixels:
    """The pixels; raises the error that stands in their place. By `map`, an iterator goes on after such an error."""
    if isinstance(outcome, ImageError):
        raise outcome
    return outcome


@contextmanager
def decoding(what: str) -> Iterator[None]:
    """Raise ImageError, beginning with `what`, for whatever a decoder raises: the file's bytes decide what it is."""
    try:
        yield
    except ImageError:
        raise
    except UnidentifiedImageError:
        raise ImageError("not an image file") from None
    except Image.DecompressionBombError:
        raise ImageError(f"too large: more than {MAX_PIXELS:,} pixels") from None
    except Exception as error:
        raise ImageError(f"{what}: {reason(error)}") from None


def load_pixels(content: bytes, mode: Mode = "RGB") -> Pixels:
    """Pixels `(height, width, 3)`, or `(height, width)` for mode L, of an image that this library encoded."""
    fix = "bring the stage's images back with `dvc checkout --force`"
    with reading("an image of a store", "is damaged", fix=fix, error=TableError):
        check_png(content)
        with Image.open(io.BytesIO(content)) as image:
            return np.asarray(image.convert(mode))


def check_png(content: bytes) -> None:
    """Raise ValueError when a chunk of a PNG is not as its checksum says; Pillow does not look at those of pixels."""
    place, size = len(PNG), len(content)
    while content.startswith(PNG) and place < size:
        length = int.from_bytes(content[place : place + 4])
        end = place + 8 + length
        if zlib.crc32(content[place + 4 : end]) != int.from_bytes(content[end : end + 4]):
            raise ValueError("its checksum is another")
        place = end + 4


def encode_png(pixels: Pixels) -> bytes:
    """PNG of `(height, width, 3)` or `(height, width)`: the same bytes for the same pixels."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=COMPRESSION)
    return buffer.getvalue()


def check_size(width: int, height: int) -> None:
    """Raise ImageError for an image that is too small or too large to be decoded."""
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"too small: {width} × {height} pixels")
    if width * height > MAX_PIXELS:
        raise ImageError(f"too large: {width} × {height} pixels, and at most {MAX_PIXELS:,} are decoded")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey images of 16 bits scaled to 8, where Pillow would clip them; in colour Pillow keeps the higher byte itself.

    Raises ValueError for pixels of 32 bits, whose range is not known.
    """
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65535:
        raise ValueError("pixels of 32 bits; save it with 8 or 16 bits a channel")
    return Image.fromarray(np.rint(values.astype(np.float32) / 257).astype(np.uint8))


def _opaque(image: Image.Image) -> Image.Image:
    """RGB, as seen on a white page; without this a transparent pixel would show the colour stored under it."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    layers = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers).convert("RGB")
