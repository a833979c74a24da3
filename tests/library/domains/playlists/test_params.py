"""What params.yaml may not say of playlists."""

import copy
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from winnow.domains.playlists.params import Params
from winnow.pipeline.params import Document


@pytest.mark.parametrize(
    ("name", "wrong", "told"),
    [
        ("train.blend.weights", -1.0, "greater than or equal to 0"),
        ("evaluate.baselines.recency_decays", 0.0, "greater than 0"),
        ("evaluate.baselines.recency_floors", -0.1, "greater than or equal to 0"),
        ("evaluate.baselines.artist_weights", -0.1, "greater than or equal to 0"),
        ("evaluate.baselines.knn_neighbours", 0, "greater than or equal to 1"),
        ("evaluate.baselines.knn_shrink", -1.0, "greater than or equal to 0"),
        ("evaluate.baselines.ease_l2", 0.0, "greater than 0"),
        ("evaluate.baselines.als_factors", 0, "greater than or equal to 1"),
        ("evaluate.baselines.als_regularisation", 0.0, "greater than 0"),
        ("evaluate.baselines.als_alpha", -1.0, "greater than or equal to 0"),
        ("evaluate.baselines.filter_factors", 0, "greater than or equal to 1"),
        ("evaluate.baselines.filter_alphas", -1.0, "greater than or equal to 0"),
        ("evaluate.baselines.filter_sharpenings", -1.0, "greater than or equal to 0"),
    ],
)
def test_a_setting_in_a_list_has_bounds(repository: Path, name: str, wrong: float, told: str) -> None:
    content = copy.deepcopy(Document(repository / "params.yaml").content["playlists"])
    Params.model_validate(content)
    *above, last = name.split(".")
    section: dict[str, Any] = content
    for key in above:
        section = section[key]
    section[last] = [wrong, *section[last]]
    with pytest.raises(ValidationError, match=told):
        Params.model_validate(content)
