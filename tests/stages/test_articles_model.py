"""The scorer: a real Qwen2 checkpoint with and without adapters, accumulation, two processes, files and reports."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import docx
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from huggingface_hub.errors import LocalTokenNotFoundError
from safetensors.torch import load_file, save_file
from sklearn.metrics import f1_score
from transformers import BertConfig, BertModel, Qwen2Config, Qwen2Model
from typer.testing import CliRunner

from stages.articles.train import chosen_validation
from tests.conftest import ROOT
from tests.stages.conftest import torch_restored
from tests.stages.programs import DATA_STAGES, Programs
from winnow.cli import app as winnow
from winnow.domains.articles.cli import app
from winnow.domains.articles.definitions import read_definition, scoring_of
from winnow.domains.articles.export import export_label, export_split
from winnow.domains.articles.model import application
from winnow.domains.articles.model.judging import progression
from winnow.domains.articles.model.network import Scorer
from winnow.domains.articles.model.pretrained import load_config, train_tokenizer
from winnow.domains.articles.model.scoring import read_tokenizer, score_texts
from winnow.pipeline.errors import ParamsError, TrainingError, WinnowError

QWEN = Path("data/source/articles/models/qwen")
TRAINED = {"model_name": QWEN.as_posix(), "epochs": 1, "max_length": 32, "learning_rate": 0.01}


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


def weights() -> dict[str, torch.Tensor]:
    return load_file("data/articles/train/model/model.safetensors")


def base() -> dict[str, torch.Tensor]:
    return {f"backbone.{name}": value for name, value in load_file(QWEN / "model.safetensors").items()}


def trained_scores(texts: list[str]) -> np.ndarray:
    folder = Path("data/articles/train/model")
    model = Scorer.from_pretrained(folder).eval()
    return score_texts(model, read_tokenizer(folder), texts, batch_size=2)


def test_a_local_checkpoint_is_trained_saved_and_reloaded(here: Programs) -> None:
    here.run("train", **TRAINED)
    found, before = weights(), base()
    assert set(before) <= set(found)
    assert all(not torch.equal(found[name], before[name]) for name in before if "proj.weight" in name)
    scores = trained_scores(["a school", "the people rebuilt the school together", ""])
    assert scores.shape == (3, 8)
    assert ((scores >= 0) & (scores <= 10)).all()
    history = json.loads(Path("data/articles/train/model/training_history.json").read_text())["epochs"]
    metadata = json.loads(Path("data/articles/train/model/training_metadata.json").read_text())
    assert metadata["best_val_mae"] == history[metadata["best_epoch"] - 1]["val"]["mae"]


def test_a_checkpoint_that_lacks_weights_is_refused(here: Programs) -> None:
    """transformers would draw them at random, and say so in a warning alone."""
    kept = {name: value for name, value in load_file(QWEN / "model.safetensors").items() if "layers.1.mlp" not in name}
    save_file({**kept, "lm_head.weight": torch.zeros(2, 2)}, QWEN / "model.safetensors", {"format": "pt"})
    with pytest.raises(TrainingError, match=r"3 weights of the language model are missing, such as layers\.1\.mlp"):
        here.run("train", **TRAINED)


def test_padding_changes_no_score(here: Programs) -> None:
    here.run("train", **TRAINED)
    alone = trained_scores(["a school"])
    beside = trained_scores(["a school", "the people of the town rebuilt the school together " * 3])
    assert np.allclose(alone[0], beside[0], atol=1e-4)


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_pooling_reads_the_tokens_and_no_padding(here: Programs, pooling: Any) -> None:
    scoring = scoring_of(read_definition(Path("data/articles/ingest/definition.json")).config)
    values = load_config(QWEN.as_posix(), here.section("train").network.tiny, 0)
    model = Scorer(values, scoring, pooling=pooling, dropout=0.0, length_feature=False, max_length=32).eval()
    torch.nn.init.normal_(model.head.weight)
    ids = torch.tensor([[5, 9, 7, 3, 8], [4, 6, 0, 0, 0]])
    lengths = [5, 2]
    mask = torch.tensor([[1] * length + [0] * (5 - length) for length in lengths])
    with torch.no_grad():
        scores = model(ids, mask, torch.tensor(lengths))
        for row, length in enumerate(lengths):
            hidden = model.backbone(input_ids=ids[row : row + 1, :length]).last_hidden_state[0]
            pooled = hidden.mean(dim=0) if pooling == "mean" else hidden[-1]
            assert torch.allclose(scores[row], model.head(pooled), atol=1e-5)


def test_adapters_alone_are_trained_and_kept_and_merged_at_the_end(here: Programs) -> None:
    here.run("train", **TRAINED, lora={"rank": 4}, checkpoint_every=1)
    (checkpoint,) = Path("data/articles/train/checkpoints").glob("epoch_*")
    kept = load_file(checkpoint / "model.safetensors")
    assert all("lora_" in name or not name.startswith("backbone.") for name in kept)
    assert any("lora_" in name for name in kept)
    found, before = weights(), base()
    assert set(before) <= set(found)
    assert not any("lora" in name for name in found)
    moved = {name for name in before if not torch.equal(found[name], before[name])}
    assert moved == {name for name in before if "proj.weight" in name}, "the linear layers, by their adapters"
    name = next(name for name in sorted(moved) if "q_proj" in name)
    adapter = next(each for each in kept if each.endswith("lora_A.default.weight") and "0.self_attn.q_proj" in each)
    low, high = kept[adapter], kept[adapter.replace("lora_A", "lora_B")]
    scale = here.section("train").lora.alpha / 4
    assert torch.allclose(found[name], before[name] + scale * high @ low, atol=1e-5)
    assert trained_scores(["a school"]).shape == (1, 8)


def test_accumulation_gives_the_gradient_of_the_whole_batch(here: Programs) -> None:
    given = {**TRAINED, "learning_rate": 0.001, "batch_size": 8, "network": {"dropout": 0.0}}
    here.run("train", **given)
    whole = weights()
    shutil.rmtree(".winnow")
    here.run("train", **given, accumulation=4)
    pieces = weights()
    assert all(torch.allclose(whole[name], pieces[name], atol=2e-4) for name in whole)
    shutil.rmtree(".winnow")
    here.run("train", **given, gradient_checkpointing=True)
    assert all(torch.allclose(whole[name], each, atol=2e-4) for name, each in weights().items())


def test_two_processes_train_the_same_model(here: Programs) -> None:
    given = {"batch_size": 8, "learning_rate": 0.001}
    here.run("train", **given)
    alone = weights()
    shutil.rmtree(".winnow")
    in_two_processes(here, **given)
    assert all(torch.allclose(alone[name], each, atol=2e-4) for name, each in weights().items())


def in_two_processes(here: Programs, **given: Any) -> None:
    """Train under torchrun."""
    section = here.section("train", **given).model_dump()
    content = yaml.safe_load(Path("params.yaml").read_text())
    content["articles"]["train"] = section
    Path("params.yaml").write_text(yaml.safe_dump(content))
    for name in ("src", "stages"):
        shutil.copytree(ROOT / name, name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [*command, "stages/articles/train.py"],
        env={**os.environ, "PYTHONPATH": "src:."},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_two_processes_train_an_encoder_whose_pooler_is_not_read(here: Programs) -> None:
    folder = Path("data/source/articles/models/bert")
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    BertModel(BertConfig(vocab_size=300, max_position_embeddings=40, hidden_dropout_prob=0.0, **size)).save_pretrained(
        folder
    )
    shutil.copy(QWEN / "tokenizer.json", folder)
    shutil.copy(QWEN / "tokenizer_config.json", folder)
    given = {**TRAINED, "model_name": folder.as_posix(), "batch_size": 8, "learning_rate": 0.001}
    here.run("train", **given)
    alone = weights()
    assert not any("pooler" in name for name in alone)
    shutil.rmtree(".winnow")
    in_two_processes(here, **given)
    assert all(torch.allclose(alone[name], each, atol=2e-4) for name, each in weights().items())
    with pytest.raises(ParamsError, match=r"max_length is 41, but data/.*/bert reads 40 tokens at most"):
        here.run("train", **given | {"max_length": 41})


def test_the_chosen_validation_is_told(here: Programs) -> None:
    def record(epoch: int, mae: float, *, best: bool) -> dict[str, Any]:
        return {"epoch": epoch, "best": best, "val": {"mae": mae}, "train": {"mae": mae}}

    history = [record(1, 0.9, best=True), record(1, 0.8, best=True), record(2, 0.7, best=False)]
    assert chosen_validation(history, 1, "best") == 1, "an epoch may be validated by steps"
    assert chosen_validation(history, 2, "last") == 2
    found = progression(history, 1)
    assert (found["best_validation"], found["best_val_mae"]) == (2, 0.8), "what was chosen by another metric than MAE"
    here.run("train", epochs=2, learning_rate=1e-9, validate_steps=3, early_stopping={"metric": "rmse"})
    folder = Path("data/articles/train/model")
    metadata = json.loads((folder / "training_metadata.json").read_text())
    errors = [each["val"]["rmse"] for each in json.loads((folder / "training_history.json").read_text())["epochs"]]
    assert len(errors) > 2
    assert errors[metadata["best_validation"] - 1] == min(errors)


def test_scoring_a_file_goes_on_where_it_stopped(here: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    here.run("train")
    rows = [{"id": n, "title": f"T{n}", "content": "volunteers rebuilt it " * (n % 5 + 1)} for n in range(40)]
    lines = [json.dumps(row) for row in rows]
    lines[7] = "{broken"
    Path("in.jsonl").write_text("\n".join(lines) + "\n")
    runner = CliRunner()
    first = runner.invoke(app, ["score", "in.jsonl", "--out", "whole.jsonl"])
    assert first.exit_code == 1, "a line was refused"
    whole = Path("whole.jsonl").read_bytes()
    found = [json.loads(line) for line in whole.splitlines()]
    assert [row.get("id", row.get("row")) for row in found] == list(range(40))
    assert "not valid JSON" in found[7]["error"]

    def stopped_after(blocks: int) -> Path:
        """What a run leaves that is stopped after so many blocks of articles."""
        with monkeypatch.context() as patch:
            calls = iter(range(blocks))

            def scored(*given: Any, **more: Any) -> Any:
                if next(calls, None) is None:
                    raise KeyboardInterrupt
                return score_texts(*given, **more)

            patch.setattr(application, "score_texts", scored)
            runner.invoke(app, ["score", "in.jsonl", "--out", "whole.jsonl"])
        (part,) = Path().glob("whole.jsonl.*.part")
        return part

    monkeypatch.setattr(application, "BLOCK", 10)
    part = stopped_after(2)
    assert Path("whole.jsonl").read_bytes() == whole, "what is complete stays until the new one is complete"
    assert part.read_bytes() == b"".join(whole.splitlines(keepends=True)[:20])
    part.write_bytes(part.read_bytes()[:-5])
    again = runner.invoke(app, ["score", "in.jsonl", "--out", "whole.jsonl"])
    assert '"already_scored": 19' in again.output
    assert [json.loads(line).get("id") for line in Path("whole.jsonl").read_text().splitlines()] == [
        row.get("id") for row in found
    ]
    assert not list(Path().glob("*.part"))

    old = stopped_after(3)
    here.run("train", learning_rate=0.02)
    other = runner.invoke(app, ["score", "in.jsonl", "--out", "whole.jsonl"])
    assert '"already_scored": 0' in other.output, "another model does not go on with this one's scores"
    assert Path("whole.jsonl").read_bytes() != whole
    assert old.exists()

    refused = runner.invoke(app, ["score", "in.jsonl", "--out", "./in.jsonl"])
    assert isinstance(refused.exception, WinnowError)
    assert Path("in.jsonl").read_text() == "\n".join(lines) + "\n"
    odd = ['{"id": 1, "content": "\\ud800"}', '{"id": [], "content": "x"}', '{"id": 2, "content": " "}', "7", "\udcff"]
    Path("odd.jsonl").write_bytes("\n".join(odd).encode(errors="surrogateescape"))
    runner.invoke(app, ["score", "odd.jsonl", "--out", "refused.jsonl"])
    assert [row.keys() for row in map(json.loads, Path("refused.jsonl").read_text().splitlines())] == [
        {"row", "error"}
    ] * len(odd)


def test_report_and_exports(here: Programs) -> None:
    for stage in ("train", "evaluate", "plot"):
        here.run(stage)
    assert CliRunner().invoke(app, ["report", "--out", "report.docx"]).exit_code == 0
    text = "\n".join(each.text for each in docx.Document("report.docx").paragraphs)
    judgement = here.metrics("judgement")
    assert f"Verdict: {judgement['verdict']}" in text
    for heading in ("Executive summary", "Method", "Results", "Conclusion"):
        assert heading in text
    assert len(docx.Document("report.docx").inline_shapes) == 3
    page = Path("metrics/articles/model_evaluation.md").read_text()
    assert judgement["reasons"][0] in page

    splits = here.table("split/splits.parquet").set_index("article_id")["split"]
    scores = here.table("label/scores.parquet").set_index(["article_id", "dimension"])["score"]
    for file in export_split(Path("out")):
        for line in file.read_text().splitlines():
            row = json.loads(line)
            assert splits[row["id"]] == file.stem
            assert [scores[row["id"], name] for name in row["dimension_names"]] == row["labels"]
    (labelled,) = export_label(Path("out"))
    row = json.loads(labelled.read_text().splitlines()[0])
    assert row["uplifting_analysis"]["dimensions"]["agency"] == scores[row["id"], "agency"]
    assert len(labelled.read_text().splitlines()) == len(pd.unique(scores.index.get_level_values(0)))


def test_the_judgement_is_what_the_stored_predictions_say(here: Programs) -> None:
    for stage in ("train", "evaluate"):
        here.run(stage)
    config = read_definition(Path("data/articles/ingest/definition.json")).config
    table = here.table("evaluate/predictions.parquet")
    true, own = (table.pivot_table(index=["split", "article_id"], columns="dimension", values=each)[config.names]
                 for each in ("true", "predicted"))  # fmt: skip
    splits = here.table("split/splits.parquet").set_index("article_id")["split"]
    scores = here.table("label/scores.parquet").pivot_table(index="article_id", columns="dimension", values="score")
    mean = scores.loc[splits.index[splits == "train"], config.names].mean()
    train_mae, (true, own) = (true - own).abs().loc["train"].to_numpy().mean(), (true.loc["test"], own.loc["test"])
    errors = (true - own).abs()
    skill = 1 - errors.mean() / (true - mean).abs().mean()
    edges = [band.minimum for band in config.tiers.bands[1:]]
    tiers = [np.digitize(each[config.tiers.of].mean(axis=1), edges) for each in (true, own)]
    expected = {
        "mae": errors.to_numpy().mean(),
        "rmse": ((true - own) ** 2).to_numpy().mean() ** 0.5,
        "pearson_correlation": true.corrwith(own).mean(),
        "spearman_correlation": true.corrwith(own, method="spearman").mean(),
        "within_one_accuracy": (errors <= 1).to_numpy().mean(),
        "tier_accuracy": (tiers[0] == tiers[1]).mean(),
        "tier_f1": f1_score(*tiers, average="macro"),
        "mean_skill_score": skill.mean(),
        "lowest_skill_score": skill.min(),
        "overfit_error": max(1 - train_mae / errors.to_numpy().mean(), 0),
    }
    assert here.metrics("judgement")["model"] == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_export_writes_jsonl_and_refuses_other_formats(here: Programs) -> None:
    done = CliRunner().invoke(winnow, ["export", "articles", "split", "--format", "jsonl", "--out", "out"])
    assert done.exit_code == 0, done.exception
    assert done.stdout.splitlines() == ["out/train.jsonl", "out/val.jsonl", "out/test.jsonl"]
    rows = [json.loads(line) for name in done.stdout.splitlines() for line in Path(name).read_text().splitlines()]
    assert len(rows) == len(here.table("split/splits.parquet"))
    refused = CliRunner().invoke(winnow, ["export", "articles", "label", "--format", "csv", "--out", "other"])
    assert isinstance(refused.exception, WinnowError)
    assert (refused.exception.what, refused.exception.fix) == ("unknown format `csv`", "--format jsonl")
    assert not Path("other").exists()


class Hub:
    """Stands for the Hugging Face hub: who is logged in, and what was sent."""

    user: str | None = "someone"
    sent: list[tuple[str, Any]]

    def whoami(self) -> dict[str, str]:
        if self.user is None:
            raise LocalTokenNotFoundError("no token")
        return {"name": self.user}

    def create_repo(self, repo: str, *, private: bool, exist_ok: bool) -> str:
        self.sent.append(("repository", (repo, private, exist_ok)))
        return f"https://hub/{repo}"

    def upload_folder(self, *, repo_id: str, folder_path: Path, commit_message: str) -> None:
        self.sent.append(("folder", sorted(file.name for file in folder_path.rglob("*"))))

    def upload_file(self, *, repo_id: str, path_or_fileobj: bytes, path_in_repo: str, commit_message: str) -> None:
        self.sent.append((path_in_repo, path_or_fileobj.decode()))


def test_publish_says_who_is_logged_in_and_uploads_model_and_card(
    here: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, Any]] = []
    monkeypatch.setattr(Hub, "sent", sent, raising=False)
    monkeypatch.setattr("winnow.learn.publishing.HfApi", Hub)

    def publish(*options: str) -> Any:
        return CliRunner().invoke(winnow, ["publish", "articles", "--repo", "someone/judge", *options])

    assert "does not exist" in publish("--dry-run").exception.what
    for stage in ("train", "evaluate"):
        here.run(stage)
    dry = publish("--dry-run")
    assert dry.stdout.splitlines()[0] == "logged in as someone"
    listed = {line.split()[0] for line in dry.stdout.splitlines() if line.startswith("  ")}
    model = Path("data/articles/train/model")
    files = {file.relative_to(model).as_posix() for file in model.rglob("*") if file.is_file()}
    assert listed == files | {"README.md"}
    assert "nothing was uploaded" in dry.stdout
    assert not sent

    assert "uploaded to https://hub/someone/judge" in publish("--private").stdout
    assert [name for name, _ in sent] == ["repository", "folder", "README.md"]
    assert sent[0][1] == ("someone/judge", True, True)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(sent[1][1])
    card = sent[2][1]
    metrics = here.metrics("judgement")["model"]
    assert card.startswith("---\nlibrary_name: winnow\n")
    assert all(f"| {name} | {value:.4f} |" in card for name, value in metrics.items())

    monkeypatch.setattr(Hub, "user", None)
    assert publish("--dry-run").stdout.startswith("not logged in")
    refused = publish()
    assert "no one is logged in" in refused.exception.what
    assert len(sent) == 3
    wrong = CliRunner().invoke(winnow, ["publish", "articles", "--repo", "judge", "--dry-run"])
    assert "no name of a repository" in wrong.exception.what  # type: ignore[union-attr]
