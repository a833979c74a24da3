"""What the network sees of a page: patches at the page's own resolution, and square pictures of the whole page."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from winnow.domains.documents.definitions import Tiling
from winnow.images.codec import Pixels, load_pixels
from winnow.images.opencv import cv2
from winnow.images.parallel import map_images

WHITE = 255


def places(page: Pixels, tiling: Tiling) -> NDArray[np.int64]:
    """The upper left corners `(patches, 2)` (row, column) of the patches of a page.

    Candidates tile the page. `inked` takes those with the most edges, `grid` takes them evenly; where a page has fewer
    tiles than patches, they repeat.
    """
    size = tiling.patch_size
    rows, columns = (_starts(max(side, size), size) for side in page.shape)
    tiles = np.array([(row, column) for row in rows for column in columns], dtype=np.int64)
    if tiling.choice == "grid":
        order = np.floor((np.arange(tiling.patches) + 0.5) * len(tiles) / tiling.patches).astype(np.int64)
        return tiles[order]
    edges = np.array([_edges(page[row : row + size, column : column + size]) for row, column in tiles])
    order = np.resize(np.argsort(-edges, kind="stable"), tiling.patches).astype(np.int64)
    return tiles[order]


def cut(page: Pixels, tiling: Tiling) -> NDArray[np.uint8]:
    """Patches and views of a page, one after another, as one row of bytes; `split` takes it apart."""
    size = tiling.patch_size
    missing = [max(size - side, 0) for side in page.shape]
    padded = np.pad(page, [(0, missing[0]), (0, missing[1])], constant_values=WHITE)
    patches = [padded[row : row + size, column : column + size] for row, column in places(page, tiling)]
    return np.concatenate([part.ravel() for part in (*patches, *(_view(page, side) for side in tiling.views))])


def cut_all(images: Sequence[bytes], tiling: Tiling) -> Tensor:
    """Bytes `(images, length)`: `cut` of every encoded page, on all cores."""
    rows = list(map_images(lambda content: cut(load_pixels(content, "L"), tiling), images))
    return torch.from_numpy(np.stack(rows))


def split(rows: Tensor, tiling: Tiling) -> tuple[Tensor, list[Tensor]]:
    """Patches `(rows, patches, size, size)` and each view `(rows, side, side)` of what `cut_all` made."""
    lengths = [tiling.patches * tiling.patch_size**2, *(side**2 for side in tiling.views)]
    patches, *views = torch.split(rows, lengths, dim=1)
    count = rows.shape[0]  # `len` would fix it in an ONNX file
    shape = (count, tiling.patches, tiling.patch_size, tiling.patch_size)
    return patches.reshape(shape), [
        view.reshape(count, side, side) for view, side in zip(views, tiling.views, strict=True)
    ]


def mirrored(rows: Tensor, tiling: Tiling, number: int) -> Tensor:
    """The same with every part mirrored: 0 not at all, 1 left to right, 2 top to bottom, 3 both."""
    flips = [dim for dim, on in ((-1, number & 1), (-2, number & 2)) if on]
    patches, views = split(rows, tiling)
    return torch.cat([part.flip(flips).reshape(len(rows), -1) for part in (patches, *views)], dim=1)


def _view(page: Pixels, side: int) -> Pixels:
    """The whole page in a white square."""
    share = side / max(page.shape)
    size = max(round(page.shape[1] * share), 1), max(round(page.shape[0] * share), 1)
    square = np.full((side, side), WHITE, dtype=np.uint8)
    square[: size[1], : size[0]] = cv2.resize(page, size, interpolation=cv2.INTER_AREA)
    return square


def _starts(length: int, size: int) -> NDArray[np.int64]:
    """Where tiles begin along a side of the page: edge to edge, the last one ending with the side."""
    return np.unique(np.append(np.arange(0, length - size + 1, size), length - size))


def _edges(tile: Pixels) -> float:
    across, down = cv2.absdiff(tile[:, 1:], tile[:, :-1]), cv2.absdiff(tile[1:], tile[:-1])
    return float(cv2.sumElems(across)[0] + cv2.sumElems(down)[0])
