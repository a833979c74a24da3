"""A model of generated data is known as such: by its card elsewhere, by dvc.lock in the checkout that trained it."""

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from winnow.cli.app import app
from winnow.domains.retina import inference
from winnow.workspace.embedded import learned_embedded


def model(folder: Path, card: str = "how to use it") -> Path:
    folder.mkdir(parents=True)
    (folder / "README.md").write_text(card)
    return folder


def lock(sources: list[object]) -> None:
    ingest = {"cmd": "ingest", "params": {"params.yaml": {"retina.ingest": {"sources": sources}}}}
    Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"ingest@retina": ingest}}))


def test_in_a_checkout_the_sources_of_dvc_lock_decide(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    own = model(Path("data/retina/train/model"))
    assert not learned_embedded("retina", own), "without dvc.lock nothing is known"
    lock([])
    assert learned_embedded("retina", own)
    assert not learned_embedded("retina", model(Path("elsewhere"))), "another model's data are not in dvc.lock"
    lock([{"format": "folders", "path": "data/source/retina/mine", "images": None}])
    assert not learned_embedded("retina", own)


def test_elsewhere_the_card_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert learned_embedded("retina", model(Path("a"), "# Card\n\nEmbedded synthetic data: drawn by winnow."))
    assert not learned_embedded("retina", model(Path("b"), "# Card\n\nSources: photographs (aptos)."))


def test_a_grader_of_drawn_photographs_says_so_before_its_grades(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace)
    monkeypatch.setattr(inference, "grade_files", lambda *_: [])
    for card, said in (("Embedded synthetic data: drawn", True), ("Sources: mine", False)):
        folder = model(Path("drawn" if said else "real"), card)
        told = CliRunner().invoke(app, ["retina", "grade", "eye.png", "--model", str(folder)])
        assert ("drawn photographs only" in told.stderr) == said, told.output
