"""A repository with the results of one domain, of which tests write and commit one state after another."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

ROUTES = 400
Write = Callable[..., None]


def routes(loss: float, seed: int, ids: int = 0) -> pd.DataFrame:
    """Test routes of four tokens, in groups of two; two models share what is hard about each route."""
    difficulty = np.random.default_rng(0).normal(0, 0.5, ROUTES)
    nll = 4 * np.abs(loss + difficulty + np.random.default_rng(seed).normal(0, 0.02, ROUTES // 2).repeat(2))
    return pd.DataFrame(
        {
            "route_id": [f"r{ids + number:04}" for number in range(ROUTES)],
            "hold_set": [f"h{number // 2}" for number in range(ROUTES)],
            "in_full": True,
            "in_quality": False,
            "grade": "6B",
            "tokens": 4,
            "nll": nll,
            "nll_grade_bigram": 12.0,
        }
    )


def perplexity(table: pd.DataFrame) -> float:
    return float(np.exp(table["nll"].sum() / table["tokens"].sum()))


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes and commits one state of climb's results."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q", "-b", "main")
    git("config", "user.name", "a")
    git("config", "user.email", "a@example.org")
    subprocess.run(["dvc", "init", "-q"], check=True)

    def state(table: pd.DataFrame | None, value: float, digest: str, split: str = "same", **params: Any) -> None:
        for folder in ("metrics/climb", "data/climb/evaluate"):
            Path(folder).mkdir(parents=True, exist_ok=True)
        bounds = {"low": value - 0.4, "high": value + 0.4}
        model = {"grade_agreement_score": 0.5, "perplexity": value}
        judged = {"verdict": "PASS", "reasons": ["PASS: `x`"], "model": model, "interval": {"perplexity": bounds}}
        Path("metrics/climb/judgement.json").write_text(json.dumps(judged))
        Path("metrics/climb/evaluate.json").write_text(json.dumps(model))
        out = {"path": "data/climb/train/model", "md5": digest}
        sides = {"path": "data/climb/split", "md5": split}
        stages = {name: {"cmd": name, "outs": [made]} for name, made in (("train@climb", out), ("split@climb", sides))}
        Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
        section = {"train": params, "evaluate": {"gate": {"headline": "perplexity"}}}
        Path("params.yaml").write_text(yaml.safe_dump({"domains": ["climb"], "seed": 1, "climb": section}))
        file = Path("data/climb/evaluate/predictions.parquet")
        if table is None:
            file.unlink(missing_ok=True)
        else:
            table.to_parquet(file)
        git("add", "-A")
        git("commit", "-q", "--allow-empty", "-m", "state")

    return state


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True)
