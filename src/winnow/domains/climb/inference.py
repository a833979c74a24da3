"""Using the trained generator: new routes, and its evaluation on another export."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from winnow.curate.rejected import check_rejected_share, rejected_rows
from winnow.domains.climb import definitions
from winnow.domains.climb.asked import Asked
from winnow.domains.climb.evaluation import baselines
from winnow.domains.climb.model.artifacts import read_artifacts
from winnow.domains.climb.model.generation import generate, make_decoding, make_limits
from winnow.domains.climb.model.likelihood import route_nll
from winnow.domains.climb.model.network import RouteTransformer
from winnow.domains.climb.model.sequences import Sequences, conditions, encode
from winnow.domains.climb.rules.keep import keep_routes
from winnow.domains.climb.rules.labels import label_routes, tokenise
from winnow.domains.climb.source import formats
from winnow.domains.climb.source.merge import SourceFile, merge
from winnow.learn.trained import load_trained
from winnow.measure.likelihood import perplexity, token_nll
from winnow.pipeline.errors import WinnowError

ROUNDS = 50
"""Times that routes which are not new are generated again."""
BATCH = 256
"""Routes evaluated at a time; memory only."""


class Generator:
    """The trained network with the limits, sampling and known routes of its training; all from the model's folder."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        """Raises WinnowError when `folder` holds no model of this domain and version."""
        self.model = load_trained(RouteTransformer, "climb", device, folder)
        self.artifacts = read_artifacts(folder)

    def check_trained_on(self, *, board: str, angle: int, grade: str) -> None:
        """Raise WinnowError when no training route has this grade, or none this board and angle."""
        options = [f"board {known_board} with angle {known_angle}" for known_board, known_angle in self.boards()]
        if (board, angle) not in self.boards():
            raise WinnowError(
                f"the model was trained on no route of board {board} at {angle}°",
                fix=f"one of {', '.join(options)}",
            )
        if grade not in self.grades():
            raise WinnowError(
                f"the model was trained on no route of grade {grade}", fix=f"one of {', '.join(self.grades())}"
            )

    def boards(self) -> list[tuple[str, int]]:
        """The boards and angles of the training routes, that of most routes first."""
        train = self.artifacts.routes[self.artifacts.routes["split"] == "train"]
        routes = Counter((str(board), int(angle)) for board, angle in zip(train["board"], train["angle"], strict=True))
        return sorted(routes, key=lambda place: (-routes[place], place))

    def place_of(self, asked: Asked) -> tuple[str, int]:
        """The board and the angle that are asked for; what is left to the model is that of most training routes."""
        fitting = [
            (board, angle)
            for board, angle in self.boards()
            if asked.board in (None, board) and asked.angle in (None, angle)
        ]
        first = (fitting or self.boards())[0]
        return asked.board or first[0], asked.angle or first[1]

    def grades(self) -> list[str]:
        """The grades of the training routes, easiest first."""
        train = self.artifacts.routes[self.artifacts.routes["split"] == "train"]
        return [definitions.GRADES[index] for index in sorted(train["grade_index"].unique())]

    def asked_routes(self, asked: Asked, count: int, seed: int) -> list[dict[str, Any]]:
        """`count` new routes as `winnow climb generate --json` prints them; the same seed gives the same.

        Raises WinnowError as `check_trained_on` and `new_routes` do.
        """
        board, angle = self.place_of(asked)
        self.check_trained_on(board=board, angle=angle, grade=asked.grade)
        row = {"board": board, "angle": angle, "grade_index": definitions.GRADE_INDEX[asked.grade]}
        return [
            {"board": board, "angle": angle, "grade": asked.grade, "holds": _with_roles(cells, board)}
            for cells in self.new_routes(pd.DataFrame([row] * count), seed)
        ]

    def new_routes(self, requested: pd.DataFrame, seed: int) -> list[list[int]]:
        """Cells, bottom up, of one new route for each row of `requested` (board, angle, grade_index).

        Each is possible, no training route of its board, and unlike the others. Raises WinnowError when the generator
        repeats itself too often.
        """
        known = self.artifacts.sequences("train")
        taken = {(board, cells) for board, cells in zip(known.conditions[:, 0].tolist(), _cells(known), strict=True)}
        settings = self.artifacts.settings
        limits, decoding = make_limits(self.model.known, settings.limits), make_decoding(settings.decoding)
        generator = torch.Generator().manual_seed(seed)
        wanted = conditions(requested)
        routes: list[list[int]] = [[] for _ in wanted]
        for _ in range(ROUNDS):
            open_rows = [row for row, cells in enumerate(routes) if not cells]
            if not open_rows:
                return routes
            made = generate(self.model, wanted[open_rows], limits, decoding, generator)
            for row, cells in zip(open_rows, _cells(made), strict=True):
                key = (int(wanted[row, 0]), cells)
                if key not in taken:
                    taken.add(key)
                    routes[row] = list(cells)
        raise WinnowError(
            f"only {sum(map(bool, routes))} of {len(routes)} new routes after {ROUNDS} rounds",
            fix="generate fewer, or train with a higher climb.train.decoding.temperature",
        )

    def judge_file(self, path: Path, form: str | None) -> dict[str, Any]:
        """How well the generator predicts the routes of an export, beside the bigram that knows the grade.

        Routes of a board, angle or grade without a training route are left out and counted, as are those with the hold
        set of a training or validation route; the counts of `routes` add up to `in_file`. Raises SourceError,
        TableError, and WinnowError when no other route is left.
        """
        problems = formats.read(form or formats.guess(path), path)
        rows_in = len(problems.routes) + len(problems.rejected)
        check_rejected_share(rejected_rows([(str(path), problems.rejected)]), rows_in, 1.0, domain="climb")
        merged = merge([SourceFile(form or "file", str(path), problems)])
        kept, dropped, by_rule = keep_routes(merged.routes, merged.holds, self.artifacts.settings.limits)
        labels = label_routes(kept, self.artifacts.quality_bins)
        untrained = self._untrained(labels)
        trainable = labels[untrained.isna()]
        fresh = trainable[~trainable["hold_set"].isin(set(self.artifacts.routes["hold_set"]))].reset_index(drop=True)
        if trainable.empty:
            raise WinnowError(
                f"{path} has routes of {', '.join(sorted(untrained.unique()))}, and the model was trained on none",
                fix=f"name an export of {', '.join(_place(*each) for each in self.boards())}, "
                f"of grades from {self.grades()[0]} to {self.grades()[-1]}",
            )
        if fresh.empty:
            known = "every route" if len(trainable) == len(labels) else "every route of its boards and grades"
            raise WinnowError(
                f"the generator was trained on, or chosen by, {known} of {path}", fix="name an export it has not seen"
            )
        tokens = tokenise(merged.holds[merged.holds["route_id"].isin(fresh["route_id"])])
        sequences = encode(fresh, tokens)
        train, val = (self.artifacts.sequences(split) for split in ("train", "val"))
        judged = fresh.assign(
            nll=route_nll(self.model, sequences, BATCH).numpy(),
            nll_grade_bigram=baselines.fit("grade_bigram", train, val).route_nll(sequences),
            tokens=sequences.lengths,
        )
        return {
            "routes": {
                "in_file": rows_in,
                "rejected": len(problems.rejected),
                "repeated": len(problems.routes) - len(merged.routes),
                "dropped": len(dropped),
                "untrained": len(labels) - len(trainable),
                "trained_on": len(trainable) - len(fresh),
                "judged": len(fresh),
            },
            "dropped": {rule: count for rule, count in by_rule.items() if count},
            "untrained": untrained.value_counts().sort_index().to_dict(),
            "all": _perplexity(judged),
            "by_grade": {str(name): _perplexity(part) for name, part in judged.groupby("grade")},
            "by_quality": {str(name): _perplexity(part) for name, part in judged.groupby("quality")},
        }

    def _untrained(self, labels: pd.DataFrame) -> "pd.Series[str]":
        """What of each route no training route has, such as `board 2016 at 40°` or `grade 8B+`; NA if all is."""
        boards, grades = set(self.boards()), set(self.grades())
        places = zip(labels["board"].astype(str), labels["angle"].astype(int), labels["grade"], strict=True)
        return pd.Series(
            [
                f"board {_place(board, angle)}"
                if (board, angle) not in boards
                else (f"grade {grade}" if grade not in grades else None)
                for board, angle, grade in places
            ],
            index=labels.index,
            dtype="str",
        )


def _place(board: str, angle: int) -> str:
    return f"{board} at {angle}°"


def _with_roles(cells: list[int], board: str) -> list[dict[str, str]]:
    """The holds of a route, bottom up."""
    roles = definitions.infer_roles(cells, board)
    return [{"hold": definitions.cell_name(cell), "role": role} for cell, role in zip(cells, roles, strict=True)]


def _perplexity(routes: pd.DataFrame) -> dict[str, float]:
    return {
        "routes": len(routes),
        "token_loss": token_nll(routes["nll"], routes["tokens"]),
        "perplexity": perplexity(routes["nll"], routes["tokens"]),
        "bigram_perplexity": perplexity(routes["nll_grade_bigram"], routes["tokens"]),
    }


def _cells(sequences: Sequences) -> list[tuple[int, ...]]:
    return [tuple(row[row < definitions.CELLS].tolist()) for row in np.asarray(sequences.tokens)]
