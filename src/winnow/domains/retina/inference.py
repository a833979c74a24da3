"""What a user does with the trained grader: grade and explain photographs, and judge it on another labelled set.

Everything is done as the model's folder says; params.yaml decides only the device.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from winnow.curate.filters import apply_rules
from winnow.curate.rejected import check_rejected_share
from winnow.domains.retina import definitions
from winnow.domains.retina.evaluation import baselines
from winnow.domains.retina.evaluation.results import grade_rows, intervals
from winnow.domains.retina.metrics import statistics
from winnow.domains.retina.model import familiarity
from winnow.domains.retina.model.calibration import Calibration, load
from winnow.domains.retina.model.grading import BEFORE_REFIT, before_refit
from winnow.domains.retina.model.heatmaps import heat_maps, within_retina
from winnow.domains.retina.model.network import Grader
from winnow.domains.retina.rules.labels import label_photographs, patient_digest
from winnow.domains.retina.rules.quality import quality_rules
from winnow.domains.retina.showing import probabilities
from winnow.domains.retina.source import formats
from winnow.domains.retina.source.collect import Collected, collect
from winnow.domains.retina.source.photographs import prepare
from winnow.domains.retina.source.records import Collection, Listing, Record
from winnow.domains.retina.tables import Seen
from winnow.images.codec import Pixels, encode_png
from winnow.images.listing import distinct_names, image_files, spelled
from winnow.images.perceptual import near_groups
from winnow.images.store import Images, read_images, write_images
from winnow.judge.intervals import values
from winnow.judge.settings import Bootstrap
from winnow.learn.trained import load_trained
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import atomic_path
from winnow.pipeline.tables import read_table
from winnow.show.heat import overlay

SHOWN = 512
"""Pixels a side, at least, of the photograph under its heat map: the network may see far fewer."""
UNLIKE_TRAINING = "unlike_training"
"""Why a picture that keeps all limits of quality is not graded."""
REFERRAL = ("referable_sensitivity", "referable_specificity")
"""The metrics in which an ungradable photograph counts: it is referred."""
BOOTSTRAP = Bootstrap(resamples=1000, confidence=0.95)


def grade_files(
    paths: Sequence[Path], explain: Path | None, folder: Path, device: torch.device
) -> list[dict[str, Any]]:
    """One entry per photograph, in the order given; a folder means the photographs in it.

    `grade`, `probabilities` and `referable`, and the heat map's file as `explained` when a folder for them is given,
    with `unseen_share`, the share of its heat outside the retina. `possible` are the lowest and the highest grade that
    the true one is among with the chance that training set (`coverage`). A photograph that breaks a limit of quality,
    or is unlike those of training, has the reason as `quality`; it has no grade and is `referable`. `distance` is that
    from the photographs of training, 1 at the limit. A file that cannot be read has the `error`.
    """
    return grade_with(Opened.of(folder, device), paths, explain)


@dataclass(frozen=True)
class Opened:
    """A grader that is loaded, with all that its answers need."""

    model: Grader
    calibration: Calibration
    known: familiarity.Familiarity
    before: Grader

    @classmethod
    def of(cls, folder: Path, device: torch.device) -> "Opened":
        """Raises WinnowError when `folder` holds no model of this domain and version."""
        model = load_trained(Grader, "retina", device, folder)
        return cls(model, load(folder), familiarity.load(folder), before_refit(model, folder))


def grade_with(opened: Opened, paths: Sequence[Path], explain: Path | None) -> list[dict[str, Any]]:
    """`grade_files` by a grader that is loaded already."""
    files = {spelled(file): file for file in image_files(paths, formats.SUFFIXES, "photograph")}
    model, calibration = opened.model, opened.calibration
    records = [Record(row, name, None, file) for row, (name, file) in enumerate(files.items())]
    with _prepared(Collection("files", "command line", "files", Listing(records)), model) as (found, images):
        names = found.photos["name"].tolist()
        broken = apply_rules(found.photos, quality_rules(model.limits))
        distance = opened.known.distances(opened.before, images)
        broken[broken.isna() & (distance > 1)] = UNLIKE_TRAINING
        graded = {
            name: _ungradable(name, str(rule), apart) for name, rule, apart in zip(names, broken, distance, strict=True)
        }
        places = np.flatnonzero(broken.isna())
        gradable = images.take(places)
        raw = probabilities(model, gradable)
        rows = grade_rows(raw, model.decision, calibration)
        for place, row in zip(places, rows.to_dict("records"), strict=True):
            graded[names[place]] = _grading(names[place], row, calibration, distance[place])
        if explain is not None:
            pictures = distinct_names(list(files.values()))
            maps = heat_maps(model, gradable, rows["predicted"].to_numpy(np.int64))
            for place, image, heat in zip(places, gradable, maps, strict=True):
                entry, file = graded[names[place]], files[names[place]]
                inside, entry["unseen_share"] = within_retina(heat, image, model.preparation)
                target = explain / f"{pictures[file]}_heat.png"
                shown = replace(model.preparation, image_size=max(SHOWN, model.preparation.image_size), contrast=False)
                photograph = prepare(file.read_bytes(), shown).png
                entry["explained"] = str(_save(target, overlay(photograph, encode_png(inside))))
    errors = dict(zip(found.rejected["name"], found.rejected["reason"], strict=True))
    return [graded.get(name) or {"file": name, "error": errors[name]} for name in files]


def judge_data(path: Path, form: str | None, images: Path | None, folder: Path, device: torch.device) -> dict[str, Any]:
    """The metrics of what `grade_files` says of another labelled set, with intervals over patients, with baselines'.

    Without photographs that it was trained or validated on, and without other photographs of those patients. What is
    ungradable has no grade, and counts as referred in the figures of referral. The counts of `photographs` add up to
    `in_source`. Raises SourceError, and WinnowError when no photograph is graded.
    """
    form = form or formats.guess(path)
    listing = formats.read(form, path, images)
    model, calibration = load_trained(Grader, "retina", device, folder), load(folder)
    known = read_table(folder / "seen.parquet", Seen)
    with _prepared(Collection(form, str(path), path.stem, listing), model) as (found, stored):
        check_rejected_share(found.rejected, listing.rows, 1.0, domain="retina")
        labels, unlabelled = label_photographs(found.photos.assign(duplicate_group=found.photos["image_id"]), 0.0)
        photos = labels.merge(found.photos.drop(columns=["grade", "patient", "eye", "official_split"]), on="image_id")
        seen = _seen(photos["perceptual_hash"].tolist(), known, model.limits.max_hash_distance)
        of_known = photos["patient"].map(patient_digest).isin(known["patient"].dropna()).to_numpy(bool) & ~seen
        photos = photos[~seen & ~of_known].reset_index(drop=True)
        judged = stored.select(photos["image_id"])
        broken = apply_rules(photos, quality_rules(model.limits))
        if len(photos):
            distance = familiarity.load(folder).distances(before_refit(model, folder), judged)
            broken[broken.isna() & (distance > 1)] = UNLIKE_TRAINING
        counts = {
            "in_source": listing.rows,
            "rejected": len(found.rejected),
            "without_grade": len(unlabelled),
            "seen_in_training": int(seen.sum()),
            "of_patients_in_training": int(of_known.sum()),
            "ungradable": int(broken.notna().sum()),
            "graded": int(broken.isna().sum()),
        }
        if not counts["graded"]:
            told = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
            known_names = "; patients of the same names as those of training, if they are others, need other names"
            raise WinnowError(
                f"no photograph of {path} is left to judge: {told}",
                fix="use photographs with grades from 0 to 4 that the model was not trained on and that "
                f"`winnow retina grade` does not call ungradable{known_names * bool(of_known.any())}",
            )
        raw = probabilities(model, judged)
    rows = pd.concat([photos, grade_rows(raw, model.decision, calibration)], axis=1)
    rivals = _baselines(photos, known, model, calibration, refit=(folder / BEFORE_REFIT).exists())
    gradable = broken.isna().to_numpy(bool)

    def of_intervals(table: pd.DataFrame) -> dict[str, Any]:
        found = intervals(table, BOOTSTRAP, np.random.default_rng(0))
        return {name: {"low": bounds.low, "high": bounds.high} for name, bounds in found.items()}

    return {
        "photographs": counts,
        "ungradable": broken.value_counts().sort_index().to_dict(),
        "by_grade": definitions.grade_counts(rows.loc[gradable, "grade"].to_numpy(np.int64)),
        "metrics": _as_answered(_values, rows, gradable),
        "interval": _as_answered(of_intervals, rows, gradable),
        "baseline": {name: _as_answered(_values, table, gradable) for name, table in rivals.items()},
        "confusion": pd.crosstab(rows.loc[gradable, "grade"], rows.loc[gradable, "predicted"]).to_dict("index"),
    }


def _as_answered(
    measured: Callable[[pd.DataFrame], dict[str, Any]], rows: pd.DataFrame, gradable: NDArray[np.bool_]
) -> dict[str, Any]:
    """What is measured of the gradable photographs, and of referral that of all: the ungradable are referred."""
    every = measured(rows.assign(referred=rows["referred"].to_numpy(bool) | ~gradable))
    return measured(rows[gradable]) | {name: every[name] for name in REFERRAL if name in every}


def _values(rows: pd.DataFrame) -> dict[str, float]:
    return values(statistics(rows), len(rows))


def _baselines(
    photos: pd.DataFrame, known: pd.DataFrame, model: Grader, calibration: Calibration, *, refit: bool
) -> dict[str, pd.DataFrame]:
    """The grades of evaluate's simple models, fitted on what the model's folder stores of its training photographs."""
    columns = ["grade", "split", *baselines.METADATA]
    rows = pd.concat([known[columns], photos.assign(split="test")[columns]], ignore_index=True)
    train = rows.loc[rows["split"] == "train", "grade"].to_numpy(np.int64)
    probabilities = {
        "majority": baselines.majority(train, len(rows)),
        "metadata": baselines.metadata_model(rows, model.decision, refit=refit, seed=0),
    }
    graded = baselines.judged(probabilities, rows, model.decision, calibration)
    tested = rows["split"] == "test"
    return {name: pd.concat([rows[["grade"]], each], axis=1)[tested] for name, each in graded.items()}


@contextmanager
def _prepared(collection: Collection, model: Grader) -> Iterator[tuple[Collected, Images]]:
    """The collection's photographs as the model was trained on them, in a store that lasts as long as the block."""
    with TemporaryDirectory() as folder:
        store = Path(folder, "images.arrow")
        with write_images(store) as images:
            found = collect([collection], model.preparation, images)
        yield found, read_images(store)


def _grading(name: str, row: Mapping[Hashable, Any], calibration: Calibration, distance: float) -> dict[str, Any]:
    """What is said of a photograph that can be graded, a row of `grade_rows`."""
    probabilities = np.array([[row[column] for column in definitions.probability_columns()]])
    return {
        "file": name,
        "grade": int(row["predicted"]),
        "name": definitions.GRADE_NAMES[int(row["predicted"])],
        "referable": bool(row["referred"]),
        "referable_probability": round(float(definitions.referable_probability(probabilities)[0]), 4),
        "refer_from": calibration.refer_from,
        "possible": calibration.possible(probabilities)[0].tolist(),
        "coverage": calibration.coverage,
        "probabilities": {str(each): round(float(probabilities[0, each]), 4) for each in definitions.GRADES},
        "distance": round(float(distance), 3),
        "quality": None,
    }


def _ungradable(name: str, rule: str, distance: float) -> dict[str, Any]:
    """The answer for a photograph that breaks a limit: it cannot show that the eye is healthy."""
    refused = {"file": name, "grade": None, "name": "ungradable", "referable": True}
    return {**refused, "distance": round(float(distance), 3), "quality": rule}


def _seen(hashes: list[str], known: pd.DataFrame, max_distance: int) -> NDArray[np.bool_]:
    """Whether each photograph shows the same as one that the model was trained or validated on."""
    before = known["perceptual_hash"].tolist()
    return near_groups([*before, *hashes], max_distance)[len(before) :] < len(before)


def _save(target: Path, picture: Pixels) -> Path:
    with atomic_path(target) as scratch:
        scratch.write_bytes(encode_png(picture))
    return target
