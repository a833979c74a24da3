"""What filter computes of a part of the articles' table, in any process: only the path, and what is found, travel."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from winnow.domains.articles.definitions import Prefilter, article_text
from winnow.domains.articles.rules.duplicates import sketched
from winnow.domains.articles.rules.prefilter import Sieve
from winnow.pipeline.tables import parquet_batches

BATCH_ROWS = 4096
"""Articles that are in memory at a time, where a part is larger."""
READ = ["article_id", "title", "content", "source", "published", "language"]
SIFTED = {"article_id": "str", "rule": "str", "topic": "str", "words": "int64", "digest": "str"}


def sift_part(path: Path, prefilter: Prefilter, part: int) -> pd.DataFrame:
    """The columns SIFTED of each article of a part: see `prefilter.Sieve.sift`."""
    sieve = Sieve(prefilter)
    rows = []
    for batch in parquet_batches(path, rows=BATCH_ROWS, columns=READ, part=part):
        fields = zip(*(batch.column(column).to_pylist() for column in READ), strict=True)
        rows += [(name, *sieve.sift(*each)) for name, *each in fields]
    return pd.DataFrame(rows, columns=list(SIFTED)).astype(SIFTED)


def sketch_part(path: Path, permutations: int, part: tuple[int, bytes]) -> NDArray[np.uint32]:
    """The MinHashes `(wanted articles, permutations)` of a part: its number, and which of its articles, as bits."""
    number, bits = part
    found, start = [np.empty((0, permutations), dtype=np.uint32)], 0
    for batch in parquet_batches(path, rows=BATCH_ROWS, columns=["title", "content"], part=number):
        wanted = np.unpackbits(np.frombuffer(bits, np.uint8), count=start + len(batch))[start:]
        start += len(batch)
        rows = zip(batch.column("title").to_pylist(), batch.column("content").to_pylist(), wanted, strict=True)
        texts = (article_text(title, content) for title, content, use in rows if use)
        found += [sketch[None] for sketch in sketched(texts, permutations)]
    return np.concatenate(found)
