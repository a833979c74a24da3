"""Scans in PDF files: where they lie, what is hidden of them, and at which resolution a page is read."""

import zlib

import numpy as np
import pytest

from winnow.domains.documents.definitions import Preparation
from winnow.domains.documents.source.pages import read_pages
from winnow.domains.documents.source.synthetic import draw_page
from winnow.images.codec import ImageError, Pixels

LETTER = draw_page("letter", 500, np.random.default_rng(1))
AS_IS = Preparation(2000, 120)


def pdf_with(content: str, *forms: str, image: Pixels = LETTER) -> bytes:
    """A PDF of one page of 595 × 842 points that shows an image as `/I`, and each form, which may show those before."""
    pixels = zlib.compress(image.tobytes())
    height, width = image.shape
    size = f"/Width {width} /Height {height} /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /FlateDecode"
    streams = [(f"/Type /XObject /Subtype /Image {size}", pixels)]
    for form in forms:
        kind = "/Type /XObject /Subtype /Form /BBox [0 0 2000 2000] /Resources << /XObject << /I 4 0 R >> >>"
        streams.append((kind, form.encode()))
    named = "/I 4 0 R" + "".join(f" /F{number} {number + 5} 0 R" for number in range(len(forms)))
    page = f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 3 0 R /Resources << /XObject << {named} >>"
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    objects.append(f"<< /Type /Pages /Count 1 /Kids [{len(streams) + 4} 0 R] >>".encode())
    for entries, data in [("", content.encode()), *streams]:
        objects.append(f"<< {entries} /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream")
    objects.append(f"{page} /Font << /T << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>".encode())
    body, places = b"%PDF-1.7\n", []
    for number, each in enumerate(objects, 1):
        places.append(f"{len(body):010} 00000 n \n")
        body += f"{number} 0 obj\n".encode() + each + b"\nendobj\n"
    table = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{''.join(places)}"
    return body + f"{table}trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF".encode()


WHOLE_PAGE = "q 595 0 0 842 0 0 cm /I Do Q"


def test_what_a_clip_path_hides_of_a_scan_is_not_read() -> None:
    (whole,) = read_pages(pdf_with(f"q 0 0 595 842 re W n {WHOLE_PAGE} Q"), ".pdf", AS_IS)
    assert (whole == LETTER).all()
    (upper,) = read_pages(pdf_with(f"q 0 421 595 421 re W n {WHOLE_PAGE} Q"), ".pdf", AS_IS)
    assert upper[len(upper) // 2 + 3 :].min() == 255
    assert upper[: len(upper) // 2].min() < 100
    (outside,) = read_pages(pdf_with("q 0 421 595 421 re W n /F0 Do Q", WHOLE_PAGE), ".pdf", AS_IS)
    assert outside[len(outside) // 2 + 3 :].min() == 255, "the clip of the form that it is in"


def test_what_is_not_seen_of_a_page_changes_nothing_of_its_scan() -> None:
    hidden = "BT 3 Tr /T 12 Tf 50 400 Td (as an OCR writes it) Tj ET"
    for what in (hidden, "q 10 0 0 10 700 0 cm /I Do Q"):
        (page,) = read_pages(pdf_with(f"{WHOLE_PAGE} {what}"), ".pdf", AS_IS)
        assert np.array_equal(page, LETTER), f"the scan is not taken as it is beside {what}"
    clipped = f"q 0 421 595 421 re W n q 0 0 595 842 re W n {WHOLE_PAGE} Q Q"
    (upper,) = read_pages(pdf_with(clipped), ".pdf", AS_IS)
    assert upper[len(upper) // 2 + 3 :].min() == 255, "the outer one of two clip paths"


def test_a_scan_lies_where_the_forms_put_it_that_it_is_in() -> None:
    (whole,) = read_pages(pdf_with("q 595 0 0 842 0 0 cm /F0 Do Q", "/I Do"), ".pdf", AS_IS)
    assert (whole == LETTER).all()
    (small,) = read_pages(pdf_with("q .5 0 0 .5 100 300 cm /F0 Do Q", WHOLE_PAGE), ".pdf", AS_IS)
    assert small.shape == pytest.approx((2 * LETTER.shape[0], 2 * LETTER.shape[0] * 595 / 842), rel=0.1)
    assert small[:50].min() == 255


def test_a_scan_in_many_strips_has_its_own_resolution_and_print_over_a_coarse_background_not() -> None:
    strips = " ".join(f"q 595 0 0 85 0 {85 * number} cm /I Do Q" for number in range(10))
    (page,) = read_pages(pdf_with(strips), ".pdf", Preparation(4000, 50))
    own = np.sqrt(LETTER.size / (595 * 85))
    assert page.shape == pytest.approx((842 * own, 595 * own), abs=2)
    text = "BT /T 12 Tf 50 400 Td (Print) Tj ET"
    (printed,) = read_pages(pdf_with(f"{WHOLE_PAGE} {text}"), ".pdf", Preparation(4000, 200))
    assert printed.shape == pytest.approx((842 * 200 / 72, 595 * 200 / 72), abs=2)
    tiny = "q 100000 0 0 100000 0 0 cm /I Do Q"  # a flat colour, as some programs paint paper
    (paper,) = read_pages(pdf_with(tiny), ".pdf", Preparation(2000, 72))
    assert paper.shape == (842, 595)


def test_letters_over_a_coarse_background_are_read_at_their_own_resolution_and_a_logo_does_not_decide() -> None:
    """As scanners write them that compress text and paper apart: at the paper's, nobody could read them."""
    coarse = LETTER.shape[0] / 842
    letters = " ".join(f"q 149 0 0 210 {150 * (n % 3)} {250 * (n // 3)} cm /I Do Q" for n in range(6))
    (page,) = read_pages(pdf_with(f"{WHOLE_PAGE} {letters}"), ".pdf", Preparation(4000, 50))
    assert len(page) == pytest.approx(842 * 4 * coarse, rel=0.02), "the text over the background is not told"
    (page,) = read_pages(pdf_with(f"{WHOLE_PAGE} q 60 0 0 85 9 9 cm /I Do Q"), ".pdf", Preparation(4000, 50))
    assert len(page) == pytest.approx(842 * coarse, rel=0.02), "a small logo is told to be the page"


@pytest.mark.parametrize("content", [WHOLE_PAGE, f"{WHOLE_PAGE} {WHOLE_PAGE}"], ids=["alone", "rendered"])
def test_a_scan_that_cannot_be_decoded_is_no_blank_page_and_its_reason_is_the_same_each_time(content: str) -> None:
    damaged = pdf_with(content).replace(b"/FlateDecode", b"/DCTDecode  ")
    with pytest.raises(ImageError) as refused:
        read_pages(damaged, ".pdf", AS_IS)
    assert str(refused.value) == "an image in the PDF cannot be decoded"


def test_a_white_scan_is_a_page() -> None:
    white = np.full_like(LETTER, 255)
    (page,) = read_pages(pdf_with(f"{WHOLE_PAGE} {WHOLE_PAGE}", image=white), ".pdf", AS_IS)
    assert page.min() == 255


def test_a_fax_in_a_pdf_has_square_pixels() -> None:
    (page,) = read_pages(pdf_with(WHOLE_PAGE, image=np.ascontiguousarray(LETTER[::2])), ".pdf", AS_IS)
    assert page.shape[0] / page.shape[1] == pytest.approx(842 / 595, rel=0.01)
