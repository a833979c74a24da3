"""
Check the filter, and read articles from files of any known format, or write them.

    dvc repro ingest@articles
"""

import pandas as pd

from winnow.curate.overlaps import tell_overlaps
from winnow.curate.rejected import check_rejected_share, rejected_rows
from winnow.domains.articles.definitions import write_config
from winnow.domains.articles.params import Common, Ingest
from winnow.domains.articles.source import formats, synthetic
from winnow.domains.articles.source.filters import read_filter
from winnow.domains.articles.tables import Articles, Rejected, Scores
from winnow.pipeline.stage import Stage, run_stage

PART = 4096
"""Articles that filter reads at a time, wherever it computes."""
REPEATED = "the id is also in the source "
"""Before the path of the source that has it too, `: ` and the id."""


def join(listings: dict[str, formats.Listing]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """`Articles`, `Scores` and `Rejected` of all sources; an id that an earlier source has too is rejected."""
    articles, scores, rejected = [], [], []
    seen: dict[str, str] = {}
    for path, listing in listings.items():
        repeated = listing.articles["article_id"].isin(seen)
        own = listing.articles[~repeated]
        again = listing.articles.loc[repeated, "article_id"]
        rejected.append((path, listing.rejected))
        reasons = pd.DataFrame({"row": again.index, "reason": REPEATED + again.map(seen) + ": " + again})
        rejected.append((path, reasons))
        seen.update(dict.fromkeys(own["article_id"], path))
        articles.append(own)
        scores.append(listing.scores[listing.scores["article_id"].isin(own["article_id"])])
    table = pd.concat(articles, ignore_index=True).sort_values("article_id", ignore_index=True)
    scored = pd.concat(scores, ignore_index=True).sort_values(["article_id", "dimension"], ignore_index=True)
    return table, scored, rejected_rows(rejected)


def main(stage: Stage[Common, Ingest]) -> None:
    definition = read_filter(stage.common.definition)
    listings = {
        source.path: formats.read(source.format, stage.source(source.path), definition.config)
        for source in stage.params.sources
    }
    if not listings:
        listings = {"synthetic": synthetic.make(stage.params.synthetic, definition, stage.rng())}
    articles, scores, rejected = join(listings)
    rows_in = sum(listing.rows for listing in listings.values())
    check_rejected_share(rejected, rows_in, stage.params.max_rejected_share, domain=stage.domain, repeated=REPEATED)
    read = [
        pd.DataFrame({"source": path, "place": listing.articles.index, "key": listing.articles["article_id"]})
        for path, listing in listings.items()
    ]
    tell_overlaps(stage, pd.concat(read), "articles", "the first stays")
    write_config(stage.output("config.json"), definition.config)
    stage.write("articles.parquet", articles, Articles, part=PART)
    stage.write("scores.parquet", scores, Scores)
    stage.write("rejected.parquet", rejected, Rejected)
    stage.account(rows_in, kept=len(articles), rejected=len(rejected))
    stage.metrics(
        by_source=articles["source"].value_counts().to_dict(), scored_articles=int(scores["article_id"].nunique())
    )


if __name__ == "__main__":
    run_stage(main)
