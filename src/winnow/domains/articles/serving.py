"""`winnow serve articles`: paste an article, see its scores."""

import json
from typing import Any

from pydantic import AliasChoices, Field

from winnow.domains.articles.inference import score_lines, sieve_of
from winnow.domains.articles.model.scoring import load_scorer
from winnow.learn.devices import configured_device
from winnow.learn.folder import TrainedModel
from winnow.pipeline.errors import WinnowError
from winnow.serve.service import Clock, Question, Service, Upload


class Article(Question):
    """An article, as a line of the files that `winnow articles score` reads."""

    content: str = Field(
        validation_alias=AliasChoices("content", "text"),  # as in files
        min_length=1,
        max_length=500_000,
        description="the text; the name `text` is read, too",
    )
    title: str = Field("", max_length=10_000, description="the title, which may be empty")
    id: str = Field("article", min_length=1, max_length=500, description="given back with the scores")


def open_service(trained: TrainedModel) -> Service:
    """The trained scorer as a service."""
    model = load_scorer(configured_device(), trained.folder)
    scoring, sieve = model.network.scoring, sieve_of(trained.folder)

    def answer(question: Article, _: Upload | None, __: Clock) -> dict[str, Any]:
        (found,) = score_lines(model, [json.dumps(question.model_dump()).encode()], sieve)
        if "error" in found:
            raise WinnowError(str(found["error"]), fix="paste the text of an article")
        return found

    return Service(
        domain="articles",
        verb="score",
        title="Score an article",
        lead="Paste an article, and see its scores on each dimension.",
        trained=trained,
        question=Article,
        answer=answer,
        offered={"field": scoring.analysis_field, "low": scoring.low, "high": scoring.high},
    )
