"""The cases that plot shows: some graded rightly and some wrongly, with what raised the score of their grade."""

import numpy as np
import pandas as pd

from winnow.domains.retina import definitions
from winnow.domains.retina.model.heatmaps import heat_maps, within_retina
from winnow.domains.retina.model.network import Grader
from winnow.images.codec import encode_png
from winnow.images.store import Images


def choose_cases(test: pd.DataFrame, count: int) -> pd.DataFrame:
    """Up to `count` right and `count` wrong cases, taken in turn over the grades, the surest first."""
    sure = test.assign(
        right=test["grade"] == test["predicted"],
        probability=test[definitions.probability_columns()].to_numpy()[np.arange(len(test)), test["predicted"]],
    ).sort_values(["probability", "image_id"], ascending=[False, True])
    turn = sure.groupby(["right", "grade"]).cumcount()
    chosen = sure.assign(turn=turn).sort_values(["turn", "grade"], kind="stable").groupby("right").head(count)
    return chosen.sort_values(["right", "grade", "turn"], ascending=[False, True, True])


def explain(model: Grader, cases: pd.DataFrame, images: Images) -> pd.DataFrame:
    """The columns of `Explained`."""
    chosen = images.select(cases["image_id"])
    heat = heat_maps(model, chosen, cases["predicted"].to_numpy(np.int64))
    return cases[["image_id", "grade", "predicted", "probability"]].assign(
        png=pd.Series(list(chosen), index=cases.index, dtype=object),
        heat=pd.Series(
            [
                encode_png(within_retina(each, image, model.preparation)[0])
                for each, image in zip(heat, chosen, strict=True)
            ],
            index=cases.index,
            dtype=object,
        ),
    )
