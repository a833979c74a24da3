"""A page as a person reads it: its elements and their text, by the standard library's parser."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "link", "input"}


@dataclass
class Element:
    name: str
    attributes: dict[str, str]
    children: "list[Element | str]" = field(default_factory=list)

    def text(self) -> str:
        return "".join(each if isinstance(each, str) else each.text() for each in self.children)

    def all(self, *names: str) -> "list[Element]":
        """The elements of these names below this one, in the page's order; all without a name."""
        below = [each for each in self.children if isinstance(each, Element)]
        return [
            found for each in below for found in ([each] if not names or each.name in names else []) + each.all(*names)
        ]


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("page", {})
        self.open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(made)
        if tag not in VOID:
            self.open.append(made)

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].name == tag, f"</{tag}> closes <{self.open[-1].name}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def parse(html: str) -> Element:
    """The page; an element that is not closed in order is an error."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    assert parser.open == [parser.root], "an element is not closed"
    return parser.root


def tables(page: Element) -> dict[str, list[list[str]]]:
    """The rows of cells of each table, without its header, by caption."""
    found: dict[str, list[list[str]]] = {}
    for table in page.all("table"):
        rows = [[" ".join(cell.text().split()) for cell in row.all("th", "td")] for row in table.all("tr")[1:]]
        found.setdefault(table.all("caption")[0].text(), []).extend(rows)
    return found
