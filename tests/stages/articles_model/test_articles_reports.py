"""What is told of a trained scorer: reports, pages, exports, publishing."""

import json
from pathlib import Path
from typing import Any

import docx
import numpy as np
import pandas as pd
import pytest
from huggingface_hub.errors import LocalTokenNotFoundError
from sklearn.metrics import f1_score, mean_absolute_error
from typer.testing import CliRunner

from tests.stages.programs import Programs
from winnow.cli.app import app as winnow
from winnow.domains.articles.cli import app
from winnow.domains.articles.definitions import plain, read_config
from winnow.domains.articles.source.carried import carried
from winnow.domains.articles.source.export import export_label, export_split
from winnow.pipeline.errors import WinnowError

NASTY = "A | `title` <b>of</b> [many](http://x.y) *kinds* #1 __x__ \\n\x07 ~~gone~~ ![i](u)"


def test_markup_in_a_text_of_somebody_elses_is_text() -> None:
    shown = plain(NASTY, 200)
    assert not set("|`<>[]*#\\~!\x07\n") & set(shown)
    assert "title" in shown
    assert "many" in shown
    assert plain("__a__ id_of_it _b_", 200) == "a id_of_it b"
    assert plain("word " * 50, 20) == "word word word word …"


def test_titles_are_escaped_on_the_pages(here: Programs) -> None:
    file = Path("data/articles/ingest/articles.parquet")
    pd.read_parquet(file).assign(title=NASTY).to_parquet(file, index=False)
    for stage in ("label", "train", "evaluate"):
        here.run(stage)
    for name in ("calibration_report.md", "model_evaluation.md"):
        page = Path("metrics/articles", name).read_text()
        assert plain(NASTY, 80).rstrip(" …")[:60] in page
        assert not any(each in page for each in ("<b>", "![", "](http", "\x07", "*kinds*"))


def test_report_and_exports(here: Programs) -> None:
    here.run("train", ridge_shares=[0.3], epochs=2)
    for stage in ("evaluate", "plot"):
        here.run(stage)
    assert CliRunner().invoke(app, ["report", "--out", "report.docx"]).exit_code == 0
    text = "\n".join(each.text for each in docx.Document("report.docx").paragraphs)
    judgement = here.metrics("judgement")
    assert f"Verdict: {judgement['verdict']}" in text
    assert "ridge regression on TF-IDF, whose share of 30%" in text
    for heading in ("Executive summary", "Method", "Results", "Conclusion"):
        assert heading in text
    assert len(docx.Document("report.docx").inline_shapes) == 3
    metrics, dimensions = (
        [[cell.text for cell in row.cells] for row in each.rows] for each in docx.Document("report.docx").tables
    )
    assert metrics[0][:2] == ["metric", "model"]
    assert {name: float(value) for name, value, *_ in metrics[1:]} == pytest.approx(judgement["model"], abs=6e-4)
    for column, baseline in enumerate(metrics[0][2:], start=2):
        told = {row[0]: float(row[column]) for row in metrics[1:] if row[column]}
        assert told == pytest.approx(judgement["baseline"][baseline], abs=6e-4)
    shown = here.table("evaluate/per_dimension.parquet")[["mae", "rmse"]].to_numpy()
    assert np.array([row[1:3] for row in dimensions[1:]], dtype=float) == pytest.approx(shown, abs=6e-4)
    page = Path("metrics/articles/model_evaluation.md").read_text()
    assert judgement["reasons"][0] in page

    summary = [line.split() for line in Path("data/articles/plot/training_summary.txt").read_text().splitlines()]
    epochs = json.loads(Path("data/articles/train/model/training_history.json").read_text())["epochs"]
    lowest = min(range(len(epochs)), key=lambda index: epochs[index]["val"]["mae"])
    for index, record in enumerate(epochs):
        number, *figures = summary[3 + index]
        shown = [record[side][name] for side in ("train", "val") for name in ("loss", "mae", "rmse")]
        assert (int(number), list(map(float, figures[:6]))) == (index + 1, pytest.approx(shown, abs=1e-3))
        assert (figures[6:] == ["lowest", "val/mae"]) == (index == lowest)
    tested = here.table("evaluate/per_dimension.parquet").set_index("dimension")
    for name, val, *test in summary[5 + len(epochs) :]:
        assert float(val) == pytest.approx(epochs[lowest]["val"][f"dimension_mae/{name}"], abs=1e-3)
        assert list(map(float, test)) == pytest.approx(tested.loc[name, ["mae", "rmse", "skill"]].tolist(), abs=1e-3)

    splits = here.table("split/splits.parquet").set_index("article_id")["split"]
    scores = here.table("label/scores.parquet").set_index(["article_id", "dimension"])["score"]
    file = Path("data/articles/ingest/articles.parquet")
    articles = pd.read_parquet(file).assign(language="en", official_split="test")
    articles.to_parquet(file, index=False)
    articles = articles.set_index("article_id")
    for file in export_split(Path("out")):
        for line in file.read_text().splitlines():
            row = json.loads(line)
            assert splits[row["id"]] == file.stem
            assert [scores[row["id"], name] for name in row["dimension_names"]] == row["labels"]
            assert row["split"] == file.stem
            assert row["source"] == articles.loc[row["id"], "source"]
            assert row.get("language") == articles.loc[row["id"], "language"]
    (labelled,) = export_label(Path("out"))
    row = json.loads(labelled.read_text().splitlines()[0])
    assert (row["language"], row["split"], row["source"]) == ("en", "test", articles.loc[row["id"], "source"])
    assert row["uplifting_analysis"]["dimensions"]["agency"] == scores[row["id"], "agency"]
    assert len(labelled.read_text().splitlines()) == len(pd.unique(scores.index.get_level_values(0)))


def test_the_judgement_is_what_the_stored_predictions_say(here: Programs) -> None:
    for stage in ("train", "evaluate"):
        here.run(stage)
    config = read_config(Path("data/articles/ingest/config.json"))
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

    by_article = errors.mean(axis=1)
    worst = here.table("evaluate/worst.parquet").set_index("article_id")["error"]
    assert worst.to_dict() == pytest.approx(by_article.nlargest(len(worst)).to_dict(), rel=1e-4)
    slices = here.table("evaluate/slices.parquet")
    for index, band in enumerate(config.tiers.bands):
        score = slices.loc[(slices["by"] == "tier") & (slices["value"] == band.name), "score"]
        assert score.tolist() == pytest.approx([by_article[tiers[0] == index].mean()] * len(score), rel=1e-4)
    assert slices["by"].value_counts()["tier"] > 1


def test_the_page_sets_the_models_error_beside_its_teachers(here: Programs) -> None:
    for stage in ("train", "evaluate"):
        here.run(stage)
    repeats, people = here.table("label/repeats.parquet"), here.table("ingest/scores.parquet")
    labels = here.table("label/scores.parquet")
    probes = here.section("label").calibration.probes
    assert repeats["article_id"].nunique() == 2 * probes, "of both samples"
    plain = labels.set_index(["article_id", "dimension"])["score"]
    assert [plain[name, each] for name, each in zip(repeats["article_id"], repeats["dimension"], strict=True)] == (
        repeats["first"].tolist()
    )
    table = here.table("evaluate/predictions.parquet").query("split == 'test'")
    both = table.merge(people, on=["article_id", "dimension"])
    assert 0 < both["article_id"].nunique() < table["article_id"].nunique()
    page = Path("metrics/articles/model_evaluation.md").read_text()
    found = json.loads(Path("metrics/articles/judgement.json").read_text())
    assert f"{found['model']['overfit_error']:.0%} lower than in the test" in page, "not only what the curves say"
    assert f"{found['baseline']['mean']['mae']:.3f} in the test" in page
    assert f"Asked twice about {2 * probes} calibration articles" in page
    for name in table["dimension"].unique():
        own, again = table[table["dimension"] == name], repeats[repeats["dimension"] == name]
        scored = both[both["dimension"] == name]
        errors = [
            mean_absolute_error(own["true"], own["predicted"]),
            mean_absolute_error(again["first"], again["second"]),
            mean_absolute_error(scored["true"], scored["score"]),
            mean_absolute_error(scored["predicted"], scored["score"]),
        ]
        assert f"| {name} | {' | '.join(f'{each:.3f}' for each in errors)} |" in page
    file = Path("data/articles/label/labels.parquet")
    pd.read_parquet(file).assign(origin="source").to_parquet(file, index=False)
    Path("data/articles/label/repeats.parquet").unlink()
    repeats.iloc[:0].to_parquet("data/articles/label/repeats.parquet", index=False)
    here.run("evaluate")
    page = Path("metrics/articles/model_evaluation.md").read_text()
    assert "asked about no article twice" in page
    assert "agreement with people is not known" in page, "the scores of people are the labels themselves"


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

    assert "no trained model" in publish("--dry-run").exception.what
    for stage in ("train", "evaluate"):
        here.run(stage)
    dry = publish("--dry-run")
    assert dry.stdout.splitlines()[0] == "logged in as someone"
    listed = {line.split()[0] for line in dry.stdout.splitlines() if line.startswith("  ")}
    model = Path("data/articles/train/model")
    files = {file.relative_to(model).as_posix() for file in model.rglob("*") if file.is_file()}
    assert listed == files | {"README.md", "judgement.json"}
    assert "nothing was uploaded" in dry.stdout
    assert not sent

    assert "uploaded to https://hub/someone/judge" in publish("--private").stdout
    assert [name for name, _ in sent] == ["repository", "folder", "README.md", "judgement.json"]
    assert sent[0][1] == ("someone/judge", True, True)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(sent[1][1])
    card = sent[2][1]
    metrics = here.metrics("judgement")["model"]
    assert "\nlibrary_name: winnow\n" in card.split("---")[1]
    assert all(f"| {name} | {value:.4f} |" in card for name, value in metrics.items())
    assert json.loads(sent[3][1]) == {**here.metrics("judgement"), **carried()}

    monkeypatch.setattr(Hub, "user", None)
    assert publish("--dry-run").stdout.startswith("not logged in, as uploading needs: hf auth login")
    refused = publish()
    assert "no one is logged in" in refused.exception.what
    assert len(sent) == 4
    monkeypatch.setattr(Hub, "user", "someone")
    assert "uploaded to" in publish().stdout
    assert sent[4][1] == ("someone/judge", False, True), "public, as --private was not given"
    wrong = CliRunner().invoke(winnow, ["publish", "articles", "--repo", "judge", "--dry-run"])
    assert "no name of a repository" in wrong.exception.what  # type: ignore[union-attr]
