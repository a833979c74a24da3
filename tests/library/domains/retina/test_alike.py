"""Photographs of two patients that show one eye are found where the hash does not see it, and nothing else is."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tests.library.domains.retina.test_network import grader
from winnow.domains.retina.evaluation import alike
from winnow.domains.retina.evaluation.alike import alike_patients, arrangements
from winnow.domains.retina.source.fundus import draw_fundus
from winnow.images.codec import encode_png
from winnow.images.perceptual import near_any, perceptual_hash

EYES = 40
COPIED = (3, 7, 11, 19, 30)


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    """Drawn eyes, then copies of some: turned by four degrees."""
    rng = np.random.default_rng(0)
    eyes = [draw_fundus(int(rng.integers(5)), bool(number % 2), 48, rng) for number in range(EYES)]
    turned = [eyes[at].rotate(4, Image.Resampling.BILINEAR) for at in COPIED]
    return [np.asarray(picture.convert("RGB")) for picture in (*eyes, *turned)]


@pytest.fixture(scope="module")
def arranged(pictures: list[np.ndarray]) -> torch.Tensor:
    return arrangements(grader(), [encode_png(picture) for picture in pictures])


def rows(patients: list[str]) -> pd.DataFrame:
    ids = [f"eye {number}" for number in range(len(patients))]
    splits = ["train"] * EYES + ["test"] * (len(patients) - EYES)
    return pd.DataFrame({"image_id": ids, "patient": patients, "split": splits})


def test_copies_under_another_name_are_told_and_no_others(pictures: list[np.ndarray], arranged: torch.Tensor) -> None:
    table = rows([f"patient {number}" for number in range(len(pictures))])
    found = alike_patients(arranged, table, 0.95)
    pairs = set(zip(found["image_id"], found["image_id_other"], strict=True))
    assert pairs == {(f"eye {at}", f"eye {EYES + place}") for place, at in enumerate(COPIED)}
    assert set(zip(found["split"], found["split_other"], strict=True)) == {("train", "test")}
    hashes = [perceptual_hash(picture.mean(axis=2)) for picture in pictures]
    assert not near_any(hashes[EYES:], hashes[:EYES], 28).all(), "what the hash finds shows nothing here"


def test_photographs_of_one_patient_are_no_pair(pictures: list[np.ndarray], arranged: torch.Tensor) -> None:
    patients = [f"patient {number}" for number in (*range(EYES), *COPIED)]
    assert alike_patients(arranged, rows(patients), 0.95).empty


def test_all_pairs_are_compared_whatever_the_blocks(arranged: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alike, "BLOCK", 7)
    table = rows([f"patient {number}" for number in range(len(arranged))])
    found = alike_patients(arranged, table, 0.5)
    cosine = torch.corrcoef(arranged).numpy()  # rows have a mean of 0, so that correlation is the cosine
    expected = {tuple(sorted((f"eye {a}", f"eye {b}"))) for a, b in np.argwhere(np.triu(cosine, 1) >= 0.5)}
    pairs = [tuple(sorted(pair)) for pair in zip(found["image_id"], found["image_id_other"], strict=True)]
    assert sorted(pairs) == sorted(expected), "each pair once"
    at = found.iloc[0]
    one, other = (int(at[name].removeprefix("eye ")) for name in ("image_id", "image_id_other"))
    assert at["similarity"] == pytest.approx(cosine[one, other])


def test_no_pair_is_an_empty_table(arranged: torch.Tensor) -> None:
    assert alike_patients(arranged, rows([str(number) for number in range(len(arranged))]), 1.1).empty
