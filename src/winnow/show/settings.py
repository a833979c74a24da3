"""The settings that every plot stage has."""

from pydantic import Field

from winnow.pipeline.section import Section


class Drawing(Section):
    """A domain's `Plot` inherits it."""

    dpi: int = Field(ge=30, le=600, description="dots per inch of the pictures")
