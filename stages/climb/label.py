"""
Label each route with its grade as a number, its quality bin, and its holds as tokens.

    dvc repro label@climb
"""

from winnow.domains.climb.params import Common, Label
from winnow.domains.climb.rules.labels import label_routes, quality_bins, tokenise
from winnow.domains.climb.tables import Holds, Kept, Labels, QualityBins, Tokens
from winnow.pipeline.stage import Stage, run_stage


def main(stage: Stage[Common, Label]) -> None:
    routes = stage.read("filter/routes.parquet", Kept)
    holds = stage.read("ingest/holds.parquet", Holds)
    bins = quality_bins(medium_from=stage.params.medium_from, high_from=stage.params.high_from)
    labels = label_routes(routes, bins)[list(Labels.to_schema().columns)]
    tokens = tokenise(holds[holds["route_id"].isin(routes["route_id"])])
    stage.write("labels.parquet", labels, Labels)
    stage.write("tokens.parquet", tokens, Tokens)
    stage.write("quality_bins.parquet", bins, QualityBins)
    stage.account(len(routes), labelled=len(labels))
    stage.metrics(
        tokens=len(tokens),
        by_grade=labels["grade"].value_counts().to_dict(),
        by_quality=labels["quality"].value_counts().to_dict(),
    )


if __name__ == "__main__":
    run_stage(main)
