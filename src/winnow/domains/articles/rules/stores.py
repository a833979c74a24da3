"""An oracle with the store of its answers: what the label stage and the command line open."""

from collections.abc import Iterator
from contextlib import contextmanager

from winnow.domains.articles.definitions import Definition
from winnow.domains.articles.params import Oracle
from winnow.domains.articles.rules.labelling import Labeller
from winnow.domains.articles.rules.oracles import make_oracle
from winnow.pipeline.cache import KeptAnswers

STORE = "articles"
"""The store's name in `.winnow/kept/`."""


@contextmanager
def open_labeller(definition: Definition, settings: Oracle, max_cost_usd: float, seed: int) -> Iterator[Labeller]:
    """A labeller. Answers of `rules` cost nothing and are not stored."""
    oracle = make_oracle(settings, definition, seed)
    if settings.provider == "rules":
        yield Labeller(oracle, None, definition, settings, max_cost_usd)
        return
    with KeptAnswers(STORE) as kept:
        yield Labeller(oracle, kept, definition, settings, max_cost_usd)
