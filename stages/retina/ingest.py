"""
Read graded photographs of any known format, or draw them; crop each to the retina and make it square.

    dvc repro ingest@retina
"""

from dataclasses import asdict

import pandas as pd

from winnow.curate.overlaps import same_images, tell_overlaps
from winnow.curate.rejected import check_rejected_share
from winnow.domains.retina import definitions
from winnow.domains.retina.params import Common, Ingest, Source
from winnow.domains.retina.source import formats, synthetic
from winnow.domains.retina.source.collect import collect
from winnow.domains.retina.source.records import Collection
from winnow.domains.retina.tables import Photos, Preparation, Rejected
from winnow.images.listing import check_prefixes
from winnow.images.store import write_images
from winnow.pipeline.parallel import workers
from winnow.pipeline.stage import Stage, run_stage


def read_source(stage: Stage[Common, Ingest], source: Source) -> Collection:
    """The rows of one source; raises SourceError when it is missing or not of its format."""
    path = stage.source_folder(source.path) if source.format == "folders" else stage.source(source.path)
    images = stage.source_folder(source.images) if source.images is not None else None
    return Collection(source.format, source.path, path.stem, formats.read(source.format, path, images))


def main(stage: Stage[Common, Ingest]) -> None:
    params = stage.params
    collections = [read_source(stage, source) for source in params.sources]
    check_prefixes(collections)
    if not collections:
        drawn = synthetic.make(params.synthetic, stage.rng())
        collections = [Collection("synthetic", "synthetic", "synthetic", drawn)]
    preparation = definitions.Preparation(stage.common.image_size, params.crop, params.contrast)
    with workers(stage.runtime.cluster), write_images(stage.output("images.arrow")) as images:
        found = collect(collections, preparation, images)
    rows_in = sum(collection.listing.rows for collection in collections)
    check_rejected_share(found.rejected, rows_in, params.max_rejected_share, domain=stage.domain)
    stage.write("photos.parquet", found.photos, Photos)
    stage.write("preparation.parquet", pd.DataFrame([asdict(preparation)]), Preparation)
    stage.write("rejected.parquet", found.rejected, Rejected)
    stage.account(rows_in, kept=len(found.photos), rejected=len(found.rejected))
    prefixes = {collection.prefix: collection.path for collection in collections}
    measures = ["width", "height", "brightness", "sharpness", "perceptual_hash"]
    tell_overlaps(
        stage, same_images([found.photos], measures, prefixes), "photographs", "filter finds them as duplicates"
    )
    stage.metrics(
        by_source=found.photos["source"].value_counts().to_dict(),
        by_grade=found.photos["grade"].value_counts().sort_index().to_dict(),
    )


if __name__ == "__main__":
    run_stage(main)
