"""Files of graded photographs, and what is wrong with some."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from winnow.domains.retina.source import formats
from winnow.domains.retina.source.recognise import recognise
from winnow.pipeline.errors import SourceError

SPLITS = ("train", "val", "test")


def medmnist(path: Path, **changes: Any) -> Path:
    """A MedMNIST file of two photographs a side, with some of its arrays changed."""
    arrays = {f"{side}_images": np.zeros((2, 28, 28, 3), np.uint8) for side in SPLITS}
    arrays |= {f"{side}_labels": np.array([[0], [4]]) for side in SPLITS}
    np.savez(path, **(arrays | changes))
    return path


@pytest.mark.parametrize(
    ("header", "form"),
    [
        ("id_code,diagnosis", "aptos"),
        ("Image,Level", "eyepacs"),
        ('"Image name","Retinopathy grade",note', "idrid"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_csv_is_known_by_its_columns(header: str, form: str, encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(f"{header}\n10_left,1,x\n", encoding=encoding)
    Image.new("RGB", (8, 8)).save(tmp_path / "10_left.png")
    assert formats.guess(file) == form
    (record,) = formats.read(form, file, None).records
    assert (record.name, record.grade) == ("10_left", 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04", "is no CSV file: it is an Excel file"),
        (b"photo,level\n10_left,1\n", "looks like none of the formats: its columns are level, photo"),
        (b"", "looks like none of the formats"),
    ],
)
def test_a_csv_that_cannot_be_read_is_one_clear_error(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_bytes(content)
    with pytest.raises(SourceError, match=message):
        formats.guess(file)


def test_a_suffix_may_be_in_capitals(tmp_path: Path) -> None:
    (tmp_path / "GRADES.CSV").write_text("id_code,diagnosis\n")
    assert formats.guess(tmp_path / "GRADES.CSV") == "aptos"


def test_a_folder_of_photographs_alone_needs_its_grades(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "10_left.png")
    with pytest.raises(SourceError) as refused:
        recognise([tmp_path])
    assert "without a folder of each grade" in refused.value.what
    assert f"winnow init retina GRADES.csv {tmp_path}" in refused.value.fix


def test_photographs_are_looked_for_in_the_folders_beside_their_table(tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "photographs" / "a.png")
    (tmp_path / "grades.csv").write_text("id_code,diagnosis\na,1\n")
    (found,) = recognise([tmp_path / "grades.csv"])
    assert found.source["images"] == tmp_path / "photographs"


def test_a_folder_that_was_named_is_read_or_told(tmp_path: Path) -> None:
    table, own, other = tmp_path / "grades.csv", tmp_path / "own", tmp_path / "other"
    for file in (own / "a.png", other / "IMG_7.png"):
        file.parent.mkdir()
        Image.new("RGB", (8, 8)).save(file)
    table.write_text("id_code,diagnosis\na,1\n")
    with pytest.raises(SourceError, match=r"is read from .*other, but from .*own\n.*other holds .* such as IMG_7.png"):
        recognise([table, other])
    assert recognise([table, own])[0].source["images"] == own
    table.write_text("id_code,diagnosis\nb,1\n")
    with pytest.raises(SourceError, match="no file is named b, b.jpg") as refused:
        recognise([table, own])
    assert refused.value.where == f"{own} holds photographs such as a.png"
    assert "name their folder, too" not in refused.value.fix


def test_a_table_whose_rows_cannot_be_used_says_why_and_not_that_photographs_are_missing(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "words.csv").write_text("id_code,diagnosis\na,moderate\n")
    with pytest.raises(SourceError, match="none of its 1 rows can be used: the grade 'moderate' is no number"):
        recognise([tmp_path / "words.csv"])
    (tmp_path / "words.csv").write_text("id_code,diagnosis\nb,2\na,moderate\nc,1\n")
    with pytest.raises(SourceError, match="none of its photographs was found"):
        recognise([tmp_path / "words.csv"])


def test_every_word_of_a_split_means_that_split(tmp_path: Path) -> None:
    meant = {"train": "train", "val": "val", "Valid": "val", "validation": "val", "TEST": "test", "": None}
    for number in range(len(meant)):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number}.png")
    lines = [f"{number},1,{word}" for number, word in enumerate(meant)]
    (tmp_path / "labels.csv").write_text("\n".join(["id_code,diagnosis,split", *lines]))
    records = formats.read("aptos", tmp_path / "labels.csv", None).records
    assert {word: record.official_split for word, record in zip(meant, records, strict=True)} == meant


def test_medmnist_sides_may_be_empty_and_grey(tmp_path: Path) -> None:
    nothing = {"val_images": np.zeros((0, 28, 28, 3), np.uint8), "val_labels": np.zeros((0, 1), np.uint8)}
    grey = {"test_images": np.zeros((2, 28, 28), np.uint8)}
    records = formats.read_medmnist(medmnist(tmp_path / "some.npz", **nothing, **grey)).records
    assert [(record.official_split, record.grade) for record in records] == [
        ("train", 0), ("train", 4), ("test", 0), ("test", 4),
    ]  # fmt: skip
    assert {Image.open(io.BytesIO(record.content)).mode for record in records} == {"RGB"}


@pytest.mark.parametrize(
    "changes",
    [
        {"test_labels": np.full((2, 1), np.nan)},
        {"test_labels": np.array([["a"], ["b"]])},
        {"test_labels": np.array([0, 1])},
        {"test_labels": np.zeros((2, 14), np.int64)},
        {"test_labels": np.int64(3)},
        {"test_labels": np.zeros((3, 1), np.int64)},
        {"test_images": np.zeros((2, 28, 28, 4), np.uint8)},
        {"test_images": np.zeros((2, 28, 28, 3), np.float32)},
        {"test_images": np.uint8(3)},
    ],
)
def test_medmnist_arrays_that_do_not_fit_are_named(changes: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"test_images .* and test_labels .* do not fit"):
        formats.read_medmnist(medmnist(tmp_path / "odd.npz", **changes))


@pytest.mark.parametrize("name", ["mild", "²", "20240101123456789012", "-1"])
def test_photographs_in_a_folder_that_is_no_grade_are_rejected(name: str, tmp_path: Path) -> None:
    for folder in (name, "3_severe"):
        Path(tmp_path, folder).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / folder / "x.png")
    found = formats.read_folders(tmp_path)
    assert [record.grade for record in found.records] == [3]
    assert [reason for _, _, reason in found.rejected] == [f"the folder {name!r} is no grade"]
