"""Playlists' stages and commands with torch_geometric's convolutions over several types of nodes."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from tests.stages.conftest import Finished, torch_restored
from tests.stages.programs import Programs
from winnow.domains.playlists.cli import app
from winnow.domains.playlists.inference import PlaylistCompleter
from winnow.domains.playlists.model.sequences import sequences_from
from winnow.domains.playlists.model.training import CompleterTask
from winnow.learn.accumulator import Loss
from winnow.learn.folder import model_folder
from winnow.learn.interrupt import Interrupted

PLAYLISTS = Programs.tiny("playlists")
table = PLAYLISTS.table
pytestmark = pytest.mark.parametrize("finished", ["playlists"], indirect=True)
MODEL = Path("data/playlists/train/model/model.safetensors")


def train(name: str) -> None:
    with torch_restored():
        PLAYLISTS.run("train", network={"convolution": name}, epochs=2)


@pytest.fixture
def here(finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the finished folder to change, as the working folder."""
    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".winnow"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["HeteroConv", "HGTConv"])
def test_the_model_s_folder_carries_the_convolution_to_evaluate_and_complete(here: Path, name: str) -> None:
    train(name)
    with torch_restored():
        PLAYLISTS.run("evaluate", baselines={"included": ["popularity"]})
    assert 0 < PLAYLISTS.metrics("judgement")["model"]["recall_at_10"] < 1
    found = PlaylistCompleter(model_folder("playlists"), torch.device("cpu"))
    assert found.completer.model.convolution is not None
    assert set(found.completer.model.convolution.edge_types) == {"track", "artist", "genre"}
    ranked = table("evaluate/completed.parquet").iloc[0]
    playlist = int(ranked["playlist"].split()[0])
    splits = table("split/splits.parquet")
    own = splits[(splits["playlist_index"] == playlist) & (splits["split"] != "test")].sort_values("position")
    numbers = own["track_index"].tolist()
    told = found.complete([found.ids[number] for number in numbers], 3).tracks
    assert told[0].name == ranked["track"]
    assert told[0].score == pytest.approx(ranked["score"], abs=1e-5)
    lists = [np.array(numbers), np.array([each for each in numbers if each != numbers[-1]])]
    track = found.ids.index(told[0].track)
    scores = found.completer.without_blend().scores(sequences_from(lists, found.count), np.array([0, 1]))
    assert scores[0, track] != scores[1, track]
    typed = "; ".join(found.names[number] for number in numbers[-4:])
    done = CliRunner().invoke(app, ["complete", "--tracks", typed, "--k", "3", "--explain", "--json"])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert len(answer["tracks"]) == 3
    assert {reason[0] for each in answer["tracks"] for reason in each["reasons"]} >= {"track", "artist"}


@pytest.mark.parametrize("name", ["HeteroConv", "HGTConv"])
def test_an_interrupted_training_goes_on_to_the_same_bytes(
    here: Path, name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    train(name)
    whole = MODEL.read_bytes()
    shutil.rmtree(".winnow")
    real, steps = CompleterTask.loss, iter(range(1000))

    def interrupted(self: CompleterTask, model: torch.nn.Module, batch: Any) -> Loss:
        if next(steps) == 2:  # of 4: within the second epoch
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, model, batch)

    with monkeypatch.context() as patch:
        patch.setattr(CompleterTask, "loss", interrupted)
        with pytest.raises(Interrupted):
            train(name)
    train(name)
    assert "resuming in phase" in capfd.readouterr().err
    assert MODEL.read_bytes() == whole
