"""Source rows that cannot be used: a few are counted, too many stop the stage."""

import pandas as pd

from winnow.pipeline.errors import SourceError

SHOWN_ROWS = 5


def check_rejected_share(rejected: pd.DataFrame, rows_in: int, max_share: float, *, domain: str) -> None:
    """Raise SourceError when more than `max_share` of the source rows, or all of them, cannot be used.

    `rejected` has one row per unusable source row, with the columns source, row and reason; the first are shown.
    """
    if rows_in == 0:
        raise SourceError(f"the sources of {domain}.ingest.sources hold no row", fix="name a file that holds some")
    share = len(rejected) / rows_in
    if len(rejected) == rows_in or share > max_share:
        first = rejected.head(SHOWN_ROWS).itertuples()
        told = "".join(f"\n    {row.source}, row {row.row}: {row.reason}" for row in first)
        raise SourceError(
            f"{len(rejected)} of {rows_in} source rows cannot be used: {share:.1%}, and {domain}.ingest."
            f"max_rejected_share allows {max_share:.1%}. The first ones:{told}",
            fix=f"mend the file, check its `format`, or raise {domain}.ingest.max_rejected_share",
        )
