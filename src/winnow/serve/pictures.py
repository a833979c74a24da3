"""Pictures inside a page or an answer, so that none is a file."""

import base64
import io
from pathlib import Path

from matplotlib.figure import Figure

from winnow.show.figures import styled


def png_uri(content: bytes) -> str:
    """A PNG as a `data:` address."""
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def file_uri(file: Path | str) -> str:
    """A PNG file as a `data:` address."""
    return png_uri(Path(file).read_bytes())


def figure_uri(figure: Figure, dpi: int) -> str:
    """A figure as a `data:` address."""
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format="png", dpi=dpi)
    return png_uri(buffer.getvalue())
