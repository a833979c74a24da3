"""Pages of PDF files as grey pixels: a scan as its own image, what was written by a program rendered by PDFium."""

from collections.abc import Iterator
from ctypes import c_float
from dataclasses import dataclass
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
WHOLE, PART = 0.9, 0.1
"""Shares of a page that images cover: they are the page's scan; and those of the highest resolution say its own."""
MIN_DPI, MAX_DPI = 36, 600
"""An image of a lower resolution is no scan; one of a higher is rendered at this, unless it is taken as it is."""
SQUARE = 1.2
"""Width of a pixel over its height, or the other way, from which it is no square: a fax has half as many lines."""
SAME_GREY = 25.0
"""Mean difference of grey levels from which a scan's image is not what the page shows (a mask, inverted greys)."""
THUMBNAIL = 128
"""Pixels of the longer side at which that is compared."""

Box = tuple[float, float, float, float]
"""Left, bottom, right and top, in points."""
EVERYWHERE: Box = (-np.inf, -np.inf, np.inf, np.inf)

_pdfium = Lock()  # PDFium is not safe to be used by several threads


def pdf_pages(content: bytes, dpi: int) -> tuple[int, Iterator[Pixels]]:
    """The number of pages, and every page `(height, width)` in grey, 0 to 255, one at a time.

    A page that is one upright image is given as that image; one of images alone, or with a scan among other things, is
    rendered at their resolution, any other one at `dpi` dots per inch. Raises ImageError; so does the iterator for a
    page that cannot be rendered, and goes on with the next one then.
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
        images, others, is_written = _objects(page)
        if images and (not others or sum(image.of_page for image in images) >= WHOLE):
            alone = len(images) == 1 and not others and images[0].of_page >= WHOLE
            scan = _scan(page, images[0]) if alone else None
            if scan is not None:
                return scan
            own = _resolution(images)
            scale = max(own, scale) if is_written else own  # print over a coarse background
        pixels = _rendered(page, number, min(scale, MAX_DPI / POINTS_PER_INCH))
        if pixels.min() == pixels.max():
            for placed in images:
                _decoded(placed.image)  # PDFium shows nothing of what it cannot decode
        return pixels
    except ImageError:
        raise
    except Exception as error:  # PDFium's, and what odd sizes and matrices lead to
        raise ImageError(f"page {number + 1} of the PDF cannot be rendered: {reason(error)}") from None


@dataclass(frozen=True)
class _Placed:
    """An image as it lies on its page."""

    image: pypdfium2.PdfImage
    matrix: pypdfium2.PdfMatrix
    """from the unit square to the page, in points"""
    of_page: float
    """share of the page under what is seen of the image"""
    of_image: float
    """share of the image that is seen: neither its clip paths nor the page's crop box hide it"""

    @property
    def resolution(self) -> float:
        """Pixels per point."""
        width, height = self.image.get_px_size()
        a, b, c, d, _, _ = self.matrix.get()
        return float(np.sqrt(width * height / max(abs(a * d - b * c), 1e-6)))


def _objects(page: pypdfium2.PdfPage) -> tuple[list[_Placed], bool, bool]:
    """The page's images that may be scans, whether it shows anything else, and text other than an OCR's hidden one."""
    images, others, is_written = [], False, False
    for each in page.get_objects():
        if each.type == raw.FPDF_PAGEOBJ_IMAGE:
            placed = _placed(page, each)
            is_scan = placed.of_page > 0 and placed.resolution >= MIN_DPI / POINTS_PER_INCH
            images += [placed] * is_scan
            others |= placed.of_page > 0 and not is_scan
        elif each.type == raw.FPDF_PAGEOBJ_TEXT:
            is_written |= raw.FPDFTextObj_GetTextRenderMode(each) != raw.FPDF_TEXTRENDERMODE_INVISIBLE
        elif each.type != raw.FPDF_PAGEOBJ_FORM:
            others = True
    return images, others or is_written, is_written


def _resolution(images: list[_Placed]) -> float:
    """Pixels per point of a page's images: the highest without a small logo, but of letters over a coarse background.

    A scan may be cut into many strips, and its letters into a mask for each of its paragraphs.
    """
    images = sorted(images, key=lambda placed: placed.resolution, reverse=True)
    covered = np.cumsum([placed.of_page for placed in images])
    return images[int(np.argmax(covered >= min(PART, covered[-1] / 2)))].resolution


def _placed(page: pypdfium2.PdfPage, image: pypdfium2.PdfImage) -> _Placed:
    """Where an image lies; one in a form, or a form in a form, says so in the form's own coordinates."""
    inner, matrix = image, image.get_matrix()
    seen = _meet(matrix.on_rect(0, 0, 1, 1), _clipped(image))
    while inner.container is not None:
        inner = inner.container
        outer = inner.get_matrix()
        matrix, seen = matrix.multiply(outer), _meet(outer.on_rect(*seen), _clipped(inner))
    shown = page.get_bbox()  # what its crop box leaves
    area = _area(_meet(seen, shown))
    whole = _area(matrix.on_rect(0, 0, 1, 1))
    return _Placed(image, matrix, area / max(_area(shown), 1e-6), area / max(whole, 1e-6))


def _clipped(each: pypdfium2.PdfObject) -> Box:
    """The box around what an object's clip paths leave of it, in the coordinates that it lies in."""
    clip, box = raw.FPDFPageObj_GetClipPath(each), EVERYWHERE
    x, y = c_float(), c_float()
    for path in range(max(raw.FPDFClipPath_CountPaths(clip), 0)):
        points = []
        for number in range(max(raw.FPDFClipPath_CountPathSegments(clip, path), 0)):
            raw.FPDFPathSegment_GetPoint(raw.FPDFClipPath_GetPathSegment(clip, path, number), x, y)
            points.append((x.value, y.value))
        if points:
            (left, bottom), (right, top) = np.min(points, axis=0), np.max(points, axis=0)
            box = _meet(box, (left, bottom, right, top))
    return box


def _meet(one: Box, other: Box) -> Box:
    left, bottom = max(one[0], other[0]), max(one[1], other[1])
    return left, bottom, max(left, min(one[2], other[2])), max(bottom, min(one[3], other[3]))


def _area(box: Box) -> float:
    left, bottom, right, top = box
    return float((right - left) * (top - bottom))


def _scan(page: pypdfium2.PdfPage, placed: _Placed) -> Pixels | None:
    """The image's own pixels; None where they are turned, cropped, no squares, or not what the page shows."""
    image = placed.image
    a, b, c, d, _, _ = placed.matrix.get()
    width, height = image.get_px_size()
    if page.get_rotation() or a <= 0 or d <= 0 or max(abs(b), abs(c)) > 1e-3 * min(a, d):
        return None
    if placed.of_image < WHOLE or max(a * height, d * width) > SQUARE * min(a * height, d * width):
        return None
    if width * height > MAX_PIXELS:
        raise ImageError(f"a scan in the PDF is too large: more than {MAX_PIXELS:,} pixels")
    colours = _decoded(image)
    channels = 1 if colours.ndim == 2 else colours.shape[2]
    turn = {3: cv2.COLOR_BGR2GRAY, 4: cv2.COLOR_BGRA2GRAY}
    grey = cv2.cvtColor(colours, turn[channels]) if channels in turn else colours.reshape(colours.shape[:2])
    shown = _rendered(page, 0, THUMBNAIL / max(page.get_size()))
    small = cv2.resize(grey, shown.shape[::-1], interpolation=cv2.INTER_AREA)
    same = float(cv2.absdiff(small, shown).mean()) < SAME_GREY
    return np.array(grey, dtype=np.uint8) if same else None


def _decoded(image: pypdfium2.PdfImage) -> Pixels:
    """What PDFium says of one that it cannot decode differs from run to run: a place in memory."""
    try:
        return np.asarray(image.get_bitmap().to_numpy(), dtype=np.uint8)
    except pypdfium2.PdfiumError:
        raise ImageError("an image in the PDF cannot be decoded") from None


def _rendered(page: pypdfium2.PdfPage, number: int, scale: float) -> Pixels:
    width, height = page.get_size()
    if width * height * scale**2 > MAX_PIXELS:
        raise ImageError(f"page {number + 1} is too large: more than {MAX_PIXELS:,} pixels")
    pixels = np.array(page.render(scale=scale, grayscale=True).to_numpy(), dtype=np.uint8)
    return pixels.reshape(pixels.shape[:2])
