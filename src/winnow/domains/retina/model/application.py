"""What a user does with the trained grader: grade and explain photographs, and judge it on another labelled set.

Everything is done as the model's folder says; params.yaml decides only the device.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch

from winnow.curate.filters import apply_rules
from winnow.curate.rejected import check_rejected_share
from winnow.domains.retina import definitions
from winnow.domains.retina.model import judging
from winnow.domains.retina.model.grading import grade_photographs
from winnow.domains.retina.model.heatmaps import heat_maps
from winnow.domains.retina.model.network import Grader
from winnow.domains.retina.rules.labels import label_photographs
from winnow.domains.retina.rules.quality import quality_rules
from winnow.domains.retina.source import formats
from winnow.domains.retina.source.collect import Collected, collect
from winnow.domains.retina.source.records import Collection, Listing, Record
from winnow.domains.retina.tables import Seen
from winnow.images.codec import Pixels, encode_png
from winnow.images.perceptual import near_any
from winnow.images.store import Images, read_images, write_images
from winnow.learn.trained import load_trained, model_folder
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import atomic_path
from winnow.pipeline.tables import read_table
from winnow.show.heat import overlay

BATCH = 64
"""Photographs at a time."""


def grade_files(paths: Sequence[Path], explain: Path | None, device: torch.device) -> list[dict[str, Any]]:
    """One entry per photograph, in the order given; a folder means the photographs in it.

    `grade`, `probabilities`, `referable`, the limit of quality it breaks as `quality`, and the heat map's file as
    `explained` when a folder for them is given; or the `error` that keeps a file from being graded.
    """
    files = _files(paths)
    model = load_trained(Grader, "retina", device)
    records = [Record(row, str(file), None, file) for row, file in enumerate(files)]
    with _prepared(Collection("files", "command line", "files", Listing(records)), model) as (found, images):
        names = found.photos["name"].tolist()
        values = grade_photographs(model, images, views=model.views, batch_size=BATCH)
        grades = definitions.decide(values, model.decision)
        broken = apply_rules(found.photos, quality_rules(model.limits))
        graded = {
            name: _grading(name, int(grade), row, quality)
            for name, grade, row, quality in zip(names, grades, values, broken, strict=True)
        }
        if explain is not None:
            maps = heat_maps(model, images, grades)
            for name, image, heat in zip(names, images, maps, strict=True):
                target = explain / _heat_map_name(Path(name), graded)
                graded[name]["explained"] = str(_save(target, overlay(image, encode_png(heat))))
    errors = dict(zip(found.rejected["name"], found.rejected["reason"], strict=True))
    return [graded.get(str(file)) or {"file": str(file), "error": errors[str(file)]} for file in files]


def judge_data(path: Path, form: str | None, images: Path | None, device: torch.device) -> dict[str, Any]:
    """The grader's metrics on another labelled set, without photographs that it was trained or validated on.

    Raises SourceError, and WinnowError when nothing is left to judge.
    """
    form = form or formats.guess(path)
    listing = formats.read(form, path, images)
    model = load_trained(Grader, "retina", device)
    with _prepared(Collection(form, str(path), path.stem, listing), model) as (found, stored):
        check_rejected_share(found.rejected, listing.rows, 1.0, domain="retina")
        gradable = found.photos[apply_rules(found.photos, quality_rules(model.limits)).isna()]
        seen = _seen(gradable["perceptual_hash"].tolist(), model.limits.max_hash_distance)
        labels, ungraded = label_photographs(gradable[~seen].assign(duplicate_group=gradable["image_id"]), 0.0)
        if labels.empty:
            raise WinnowError(
                f"no photograph of {path} is left to judge", fix="use a labelled set that the model was not trained on"
            )
        chosen = stored.select(labels["image_id"])
        values = grade_photographs(model, chosen, views=model.views, batch_size=BATCH)
    true = labels["grade"].to_numpy(np.int64)
    predicted = definitions.decide(values, model.decision)
    confusion = pd.crosstab(pd.Series(true, name="true"), pd.Series(predicted, name="predicted"))
    return {
        "photographs": {
            "in_source": listing.rows,
            "rejected": len(found.rejected),
            "dropped": len(found.photos) - len(gradable),
            "seen_in_training": int(seen.sum()),
            "without_grade": len(ungraded),
            "judged": len(labels),
        },
        "by_grade": definitions.grade_counts(true),
        "metrics": judging.judge(true, values, model.decision),
        "confusion": {str(grade): {str(c): int(n) for c, n in row.items()} for grade, row in confusion.iterrows()},
    }


@contextmanager
def _prepared(collection: Collection, model: Grader) -> Iterator[tuple[Collected, Images]]:
    """The collection's photographs as the model was trained on them, in a store that lasts as long as the block."""
    with TemporaryDirectory() as folder:
        store = Path(folder, "images.arrow")
        with write_images(store) as images:
            found = collect([collection], model.preparation, images)
        yield found, read_images(store)


def _grading(name: str, grade: int, probabilities: "np.ndarray[Any, Any]", quality: Any) -> dict[str, Any]:
    return {
        "file": name,
        "grade": grade,
        "name": definitions.GRADE_NAMES[grade],
        "referable": grade >= definitions.REFERABLE_FROM,
        "referable_probability": round(float(probabilities[definitions.REFERABLE_FROM :].sum()), 4),
        "probabilities": {str(each): round(float(probabilities[each]), 4) for each in definitions.GRADES},
        "quality": None if pd.isna(quality) else str(quality),
    }


def _files(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix.lower() in formats.SUFFIXES)
            if not inside:
                raise WinnowError(f"{path} holds no photograph", fix=f"one of {', '.join(formats.SUFFIXES)}")
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise WinnowError(f"{path} does not exist", fix="name photographs, or folders of them")
    return list(dict.fromkeys(files))


def _seen(hashes: list[str], max_distance: int) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Whether each photograph shows the same as one that the model was trained or validated on."""
    known = read_table(model_folder("retina") / "seen.parquet", Seen)["perceptual_hash"].tolist()
    return near_any(hashes, known, max_distance)


def _heat_map_name(file: Path, graded: dict[str, Any]) -> str:
    """`<name>_heat.png`; names that occur twice get their folder's name in front."""
    repeated = sum(Path(name).stem == file.stem for name in graded) > 1
    return f"{f'{file.parent.name}_' if repeated else ''}{file.stem}_heat.png"


def _save(target: Path, picture: Pixels) -> Path:
    with atomic_path(target) as scratch:
        scratch.write_bytes(encode_png(picture))
    return target
