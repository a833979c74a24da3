"""Bounds of a network's arguments, which `trained.load_trained` reads from a model's config.json.

Sizes that a weight has are compared with the weights; these are the others, which no weight contradicts.
"""

from typing import Annotated

from pydantic import Field

Layers = Annotated[int, Field(ge=0, le=64)]
Heads = Annotated[int, Field(ge=1, le=64)]
Views = Annotated[int, Field(ge=1, le=8)]
Count = Annotated[int, Field(ge=0, le=131_072)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Members = Annotated[int, Field(ge=1, le=16)]
