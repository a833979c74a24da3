"""Labels of images: of degraded copies by what was done to them, of other pages by what their source says."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from winnow.curate.duplicates import digest
from winnow.domains.documents import definitions
from winnow.domains.documents.params import Label
from winnow.domains.documents.rules.copies import Severities, draw_scores, encode, make_copy
from winnow.domains.documents.rules.measures import measure
from winnow.domains.documents.rules.pages import shown
from winnow.images.codec import load_pixels
from winnow.images.parallel import map_images
from winnow.images.store import Images, ImageWriter

LABELLED = "labelled"
"""The source whose pages bring labels of their own."""


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
    flags: list[int | None]
    severities: Severities
    augmentations: tuple[str, ...]
    measures: dict[str, float]


@dataclass(frozen=True)
class _Work:
    """One copy to make of a page, or (copy None) a page to take as it is."""

    row: dict[str, object]
    content: bytes
    copy: int | None
    wanted: float


def make_images(
    pages: pd.DataFrame,
    images: Images,
    params: Label,
    flag_from: float,
    max_hash_distance: int,
    seed: int,
    store: ImageWriter,
) -> Made:
    """Degraded copies of clean pages, and labelled pages as they are, added to `store` in the order of their ids.

    Pages within the hash distance show the same.

    Every copy has a generator of its own, so that the same bytes come out whatever the number of cores.
    """

    def work() -> Iterator[_Work]:
        rows = pages.assign(page=shown(pages, max_hash_distance)).to_dict("records")
        for row, content in zip(rows, images, strict=True):
            plain = {str(key): value for key, value in row.items()}
            if row["source"] == LABELLED:
                yield _Work(plain, content, None, 1.0)
                continue
            rng = _generator(seed, str(row["image_id"]), "scores")
            scores = draw_scores(params.copies, params.clean_share, params.jitter, rng)
            for number, wanted in enumerate(scores.tolist()):
                yield _Work(plain, content, number, wanted)

    def make(each: _Work) -> _Image:
        return _labelled(each) if each.copy is None else _degraded(each, params, flag_from, seed)

    labels, severities, measures = [], [], []
    for made in map_images(make, work()):
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
            }
        )
        severities.append((made.image_id, made.severities, made.flags))
        measures.append((made.image_id, made.measures))
    return Made(
        pd.DataFrame(labels).astype({"label": "Int64", "issues": "str", "augmentations": "str"}),
        _long_severities(severities),
        pd.DataFrame(
            [(image_id, name, value) for image_id, values in measures for name, value in values.items()],
            columns=["image_id", "measure", "value"],
        ),
    )


def _degraded(each: _Work, params: Label, flag_from: float, seed: int) -> _Image:
    image_id = f"{each.row['image_id']}@{each.copy:04}"
    rng = _generator(seed, image_id)
    page = load_pixels(each.content, "L")
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
        [int(severity >= flag_from) for severity in copy.severities],
        copy.severities,
        copy.augmentations,
        measure(load_pixels(content, "L")),
    )


def _labelled(each: _Work) -> _Image:
    """A page as it is: its class follows from its score, or its score is the middle of its class.

    A page of which only issues are known has neither.
    """
    row = pd.Series(each.row)
    given = row.notna()
    score = float(row["score"]) if given["score"] else np.nan
    if given["label"] and not given["score"]:
        score = definitions.CENTRES[int(row["label"])]
    known = set(str(row["issues"]).split(";")) if given["issues"] else None
    return _Image(
        str(row["image_id"]),
        each.content,
        str(row["page"]),
        str(row["document"]),
        score,
        None if np.isnan(score) else int(definitions.class_of(score)),
        [None if known is None else int(issue in known) for issue in definitions.ISSUES],
        np.full(len(definitions.ISSUES), np.nan),
        (),
        measure(load_pixels(each.content, "L")),
    )


def _generator(seed: int, *names: str) -> np.random.Generator:
    return np.random.default_rng((seed, int(digest("/".join(names)), 16)))


def _long_severities(rows: list[tuple[str, Severities, list[int | None]]]) -> pd.DataFrame:
    long = [
        (image_id, issue, float(severity), flag)
        for image_id, severities, flags in rows
        for issue, severity, flag in zip(definitions.ISSUES, severities, flags, strict=True)
    ]
    return pd.DataFrame(long, columns=["image_id", "issue", "severity", "flagged"]).astype({"flagged": "Int64"})
