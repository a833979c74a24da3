"""Pages of PDF files as grey pixels: a scan as its own image, what was written by a program rendered by PDFium."""

from collections.abc import Iterator
from threading import Lock

import numpy as np
import pypdfium2
from pypdfium2 import raw

from winnow.images.codec import MAX_PIXELS, ImageError, Pixels, found
from winnow.images.opencv import cv2
from winnow.pipeline.reading import reason

POINTS_PER_INCH = 72
MAX_PAGES = 2000
"""of one file; a longer one is no scan"""
WHOLE, PART = 0.9, 0.3
"""Shares of a page that an image covers: it is the page's scan, or one of the strips that make it up."""
MAX_DPI = 600
SAME_GREY = 25.0
"""Mean difference of grey levels from which a scan's image is not what the page shows (a mask, inverted greys)."""
THUMBNAIL = 128
"""Pixels of the longer side at which that is compared."""

_pdfium = Lock()  # PDFium is not safe to be used by several threads


def pdf_pages(content: bytes, dpi: int) -> tuple[int, Iterator[Pixels]]:
    """The number of pages, and every page `(height, width)` in grey, 0 to 255, one at a time.

    A page that is one upright image is given as that image; one with a scan among other things is rendered at the
    scan's resolution, any other one at `dpi` dots per inch. Raises ImageError; so does the iterator for a page that
    cannot be rendered, and goes on with the next one then.
    """
    if not content:
        raise ImageError("the file is empty")
    with _pdfium:
        document = _opened(content)
        count = len(document)
        if not 1 <= count <= MAX_PAGES:
            document.close()
            raise ImageError(f"a PDF of {count} pages, and 1 to {MAX_PAGES} are read")
    return count, map(found, _pages(document, count, dpi))


def _pages(document: pypdfium2.PdfDocument, count: int, dpi: int) -> Iterator[Pixels | ImageError]:
    try:
        for number in range(count):
            with _pdfium:
                try:
                    outcome: Pixels | ImageError = _read(document, number, dpi)
                except ImageError as error:
                    outcome = error
            yield outcome
    finally:
        with _pdfium:
            document.close()


def _opened(content: bytes) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(content)
    except Exception as error:
        if getattr(error, "err_code", None) == raw.FPDF_ERR_PASSWORD:
            raise ImageError("the PDF is protected by a password: save it without one") from None
        raise ImageError("the PDF is corrupt or has no pages") from None


def _read(document: pypdfium2.PdfDocument, number: int, dpi: int) -> Pixels:
    try:
        page = document[number]
        scale = dpi / POINTS_PER_INCH
        images, others = _objects(page)
        shares = [_covered(image, page) for image in images]
        if sum(share for share in shares if share > PART) >= WHOLE or any(share >= WHOLE for share in shares):
            scan = _scan(page, images[0]) if len(images) == 1 and not others else None
            if scan is not None:
                return scan
            scale = max(_resolution(image) for image, share in zip(images, shares, strict=True) if share > PART)
        return _rendered(page, number, min(scale, MAX_DPI / POINTS_PER_INCH))
    except ImageError:
        raise
    except Exception as error:  # PDFium's, and what odd sizes and matrices lead to
        raise ImageError(f"page {number + 1} of the PDF cannot be rendered: {reason(error)}") from None


def _objects(page: pypdfium2.PdfPage) -> tuple[list[pypdfium2.PdfImage], bool]:
    """The page's images, and whether it shows anything else; the hidden text of an OCR is not shown."""
    images, others = [], False
    for each in page.get_objects(max_depth=3):
        if each.type == raw.FPDF_PAGEOBJ_IMAGE:
            images.append(each)
        elif each.type == raw.FPDF_PAGEOBJ_TEXT:
            others |= raw.FPDFTextObj_GetTextRenderMode(each) != raw.FPDF_TEXTRENDERMODE_INVISIBLE
        elif each.type != raw.FPDF_PAGEOBJ_FORM:
            others = True
    return images, others


def _covered(image: pypdfium2.PdfImage, page: pypdfium2.PdfPage, *, of_image: bool = False) -> float:
    """The share of what is seen of the page that lies under the image, or of the image that is seen."""
    left, bottom, right, top = image.get_bounds()
    x0, y0, x1, y1 = page.get_bbox()  # what its crop box leaves
    wide, high = min(right, x1) - max(left, x0), min(top, y1) - max(bottom, y0)
    whole = (right - left) * (top - bottom) if of_image else (x1 - x0) * (y1 - y0)
    return float(max(wide, 0) * max(high, 0) / max(whole, 1e-6))


def _resolution(image: pypdfium2.PdfImage) -> float:
    """Pixels per point of an image as it lies on the page, upright or turned by a quarter."""
    left, bottom, right, top = image.get_bounds()
    width, height = image.get_px_size()
    return float(np.sqrt(width * height / max((right - left) * (top - bottom), 1e-6)))


def _scan(page: pypdfium2.PdfPage, image: pypdfium2.PdfImage) -> Pixels | None:
    """The image's own pixels; None where they are turned, cropped, or not what the page shows."""
    a, b, c, d, _, _ = image.get_matrix().get()
    width, height = image.get_px_size()
    if page.get_rotation() or a <= 0 or d <= 0 or max(abs(b), abs(c)) > 1e-3 * min(a, d):
        return None
    if _covered(image, page, of_image=True) < WHOLE:
        return None
    if width * height > MAX_PIXELS:
        raise ImageError(f"a scan in the PDF is too large: more than {MAX_PIXELS:,} pixels")
    colours = image.get_bitmap().to_numpy()
    channels = 1 if colours.ndim == 2 else colours.shape[2]
    turn = {3: cv2.COLOR_BGR2GRAY, 4: cv2.COLOR_BGRA2GRAY}
    grey = cv2.cvtColor(colours, turn[channels]) if channels in turn else colours.reshape(colours.shape[:2])
    shown = _rendered(page, 0, THUMBNAIL / max(page.get_size()))
    small = cv2.resize(grey, shown.shape[::-1], interpolation=cv2.INTER_AREA)
    same = float(cv2.absdiff(small, shown).mean()) < SAME_GREY
    return np.array(grey, dtype=np.uint8) if same else None


def _rendered(page: pypdfium2.PdfPage, number: int, scale: float) -> Pixels:
    width, height = page.get_size()
    if width * height * scale**2 > MAX_PIXELS:
        raise ImageError(f"page {number + 1} is too large: more than {MAX_PIXELS:,} pixels")
    pixels = np.array(page.render(scale=scale, grayscale=True).to_numpy(), dtype=np.uint8)
    return pixels.reshape(pixels.shape[:2])
