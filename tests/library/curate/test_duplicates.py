"""Digests: the same content has the same name, other content another."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from winnow.curate.duplicates import digest, sequence_digests, set_digests

CONTENT = st.dictionaries(st.text("pqr", min_size=1, max_size=2), st.lists(st.text("abc,", max_size=2), min_size=1))


def long_table(content: dict[str, list[str]]) -> pd.DataFrame:
    rows = [(owner, place, item) for owner, items in content.items() for place, item in enumerate(items)]
    return pd.DataFrame(rows, columns=["owner", "position", "item"])


@given(CONTENT, st.integers(0, 9))
def test_sets_are_the_same_exactly_if_their_digests_are(content: dict[str, list[str]], seed: int) -> None:
    table = long_table(content)
    digests = set_digests(table["owner"], table["item"])
    shuffled = table.sample(frac=1, random_state=seed)
    pd.testing.assert_series_equal(digests, set_digests(shuffled["owner"], shuffled["item"]))
    for one, its in content.items():
        for other, others in content.items():
            assert (digests[one] == digests[other]) == (set(its) == set(others))


@given(CONTENT)
def test_sequences_are_the_same_exactly_if_their_digests_are(content: dict[str, list[str]]) -> None:
    table = long_table(content).sample(frac=1, random_state=0)
    digests = sequence_digests(table["owner"], table["position"], table["item"])
    for one, its in content.items():
        for other, others in content.items():
            assert (digests[one] == digests[other]) == (its == others)


@given(st.permutations("abcd"))
def test_the_order_of_a_sequence_is_that_of_its_positions(items: list[str]) -> None:
    table = long_table({"p": items, "q": sorted(items)}).sample(frac=1, random_state=0)
    digests = sequence_digests(table["owner"], table["position"], table["item"])
    assert (digests["p"] == digests["q"]) == (items == sorted(items))
    sets = set_digests(table["owner"], table["item"])
    assert sets["p"] == sets["q"]


def test_a_digest_is_the_same_on_every_machine() -> None:
    assert digest("A1") == digest(b"A1") == "16a36e86f6fed5d4"
