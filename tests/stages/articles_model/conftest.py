"""The train stage in a folder of its own, after the data stages."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import Qwen2Config, Qwen2Model

from tests.stages.articles_model.trained import QWEN
from tests.stages.conftest import torch_restored
from tests.stages.programs import DATA_STAGES, Programs
from winnow.domains.articles.model.pretrained import train_tokenizer


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the data stages ran, with a small Qwen2 made by transformers' own classes."""
    folder = tmp_path_factory.mktemp("articles")
    with pytest.MonkeyPatch.context() as patch, torch_restored():
        patch.chdir(folder)
        for stage in DATA_STAGES:
            Programs.tiny("articles").run(stage, **({"synthetic": {"articles": 160}} if stage == "ingest" else {}))
        torch.manual_seed(0)
        tokenizer = train_tokenizer(["the people of the town rebuilt the school together " * 3], 300)
        size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2}
        config = Qwen2Config(vocab_size=len(tokenizer), num_attention_heads=2, num_key_value_heads=1, **size)
        Qwen2Model(config).save_pretrained(QWEN)
        tokenizer.save_pretrained(QWEN)
    return folder


@pytest.fixture
def here(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    shutil.copytree(data, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    with torch_restored():
        yield Programs.tiny("articles")
