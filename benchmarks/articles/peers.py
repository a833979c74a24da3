"""
The scorer beside transformers' Trainer: the same articles and language model, the same processor time, the same test.

    python -m benchmarks.articles.peers

Both train the small language model of the domain's default, on its tokenizer, with its batch size, learning rate,
warm-up and cosine. The Trainer's network is transformers' own for regression (`AutoModelForSequenceClassification`), on
labels of mean 0 and deviation 1, batches by length, the epoch of the lowest validation loss; it trains for as many
epochs as fit into the processor time of the domain's train program, imports included.
"""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from transformers import (
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    Qwen2Config,
    Trainer,
    TrainingArguments,
)

from benchmarks.measure import clone, processor_seconds, report, run
from benchmarks.pipeline.throughput import prepare, task_of
from winnow.domains.articles.model.training import ScorerTask, texts_of


def rows_of(task: ScorerTask, split: str, centre: Any, spread: Any) -> list[dict[str, Any]]:
    """Tokens and standardised labels of each article of a split."""
    rows = task.split(split)
    tokens = task.tokenizer(texts_of(rows), truncation=True, max_length=task.params.max_length)["input_ids"]
    labels = ((task.labels(rows) - centre) / spread).tolist()
    return [{"input_ids": ids, "labels": label} for ids, label in zip(tokens, labels, strict=True)]


def trainer(task: ScorerTask, sides: dict[str, list[dict[str, Any]]], folder: Path, epochs: int) -> Trainer:
    """A Trainer with the domain's values."""
    torch.manual_seed(task.params.seed)
    params, tiny = task.params, task.params.network.tiny
    labels, pad = len(task.scoring.dimensions), task.tokenizer.pad_token_id
    values = cast("Any", task.build().backbone).config.to_dict()
    config = Qwen2Config(**{**values, "pad_token_id": pad, "num_labels": labels, "problem_type": "regression"})
    assert (config.hidden_size, config.num_hidden_layers) == (tiny.width, tiny.layers)
    arguments = TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=epochs,
        per_device_train_batch_size=params.batch_size,
        per_device_eval_batch_size=64,
        learning_rate=params.learning_rate,
        weight_decay=params.weight_decay,
        lr_scheduler_type="cosine",
        warmup_steps=params.scheduler.warmup,
        max_grad_norm=params.max_grad_norm,
        optim="adamw_torch_fused",
        train_sampling_strategy="group_by_length",
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="loss",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
        seed=params.seed,
        logging_strategy="no",
    )
    return Trainer(
        model=AutoModelForSequenceClassification.from_config(config),
        args=arguments,
        train_dataset=sides["train"],
        eval_dataset=sides["val"],
        data_collator=DataCollatorWithPadding(task.tokenizer),
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(clone(Path(scratch, "winnow")))
        prepare("articles")
        seconds = processor_seconds([sys.executable, "-m", "stages.articles.train"], Path.cwd())
        run([sys.executable, "-m", "stages.articles.evaluate"], Path.cwd())
        judged = pd.read_json(Path("metrics/articles/judgement.json"), typ="series")
        task, settings = task_of("articles")
        assert isinstance(task, ScorerTask)
        torch.set_num_threads(settings.threads)
        labels = task.labels(task.split("train"))
        centre, spread = labels.mean(dim=0), labels.std(dim=0, correction=0)
        sides = {split: rows_of(task, split, centre, spread) for split in ("train", "val", "test")}
        began = time.process_time()
        trainer(task, sides, Path(scratch, "trial"), 1).train()
        epochs = max(1, int(seconds / (time.process_time() - began)))
        chosen = trainer(task, sides, Path(scratch, "chosen"), epochs)
        began = time.process_time()
        chosen.train()
        taken = time.process_time() - began
        predicted = chosen.predict(sides["test"])  # in an order of its own
        outputs, true = (
            torch.from_numpy(np.asarray(each)) * spread + centre
            for each in (predicted.predictions, predicted.label_ids)
        )
        error = float((outputs.clamp(task.scoring.low, task.scoring.high) - true).abs().mean())
    report(
        "articles/peers",
        {
            "winnow": {
                "test_mae": judged["model"]["mae"],
                "seconds": round(seconds, 1),
                "epochs": settings.epochs,
            },
            "transformers_trainer": {"test_mae": round(error, 4), "seconds": round(taken, 1), "epochs": epochs},
            "mae_over_peer": round(judged["model"]["mae"] / error, 4),
        },
    )


if __name__ == "__main__":
    main()
