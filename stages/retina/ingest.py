"""Read graded photographs of any format, or draw them; decode each once, crop it to the retina and make it square."""

from pathlib import Path

from winnow.curate.rejected import check_rejected_share
from winnow.domains.retina.params import Common, Ingest, Source
from winnow.domains.retina.source import formats, synthetic
from winnow.domains.retina.source.collect import Collection, collect
from winnow.domains.retina.tables import Photos, Pixels, Rejected
from winnow.pipeline.errors import SourceError
from winnow.pipeline.stage import Stage, run_stage


def read_source(stage: Stage[Common, Ingest], source: Source) -> Collection:
    """The rows of one source; raises SourceError when it is missing or not of its format."""
    path = stage.source_folder(source.path) if source.format == "folders" else stage.source(source.path)
    images = stage.source_folder(source.images) if source.images is not None else None
    return Collection(source.format, source.path, path.stem, formats.read(source.format, path, images))


def main(stage: Stage[Common, Ingest]) -> None:
    params = stage.params
    collections = [read_source(stage, source) for source in params.sources]
    prefixes = [collection.prefix for collection in collections]
    if len(set(prefixes)) < len(prefixes):
        raise SourceError(
            "two sources have the same file name, and photographs are told apart by it",
            where=", ".join(str(Path(source.path)) for source in params.sources),
            fix="rename one of them",
        )
    if not collections:
        drawn = synthetic.make(params.synthetic, stage.rng())
        collections = [Collection("synthetic", "synthetic", "synthetic", drawn)]
    found = collect(collections, size=stage.common.image_size, crop=params.crop, contrast=params.contrast)
    rows_in = sum(collection.listing.rows for collection in collections)
    check_rejected_share(found.rejected, rows_in, params.max_rejected_share, domain=stage.domain)
    stage.write("photos.parquet", found.photos, Photos)
    stage.write("pixels.parquet", found.pixels, Pixels)
    stage.write("rejected.parquet", found.rejected, Rejected)
    stage.account(rows_in, kept=len(found.photos), rejected=len(found.rejected))
    stage.metrics(
        by_source=found.photos["source"].value_counts().to_dict(),
        by_grade=found.photos["grade"].value_counts().sort_index().to_dict(),
    )


if __name__ == "__main__":
    run_stage(main)
