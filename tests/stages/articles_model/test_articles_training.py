"""Training the scorer: a real Qwen2 checkpoint with and without adapters, accumulation, two processes."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel

from stages.articles.train import chosen_validation
from tests.stages.articles_model.trained import QWEN, TRAINED, base, in_two_processes, trained_scores, weights
from tests.stages.programs import Programs
from winnow.domains.articles.definitions import read_config, scoring_of
from winnow.domains.articles.evaluation.results import progression
from winnow.domains.articles.model import pretrained
from winnow.domains.articles.model.network import Scorer, config_values
from winnow.domains.articles.model.pretrained import load_config
from winnow.domains.articles.model.scoring import score_texts
from winnow.domains.articles.model.texts import encode
from winnow.domains.articles.model.training import ScorerTask
from winnow.learn.samplers import BatchShare
from winnow.pipeline.errors import ParamsError, TrainingError


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
    for side in (history[0]["train"], history[0]["val"]):
        for error, mean in (("mae", np.mean), ("rmse", lambda errors: np.mean(np.square(errors)) ** 0.5)):
            own = [value for name, value in side.items() if name.startswith(f"dimension_{error}/")]
            assert len(own) == 8
            assert mean(own) == pytest.approx(side[error], rel=1e-5)
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


def encoder() -> dict[str, Any]:
    """A small BERT, whose tokens read those to their right too, padding included where no mask hides it."""
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    return config_values(BertConfig(vocab_size=300, max_position_embeddings=40, **size))


@pytest.mark.parametrize("is_encoder", [False, True])
@pytest.mark.parametrize(("pooling", "length_feature"), [("mean", False), ("last", False), ("mean", True)])
def test_the_head_reads_the_pooled_tokens_and_the_length_and_no_padding(
    here: Programs, pooling: Any, length_feature: bool, is_encoder: bool
) -> None:
    scoring = scoring_of(read_config(Path("data/articles/ingest/config.json")))
    values = encoder() if is_encoder else load_config(QWEN.as_posix(), here.section("train").network.tiny, 0)
    model = Scorer(values, scoring, pooling=pooling, dropout=0.0, length_feature=length_feature, max_length=32).eval()
    torch.nn.init.normal_(model.head.weight)
    ids = torch.tensor([[5, 9, 7, 3, 8], [4, 6, 0, 0, 0]])
    lengths = [5, 2]
    mask = torch.tensor([[1] * length + [0] * (5 - length) for length in lengths])
    with torch.no_grad():
        words = torch.tensor([7, 400])
        scores = model(ids, mask, words)
        for row, length in enumerate(lengths):
            hidden = model.backbone(input_ids=ids[row : row + 1, :length]).last_hidden_state[0]
            pooled = hidden.mean(dim=0) if pooling == "mean" else hidden[-1]
            if length_feature:
                pooled = torch.cat([pooled, torch.log(words[row : row + 1] + 1) / 6])
            assert torch.allclose(scores[row], model.head(pooled), atol=1e-5)


def test_padding_changes_no_score_of_an_encoder(here: Programs) -> None:
    """Through the batches that scoring makes: BERT reads a padding token that the mask does not hide."""
    scoring = scoring_of(read_config(Path("data/articles/ingest/config.json")))
    model = Scorer(encoder(), scoring, pooling="mean", dropout=0.0, length_feature=False, max_length=40).eval()
    torch.nn.init.normal_(model.head.weight)
    tokenizer = pretrained.load_tokenizer(QWEN.as_posix(), [], 0)
    texts = ["a school", "the people of the town rebuilt the school together " * 3]
    alone, beside = (score_texts(model, tokenizer, given, batch_size=2) for given in (texts[:1], texts))
    assert np.allclose(alone[0], beside[0], atol=1e-4)


def test_scores_are_held_to_the_scale(here: Programs) -> None:
    """The head is linear, and knows no end of a scale; users and metrics do."""
    scoring = scoring_of(read_config(Path("data/articles/ingest/config.json")))
    model = Scorer(encoder(), scoring, pooling="mean", dropout=0.0, length_feature=False, max_length=40).eval()
    tokenizer = pretrained.load_tokenizer(QWEN.as_posix(), [], 0)
    for bias, end in ((100.0, scoring.high), (-100.0, scoring.low)):
        torch.nn.init.constant_(model.head.bias, bias)
        assert (score_texts(model, tokenizer, ["a school"], batch_size=1) == end).all()


def test_an_article_is_drawn_as_often_as_its_weight_says(here: Programs) -> None:
    scoring = scoring_of(read_config(Path("data/articles/ingest/config.json")))
    count = 400
    rows = pd.DataFrame({"article_id": [f"a{n:03d}" for n in range(count)], "title": "", "content": "a school"})
    weights = np.where(np.arange(count) % 4 == 0, 5.0, 1.0)
    rows = rows.assign(split="train", weight=weights / weights.mean(), **dict.fromkeys(scoring.dimensions, 5.0))
    rows = pd.concat([rows, rows.head(5).assign(split="val", weight=np.nan)], ignore_index=True)
    task = ScorerTask(rows, scoring, here.section("train", model_name=QWEN.as_posix()))
    loader = task.loaders("all", BatchShare(20, 1, 1, 0)).train
    drawn = np.concatenate([loader.batch(seed, n)["ids"].numpy() for seed in range(20) for n in range(count // 20)])
    assert len(drawn) == 20 * count
    heavy = (drawn % 4 == 0).mean()
    assert heavy == pytest.approx(5 / 8, abs=0.03), "a quarter of the articles, with 5/8 of the weight"


def test_the_length_of_an_article_counts_words_that_no_token_is_made_of(here: Programs) -> None:
    tokenizer = pretrained.load_tokenizer(QWEN.as_posix(), [], 0)
    found = encode(tokenizer, ["word " * 70, "two words"], max_length=8)
    assert found.lengths.tolist()[0] == 8
    assert found.words.tolist() == [70, 2]


def test_the_loss_is_squared_or_hubers(here: Programs) -> None:
    scoring = scoring_of(read_config(Path("data/articles/ingest/config.json")))
    errors = torch.tensor([[0.2, -0.5, 3.0]])
    squared, huber = (
        ScorerTask(pd.DataFrame(), scoring, here.section("train", loss=loss, huber_delta=0.5)).losses(
            errors + 1, 0 * errors + 1
        )
        for loss in ("mse", "huber")
    )
    assert squared.tolist()[0] == pytest.approx([0.04, 0.25, 9.0])
    assert huber.tolist()[0] == pytest.approx([0.02, 0.125, 0.5 * (3.0 - 0.25)]), "Huber 1964: linear beyond delta"


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
    here.run("train", **given, gradient_accumulation_steps=4)
    pieces = weights()
    assert all(torch.allclose(whole[name], pieces[name], atol=2e-4) for name in whole)
    shutil.rmtree(".winnow")
    here.run("train", **given, gradient_checkpointing=True)
    assert all(torch.allclose(whole[name], each, atol=2e-4) for name, each in weights().items())


@pytest.mark.parametrize("rank", [0, 4])
def test_activations_are_computed_twice_where_that_saves_memory(rank: int, here: Programs) -> None:
    config = read_config(Path("data/articles/ingest/config.json"))
    rows = here.table("ingest/articles.parquet").head(8).assign(split="train", weight=1.0)
    rows = rows.assign(**dict.fromkeys(config.names, 5.0))
    for is_on, expected in ((False, 1), (True, 2)):
        given = here.section("train", **TRAINED, gradient_checkpointing=is_on, lora={"rank": rank})
        task = ScorerTask(rows, scoring_of(config), given)
        model = task.build().train()
        torch.nn.init.normal_(model.head.weight)
        calls: list[int] = []
        block = next(each for name, each in model.named_modules() if name.endswith("layers.0.mlp"))
        block.register_forward_pre_hook(lambda *_, calls=calls: calls.append(1))
        batch = encode(task.tokenizer, rows["content"].tolist(), 16).batch(range(8))
        model(**batch).sum().backward()
        assert len(calls) == expected


def test_two_processes_that_share_the_model_out_train_the_same_one(here: Programs) -> None:
    given = {**TRAINED, "batch_size": 8, "learning_rate": 0.001, "gradient_checkpointing": True}
    given["lora"] = {"rank": 4, "dropout": 0.0}
    here.run("train", **given)
    alone, (before,) = weights(), history()
    shutil.rmtree(".winnow")
    in_two_processes(here, **given, sharded=True)
    (after,) = history()
    assert after["train"]["loss"] == pytest.approx(before["train"]["loss"], rel=1e-4)
    assert after["val"]["mae"] == pytest.approx(before["val"]["mae"], rel=1e-4)
    assert weights().keys() == alone.keys()
    assert all(torch.allclose(alone[name], each, atol=2e-4) for name, each in weights().items())
    assert trained_scores(["a school"]).shape == (1, 8)


def history() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(Path("data/articles/train/model/training_history.json").read_text())[
        "epochs"
    ]
    return found


def test_two_processes_train_the_same_model(here: Programs) -> None:
    """An encoder whose pooler is not read: DDP waits for the gradients of all weights."""
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
    found = progression(history, 1, 10.0)
    assert (found["best_validation"], found["best_val_mae"]) == (2, 0.8), "what was chosen by another metric than MAE"
    here.run("train", epochs=2, learning_rate=1e-9, eval_every=3, early_stopping={"metric": "rmse"})
    folder = Path("data/articles/train/model")
    metadata = json.loads((folder / "training_metadata.json").read_text())
    errors = [each["val"]["rmse"] for each in json.loads((folder / "training_history.json").read_text())["epochs"]]
    assert len(errors) > 2
    assert errors[metadata["best_validation"] - 1] == min(errors)


@pytest.mark.parametrize(
    ("val", "train", "overfitting", "converged"),
    [
        ([1.0, 0.8, 0.9], [0.9, 0.7, 0.5], True, False),
        ([1.0, 0.8, 0.82], [0.9, 0.7, 0.5], False, False),  # hardly worse
        ([1.0, 0.8, 0.9], [0.9, 0.7, 0.75], False, False),  # training got worse as well
        ([1.0, 0.8, 0.8], [0.9, 0.7, 0.5], False, True),
    ],
)
def test_the_curves_tell_overfitting(val: list[float], train: list[float], overfitting: bool, converged: bool) -> None:
    history = [{"val": {"mae": own}, "train": {"mae": other}} for own, other in zip(val, train, strict=True)]
    told = progression(history, best=1, width=10.0)
    assert (told["overfitting"], told["converged"]) == (overfitting, converged)
    assert (told["best_validation"], told["best_val_mae"], told["train_mae_then"]) == (2, 0.8, 0.7)


@pytest.mark.parametrize(
    ("mae", "verdict"),
    [
        (0.99, "good"),
        (1.0, "may need more training"),
        (1.5, "may need more training"),
        (1.51, "retrain"),
    ],
)
def test_the_page_names_a_validation_error_by_its_share_of_the_scale(mae: float, verdict: str) -> None:
    """`good` is below 10% of the scale, `retrain` above 15%: the ends belong to what is between."""
    told = progression([{"val": {"mae": mae}, "train": {"mae": mae}}], best=0, width=10.0)
    assert told["val_mae_verdict"] == verdict
