"""The base of every section of params.yaml: typed, bounded, closed to unknown keys."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A mapping in params.yaml; every field states its type, bounds and meaning, and none has a default."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Float = Annotated[float, Field(allow_inf_nan=False)]
"""A finite float."""


@dataclass(frozen=True)
class ModelPath:
    """Marks a text field that names a file or folder below `data/source/<domain>/models/`, on which train depends.

    `keywords` are values that name no file.
    """

    keywords: tuple[str, ...] = ()


def model_paths(section: Section) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """The location and value of every field marked as a `ModelPath` that names one."""
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        marks = [mark for mark in field.metadata if isinstance(mark, ModelPath)]
        if marks and value is not None and value not in marks[0].keywords:
            yield (name,), value
        for index, inner in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(inner, Section):
                place = (name,) if index is None else (name, index)
                yield from (((*place, *location), path) for location, path in model_paths(inner))
