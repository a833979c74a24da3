"""What lies in the test split changes nothing that is learned, chosen or fitted: not the model, not its baselines.

Part of the test rows is given other content. The model's folder, the weights, the settings chosen on validation, and
the predictions for the test rows that were left alone, by the model and by every baseline, must stay the same.
"""

import json
import shutil
from pathlib import Path

import pandas as pd

from tests.stages.conftest import Finished
from tests.stages.domain_examples import EXAMPLES
from tests.stages.programs import Programs

CHOSEN = ("baseline_settings", "temperature", "threshold")
"""What evaluate may say in judgement.json that it chose on validation."""


def test_other_test_rows_change_nothing_that_was_learned(finished: Finished, domain: Programs) -> None:
    example, name = EXAMPLES[domain.domain], domain.domain
    untouched = example.poison()
    assert untouched
    shutil.rmtree(Path("data", name, "train"))
    shutil.rmtree(".winnow")
    for stage in ("weight", "train", "evaluate"):
        domain.run(stage)

    for folder in (f"data/{name}/weight", f"data/{name}/train/model", f"metrics/{name}/train"):
        assert contents(Path(folder)) == contents(finished.folder / folder), folder
    now, before = (
        json.loads((folder / f"metrics/{name}/judgement.json").read_text()) for folder in (Path(), finished.folder)
    )
    for key in CHOSEN:
        assert now.get(key) == before.get(key), key
    assert now["model"] != before["model"], "the test side was poisoned: the model's figures must change"

    for file, key in example.predictions:
        found, expected = (
            pd.read_parquet(folder / "data" / name / "evaluate" / file).set_index(key)
            for folder in (Path(), finished.folder)
        )
        assert not found.equals(expected), f"{file}: the test side was poisoned"
        pd.testing.assert_frame_equal(found.loc[untouched], expected.loc[untouched], check_exact=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
