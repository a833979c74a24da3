"""
Grow flowers.

    dvc repro ingest@toy
"""

from winnow.domains.toy.params import Common, Ingest
from winnow.domains.toy.source.meadow import grow
from winnow.domains.toy.tables import Flowers
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Ingest]) -> None:
    flowers = grow(stage.params.flowers, stage.rng())
    stage.write("flowers.parquet", flowers, Flowers)
    stage.account(len(flowers), kept=len(flowers))


if __name__ == "__main__":
    run_stage(main)
