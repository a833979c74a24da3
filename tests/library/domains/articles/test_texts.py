"""Articles as tokens."""

from typing import Any, cast

from winnow.domains.articles.model.texts import are_cut


def test_tokens_that_the_tokenizer_adds_count_when_a_text_is_cut() -> None:
    def tokenizer(texts: list[str], *, verbose: bool) -> dict[str, list[list[int]]]:
        return {"input_ids": [[0] * (len(text.encode()) + 3) for text in texts]}

    texts = ["six by", "of 5b", "été"]  # 6, 5 and 5 bytes, and three tokens more each
    assert are_cut(cast("Any", tokenizer), texts, 8) == [True, False, False]
    assert are_cut(cast("Any", tokenizer), texts, 7) == [True, True, True]
