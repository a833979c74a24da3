"""Markdown as GitHub reads it, in which names from the data stay plain text."""

import re
from collections.abc import Iterable, Sequence

from winnow.pipeline.text import shown

JOINER = "\u2060"
"""A word joiner: invisible; it keeps `@name`, `#12`, `:name:` and addresses from becoming links or pictures."""
HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
MARKUP = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])|^[-+#=]|^\d+(?=[.)])")
"""Characters that mark up text; `_` does not within a word, and some do only where a block begins."""
LINKED = re.compile(r"[@#:](?=\S)|\bwww(?=\.)|\bGH(?=-\d)", re.IGNORECASE)


def plain(value: object) -> str:
    """Any text as text of one line: no markup, HTML, mention, link or table cell can begin in it."""
    text = shown(" ".join(str(value).split())).translate(HTML)
    escaped = MARKUP.sub(lambda found: _escaped(found.group()), text)
    return LINKED.sub(lambda found: found.group() + JOINER, escaped)


def _escaped(markup: str) -> str:
    return f"{markup}{JOINER}" if markup.isdigit() else f"\\{markup}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def details(summary: str, body: str) -> str:
    """A folded part; `summary` is Markdown without block elements."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"
