"""The prefilter of a trained model: from its checkout, or from the judgement that an exported folder carries."""

from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from winnow.domains.articles.definitions import Prefilter
from winnow.domains.articles.source.filters import FOLDER, read_filter
from winnow.learn.folder import home_of, model_folder
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import JUDGEMENT, read_json

ABOUT = "training_metadata.json"
"""In a trained model's folder: which filter it is of, among others."""


def carried() -> dict[str, Any]:
    """What the judgement in an exported model's folder holds besides: the prefilter, by which `score` marks texts."""
    prefilter = prefilter_of(model_folder("articles"))
    return {"prefilter": prefilter.model_dump()} if prefilter else {}


def prefilter_of(model: Path) -> Prefilter | None:
    """The prefilter of a trained model's filter; None where it is not known.

    An exported folder carries it in its judgement (`carried`); a folder where train has written it has
    that of its checkout, as it is there now.
    """
    if (model / JUDGEMENT).is_file():
        with suppress(ValidationError):
            return Prefilter.model_validate(read_json(model / JUDGEMENT).get("prefilter"))
    if (root := home_of("articles", model)) and (model / ABOUT).is_file():
        with suppress(WinnowError, KeyError):
            return read_filter(read_json(model / ABOUT)["filter"], root / FOLDER).prefilter
    return None
