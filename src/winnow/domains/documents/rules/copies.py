"""Degraded copies of a clean page, whose scores are near the centres of the five classes."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from winnow.domains.documents import definitions
from winnow.domains.documents.rules import augmentations, degradations
from winnow.domains.documents.rules.ink import cut_severity, ink_mask
from winnow.images.codec import Pixels

Severities = NDArray[np.float64]
"""Of the ten issues, in their order."""

CROPS_TRIED = 24
NEAR_ENOUGH = 0.12
"""A crop whose severity misses the wanted one by more is not made."""
DETAIL = ("blur", "low_resolution", "compression")
"""Issues that take the same from a page, its fine detail, so that a stronger one hides a weaker one."""
VISIBLE = 0.4
"""An issue of which less than this share of its change is visible beside the others is not made."""
LOOKED_AT = 512
"""Rows in the middle of a page by which that is found."""
ISSUES = definitions.ISSUES


@dataclass(frozen=True)
class Copy:
    """A degraded page and what was done to it."""

    page: Pixels
    severities: Severities
    augmentations: tuple[str, ...]


def make_copy(
    page: Pixels, wanted: float, rng: np.random.Generator, *, max_issues: int, augmentation_share: float
) -> Copy:
    """A copy with a score of about `wanted`; 1 gives a copy without any issue.

    Harmless effects are drawn before and apart from the issues, so that they say nothing of the score. Even copies
    without an issue are not the same image twice, each being a scan of its own.

    Framing goes first, for how much text a crop cuts is known only afterwards; the severities of the other issues are
    then chosen so that the documented function gives the wanted score. An issue that would not be seen beside the
    others is left out, since a network cannot learn what no picture shows.
    """
    page, used, whole = augmentations.apply(augmentations.placed(page, rng), rng, augmentation_share)
    severities = np.zeros(len(ISSUES))
    if wanted >= 1:
        return Copy(augmentations.at_edges(page, used, rng), severities, used)
    chosen = rng.permutation(len(ISSUES))[: int(rng.integers(1, max_issues, endpoint=True))]
    relative = {ISSUES[place]: float(rng.uniform(0.25, 1)) for place in chosen}
    largest = max(relative.values())
    relative = {issue: value / largest for issue, value in relative.items()}
    # numpy, since Python 3.12 and later sum floats in another way than 3.11
    further = float(np.sum(list(relative.values()))) - 1
    share = (1 - wanted) / (1 + definitions.FURTHER * further)
    on_white = page
    if "skew" in relative:
        severity = min(1.0, share * relative["skew"])
        degrees, fill = degradations.tilt(severity, rng)
        on_white, page = degradations.rotate(page, degrees, 255), degradations.rotate(page, degrees, fill)
        severities[ISSUES.index("skew")] = severity
    if "cropped" in relative:
        page, severity = crop(page, min(1.0, share * relative["cropped"]), rng, on_white)
        severities[ISSUES.index("cropped")] = severity
    page = augmentations.at_edges(page, used, rng)
    others = {issue: value for issue, value in relative.items() if issue not in definitions.FRAMING}
    if not others and definitions.severity_score(severities) > wanted + 0.1:  # a crop that was not made
        others = {definitions.LEGIBILITY[int(rng.integers(len(definitions.LEGIBILITY)))]: 1.0}
    seeds = {issue: int(rng.integers(2**63)) for issue in degradations.AFTER_FRAMING}
    filled = fill_up(severities, others, wanted)
    while hidden := hidden_issue(page, filled, seeds, whole):
        del others[hidden]
        filled = fill_up(severities, others, wanted)
    return Copy(degraded(page, filled, seeds, whole), filled, used)


def degraded(page: Pixels, severities: Severities, seeds: dict[str, int], whole: int) -> Pixels:
    """The framed page with its issues of legibility, each drawn from its own seed."""
    for issue, degrade in degradations.AFTER_FRAMING.items():
        if severity := float(severities[ISSUES.index(issue)]):
            page = degrade(page, severity, np.random.default_rng(seeds[issue]), whole)
    return page


def hidden_issue(page: Pixels, severities: Severities, seeds: dict[str, int], whole: int) -> str | None:
    """The issue of fine detail of which the least is visible beside the others, if that is too little; else None."""
    places = [ISSUES.index(issue) for issue in DETAIL if severities[ISSUES.index(issue)]]
    if len(places) < 2:
        return None
    middle = max((len(page) - LOOKED_AT) // 2, 0)
    part = page[middle : middle + LOOKED_AT]
    shares = {place: visible_share(part, severities, place, seeds, whole) for place in places}
    least = min(shares, key=lambda place: shares[place])
    return ISSUES[least] if shares[least] < VISIBLE else None


def visible_share(page: Pixels, severities: Severities, place: int, seeds: dict[str, int], whole: int) -> float:
    """How much an issue of `DETAIL` changes the page beside the others of them, over how much it does alone (RMS)."""

    def changed(*issues: str) -> NDArray[np.float32]:
        only = np.where(np.isin(ISSUES, issues), severities, 0.0)
        return degraded(page, only, seeds, whole).astype(np.float32)

    own, others = ISSUES[place], [issue for issue in DETAIL if issue != ISSUES[place]]
    beside = np.square(changed(*DETAIL) - changed(*others)).mean(dtype=np.float64)
    alone = np.square(changed(own) - page).mean(dtype=np.float64)
    return float(np.sqrt(beside / alone)) if alone else 0.0


def fill_up(severities: Severities, relative: dict[str, float], wanted: float) -> Severities:
    """The severities with those of `relative`, in these proportions, that bring the score down to `wanted`."""
    filled = severities.copy()
    if not relative:
        return filled
    places = [ISSUES.index(issue) for issue in relative]
    values = np.array(list(relative.values()))
    low, high = 0.0, 1 / values.min()
    for _ in range(30):
        middle = (low + high) / 2
        filled[places] = np.minimum(1, middle * values)
        low, high = (middle, high) if definitions.severity_score(filled) > wanted else (low, middle)
    filled[places] = np.where(np.minimum(1, low * values) < 0.01, 0, np.minimum(1, low * values))
    return filled


def crop(page: Pixels, wanted: float, rng: np.random.Generator, on_white: Pixels | None = None) -> tuple[Pixels, float]:
    """The page cut through its text on one or more sides, and the severity by the text that is visibly cut.

    The nearest of some random cuts; the whole page and 0 when none comes near. `on_white` is the same page without a
    scanner's dark lid around it, which is no text.
    """
    ink = ink_mask(page if on_white is None else on_white)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if len(rows) < 20 or len(columns) < 20:
        return page, 0.0
    best: tuple[float, float, tuple[slice, slice]] = (np.inf, 0.0, (slice(None), slice(None)))
    for _ in range(CROPS_TRIED):
        place = _random_cut(page, rows, columns, wanted, rng)
        severity = cut_severity(ink[place])
        if abs(severity - wanted) < best[0]:
            best = abs(severity - wanted), severity, place
    if best[0] > NEAR_ENOUGH:
        return page, 0.0
    return np.ascontiguousarray(page[best[2]]), best[1]


def _random_cut(
    page: Pixels, rows: NDArray[np.int64], columns: NDArray[np.int64], wanted: float, rng: np.random.Generator
) -> tuple[slice, slice]:
    """One to three sides moved into the text by 1% to 30% of it."""
    sides = int(rng.integers(1, 2 if wanted < 0.4 else 3 if wanted < 0.8 else 4, endpoint=False))
    top, bottom, left, right = 0, page.shape[0], 0, page.shape[1]
    for side in rng.permutation(4)[: max(sides, 1)]:
        depth = rng.uniform(0.01, 0.3)
        high, wide = int(depth * np.ptp(rows)), int(depth * np.ptp(columns))
        if side == 0:
            left = int(columns[0]) + wide
        elif side == 1:
            right = int(columns[-1]) - wide
        elif side == 2:
            top = int(rows[0]) + high
        else:
            bottom = int(rows[-1]) - high
    return slice(top, max(bottom, top + 16)), slice(left, max(right, left + 16))


def draw_scores(copies: int, clean_share: float, jitter: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Wanted scores `(copies,)`: the classes in turn, each score near its class's centre; 1 for a copy without issue.

    A jittered score stays within its class.
    """
    clean = int(np.floor(clean_share * copies + rng.random()))
    turn = (np.arange(copies) + int(rng.integers(len(definitions.CENTRES)))) % len(definitions.CENTRES)
    centres = np.array(definitions.CENTRES)[turn]
    scores = centres + np.clip(jitter * rng.standard_normal(copies), -0.095, 0.095)
    highest_first = np.argsort(-centres, kind="stable")
    scores[highest_first[:clean]] = 1.0
    return np.asarray(rng.permutation(scores), dtype=np.float64)


def encode(page: Pixels, quality: int) -> bytes:
    """JPEG of a grey page by Pillow's own codec: the same bytes on every machine."""
    with io.BytesIO() as buffer:
        Image.fromarray(page).save(buffer, "JPEG", quality=quality)
        return buffer.getvalue()
