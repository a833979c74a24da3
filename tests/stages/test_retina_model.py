"""Train, evaluate and plot of retina, and its command line, on few drawn photographs and the real params, shrunken."""

import io
import json
import os
import re
import shutil
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image, ImageFilter
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_sample_images
from torchvision.models import resnet18 as torchvision_resnet18
from typer.testing import CliRunner, Result

from stages.retina import ingest
from tests.conftest import ROOT
from tests.stages.programs import STAGES
from winnow.domains.retina import cli, inference
from winnow.domains.retina.definitions import Preparation
from winnow.domains.retina.metrics import statistics
from winnow.domains.retina.model.grading import grade_photographs
from winnow.domains.retina.model.heatmaps import heat_maps
from winnow.domains.retina.model.network import Grader
from winnow.domains.retina.params import Common, Ingest, Params
from winnow.domains.retina.rules.labels import patient_digest
from winnow.domains.retina.source.fundus import draw_fundus
from winnow.domains.retina.source.photographs import prepare
from winnow.domains.retina.tables import Seen
from winnow.images.store import read_images, write_images
from winnow.judge.intervals import values
from winnow.learn.checkpoints import load_weights
from winnow.pipeline import presets
from winnow.pipeline.errors import SourceError, WinnowError
from winnow.pipeline.params import Document, Runtime
from winnow.pipeline.seeds import derive_seed
from winnow.pipeline.stage import Stage
from winnow.pipeline.tables import write_table

SHRUNKEN = {
    "retina.common.image_size": 32,
    "retina.ingest.synthetic.photographs": 260,
    "retina.ingest.synthetic.size": 64,
    "retina.train.epochs": 2,
    "retina.train.network.views": 2,
    "retina.evaluate.bootstrap.resamples": 100,
    "retina.evaluate.explained": 2,
    "retina.plot.dpi": 80,
}


def run(*names: str) -> dict[str, Any]:
    """Stages here, with this folder's params.yaml; the last one's metrics."""
    document = Document(Path("params.yaml"))
    for name in names:
        section = Params.model_fields[name].annotation
        assert section is not None
        common = document.section(("retina", "common"), Common)
        runtime = Runtime.model_validate(document.content["runtime"] | {"progress": "lines"})
        stage = Stage("retina", name, common, document.section(("retina", name), section), runtime, 20)
        import_module(f"stages.retina.{name}").main(stage)
        stage.finish()
    file = Path("metrics", "retina", f"{names[-1]}.json")
    return json.loads(file.read_text()) if file.exists() else {}


def table(path: str) -> pd.DataFrame:
    return pd.read_parquet(Path("data", "retina", path))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all eight stages ran."""
    folder = tmp_path_factory.mktemp("done")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        presets.apply(dict(SHRUNKEN), Path("params.yaml"))
        run(*STAGES)
    return folder


@pytest.fixture
def here(done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the working folder."""
    shutil.copytree(done, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def judgement() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path("metrics/retina/judgement.json").read_text())
    return found


def curve(name: str) -> list[float]:
    file = Path("metrics/retina/train/plots/metrics", f"{name}.tsv")
    return [float(value) for value in pd.read_csv(file, sep="\t").iloc[:, -1]]


def test_every_epoch_tells_f1_of_each_grade_and_the_shares_really_drawn(here: Path) -> None:
    grades = table("label/labels.parquet").merge(table("split/splits.parquet"), on="image_id")
    own = grades.query("split == 'train'")["grade"].value_counts(normalize=True)
    for grade in range(5):
        assert curve(f"train/drawn_share/{grade}") == pytest.approx([own[grade]] * 2, abs=0.01)
        assert len(curve(f"train/f1/{grade}")) == 2
    present = sorted(set(grades.query("split == 'val'")["grade"]))
    assert all(len(curve(f"val/f1/{grade}")) == 2 for grade in present)
    assert curve("val/macro_f1")[-1] == pytest.approx(np.mean([curve(f"val/f1/{g}")[-1] for g in present]))


def test_weighted_sampling_draws_every_grade_a_fifth_and_both_together_are_warned_about(
    here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    presets.apply({"retina.train.use_weighted_sampling": True, "retina.train.epochs": 1}, Path("params.yaml"))
    run("train")
    rows = len(table("weight/weights.parquet"))
    for grade in range(5):
        assert curve(f"train/drawn_share/{grade}") == pytest.approx([0.2], abs=32 / rows)
    message = capfd.readouterr().err
    assert "use_class_weights and use_weighted_sampling are both on" in message
    balanced = table("weight/classes.parquet")["balanced"]
    assert "weighted sampling draws each photograph of a grade this many times an epoch" in message
    assert f"  Class 3: {balanced[3]:.3g}\n" in message


def test_class_weights_lie_beside_the_model_that_used_them(here: Path) -> None:
    stored = load_file("data/retina/train/model/model.safetensors")["class_weights"]
    assert stored.numpy() == pytest.approx(table("weight/classes.parquet")["weight"].to_numpy(), rel=1e-6)
    presets.apply({"retina.train.use_class_weights": False, "retina.train.epochs": 1}, Path("params.yaml"))
    run("train")
    assert "class_weights" not in load_file("data/retina/train/model/model.safetensors")
    run("evaluate")  # a model without them is judged as well


def test_evaluate_judges_beside_baselines_and_tells_of_overfitting(here: Path) -> None:
    found = judgement()
    assert found["verdict"] in {"PASS", "REVIEW", "FAIL"}
    assert set(found["baseline"]) == {"majority", "metadata"}
    assert found["baseline"]["majority"]["quadratic_weighted_kappa"] == 0
    expected = {"quadratic_weighted_kappa", "accuracy", "balanced_accuracy", "macro_auc", "ece", "rare_f1"}
    assert expected | {"referable_sensitivity", "referable_specificity", "referable_auc"} <= set(found["model"])
    assert set(found["interval"]) == set(found["model"])
    assert all(
        i["low"] <= found["model"][m] + 0.05 and found["model"][m] <= i["high"] + 0.05
        for m, i in found["interval"].items()
    )
    predictions = table("evaluate/predictions.parquet")
    test = predictions[predictions["split"] == "test"]
    assert found["model"]["accuracy"] == pytest.approx((test["grade"] == test["predicted"]).mean(), abs=1e-5)
    assert predictions[[f"p{g}" for g in range(5)]].sum(axis=1).to_numpy() == pytest.approx(1)
    classes = table("evaluate/per_class.parquet").set_index(["split", "grade"])["f1"]
    gap = found["overfitting"]["f1_gap"]
    assert gap["0"] == pytest.approx(classes["train", 0] - classes["val", 0], abs=1e-5)
    assert isinstance(found["overfitting"]["verdict"], str)


def test_the_pictures_and_the_cases_with_their_heat(here: Path) -> None:
    names = {"confusion_matrix", "roc", "f1", "reliability", "cases", "loss", "f1_by_epoch"}
    assert {file.stem for file in Path("data/retina/plot").glob("*.png")} == names
    cases = table("evaluate/explained.parquet")
    right = cases["grade"] == cases["predicted"]
    assert right.sum() <= 2
    assert (~right).sum() <= 2
    for png in cases["heat"]:
        heat = np.asarray(Image.open(io.BytesIO(png)))
        assert heat.shape == (32, 32)
    first = Path("data/retina/plot/cases.png").read_bytes()
    run("plot")
    assert Path("data/retina/plot/cases.png").read_bytes() == first


def test_frozen_blocks_train_on_kept_features_and_corn_grades(here: Path) -> None:
    """Any weights will do to freeze: here those of the network trained above."""
    model = Grader.from_pretrained("data/retina/train/model")
    torch.save(model.blocks.state_dict(), "blocks.pt")
    changes = {
        "weights": "blocks.pt", "frozen_blocks": 2, "head": "corn", "backbone": "small_resnet",
    }  # fmt: skip
    values = {f"retina.train.network.{name}": value for name, value in changes.items()}
    values |= {"retina.train.augment.colour": 0.0, "retina.train.epochs": 1}
    presets.apply(values, Path("params.yaml"))
    run("train")
    kept = list(Path(".winnow/kept/features").glob("??/*"))
    assert len(kept) == 1
    stamp = kept[0].read_bytes()
    trained = load_file("data/retina/train/model/model.safetensors")
    assert torch.equal(trained["blocks.1.layers.0.weight"], model.blocks[1].layers[0].weight)
    assert not torch.equal(trained["blocks.3.layers.0.weight"], model.blocks[3].layers[0].weight)
    run("evaluate")
    found = judgement()
    assert kept[0].read_bytes() == stamp
    kept[0].unlink()
    run("evaluate")
    assert judgement() == found


CHOICES = {
    "corn_on_contrast": {
        "ingest.contrast": True,
        "filter.min_sharpness": 0.0,
        "train.network.head": "corn",
        "train.epochs": 12,
    },
    "resnet18": {"train.network.backbone": "resnet18", "train.network.weights": "whole.pth"},
    "mobilenet_v3_small": {"train.network.backbone": "mobilenet_v3_small"},
}


@pytest.mark.parametrize("choice", CHOICES)
def test_every_kind_of_head_preparation_and_backbone_learns_and_is_judged(choice: str, here: Path) -> None:
    torch.manual_seed(0)
    torch.save(torchvision_resnet18().state_dict(), "whole.pth")
    changed = {"train.epochs": 5, "train.select": "last", "train.use_class_weights": False}
    presets.apply({f"retina.{key}": value for key, value in (changed | CHOICES[choice]).items()}, Path("params.yaml"))
    first = ("ingest", "filter", "label", "split", "weight") if choice == "corn_on_contrast" else ()
    run(*first, "train", "evaluate")
    losses = curve("train/loss")
    assert losses[-1] < 0.8 * losses[0]
    rows = table("evaluate/predictions.parquet").query("split == 'train'")
    assert set(judgement()["interval"]) == set(judgement()["model"])
    if choice == "corn_on_contrast":  # the others' batch statistics are not yet those of their weights
        assert values(statistics(rows), len(rows))["macro_auc"] > 0.7


def winnow(*arguments: str) -> Result:
    """`winnow retina …` in this process, which has imported torch already."""
    return CliRunner().invoke(cli.app, arguments, catch_exceptions=False)


def drawn_files() -> dict[str, bytes]:
    """The photographs as they were before ingest prepared them, by image_id."""
    settings = Document(Path("params.yaml")).section(("retina", "ingest"), Ingest)
    drawn = ingest.synthetic.make(settings.synthetic, np.random.default_rng(derive_seed(20, "retina", "ingest")))
    return {f"synthetic/{record.name}": record.read() for record in drawn.records}


def test_grade_tells_grades_and_explains_and_names_what_it_cannot_read(here: Path) -> None:
    eyes = Path("eyes")
    eyes.mkdir()
    draw_fundus(4, True, 64, np.random.default_rng(0)).save(eyes / "one.png")
    draw_fundus(0, False, 64, np.random.default_rng(1)).point(lambda v: v * 0.2).save(eyes / "two.png")
    Path("three.jpg").write_bytes(b"nothing")
    done = winnow("grade", "eyes", "three.jpg", "--explain", "out", "--json")
    assert done.exit_code == 1, done.stderr
    one, two, three = json.loads(done.stdout)
    assert one["file"] == "eyes/one.png"
    assert one["grade"] in range(5)
    assert sum(one["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    calibration = json.loads(Path("data/retina/train/model/calibration.json").read_text())
    assert one["referable"] == (one["referable_probability"] >= calibration["refer_from"])
    heated = np.asarray(Image.open(one["explained"]))
    assert heated.shape == (512, 512, 3)  # the photograph, not the 32 pixels that the network sees
    shown = prepare((eyes / "one.png").read_bytes(), Preparation(image_size=512, crop=True, contrast=False)).png
    apart = np.abs(heated.astype(int) - np.asarray(Image.open(io.BytesIO(shown)))).max(axis=2)
    assert 0 < (apart > 8).mean() < 0.9
    assert two.pop("distance") > 1  # a dark photograph is none of those that were trained on
    assert two == {
        "file": "eyes/two.png", "grade": None, "name": "ungradable", "referable": True, "quality": "too_dark",
        "model_verdict": "not evaluated",
    }  # fmt: skip
    assert 0 <= one["unseen_share"] < 1
    plain = winnow("grade", "eyes", "three.jpg", "--out", "grades.csv")
    assert plain.exit_code == 1
    assert "eyes/two.png: ungradable: refer   ⚠ too dark" in plain.stdout
    rows = pd.read_csv("grades.csv").set_index("file")
    assert rows.loc["eyes/one.png", "grade"] == one["grade"]
    printed = {grade: rows.loc["eyes/one.png", f"p{grade}"] for grade in one["probabilities"]}
    assert printed == pytest.approx(one["probabilities"])
    assert rows.loc["eyes/one.png", "referable_probability"] == pytest.approx(one["referable_probability"])
    assert rows.loc["eyes/two.png", ["grade", "referable"]].isna().tolist() == [True, False]
    assert rows["error"].dropna().to_dict() == {"three.jpg": "not an image file"}
    assert winnow("grade", "eyes/one.png").exit_code == 0
    assert winnow("grade", "eyes/two.png").exit_code == 1
    assert three == {"file": "three.jpg", "error": "not an image file", "model_verdict": "not evaluated"}
    with pytest.raises(WinnowError, match="nowhere.png does not exist"):
        winnow("grade", "nowhere.png")


def strange_pictures() -> dict[str, np.ndarray]:
    """Pictures that are no fundus photograph: noise, also as a disc, a page, scenes, a figure of six eyes."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (120, 120, 3), dtype=np.uint8)
    rows, columns = np.mgrid[:120, :120]
    disc = ((rows - 60) ** 2 + (columns - 60) ** 2 < 57**2)[..., None]
    page = np.full((160, 120, 3), 190, dtype=np.uint8)
    page[20:140:8, 15:105] = 20
    page[20:140, 15:105:5] = 190
    scenes = {f"scene_{n}": picture[:300, :300] for n, picture in enumerate(load_sample_images().images)}
    sheet = np.full((250, 340, 3), 255, dtype=np.uint8)
    for number in range(6):
        top, left = 10 + 120 * (number // 3), 10 + 110 * (number % 3)
        eye = draw_fundus(number % 5, bool(number % 2), 100, np.random.default_rng(number))
        sheet[top : top + 100, left : left + 100] = np.asarray(eye)
    return {"noise": noise, "noise_in_a_disc": noise * disc, "page": page, "figure_sheet": sheet, **scenes}


def test_a_photograph_just_beyond_the_limit_of_distance_is_refused_and_one_just_within_it_is_graded(here: Path) -> None:
    draw_fundus(2, True, 64, np.random.default_rng(93)).save("eye.png")
    opened = inference.Opened.of(Path("data/retina/train/model"), torch.device("cpu"))
    known = opened.known
    (plain,) = inference.grade_with(opened, [Path("eye.png")], None)
    answers = {}
    for share in (0.98, 1.02):
        moved = replace(opened, known=replace(known, limit=known.limit * plain["distance"] * share))
        (answers[share],) = inference.grade_with(moved, [Path("eye.png")], None)
    assert answers[0.98]["quality"] == "unlike_training", "2% beyond the limit"
    assert answers[1.02]["quality"] is None, "2% within the limit"
    assert answers[1.02]["grade"] == plain["grade"]


def test_eyes_more_blurred_than_those_of_training_are_not_graded(here: Path) -> None:
    """Without its lesions a severe eye is graded as a healthy one."""
    sharpness = table("ingest/photos.parquet").set_index("image_id")["sharpness"]
    split = table("split/splits.parquet").set_index("image_id")["split"]
    limit = json.loads(Path("data/retina/train/model/config.json").read_text())["limits"]["min_sharpness"]
    document = Document(Path("params.yaml"))
    least = {name: round(float(np.quantile(sharpness[part.index], 0.01)) / 3, 4) for name, part in split.groupby(split)}
    assert limit == pytest.approx(least["train"], abs=1e-4)
    assert limit > document.section(("retina", "filter"), Params.model_fields["filter"].annotation).min_sharpness
    assert abs(limit - least["test"]) > 1e-3, "of training alone"
    Path("eyes").mkdir()
    for number, radius in enumerate((0, 4, 8)):
        eye = draw_fundus(3, True, 220, np.random.default_rng(number))
        eye.filter(ImageFilter.GaussianBlur(radius)).save(f"eyes/{number}.png")
    found = json.loads(winnow("grade", "eyes", "--json").stdout)
    assert [each["quality"] for each in found[1:]] == ["too_blurred"] * 2
    assert all(each["referable"] and each["grade"] is None for each in found[1:])
    assert found[0]["quality"] != "too_blurred"
    run("evaluate")
    assert json.loads(Path("metrics/retina/judgement.json").read_text())["too_blurred_share"] <= 0.02


def test_what_shows_no_fundus_is_not_graded(here: Path) -> None:
    """A grader gives noise and pages a grade with confidence, "do not refer" among them."""
    folder = Path("pictures")
    folder.mkdir()
    strange = strange_pictures()
    for name, picture in strange.items():
        Image.fromarray(picture).save(folder / f"{name}.png")
    eyes = [draw_fundus(grade, True, 64, np.random.default_rng(90 + grade)) for grade in (0, 0, 0, 2, 2, 3, 4)]
    for number, eye in enumerate(eyes):
        eye.save(folder / f"eye_{number}.png")
    done = winnow("grade", "pictures", "--json")
    assert done.exit_code == 1
    found = {Path(each["file"]).stem: each for each in json.loads(done.stdout)}
    assert {name: found[name]["grade"] for name in strange} == dict.fromkeys(strange)
    assert all(found[name]["referable"] for name in strange)
    unlike = [found[name]["distance"] for name in strange if found[name]["quality"] == "unlike_training"]
    assert len(unlike) >= 3, "not by the limits of quality"
    assert min(unlike) > 1, "an answer says how far off a refused picture is, in limits"
    graded = [found[f"eye_{number}"] for number in range(len(eyes))]
    possible_from = json.loads(Path("data/retina/train/model/calibration.json").read_text())["possible_from"]
    assert sum(each["grade"] is not None for each in graded) >= len(eyes) - 1
    for each in graded:
        if each["grade"] is not None:
            chances = list(each["probabilities"].values())
            least = min(possible_from, max(chances)) - 1e-4  # four decimals are printed
            likely = [grade for grade, chance in enumerate(chances) if chance >= least]
            assert each["possible"] == [likely[0], likely[-1]]
            assert likely[0] <= each["grade"] <= likely[-1]
            assert each["distance"] <= 1
    kept = next(name for name in found if found[name]["grade"] is not None)
    shutil.copy(folder / "noise.png", "a.png")  # photographs are read in the order of their names
    mixed = json.loads(winnow("grade", "a.png", f"pictures/{kept}.png", "--json").stdout)
    assert [each["distance"] for each in mixed] == pytest.approx(
        [found["noise"]["distance"], found[kept]["distance"]], abs=0.002
    ), "each has its own distance, whatever is refused before it"
    plain = winnow("grade", "pictures").stdout
    assert "noise.png: ungradable: refer" in plain
    assert "unlike the photographs that the model was trained on" in plain
    shown = next(each for each in graded if each["grade"] is not None)
    assert f"chance of grade 2 or more {shown['referable_probability']:.1%}" in plain


def test_photographs_are_compared_by_the_network_that_the_training_ones_were(here: Path) -> None:
    """A last phase that trains on validation may change the blocks; what was kept of training is of those before."""
    Path("eyes").mkdir()
    rng = np.random.default_rng(7)
    for number, grade in enumerate((0, 0, 1, 2, 3, 4)):
        draw_fundus(grade, True, 64, rng).save(Path("eyes", f"{number}.png"))
    Path("eyes.csv").write_text("image,level\n" + "".join(f"{n},{g}\n" for n, g in enumerate((0, 0, 1, 2, 3, 4))))

    def answers() -> tuple[dict[str, float], dict[str, int], float]:
        graded = json.loads(winnow("grade", "eyes", "--json").stdout)
        judged = json.loads(winnow("evaluate", "eyes.csv", "--images", "eyes", "--json").stdout)
        run("evaluate")
        return {each["file"]: each["distance"] for each in graded}, judged["photographs"], share()

    def share() -> float:
        return float(json.loads(Path("metrics/retina/judgement.json").read_text())["unlike_training_share"])

    before = answers()
    folder = Path("data/retina/train/model")
    weights = load_file(folder / "model.safetensors")
    save_file(weights, folder / "before_refit.safetensors")
    changed = {name: 2 * value if "blocks" in name and value.ndim == 4 else value for name, value in weights.items()}
    assert sum(not torch.equal(value, weights[name]) for name, value in changed.items()) > 3
    save_file(changed, folder / "model.safetensors")
    after = answers()
    assert after[0] == pytest.approx(before[0])
    assert after[1:] == before[1:]


def test_evaluate_tells_how_many_test_photographs_are_unlike_training(here: Path) -> None:
    run("evaluate")
    judged = json.loads(Path("metrics/retina/judgement.json").read_text())
    assert judged["unlike_training_share"] <= 0.1
    assert judged["possible_grades"]["coverage"] >= 0.8
    predictions = pd.read_parquet("data/retina/evaluate/predictions.parquet").query("split == 'test'")
    missing = sorted(set(predictions["grade"]) - set(predictions["predicted"]))
    assert judged["never_predicted"] == missing


def test_evaluate_tells_of_patients_who_may_be_one(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A test photograph's bytes become those of a training photograph of another patient."""
    photographs = read_images(Path("data/retina/ingest/images.arrow"))
    splits = table("split/splits.parquet").set_index("image_id")["split"]
    ids = table("ingest/photos.parquet")["image_id"].tolist()
    one, other = (str(splits.index[splits == name][0]) for name in ("train", "test"))
    content = dict(zip(ids, list(photographs.select(ids)), strict=True))
    with write_images(Path("data/retina/ingest/images.arrow")) as images:
        for name in ids:
            images.add(name, content[one if name == other else name])
    run("evaluate")
    pairs = table("evaluate/alike.parquet")
    named = [set(pair) for pair in pairs[["image_id", "image_id_other"]].to_numpy().tolist()]
    assert {one, other} in named
    told = json.loads(Path("metrics/retina/judgement.json").read_text())["alike_patients"]
    across = pairs["split"] != pairs["split_other"]
    assert told == {"pairs": len(pairs), "pairs_in_two_splits": int(across.sum())}
    assert f"{across.sum()} pairs of photographs in two splits" in "".join(capsys.readouterr())


def test_heat_outside_the_retina_above_a_share_is_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the heat maps that are drawn: an ungradable photograph has none."""
    draw_fundus(4, True, 64, np.random.default_rng(0)).save("one.png")
    draw_fundus(0, False, 64, np.random.default_rng(1)).point(lambda v: v * 0.2).save("dark.png")
    for share, doubted in ((-0.01, True), (1.0, False)):
        monkeypatch.setattr(cli, "UNSEEN", share)
        assert ("1 of 1 heat maps lie" in winnow("grade", "one.png", "dark.png", "--explain", "out").stderr) == doubted


def test_the_heat_map_of_a_photograph_is_that_of_its_own_grade(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other grades of the same photograph have other maps; here it is said to be of each grade in turn."""
    draw_fundus(2, True, 64, np.random.default_rng(0)).save("one.png")
    whole, asked = inference.grade_rows, []
    for grade in range(5):

        def told(*arguments: Any, grade: int = grade) -> pd.DataFrame:
            return whole(*arguments).assign(predicted=grade)

        def kept(model: Grader, images: Any, grades: Any) -> Any:
            asked.append(grades.tolist())
            return heat_maps(model, images, grades)

        monkeypatch.setattr(inference, "grade_rows", told)
        monkeypatch.setattr(inference, "heat_maps", kept)
        (found,) = json.loads(winnow("grade", "one.png", "--explain", f"out{grade}", "--json").stdout)
        assert found["grade"] == grade
    assert asked == [[grade] for grade in range(5)]


def test_heat_maps_of_photographs_with_one_name_do_not_replace_each_other(here: Path) -> None:
    eyes = Path("eyes")
    eyes.mkdir()
    for seed, suffix in enumerate(("png", "jpg")):
        draw_fundus(2, True, 64, np.random.default_rng(seed)).save(eyes / f"one.{suffix}")
    found = json.loads(winnow("grade", "eyes", "--explain", "out", "--json").stdout)
    assert {one["file"]: one["explained"] for one in found} == {
        f"eyes/one.{suffix}": f"out/eyes_one_{suffix}_heat.png" for suffix in ("jpg", "png")
    }
    assert len(list(Path("out").iterdir())) == 2


def test_names_of_another_encoding_are_graded_and_told(here: Path) -> None:
    Path("eyes").mkdir()
    draw_fundus(2, True, 64, np.random.default_rng(0)).save(os.fsdecode(b"eyes/oeil\xe9.png"))
    Path(os.fsdecode(b"eyes/rien\xe9.png")).touch()
    done = winnow("grade", "eyes", "--explain", "out", "--json", "--out", "grades.csv")
    one, two = json.loads(done.stdout)
    assert (one["file"], two["file"], two["error"]) == ("eyes/oeil\\xe9.png", "eyes/rien\\xe9.png", "the file is empty")
    assert Path(one["explained"]).is_file()
    assert "oeil\\xe9.png" in Path("grades.csv").read_text()


def test_nothing_that_is_edited_after_training_changes_an_answer(here: Path) -> None:
    eyes = Path("eyes")
    for index in range(6):
        (eyes / str(index % 3)).mkdir(parents=True, exist_ok=True)
        eye = draw_fundus(index % 3, True, 90, np.random.default_rng(index))
        eye.point(lambda v, index=index: v * (0.2 if index == 5 else 1)).save(eyes / str(index % 3) / f"{index}.png")
    commands = [("grade", "eyes/0", "eyes/1", "eyes/2", "--json"), ("evaluate", "eyes", "--json")]
    before = [winnow(*arguments) for arguments in commands]
    assert [each.exit_code for each in before] == [1, 0], before[0].stderr + before[1].stderr
    assert [each["quality"] for each in json.loads(before[0].stdout)].count("too_dark") == 1
    edited = {
        "common.image_size": 48, "ingest.crop": False, "ingest.contrast": True, "filter.min_brightness": 0.0,
        "filter.min_sharpness": 1000.0, "filter.min_retina_share": 1.0, "filter.max_hash_distance": 0,
        "train.network.views": 8, "train.network.decision": "likeliest", "evaluate.batch_size": 1,
    }  # fmt: skip
    presets.apply({f"retina.{key}": value for key, value in edited.items()}, Path("params.yaml"))
    for name in ("ingest", "filter", "label", "split", "weight"):  # nor are the tables of other stages read
        shutil.rmtree(Path("data/retina", name))
    after = [winnow(*arguments) for arguments in commands]
    assert [each.stdout for each in after] == [each.stdout for each in before]


def test_the_command_line_grades_as_evaluate_does(here: Path) -> None:
    predictions = table("evaluate/predictions.parquet").set_index("image_id")
    kept = table("filter/photos.parquet").query("source == 'synthetic'")["image_id"]
    chosen = predictions[(predictions["split"] == "test") & predictions.index.isin(kept)].index[:12].tolist()
    content = drawn_files()
    Path("files").mkdir()
    for number, image_id in enumerate(chosen):
        Path("files", f"{number:02}.jpg").write_bytes(content[image_id])
    graded = json.loads(winnow("grade", "files", "--json").stdout)
    assert [each["grade"] for each in graded] == predictions.loc[chosen, "predicted"].tolist()
    printed = np.array([[each["probabilities"][str(grade)] for grade in range(5)] for each in graded])
    assert printed == pytest.approx(predictions.loc[chosen, [f"p{grade}" for grade in range(5)]].to_numpy(), abs=1e-4)


def test_the_model_carries_the_hashes_of_training_and_validation_alone(here: Path) -> None:
    photos = table("ingest/photos.parquet").merge(table("split/splits.parquet"), on="image_id")
    hashes = {side: set(rows["perceptual_hash"]) for side, rows in photos.groupby("split")}
    carried = set(table("train/model/seen.parquet")["perceptual_hash"])
    assert carried == hashes["train"] | hashes["val"]
    assert not carried & hashes["test"]


def test_a_model_refitted_on_validation_keeps_what_validation_decided(here: Path) -> None:
    before = json.loads(Path("data/retina/train/model/calibration.json").read_text())
    phases = [{"subset": name, "epochs": 2, "learning_rate": 0.003} for name in ("full", "with_validation")]
    presets.apply({"retina.train.phases": phases, "retina.train.select": "last"}, Path("params.yaml"))
    run("train", "evaluate")
    folder = Path("data/retina/train/model")
    names = ("model.safetensors", "before_refit.safetensors")
    weights = {name: load_file(folder / name)["head.weight"] for name in names}
    assert not torch.equal(*weights.values())
    first = load_file(folder.parent / "checkpoints/phase_1/model.safetensors")["head.weight"]
    assert torch.equal(weights["before_refit.safetensors"], first)
    rows = table("evaluate/predictions.parquet")
    images = read_images(Path("data/retina/ingest/images.arrow")).select(rows["image_id"])
    model = Grader.from_pretrained(folder).eval()
    raw = {"test": grade_photographs(model, images, views=2, batch_size=64)}
    load_weights(model, folder / "before_refit.safetensors")
    raw["train"] = raw["val"] = grade_photographs(model, images, views=2, batch_size=64)
    for split, each in raw.items():
        own = (rows["split"] == split).to_numpy()
        assert rows.loc[own, "raw_confidence"].to_numpy() == pytest.approx(each[own].max(axis=1), abs=1e-4)
    assert judgement()["calibration"] == before, "the first phase is the training that was calibrated before"


def test_evaluate_leaves_out_other_eyes_of_training_patients(here: Path) -> None:
    labels = table("label/labels.parquet").merge(table("split/splits.parquet"), on="image_id")
    known = labels.query("split == 'train'")["patient"].iloc[0].rpartition("/")[2]
    Path("other").mkdir()
    rng, rows = np.random.default_rng(9), []
    for index, name in enumerate([f"{known}_left", f"{known}_right", "new_left", "new_right"]):
        draw_fundus(index, True, 90, rng).save(Path("other", f"{name}.png"))
        rows.append(f"{name},{index},{known if name.startswith(known) else 'stranger'}\n")
    Path("other.csv").write_text("image,level,patient\n" + "".join(rows))
    seen = table("train/model/seen.parquet")
    assert not seen.astype(str).apply(lambda column: column.str.contains(known).any()).any()
    seen.loc[0, "patient"] = patient_digest(f"eyepacs/{known}")  # as if the training had been on files of this format
    write_table(Path("data/retina/train/model/seen.parquet"), seen, Seen)
    found = json.loads(winnow("evaluate", "other.csv", "--images", "other", "--json").stdout)
    assert found["photographs"]["of_patients_in_training"] == 2
    assert found["photographs"]["graded"] + found["photographs"]["ungradable"] == 2
    assert set(found["baseline"]) == {"majority", "metadata"}
    assert set(found["interval"]) == set(found["metrics"])
    shown = winnow("evaluate", "other.csv", "--images", "other")
    assert "95% interval" in shown.stdout
    assert f"only {found['photographs']['graded']} photographs" in shown.stderr


def test_evaluate_judges_another_set_and_leaves_out_what_was_trained_on(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = table("split/splits.parquet").query("split == 'train'")["image_id"].iloc[:8]
    rng = np.random.default_rng(9)
    for index in range(8):
        target = Path("other", str(index % 4), f"new_{index}.png")
        target.parent.mkdir(parents=True, exist_ok=True)
        draw_fundus(index % 4, True, 64, rng).save(target)
    for index, image_id in enumerate(known):
        with Image.open(io.BytesIO(drawn_files()[image_id])) as image:
            image.save(Path("other", "0", f"known_{index}.jpg"), quality=95)
    Path("other/notes.txt").touch()
    done = winnow("evaluate", "other", "--json")
    assert done.exit_code == 0, done.stderr
    assert re.search("^1 passed over, which are no photographs .*: notes.txt$", done.stderr, re.MULTILINE)
    assert re.search(r"^grading \d+ photographs in 2 views each; .*train.network.views", done.stderr, re.MULTILINE)
    assert "calibration made" not in done.stderr
    found = json.loads(done.stdout)
    assert found["photographs"]["in_source"] == 16
    assert found["photographs"]["seen_in_training"] >= 4, "saved again, they show the same"
    assert found["photographs"]["graded"] + found["photographs"]["ungradable"] >= 6
    assert "quadratic_weighted_kappa" in found["metrics"]
    monkeypatch.setattr("winnow.domains.retina.evaluation.results.ECE_MARGIN", -1.0)
    again = winnow("evaluate", "other")
    assert "quadratic_weighted_kappa" in again.stdout
    assert "⚠ calibration made the chances worse here (ece " in again.stderr
    with pytest.raises(SourceError, match="looks like none of the formats"):
        winnow("evaluate", "params.yaml")


@pytest.mark.parametrize(
    ("grade", "chance", "refer_from", "borderline"),
    [(2, 0.576, 0.581, True), (2, 0.9, 0.581, False), (1, 0.6, 0.581, True), (1, 0.2, 0.581, False)],
)
def test_a_grade_that_contradicts_its_referral_is_called_borderline(
    grade: int, chance: float, refer_from: float, borderline: bool
) -> None:
    graded = {
        "file": "a.png", "quality": "", "grade": grade, "name": "", "possible": [1, 2], "coverage": 0.9,
        "probabilities": {str(grade): 1.0}, "referable": chance >= refer_from, "referable_probability": chance,
        "refer_from": refer_from,
    }  # fmt: skip
    told = "\n".join(cli.told(graded))
    assert ("borderline" in told) == borderline
    assert f"{100 * chance:.1f}%, referred from 58.1%" in told


@pytest.mark.parametrize(("three", "said"), [(0.42, True), (0.2, False)])
def test_a_grade_that_is_not_the_likeliest_one_says_why(three: float, said: bool) -> None:
    graded = {
        "file": "a.png", "quality": "", "grade": 2, "name": "", "possible": [1, 3], "coverage": 0.9,
        "probabilities": {"1": 0.26, "2": 0.32, "3": three}, "referable": True, "referable_probability": 0.9,
        "refer_from": 0.5,
    }  # fmt: skip
    told = "\n".join(cli.told(graded))
    assert ("the grade is the middle of these chances; the likeliest single one is 3" in told) == said
