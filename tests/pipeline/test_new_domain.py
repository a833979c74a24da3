"""A domain of one's own: one folder in stages/, one in domains/, its section and lines; nothing else changes."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.pipeline.conftest import Clone, new_clone

TOY = Path(__file__).parent / "toy"

SECTION = {
    "common": {},
    "ingest": {"sources": [], "flowers": 400},
    "filter": {"max_length": 9.0},
    "label": {},
    "split": {"val_share": 0.15, "test_share": 0.25},
    "weight": {},
    "train": {
        "subset": "all", "epochs": 4, "learning_rate": 0.05, "phases": [], "weight_decay": 0.0, "batch_size": 32,
        "gradient_accumulation_steps": 1, "max_grad_norm": 1.0, "precision": "fp32", "threads": 1, "seed": 0,
        "checkpoint_every": 2,
        "checkpoint_steps": 0, "keep_last": 2, "eval_every": 0, "ema_decay": 0.0, "select": "best", "init_from": None,
        "hidden": 8,
        "early_stopping": {"metric": "loss", "patience": 0, "min_delta": 0.0},
        "scheduler": {
            "name": "cosine", "warmup": 0.1, "period": 1, "factor": 0.5, "patience": 1, "minimum": 0.0,
        },
    },
    "evaluate": {
        "threads": 1, "bootstrap": {"resamples": 100, "confidence": 0.95},
        "gate": {"headline": "accuracy", "conditions": [], "expected": None},
    },
    "plot": {"dpi": 60},
}  # fmt: skip


@pytest.fixture
def with_toy(tmp_path: Path) -> Clone:
    """This checkout and the toy domain, added as docs/new-domain.md says."""
    clone = new_clone(tmp_path / "clone")
    shutil.copytree(TOY / "stages", clone.root / "stages/toy")
    shutil.copytree(TOY / "domain", clone.root / "src/winnow/domains/toy")
    (clone.root / "presets/toy").mkdir()
    shutil.copy(TOY / "tiny.yaml", clone.root / "presets/toy")
    shutil.copy(TOY / "example.py", clone.root / "tests/stages/toy.py")
    with (clone.root / "tests/stages/domain_examples.py").open("a") as answers:
        answers.write("\nfrom tests.stages.toy import EXAMPLE\n\nEXAMPLES['toy'] = EXAMPLE\n")
    (clone.root / "data/source/toy/models").mkdir(parents=True)
    (clone.root / "data/source/toy/models/README.md").write_text("Models to start from.\n")
    (clone.root / "data/source/toy/README.md").write_text("Flowers are grown; there is no format to read.\n")
    params = clone.root / "params.yaml"
    values = yaml.safe_load(params.read_text())
    params.write_text(
        yaml.safe_dump({**values, "domains": [*values["domains"], "toy"], "toy": SECTION}, sort_keys=False)
    )
    return clone


def test_the_tests_over_all_domains_cover_a_new_one(with_toy: Clone) -> None:
    told = with_toy.run(
        "env", "WINNOW_WRITE_BYTES=1", "python", "-m", "pytest", "-q", "tests/stages", "-k", "toy"
    ).stdout
    assert int(told.split(" passed")[0].split()[-1]) >= 20


def test_a_new_domain_runs_through_all_eight_stages(with_toy: Clone) -> None:
    with_toy.run("dvc", "repro", "plot@toy")
    verdict = json.loads((with_toy.root / "metrics/toy/evaluate.json").read_text())
    assert verdict["accuracy"] > verdict["accuracy_baseline"]
    assert (with_toy.root / "data/toy/plot/accuracy.png").stat().st_size > 1000
    assert "didn't change, skipping" in with_toy.run("dvc", "repro", "plot@toy").stdout
    assert not (with_toy.root / "data/climb").exists()
