"""Train, evaluate and plot of documents, and its command line, on few drawn pages."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from stages.documents import ingest
from tests.stages.conftest import Finished, torch_restored
from tests.stages.programs import Programs
from winnow.domains.documents import cli, definitions
from winnow.domains.documents.model import training
from winnow.domains.documents.model.network import Assessor
from winnow.domains.documents.model.training import AssessorTask
from winnow.domains.documents.source.synthetic import draw_page
from winnow.images.store import read_images
from winnow.learn.accumulator import Loss
from winnow.learn.interrupt import Interrupted
from winnow.learn.samplers import BatchShare
from winnow.pipeline import presets
from winnow.pipeline.errors import TrainingError, WinnowError
from winnow.pipeline.stage import run_stage

DOCUMENTS = Programs.tiny("documents")
run, table = DOCUMENTS.run, DOCUMENTS.table
of_documents = pytest.mark.parametrize("finished", ["documents"], indirect=True)
pytestmark = of_documents


@pytest.fixture
def here(finished: Finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A copy of the finished folder, as the working folder."""
    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    shutil.rmtree(".winnow", ignore_errors=True)
    with torch_restored():
        yield tmp_path


def curve(name: str) -> list[float]:
    file = Path("metrics/documents/train/plots/metrics", f"{name}.tsv")
    return [float(value) for value in pd.read_csv(file, sep="\t").iloc[:, -1]]


def winnow(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, arguments)


def test_frozen_networks_train_on_kept_features(here: Path) -> None:
    """Any weights will do to freeze: here those of the network trained above."""
    model = Assessor.from_pretrained("data/documents/train/model")
    Path("data/source/documents/models").mkdir(parents=True)
    weights = "data/source/documents/models/blocks.pt"
    whole = torch.nn.Sequential(*model.blocks)
    torch.save(whole.state_dict(), weights)
    network = {"weights": weights, "frozen_blocks": 40, "views": [40], "tta_views": 2}
    run("train", epochs=1, network=network)
    kept = list(Path(".winnow/kept/features").glob("??/*"))
    assert kept
    trained = Assessor.from_pretrained("data/documents/train/model").eval()
    for name, value in trained.blocks.state_dict().items():
        assert torch.equal(value, whole.state_dict()[name]), name
    assert trained.patch_scale.mean.abs().sum() > 0
    run("evaluate")
    # of the one view alone, of which features of all images are kept, and of another that is mirrored
    assert len(list(Path(".winnow/kept/features").glob("??/*"))) > len(kept)
    assert "views_2" not in json.loads(Path("metrics/documents/judgement.json").read_text())["reference"]


def test_every_epoch_tells_errors_and_the_accuracy_of_each_class(here: Path) -> None:
    run("train", epochs=2)
    for name in ("train/loss", "train/mae", "train/accuracy", "val/loss", "val/mae", "val/rmse", "val/accuracy"):
        assert len(curve(name)) == 2
    keys = [definitions.class_key(name) for name in definitions.CLASSES]
    each = [curve(f"val/class_accuracy/{key}")[-1] for key in keys]
    assert curve("val/balanced_accuracy")[-1] == pytest.approx(np.mean(each))
    parts = [
        curve(f"train/{name}_loss")[0]
        for name in ("regression", "legibility", "classification", "issues", "consistency")
    ]
    assert sum(parts) == pytest.approx(curve("train/loss")[0], rel=1e-3)


def test_class_weights_weigh_the_class_loss(here: Path) -> None:
    file, found = Path("data/documents/weight/classes.parquet"), []
    for weight, used in ((3.0, True), (3.0, False), (1.0, True)):
        pd.read_parquet(file).assign(weight=weight).to_parquet(file)
        run("train", use_class_weights=used)
        found.append(curve("train/classification_loss")[0])
    assert found[1] == found[2]
    assert found[0] > 1.5 * found[1]


def test_pages_of_which_only_issues_are_known_teach_issues_and_change_no_other_figure(here: Path) -> None:
    folder = Path("data/source/documents/scans")
    folder.mkdir(parents=True)
    rng, rows = np.random.default_rng(0), ["filename,quality_class,issues"]
    for number in range(40):
        kind = ("letter", "table", "form", "receipt")[number % 4]
        Image.fromarray(draw_page(kind, 300, rng)).save(folder / f"{number:02}.png")
        rows.append(f"{number:02}.png,{'' if number < 10 else definitions.CLASSES[number % 5]},blur")
    (folder / "metadata.csv").write_text("\n".join(rows))
    run("ingest", sources=[{"format": "labelled", "path": str(folder)}])
    for name in ("filter", "label", "split", "weight"):
        run(name)
    assert DOCUMENTS.metrics("weight")["rows_without_class"] == 10
    run("train", epochs=2)
    assert 0 < curve("train/mae")[-1] < 1
    run("evaluate")
    judged = json.loads(Path("metrics/documents/judgement.json").read_text())
    assert judged["model"]["mae"] > 0
    assert judged["model"]["blur_recall"] >= 0
    assert "glare_recall" not in judged["model"]  # no page has it
    run("plot")


def test_a_curriculum_begins_with_images_of_one_issue(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    phases = [{"subset": subset, "epochs": 1, "learning_rate": 0.001} for subset in ("easy", "all")]
    run("train", phases=phases)
    severities = table("label/severities.parquet")
    count = severities[severities["flagged"].eq(1)].groupby("image_id").size()
    train = table("split/splits.parquet").query("split == 'train'")["image_id"]
    easy = int((count.reindex(train).fillna(0) <= 1).sum())
    said = capfd.readouterr().err
    assert f"train       {easy} rows" in said
    assert f"train       {len(train)} rows" in said


def test_a_loss_that_is_not_a_number_stops_the_training(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {file: file.read_bytes() for file in Path("data/documents/label").iterdir()}
    real = AssessorTask.loss

    def broken(self: AssessorTask, model: torch.nn.Module, batch: Any) -> Loss:
        found = real(self, model, batch)
        return Loss(found.total * float("nan"), found.count, found.parts)

    monkeypatch.setattr(AssessorTask, "loss", broken)
    with pytest.raises(TrainingError, match=r"loss .*nan"):
        run("train", epochs=1)
    assert {file: file.read_bytes() for file in before} == before


def test_ctrl_c_saves_an_interrupted_checkpoint_and_the_next_run_goes_on(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree("data/documents/train")
    run("train", epochs=3)
    whole = Path("data/documents/train/model/model.safetensors").read_bytes()
    shutil.rmtree(".winnow")
    real, steps = AssessorTask.loss, iter(range(100))

    def interrupted(self: AssessorTask, model: torch.nn.Module, batch: Any) -> Loss:
        if next(steps) == 2:  # of 6: within the second epoch
            os.kill(os.getpid(), signal.SIGINT)
        return real(self, model, batch)

    with monkeypatch.context() as patch:
        patch.setattr(AssessorTask, "loss", interrupted)
        with pytest.raises(Interrupted) as caught:
            run("train", epochs=3)
    assert caught.value.code == 130
    (checkpoint,) = Path(".winnow").rglob("checkpoints/interrupted")
    assert f"checkpoint saved to {checkpoint}" in capfd.readouterr().err.replace(f"{here}/", "")
    run("train", epochs=3)
    assert "resuming in phase" in capfd.readouterr().err
    assert Path("data/documents/train/model/model.safetensors").read_bytes() == whole


def test_pictures_are_drawn_and_repeat_byte_for_byte(here: Path) -> None:
    names = {
        "loss", "class_accuracy", "scores", "confusion_matrix", "reliability", "issues", "threshold", "worst_errors",
    }  # fmt: skip
    files = {file.stem: file.read_bytes() for file in Path("data/documents/plot").glob("*.png")}
    assert set(files) == names
    run("plot")
    assert {name: Path(f"data/documents/plot/{name}.png").read_bytes() for name in names} == files


def test_test_time_augmentation_is_judged_beside(here: Path) -> None:
    found = json.loads(Path("metrics/documents/judgement.json").read_text())
    assert set(found["reference"]) == {"views_2"}
    assert found["reference"]["views_2"]["mae"] != found["model"]["mae"]


def scans() -> Path:
    folder = Path("scans")
    folder.mkdir()
    pages = [Image.fromarray(draw_page(kind, 300, np.random.default_rng(1))) for kind in ("letter", "form")]
    pages[0].save(folder / "a.png")
    pages[0].save(folder / "b.pdf", save_all=True, append_images=pages[1:])
    return folder


def test_assess_names_verdict_figures_and_reasons_of_every_page(here: Path) -> None:
    result = winnow("assess", str(scans()), "--explain", "heat")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    heads = [line for line in lines if "score" in line and "legibility" in line]
    assert [head.partition(":")[0] for head in heads] == ["scans/a.png", "scans/b.pdf page 1", "scans/b.pdf page 2"]
    assert all(any(verdict in head for verdict in ("ACCEPT", "WARN", "RETAKE")) for head in heads)
    assert {file.name for file in Path("heat").iterdir()} == {"a_heat.png", "b#1_heat.png", "b#2_heat.png"}


def test_heat_maps_of_files_with_one_name_do_not_replace_each_other(here: Path) -> None:
    folder = scans()
    shutil.copytree(folder, "more")
    shutil.copy("more/a.png", "more/b_p1.png")
    result = winnow("assess", "scans", "more/a.png", "more/b_p1.png", "--explain", "heat", "--json")
    found = [json.loads(line) for line in result.stdout.splitlines()]
    files = [entry["explained"] for entry in found]
    names = ("scans_a_png", "b#1", "b#2", "more_a_png", "b_p1")
    assert files == [f"heat/{name}_heat.png" for name in names]
    assert all(Path(file).is_file() for file in files)


def test_files_that_cannot_be_judged_are_reported_and_the_exit_code_is_4(here: Path) -> None:
    folder = scans()
    (folder / "zero.png").touch()
    (folder / "text.jpg").write_text("no image")
    (folder / "none.pdf").write_bytes(b"%PDF-1.4\n")
    result = winnow("assess", str(folder), "--json")
    assert result.exit_code == 4
    entries = [json.loads(line) for line in result.stdout.splitlines()]
    errors = {Path(entry["file"]).name: entry["error"] for entry in entries if "error" in entry}
    assert errors["zero.png"] == "the file is empty"
    assert errors["text.jpg"] == "not an image file"
    assert errors["none.pdf"] == "the PDF is corrupt or has no pages"
    assert len(entries) - len(errors) == 3
    for arguments, message in (
        (["assess", "nowhere.png"], "nowhere.png does not exist"),
        (["evaluate", "nowhere"], "nowhere does not exist"),
        (["assess", "data/source"], "holds no page"),
    ):
        Path("data/source").mkdir(exist_ok=True, parents=True)
        found = winnow(*arguments)
        assert found.exit_code == 1
        assert isinstance(found.exception, WinnowError)
        assert message in found.exception.what


@pytest.mark.parametrize(("form", "name"), [("clean_pages", "clean"), ("labelled", "scans"), ("labelled", "scans.csv")])
def test_a_missing_dataset_is_one_message_and_no_stage_loses_a_byte(
    here: Path, monkeypatch: pytest.MonkeyPatch, form: str, name: str
) -> None:
    """Of ingest's program as DVC runs it, but for the folder of its code."""
    monkeypatch.setattr("winnow.pipeline.stage.check_code_location", lambda: None)
    monkeypatch.setattr("sys.argv", ["ingest.py"])
    path = Path("data/source/documents", name)
    path.parent.mkdir(parents=True)
    presets.apply({"documents.ingest.sources": [{"format": form, "path": str(path)}]}, Path("params.yaml"))
    files = [file for folder in ("data", "metrics") for file in Path(folder).rglob("*") if file.is_file()]
    before = {file: file.read_bytes() for file in files}
    with pytest.raises(SystemExit) as ended:
        run_stage(ingest.main)
    told = ended.value.code
    assert isinstance(told, str)  # on stderr, with exit code 1
    assert told.count("error in ingest@documents: ") == 1
    for part in (f"{path} does not exist", "params.yaml: documents.ingest.sources", "put it there, or `dvc pull` it"):
        assert part in told
    assert {file: file.read_bytes() for file in files} == before


def test_evaluate_leaves_out_pages_that_were_seen_in_training(here: Path) -> None:
    pages = table("ingest/pages.parquet")
    sides = table("label/labels.parquet").merge(table("split/splits.parquet")[["image_id", "split"]], on="image_id")
    of_side = sides.groupby("split")["page"].first()
    stored = read_images(Path("data/documents/ingest/images.arrow")).select([of_side["train"], of_side["test"]])
    folder = scans()
    (folder / "known.png").write_bytes(stored[0])
    Image.open(folder / "known.png").resize((240, 336)).save(folder / "known_smaller.jpg", quality=80)
    (folder / "tested.png").write_bytes(stored[1])
    rows = [f"{name},0.9,High," for name in ("a.png", "known.png", "known_smaller.jpg", "tested.png")]
    (folder / "metadata.csv").write_text("\n".join(["filename,quality_score,quality_class,issues", *rows]) + "\n")
    found = json.loads(winnow("evaluate", str(folder), "--json").stdout)
    assert found["pages"] == {"in_source": 4, "rejected": 0, "seen_in_training": 2, "judged": 2}
    shown = winnow("evaluate", str(folder))
    assert "seen in training 2" in shown.stdout
    assert "judging 4 files" in shown.stderr

    carried = set(table("train/model/seen.parquet")["perceptual_hash"])
    hashes = pages.set_index("image_id")["perceptual_hash"]
    assert carried == set(hashes[sides.loc[sides["split"] != "test", "page"]])
    assert not carried & set(hashes[sides.loc[sides["split"] == "test", "page"]])
    rows = ["a.png,0.9,blur", "tested.png,,blur"]
    (folder / "metadata.csv").write_text("\n".join(["filename,quality_score,issues", *rows]) + "\n")
    found = json.loads(winnow("evaluate", str(folder), "--json").stdout)
    assert found["pages"]["judged"] == 2
    assert sum(found["by_class"].values()) == 1
    pages = [json.loads(winnow("assess", str(folder / "a.png"), "--json").stdout)["score"]]
    assert found["metrics"]["mae"] == pytest.approx(abs(pages[0] - 0.9), abs=1e-4)
    assert found["metrics"]["blur_average_precision"] == 1

    (folder / "metadata.csv").write_text("\n".join(["filename,quality_score", "known.png,0.9"]) + "\n")
    refused = winnow("evaluate", str(folder))
    assert isinstance(refused.exception, WinnowError)
    assert "1 seen in training" in refused.exception.what
    assert str(folder / "metadata.csv") in refused.exception.fix


def test_the_real_pages_can_be_read(shared_data: Path, here: Path) -> None:
    """Beside the checkout or not at all."""
    folder = Path("data/source/documents/clean")
    folder.mkdir(parents=True)
    for file in sorted((shared_data / "documents" / "clean").glob("*.png"))[:6]:
        shutil.copy(file, folder)
    run("ingest", sources=[{"format": "clean_pages", "path": str(folder)}])
    run("filter")
    assert len(table("filter/pages.parquet")) == 6
    run("label", copies=2)
    assert table("label/labels.parquet")["score"].between(0, 1).all()


@pytest.mark.parametrize("balanced", [True, False])
def test_batches_are_balanced_when_asked(here: Path, monkeypatch: pytest.MonkeyPatch, balanced: bool) -> None:
    drawn: list[np.ndarray] = []
    given: list[np.ndarray] = []

    class Recorded(training.KnownClassSampler):
        def __init__(self, classes: np.ndarray, share: BatchShare) -> None:
            given.append(classes)
            super().__init__(classes, share)

        def order(self, seed: int) -> np.ndarray:
            drawn.append(super().order(seed))
            return drawn[-1]

    monkeypatch.setattr(training, "KnownClassSampler", Recorded)
    run("train", epochs=1, use_balanced_sampling=balanced)
    assert bool(drawn) == balanced
    if balanced:  # by the five classes, of the rows in their order
        labels = table("label/labels.parquet").merge(table("split/splits.parquet")[["image_id", "split"]])
        train = labels[labels["split"] == "train"].sort_values("image_id")
        assert given[0].tolist() == train["label"].tolist()
        assert set(given[0]) == set(range(5))
