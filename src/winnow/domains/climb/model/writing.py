"""Writing routes with a trained generator: drafts, of which those most like real routes are kept.

A network's routes differ from real ones in ways that its own likelihood does not show. A classifier that tells the
validation routes from drafts for the same conditions says how: of several drafts one is drawn by its odds to be real,
which is the ratio of the two densities (sampling importance resampling; Grover et al. 2019, "Bias correction of learned
generative models using likelihood-free importance weighting"). Test routes have no part in it.
"""

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from winnow.domains.climb.model.artifacts import Artifacts
from winnow.domains.climb.model.features import shape_and_holds
from winnow.domains.climb.model.generation import generate, make_decoding, make_limits
from winnow.domains.climb.model.network import RouteTransformer
from winnow.domains.climb.model.sequences import Integers, Sequences

Floats = NDArray[np.float64]
TREES = 200
LEAST_LEAF = 5
FEWEST = 50
"""Validation routes below which they do not show what real routes are like."""


class Writer:
    """Writes routes as the model's folder says."""

    def __init__(self, model: RouteTransformer, artifacts: Artifacts) -> None:
        self.model, self.artifacts = model, artifacts
        settings = artifacts.settings
        self.limits = make_limits(model.known, settings.limits)
        self.decoding, self.candidates = make_decoding(settings.decoding), settings.decoding.candidates

    def write(self, conditions: Integers, generator: torch.Generator) -> Sequences:
        """One route for each of the (routes, 3) conditions, within the limits; ids count from 0000.

        Raises WinnowError when the limits leave no way to the top.
        """
        if self.candidates == 1 or self.realism is None:
            return self._drafts(conditions, generator)
        drafts = self._drafts(np.repeat(conditions, self.candidates, axis=0), generator)
        odds = odds_to_be_real(self.realism, drafts).reshape(-1, self.candidates)
        drawn = torch.multinomial(torch.from_numpy(odds), 1, generator=generator)[:, 0].numpy()
        chosen = drafts.tokens.reshape(len(conditions), self.candidates, -1)[np.arange(len(conditions)), drawn]
        return Sequences(drafts.ids[: len(conditions)], chosen, conditions)

    @cached_property
    def realism(self) -> RandomForestClassifier | None:
        """Tells validation routes from drafts for their conditions; None where there are too few of them."""
        real = self.artifacts.sequences("val")
        real = real.rows(self.limits.possible(torch.from_numpy(real.conditions[:, 0])).numpy())
        if len(real.ids) < FEWEST:
            return None
        return fit_realism(real, self._drafts(real.conditions, torch.Generator().manual_seed(0)))

    def _drafts(self, conditions: Integers, generator: torch.Generator) -> Sequences:
        return generate(self.model, conditions, self.limits, self.decoding, generator)


def fit_realism(real: Sequences, drafts: Sequences) -> RandomForestClassifier:
    """A forest that gives the chance of routes to be real, from their holds, geometry and requested grade."""
    is_real = np.repeat([True, False], [len(real.ids), len(drafts.ids)])
    forest = RandomForestClassifier(TREES, min_samples_leaf=LEAST_LEAF, random_state=0, n_jobs=1)
    return forest.fit(np.concatenate([_inputs(real), _inputs(drafts)]), is_real)


def odds_to_be_real(realism: RandomForestClassifier, routes: Sequences) -> Floats:
    """(routes,): the classifier's odds, which are finite and above 0."""
    chance = np.clip(realism.predict_proba(_inputs(routes))[:, 1], 0.01, 0.99)
    return np.asarray(chance / (1 - chance), dtype=np.float64)


def _inputs(routes: Sequences) -> Floats:
    return np.column_stack([shape_and_holds(routes), routes.conditions[:, 2]])
