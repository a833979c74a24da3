"""
Score the articles by the oracle, but only when its prompt has passed calibration and validation on two small samples.

    dvc repro label@articles
"""

import time

import pandas as pd

from winnow.domains.articles.definitions import overall_scores, read_config, scoring_of, tier_names, wide_scores
from winnow.domains.articles.params import Common, Label
from winnow.domains.articles.rules.calibration import REPEATS
from winnow.domains.articles.rules.gate import calibrate, require_pass
from winnow.domains.articles.rules.labelling import Labeller, announce, open_labeller
from winnow.domains.articles.rules.outcomes import Article, Labelled, Use, told_of
from winnow.domains.articles.source.filters import read_filter
from winnow.domains.articles.tables import Articles, Kept, Labels, OracleUse, Repeats, Scores, Unlabelled
from winnow.pipeline import ledger
from winnow.pipeline.cache import content_key
from winnow.pipeline.console import say
from winnow.pipeline.errors import TableError, WinnowError
from winnow.pipeline.stage import Stage, run_stage

SOURCE_FILES = ["filters/*/v*/prompt.md", "filters/*/v*/examples.jsonl"]


def label_batches(labeller: Labeller, articles: list[Article], params: Label) -> list[Labelled]:
    """Step 4: the oracle's word on each article, or on the first `max_batches` batches of them.

    Raises WinnowError, before it asks, when going by the answers so far the rest would cost more than what is left;
    and after it, when too many articles have no scores.
    """
    wanted = articles[: params.max_batches * params.batch_size] if params.max_batches else articles
    covered = announce(labeller, ((article, "plain") for article in wanted), is_batch=True)
    unasked = sum(not labeller.is_known(article) for article in wanted)
    if covered < unasked:
        each = (labeller.mean_cost(is_batch=True) or 0.0) * params.oracle.answers
        raise WinnowError(
            f"{unasked} articles would cost about ${unasked * each:.2f}, and "
            f"${labeller.left_usd:.2f} of max_cost_usd are left, which covers about {covered}",
            where="params.yaml: articles.label.max_cost_usd",
            fix="raise it, or label fewer batches (max_batches)",
        )
    found = labeller.label_all(wanted, is_batch=True, every=params.batch_size if len(wanted) > params.batch_size else 0)
    say(f"  {told_of(found, labeller.use)}")
    without = [each for each in found if each.scores is None]
    if len(without) > params.max_unlabelled_share * len(found):
        told = (
            f"{len(without)} of {len(found)} articles got no scores: {len(without) / len(found):.1%}, and articles."
            f"label.max_unlabelled_share allows {params.max_unlabelled_share:.1%}. The first ones:"
        )
        raise WinnowError(
            [told, *(f"    {each.article_id}: {each.reason}" for each in without[:5])],
            fix="what was answered is kept; `winnow articles label --retry malformed` has malformed answers asked for "
            "again",
        )
    return found


def as_scores(labelled: list[Labelled]) -> pd.DataFrame:
    """The `Scores` rows of the articles that were scored."""
    rows = [(each.article_id, name, score) for each in labelled for name, score in (each.scores or {}).items()]
    columns = {"article_id": "str", "dimension": "str", "score": "float64"}
    return pd.DataFrame(rows, columns=list(columns)).astype(columns)


def unlabelled(asked: list[str], labelled: list[Labelled]) -> pd.DataFrame:
    """The `Unlabelled` rows: articles without a readable answer, and those that max_batches left out."""
    rows = [(each.article_id, each.reason, each.answer) for each in labelled if each.scores is None]
    reached = {each.article_id for each in labelled}
    rows += [(name, "not reached: max_batches", "") for name in asked if name not in reached]
    return pd.DataFrame(sorted(rows), columns=["article_id", "reason", "answer"]).astype("str")


def main(stage: Stage[Common, Label]) -> None:
    params = stage.params
    prompted = read_filter(stage.common.definition)
    definition = prompted.model_copy(update={"config": read_config(stage.input("ingest/config.json"))})
    kept = stage.read("filter/articles.parquet", Kept).sort_values("article_id", ignore_index=True)
    articles = stage.read("ingest/articles.parquet", Articles).set_index("article_id")
    known = stage.read("ingest/scores.parquet", Scores)
    known = known[known["article_id"].isin(kept["article_id"])]
    from_source = known if params.use_scores else known.iloc[:0]
    todo = kept.loc[~kept["article_id"].isin(from_source["article_id"]), "article_id"].tolist()
    labelled: list[Labelled] = []
    repeats = pd.DataFrame(columns=REPEATS)
    use = Use(params.oracle.prices)
    if todo:
        with open_labeller(definition, params, stage.seed) as labeller:
            outcome = calibrate(labeller, kept, articles, known, params.calibration, stage.common.definition)
            require_pass(outcome)
            repeats, use = outcome.repeats, labeller.use
            todo.sort(key=lambda name: content_key([str(stage.seed), name]))  # so that a part of them is a fair sample
            texts = articles.loc[todo]
            rows = zip(todo, texts["title"], texts["content"], strict=True)
            began = time.perf_counter()
            labelled = label_batches(labeller, [Article(*row) for row in rows], params)
            ledger.note(articles_per_second=round(len(labelled) / (time.perf_counter() - began), 1))
    scores = pd.concat([from_source, as_scores(labelled)]).sort_values(["article_id", "dimension"], ignore_index=True)
    if scores.empty:
        raise TableError("no article has a label", fix="see the reasons in data/articles/label/unlabelled.parquet")
    wide, scoring = wide_scores(scores, definition.names), scoring_of(definition.config)
    labels = kept.set_index("article_id").loc[wide.index].join(articles[["source", "official_split"]])
    overall = overall_scores(wide, scoring)
    labels = labels.assign(overall=overall, tier=tier_names(overall, scoring)).reset_index()
    labels["origin"] = labels["article_id"].isin(from_source["article_id"]).map({True: "source", False: "oracle"})
    left = unlabelled(todo, labelled)
    stage.write("labels.parquet", labels[list(Labels.to_schema().columns)], Labels)
    stage.write("scores.parquet", scores, Scores)
    stage.write("unlabelled.parquet", left, Unlabelled)
    types = {"article_id": "str", "dimension": "str", "first": "float64", "second": "float64"}
    stage.write("repeats.parquet", repeats.astype(types), Repeats)
    counted = {"requests": use.requests, "malformed": use.malformed, "estimated": use.estimated}
    spent = {**counted, **use.tokens._asdict(), "cost_usd": use.cost_usd}
    oracle = {"provider": params.oracle.provider, "model": params.oracle.model, **spent}
    stage.write("oracle.parquet", pd.DataFrame([oracle]), OracleUse)
    stage.account(len(kept), labelled=len(labels), unlabelled=len(left))
    stage.metrics(
        by_tier=labels["tier"].value_counts().to_dict(),
        by_origin=labels["origin"].value_counts().to_dict(),
        oracle=oracle,
    )


if __name__ == "__main__":
    run_stage(main)
