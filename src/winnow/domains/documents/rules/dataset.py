"""A data set as a folder of images and CSV files, for other tools, or to be labelled by hand and read again."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from winnow.curate.rejected import check_rejected_share
from winnow.curate.split_names import SPLITS
from winnow.domains.documents import definitions
from winnow.domains.documents.params import Enough, Filter, Label, Split
from winnow.domains.documents.rules.classes import warnings
from winnow.domains.documents.rules.labels import make_images
from winnow.domains.documents.rules.pages import keep_pages
from winnow.domains.documents.rules.splits import split_images
from winnow.domains.documents.source import formats
from winnow.domains.documents.source.collect import collect
from winnow.domains.documents.source.records import Collection
from winnow.images.listing import numbered, one_word
from winnow.images.store import read_images, write_images
from winnow.pipeline.console import say
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import atomic_path, write_text

FORMS = {"synthetic": "clean_pages", "real": "labelled"}
"""Mode of the command → format of its input."""
COPIED = re.compile(rf"{definitions.COPY}\d{{4,}}$")
"""What the id of a copy ends in; copies are stored as JPEG."""


@dataclass(frozen=True)
class Settings:
    """How the data set is made, as params.yaml says."""

    preparation: definitions.Preparation
    flag_from: float
    filter: Filter
    max_rejected_share: float
    label: Label
    split: Split
    enough: Enough
    seed: int


def make_dataset(source: Path, target: Path, mode: str, settings: Settings) -> pd.DataFrame:
    """Write `train/`, `val/` and `test/` with their images and `<split>_metadata.csv`, `full_dataset_metadata.csv`, and
    `dataset_summary.txt`; gives the full metadata.

    `synthetic` degrades the clean pages of a folder, `real` reads labelled pages. Raises WinnowError when the target
    holds something already, SourceError when the source cannot be used.
    """
    if target.exists() and any(target.iterdir()):
        raise WinnowError(f"{target} is not empty", fix="name a new folder")
    listing = formats.read(FORMS[mode], source)
    with TemporaryDirectory() as scratch:
        pages_file, images_file = Path(scratch, "pages.arrow"), Path(scratch, "images.arrow")
        with write_images(pages_file) as images:
            pieces: list[pd.DataFrame] = []
            collection = Collection(FORMS[mode], str(source), source.stem, listing)
            say(f"reading {len(listing.records):,} files …")
            found = collect([collection], settings.preparation, images, pieces.append)
        pages = pd.concat(pieces, ignore_index=True)
        check_rejected_share(found.unused, listing.rows, settings.max_rejected_share, domain="documents")
        stored = read_images(pages_file)
        kept, _, dropped = keep_pages(pages, stored.select(pages["image_id"]), settings.filter)
        told = f"degrading each {settings.label.copies} times" if mode == "synthetic" else "measuring them"
        say(f"{len(kept):,} pages, {told} …")
        with write_images(images_file) as store:
            made = make_images(
                kept,
                stored.select(kept["image_id"]),
                found.severities,
                settings.label,
                settings.flag_from,
                settings.filter.max_hash_distance,
                settings.seed,
                store,
            )
        splits = split_images(made.labels, settings.split, np.random.default_rng(settings.seed))
        metadata = _metadata(made.labels, made.severities, splits)
        encoded = read_images(images_file)
        say(f"writing {len(metadata):,} images …")
        for row, content in zip(metadata.itertuples(), encoded.select(metadata["image_id"]), strict=True):
            with atomic_path(target / str(row.split) / str(row.filename)) as file:
                file.write_bytes(content)
    metadata = metadata.drop(columns="image_id")
    for split in SPLITS:
        part = metadata[metadata["split"] == split]
        write_text(target / split / f"{split}_metadata.csv", part.to_csv(index=False, lineterminator="\n"))
    paths = metadata.assign(filename=metadata["split"] + "/" + metadata["filename"])
    write_text(target / "full_dataset_metadata.csv", paths.to_csv(index=False, lineterminator="\n"))
    lost = {"rejected": len(found.rejected), **dropped}
    write_text(target / "dataset_summary.txt", summary(metadata, lost, settings.enough))
    return metadata


def summary(metadata: pd.DataFrame, lost: Mapping[str, int], limits: Enough) -> str:
    """Counts by split, class and issue, pages that were lost with the reason, and warnings of too little data."""
    counts = {name: int((metadata["quality_class"] == name).sum()) for name in definitions.CLASSES}
    splits = {split: int((metadata["split"] == split).sum()) for split in SPLITS}
    issues = metadata["issues"].fillna("").str.split(";").explode()
    lines = [
        f"{len(metadata)} images of {metadata['document'].nunique()} documents",
        f"pages left out: {', '.join(f'{count} {reason}' for reason, count in lost.items() if count) or 'none'}",
        "",
        "splits:",
        *(f"  {split:<6} {count:>7}" for split, count in splits.items()),
        "",
        "classes:",
        *(f"  {name:<10} {count:>7}" for name, count in counts.items()),
        "",
        "issues:",
        *(f"  {issue:<20} {int((issues == issue).sum()):>7}" for issue in definitions.ISSUES),
        "",
        *warnings(counts, splits["train"], limits),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _metadata(labels: pd.DataFrame, severities: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """One row per image: its file, score, class, issues, severities, page, document, split and augmentations."""
    wide = severities.pivot_table(index="image_id", columns="issue", values="severity", dropna=False)
    wide = wide.reindex(labels["image_id"])[list(definitions.ISSUES)].add_prefix("severity_")
    rows = labels.merge(splits[["image_id", "split"]], on="image_id", validate="one_to_one")
    suffixes = rows["image_id"].map(lambda image_id: ".jpg" if COPIED.search(image_id) else ".png")
    names = pd.Series(numbered(one_word(image_id) for image_id in rows["image_id"]))
    table = pd.DataFrame(
        {
            "image_id": rows["image_id"],
            "filename": names + suffixes,
            "quality_score": rows["score"],
            "quality_class": rows["label"].map(dict(enumerate(definitions.CLASSES))),
            "issues": rows["issues"],
            "split": rows["split"],
            "page": rows["page"],
            "document": rows["document"],
            "readability": rows["readability"],
            "augmentations": rows["augmentations"],
        }
    )
    return table.join(wide.reset_index(drop=True))
