"""The settings that every plot stage has."""

from pydantic import Field

from winnow.pipeline.section import Section


class Drawing(Section):
    """A domain's `Plot` inherits from it."""

    dpi: int = Field(
        ge=72, le=600, description="resolution of the figures, in dots per inch; below 72 letters cannot be read"
    )
