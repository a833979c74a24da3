"""Degradations: exact severities, no damage beyond them, and crops that are severe by the text they visibly cut."""

import numpy as np
import pytest

from winnow.domains.documents import definitions
from winnow.domains.documents.rules import augmentations, copies, degradations
from winnow.domains.documents.rules.copies import draw_scores, fill_up, make_copy
from winnow.domains.documents.rules.ink import cut_severity, cut_sides, ink_mask, not_paper
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


def lines_of_text(size: int = 400) -> Pixels:
    """Black lines of words on white, with margins of 40 pixels."""
    page = np.full((size, size), 255, np.uint8)
    for row in range(40, size - 40, 20):
        for column in range(40, size - 44, 8):
            page[row : row + 8, column : column + 5] = 0
    return page


def test_a_crop_is_severe_by_the_text_that_runs_over_the_edge() -> None:
    page = lines_of_text()
    assert cut_severity(ink_mask(page)) == 0
    assert cut_severity(ink_mask(page[20:-20, 20:-20])) == 0  # white is no loss
    assert cut_sides(ink_mask(page[:, 43:])) == pytest.approx([1, 0, 0, 0], abs=0.05)
    assert cut_severity(ink_mask(page[:, 43:])) == pytest.approx(0.7, abs=0.03)
    assert cut_severity(ink_mask(page[43:, 43:])) == 1.0
    half = page.copy()
    half[200:, 43:300] = 255  # half of the lines begin elsewhere
    assert cut_severity(ink_mask(half[:, 43:])) < 0.5


@pytest.mark.parametrize("wanted", [0.3, 0.6, 0.9])
def test_a_crop_records_what_it_did(wanted: float) -> None:
    page = draw_page("table", 500, np.random.default_rng(1))
    for seed in range(5):
        cut, severity = copies.crop(page, wanted, np.random.default_rng(seed))
        if cut.shape != page.shape:
            assert severity == cut_severity(ink_mask(page)[:1, :1]) or abs(severity - wanted) <= copies.NEAR_ENOUGH
            assert cut_severity(ink_mask(cut)) == pytest.approx(severity, abs=0.25)  # the mask sees the edge otherwise
        else:
            assert severity == 0


def test_the_severity_of_a_crop_is_that_of_the_text_it_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    page, place = lines_of_text(), (slice(0, 400), slice(43, 400))
    monkeypatch.setattr(copies, "_random_cut", lambda *_: place)
    cut, severity = copies.crop(page, 0.75, np.random.default_rng(0))
    assert (cut == page[place]).all()
    assert severity == cut_severity(ink_mask(page)[place]) != 0.75


def test_a_copy_keeps_the_severity_that_its_crop_has(page: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "crop", lambda page, *_: (page, 0.0625))
    found = [
        make_copy(page, 0.5, np.random.default_rng(seed), max_issues=4, augmentation_share=0) for seed in range(20)
    ]
    cropped = {float(copy.severities[definitions.ISSUES.index("cropped")]) for copy in found}
    assert cropped == {0.0, 0.0625}


def test_what_a_crop_cuts_is_measured_without_the_dark_lid(page: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Pixels, Pixels]] = []

    def crop(page: Pixels, _: float, __: np.random.Generator, on_white: Pixels) -> tuple[Pixels, float]:
        seen.append((page, on_white))
        return page, 0.3

    monkeypatch.setattr(copies, "crop", crop)
    for seed in range(40):
        make_copy(page, 0.3, np.random.default_rng(seed), max_issues=10, augmentation_share=0)
    dark = [(lid, twin) for lid, twin in seen if lid[0, 0] < 100]
    assert len(dark) >= 3
    for lid, twin in dark:
        assert (lid == twin).mean() > 0.5
        assert (twin[lid != twin] > lid[lid != twin]).all()
        assert twin[0, 0] == twin[-1, -1] == 255


def test_copies_have_the_wanted_score_and_their_severities_explain_it(page: Pixels) -> None:
    rng = np.random.default_rng(5)
    scores = [0.9, 0.7, 0.5, 0.3, 0.1] * 6
    off = []
    for wanted in scores:
        copy = make_copy(page, wanted, rng, max_issues=4, augmentation_share=0.3)
        count = int((copy.severities > 0).sum())
        assert 1 <= count <= 4
        off.append(abs(float(definitions.severity_score(copy.severities)) - wanted))
    assert np.mean(off) < 0.01


def test_copies_without_an_issue_are_the_page_on_a_little_more_paper(page: Pixels) -> None:
    made = [
        make_copy(page, 1.0, np.random.default_rng(seed), max_issues=4, augmentation_share=0.0) for seed in range(8)
    ]
    assert len({copy.page.tobytes() for copy in made}) == 8
    widest = round(0.03 * max(page.shape))
    for copy in made:
        assert not copy.severities.any()
        more = [new - old for new, old in zip(copy.page.shape, page.shape, strict=True)]
        assert all(0 <= side <= 2 * widest for side in more)
        places = np.lib.stride_tricks.sliding_window_view(copy.page, page.shape)
        (place,) = np.argwhere((places[..., ::40, ::40] == page[::40, ::40]).all(axis=(2, 3)))
        inside = np.zeros(copy.page.shape, dtype=bool)
        inside[place[0] : place[0] + page.shape[0], place[1] : place[1] + page.shape[1]] = True
        assert (copy.page[inside] == page.ravel()).all()
        assert (copy.page[~inside] == 255).all()


def test_severities_are_filled_up_in_proportion() -> None:
    start = np.zeros(10)
    start[definitions.ISSUES.index("skew")] = 0.3
    filled = fill_up(start, {"blur": 1.0, "noise": 0.5}, 0.4)
    blur, noise = filled[0], filled[1]
    assert noise == pytest.approx(blur / 2)
    assert definitions.severity_score(filled) == pytest.approx(0.4, abs=1e-6)
    assert filled[definitions.ISSUES.index("skew")] == 0.3


def test_scores_lie_around_the_centres_of_all_classes_alike() -> None:
    rng = np.random.default_rng(0)
    scores = np.concatenate([draw_scores(20, 0.1, 0.03, rng) for _ in range(200)])
    dirty = scores[scores < 1]
    assert (scores == 1).mean() == pytest.approx(0.1, abs=0.005)
    labels = definitions.class_of(scores)
    assert np.bincount(labels) == pytest.approx([800] * 5)
    for number, centre in enumerate(definitions.CENTRES):
        part = dirty[definitions.class_of(dirty) == number]
        assert part.mean() == pytest.approx(centre, abs=0.005)
        assert part.std() == pytest.approx(0.03, abs=0.004)
    assert set(draw_scores(5, 0.0, 0.0, rng).round(2)) == {0.9, 0.7, 0.5, 0.3, 0.1}


def test_effects_change_the_page_and_never_cut_text(page: Pixels) -> None:
    rng = np.random.default_rng(2)
    assert augmentations.apply(page, rng, 0.0)[:2] == (page, ())
    small = page[:200, :150]  # too small for a strip or a fragment
    for seed in range(400):
        own = np.random.default_rng(seed)
        changed, names, whole = augmentations.apply(small, own, 1.0)
        assert 1 <= len(names) <= 3
        assert whole <= max(small.shape)
        changed = augmentations.at_edges(changed, names, own)
        assert not np.array_equal(changed, small), names
    for name, effect in {**augmentations.EFFECTS, **augmentations.EDGE_EFFECTS}.items():
        shown = cv2.resize(page, None, fx=2, fy=2) if name == "reduced" else page
        changed = [effect(shown.copy(), rng) for _ in range(4)]
        assert any(each.shape != shown.shape or (each != shown).any() for each in changed), name
        if name in {"trim", "fragment", "sparse", "strip", "blank_areas"}:
            assert max(cut_severity(ink_mask(each)) for each in changed) < 0.1, name
        if name in augmentations.EDGE_EFFECTS:
            assert max(cut_severity(ink_mask(each), not_paper(each)) for each in changed) < 0.1, name


def test_a_sparse_page_keeps_whole_lines_and_its_size(page: Pixels) -> None:
    ink, rng = ink_mask(page), np.random.default_rng(4)
    lines = np.flatnonzero(np.diff(np.r_[0, ink.any(axis=1).astype(int), 0]) == 1)
    for _ in range(20):
        changed = augmentations.sparse(page.copy(), rng)
        rows = (changed != page).any(axis=1)
        assert changed.shape == page.shape
        assert ink.sum() * 0.003 < ink_mask(changed).sum() < ink.sum() * 0.7
        assert (changed[rows] == 255).all()  # lines go as a whole, and leave paper
        left = np.flatnonzero(np.diff(np.r_[0, ink_mask(changed).any(axis=1).astype(int), 0]) == 1)
        assert set(left) <= set(lines)


@pytest.mark.parametrize("name", ["strip", "blank_areas"])
def test_words_go_as_a_whole_or_stay_as_they_are(name: str) -> None:
    """Marks 8 pixels wide on a grid of 20: what is left of each is nothing or all of it."""
    page = np.full((600, 600), 255, np.uint8)
    tops, lefts = (np.arange(10, 590, 20),) * 2
    for top in tops:
        for left in lefts:
            page[top : top + 6, left : left + 8] = 0
    for seed in range(10):
        changed = augmentations.EFFECTS[name](page.copy(), np.random.default_rng(seed))
        whole = (
            cv2.connectedComponentsWithStats((changed < 128).astype(np.uint8))[2][1:, cv2.CC_STAT_AREA] == 48
        ).all()
        assert whole
        assert 0 < (changed < 128).sum() < (page < 128).sum()
        if name == "strip":
            assert changed.shape == (600, int(600 * np.random.default_rng(seed).uniform(0.3, 0.7)))
        else:
            assert changed.shape == page.shape


def test_a_strip_that_would_lose_most_of_its_print_is_not_made() -> None:
    page = np.full((600, 600), 255, np.uint8)
    page[100:500:10, 20:580] = 0  # every line is one mark, and would be cut
    rng = np.random.default_rng(0)
    assert all(augmentations.strip(page, rng) is page for _ in range(5))


@pytest.mark.parametrize("severity", [0.2, 0.6, 1.0])
def test_glare_washes_out_that_share_of_the_print_wherever_it_stands(severity: float, page: Pixels) -> None:
    few = page.copy()
    few[len(few) // 4 :] = 255
    for each in (page, few):
        ink = ink_mask(each)
        washed = [degradations.glare(each, severity, np.random.default_rng(seed)) for seed in range(12)]
        kept = [(255.0 - after[ink]).sum() / (255.0 - each[ink]).sum() for after in washed]
        assert np.mean(kept) == pytest.approx(1 - 0.01 - 0.49 * severity, abs=0.06)


def test_the_stored_copy_is_grey_and_nearly_the_copy(page: Pixels) -> None:
    stored = load_pixels(copies.encode(page, 95), "L")
    assert stored.shape == page.shape
    assert distance(stored, page) < 5


def test_severities_are_not_summed_by_python_itself(page: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    """From Python 3.12 on `sum` of floats compensates rounding: one severity of the default data differed by it."""

    def refused(*_: object) -> float:
        raise AssertionError("sum of floats: its last bits depend on the version of Python")

    monkeypatch.setattr(copies, "sum", refused, raising=False)
    for seed in range(5):
        assert copies.make_copy(page, 0.5, np.random.default_rng(seed), max_issues=4, augmentation_share=0.0)


def test_dark_lines_and_the_lid_at_an_edge_are_no_text_that_is_cut(page: Pixels) -> None:
    """And what a real crop cuts is measured as before, with a line at its edge too."""

    def severity(changed: Pixels) -> float:
        return cut_severity(ink_mask(changed), not_paper(changed))

    for edge in (np.s_[:, :2], np.s_[:, -3:], np.s_[:2], np.s_[-4:]):
        lined = page.copy()
        lined[edge] = 40
        assert cut_severity(ink_mask(lined)) > 0.6  # what it would be taken for
        assert severity(lined) < 0.05, edge
    for degrees in (0.5, 3, 12):
        assert severity(degradations.rotate(page, degrees, 40)) < 0.05, degrees
    cut = page[:, np.flatnonzero(ink_mask(page).any(axis=0))[0] + 25 :]
    assert severity(cut) > 0.3
    assert severity(cut) == pytest.approx(cut_severity(ink_mask(cut)), abs=0.1)
    lined = np.pad(cut, ((0, 0), (2, 0)))
    assert severity(lined) == pytest.approx(severity(cut), abs=0.15)


def test_the_recorded_crop_is_that_of_the_picture_and_not_the_wanted_one(page: Pixels) -> None:
    rng = np.random.default_rng(1)
    differs = []
    for wanted in (0.3, 0.45, 0.6) * 6:
        cut, recorded = copies.crop(page, wanted, rng)
        if recorded:
            assert recorded == pytest.approx(cut_severity(ink_mask(cut)), abs=0.1)
            differs.append(abs(recorded - wanted))
    assert max(differs) > 0.02


def test_a_crop_of_a_skewed_page_is_measured_without_the_dark_lid_behind_it(page: Pixels) -> None:
    errors = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        degrees = float(rng.uniform(3, 10))
        white, dark = (degradations.rotate(page, degrees, fill) for fill in (255, 30))
        cut, recorded = copies.crop(dark, 0.5, rng, white)
        if recorded:
            errors.append(recorded - cut_severity(ink_mask(cut), not_paper(cut)))
    assert len(errors) > 10
    assert np.abs(errors).max() < 0.15


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
    assert abs(found - whole) < 0.5 * abs(found - half), (found, whole, half)


def test_an_issue_that_cannot_be_seen_beside_another_is_not_made(page: Pixels) -> None:
    """RMS of what the weaker one changes, over what it changes alone: Gaussian blur and JPEG by hand."""
    places = [definitions.ISSUES.index(issue) for issue in copies.DETAIL]
    shares, two = [], 0
    for seed in range(250):
        copy = make_copy(page, 0.3, np.random.default_rng(seed), max_issues=4, augmentation_share=0.0)
        two += (copy.severities[places] > 0).sum() > 1
        blurred, reduced = (copy.severities[definitions.ISSUES.index(name)] for name in ("blur", "low_resolution"))
        if blurred and reduced:
            shares.append(min(blurred, reduced) / max(blurred, reduced))
    assert two > 5
    weak = np.zeros(len(definitions.ISSUES))
    weak[definitions.ISSUES.index("blur")], weak[definitions.ISSUES.index("low_resolution")] = 0.7, 0.3
    seeds = dict.fromkeys(degradations.AFTER_FRAMING, 3)
    assert copies.hidden_issue(page, weak, seeds, 1300) == "low_resolution"
    both = copies.degraded(page, weak, seeds, 1300)
    weak[definitions.ISSUES.index("low_resolution")] = 0
    assert distance(both, copies.degraded(page, weak, seeds, 1300)) < 5
    assert copies.hidden_issue(page, weak, seeds, 1300) is None


def test_lengths_of_a_part_are_those_of_its_page(page: Pixels) -> None:
    """A fragment of a page is blurred as the page is."""
    whole = np.tile(page, (3, 1))
    part = whole[: len(page) // 2]
    seeds = np.random.default_rng(4), np.random.default_rng(4)
    blurred = degradations.blur(whole, 0.5, seeds[0])[: len(part)]
    apart = degradations.blur(part, 0.5, seeds[1], max(whole.shape))
    assert np.abs(blurred[:-30].astype(int) - apart[:-30]).max() <= 1
    fragments = [
        each
        for each in (augmentations.apply(page, np.random.default_rng(seed), 1.0) for seed in range(120))
        if "fragment" in each.names and "reduced" not in each.names
    ]
    assert fragments
    assert {each.whole for each in fragments} == {max(page.shape)}
    assert min(max(each.page.shape) for each in fragments) < max(page.shape)
