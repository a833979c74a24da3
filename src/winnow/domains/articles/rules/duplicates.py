"""Articles that say nearly the same (MinHash over word triples; Broder 1997, datasketch)."""

import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from datasketch import MinHash, MinHashLSH
from numpy.typing import NDArray

from winnow.curate.splits import connected_groups

SEED = 1
SHINGLE = 3
"""Words of a shingle."""
WORD = re.compile(r"\w+")
MISSED, SURPLUS = 0.99, 0.01
"""What a missed pair weighs against one compared for nothing: a missed pair may end in two splits."""


def shingles(text: str) -> list[bytes]:
    """The different word triples of a text; of a shorter text all its words as one."""
    words = WORD.findall(text.lower())
    triples = {" ".join(words[i : i + SHINGLE]) for i in range(max(len(words) - SHINGLE + 1, 1))}
    return [each.encode() for each in sorted(triples)]


def resemble(texts: Iterable[str], shown: Sequence[str], *, similarity: float) -> list[bool]:
    """Of each text whether it has a Jaccard similarity of `similarity` or more to one that is shown."""
    known = [frozenset(shingles(each)) for each in shown]
    found = (frozenset(shingles(each)) if known else frozenset() for each in texts)
    return [any(len(own & each) >= similarity * len(own | each) for each in known) for own in found]


def sketched(texts: Iterable[str], permutations: int) -> Iterator[NDArray[np.uint32]]:
    """The MinHash of each text, `(permutations,)`."""
    base = MinHash(num_perm=permutations, seed=SEED)
    for text in texts:
        sketch = base.copy()
        sketch.update_batch(shingles(text))
        yield sketch.hashvalues


def near_duplicate_groups(
    ids: Sequence[str], sketches: Iterable[NDArray[np.uint32]], *, similarity: float, permutations: int
) -> "pd.Series[str]":
    """The group of each article, by article_id: connected by estimated Jaccard similarities of `similarity` or more.

    `sketches` are of the articles' texts, see `sketched`. A group is named after the smallest article_id in it.
    """
    index = MinHashLSH(threshold=similarity, num_perm=permutations, weights=(SURPLUS, MISSED))
    known: dict[str, MinHash] = {}
    pairs: list[tuple[str, str]] = []
    base = MinHash(num_perm=permutations, seed=SEED)
    for name, values in zip(ids, sketches, strict=True):
        sketch = base.copy()
        sketch.hashvalues = values
        near = (other for other in index.query(sketch) if sketch.jaccard(known[other]) >= similarity)
        pairs += [(other, name) for other in sorted(near)]
        known[name] = sketch
        index.insert(name, sketch)
    # One row per article, and one more per pair: the pair's first article with the second one's link
    links = [(name, name) for name in ids] + [(first, second) for first, second in pairs]
    table = pd.DataFrame(links, columns=["article_id", "link"])
    table["group"] = connected_groups(table)
    return table.drop_duplicates("article_id").set_index("article_id")["group"].reindex(list(ids))
