"""Source rows that cannot be used: a few are counted, too many stop the stage."""

from collections import Counter
from collections.abc import Iterable
from shlex import quote

import pandas as pd

from winnow.pipeline.errors import SourceError

SHOWN_ROWS = 5


def rejected_rows(parts: Iterable[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """The `Rejected` rows of sources: the path of each, and what it rejected (columns row and reason)."""
    rejected = pd.concat([part[["row", "reason"]].assign(source=path) for path, part in parts])
    types = {"source": "str", "row": "int64", "reason": "str"}
    return rejected.sort_values(["source", "row"], ignore_index=True)[list(types)].astype(types)


def check_rejected_share(
    rejected: pd.DataFrame, rows_in: int, max_share: float, *, domain: str, repeated: str | None = None
) -> None:
    """Raise SourceError when more than `max_share` of the source rows, or all of them, cannot be used.

    `rejected` has one row per unusable source row, with the columns source, row and reason; the first are shown.
    After the text `repeated` a reason names the source that has the same row, and after `: ` what is the same.
    """
    if rows_in == 0:
        raise SourceError(
            f"the source files of {domain} hold no row",
            where=f"params.yaml: {domain}.ingest.sources",
            fix="name a file that holds some",
        )
    share = len(rejected) / rows_in
    first = rejected.head(SHOWN_ROWS).itertuples()
    listed = [f"    {row.source}, row {row.row}: {row.reason}" for row in first]
    if len(rejected) == rows_in:
        raise SourceError(
            [f"{rows_in} of {rows_in} source rows cannot be used. The first ones:", *listed],
            fix="repair the file, or check its `format`",
        )
    if share > max_share:
        cure = f"repair the file, check its `format`, or raise {domain}.ingest.max_rejected_share"
        reasons = zip(rejected["source"], rejected["reason"], strict=True)
        pairs = Counter(
            (path, why.partition(repeated)[2].partition(": ")[0])
            for path, why in reasons
            if repeated and repeated in why
        )
        if len(rejected) - pairs.total() <= max_share * rows_in:  # without them all would be well
            (source, other), _ = pairs.most_common(1)[0]
            cure = (
                f"{source} repeats {other}: take one of them out, by `winnow remove {domain} {quote(other)}` or "
                f"`winnow remove {domain} {quote(source)}`"
            )
        raise SourceError(
            [
                (
                    f"{len(rejected)} of {rows_in} source rows cannot be used: {share:.1%}, and {domain}.ingest."
                    f"max_rejected_share allows {max_share:.1%}. The first ones:"
                ),
                *listed,
            ],
            fix=cure,
        )
