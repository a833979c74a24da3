"""Near-duplicate images, found by perceptual hashes: similar images differ in few bits, whatever their encoding."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import dctn
from scipy.ndimage import zoom
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SIDE = 64
"""Pixels of the thumbnail."""
KEPT = 16
"""Lowest frequencies kept in each direction: KEPT² bits."""
BLOCK = 512
"""Hashes compared with all others at a time."""
FEW = 4096
"""Up to so many hashes each is compared with all others."""
PART_BITS = 16
"""Of a hash, at most, in a part of it."""
DEARER = 16
"""Times as much as by a product of matrices it takes to compare a pair by itself."""
PAIRS = 1_000_000
"""Pairs that are compared at a time; memory only."""


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
    groups = np.arange(len(hashes))
    held, number = [(groups, groups)], 0
    for pairs in _near_pairs(_bits(hashes), max_distance) if hashes else ():
        held.append(pairs)
        number += len(pairs[0])
        if number > PAIRS:
            groups = _joined(held)
            held, number = [(np.arange(len(hashes)), groups)], 0
    return _joined(held)


def _joined(pairs: list[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> NDArray[np.int64]:
    """The first one that each is connected with; the first of the `pairs` tells of all."""
    first, second = (np.concatenate(each) for each in zip(*pairs, strict=True))
    rows = len(pairs[0][0])
    edges = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(rows, rows))
    _, group = connected_components(edges, directed=False)
    _, start, member = np.unique(group, return_index=True, return_inverse=True)
    firsts: NDArray[np.int64] = start[member]
    return firsts


def _near_pairs(bits: NDArray[np.uint8], most: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Positions of the first and the second of each pair within `most` bits, the first one before; some pairs twice.

    Of many hashes only those are compared that agree, but for one bit, in some part (multi-index hashing, Norouzi et
    al. 2012): cut into more than `most` / 2 parts, two hashes that are near differ by at most one bit in one of them.
    Where too many agree in parts, all are compared.
    """
    parts = np.array_split(np.arange(bits.shape[1]), max(most // 2 + 1, bits.shape[1] // PART_BITS))
    keys = [(bits[:, part] @ (1 << np.arange(len(part)))).astype(np.int64) for part in parts if len(bits) > FEW]
    flips = [[0, *(1 << np.arange(len(part)))] for part in parts]
    compared = sum(_agreeing(key, each) for key, each in zip(keys, flips, strict=False))
    if len(bits) <= FEW or compared > len(bits) ** 2 / DEARER:
        yield from _pairs_of_all(bits, most)
        return
    words = np.packbits(bits, axis=1).view(np.uint64)
    for key, flipped in zip(keys, flips, strict=True):
        order = np.argsort(key, kind="stable")
        known = np.searchsorted(key[order], np.arange(2 ** (len(flipped) - 1) + 1))
        for flip in flipped:
            begin, number = known[key ^ flip], known[(key ^ flip) + 1] - known[key ^ flip]
            for block in np.split(np.arange(len(bits)), np.flatnonzero(np.diff(np.cumsum(number) // PAIRS)) + 1):
                first = np.repeat(block, number[block])
                place = np.arange(len(first)) - np.repeat(np.cumsum(number[block]) - number[block], number[block])
                second = order[np.repeat(begin[block], number[block]) + place]
                first, second = first[first < second], second[first < second]
                near = np.bitwise_count(words[first] ^ words[second]).sum(axis=1, dtype=np.int64) <= most
                yield first[near], second[near]


def _agreeing(key: NDArray[np.int64], flips: list[int]) -> int:
    """How many pairs have a part in common, but for the bits of one of the flips; each pair counts twice."""
    found, times = np.unique(key, return_counts=True)
    counts = dict(zip(found.tolist(), times.tolist(), strict=True))
    return sum(own * counts.get(part ^ int(flip), 0) for flip in flips for part, own in counts.items())


def _pairs_of_all(bits: NDArray[np.uint8], most: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The same by comparing each hash with all that follow."""
    signs, width = _signs(bits), bits.shape[1]
    for start in range(0, len(signs), BLOCK):
        first, second = np.nonzero((width - signs[start : start + BLOCK] @ signs[start:].T) / 2 <= most)
        yield start + first[first < second], start + second[first < second]


def near_any(hashes: list[str], known: list[str], max_distance: int) -> NDArray[np.bool_]:
    """Whether each hash is within `max_distance` bits of one of the known ones."""
    if not hashes or not known:
        return np.zeros(len(hashes), dtype=np.bool_)
    signs, others = _signs(_bits(hashes)), _signs(_bits(known))
    return np.asarray((signs.shape[1] - (signs @ others.T).max(axis=1)) / 2 <= max_distance, dtype=np.bool_)


def _bits(hashes: list[str]) -> NDArray[np.uint8]:
    """`(hashes, 256)`, each 0 or 1."""
    return np.unpackbits(np.frombuffer(bytes.fromhex("".join(hashes)), dtype=np.uint8).reshape(len(hashes), -1), axis=1)


def _signs(bits: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The bits `(hashes, 256)` as -1 and 1, so that the product of two rows counts the bits that they share."""
    return bits.astype(np.float32) * 2 - 1
