"""The base of every section of params.yaml: typed, bounded, closed to unknown keys."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Section(BaseModel):
    """A mapping in params.yaml; every field states its type, bounds and meaning, and none has a default."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _number(value: Any) -> Any:
    """`-S key=2e-5` is rewritten by DVC as `2e-05`, which PyYAML (YAML 1.1) reads as text."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


Float = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
"""A finite float that also accepts the text `2e-05`."""
