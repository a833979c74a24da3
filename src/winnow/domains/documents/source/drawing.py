"""Drawing clean pages: letters, forms, tables, receipts and bills of lading."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONTS = (
    "DejaVuSans", "DejaVuSerif", "DejaVuSansMono", "DejaVuSans-Bold", "DejaVuSerif-Italic", "STIXGeneral",
    "STIXGeneralItalic", "cmr10",
)  # fmt: skip
"""Of those that come with matplotlib, which are the same on every machine."""

WORDS = [
    "the",
    "of",
    "to",
    "and",
    "in",
    "for",
    "is",
    "on",
    "that",
    "by",
    "this",
    "with",
    "from",
    "at",
    "be",
    "as",
    "shipment",
    "order",
    "number",
    "date",
    "total",
    "amount",
    "invoice",
    "carrier",
    "delivery",
    "consignee",
    "freight",
    "container",
    "port",
    "weight",
    "gross",
    "net",
    "goods",
    "received",
    "signature",
    "office",
    "customer",
    "account",
    "page",
    "please",
    "confirm",
    "attached",
    "payment",
    "within",
    "days",
    "terms",
    "conditions",
    "according",
    "contract",
    "quality",
    "inspection",
    "warehouse",
    "pallet",
    "carton",
    "description",
    "quantity",
    "unit",
    "price",
    "tax",
    "service",
    "report",
    "meeting",
    "minutes",
    "department",
    "regulation",
    "section",
    "export",
    "import",
    "customs",
    "declaration",
    "vessel",
    "voyage",
    "seal",
    "bill",
    "lading",
    "original",
    "copy",
    "notify",
    "party",
    "place",
    "address",
]


@cache
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A font of matplotlib's at a size in pixels."""
    return ImageFont.truetype(str(Path(mpl.get_data_path(), "fonts", "ttf", f"{name}.ttf")), size)


class Page:
    """A white page and a pen, with the page's own font, sizes and ink."""

    def __init__(self, width: int, height: int, rng: np.random.Generator) -> None:
        self.rng = rng
        self.width, self.height = width, height
        self.image = Image.new("L", (width, height), 255)
        self.pen = ImageDraw.Draw(self.image)
        self.name = FONTS[int(rng.integers(len(FONTS)))]
        self.size = int(rng.integers(14, 21))
        self.ink = int(rng.integers(0, 50))
        self.margin = round(width * rng.uniform(0.05, 0.1))

    def words(self, count: int) -> str:
        return " ".join(WORDS[place] for place in self.rng.integers(len(WORDS), size=count))

    def number(self) -> str:
        return f"{int(self.rng.integers(10, 99999)) / 100:,.2f}"

    def write(self, x: float, y: float, text: str, *, larger: float = 1.0, until: float | None = None) -> int:
        """Write one line, cut at the word that would pass `until`; gives the y of the next line."""
        letters = font(self.name, max(round(self.size * larger), 6))
        limit = self.width - self.margin if until is None else until
        while text and x + letters.getlength(text) > limit:
            text = text.rpartition(" ")[0]
        self.pen.text((x, y), text, fill=self.ink, font=letters)
        return round(y + 1.45 * self.size * larger)

    def paragraph(self, y: int, lines: int) -> int:
        for line in range(lines):
            count = 40 if line < lines - 1 else int(self.rng.integers(2, 9))
            y = self.write(self.margin, y, self.words(count).capitalize() if line == 0 else self.words(count))
            if y > self.height - self.margin - self.size:
                break
        return y + self.size

    def rule(self, x: float, y: float, to_x: float, to_y: float, width: int = 1) -> None:
        self.pen.line((x, y, to_x, to_y), fill=self.ink, width=width)

    @property
    def right(self) -> int:
        return self.width - self.margin

    @property
    def bottom(self) -> int:
        return self.height - self.margin - 2 * self.size


def letter(page: Page) -> None:
    """Sender, date, subject, paragraphs, a signature."""
    y = page.margin
    for _ in range(3):
        y = page.write(page.margin, y, page.words(3).title())
    y = page.write(
        page.width * 0.6, y + page.size, f"{int(page.rng.integers(1, 29))} March {int(page.rng.integers(1999, 2026))}"
    )
    y = page.write(page.margin, y + page.size, page.words(5).capitalize(), larger=1.3) + page.size
    while y < page.height * page.rng.uniform(0.4, 0.85):
        y = page.paragraph(y, int(page.rng.integers(3, 8)))
    if y < page.bottom - 4 * page.size:
        page.write(page.margin, y, "Yours sincerely,")
        page.write(page.margin, y + 4 * page.size, page.words(2).title())


def form(page: Page) -> None:
    """A heading, labelled boxes, some filled in, and ticks."""
    y = page.write(page.margin, page.margin, page.words(4).upper(), larger=1.4) + page.size
    while y < page.bottom - 2 * page.size:
        columns = int(page.rng.integers(1, 4))
        wide = (page.right - page.margin) / columns
        for column in range(columns):
            x = page.margin + column * wide
            page.pen.rectangle((x, y, x + wide - 6, y + 2.6 * page.size), outline=page.ink)
            page.write(x + 4, y + 2, page.words(2).title(), larger=0.7, until=x + wide - 8)
            if page.rng.random() < 0.7:
                page.write(x + 8, y + page.size, page.words(3), until=x + wide - 8)
        y = round(y + 3.2 * page.size)
        if page.rng.random() < 0.25:
            page.pen.rectangle((page.margin, y, page.margin + page.size, y + page.size), outline=page.ink, width=2)
            y = page.write(page.margin + 2 * page.size, y, page.words(8)) + 6


def table(page: Page) -> None:
    """A title and ruled rows of words and numbers."""
    y = page.write(page.margin, page.margin, page.words(4).title(), larger=1.4) + page.size
    columns = int(page.rng.integers(3, 7))
    wide = (page.right - page.margin) / columns
    ruled = page.rng.random() < 0.7
    top, rows = y, int(page.rng.integers(8, 40))
    for row in range(rows):
        for column in range(columns):
            text = page.words(2) if column == 0 or row == 0 else page.number()
            page.write(page.margin + column * wide + 4, y + 2, text, until=page.margin + (column + 1) * wide - 4)
        y = round(y + 1.7 * page.size)
        if ruled or row == 0:
            page.rule(page.margin, y, page.right, y)
        if y > page.bottom:
            break
    if ruled:
        for column in range(columns + 1):
            page.rule(page.margin + column * wide, top, page.margin + column * wide, y)
    if y < page.bottom - 6 * page.size:
        page.paragraph(y + page.size, 4)


def receipt(page: Page) -> None:
    """A narrow list of goods with prices, a total, and a closing line."""
    page.margin = round(page.width * 0.08)
    y = page.write(page.width * 0.2, page.margin, page.words(2).upper(), larger=1.2)
    for _ in range(3):
        y = page.write(page.width * 0.15, y, page.words(3).title(), larger=0.9)
    page.rule(page.margin, y + 4, page.right, y + 4)
    y += page.size
    for _ in range(int(page.rng.integers(5, 26))):
        page.write(page.margin, y, page.words(2), until=page.width * 0.68)
        y = page.write(page.width * 0.72, y, page.number(), until=page.width)
        if y > page.bottom - 3 * page.size:
            break
    page.rule(page.margin, y + 4, page.right, y + 4, 2)
    page.write(page.margin, y + page.size, "TOTAL", larger=1.3)
    y = page.write(page.width * 0.62, y + page.size, page.number(), larger=1.3, until=page.width)
    page.write(page.margin, y + page.size, "Thank you, please call again", larger=0.9)


def bill_of_lading(page: Page) -> None:
    """Boxes of parties, a bar code, a table of goods, and small print."""
    page.size = max(page.size - 3, 12)
    y = page.write(page.margin, page.margin, "BILL OF LADING", larger=1.6) + 4
    middle = (page.margin + page.right) / 2
    for label in (("Shipper", "Booking No."), ("Consignee", "Export references"), ("Notify party", "Port of loading")):
        for column, name in enumerate(label):
            x = page.margin if column == 0 else middle
            page.pen.rectangle((x, y, x + middle - page.margin, y + 5.4 * page.size), outline=page.ink)
            page.write(x + 4, y + 2, name, larger=0.75)
            for line in range(int(page.rng.integers(1, 4))):
                page.write(
                    x + 8, y + (1.1 + 1.35 * line) * page.size, page.words(5).upper(), until=x + middle - page.margin
                )
        y = round(y + 5.4 * page.size)
    x = page.margin
    while x < middle:
        wide = int(page.rng.integers(1, 5))
        page.pen.rectangle((x, y + 6, x + wide, y + 2.5 * page.size), fill=page.ink)
        x += wide + int(page.rng.integers(1, 5))
    y = round(y + 3.2 * page.size)
    for row in range(int(page.rng.integers(4, 12))):
        for column, share in enumerate((0, 0.2, 0.62, 0.82)):
            text = page.number() if column in (0, 3) else page.words(5)
            x = page.margin + share * (page.right - page.margin)
            page.write(
                x + 3, y, text, until=page.margin + (0.2, 0.62, 0.82, 1)[column] * (page.right - page.margin) - 4
            )
        y = round(y + 1.5 * page.size)
        page.rule(page.margin, y - 3, page.right, y - 3, 2 if row == 0 else 1)
    while y < page.bottom - page.size:
        y = page.write(page.margin, y, page.words(50), larger=0.75)
        if page.rng.random() < 0.12:
            break


KINDS: dict[str, Callable[[Page], None]] = {
    "letter": letter,
    "form": form,
    "table": table,
    "receipt": receipt,
    "bill_of_lading": bill_of_lading,
}
