"""The average of the network and ridge regression: fitted, chosen, carried with the model, judged as one."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from sklearn.feature_extraction.text import TfidfVectorizer
from typer.testing import CliRunner

from tests.stages.programs import Programs
from tests.stages.test_test_side_is_never_seen import contents
from winnow.domains.articles.cli import app
from winnow.domains.articles.definitions import article_text, read_config
from winnow.domains.articles.model.ridge import TextRidge, fit_ridge
from winnow.domains.articles.model.scoring import choose_share, load_scorer
from winnow.workspace.card import model_card

MODEL = Path("data/articles/train/model")


def test_the_share_of_the_lowest_validation_error_is_chosen() -> None:
    labels = np.array([[1.0, 5.0], [2.0, 4.0]])
    shares = [1.0, 0.75, 0.25, 0.0]
    assert choose_share(labels + 1, labels - 3, labels, shares) == (0.25, 0)
    assert choose_share(labels - 3, labels + 2, labels, shares) == (0.75, 0.75)
    assert choose_share(labels, labels + 1, labels, shares) == (0, 0)
    assert choose_share(labels, labels, labels, shares) == (0, 0), "the least of the ridge that does as well"


def test_a_saved_regression_is_the_fitted_one(tmp_path: Path) -> None:
    words = ["town", "school", "river", "people", "storm", "bread"]
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(words, 12)) + "." for _ in range(60)]
    labels = np.array([[text.count("school"), text.count("storm")] for text in texts], dtype=float)
    given = {"alphas": [0.1, 1.0], "features": 500}
    ridge = fit_ridge((texts[:40], labels[:40]), (texts[40:], labels[40:]), **given)
    ridge.save(tmp_path)
    unseen = ["a school in the storm", "unknown words alone", ""]
    assert np.array_equal(TextRidge.load(tmp_path).predict(unseen), ridge.predict(unseen))

    terms, arrays = json.loads((tmp_path / "ridge.json").read_text()), load_file(tmp_path / "ridge.safetensors")
    counted = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit(texts[:40])
    assert terms["words"] == counted.get_feature_names_out().tolist()
    by_hand = counted.transform(unseen).toarray() @ arrays["coefficients"][:, : len(terms["words"])].T
    counted = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), min_df=3, sublinear_tf=True, max_features=500)
    characters = counted.fit(texts[:40]).transform(unseen).toarray()
    by_hand += characters @ arrays["coefficients"][:, len(terms["words"]) : -3].T + arrays["intercept"]
    lengths = np.log1p([[5, 5, 1], [3, 3, 1], [0, 0, 1]])
    by_hand += (lengths - arrays["centre"]) / arrays["spread"] * 0.1 @ arrays["coefficients"][:, -3:].T
    assert np.allclose(ridge.predict(unseen), by_hand)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_mixture_is_carried_with_the_model_and_judged_as_one(
    share: float, here: Programs, capfd: pytest.CaptureFixture[str]
) -> None:
    here.run("train", ridge_shares=[share])
    line = next(each for each in capfd.readouterr().err.splitlines() if "ridge regression on words" in each)
    assert f"a share of {share:g} in the scores" in line
    assert ("the network has none" in line) == (share == 1)
    here.run("evaluate")
    told = json.loads((MODEL / "training_metadata.json").read_text())["ridge"]
    assert told["share"] == share
    alone = "validation gave the network no share"
    reasons = json.loads(Path("metrics/articles/judgement.json").read_text())["reasons"]
    assert [alone in reason for reason in reasons] == [False] * (len(reasons) - (share == 1)) + [True] * (share == 1)
    labels = here.table("label/scores.parquet").pivot_table(index="article_id", columns="dimension", values="score")

    predictions = here.table("evaluate/predictions.parquet")
    stored = predictions.pivot_table(index="article_id", columns="dimension", values="predicted")
    articles = here.table("ingest/articles.parquet").set_index("article_id").loc[stored.index]
    texts = list(map(article_text, articles["title"], articles["content"]))
    scorer = load_scorer(torch.device("cpu"))
    names, batch = list(scorer.network.scoring.dimensions), here.section("evaluate").batch_size
    long = " ".join(["school"] * 2 * scorer.network.max_length)
    assert scorer.cut([long]) == [share < 1], "ridge regression reads all of a text"
    ridge = TextRidge.load(MODEL / "ridge").predict(texts).clip(0, 10)
    assert f"averaged with ridge regression on TF-IDF (share {share:.0%})" in model_card("articles")
    (MODEL / "mixture.json").rename("aside.json")
    network = load_scorer(torch.device("cpu")).score(texts, batch_size=batch)
    assert np.abs(network - ridge).max() > 0.1
    assert np.allclose(stored[names], (1 - share) * network + share * ridge, atol=1e-4)

    side = predictions.drop_duplicates("article_id").set_index("article_id")["split"]
    held = side.index[side == "val"]
    page = Path("metrics/articles/model_evaluation.md").read_text()
    assert f"(share {share:.0%}, chosen on validation): validation MAE {told['mixture_val_mae']:.3f}" in page
    assert told["mixture_val_mae"] == pytest.approx(
        (stored.loc[held] - labels.loc[held]).abs().to_numpy().mean(), abs=1e-4
    )

    Path("aside.json").rename(MODEL / "mixture.json")
    rows = zip(stored.index, articles["title"], articles["content"], strict=True)
    lines = [json.dumps({"id": name, "title": title, "content": text}) for name, title, text in rows]
    Path("in.jsonl").write_text("\n".join(lines) + "\n")
    assert CliRunner().invoke(app, ["score", "in.jsonl", "--out", "out.jsonl"]).exit_code == 0
    tiers = read_config(Path("data/articles/ingest/config.json")).tiers
    found = set()
    for line in map(json.loads, Path("out.jsonl").read_text().splitlines()):
        analysis = line["uplifting_analysis"]
        scores = analysis["dimensions"]
        assert [scores[name] for name in names] == pytest.approx(stored.loc[line["id"], names].tolist(), abs=1e-3)
        assert analysis["overall"] == pytest.approx(np.mean([scores[name] for name in tiers.of]), abs=1e-3)
        assert analysis["tier"] == [band.name for band in tiers.bands if band.minimum <= analysis["overall"]][-1]
        found.add(analysis["tier"])
    assert len(found) > 1


def test_the_share_is_chosen_on_validation_articles_and_the_regression_fitted_on_training_articles(
    here: Programs,
) -> None:
    shares = [0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0]
    splits = here.table("split/splits.parquet").set_index("article_id")["split"]
    scores = here.table("label/scores.parquet")
    is_val = scores["article_id"].map(splits).eq("val")
    means = scores[~is_val].groupby("dimension")["score"].mean()
    scores.loc[is_val, "score"] = scores.loc[is_val, "dimension"].map(means)  # only the mean is right there
    scores.to_parquet("data/articles/label/scores.parquet", index=False)
    here.run("train", ridge_shares=shares)
    told = json.loads((MODEL / "training_metadata.json").read_text())["ridge"]
    labels = scores.pivot_table(index="article_id", columns="dimension", values="score")
    articles = here.table("ingest/articles.parquet").set_index("article_id")
    (MODEL / "mixture.json").rename("aside.json")
    network, ridge = load_scorer(torch.device("cpu")), TextRidge.load(MODEL / "ridge")
    best, lowest = {}, {}
    for split in ("train", "val"):
        own = splits.index[splits == split]
        true = labels.loc[own, list(network.network.scoring.dimensions)].to_numpy()
        texts = [article_text(*articles.loc[name, ["title", "content"]]) for name in own]
        first, second = network.score(texts, batch_size=8), ridge.predict(texts).clip(0, 10)
        errors = {share: np.abs((1 - share) * first + share * second - true).mean() for share in shares}
        best[split], lowest[split] = min(errors, key=lambda share: errors[share]), min(errors.values())
    assert best["train"] != best["val"], "or this test sees nothing"
    assert told["share"] == best["val"]
    assert told["mixture_val_mae"] == pytest.approx(lowest["val"], abs=1e-4)


def test_test_articles_change_neither_the_regression_nor_its_share(here: Programs) -> None:
    given = {"ridge_shares": [0.0, 0.5, 1.0]}
    here.run("train", **given)
    before = contents(MODEL)
    splits = here.table("split/splits.parquet")
    unseen = splits.loc[splits["split"] == "test", "article_id"]
    for file, column, other in (
        ("ingest/articles.parquet", "content", "the school and the storm"),
        ("label/scores.parquet", "score", 1.0),
    ):
        table = here.table(file)
        table.loc[table["article_id"].isin(unseen), column] = other
        table.to_parquet(Path("data/articles", file), index=False)
    shutil.rmtree(".winnow")
    here.run("train", **given)
    assert contents(MODEL) == before


def test_without_shares_the_model_is_the_network_alone(here: Programs) -> None:
    here.run("train", ridge_shares=[0.5])
    assert (MODEL / "mixture.json").exists()
    here.run("train")
    assert not (MODEL / "mixture.json").exists()
    assert not (MODEL / "ridge").exists()
    assert json.loads((MODEL / "training_metadata.json").read_text()).get("ridge") is None


@pytest.mark.parametrize(("alpha", "sign", "is_noise"), [(0.01, 1, True), (100.0, -1, False)])
def test_penalties_beyond_the_named_ones_are_tried_while_they_are_better(
    alpha: float, sign: int, *, is_noise: bool
) -> None:
    rng = np.random.default_rng(0)
    words = np.array([f"word{letter}" for letter in "abcdefghij"])
    texts = [" ".join(rng.choice(words, 12)) for _ in range(200)]
    labels = np.array([[float(text.count(words[0]))] for text in texts])
    labels = rng.permutation(labels) if is_noise else labels
    sides = (texts[:120], labels[:120]), (texts[120:], labels[120:])
    found = {each: fit_ridge(*sides, alphas=[each], features=500) for each in (alpha, alpha * 3.0 ** (2 * sign))}
    for each in found.values():
        assert sign * np.log(each.alpha / alpha) >= np.log(9), f"{each.alpha:g} is no better than what lies beyond it"


def test_words_that_were_never_seen_are_scored_by_their_letters() -> None:
    """Every word is in one text alone; an ending, not a word, tells the score."""
    rng = np.random.default_rng(3)
    stems = ["".join(rng.choice(list("aeioulmnrst"), 6)) for _ in range(160)]
    endings = rng.permutation([0, 1] * 80)
    texts = [f"about the {stem}{('ing', 'zqx')[ending]}" for stem, ending in zip(stems, endings, strict=True)]
    labels = endings[:, None].astype(np.float64)
    known, new = slice(0, 120), slice(120, None)
    ridge = fit_ridge((texts[known], labels[known]), (texts[new], labels[new]), alphas=[1.0], features=500)
    found = ridge.predict(texts[new])[:, 0]
    assert found[endings[new] == 1].min() > found[endings[new] == 0].max()
