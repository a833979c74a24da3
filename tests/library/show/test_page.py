"""Text of the page in which names are marked up as code, and an article that is taken from its page."""

from pathlib import Path

import pytest

from winnow.pipeline.errors import WinnowError
from winnow.show.page import _code, article_of, page


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("against `bigram`, and `a<b`", "against <code>bigram</code>, and <code>a&lt;b</code>"),
        ("an open ` mark", "an open  mark"),
        ("`one` and ` an open one", "<code>one</code> and  an open one"),
    ],
)
def test_what_is_between_two_backticks_is_code_and_what_follows_a_single_one_is_not(text: str, shown: str) -> None:
    assert _code(text) == shown


def test_an_article_is_taken_whole_from_its_page_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a page that was cut off, a part would show other results than were found."""
    monkeypatch.chdir(tmp_path)
    file = Path("data/tides/plot/report.html")
    file.parent.mkdir(parents=True)
    article = '<article id="tides"><p>high</p></article>'
    for left in (None, "", article[:-3], f"<p>{article[9:]}", "<html></html>"):
        if left is not None:
            file.write_text(left)
        with pytest.raises(WinnowError, match="there is no page of tides") as caught:
            article_of("tides")
        assert "dvc repro plot@tides" in str(caught.value.fix)
    for whole in (article, page("winnow: tides", {"tides": article})):
        file.write_text(whole)
        assert article_of("tides") == article


def test_the_board_shows_its_table_and_its_notes_each_in_its_place() -> None:
    rows = [("domain", "verdict"), ("tides", "PASS"), ("<lakes>", "FAIL")]
    text = page("winnow: the board", {"tides": '<article id="tides">high</article>'}, rows, ["tides & lakes are stale"])
    head, _, rest = text.partition("</table>")
    assert [word for word in ("domain", "verdict", "PASS", "&lt;lakes&gt;", "FAIL") if word not in head] == []
    assert "tides &amp; lakes are stale" in rest or "tides &amp; lakes are stale" in head.partition("<table")[0]
    assert '<article id="tides">high</article>' in rest
