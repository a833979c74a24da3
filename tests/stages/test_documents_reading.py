"""What an OCR reads: its figure of a page, the readability learnt from it, and what is said without the extra."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from typer.testing import CliRunner

from tests.stages.conftest import Finished, torch_restored
from tests.stages.programs import Programs
from winnow.domains.documents import cli
from winnow.domains.documents.definitions import Preparation
from winnow.domains.documents.rules import reading
from winnow.domains.documents.rules.degradations import blur
from winnow.domains.documents.rules.ink import ink_mask, letters, text_height
from winnow.domains.documents.source.pages import read_pages
from winnow.domains.documents.source.synthetic import draw_page
from winnow.images.codec import ImageError, encode_png
from winnow.images.opencv import cv2
from winnow.pipeline.errors import WinnowError

DOCUMENTS = Programs.tiny("documents")
PAGE = draw_page("letter", 700, np.random.default_rng(1))[:420]


def test_an_ocr_is_less_sure_of_a_blurred_page_and_reads_nothing_on_a_blank_one() -> None:
    clear = reading.read_page(PAGE)
    assert clear.lines >= 3
    assert 0.9 < clear.readability <= 1
    assert 6 < clear.text_height < 40
    blurred = reading.read_page(blur(PAGE, 0.9, np.random.default_rng(0)))
    assert blurred.readability < clear.readability
    assert reading.read_page(np.full((300, 300), 255, np.uint8)) == reading.Reading(0.0, 0, 0.0)
    some = reading.read_page(PAGE, lines=3)
    assert some.lines <= 3
    assert some.readability == pytest.approx(clear.readability, abs=0.1)


@pytest.mark.parametrize("quarter", [1, 3])
def test_an_ocr_tells_by_its_lines_how_a_page_is_turned(quarter: int) -> None:
    turned = np.ascontiguousarray(np.rot90(PAGE, -quarter))
    assert reading.read_page(turned).turned == 90 * quarter


def test_lines_that_do_not_agree_tell_no_direction() -> None:
    upright, over = PAGE[:210], np.ascontiguousarray(np.rot90(PAGE[:210], 2))
    found = reading.read_page(np.concatenate([upright, over]))
    assert found.lines >= reading.VOTERS
    assert found.turned is None
    assert reading.read_page(np.full((300, 300), 255, np.uint8)).turned is None


def test_the_height_of_capitals_is_within_what_lines_allow() -> None:
    lines = reading.Reading(0.9, 3, 20.0)
    assert [lines.capitals(marks) for marks in (3.0, 9.0, 12.0, 30.0, 0.0)] == [8.0, 9.0, 12.0, 17.0, 10.0]
    assert reading.Reading(0.9, 2, 20.0).capitals(3.0) == 3.0
    small = np.asarray(cv2.resize(PAGE, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    marks = text_height(letters(ink_mask(small)))
    assert reading.read_page(small).capitals(marks) == marks


@pytest.mark.parametrize("finished", ["documents"], indirect=True)
def test_assess_takes_direction_and_height_of_text_from_the_lines_that_it_reads(
    finished: Finished, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where marks say that a page is upright and its text small: the dots of a picture are more than its letters."""
    monkeypatch.chdir(finished.folder)
    page = PAGE[:300]
    rows, columns = (np.arange(length) % 5 < 2 for length in (700, page.shape[1]))
    dots = np.where(np.outer(rows, columns), np.uint8(0), np.uint8(255))
    with_picture = np.concatenate([page, dots])
    file = tmp_path / "page.png"
    file.write_bytes(encode_png(np.ascontiguousarray(np.rot90(with_picture, 2))))

    def entry(*options: str) -> dict[str, Any]:
        with torch_restored():
            printed = CliRunner().invoke(cli.app, ["assess", str(file), "--json", *options]).stdout
        return dict(json.loads(printed))

    plain, read, upright = entry(), entry("--ocr"), entry("--ocr", "--turn")
    assert plain["turned"] == 0
    assert "text is too small" in plain["reasons"][0]
    assert read["turned"] == upright["turned"] == 180
    assert any("turned upside down" in reason for reason in read["reasons"])
    own = text_height(letters(ink_mask(page)))
    for found in (read, upright):
        assert 0.6 * own <= found["text_height"] <= 1.7 * own
        assert not any("too small" in reason for reason in found["reasons"])
    file.write_bytes(encode_png(with_picture))
    same = entry("--ocr")
    assert same["turned"] == 0
    assert same["ocr_readability"] == upright["ocr_readability"]
    assert same["score"] == upright["score"]


def test_without_the_extras_the_message_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_engines", type("Empty", (), {})())
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(WinnowError) as caught:
        reading.check_installed()
    assert "winnow[ocr]" in caught.value.fix
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(ImageError, match=r"winnow\[heic\]"):
        read_pages(b"x", ".heic", Preparation(2000, 120))


@pytest.mark.parametrize("finished", ["documents"], indirect=True)
def test_readability_is_learnt_from_the_copies_that_were_read(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With readings made up of a measure that the network sees, so that it can be learnt in a moment."""
    monkeypatch.chdir(tmp_path)
    folder = Path("data/source/documents/clean")
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(14):
        page = draw_page(("letter", "form", "table", "receipt")[number % 4], 300, rng)
        (folder / f"p{number}a.png").write_bytes(encode_png(page))

    def read(page: np.ndarray, content: bytes, lines: int) -> reading.Reading:
        return reading.Reading(float(page.mean() / 255), lines, 10.0)

    monkeypatch.setattr("winnow.domains.documents.rules.labels.kept_reading", read)
    DOCUMENTS.run("ingest", sources=[{"format": "clean_pages", "path": str(folder)}])
    DOCUMENTS.run("filter")
    DOCUMENTS.run("label", copies=8, read_copies=3)
    labels = DOCUMENTS.table("label/labels.parquet")
    read_ones = labels["image_id"].str.partition("@")[2].astype(int) < 3
    assert (labels["readability"].notna() == read_ones).all()
    DOCUMENTS.run("label", copies=8, read_copies=8)
    for name in ("split", "weight"):
        DOCUMENTS.run(name)
    with torch_restored():
        DOCUMENTS.run("train", epochs=40, learning_rate=0.01)
        DOCUMENTS.run("evaluate")
        found = pd.read_parquet("data/documents/evaluate/predictions.parquet")
        known = found[found["true_readability"].notna()]
        assert spearmanr(known["readability"], known["true_readability"]).statistic > 0.35
        assert found["readability"].notna().all()
        (entry,) = (
            json.loads(line)
            for line in CliRunner().invoke(cli.app, ["assess", str(folder / "p0a.png"), "--json"]).stdout.splitlines()
        )
        assert 0 <= entry["readability"] <= 1
        splits = DOCUMENTS.table("split/splits.parquet").set_index("image_id")["split"]
        labels = DOCUMENTS.table("label/labels.parquet")
        only_judged = labels["readability"].where(labels["image_id"].map(splits) != "train")
        labels.assign(readability=only_judged).to_parquet("data/documents/label/labels.parquet")
        DOCUMENTS.run("train", epochs=1)
        assert not json.loads(Path("data/documents/train/model/calibration.json").read_text())["readable"]


@pytest.mark.parametrize("finished", ["documents"], indirect=True)
def test_a_model_that_learnt_no_readability_tells_none_unless_it_reads(
    finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished.folder)
    file = tmp_path / "page.png"
    file.write_bytes(encode_png(PAGE))

    def entry(*options: str) -> dict[str, float]:
        with torch_restored():
            printed = CliRunner().invoke(cli.app, ["assess", str(file), "--json", *options]).stdout
        return dict(json.loads(printed))

    assert not {"readability", "ocr_readability"} & set(entry())
    read = entry("--ocr")
    assert read["ocr_readability"] == pytest.approx(reading.read_page(PAGE).readability, abs=1e-4)
    assert read["ocr_text_height"] == pytest.approx(reading.read_page(PAGE).text_height, abs=0.1)
    assert "readability" not in read
