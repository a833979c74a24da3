"""
Read clean or labelled pages of any known format, or draw them; keep each at its own resolution.

    dvc repro ingest@documents
"""

from dataclasses import asdict

import pandas as pd

from winnow.curate.overlaps import same_images, tell_overlaps
from winnow.curate.rejected import check_rejected_share
from winnow.domains.documents import definitions
from winnow.domains.documents.params import Common, Ingest, Source
from winnow.domains.documents.source import formats, synthetic
from winnow.domains.documents.source.collect import PIECE, collect
from winnow.domains.documents.source.records import Collection
from winnow.domains.documents.tables import GivenSeverities, Pages, Preparation, Rejected
from winnow.images.listing import check_prefixes
from winnow.images.store import write_images
from winnow.pipeline.parallel import workers
from winnow.pipeline.stage import Stage, run_stage
from winnow.pipeline.tables import parquet_batches


def read_source(stage: Stage[Common, Ingest], source: Source) -> Collection:
    """The rows of one source; raises SourceError when it is missing or not of its format."""
    is_file = source.format == "labelled" and source.path.lower().endswith(".csv")
    path = stage.source(source.path) if is_file else stage.source_folder(source.path)
    return Collection(source.format, source.path, path.stem, formats.read(source.format, path))


def main(stage: Stage[Common, Ingest]) -> None:
    params = stage.params
    collections = [read_source(stage, source) for source in params.sources]
    check_prefixes(collections)
    if not collections:
        collections = [Collection("synthetic", "synthetic", "drawn", synthetic.make(params.synthetic, stage.rng()))]
    preparation = definitions.Preparation(stage.common.max_side, params.pdf_dpi)
    with (
        workers(stage.runtime.cluster),
        write_images(stage.output("images.arrow")) as images,
        stage.writer("pages.parquet", Pages) as write,
    ):
        found = collect(collections, preparation, images, write)
    files = sum(collection.listing.rows for collection in collections)
    check_rejected_share(found.unused, files, params.max_rejected_share, domain=stage.domain)
    stage.write("preparation.parquet", pd.DataFrame([asdict(preparation)]), Preparation)
    stage.write("rejected.parquet", found.rejected, Rejected)
    stage.write("severities.parquet", found.severities, GivenSeverities)
    pages = sum(found.by_source.values())
    stage.account(pages + len(found.rejected), kept=pages, rejected=len(found.rejected))
    stage.metrics(files=files, documents=found.documents, by_source=dict(found.by_source))
    if len(collections) > 1 and pages:
        measures = ["width", "height", "contrast", "ink_share", "print_map", "perceptual_hash"]
        batches = parquet_batches(stage.output("pages.parquet"), rows=PIECE, columns=["image_id", *measures])
        prefixes = {collection.prefix: collection.path for collection in collections}
        alike = same_images((each.to_pandas() for each in batches), measures, prefixes)
        tell_overlaps(stage, alike, "pages", "filter finds them as duplicates")


if __name__ == "__main__":
    run_stage(main)
