"""An oracle behind the stub server: what it answers, how it is asked, and articles to ask about."""

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from tests.stages.oracle_server import COMPLETION_TOKENS, PROMPT_TOKENS, THINKING_TOKENS, OracleServer, lot
from tests.stages.programs import Programs
from winnow.domains.articles.definitions import Definition
from winnow.domains.articles.params import Oracle
from winnow.domains.articles.rules import labelling
from winnow.domains.articles.rules.labelling import Labeller
from winnow.domains.articles.rules.outcomes import Article
from winnow.domains.articles.source.synthetic import score_words

FILTER = "uplifting/v1"
KEY = "sk-not-a-real-key-4711"
PRICES = {"model": "stub", "prompt": 0.3, "cached": 0.03, "completion": 2.5, "thinking": 3.5, "batch_share": 0.5}
PRICE = (PROMPT_TOKENS * 0.3 + COMPLETION_TOKENS * 2.5 + THINKING_TOKENS * 3.5) / 1e6


def oracle(server: OracleServer, **changes: Any) -> dict[str, Any]:
    prices = {**PRICES, "model": changes.get("model", "stub")}
    return {"provider": "openai", "model": "stub", "base_url": server.url, "timeout": 5.0, "prices": prices, **changes}


def good(definition: Definition) -> Callable[[str, Sequence[str]], str]:
    """Scores as the articles were written, with a little noise."""

    def answer(article: str, names: Sequence[str]) -> str:
        scores = score_words(article, definition)
        return json.dumps({name: min(max(scores[name] + 0.6 * lot(article + name) - 0.3, 0), 10) for name in names})

    return answer


def settings(server: OracleServer, **changes: Any) -> Oracle:
    values = Programs.tiny("articles").section("label").oracle.model_dump()
    return Oracle.model_validate({**values, **oracle(server, **changes)})


def open_labeller(
    definition: Definition, given: Oracle, max_cost_usd: float, seed: int
) -> AbstractContextManager[Labeller]:
    """The labeller of the stage, with another oracle and another cap."""
    params = Programs.tiny("articles").section("label")
    changes = {"oracle": given, "max_cost_usd": max_cost_usd}
    return labelling.open_labeller(definition, params.model_copy(update=changes), seed)


def some_articles(count: int) -> list[Article]:
    return [
        Article(f"a{n}", "", f"Article {n}: volunteers rebuilt the school together, and it recovered.")
        for n in range(count)
    ]


def highest(labeller: Labeller) -> float:
    (asked,) = labeller.unanswered(some_articles(100)[99])
    return labeller.highest_cost(asked)


def listed(articles: list[Article]) -> str:
    return "".join(
        json.dumps({"id": each.article_id, "title": each.title, "content": each.content}) + "\n" for each in articles
    )
