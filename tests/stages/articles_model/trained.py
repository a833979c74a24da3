"""Trainings of the scorer, and what they leave."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from safetensors.torch import load_file

from tests.conftest import ROOT
from tests.stages.programs import Programs
from winnow.domains.articles.model.scoring import load_scorer

QWEN = Path("data/source/articles/models/qwen")
TRAINED = {"model_name": QWEN.as_posix(), "epochs": 1, "max_length": 32, "learning_rate": 0.01}


def weights() -> dict[str, torch.Tensor]:
    return load_file("data/articles/train/model/model.safetensors")


def base() -> dict[str, torch.Tensor]:
    return {f"backbone.{name}": value for name, value in load_file(QWEN / "model.safetensors").items()}


def trained_scores(texts: list[str]) -> np.ndarray:
    return load_scorer(torch.device("cpu")).score(texts, batch_size=2)


def in_two_processes(here: Programs, **given: Any) -> None:
    """Train under torchrun."""
    section = here.section("train", **given).model_dump()
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["articles"]["train"] = section
    Path("params.yaml").write_text(yaml.safe_dump(content))
    for name in ("src", "stages"):
        shutil.copytree(ROOT / name, name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*command, "--module", "stages.articles.train"],
        env={**os.environ, "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
