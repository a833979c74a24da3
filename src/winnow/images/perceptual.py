"""Near-duplicate images, found by perceptual hashes: similar images differ in few bits, whatever their encoding."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import dctn
from scipy.ndimage import zoom

SIDE = 64
"""Pixels of the thumbnail."""
KEPT = 16
"""Lowest frequencies kept in each direction: KEPT² bits."""
BLOCK = 512
"""Hashes compared with all others at a time."""


def perceptual_hash(grey: ArrayLike) -> str:
    """256 bits of a grey picture `(height, width)` as 64 hexadecimal digits (pHash, Zauner 2010).

    Each bit says whether one of the lowest frequencies of the cosine transform is above their median.
    """
    picture = np.asarray(grey, dtype=np.float32)
    small = zoom(picture, (SIDE / picture.shape[0], SIDE / picture.shape[1]), order=1, grid_mode=True, mode="nearest")
    frequencies = dctn(small, norm="ortho")[:KEPT, :KEPT].ravel()
    frequencies[0] = 0.0  # mean brightness says nothing about content
    return np.packbits(frequencies > np.median(frequencies)).tobytes().hex()


def near_groups(hashes: list[str], max_distance: int) -> NDArray[np.int64]:
    """For each hash the position of the first one of its group: hashes within `max_distance` bits are joined.

    Joining is transitive, so that no pair within the distance is ever separated.
    """
    if not hashes:
        return np.zeros(0, dtype=np.int64)
    signs = _signs(hashes)
    width = signs.shape[1]
    first = np.arange(len(hashes))

    def root(position: int) -> int:
        while first[position] != position:
            first[position] = first[first[position]]
            position = int(first[position])
        return position

    for start in range(0, len(signs), BLOCK):
        distance = (width - signs[start : start + BLOCK] @ signs[start:].T) / 2
        for row, column in np.argwhere(distance <= max_distance):
            if column > row:
                one, other = sorted((root(start + int(row)), root(start + int(column))))
                first[other] = one
    return np.array([root(position) for position in range(len(first))], dtype=np.int64)


def near_any(hashes: list[str], known: list[str], max_distance: int) -> NDArray[np.bool_]:
    """Whether each hash is within `max_distance` bits of one of the known ones."""
    if not hashes or not known:
        return np.zeros(len(hashes), dtype=np.bool_)
    signs, others = _signs(hashes), _signs(known)
    return np.asarray((signs.shape[1] - (signs @ others.T).max(axis=1)) / 2 <= max_distance, dtype=np.bool_)


def _signs(hashes: list[str]) -> NDArray[np.float32]:
    """The bits `(hashes, 256)` as -1 and 1, so that the product of two rows counts the bits that they share."""
    bits = np.unpackbits(np.array([list(bytes.fromhex(text)) for text in hashes], dtype=np.uint8), axis=1)
    return bits.astype(np.float32) * 2 - 1
