"""Pages of PDF files as grey pixels, rendered by PDFium."""

from threading import Lock

import numpy as np
import pypdfium2

from winnow.images.codec import MAX_PIXELS, ImageError, Pixels

POINTS_PER_INCH = 72
MAX_PAGES = 2000
"""of one file; a longer one is no scan"""

_pdfium = Lock()  # PDFium is not safe to be used by several threads


def render_pages(content: bytes, dpi: int) -> list[Pixels]:
    """Every page `(height, width)` in grey, 0 to 255, at `dpi` dots per inch. Raises ImageError."""
    if not content:
        raise ImageError("the file is empty")
    with _pdfium:
        try:
            document = pypdfium2.PdfDocument(content)
        except pypdfium2.PdfiumError:  # which may name the error of an earlier file
            raise ImageError("the PDF is corrupt, encrypted, or has no pages") from None
        with document:
            if not 1 <= len(document) <= MAX_PAGES:
                raise ImageError(f"a PDF of {len(document)} pages, and 1 to {MAX_PAGES} are read")
            return [_render(document, number, dpi / POINTS_PER_INCH) for number in range(len(document))]


def _render(document: pypdfium2.PdfDocument, number: int, scale: float) -> Pixels:
    try:
        page = document[number]
        width, height = page.get_size()
        if width * height * scale**2 > MAX_PIXELS:
            raise ImageError(f"page {number + 1} is too large: more than {MAX_PIXELS:,} pixels")
        pixels = np.array(page.render(scale=scale, grayscale=True).to_numpy(), dtype=np.uint8)
        return pixels.reshape(pixels.shape[:2])
    except pypdfium2.PdfiumError as error:
        raise ImageError(f"page {number + 1} of the PDF cannot be rendered: {error}") from None
