"""Degraded copies: scores as wanted, severities as they are, and crops that are severe by the text they visibly cut."""

import numpy as np
import pytest

from winnow.domains.documents import definitions
from winnow.domains.documents.rules import copies, degradations
from winnow.domains.documents.rules.copies import draw_scores, fill_up, make_copy
from winnow.domains.documents.rules.ink import cut_severity, cut_sides, ink_mask, not_paper
from winnow.domains.documents.source.synthetic import draw_page
from winnow.images.codec import load_pixels

Pixels = np.ndarray


@pytest.fixture(scope="module")
def page() -> Pixels:
    return draw_page("letter", 500, np.random.default_rng(3))


def distance(one: Pixels, other: Pixels) -> float:
    return float(np.sqrt(np.mean((one.astype(float) - other) ** 2)))


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
    cuts = cut_severity(ink_mask(page)[place])
    assert severity == cuts != 0.75, f"a crop that cuts text with severity {cuts:.2f}, wanted .75, records {severity}"


def test_a_copy_keeps_the_severity_that_its_crop_has(page: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "crop", lambda page, *_: (page, 0.0625))
    found = [
        make_copy(page, 0.5, np.random.default_rng(seed), max_issues=4, augmentation_share=0) for seed in range(20)
    ]
    cropped = {float(copy.severities[definitions.ISSUES.index("cropped")]) for copy in found}
    assert cropped == {0.0, 0.0625}, "a copy records another severity than its crop has, such as the wanted one"


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


def test_an_edge_line_is_no_text_that_a_crop_cuts(page: Pixels, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a scanner adds at the edges comes after the crop, which would take it for text that runs over."""
    over: list[float] = []

    def crop(page: Pixels, _: float, __: np.random.Generator, on_white: Pixels) -> tuple[Pixels, float]:
        over.append(cut_severity(ink_mask(on_white)))
        return page, 0.3

    monkeypatch.setattr(copies, "crop", crop)
    effected = copies.augmentations.Effected
    monkeypatch.setattr(copies.augmentations, "apply", lambda page, *_: effected(page, ("edge_line",), max(page.shape)))
    made = [
        make_copy(page, 0.3, np.random.default_rng(seed), max_issues=10, augmentation_share=1) for seed in range(20)
    ]
    assert all("edge_line" in copy.augmentations for copy in made)
    assert len(over) >= 5
    assert max(over) < 0.05, f"before anything is cut, a crop sees text that runs over with severity {max(over):.2f}"


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
