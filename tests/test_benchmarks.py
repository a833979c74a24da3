"""What benchmarks keep of their earlier runs."""

import ast
import importlib
import io
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from tests.conftest import ROOT
from winnow.domains.documents import definitions
from winnow.domains.documents.source.synthetic import draw_page


@pytest.fixture
def measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module that benchmarks share, writing to the temporary folder."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    module = importlib.import_module("measure")
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    return module


def test_a_row_is_replaced_by_a_new_one_and_never_by_nothing(measure: Any, tmp_path: Path) -> None:
    measure.merge("some", {"a": {"seconds": 1}, "b": {"seconds": 2}, "zero": 0})
    measure.merge("some", {"a": {}, "b": {"seconds": 3}, "c": [1], "zero": 0.0})
    assert json.loads((tmp_path / "some.json").read_text()) == {
        "a": {"seconds": 1}, "b": {"seconds": 3}, "c": [1], "zero": 0.0
    }  # fmt: skip


def test_the_comparison_of_two_models_of_sessions_is_of_the_users_both_served(
    measure: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quality = importlib.import_module("sessions_quality")
    monkeypatch.setattr(quality, "USERS", tmp_path / "users.npz")
    for row, users, recall in (("gat", [0, 2, 5], 0.1), ("genre_gat", [0, 1, 2, 5], 0.4)):
        ranked = pd.DataFrame({"recommender": "model", "cold": False, "user_index": users, "recall_at_10": recall})
        others = ranked.assign(recommender="ease", recall_at_10=0.9)
        quality.keep_users(row, pd.concat([others, ranked]).assign(diversity=[np.nan, *range(2 * len(users) - 1)]))
    before = (tmp_path / "users.npz").read_bytes()
    found = quality.compare()
    assert set(found) == {"recall_at_10", "diversity"}
    assert found["recall_at_10"]["users"] == 3
    assert found["recall_at_10"] == pytest.approx({"mean": 0.3, "low": 0.3, "high": 0.3, "users": 3})
    quality.keep_users("gat seed 2", ranked)
    assert (tmp_path / "users.npz").read_bytes() == before


@pytest.fixture
def documents_pages(measure: ModuleType) -> Any:
    return importlib.import_module("documents_pages")


def test_the_figures_of_all_folds_hold_the_rejections_of_each_folds_threshold(documents_pages: Any) -> None:
    rng = np.random.default_rng(0)
    true, probabilities = rng.uniform(0, 1, 200), rng.dirichlet(np.ones(5), 200)
    rows = pd.DataFrame(probabilities, columns=documents_pages.definitions.probability_columns())
    rows = rows.assign(
        image_id=np.arange(200).astype(str),
        document=(np.arange(200) // 4).astype(str),
        true_score=true,
        true_label=documents_pages.definitions.class_of(true),
        score=np.clip(true + rng.normal(0, 0.1, 200), 0, 1),
        verdict=np.where(rng.random(200) < 0.3, "retake", "accept"),
    )
    baseline = rows[["image_id", "score", *documents_pages.definitions.probability_columns()]].assign(
        baseline="constant"
    )
    found = documents_pages.pooled(rows, baseline)
    acceptable, rejected = true >= 0.4, rows["verdict"] == "retake"
    assert found["model"]["mae"] == pytest.approx(np.abs(rows["score"] - true).mean(), abs=1e-4)
    assert found["model"]["false_reject_error"] == pytest.approx(rejected[acceptable].mean(), abs=1e-4)
    assert found["model"]["retake_recall"] == pytest.approx(rejected[~acceptable].mean(), abs=1e-4)
    for name, value in found["model"].items():
        assert found["interval"][name]["low"] <= value <= found["interval"][name]["high"], name
    assert "false_reject_error" not in found["baseline"]["constant"]
    assert found["mae_of_constant"] == 1


def test_a_nearly_empty_page_keeps_its_first_lines_and_shares_are_of_all_pages(documents_pages: Any) -> None:
    page = np.full((400, 300), 255, dtype=np.uint8)
    page[40:360:10] = 0
    left = documents_pages.nearly_empty(page)
    assert (left[:70] == page[:70]).all()
    assert (left[70:] == 255).all()
    columns = ["variant", "accepted", "not_retaken", "with_reasons", "flagged_low_resolution"]
    rows = [("bitonal", right, True, True, False) for right in (True, True, True, False)]
    rows += [("scaled_up", False, False, True, flagged) for flagged in (True, False)]
    found = documents_pages.treated(pd.DataFrame(rows, columns=columns))
    assert found["accepted"]["bitonal"]["accepted"] == 0.75
    assert found["accepted"]["bitonal"]["interval"] == pytest.approx({"low": 0.3006, "high": 0.9544}, abs=1e-3)
    assert found["scaled_up_is_flagged_low_resolution"] == 0.5
    assert found["with_reasons"] == 1


def test_the_f1_of_words_counts_repeated_words(measure: ModuleType) -> None:
    ocr = importlib.import_module("documents_ocr")
    expected = ocr.Counter(["the", "page", "of", "the", "book"])
    assert ocr.word_f1(expected, expected) == 1
    assert ocr.word_f1(ocr.Counter(["the", "page", "pace"]), expected) == pytest.approx(2 * 2 / (3 + 5))
    assert ocr.word_f1(ocr.Counter(), expected) == 0
    assert ocr.word_f1(ocr.Counter(), ocr.Counter()) == 0


def test_without_tesseract_the_ocr_benchmark_says_what_to_install(
    measure: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ocr = importlib.import_module("documents_ocr")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["documents_ocr.py", str(tmp_path)])
    with pytest.raises(SystemExit, match=r"needs tesseract .* \(Debian: apt-get install tesseract-ocr\)"):
        ocr.main()


def test_pages_with_too_few_words_are_left_out_of_the_ocr_benchmark(
    measure: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ocr = importlib.import_module("documents_ocr")
    words = {100: 40, 110: 29, 120: 30, 130: 99}
    for height in words:
        Image.fromarray(np.full((height, 80), 255, dtype=np.uint8)).save(tmp_path / f"{height}.png")
    monkeypatch.setattr(
        ocr, "read_words", lambda data: ocr.Counter({"word": words[Image.open(io.BytesIO(data)).height]})
    )
    found = list(ocr.readable_pages(sorted(tmp_path.glob("*.png")), 2))
    assert [(name, page.shape, expected.total()) for name, page, expected in found] == [
        ("100.png", (100, 80), 40),
        ("120.png", (120, 80), 30),
    ]


@pytest.mark.parametrize("issue", definitions.ISSUES)
def test_a_page_gets_one_issue_alone(measure: ModuleType, issue: str) -> None:
    ocr = importlib.import_module("documents_ocr")
    page = draw_page("letter", 500, np.random.default_rng(0))
    made, severity = ocr.with_issue(page, issue, 0.6, np.random.default_rng(1))
    assert severity == pytest.approx(0.6, abs=0.12)
    assert made.shape != page.shape or (made != page).any()


def test_ocr_figures_of_an_issue_are_means_by_severity_and_a_correlation_over_pages(measure: ModuleType) -> None:
    ocr = importlib.import_module("documents_ocr")
    rows = [
        (f"{page}.png", issue, wanted, wanted, right)
        for page in range(6)
        for issue, slope in (("blur", -1), ("glare", 1))
        for wanted, right in ((0.3, 0.5 - 0.2 * slope), (0.9, 0.5 + 0.2 * slope))
    ]
    found = ocr.issue_figures(pd.DataFrame(rows, columns=["page", "issue", "wanted", "severity", "word_f1"]))
    assert found["pages"] == 6
    assert found["by_issue"]["blur"]["mean"] == {"0.3": 0.7, "0.9": 0.3}
    assert {issue: part["spearman"]["value"] for issue, part in found["by_issue"].items()} == {"blur": -1, "glare": 1}


@pytest.mark.parametrize("file", sorted((ROOT / "benchmarks/faults").glob("*.yaml")), ids=lambda file: file.stem)
def test_every_listed_fault_can_be_planted(file: Path) -> None:
    for fault in yaml.safe_load(file.read_text(encoding="utf-8")):
        source = (ROOT / fault["file"]).read_text(encoding="utf-8")
        assert source.count(fault["old"]) == 1, fault["fault"]
        ast.parse(source.replace(fault["old"], fault["new"]))
