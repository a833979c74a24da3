"""`winnow documents dataset`: a data set as folders of images and CSV files."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from tests.conftest import ROOT
from tests.stages.programs import Programs
from winnow.domains.documents import cli, definitions
from winnow.domains.documents.rules import labels
from winnow.domains.documents.rules.reading import Reading
from winnow.domains.documents.source.synthetic import draw_page
from winnow.pipeline.errors import ParamsError, SourceError, WinnowError


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder with params.yaml, as the working folder."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    return tmp_path


def winnow(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, arguments)


def clean(count: int) -> Path:
    folder = Path("clean")
    folder.mkdir()
    rng = np.random.default_rng(3)
    for number in range(count):
        kind = ("letter", "form", "table", "receipt")[number % 4]
        Image.fromarray(draw_page(kind, 300, rng)).save(folder / f"doc{number}.png")
    return folder


def test_dataset_writes_the_guides_folder_and_real_mode_reads_it_again(here: Path) -> None:
    result = winnow("dataset", str(clean(8)), "made", "--val-ratio", "0.25", "--test-ratio", "0.25")
    assert result.exit_code == 0, result.exception
    copies = Programs("documents").section("label").copies
    whole = pd.read_csv("made/full_dataset_metadata.csv")
    assert len(whole) == 8 * copies
    assert set(whole["quality_class"]) == set(definitions.CLASSES)
    for side in ("train", "val", "test"):
        part = pd.read_csv(f"made/{side}/{side}_metadata.csv")
        assert len(part) == (whole["split"] == side).sum() > 0
        assert {file.name for file in Path("made", side).glob("*.jpg")} == set(part["filename"])
    assert whole.groupby("document")["split"].nunique().eq(1).all()
    assert all(Path("made", name).is_file() for name in whole["filename"])
    severities = whole[[f"severity_{issue}" for issue in definitions.ISSUES]].to_numpy()
    assert whole["quality_score"].to_numpy() == pytest.approx(definitions.severity_score(severities), abs=1e-5)
    summary = Path("made/dataset_summary.txt").read_text()
    assert f"{8 * copies} images of 8 documents" in summary
    told = ("reading 8 files", f"8 pages, degrading each {copies} times", f"writing {8 * copies} images")
    assert [line for line in told if line not in result.stderr] == []
    assert "⚠ class High has" in summary
    assert winnow("dataset", "clean", "made").exception.what == "made is not empty"  # type: ignore[union-attr]

    again = winnow("dataset", "made/full_dataset_metadata.csv", "again", "--mode", "real")
    assert again.exit_code == 0, again.exception
    read = pd.read_csv("again/full_dataset_metadata.csv")
    assert read.groupby("document")["split"].nunique().eq(1).all()
    assert read["document"].nunique() == 8
    assert sorted(read["quality_score"]) == pytest.approx(sorted(whole["quality_score"]))
    assert read["quality_class"].value_counts().to_dict() == whole["quality_class"].value_counts().to_dict()


def test_each_split_gets_its_own_ratio(here: Path) -> None:
    assert winnow("dataset", str(clean(10)), "made", "--val-ratio", "0.1", "--test-ratio", "0.5").exit_code == 0
    documents = pd.read_csv("made/full_dataset_metadata.csv").groupby("split")["document"].nunique()
    assert documents.to_dict() == {"train": 4, "val": 1, "test": 5}


def test_a_data_set_is_learnt_from_as_it_was_written(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows, split, labels and pages come back, also of copies without an issue; a blank page never enters it."""
    params = Path("params.yaml").read_text()
    for old, new in (
        ("copies: 8", "copies: 12"),
        ("clean_share: 0.1", "clean_share: 0.5"),
        ("read_copies: 0", "read_copies: 2"),
    ):
        assert params.count(f"    {old}\n") == 1
        params = params.replace(f"    {old}\n", f"    {new}\n")
    Path("params.yaml").write_text(params)
    monkeypatch.setattr(labels, "check_installed", lambda: None)
    monkeypatch.setattr(labels, "kept_reading", lambda page, *_: Reading(float(page.mean()) / 255, 9, 9.0))
    folder = clean(8)
    Image.new("L", (300, 420), 250).save(folder / "back.png")
    assert winnow("dataset", str(folder), "made", "--val-ratio", "0.25", "--test-ratio", "0.25").exit_code == 0
    assert "pages left out: 1 unreadable" in Path("made/dataset_summary.txt").read_text()
    whole = pd.read_csv("made/full_dataset_metadata.csv")
    assert not whole["document"].str.contains("back").any()
    target = Path("data/source/documents/made")
    shutil.copytree("made", target)
    documents = Programs.tiny("documents")
    source = {"format": "labelled", "path": str(target / "full_dataset_metadata.csv")}
    documents.run("ingest", sources=[source])
    for name in ("filter", "label", "split"):
        documents.run(name)
    rows = whole.assign(image_id="full_dataset_metadata/" + whole["filename"].str.rpartition(".")[0])
    rows = rows.set_index("image_id").sort_index()
    splits = documents.table("split/splits.parquet").set_index("image_id")["split"].sort_index()
    assert splits.to_dict() == rows["split"].to_dict()
    learnt = documents.table("label/labels.parquet").set_index("image_id").sort_index()
    assert (learnt["score"] == rows["quality_score"]).all()
    assert learnt["readability"].notna().sum() == 16
    assert learnt["readability"].equals(rows["readability"])
    severities = documents.table("label/severities.parquet").pivot_table(
        index="image_id", columns="issue", values="severity"
    )
    for issue in definitions.ISSUES:
        assert severities.loc[rows.index, issue].to_numpy() == pytest.approx(rows[f"severity_{issue}"], abs=1e-6)
    documents.run("split", keep_official=False)
    assert documents.table("split/splits.parquet").set_index("image_id")["split"].to_dict() != splits.to_dict()


def test_no_image_of_a_dataset_replaces_another(here: Path) -> None:
    folder = clean(6)
    for number, name in enumerate(("a b.png", "a_b.png", "a/b.png")):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / f"doc{number}.png").rename(folder / name)
    assert winnow("dataset", "clean", "made", "--val-ratio", "0.25", "--test-ratio", "0.25").exit_code == 0
    names = pd.read_csv("made/full_dataset_metadata.csv")["filename"]
    assert names.str.rpartition("/")[2].is_unique
    assert len(list(Path("made").glob("*/*.jpg"))) == len(names)


def test_a_page_that_cannot_be_read_is_told_and_is_no_lost_file(here: Path) -> None:
    """More than `max_rejected_share` of the files would stop it."""
    file = clean(8) / "doc0.png"
    Image.open(file).save("clean/doc0.tif", save_all=True, append_images=[Image.new("L", (20, 20), 255)])
    file.unlink()
    found = winnow("dataset", "clean", "made", "--val-ratio", "0.25", "--test-ratio", "0.25")
    assert found.exit_code == 0, found.exception
    assert "pages left out: 1 rejected" in Path("made/dataset_summary.txt").read_text()


def test_dataset_refuses_what_it_cannot_use(here: Path) -> None:
    found = winnow("dataset", "nowhere", "made")
    assert isinstance(found.exception, SourceError)
    assert "nowhere is no folder" in found.exception.what
    found = winnow("dataset", str(clean(4)), "made", "--val-ratio", "0.9", "--test-ratio", "0.2")
    assert isinstance(found.exception, WinnowError)
    assert "nothing to train on" in found.exception.what
    found = winnow("dataset", "clean", "made", "--val-ratio", "0", "--test-ratio", "0.2")
    assert isinstance(found.exception, WinnowError)
    assert "not positive" in found.exception.what
    assert not Path("made").exists()


def test_without_params_it_is_told_where_they_come_from(here: Path) -> None:
    Path("params.yaml").unlink()
    found = winnow("dataset", str(clean(2)), "made")
    assert isinstance(found.exception, WinnowError)
    assert "copy its params.yaml here" in found.exception.fix


def test_params_that_are_no_yaml_are_refused_with_the_line(here: Path) -> None:
    text = (ROOT / "params.yaml").read_text()
    Path("params.yaml").write_text(text.replace("    flag_from: 0.2", "    flag_from: [0.2"))
    found = winnow("dataset", str(clean(2)), "made")
    assert found.exit_code == 1
    assert isinstance(found.exception, ParamsError)
    assert "is not valid YAML" in found.exception.what
    assert not Path("made").exists()
