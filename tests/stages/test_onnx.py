"""`winnow export DOMAIN model --format onnx`: the file beside the model answers as the model does."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.stages.programs import Programs
from winnow.cli.app import app
from winnow.domains.articles.definitions import article_text
from winnow.domains.articles.model.scoring import read_tokenizer
from winnow.domains.load import has_module
from winnow.learn.folder import use_model
from winnow.learn.onnx import session
from winnow.pipeline.errors import WinnowError

GIVEN = Path("given")


def export(domain: str, *options: str) -> Any:
    arguments = ["export", domain, "model", "--out", str(GIVEN), *options]
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def of_climb(run: Callable[..., list[Any]], programs: Programs) -> None:
    """The likelihood of test routes, by the stored predictions."""
    labels = programs.table("label/labels.parquet").set_index("route_id")
    tokens = programs.table("label/tokens.parquet").sort_values(["route_id", "position"])
    stored = programs.table("evaluate/predictions.parquet").set_index("route_id")
    boards, angles = ["2016", "2017", "2019", "2020"], [25, 40]
    for name in stored.index[:5]:
        route = labels.loc[name]
        held = tokens.loc[tokens["route_id"] == name, "token"].tolist()
        told = [boards.index(route["board"]), angles.index(route["angle"]), route["grade_index"]]
        (odds,) = run(previous=np.array([[199, *held]]), conditions=np.array([told]))
        chances = np.exp(odds[0] - odds[0].max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        nll = -sum(np.log(chances[place, token]) for place, token in enumerate([*held, 198]))
        assert nll == pytest.approx(stored.loc[name, "nll"], abs=1e-3)


def of_retina(run: Callable[..., list[Any]], programs: Programs) -> None:
    """Another number of photographs than the file was made with; each graded as alone."""
    size = json.loads((GIVEN / "config.json").read_text())["preparation"]["image_size"]
    photographs = np.random.default_rng(0).integers(256, size=(5, 3, size, size), dtype=np.uint8)
    (together,) = run(photographs=photographs)
    alone = [run(photographs=photographs[place : place + 1])[0][0] for place in range(5)]
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert together.std(axis=0).min() > 0


def of_documents(run: Callable[..., list[Any]], programs: Programs) -> None:
    found = json.loads((GIVEN / "config.json").read_text())
    tiling = found["tiling"]
    length = tiling["patches"] * tiling["patch_size"] ** 2 + sum(side**2 for side in tiling["views"])
    rng = np.random.default_rng(0)
    parts, measures = rng.integers(256, size=(3, length), dtype=np.uint8), rng.random((3, len(found["measures"])))
    outputs = run(parts=parts, measures=measures.astype(np.float32))
    assert [each.shape for each in outputs] == [(3,), (3,), (3, 5), (3, 10), (3,)]
    again = run(parts=parts[:1], measures=measures[:1].astype(np.float32))
    for own, other in zip(outputs, again, strict=True):
        np.testing.assert_allclose(own[:1], other, atol=1e-4)


def of_articles(run: Callable[..., list[Any]], programs: Programs) -> None:
    """The scores that evaluate stored for test articles."""
    stored = programs.table("evaluate/predictions.parquet")
    texts = programs.table("ingest/articles.parquet").set_index("article_id")
    tokenizer, config = read_tokenizer(GIVEN), json.loads((GIVEN / "config.json").read_text())
    for name in stored["article_id"].unique()[:5]:
        own = stored[stored["article_id"] == name]
        text = article_text(texts.loc[name, "title"], texts.loc[name, "content"])
        ids = np.array([tokenizer(text)["input_ids"][: config["max_length"]]])
        (scores,) = run(input_ids=ids, attention_mask=np.ones_like(ids), words=np.array([len(text.split())]))
        held = scores[0].clip(config["scoring"]["low"], config["scoring"]["high"])
        assert held == pytest.approx(own["predicted"].to_numpy(), abs=1e-3)


CHECKS: dict[str, Callable[..., None]] = {
    "climb": of_climb,
    "retina": of_retina,
    "documents": of_documents,
    "articles": of_articles,
}


def test_the_file_answers_as_the_model_and_the_folder_keeps_its_verdict(
    domain: Programs, capfd: pytest.CaptureFixture[str]
) -> None:
    name = domain.domain
    if not has_module(name, "model.onnx"):
        with pytest.raises(WinnowError, match=f"{name} has no ONNX file") as caught:
            export(name, "--format", "onnx")
        assert "without --format" in caught.value.fix
        assert not GIVEN.exists()
        return
    done = export(name, "--format", "onnx")
    assert done.exit_code == 0
    plain = use_model(name, GIVEN)
    assert plain.verdict == json.loads(Path("metrics", name, "judgement.json").read_text())["verdict"]
    assert "## model.onnx" in (GIVEN / "README.md").read_text()
    opened = session(GIVEN / "model.onnx")

    def run(**inputs: np.ndarray) -> list[Any]:
        return list(opened.run(None, inputs))

    CHECKS[name](run, domain)


@pytest.mark.parametrize("finished", ["climb"], indirect=True)
def test_the_other_format_is_a_file_with_weights_of_8_bits(domain: Programs, capfd: pytest.CaptureFixture[str]) -> None:
    assert export("climb", "--format", "onnx-int8").exit_code == 0
    assert [file.name for file in GIVEN.glob("*.onnx")] == ["model.int8.onnx"]
    assert "## model.int8.onnx" in (GIVEN / "README.md").read_text()
    assert b"quantized" in (GIVEN / "model.int8.onnx").read_bytes()


@pytest.mark.parametrize("finished", ["climb"], indirect=True)
def test_a_format_that_no_model_has_and_a_missing_package_leave_nothing(
    domain: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WinnowError, match="unknown format `csv` of a model") as caught:
        export("climb", "--format", "csv")
    assert "--format onnx or onnx-int8" in caught.value.fix
    found = importlib.util.find_spec
    monkeypatch.setattr("winnow.cli.models.find_spec", lambda name: None if name == "onnxscript" else found(name))
    with pytest.raises(WinnowError, match="ONNX files need onnxscript, not installed here") as caught:
        export("climb", "--format", "onnx")
    assert caught.value.fix == "pip install 'winnow[onnx]'"
    assert not GIVEN.exists()
