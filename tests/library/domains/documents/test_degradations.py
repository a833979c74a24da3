"""Degradations: exact severities, and no damage beyond them."""

import numpy as np
import pytest

from winnow.domains.documents import definitions
from winnow.domains.documents.rules import copies, degradations
from winnow.domains.documents.rules.copies import make_copy
from winnow.domains.documents.rules.ink import ink_mask
from winnow.domains.documents.source.synthetic import draw_page
from winnow.images.codec import load_pixels
from winnow.images.opencv import cv2

Pixels = np.ndarray


@pytest.fixture(scope="module")
def page() -> Pixels:
    return draw_page("letter", 500, np.random.default_rng(3))


def distance(one: Pixels, other: Pixels) -> float:
    return float(np.sqrt(np.mean((one.astype(float) - other) ** 2)))


@pytest.mark.parametrize("issue", degradations.AFTER_FRAMING)
def test_every_issue_of_legibility_harms_more_the_severer_it_is(issue: str, page: Pixels) -> None:
    degrade = degradations.AFTER_FRAMING[issue]
    mean = [
        np.mean([distance(degrade(page, severity, np.random.default_rng(seed)), page) for seed in range(8)])
        for severity in (0.1, 0.4, 0.7, 1.0)
    ]
    assert mean == sorted(mean)
    assert mean[-1] > 1.5 * mean[0] > 0
    once, twice = (degrade(page, 0.5, np.random.default_rng(1)) for _ in range(2))
    assert (once == twice).all()
    assert once.shape == page.shape
    assert once.dtype == np.uint8


def test_severities_mean_what_the_documentation_says(page: Pixels) -> None:
    rng = np.random.default_rng(0)
    white = np.full((400, 400), 255, np.uint8)
    for severity in (0.2, 0.6, 1.0):
        darker = 1 - degradations.stains_or_ink(white, severity, rng).mean() / 255
        assert darker == pytest.approx(0.01 + 0.24 * severity, abs=0.01)
        black = np.zeros_like(white)
        assert degradations.glare(black, severity, rng).mean() / 255 == pytest.approx(0.01 + 0.49 * severity, abs=0.02)
        lit = degradations.uneven_illumination(white, severity, rng)
        assert 1 - lit.min() / 255 == pytest.approx(0.08 + 0.82 * severity, abs=0.02)
        kept = np.ptp(degradations.low_contrast(page, severity, np.random.default_rng(0)).astype(int))
        most = (1 - (0.1 + 0.82 * severity)) * np.ptp(page.astype(int))
        assert 0.6 * most <= kept <= most + 1
        angle = np.deg2rad(degradations.MAX_ANGLE * severity)
        height, width = degradations.skew(page, severity, rng).shape
        assert width == pytest.approx(page.shape[1] * np.cos(angle) + page.shape[0] * np.sin(angle), abs=1)
        assert height > page.shape[0]


@pytest.mark.parametrize("severity", [0.2, 0.5, 0.9])
def test_noise_is_as_strong_as_the_documentation_says(severity: float) -> None:
    grey, kinds = np.full((1300, 900), 128, np.uint8), set()
    for seed in range(6):
        noisy = degradations.noise(grey, severity, np.random.default_rng(seed))
        changed = noisy != 128
        kinds.add(grain := len(np.unique(noisy)) > 3)
        if grain:  # by its quartiles, for the strongest grain is clipped
            spread = np.subtract(*np.percentile(noisy, [75, 25])) / 1.349
            assert spread == pytest.approx(6 + 72 * severity, rel=0.04)
        else:
            assert changed.mean() == pytest.approx(0.01 + 0.13 * severity, rel=0.04)
            assert (noisy[changed] == 255).mean() == pytest.approx(1 / 3, abs=0.02)
    assert kinds == {True, False}


@pytest.mark.parametrize("severity", [0.5, 0.9])
def test_blur_is_as_wide_as_the_documentation_says(severity: float) -> None:
    """By the variance that it adds to a square: in both directions of a Gaussian, along a line of a movement."""
    square = np.zeros((1300, 121), np.uint8)
    square[600:641, 40:81] = 255

    def variance(page: Pixels) -> float:
        shares = page.astype(float) / page.sum(dtype=float)
        places = [np.arange(length) for length in page.shape]
        rows, columns = shares.sum(axis=1), shares.sum(axis=0)
        return float(sum(each @ at**2 - (each @ at) ** 2 for each, at in zip((rows, columns), places, strict=True)))

    found = []
    for seed in range(8):
        added = variance(degradations.blur(square, severity, np.random.default_rng(seed))) - variance(square)
        found.append(added / (0.4 + 3.2 * severity) ** 2)
    gaussians = [each for each in found if each > 1.5]
    movements = [each for each in found if each <= 1.5]
    assert gaussians == pytest.approx([2.0] * len(gaussians), rel=0.05)
    assert movements == pytest.approx([1.0] * len(movements), rel=0.4)  # of whole pixels
    assert gaussians
    assert movements


@pytest.mark.parametrize(("severity", "quality"), [(0.1, 38), (0.5, 16), (1.0, 2)])
def test_compression_is_jpeg_of_the_documented_quality(page: Pixels, severity: float, quality: int) -> None:
    compressed = degradations.compression(page, severity, np.random.default_rng(0))
    assert (compressed == load_pixels(copies.encode(page, quality), "L")).all()


@pytest.mark.parametrize("severity", [0.1, 0.5, 1.0])
def test_low_resolution_leaves_as_many_pixels_as_the_documentation_says(severity: float) -> None:
    """Counted where the page is scaled up by repeating pixels: columns that differ from the one before."""
    page = np.random.default_rng(0).integers(0, 256, (1300, 900), dtype=np.uint8)
    reduced = [degradations.low_resolution(page, severity, np.random.default_rng(seed)) for seed in range(30)]
    columns = min(1 + np.diff(each.astype(int), axis=1).any(axis=0).sum() for each in reduced)
    share = 1 / (1.2 + 3.4 * severity)
    assert columns / 900 == pytest.approx(share, rel=0.01), (
        f"low resolution of severity {severity} leaves {columns / 900:.0%} of a page's columns, not {share:.0%}"
    )


@pytest.mark.parametrize("severity", [0.2, 0.6, 1.0])
def test_glare_washes_out_that_share_of_the_print_wherever_it_stands(severity: float, page: Pixels) -> None:
    few = page.copy()
    few[len(few) // 4 :] = 255
    for each in (page, few):
        ink = ink_mask(each)
        washed = [degradations.glare(each, severity, np.random.default_rng(seed)) for seed in range(12)]
        kept = [(255.0 - after[ink]).sum() / (255.0 - each[ink]).sum() for after in washed]
        assert np.mean(kept) == pytest.approx(1 - 0.01 - 0.49 * severity, abs=0.06)


def block_steps(page: Pixels) -> float:
    """Mean step between the 8 × 8 blocks of JPEG, less the mean step within them."""
    steps = np.abs(np.diff(page.astype(float), axis=1)).mean(axis=0)
    between = np.arange(len(steps)) % 8 == 7
    return float(steps[between].mean() - steps[~between].mean())


STRENGTH = {
    "blur": lambda page: np.abs(np.diff(page.astype(float), axis=1)).max(axis=1).mean(),
    "noise": lambda page: np.abs(page.astype(float) - cv2.medianBlur(page, 3)).mean(),
    "low_contrast": lambda page: float(np.percentile(page, 99)) - float(np.percentile(page, 1)),
    "uneven_illumination": lambda page: cv2.resize(page, (12, 12), interpolation=cv2.INTER_AREA).min(),
    "skew": lambda page: float(len(page)),
    "compression": block_steps,
    "low_resolution": lambda page: np.abs(np.diff(page.astype(float), axis=1)).max(axis=1).mean(),
    "stains_or_ink": lambda page: page.mean(),
    "glare": lambda page: ink_mask(page).mean(),
}
"""A figure of a page's pixels that moves with the severity of each issue."""


@pytest.mark.parametrize("issue", STRENGTH)
def test_pixels_are_those_of_the_recorded_severity(issue: str, page: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies with one issue look as the issue made directly at the severity that is recorded, and not at half of it."""
    place = definitions.ISSUES.index(issue)
    monkeypatch.setattr(copies.augmentations, "placed", lambda page, _: page)
    made = [
        make_copy(page, 0.45, np.random.default_rng(seed), max_issues=1, augmentation_share=0.0) for seed in range(150)
    ]
    alone = [copy for copy in made if copy.severities[place] > 0.3 and (copy.severities > 0).sum() == 1]
    assert len(alone) >= 5
    severity = float(np.mean([copy.severities[place] for copy in alone]))
    degrade = degradations.AFTER_FRAMING.get(issue, degradations.skew)

    def direct(strength: float) -> float:
        pages = [degrade(page, strength, np.random.default_rng(seed)) for seed in range(40)]
        return float(np.mean([STRENGTH[issue](each) for each in pages]))

    found, whole, half = np.mean([STRENGTH[issue](copy.page) for copy in alone]), direct(severity), direct(severity / 2)
    assert abs(found - whole) < 0.5 * abs(found - half), (
        f"copies that record {issue} {severity:.2f} do not look like it: their figure is {found:.2f}, that of pages "
        f"degraded so {whole:.2f}, of pages degraded half as much {half:.2f}"
    )
