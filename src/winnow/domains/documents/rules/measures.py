"""What can be measured of a page without a network: its sharpness, noise, contrast, light, skew, blocks and edges.

These figures stand beside the network's features, and are all that the baseline of trees knows. They are shares,
ratios and logarithms, so that pages of any size compare.
"""

import numpy as np
from numpy.typing import NDArray

from winnow.domains.documents.rules.ink import (
    cut_sides,
    grey_counts,
    ink_mask,
    letters,
    not_paper,
    printed_share,
    text_height,
)
from winnow.images.codec import Pixels
from winnow.images.opencv import cv2

LEVELS = 4
"""Octaves of the Laplacian pyramid."""
TILES = 12
"""A page is measured in so many tiles, each way."""
ANGLES = np.arange(-13, 13.01, 0.5)
"""Degrees at which the page's lines are looked for."""
PROFILE_SIDE = 360
"""Pixels of the thumbnail in which they are."""
NEAR = 8
"""Pixels from ink that belong to print."""

TEXT_HEIGHT, PRINTED_SHARE = "text_height", "printed_share"
"""Measures that verdicts rest on: see `definitions.decide`."""

STEP_SHARES = (75, 90, 95, 99)
GREYS = (1, 5, 25, 50, 75, 95, 99)
TILE_SHARES = (5, 25, 50, 75, 95)


def measure(page: Pixels) -> dict[str, float]:
    """Every measure of a grey page `(height, width)`; the names are `NAMES`, in this order."""
    ink, added = ink_mask(page), not_paper(page)
    greys, of_ink = grey_counts(page), grey_counts(page, ink)
    levels = _median(greys - of_ink), _median(of_ink)
    return {
        **_greys(greys, int(of_ink.sum()), levels),
        **_sharpness(page, ink, levels),
        **_noise(page),
        **_light(page),
        **_blocks(page, greys),
        **_lines(ink),
        **_edges(page, ink, added),
        TEXT_HEIGHT: text_height(letters(ink)),
        PRINTED_SHARE: printed_share(page, added),
    }


def _greys(counts: NDArray[np.int64], ink: int, levels: tuple[float, float]) -> dict[str, float]:
    """Percentiles of grey, ink share, and the contrast between the paper and ink, whose median greys are `levels`."""
    size, greys = int(counts.sum()), np.arange(256)
    below = np.cumsum(counts) / size
    percentiles = {f"grey_{share}": float(np.searchsorted(below, share / 100)) / 255 for share in GREYS}
    paper, dark = levels
    return {
        **percentiles,
        "white_share": float(counts[250:].sum() / size),
        "ink_share": ink / size,
        "ink_grey": dark / 255,
        "contrast": (paper - dark) / 255,
        "middle_share": float(counts[(greys > dark + 20) & (greys < paper - 20)].sum() / size),
    }


def _median(counts: NDArray[np.int64]) -> float:
    below = np.cumsum(counts)
    return float(np.searchsorted(below, below[-1] / 2)) if below[-1] else 128.0


def _sharpness(page: Pixels, ink: NDArray[np.bool_], levels: tuple[float, float]) -> dict[str, float]:
    """Energy in each octave, and how steep the steepest edges are, absolutely and relative to the contrast.

    Of the surroundings of ink, so that a page with little on it is as sharp as a full one; of the whole page if blank.
    """
    near, around = _within(ink, NEAR), _within(ink, 1)
    current = page.astype(np.float32)
    energies = []
    for level in range(LEVELS):
        smooth = cv2.GaussianBlur(current, (5, 5), 1.0)
        detail = cv2.subtract(current, smooth)[near[:: 2**level, :: 2**level]]
        energies.append(float(np.log(np.mean(np.square(detail, out=detail), dtype=np.float64) + 1e-2)))
        current = np.ascontiguousarray(smooth[::2, ::2])
    found = {f"energy_{level}": value for level, value in enumerate(energies)}
    found |= {f"energy_step_{level}": energies[level] - energies[level + 1] for level in range(LEVELS - 1)}
    steps = cv2.max(cv2.absdiff(page[1:, 1:], page[1:, :-1]), cv2.absdiff(page[1:, 1:], page[:-1, 1:]))
    below = grey_counts(steps, near[1:, 1:]).cumsum() / max(int(near[1:, 1:].sum()), 1)  # type: ignore[arg-type]
    steep = {share: float(np.searchsorted(below, share / 100)) for share in STEP_SHARES}
    found |= {f"step_{share:g}": value / 255 for share, value in steep.items()}
    span = max(levels[0] - levels[1], 10.0)
    found["edge_steepness"] = steep[95] / span
    found["flat_share"] = float(grey_counts(steps)[0] / steps.size)  # type: ignore[arg-type]
    squares = np.square(cv2.Laplacian(page, cv2.CV_16S), dtype=np.int32)
    printed, whole = int(squares[around].sum(dtype=np.int64)), int(squares.sum(dtype=np.int64))
    size = int(around.sum())
    for name, total, pixels in (("ink", printed, size), ("paper", whole - printed, page.size - size)):
        found[f"laplacian_{name}"] = float(np.log(total / pixels + 1)) if pixels else 0.0
    return found


def _within(ink: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Pixels no further than `reach` from ink; all of them on a blank page."""
    side = 2 * reach + 1
    near = cv2.dilate(ink.astype(np.uint8), np.ones((side, side), np.uint8)).astype(bool)
    return near if near.any() else ~near


def _noise(page: Pixels) -> dict[str, float]:
    """Grain in the quietest and in other tiles (Immerkær 1996), and isolated specks."""
    second = np.array([1, -2, 1], dtype=np.float32)  # difference, along rows and columns
    tiles = _tiles(np.abs(cv2.sepFilter2D(page, cv2.CV_16S, second, second)).astype(np.float32))
    found = {
        f"grain_{share}": float(np.log1p(value))
        for share, value in zip(TILE_SHARES, np.percentile(tiles, TILE_SHARES), strict=True)
    }
    alone = grey_counts(cv2.absdiff(page, cv2.medianBlur(page, 3)))  # type: ignore[arg-type]
    changed = float(alone @ np.arange(256)) / page.size
    return found | {"speck_share": float(alone[61:].sum() / page.size), "median_change": changed}


def _light(page: Pixels) -> dict[str, float]:
    """The paper without its print (a closing removes the print): its level, spread and slope over the page."""
    small = cv2.resize(page, (max(page.shape[1] // 2, 8), max(page.shape[0] // 2, 8)), interpolation=cv2.INTER_AREA)
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((11, 11), np.uint8)).astype(np.float32)
    tiles = _tiles(paper) / 255
    spread = _tiles((paper - cv2.blur(paper, (25, 25))) ** 2)
    found = {
        f"paper_{share}": float(value)
        for share, value in zip(TILE_SHARES, np.percentile(tiles, TILE_SHARES), strict=True)
    }
    found |= {
        f"paper_spread_{share}": float(np.log1p(value))
        for share, value in zip(TILE_SHARES, np.percentile(spread, TILE_SHARES), strict=True)
    }
    rows, columns = tiles.mean(axis=1), tiles.mean(axis=0)
    return found | {
        "paper_lowest": float(tiles.min()),
        "paper_slope": float(max(np.ptp(rows), np.ptp(columns))),
        "paper_deviation": float(tiles.std()),
        "paper_roughness": float(np.abs(np.diff(tiles, axis=0)).mean() + np.abs(np.diff(tiles, axis=1)).mean()),
        "darkened_share": float((paper < 0.85 * np.percentile(paper, 95)).mean()),
        "washed_tiles": float((_tiles(page.astype(np.float32)) > 252).mean()),
    }


def _blocks(page: Pixels, greys: NDArray[np.int64]) -> dict[str, float]:
    """Steps at the borders of 8 × 8 blocks against steps elsewhere, and how many rows repeat (enlarged pixels)."""
    across, down = cv2.absdiff(page[:, 1:], page[:, :-1]), cv2.absdiff(page[1:], page[:-1])
    ratios = []
    for steps, axis in ((across, 0), (down, 1)):
        profile = cv2.reduce(steps, axis, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel() / steps.shape[axis]
        phases = np.array([profile[phase::8].mean() for phase in range(8)])
        ratios.append(np.log((phases.max() + 0.05) / (np.median(phases) + 0.05)))
    return {
        "blockiness": float(np.mean(ratios)),
        "small_steps": float(grey_counts(across)[1:6].sum() / across.size),  # type: ignore[arg-type]
        "distinct_greys": float((greys > page.size * 1e-5).mean()),
    }


def _lines(ink: NDArray[np.bool_]) -> dict[str, float]:
    """The angle at which rows of ink are most distinct from the white between them, in degrees."""
    side = max(ink.shape)
    size = max(round(ink.shape[1] * PROFILE_SIDE / side), 8), max(round(ink.shape[0] * PROFILE_SIDE / side), 8)
    small = cv2.resize(ink.astype(np.uint8) * 255, size, interpolation=cv2.INTER_AREA)
    y, x = np.nonzero(small > 40)
    if len(y) < 30:
        return {"angle": 0.0, "line_contrast": 0.0}
    weight = small[y, x].astype(np.float64)
    contrasts = []
    for angle in ANGLES:
        place = np.floor(y - x * np.tan(np.deg2rad(angle))).astype(np.int64)
        profile = np.bincount(place - place.min(), weights=weight)
        contrasts.append(float(((profile[1:] - profile[:-1]) ** 2).sum()))
    best = int(np.argmax(contrasts))
    return {"angle": float(abs(ANGLES[best])), "line_contrast": float(np.log(contrasts[best] / np.median(contrasts)))}


def _edges(page: Pixels, ink: NDArray[np.bool_], added: NDArray[np.bool_]) -> dict[str, float]:
    """Text that runs over each edge, the widest first; white margins; and how dark the rim is."""
    cut = np.sort(cut_sides(ink, added))[::-1]
    text = ink & ~added
    rows, columns = np.flatnonzero(text.any(axis=1)), np.flatnonzero(text.any(axis=0))
    height, width = page.shape
    margins = (
        [rows[0] / height, 1 - rows[-1] / height, columns[0] / width, 1 - columns[-1] / width]
        if len(rows)
        else [0.5] * 4
    )
    rim = np.concatenate([page[:3].ravel(), page[-3:].ravel(), page[:, :3].ravel(), page[:, -3:].ravel()])
    return {
        **{f"cut_{place}": float(value) for place, value in enumerate(cut)},
        "cut_sum": float(cut.sum()),
        **{f"margin_{place}": float(value) for place, value in enumerate(sorted(margins))},
        "rim_dark_share": float((rim < 110).mean()),
    }


def _tiles(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean of each of 12 × 12 tiles."""
    tiled = cv2.resize(values, (TILES, TILES), interpolation=cv2.INTER_AREA)
    return np.asarray(tiled, dtype=np.float64)


NAMES = tuple(measure(np.full((64, 64), 255, dtype=np.uint8)))
