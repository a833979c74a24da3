"""Labels of images: of degraded copies by what was done to them, of other pages by what their source says."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.curate.duplicates import digest
from winnow.domains.documents import definitions
from winnow.domains.documents.params import Label
from winnow.domains.documents.rules.copies import Severities, draw_scores, encode, make_copy
from winnow.domains.documents.rules.measures import NAMES, measure
from winnow.domains.documents.rules.pages import shown
from winnow.domains.documents.rules.reading import check_installed, kept_reading
from winnow.images.codec import load_pixels
from winnow.images.parallel import map_images
from winnow.images.store import Images, ImageWriter

USED = [
    "image_id", "page", "document", "source", "score", "label", "issues", "official_split", "readability",
]  # fmt: skip
"""Columns of a page that its labels need."""
READ_LINES = 12
"""Lines of a copy that an OCR reads: most of its time, and enough for their mean."""


@dataclass(frozen=True)
class Made:
    """The columns of `Labels`, `Severities` and `Measures`, by image."""

    labels: pd.DataFrame
    severities: pd.DataFrame
    measures: pd.DataFrame


@dataclass(frozen=True)
class _Image:
    """One image with its labels."""

    image_id: str
    content: bytes
    page: str
    document: str
    score: float
    """NaN where neither score nor class is known"""
    label: int | None
    flags: list[float | None]
    severities: Severities
    augmentations: tuple[str, ...]
    measures: NDArray[np.float32]
    """of `NAMES`"""
    official_split: str | None
    readability: float
    """NaN where nothing was read"""


@dataclass(frozen=True)
class _Work:
    """One copy to make of a page, or (copy None) a page to take as it is."""

    row: dict[str, object]
    """of `USED`"""
    image: Images
    """the page, alone"""
    severities: Mapping[str, float] | None
    """as the source says them"""
    copy: int | None
    wanted: float


def make_images(
    pages: pd.DataFrame,
    images: Images,
    given: pd.DataFrame,
    params: Label,
    flag_from: float,
    max_hash_distance: int,
    seed: int,
    store: ImageWriter,
) -> Made:
    """Degraded copies of clean pages, and labelled pages as they are, added to `store` in the order of their ids.

    Pages within the hash distance show the same. `given` are the `GivenSeverities` of labelled pages.

    Every copy has a generator of its own, so that the same bytes come out whatever the number of cores.
    """
    if params.read_copies and (pages["source"] != definitions.LABELLED).any():
        check_installed()
    known = {
        str(image_id): dict(zip(rows["issue"], rows["severity"], strict=True))
        for image_id, rows in given.groupby("image_id")
    }

    def work() -> Iterator[_Work]:
        rows = pages.assign(page=shown(pages, max_hash_distance))[USED].to_dict("records")
        for place, row in enumerate(rows):
            plain, image = {str(key): value for key, value in row.items()}, images[place : place + 1]
            if row["source"] == definitions.LABELLED:
                yield _Work(plain, image, known.get(str(row["image_id"])), None, 1.0)
                continue
            rng = _generator(seed, str(row["image_id"]), "scores")
            scores = draw_scores(params.copies, params.clean_share, params.jitter, rng)
            for number, wanted in enumerate(scores.tolist()):
                yield _Work(plain, image, None, number, wanted)

    labels, severities, flags, measures = [], [], [], []
    for made in map_images(partial(_made, params=params, flag_from=flag_from, seed=seed), work()):
        store.add(made.image_id, made.content)
        flagged = [issue for issue, flag in zip(definitions.ISSUES, made.flags, strict=True) if flag]
        labels.append(
            {
                "image_id": made.image_id,
                "page": made.page,
                "document": made.document,
                "score": made.score,
                "label": made.label,
                "issues": None if made.flags[0] is None else ";".join(flagged),
                "augmentations": ";".join(made.augmentations),
                "official_split": made.official_split,
                "readability": made.readability,
            }
        )
        severities.append(made.severities)
        flags.append(made.flags)
        measures.append(made.measures)
    types = {"label": "Int64", "issues": "str", "augmentations": "str", "official_split": "str"}
    table = pd.DataFrame(labels).astype(types)
    ids = table["image_id"]
    return Made(
        table,
        _long_severities(ids, np.stack(severities), np.array(flags, dtype=np.float32)),
        pd.concat([ids, pd.DataFrame(np.stack(measures), columns=list(NAMES))], axis=1),
    )


def _made(each: _Work, *, params: Label, flag_from: float, seed: int) -> _Image:
    return _labelled(each, flag_from) if each.copy is None else _degraded(each, params, flag_from, seed)


def _degraded(each: _Work, params: Label, flag_from: float, seed: int) -> _Image:
    image_id = f"{each.row['image_id']}{definitions.COPY}{each.copy:04}"
    rng = _generator(seed, image_id)
    page = load_pixels(each.image[0], "L")
    copy = make_copy(page, each.wanted, rng, max_issues=params.max_issues, augmentation_share=params.augmentation_share)
    content = encode(copy.page, params.quality)
    score = float(definitions.severity_score(copy.severities))
    return _Image(
        image_id,
        content,
        str(each.row["page"]),
        str(each.row["document"]),
        score,
        int(definitions.class_of(score)),
        [float(severity >= flag_from) for severity in copy.severities],
        copy.severities,
        copy.augmentations,
        _measured(content),
        None,
        _readability(content) if each.copy is not None and each.copy < params.read_copies else np.nan,
    )


def _labelled(each: _Work, flag_from: float) -> _Image:
    """A page as it is: its class follows from its score, or its score is the middle of its class.

    A page of which only issues are known has neither. Issues that its source does not name follow from severities.
    """
    row = pd.Series(each.row)
    given = row.notna()
    score = float(row["score"]) if given["score"] else np.nan
    if given["label"] and not given["score"]:
        score = definitions.CENTRES[int(row["label"])]
    severities, content = each.severities, each.image[0]
    known = set(str(row["issues"]).split(";")) if given["issues"] else None
    if known is None and severities:
        known = {issue for issue, severity in severities.items() if severity >= flag_from}
    return _Image(
        str(row["image_id"]),
        content,
        str(row["page"]),
        str(row["document"]),
        score,
        None if np.isnan(score) else int(definitions.class_of(score)),
        [None if known is None else float(issue in known) for issue in definitions.ISSUES],
        np.array([severities[issue] if severities else np.nan for issue in definitions.ISSUES]),
        (),
        _measured(content),
        str(row["official_split"]) if given["official_split"] else None,
        float(row["readability"]) if given["readability"] else np.nan,
    )


def _readability(content: bytes) -> float:
    return kept_reading(load_pixels(content, "L"), content, READ_LINES).readability


def _measured(content: bytes) -> NDArray[np.float32]:
    return np.array(list(measure(load_pixels(content, "L")).values()), dtype=np.float32)


def _generator(seed: int, *names: str) -> np.random.Generator:
    return np.random.default_rng((seed, int(digest("/".join(names)), 16)))


def _long_severities(ids: "pd.Series[str]", severities: Severities, flags: NDArray[np.float32]) -> pd.DataFrame:
    """The columns of `Severities`, of `(images, 10)` values, NaN where unknown."""
    issues = len(definitions.ISSUES)
    return pd.DataFrame(
        {
            "image_id": ids.repeat(issues).reset_index(drop=True),
            "issue": pd.Series(definitions.ISSUES * len(ids), dtype="str"),
            "severity": severities.ravel(),
            "flagged": pd.Series(flags.ravel(), dtype="Float64").astype("Int64"),
        }
    )
