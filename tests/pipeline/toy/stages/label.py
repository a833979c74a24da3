"""
Number the species.

    dvc repro label@toy
"""

from winnow.domains.toy import definitions
from winnow.domains.toy.params import Common, Label
from winnow.domains.toy.tables import Flowers, Labels
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Label]) -> None:
    flowers = stage.read("filter/flowers.parquet", Flowers)
    numbers = {name: index for index, name in enumerate(definitions.SPECIES)}
    stage.write("labels.parquet", flowers.assign(label=flowers["species"].map(numbers))[["flower", "label"]], Labels)
    stage.account(len(flowers), labelled=len(flowers))


if __name__ == "__main__":
    run_stage(main)
