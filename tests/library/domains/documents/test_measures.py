"""What is measured of pages follows the damage it is meant to see."""

import numpy as np
import pytest

from winnow.domains.documents.rules import degradations
from winnow.domains.documents.rules.ink import letters
from winnow.domains.documents.rules.measures import NAMES, measure
from winnow.domains.documents.source.synthetic import draw_page
from winnow.images.opencv import cv2

PAGE = draw_page("letter", 600, np.random.default_rng(1))


@pytest.mark.parametrize(
    ("issue", "name", "direction"),
    [
        ("blur", "edge_steepness", -1),
        ("blur", "energy_0", -1),
        ("noise", "speck_share", 1),
        ("low_contrast", "contrast", -1),
        ("uneven_illumination", "paper_lowest", -1),
        ("compression", "blockiness", 1),
        ("low_resolution", "energy_0", -1),
        ("stains_or_ink", "paper_spread_75", 1),
        ("glare", "ink_share", -1),
    ],
)
def test_a_measure_follows_its_issue(issue: str, name: str, direction: int) -> None:
    degrade = degradations.AFTER_FRAMING[issue]
    values = [
        np.mean([measure(degrade(PAGE, severity, np.random.default_rng(seed)))[name] for seed in range(4)])
        for severity in (0.1, 0.5, 0.9)
    ]
    clean = measure(PAGE)[name]
    assert direction * values[2] > direction * clean
    assert direction * values[2] > direction * values[0]


@pytest.mark.parametrize("degrees", [-8.0, -3.0, 2.0, 6.5])
def test_the_angle_is_found(degrees: float) -> None:
    turned = degradations.rotate(PAGE, degrees, 255)
    assert measure(turned)["angle"] == pytest.approx(abs(degrees), abs=0.5)
    assert measure(PAGE)["angle"] == 0


def test_where_there_is_nothing_the_detail_of_it_is_0() -> None:
    assert measure(np.full((200, 200), 250, np.uint8))["laplacian_ink"] == 0, "no ink"
    specks = np.full((200, 200), 250, np.uint8)
    specks[::2, ::2] = 0
    assert measure(specks)["laplacian_paper"] == 0, "no pixel of paper that no ink touches"


def test_the_dots_of_a_picture_are_no_small_text() -> None:
    """A halftone picture has more dots than the page has letters; small text stays small beside it."""
    rows, columns = (np.arange(length) % 6 < 3 for length in (240, 420))
    picture = np.full((240, PAGE.shape[1]), 255, np.uint8)
    picture[:, :420] = np.where(np.outer(rows, columns), np.uint8(0), np.uint8(255))
    own = measure(PAGE)["text_height"]
    assert 0.7 * own < measure(np.concatenate([picture, PAGE]))["text_height"] <= own
    small = cv2.resize(PAGE, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    assert measure(small)["text_height"] < 0.6 * own


def test_an_edge_line_is_no_cut_text_to_the_measures() -> None:
    lined = PAGE.copy()
    lined[:, :2] = 0
    assert measure(lined)["cut_sum"] == pytest.approx(measure(PAGE)["cut_sum"], abs=0.02)
    cut = np.ascontiguousarray(PAGE[:, PAGE.shape[1] // 2 :])
    assert measure(cut)["cut_sum"] > measure(lined)["cut_sum"] + 0.1


@pytest.mark.parametrize("edge", [np.s_[:, :2], np.s_[:, -2:], np.s_[:2], np.s_[-2:]], ids=str)
def test_an_edge_line_is_no_text_that_leaves_no_margin(edge: tuple[slice, ...]) -> None:
    lined, clean = PAGE.copy(), measure(PAGE)
    lined[edge] = 0
    found = measure(lined)
    for name in ("cut_sum", "margin_0", "margin_1", "margin_2", "margin_3"):
        assert found[name] == pytest.approx(clean[name], abs=0.02), f"{name}: an edge line counts as text"


@pytest.mark.parametrize("grain", [10, 20, 30])
def test_grain_is_no_print_and_one_line_is(grain: int) -> None:
    """Or a back page that was scanned in the dark would not be blank."""
    page = np.rint(235 + grain * np.random.default_rng(0).standard_normal((600, 420))).clip(0, 255).astype(np.uint8)
    assert measure(page)["printed_share"] < 0.0001
    page[300:312, 60:360] = 60
    assert measure(page)["printed_share"] == pytest.approx(12 * 300 / page.size, rel=0.2)


def test_letters_are_counted_however_many_there_are() -> None:
    """Also beyond the 65,535 labels that fit into two bytes."""
    for side in (90, 900):
        inside = np.arange(side) % 3 < 2
        marks = letters(np.outer(inside, inside))
        assert len(marks) == (side // 3) ** 2
        assert (marks[:, 2:] == 2).all()
    noise = np.random.default_rng(0).random((700, 900)) < 0.12
    whole = cv2.connectedComponentsWithStats(noise.astype(np.uint8), connectivity=8, ltype=cv2.CV_32S)[2][1:]
    tall = (whole[:, cv2.CC_STAT_HEIGHT] >= 2) & (whole[:, cv2.CC_STAT_AREA] >= 4)
    assert len(letters(noise)) == (tall & (whole[:, 2] < 4 * whole[:, 3] + 4)).sum() > 1000


def test_cut_text_is_measured_side_by_side() -> None:
    found = measure(np.ascontiguousarray(PAGE[:, 120:]))
    assert found["cut_0"] > 0.5
    assert found["cut_1"] == found["cut_2"] == found["cut_3"] == 0
    assert found["cut_sum"] == pytest.approx(found["cut_0"])


def test_a_page_with_little_print_is_as_sharp_as_a_full_one() -> None:
    """And a blurred one with little print is as blurred."""
    off = {
        "energy_0": 0.3,
        "energy_1": 0.3,
        "energy_step_0": 0.3,
        "step_90": 0.1,
        "step_95": 0.1,
        "edge_steepness": 0.1,
    }
    lines = np.flatnonzero((PAGE < 128).any(axis=1))
    for page in (PAGE, degradations.blur(PAGE, 0.5, np.random.default_rng(0))):
        few = page.copy()
        few[lines[len(lines) // 8] :] = 255
        full, sparse = measure(page), measure(few)
        assert sparse["ink_share"] < full["ink_share"] / 4
        for name, most in off.items():
            assert sparse[name] == pytest.approx(full[name], abs=most), name


@pytest.mark.parametrize("shape", [(64, 64), (64, 400), (700, 65)])
def test_every_page_has_finite_measures_by_the_same_names(shape: tuple[int, int]) -> None:
    for page in (
        np.full(shape, 255, np.uint8),
        np.zeros(shape, np.uint8),
        np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8),
    ):
        found = measure(page)
        assert tuple(found) == NAMES
        assert np.isfinite(list(found.values())).all()
