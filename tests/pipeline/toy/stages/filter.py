"""Drop flowers that are too long to be believed."""

from winnow.curate.filters import apply_rules
from winnow.domains.toy.params import Common, Filter
from winnow.domains.toy.rules.length import too_long
from winnow.domains.toy.tables import Flowers
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Filter]) -> None:
    flowers = stage.read("ingest/flowers.parquet", Flowers)
    kept = apply_rules(flowers, [too_long(stage.params.max_length)]).isna()
    stage.write("flowers.parquet", flowers[kept], Flowers)
    stage.account(len(flowers), kept=int(kept.sum()), dropped=int((~kept).sum()))


if __name__ == "__main__":
    run_stage(main)
