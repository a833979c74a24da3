"""Harmless effects: they change the page, cut no text, and are not taken for text."""

import numpy as np
import pytest

from winnow.domains.documents.rules import augmentations, degradations
from winnow.domains.documents.rules.ink import cut_severity, ink_mask, not_paper
from winnow.domains.documents.source.synthetic import draw_page
from winnow.images.opencv import cv2

Pixels = np.ndarray


@pytest.fixture(scope="module")
def page() -> Pixels:
    return draw_page("letter", 500, np.random.default_rng(3))


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


def test_a_thick_dark_area_is_no_paper_where_it_touches_an_edge_only() -> None:
    """A lid or a finger comes from outside; a dark picture within is the page's."""
    for place in (np.s_[-90:, 200:400], np.s_[:90, 200:400], np.s_[200:400, :90], np.s_[200:400, -90:]):
        page = np.full((600, 600), 255, np.uint8)
        page[place] = 20
        assert not_paper(page)[place].mean() > 0.95, place
    inside = np.full((600, 600), 255, np.uint8)
    inside[200:400, 200:400] = 20
    assert not not_paper(inside).any()


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
