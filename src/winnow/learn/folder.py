"""A trained model's folder: where it is, and the verdict of its evaluation. Imports no torch.

The verdict comes after the training that writes the folder, so that evaluate notes which files it judged by their
digest. `winnow export DOMAIN model` puts the judgement into a copy of the folder, which then needs no checkout.
"""

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

import numpy as np
import typer
from numpy.typing import NDArray
from pydantic import TypeAdapter

from winnow.pipeline.checkout import checkout_root, is_checkout
from winnow.pipeline.errors import TableError, WinnowError
from winnow.pipeline.files import JUDGEMENT, folder_digest, read_json, write_json
from winnow.pipeline.reading import reading

PASSED = ("PASS", "DEPLOY")
"""The verdicts that recommend a model."""
UNKNOWN = "not evaluated"
"""The verdict of a model that no evaluation known here has judged."""
UNKNOWN_MEANS = "nobody knows how good it is"

unjudged: list[Path] = []
"""The models in use that no evaluation has judged: they may be damaged, and whatever fails with them is theirs."""

S = TypeVar("S")

ModelOption = Annotated[
    Path | None,
    typer.Option("--model", help="folder of a trained model (default: this checkout's)", show_default=False),
]


@dataclass(frozen=True)
class TrainedModel:
    """A model's folder, and the verdict on the model with its reasons, worst first."""

    folder: Path
    verdict: str
    reasons: tuple[str, ...]
    is_demonstration: bool = False
    """whether it was trained on the embedded synthetic data"""
    doubt: str = UNKNOWN_MEANS
    """why a model without a verdict has none"""
    never: tuple[str, ...] = ()
    """what a classifier does not do, whatever its verdict, see `never_predicted`"""

    @property
    def warnings(self) -> list[str]:
        """What a person must know before relying on its answers; mostly empty if it passed on data of its own."""
        found = []
        if self.verdict == UNKNOWN:
            found.append(f"this model is {UNKNOWN}: {self.doubt}")
        elif self.verdict not in PASSED:
            found.append(f"this model did not pass its evaluation: {self.reasons[0] if self.reasons else self.verdict}")
        found += [f"this model {each}" for each in self.never]
        if self.is_demonstration:
            found.append("this model was trained on synthetic data: its answers about real data mean nothing")
        return found

    def stamp(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """The answer of a command, with the verdict on the model that gave it, and whether its data were synthetic."""
        synthetic = {"model_trained_on": "synthetic data"} if self.is_demonstration else {}
        return {**answer, "model_verdict": self.verdict, **synthetic}


def model_folder(domain: str, root: Path = Path()) -> Path:
    """The folder of the domain's trained model in a checkout; raises WinnowError when none exists.

    It holds the network and everything that using it needs (see `Task.save_extras`).
    """
    return _existing(root / "data" / domain / "train" / "model", domain)


def use_model(domain: str, given: Path | None) -> TrainedModel:
    """The model in the folder `given`, or else this checkout's; lines on standard error are its warnings.

    Raises WinnowError when there is none, before anything imports torch, which takes seconds.
    """
    folder = _existing(given, domain) if given is not None else model_folder(domain, checkout_root() or Path())
    root = home_of(domain, folder) or checkout_root()
    found = find_judgement(domain, folder, root)
    if found:
        model = TrainedModel(
            folder,
            found["verdict"],
            tuple(found["reasons"]),
            found.get("embedded_data") is True,
            never=tuple(never_predicted(found)),
        )
    else:
        unjudged.append(folder)
        model = TrainedModel(folder, UNKNOWN, ())
        if (folder / JUDGEMENT).is_file():
            doubt = "its files are not those that were evaluated; copy or download the folder again"
            model = replace(model, doubt=doubt)
        elif home_of(domain, folder) is None:
            doubt = (
                f"its folder holds no {JUDGEMENT}, without which {UNKNOWN_MEANS}; `winnow export {domain} model`, in "
                "the checkout that trained it, makes a folder that holds its verdict"
            )
            model = replace(model, doubt=doubt)
        elif (judged := (root or Path()) / "metrics" / domain / JUDGEMENT).is_file():
            doubt = f"{judged} is about another one (`dvc checkout train@{domain}` brings that one back)"
            model = replace(model, doubt=doubt)
    for warning in model.warnings:
        print(f"⚠ {warning}", file=sys.stderr)
    return model


def home_of(domain: str, folder: Path) -> Path | None:
    """The root of the checkout in which a folder is where train writes the domain's model; None elsewhere."""
    own = Path("data", domain, "train", "model")
    places = folder.absolute(), folder.resolve()  # `data` may be a link to another disk
    homes = (place.parents[3] for place in places if place.parts[-4:] == own.parts)
    return next(filter(is_checkout, homes), None)


def find_judgement(domain: str, folder: Path, root: Path | None) -> dict[str, Any] | None:
    """What evaluate found about exactly this model: in its folder, or in the checkout; None when it judged another."""
    places = [folder, *([root / "metrics" / domain] if root else [])]
    files = [place / JUDGEMENT for place in places if (place / JUDGEMENT).is_file()]
    digest = folder_digest(folder) if files else ""
    judgements = (read_json(file, "verdict", "reasons", made_by=f"dvc repro evaluate@{domain}") for file in files)
    return next((each for each in judgements if each.get("model_digest") == digest), None)


def never_predicted(judgement: Mapping[str, Any]) -> list[str]:
    """What a classifier does not do, of which a verdict that is a mean over all rows says nothing; mostly empty."""
    never = judgement.get("never_predicted", [])
    return [f"predicted none of its test data as: {', '.join(map(str, never))}"] if never else []


def read_settings(file: Path, kind: type[S], domain: str) -> S:
    """A JSON file of a model's folder as `kind`, a pydantic model or a dataclass whose fields state their bounds.

    Raises TableError when it is missing, damaged, out of bounds, or was written by another version.
    """
    with model_files(file, domain):
        return TypeAdapter(kind).validate_json(file.read_bytes())


@contextmanager
def model_files(folder: Path, domain: str) -> Iterator[None]:
    """Raise TableError, naming the folder, for whatever a library says of a model's missing or damaged file."""
    fix = (
        f"copy or download the model's folder again; in a checkout, bring it back with `dvc checkout --force "
        f"train@{domain}`, or train again with `dvc repro train@{domain}`"
    )
    with reading(folder, "is missing, damaged, or of another version", fix=fix, error=TableError):
        yield


def finite(arrays: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
    """The arrays of a model's file; raises ValueError when one holds NaN or infinity, which answers would hide."""
    if wrong := [name for name, values in arrays.items() if not np.isfinite(values).all()]:
        raise ValueError(f"{', '.join(wrong)} holds values that are not finite")
    return arrays


def copy_model(domain: str, out: Path, carried: Mapping[str, Any] | None = None) -> Path:
    """Copy this checkout's model, with the judgement of its evaluation, into a new folder that needs no checkout.

    `carried`: what the judgement in the folder holds besides.
    Raises WinnowError when there is no model, when evaluate judged another one, or when `out` holds something.
    """
    folder = model_folder(domain)
    judgement = find_judgement(domain, folder, Path())
    if judgement is None:
        raise WinnowError(f"the model of {domain} is {UNKNOWN}", where=str(folder), fix=f"dvc repro evaluate@{domain}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise WinnowError(f"{out} exists already", fix="name a new folder: --out FOLDER")
    shutil.copytree(folder, out, dirs_exist_ok=True)
    write_json(out / JUDGEMENT, {**judgement, **(carried or {})})
    return out


def _existing(folder: Path, domain: str) -> Path:
    if folder.is_dir():
        if not (folder / "config.json").exists() and not any(folder.glob("*.safetensors")):
            raise WinnowError(
                f"{folder} holds no model of {domain}: neither config.json nor weights are there",
                fix=f"name what `winnow export {domain} model` wrote, or a checkout's data/{domain}/train/model",
            )
        for path in folder.rglob("*"):
            if path.exists() and not (path.is_file() or path.is_dir()):  # reading a pipe would wait for ever
                raise WinnowError(f"{path} is a device or a pipe, and no part of a model", fix="copy the folder again")
        return folder
    raise WinnowError(
        f"there is no trained model of {domain} here",
        where=str(folder),
        fix=f"name a model's folder with --model, or train one with `dvc repro train@{domain}` in a checkout "
        f"(`dvc checkout train@{domain}` brings one back)",
    )
