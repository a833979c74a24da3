"""Text of the page in which names are marked up as code."""

import pytest

from winnow.show.page import _code


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
