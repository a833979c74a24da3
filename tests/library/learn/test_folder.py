"""A trained model's folder and the verdict that goes with it."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from winnow.learn.folder import UNKNOWN, copy_model, use_model
from winnow.pipeline.errors import WinnowError
from winnow.pipeline.files import folder_digest

MODEL, JUDGED = Path("data/plants/train/model"), Path("metrics/plants/judgement.json")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with a model, in which a folder further down is the working folder."""
    root = tmp_path / "checkout"
    for folder in (MODEL, "src/winnow", "docs"):
        (root / folder).mkdir(parents=True)
    for file in ("dvc.yaml", "params.yaml"):
        (root / file).touch()
    (root / MODEL / "model.safetensors").write_bytes(b"1, 2, 3")
    (root / MODEL / "README.md").write_text("how to use it")
    monkeypatch.chdir(root / "docs")
    return root


def judge(checkout: Path, verdict: str, **changes: Any) -> None:
    """Write what evaluate would."""
    judged = {"verdict": verdict, "reasons": [f"{verdict}: mae 3"], "model_digest": folder_digest(checkout / MODEL)}
    (checkout / JUDGED).parent.mkdir(parents=True, exist_ok=True)
    (checkout / JUDGED).write_text(json.dumps(judged | changes))


@pytest.mark.parametrize("verdict", ["PASS", "DEPLOY"])
def test_nothing_is_told_of_a_model_that_passed(
    checkout: Path, capsys: pytest.CaptureFixture[str], verdict: str
) -> None:
    judge(checkout, verdict)
    model = use_model("plants", None)
    assert (model.folder, model.verdict) == (checkout / MODEL, verdict)
    assert model.stamp({"height": 3}) == {"height": 3, "model_verdict": verdict}
    synthetic = replace(model, is_demonstration=True).stamp({"height": 3})
    assert synthetic == {"height": 3, "model_verdict": verdict, "model_trained_on": "synthetic data"}
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("never", "lines"), [([1, 4], ["predicted none of its test data as: 1, 4"]), ([], [])])
def test_a_class_that_is_never_predicted_is_told_though_the_model_passed(
    checkout: Path, capsys: pytest.CaptureFixture[str], never: list[int], lines: list[str]
) -> None:
    judge(checkout, "PASS", never_predicted=never)
    use_model("plants", None)
    assert capsys.readouterr().err.splitlines() == [f"⚠ this model {line}" for line in lines]


def test_a_model_of_synthetic_data_says_so_though_it_passed(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judge(checkout, "PASS", embedded_data=True)
    use_model("plants", None)
    (line,) = capsys.readouterr().err.splitlines()
    assert "trained on synthetic data" in line
    judge(checkout, "PASS", embedded_data=False)
    use_model("plants", None)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("verdict", ["REVIEW", "FAIL"])
def test_one_line_tells_of_a_model_that_did_not_pass(
    checkout: Path, capsys: pytest.CaptureFixture[str], verdict: str
) -> None:
    judge(checkout, verdict)
    assert use_model("plants", None).stamp({})["model_verdict"] == verdict
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert f"{verdict}: mae 3" in line


def test_the_judgement_of_other_weights_says_nothing(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    judge(checkout, "PASS")
    (checkout / MODEL / "model.safetensors").write_bytes(b"1, 2, 4")
    assert use_model("plants", None).verdict == UNKNOWN
    told = capsys.readouterr().err
    assert UNKNOWN in told
    assert "dvc checkout train@plants" in told, "as after `git checkout` alone"
    assert use_model("plants", checkout / MODEL).verdict == UNKNOWN
    assert "dvc checkout train@plants" in capsys.readouterr().err, "the same folder, named"
    shutil.copytree(checkout / MODEL, checkout / "mine")
    assert use_model("plants", checkout / "mine").verdict == UNKNOWN
    told = capsys.readouterr().err
    assert "dvc checkout" not in told, "a folder from anywhere"
    assert "winnow export plants model" in told


def test_a_file_of_a_model_counts_in_whatever_folder_it_lies(checkout: Path) -> None:
    inner = checkout / MODEL / "tokenizer/words.json"
    inner.parent.mkdir()
    inner.write_text("[1]")
    judge(checkout, "PASS")
    assert use_model("plants", None).verdict == "PASS"
    inner.write_text("[2]")
    assert use_model("plants", None).verdict == UNKNOWN, "other content"
    inner.write_text("[1]")
    assert use_model("plants", None).verdict == "PASS"
    inner.rename(inner.with_name("names.json"))
    assert use_model("plants", None).verdict == UNKNOWN, "another name"


@pytest.mark.parametrize("here", ["elsewhere", "checkout/data/plants/train", "another/docs"])
def test_a_model_named_in_its_checkout_has_that_checkouts_verdict(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the working folder, be it in another checkout with a model of its own."""
    judge(checkout, "REVIEW", embedded_data=True)
    shutil.copytree(checkout, tmp_path / "another")
    (tmp_path / "another" / MODEL / "model.safetensors").write_bytes(b"7")
    judge(tmp_path / "another", "PASS")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / here)
    model = use_model("plants", checkout / MODEL)
    assert (model.verdict, model.reasons, model.is_demonstration) == ("REVIEW", ("REVIEW: mae 3",), True)
    assert "synthetic data" in capsys.readouterr().err
    (checkout / "model").symlink_to(checkout / MODEL)
    assert use_model("plants", checkout / "model").verdict == "REVIEW", "a link to it"
    assert use_model("plants", tmp_path / "another" / MODEL).verdict == "PASS"


def test_data_that_lie_on_another_disk_belong_to_their_checkout(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though a folder there looks like a checkout's: `data` is a link to one of the same name."""
    judge(checkout, "PASS")
    (tmp_path / "disk").mkdir()
    (checkout / "data").rename(tmp_path / "disk" / "data")
    (checkout / "data").symlink_to(tmp_path / "disk" / "data")
    assert use_model("plants", None).verdict == "PASS"
    assert use_model("plants", checkout / MODEL).verdict == "PASS"
    assert use_model("plants", tmp_path / "disk" / MODEL).verdict == "PASS", "from within the checkout, as before"
    monkeypatch.chdir(tmp_path)
    assert use_model("plants", checkout / MODEL).verdict == "PASS", "from elsewhere, by the checkout's own path"


def test_a_judgement_without_a_verdict_is_one_message(checkout: Path) -> None:
    judge(checkout, "PASS")
    (checkout / JUDGED).write_text('{"reasons": []}')
    with pytest.raises(WinnowError, match=r"judgement.json lacks verdict"):
        use_model("plants", None)


def test_what_is_no_part_of_the_model_leaves_its_judgement(checkout: Path) -> None:
    judge(checkout, "PASS")
    (checkout / MODEL / "README.md").write_text("a note of mine")
    (checkout / MODEL / ".cache").mkdir()
    (checkout / MODEL / ".cache" / "downloaded").touch()
    assert use_model("plants", None).verdict == "PASS"
    (checkout / MODEL / "model.safetensors").rename(checkout / MODEL / "other.safetensors")
    assert use_model("plants", None).verdict == UNKNOWN


def test_a_copy_carries_the_verdict_away_from_the_checkout(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge(checkout, "REVIEW", model={"mae": 3})
    monkeypatch.chdir(checkout)
    copy_model("plants", tmp_path / "given")
    shutil.rmtree(checkout)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    shutil.copytree("../given", "mine")
    model = use_model("plants", Path("mine"))
    assert (model.verdict, model.reasons) == ("REVIEW", ("REVIEW: mae 3",))
    assert (model.folder / "README.md").read_text() == "how to use it"
    with pytest.raises(WinnowError, match="there is no trained model of plants here") as error:
        use_model("plants", None)
    assert "--model" in error.value.fix
    assert "dvc repro train@plants" in error.value.fix


def test_only_an_evaluated_model_is_given_away_and_nothing_is_overwritten(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(checkout)
    with pytest.raises(WinnowError, match=UNKNOWN):
        copy_model("plants", tmp_path / "given")
    judge(checkout, "PASS")
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "thesis.txt").touch()
    with pytest.raises(WinnowError, match="exists already"):
        copy_model("plants", tmp_path / "given")
    assert [file.name for file in (tmp_path / "given").iterdir()] == ["thesis.txt"]


def test_a_folder_without_a_model_is_told_before_it_is_walked(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    os.mkfifo(tmp_path / "other" / "pipe")
    with pytest.raises(WinnowError, match="other holds no model of plants: neither config.json nor weights") as refused:
        use_model("plants", tmp_path / "other")
    assert "winnow export plants model" in str(refused.value.fix)
