"""What a user does with the trained grader: photographs graded and explained, and another labelled set judged."""

import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from winnow.curate.filters import apply_rules
from winnow.curate.perceptual import near_groups
from winnow.curate.rejected import check_rejected_share
from winnow.domains.retina import definitions
from winnow.domains.retina.model import judging
from winnow.domains.retina.model.grading import grade_photographs
from winnow.domains.retina.model.heatmaps import heat_maps
from winnow.domains.retina.model.network import Grader
from winnow.domains.retina.model.photographs import encode
from winnow.domains.retina.params import Params
from winnow.domains.retina.rules.labels import label_photographs
from winnow.domains.retina.rules.quality import quality_rules
from winnow.domains.retina.source import formats
from winnow.domains.retina.source.collect import Collection, collect
from winnow.domains.retina.source.records import Listing, Record
from winnow.domains.retina.tables import Photos, Splits
from winnow.domains.retina.view.cases import overlay
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import atomic_path
from winnow.pipeline.tables import read_table

DATA = Path("data", "retina")


def load_model() -> Grader:
    """The trained grader; raises WinnowError when there is none yet."""
    folder = DATA / "train" / "model"
    if not folder.exists():
        raise WinnowError("there is no trained grader yet", where=str(folder), fix="dvc repro train@retina")
    with redirect_stdout(sys.stderr):  # the hub's library prints, and --json must stay JSON
        return Grader.from_pretrained(folder).eval()


def grade_files(paths: Sequence[Path], params: Params, explain: Path | None) -> list[dict[str, Any]]:
    """One entry per photograph, in the order given; a folder stands for the photographs in it.

    `grade`, `probabilities`, `referable`, what the filter would object to as `quality`, and the heat map's file as
    `explained` when a folder for them is named; or the `error` that keeps a file from being graded.
    """
    files = _files(paths)
    records = [Record(row, str(file), None, file) for row, file in enumerate(files)]
    found = collect(
        [Collection("files", "command line", "files", Listing(records))],
        size=params.common.image_size,
        **_recipe(params),
    )
    model = load_model()
    pngs = found.pixels["png"].tolist()
    values = grade_photographs(model, pngs, views=params.evaluate.views, batch_size=params.evaluate.batch_size)
    grades = definitions.decide(values, model.decision) if len(pngs) else np.zeros(0, dtype=np.int64)
    objections = apply_rules(found.photos, quality_rules(params.filter))
    told = {
        str(name): {
            "file": str(name),
            "grade": int(grade),
            "name": definitions.GRADE_NAMES[grade],
            "referable": bool(grade >= definitions.REFERABLE_FROM),
            "referable_probability": round(float(row[definitions.REFERABLE_FROM :].sum()), 4),
            "probabilities": {str(each): round(float(row[each]), 4) for each in definitions.GRADES},
            "quality": None if pd.isna(objection) else str(objection),
        }
        for name, grade, row, objection in zip(found.photos["name"], grades, values, objections, strict=True)
    }
    if explain is not None and len(pngs):
        maps = heat_maps(model, pngs, grades)
        for name, png, heat in zip(found.photos["name"], pngs, maps, strict=True):
            told[str(name)]["explained"] = str(_save(explain, Path(str(name)), overlay(png, encode(heat)), told))
    refused = dict(zip(found.rejected["name"], found.rejected["reason"], strict=True))
    return [told.get(str(file)) or {"file": str(file), "error": refused[str(file)]} for file in files]


def judge_data(path: Path, form: str | None, images: Path | None, params: Params) -> dict[str, Any]:
    """The grader's figures on another labelled set; photographs it was trained or validated on are left out.

    Raises SourceError, and WinnowError when nothing is left to judge.
    """
    form = form or formats.guess(path)
    listing = formats.read(form, path, images)
    found = collect([Collection(form, str(path), path.stem, listing)], size=params.common.image_size, **_recipe(params))
    check_rejected_share(found.rejected, listing.rows, 1.0, domain="retina")
    gradable = found.photos[apply_rules(found.photos, quality_rules(params.filter)).isna()]
    seen = gradable["image_id"].isin(_seen(gradable, params.filter.max_hash_distance))
    labels, ungraded = label_photographs(gradable[~seen].assign(duplicate_group=gradable["image_id"]))
    if labels.empty:
        raise WinnowError(
            f"no photograph of {path} is left to judge", fix="name a labelled set that was not trained on"
        )
    model = load_model()
    pixels = found.pixels.set_index("image_id")["png"]
    pngs = pixels.loc[labels["image_id"]].tolist()
    values = grade_photographs(model, pngs, views=params.evaluate.views, batch_size=params.evaluate.batch_size)
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


def _recipe(params: Params) -> dict[str, bool]:
    return {"crop": params.ingest.crop, "contrast": params.ingest.contrast}


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


def _seen(photos: pd.DataFrame, max_distance: int) -> set[str]:
    """Photographs that show the same as one of the training or validation side."""
    known = read_table(DATA / "ingest" / "photos.parquet", Photos)
    splits = read_table(DATA / "split" / "splits.parquet", Splits)
    trained = known[known["image_id"].isin(splits.loc[splits["split"] != "test", "image_id"])]
    groups = near_groups([*trained["perceptual_hash"], *photos["perceptual_hash"]], max_distance)
    return set(photos.loc[groups[len(trained) :] < len(trained), "image_id"])


def _save(folder: Path, file: Path, picture: "np.ndarray[Any, np.dtype[np.uint8]]", told: dict[str, Any]) -> Path:
    """Write the picture as `<name>_heat.png`; names that occur twice get their folder's name in front."""
    twice = sum(Path(name).stem == file.stem for name in told) > 1
    target = folder / f"{f'{file.parent.name}_' if twice else ''}{file.stem}_heat.png"
    with atomic_path(target) as scratch:
        scratch.write_bytes(encode(picture))
    return target
