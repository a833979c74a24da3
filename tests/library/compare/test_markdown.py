"""Names from the data must not become markup: what a Markdown renderer makes of them is the text itself."""

import html
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from winnow.compare.markdown import JOINER, details, plain, table

NASTY = [
    "<script>alert(1)</script>",
    "| a | b |",
    "`code` **bold** _under_ ~~gone~~",
    "@octocat and #12 and GH-7 and octo/cat#3",
    "[text](https://example.org) ![x](y) <https://a.b> www.example.org",
    "- item",
    "1. item",
    "# head",
    "> quote",
    "&lt;b&gt; &amp;",
    "$x$ and \\( y \\)",
    "</details></summary>",
    "a\\",
    "a\nb\r\n\nc",
    ":tada:",
    "a_b_c recall_at_10",
]


def rendered(markdown: str) -> str:
    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown))


def as_text(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", markup)).replace(JOINER, "").strip()


@given(st.one_of(st.sampled_from(NASTY), st.text(alphabet="<>|`*_~@#[]()!-+.:$\\&; a1\n", max_size=30)))
@example("\\|")
def test_a_cell_holds_its_text_and_nothing_else(text: str) -> None:
    cell, expected = plain(text), " ".join(text.split())
    markup = rendered(table(["name"], [[cell]]))
    assert re.findall(r"<(/?\w+)", markup) == [
        *("table", "thead", "tr", "th", "/th", "/tr", "/thead"),
        *("tbody", "tr", "td", "/td", "/tr", "/tbody", "/table"),
    ]
    assert as_text(markup.split("<td>")[1]) == expected
    item = rendered(f"- {cell}")
    assert re.findall(r"<(/?\w+)", item) == ["ul", "li", "/li", "/ul"]
    assert as_text(item) == expected


@pytest.mark.parametrize("text", ["@octocat", "#12", "octo/cat#3", "www.example.org", "https://example.org", "GH-7"])
def test_what_github_links_is_interrupted(text: str) -> None:
    assert JOINER in plain(text)
    assert not re.search(r"@\w|#\d|www\.|://|GH-\d", plain(text))


def test_words_of_metrics_stay_readable() -> None:
    assert plain("recall_at_10 0.5 (0.4 to 0.6)") == "recall_at_10 0.5 (0.4 to 0.6)"


def test_a_folded_part_cannot_be_closed_by_a_name() -> None:
    assert details(plain("</summary></details>"), "body").count("</details>") == 1
