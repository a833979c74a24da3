"""The formats in which graded photographs come."""

import re
from collections.abc import Iterable
from pathlib import Path
from zipfile import ZipFile

import numpy as np

from winnow.curate.delimited import read_delimited
from winnow.curate.split_names import SPLITS
from winnow.domains.retina.definitions import EYE_WORDS
from winnow.domains.retina.source.records import Listing, Record
from winnow.images.codec import encode_png
from winnow.images.listing import spelled
from winnow.pipeline.errors import SourceError
from winnow.pipeline.reading import reading

CSV_COLUMNS = {
    "aptos": ("id_code", "diagnosis"),
    "eyepacs": ("image", "level"),
    "idrid": ("Image name", "Retinopathy grade"),
}
"""The columns of names and grades in each collection's own file."""

FORMATS = (*CSV_COLUMNS, "medmnist", "folders")

NPZ_BYTES, NPZ_RATIO = 128 * 2**20, 10
"""Bytes that are unpacked of an npz of photographs: the first, or so many times its size."""

SPLIT_WORDS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
"""The words of a column `split`."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".gif", ".webp")
NO_PHOTOGRAPH = "no photograph"


def read(form: str, path: Path, images: Path | None) -> Listing:
    """The rows of one source of a format; raises SourceError when it is not of that format."""
    if form in CSV_COLUMNS:
        listing = read_csv(path, images or path.parent, *CSV_COLUMNS[form])
        _check_found(listing, path, images or path.parent)
        return listing
    if form == "medmnist":
        return read_medmnist(path)
    if form == "folders":
        return read_folders(path)
    raise SourceError(f"no format is named {form}", fix=f"one of {', '.join(FORMATS)}")


def guess(path: Path) -> str:
    """The format that a file or folder looks like; raises SourceError when it looks like none."""
    if path.is_dir():
        return "folders"
    if path.suffix.lower() == ".npz":
        return "medmnist"
    if path.suffix.lower() == ".csv":
        header = {_plain(column) for column in read_delimited(path)[0]}
        for form, columns in CSV_COLUMNS.items():
            if {_plain(column) for column in columns} <= header:
                return form
        known = "; ".join(",".join(columns) for columns in CSV_COLUMNS.values())
        raise SourceError(
            f"{path} looks like none of the formats: its columns are {', '.join(sorted(header))[:200]}",
            fix=f"rename its columns to one of these pairs: {known}",
        )
    cure = f"{', '.join(FORMATS)}: data/source/retina/README.md describes them"
    raise SourceError(f"{path} looks like none of the formats", fix=cure)


def read_csv(path: Path, images: Path, name_column: str, grade_column: str) -> Listing:
    """A table of names and grades; a photograph is `<images>/<name>` with any suffix.

    The columns `patient`, `eye` and `split` are used where there are any, further ones ignored; the case of a column's
    name and blanks around it do not matter.
    """
    header, *lines = read_delimited(path)
    columns = [_plain(column) for column in header]
    missing = [name for name in (name_column, grade_column) if _plain(name) not in columns]
    if missing:
        known = "; ".join(f"{form} has {','.join(names)}" for form, names in CSV_COLUMNS.items())
        raise SourceError(
            f"{path} has no column {' and no '.join(missing)}",
            where=f"its columns: {', '.join(filter(None, header)) or 'none'}",
            fix=f"check the source's `format`: {known}",
        )
    if not images.is_dir():
        raise SourceError(f"{images} is no folder", where=str(path), fix="name the folder of photographs as `images`")
    present = {file.name: file for file in _photographs(images.iterdir())}
    by_stem = {file.stem: file for file in reversed(present.values())}
    listing = Listing()
    for number, line in enumerate(lines, 2):
        if not any(cell.strip() for cell in line):
            continue
        row = dict(zip(columns, (cell.strip() for cell in line), strict=False))
        name, grade = row.get(_plain(name_column), ""), row.get(_plain(grade_column), "")
        file = present.get(name) or by_stem.get(name)
        eye, split = row.get("eye", "").lower(), row.get("split", "").lower()
        if not name:
            reason = "no name"
        elif grade and not re.fullmatch(r"-?\d{1,6}(\.0+)?", grade):
            reason = f"the grade {grade[:20]!r} is no number"
        elif eye and eye not in EYE_WORDS:
            reason = f"the eye {eye[:20]!r} is none of {', '.join(EYE_WORDS)}"
        elif split and split not in SPLIT_WORDS:
            reason = f"the split {split[:20]!r} is none of {', '.join(SPLIT_WORDS)}"
        elif file is None:
            reason = f"{NO_PHOTOGRAPH} {name} in {images}"
        else:
            told = int(float(grade)) if grade else None
            owner = row.get("patient") or None
            listing.records.append(
                Record(number, file.stem, told, file, SPLIT_WORDS.get(split), owner, EYE_WORDS.get(eye))
            )
            continue
        listing.rejected.append((number, name, reason))
    return listing


def _check_found(listing: Listing, path: Path, images: Path) -> None:
    if not listing.records and any(reason.startswith(NO_PHOTOGRAPH) for _, _, reason in listing.rejected):
        raise SourceError(
            f"none of its photographs is in {images}",
            where=str(path),
            fix="name their folder: `images` of the source in params.yaml, --images of `winnow retina evaluate`",
        )


def _photographs(files: Iterable[Path]) -> list[Path]:
    """Those that are files, not devices or pipes, with the suffix of a photograph, sorted."""
    return sorted(file for file in files if file.suffix.lower() in SUFFIXES and file.is_file())


def _plain(column: str) -> str:
    """A column's name without its case and the blanks around it."""
    return column.strip().lower()


def read_folders(path: Path) -> Listing:
    """One folder per grade, `0` to `4`; folders of other names are rejected file by file."""
    if not path.is_dir():
        raise SourceError(f"{path} is no folder", fix="the format `folders` has one folder per grade: 0, 1, 2, 3, 4")
    listing = Listing()
    files = _photographs(path.glob("*/*"))
    if not files:
        raise SourceError(
            f"{path} holds no photograph in a folder of its grade", fix="make folders 0, 1, 2, 3, 4 in it"
        )
    for number, file in enumerate(files):
        name = spelled(file.relative_to(path))
        grade = file.parent.name.partition("_")[0].partition("-")[0]
        if re.fullmatch(r"\d{1,6}", grade):
            listing.records.append(Record(number, name.rpartition(".")[0], int(grade), file))
        else:
            listing.rejected.append((number, name, f"the folder {file.parent.name!r} is no grade"))
    return listing


def read_medmnist(path: Path) -> Listing:
    """MedMNIST's npz: `train_images` `(rows, h, w[, 3])` and `train_labels` `(rows, 1)`, and so for val and test.

    Raises SourceError.
    """
    with reading(path, "is no MedMNIST file", fix="it holds train_images, train_labels, and so for val and test"):
        with ZipFile(path) as packed:
            size = sum(each.file_size for each in packed.infolist())
        most = max(NPZ_BYTES, NPZ_RATIO * path.stat().st_size)
        if size > most:
            raise ValueError(f"{size:,} bytes come out of it, and at most {most:,} of a file of its size")
        arrays = np.load(path, allow_pickle=False)
        parts = {split: (arrays[f"{split}_images"], arrays[f"{split}_labels"]) for split in SPLITS}
    listing = Listing()
    for split, (images, labels) in parts.items():
        pictures = images.dtype == np.uint8 and (images.ndim == 3 or images.shape[3:] == (3,))
        if not pictures or 0 in images.shape[1:] or labels.dtype.kind not in "iu" or labels.shape != (len(images), 1):
            raise SourceError(
                f"{path}: {split}_images {images.dtype}{images.shape} and {split}_labels {labels.dtype}{labels.shape} "
                "do not fit",
                fix="they are uint8 (rows, height, width[, 3]) and whole numbers (rows, 1): fetch the file again",
            )
        for index, (image, label) in enumerate(zip(images, labels[:, 0].astype(np.int64), strict=True)):
            colour = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
            name = f"{split}_{index:05d}"
            listing.records.append(Record(listing.rows, name, int(label), encode_png(colour), split))
    return listing
