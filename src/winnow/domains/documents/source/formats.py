"""The formats in which pages come: a folder of clean pages, and a folder of pages with a CSV of labels."""

import math
import re
from pathlib import Path

from winnow.curate.delimited import read_delimited
from winnow.curate.split_names import SPLITS
from winnow.domains.documents import definitions
from winnow.domains.documents.source.files import walk
from winnow.domains.documents.source.pages import SUFFIXES
from winnow.domains.documents.source.records import Listing, Record
from winnow.images.listing import spelled
from winnow.pipeline.console import say
from winnow.pipeline.errors import SourceError
from winnow.pipeline.files import is_watched
from winnow.pipeline.reading import reason

METADATA = "metadata.csv"
"""The file of labels that a labelled folder holds."""
NAME_COLUMNS = ("filename", "file", "image")
SCORE_COLUMNS = ("quality_score", "score")
CLASS_COLUMNS = ("quality_class", "class")
ISSUES_COLUMN = "issues"
DOCUMENT_COLUMN, PAGE_COLUMN, SPLIT_COLUMN = "document", "page", "split"
READABILITY_COLUMN = "readability"
SEVERITY_COLUMNS = tuple(f"severity_{issue}" for issue in definitions.ISSUES)
SPLIT_NAMES = {**{split: split for split in SPLITS}, "validation": "val", "valid": "val"}


class NoLabelsError(SourceError):
    """A CSV beside pages that has no column of labels: perhaps it is about something else."""


def read(form: str, path: Path) -> Listing:
    """The rows of one source of a format. Raises SourceError when it is not of that format."""
    if form == "clean_pages":
        return read_clean_pages(path)
    if form == "labelled":
        return read_labelled(path)
    raise SourceError(f"no format is named {form}", fix="clean_pages or labelled")


def read_clean_pages(folder: Path) -> Listing:
    """Every image and PDF file below a folder. Raises SourceError when there is none."""
    if not folder.is_dir():
        raise SourceError(f"{folder} is no folder", fix="name a folder of clean pages: PNG, JPEG, TIFF or PDF files")
    found = walk(folder, links=False)
    files = found.pages
    if not files:
        raise SourceError(f"{folder} holds no page", fix=f"put clean pages there: {', '.join(SUFFIXES)}")
    if found.others:
        say(f"{folder}: {found.passed_over()}")
    names = [spelled(file.relative_to(folder)).rpartition(".")[0] for file in files]
    return _once([Record(row, name, file) for row, (name, file) in enumerate(zip(names, files, strict=True))])


def read_labelled(path: Path) -> Listing:
    """A CSV of file names with score, class or issues, and its folder; a row needs one of the three.

    `path` is the CSV or a folder with `metadata.csv` (else its only CSV). Raises SourceError.
    """
    file = _metadata_file(path)
    header, *lines = read_delimited(file)
    columns = [column.strip() for column in header]
    rows: dict[int, dict[str, str | None]] = {
        number: {**dict.fromkeys(columns), **dict(zip(columns, line, strict=False))}
        for number, line in enumerate(lines, 2)
        if line
    }
    name_column = next((name for name in NAME_COLUMNS if name in columns), None)
    labels = [name for name in (*SCORE_COLUMNS, *CLASS_COLUMNS, ISSUES_COLUMN) if name in columns]
    if name_column is None or not labels:
        raise (SourceError if labels else NoLabelsError)(
            f"{file} has no column {NAME_COLUMNS[0]}" if name_column is None else f"{file} has no label",
            where=f"its columns: {', '.join(columns) or 'none'}",
            fix="it needs filename, and one or more of quality_score, quality_class and issues; a folder of clean "
            "pages needs no CSV",
        )
    listing, records = Listing(), []
    for number, row in rows.items():
        name = (row[name_column] or "").strip()
        name = Path(name).as_posix() if name else name  # `./a.png` is `a.png`
        try:
            records.append(_labelled(number, name, file.parent, row))
        except (ValueError, OSError) as error:  # a name that the system does not take
            listing.rejected.append((number, name, reason(error)))
    unique = _once(records)
    return Listing(unique.records, listing.rejected + unique.rejected)


def _metadata_file(path: Path) -> Path:
    if path.is_file():
        return path
    found = [path / METADATA] if (path / METADATA).is_file() else sorted(path.glob("*.csv"))
    if len(found) != 1:
        raise SourceError(
            f"{path} holds {len(found)} CSV files" if path.is_dir() else f"{path} does not exist",
            fix=f"name the CSV, or a folder with {METADATA} beside or above the images",
        )
    return found[0]


def _labelled(number: int, name: str, folder: Path, row: dict[str, str | None]) -> Record:
    """Raises ValueError with the reason why the row cannot be used."""
    if not name:
        raise ValueError("no file name")
    file = folder / name
    if not file.is_file():
        raise ValueError(f"no file {name} in {folder}")
    if not is_watched(file, folder):
        raise ValueError(f"{name} lies outside {folder}")
    if file.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{file.suffix or 'no suffix'} is no kind of file that is read")
    score = _score(_first(row, SCORE_COLUMNS))
    label = _label(_first(row, CLASS_COLUMNS))
    text = row.get(ISSUES_COLUMN)
    issues = _issues(text) if text is not None else None
    if score is None and label is None and not issues:
        raise ValueError("neither score nor class nor issues")
    if score is not None and label is not None and definitions.class_of(score) != label:
        belongs = definitions.CLASSES[int(definitions.class_of(score))]
        raise ValueError(f"score {score:g} belongs to {belongs}, not to {definitions.CLASSES[label]}")
    return Record(
        number,
        name.rpartition(".")[0],
        file,
        score,
        label,
        issues,
        (row.get(DOCUMENT_COLUMN) or "").strip(),
        (row.get(PAGE_COLUMN) or "").strip(),
        _severities([(row.get(column) or "").strip() for column in SEVERITY_COLUMNS]),
        _split((row.get(SPLIT_COLUMN) or "").strip()),
        _score((row.get(READABILITY_COLUMN) or "").strip()),
    )


def _first(row: dict[str, str | None], columns: tuple[str, ...]) -> str:
    return next((value.strip() for column in columns if (value := row.get(column))), "")


def _score(text: str) -> float | None:
    if not text:
        return None
    try:
        score = float(text)
    except ValueError:
        raise ValueError(f"the score {text[:20]!r} is no number") from None
    if not math.isfinite(score) or not 0 <= score <= 1:
        raise ValueError(f"the score {text[:20]} is not between 0 and 1")
    return score


def _severities(texts: list[str]) -> tuple[float, ...] | None:
    """All ten, or none: the score is a function of them all."""
    if not all(texts):
        return None
    try:
        found = tuple(float(text) for text in texts)
    except ValueError:
        raise ValueError("a severity is no number") from None
    if not all(0 <= severity <= 1 for severity in found):
        raise ValueError("a severity is not between 0 and 1")
    return found


def _split(text: str) -> str | None:
    if text and text.lower() not in SPLIT_NAMES:
        raise ValueError(f"there is no split {text[:20]!r}: {', '.join(SPLITS)}")
    return SPLIT_NAMES[text.lower()] if text else None


def _label(text: str) -> int | None:
    if not text:
        return None
    keys = [definitions.class_key(name) for name in definitions.CLASSES]
    key = re.sub(r"[\s_-]+", "_", text.strip().lower())
    if key not in keys:
        raise ValueError(f"there is no class {text[:30]!r}: {', '.join(definitions.CLASSES)}")
    return keys.index(key)


def _issues(text: str) -> frozenset[str]:
    names = [part.strip() for part in re.split(r"[;,|]", text) if part.strip()]
    unknown = [name for name in names if name not in definitions.ISSUES]
    if unknown:
        raise ValueError(f"there is no issue {unknown[0][:30]!r}: {', '.join(definitions.ISSUES)}")
    return frozenset(names)


def _once(records: list[Record]) -> Listing:
    """The records without those whose name came before."""
    first: dict[str, int] = {}
    listing = Listing()
    for record in records:
        if record.name in first:
            reason = f"{record.name} is named before, in row {first[record.name]}"
            listing.rejected.append((record.row, record.name, reason))
        else:
            first[record.name] = record.row
            listing.records.append(record)
    return listing
