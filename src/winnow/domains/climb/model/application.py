"""What a user does with the trained generator: new routes, and another export judged."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from winnow.domains.climb import definitions
from winnow.domains.climb.model import baselines
from winnow.domains.climb.model.generation import Limits, Sampling, generate
from winnow.domains.climb.model.likelihood import route_nll
from winnow.domains.climb.model.network import RouteTransformer
from winnow.domains.climb.model.sequences import Sequences, conditions, encode
from winnow.domains.climb.params import Common, Generation, Params
from winnow.domains.climb.rules.keep import keep_routes
from winnow.domains.climb.rules.labels import label_routes, tokenise
from winnow.domains.climb.source import formats
from winnow.domains.climb.source.merge import SourceFile, merge
from winnow.domains.climb.tables import Labels, Splits, Tokens
from winnow.measure.likelihood import perplexity, token_nll
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.tables import read_table

DATA = Path("data", "climb")
ROUNDS = 50
"""Times that routes which are not new are written again."""


def load_model() -> RouteTransformer:
    """The trained generator; raises WinnowError when there is none yet."""
    folder = DATA / "train" / "model"
    if not folder.exists():
        raise WinnowError("there is no trained generator yet", where=str(folder), fix="dvc repro train@climb")
    with redirect_stdout(sys.stderr):  # the hub's library prints, and --json must stay JSON
        return RouteTransformer.from_pretrained(folder)


def training_routes() -> Sequences:
    """The routes that the generator was trained on."""
    return _side(["train"])


def new_routes(
    asked: pd.DataFrame, model: RouteTransformer, known: Sequences, common: Common, generation: Generation, seed: int
) -> list[list[int]]:
    """Cells, bottom up, of one new route for each row of `asked` (board, angle, grade_index).

    Each is possible, no training route of its board, and unlike the others. Raises WinnowError when the generator
    repeats itself too often.
    """
    taken = {(board, cells) for board, cells in zip(known.conditions[:, 0].tolist(), _cells(known), strict=True)}
    limits = Limits(model.known, min_holds=common.min_holds, max_holds=common.max_holds, max_reach=common.max_reach)
    generator = torch.Generator().manual_seed(seed)
    wanted = conditions(asked)
    routes: list[list[int]] = [[] for _ in wanted]
    for _ in range(ROUNDS):
        open_rows = [row for row, cells in enumerate(routes) if not cells]
        if not open_rows:
            return routes
        made = generate(
            model,
            wanted[open_rows],
            limits,
            Sampling(generation.guidance, generation.temperature, generation.top_p),
            generator,
        )
        for row, cells in zip(open_rows, _cells(made), strict=True):
            key = (int(wanted[row, 0]), cells)
            if key not in taken:
                taken.add(key)
                routes[row] = list(cells)
    raise WinnowError(
        f"only {sum(map(bool, routes))} of {len(routes)} new routes after {ROUNDS} rounds",
        fix="ask for fewer, or raise climb.evaluate.generation.temperature",
    )


def judge_file(path: Path, form: str | None, params: Params) -> dict[str, Any]:
    """How well the generator foresees the routes of an export it was not trained on, beside the bigram model.

    Routes whose hold set was trained on are left out and counted. Raises SourceError and TableError.
    """
    problems = formats.read(form or formats.guess(path), path)
    merged = merge([SourceFile(form or "file", str(path), problems)])
    kept, dropped, _ = keep_routes(merged.routes, merged.holds, params.common, params.filter)
    labels = label_routes(kept, **params.label.model_dump())
    trained = _trained_hold_sets()
    fresh = labels[~labels["hold_set"].isin(trained)].reset_index(drop=True)
    if fresh.empty:
        raise WinnowError(f"the generator was trained on every route of {path}", fix="name an export it has not seen")
    tokens = tokenise(merged.holds[merged.holds["route_id"].isin(fresh["route_id"])])
    sequences = encode(fresh, tokens)
    bigram = baselines.fit("bigram", _side(["train"]), _side(["val"])).route_nll(sequences)
    own = route_nll(load_model(), sequences, params.evaluate.batch_size).numpy()
    told = fresh.assign(nll=own, nll_bigram=bigram, tokens=sequences.lengths)
    return {
        "routes": {
            "in_file": len(problems.routes) + len(problems.rejected),
            "rejected": len(problems.rejected),
            "dropped": len(dropped),
            "trained_on": len(labels) - len(fresh),
            "judged": len(fresh),
        },
        "all": _perplexity(told),
        "by_grade": {str(name): _perplexity(part) for name, part in told.groupby("grade")},
        "by_quality": {str(name): _perplexity(part) for name, part in told.groupby("quality")},
    }


def _perplexity(routes: pd.DataFrame) -> dict[str, float]:
    return {
        "routes": len(routes),
        "token_loss": token_nll(routes["nll"], routes["tokens"]),
        "perplexity": perplexity(routes["nll"], routes["tokens"]),
        "bigram_perplexity": perplexity(routes["nll_bigram"], routes["tokens"]),
    }


def _side(sides: list[str]) -> Sequences:
    labels = read_table(DATA / "label" / "labels.parquet", Labels)
    tokens = read_table(DATA / "label" / "tokens.parquet", Tokens)
    side = labels["route_id"].map(_splits())
    return encode(labels[side.isin(sides)], tokens)


def _trained_hold_sets() -> set[str]:
    """Hold sets of the training and validation routes: both shaped the generator."""
    labels = read_table(DATA / "label" / "labels.parquet", Labels)
    return set(labels.loc[labels["route_id"].map(_splits()) != "test", "hold_set"])


def _splits() -> "pd.Series[str]":
    return read_table(DATA / "split" / "splits.parquet", Splits).set_index("route_id")["split"]


def _cells(sequences: Sequences) -> list[tuple[int, ...]]:
    return [tuple(row[row < definitions.CELLS].tolist()) for row in np.asarray(sequences.tokens)]
