"""The scorer's training task: the model, the batches, the loss and the validation."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from winnow.domains.articles.definitions import Scoring, article_text
from winnow.domains.articles.model import pretrained
from winnow.domains.articles.model.network import Scorer, saved_names
from winnow.domains.articles.model.ridge import fit_ridge
from winnow.domains.articles.model.scoring import Mixture, choose_share, ridge_scores, score_texts
from winnow.domains.articles.model.texts import SortedLoader, TextLoader, encode
from winnow.domains.articles.params import Train
from winnow.learn.accumulator import Loss
from winnow.learn.loaders import Loaders
from winnow.learn.samplers import BatchShare, LengthBucketSampler
from winnow.learn.task import Task, head_and_body
from winnow.measure.regression import mae, pearson_correlation, rmse
from winnow.pipeline.errors import ParamsError, TableError

VALIDATION_BATCH = 64


@dataclass(frozen=True)
class ScorerTask(Task):
    """A training of the scorer, with what it needs to know of the stages before."""

    example = "score articles.jsonl"

    articles: pd.DataFrame
    """article_id, title, content, split, weight (NaN outside the training split) and one column a dimension"""
    scoring: Scoring
    params: Train

    def split(self, name: str) -> pd.DataFrame:
        """The articles of a split; raises TableError when there is none."""
        rows = self.articles[self.articles["split"] == name]
        if rows.empty:
            raise TableError(f"no article is in the {name} split", fix="raise its share, or use more articles")
        return rows

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        size = self.params.network.tiny.vocabulary
        texts, params = texts_of(self.split("train")), self.params
        return pretrained.load_tokenizer(params.model_name, texts, size, params.model_revision)

    def build(self) -> Scorer:
        """A new network around the pretrained language model, its outputs centred on the training labels."""
        params = self.params
        name, revision, dtype = params.model_name, params.model_revision, params.lora.base_dtype
        config = pretrained.load_config(name, params.network.tiny, len(cast("Any", self.tokenizer)), revision)
        positions = config.get("max_position_embeddings", params.max_length)
        if params.max_length > positions:
            raise ParamsError(
                f"max_length is {params.max_length}, but {params.model_name} reads {positions} tokens at most",
                where="params.yaml: articles.train.max_length",
                fix=f"choose {positions} or less",
            )
        model = Scorer(
            config,
            self.scoring,
            pooling=params.network.pooling,
            dropout=params.network.dropout,
            length_feature=params.network.length_feature,
            max_length=params.max_length,
            base_dtype=dtype,
            loaded=pretrained.load_backbone(name, dtype, revision),
        )
        labels = self.labels(self.split("train"))
        model.centre.copy_(labels.mean(dim=0))
        model.spread.copy_(labels.std(dim=0, correction=0).clamp(min=1e-3))
        if params.gradient_checkpointing:
            cast("Any", model.backbone).gradient_checkpointing_enable({"use_reentrant": False})
        if params.lora.rank:
            model.add_lora(params.lora)
        return model

    def labels(self, rows: pd.DataFrame) -> Tensor:
        """`(articles, dimensions)`."""
        return torch.tensor(rows[list(self.scoring.dimensions)].to_numpy(np.float32))

    def loaders(self, subset: str, share: BatchShare) -> Loaders:
        """Training articles in batches of similar length, and validation articles."""
        del subset  # there is one
        train, val = self.split("train"), self.split("val")
        encoded = [encode(self.tokenizer, texts_of(rows), self.params.max_length) for rows in (train, val)]
        weights = train["weight"].to_numpy(np.float64)
        drawn = None if np.ptp(weights) == 0 else weights
        sampler = LengthBucketSampler(encoded[0].lengths.tolist(), share, drawn)
        return Loaders(
            train=TextLoader(encoded[0], self.labels(train), sampler),
            val=SortedLoader(encoded[1], self.labels(val), VALIDATION_BATCH),
            rows={"train": len(train), "val": len(val)},
        )

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Loss:
        """Mean over the dimensions of the squared error (or Huber's), summed over articles; and absolute errors."""
        scores = model(batch["input_ids"], batch["attention_mask"], batch["words"])
        labels = batch["labels"]
        with torch.no_grad():
            held = scores.detach().clamp(self.scoring.low, self.scoring.high)
            absolute = (held - labels).abs()
        sums = {"mae": absolute.sum(dim=0), "rmse": (absolute**2).sum(dim=0)}  # its root is taken at the epoch's end
        parts = {name: each.mean() for name, each in sums.items()}
        for index, name in enumerate(self.scoring.dimensions):
            parts |= {f"dimension_{error}/{name}": each[index] for error, each in sums.items()}
        return Loss(self.losses(scores, labels).mean(dim=1).sum(), len(labels), parts)

    def losses(self, scores: Tensor, labels: Tensor) -> Tensor:
        if self.params.loss == "huber":
            return functional.huber_loss(scores, labels, reduction="none", delta=self.params.huber_delta)
        return functional.mse_loss(scores, labels, reduction="none")

    def summarise(self, means: Mapping[str, float]) -> dict[str, float]:
        """An epoch's loss, MAE and RMSE, and those of each dimension."""
        return {name: value**0.5 if "rmse" in name.split("/")[0] else value for name, value in means.items()}

    def predict(self, model: nn.Module, batches: Iterable[Mapping[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
        """Scores and labels of each validation article."""
        for batch in batches:
            scores = model(batch["input_ids"], batch["attention_mask"], batch["words"])
            yield {"scores": scores.float(), "labels": batch["labels"]}

    def metrics(self, rows: Mapping[str, Tensor]) -> dict[str, float]:
        """Loss as in training, MAE and RMSE, overall and of each dimension, and the mean Pearson correlation."""
        scores, labels = rows["scores"], rows["labels"]
        held = scores.clamp(self.scoring.low, self.scoring.high).double().numpy()
        true = labels.double().numpy()
        correlations = [pearson_correlation(held[:, i], true[:, i]) for i in range(true.shape[1])]
        return {
            "loss": float(self.losses(scores, labels).mean()),
            "mae": mae(held, true),
            "rmse": rmse(held, true),
            "pearson_correlation": float(np.mean(np.nan_to_num(correlations))),
            **{
                f"dimension_{error.__name__}/{name}": error(held[:, i], true[:, i])
                for error in (mae, rmse)
                for i, name in enumerate(self.scoring.dimensions)
            },
        }

    def parameter_groups(self, model: nn.Module) -> list[dict[str, Any]]:
        """The language model at the learning rate, the head at its factor of it."""
        return head_and_body(model, lambda name: name.startswith("head."), head=self.params.network.head_lr_factor)

    def state_dict_keys(self, model: nn.Module) -> Collection[str]:
        """All of a small model, of one with adapters only what is trained."""
        return saved_names(model)

    def fsdp_modules(self, model: nn.Module) -> list[nn.Module]:
        """The blocks of the language model, when it is to be sharded over the devices."""
        lists = [each for each in model.modules() if isinstance(each, nn.ModuleList)]
        return [block for each in lists for block in each] if self.params.sharded else []

    def save_extras(self, folder: Path) -> None:
        """The tokenizer, which scoring needs besides the network."""
        self.tokenizer.save_pretrained(folder / "tokenizer")

    def mixture(self, network: nn.Module, device: torch.device) -> tuple[Mixture, float]:
        """Ridge regression on the training articles, with the share that is best on validation; the MAE there."""
        params, scorer = self.params, cast("Scorer", network).to(device).eval()
        train, val = (
            (texts_of(rows), self.labels(rows).double().numpy()) for rows in map(self.split, ("train", "val"))
        )
        ridge = fit_ridge(train, val, alphas=params.ridge_alphas, features=params.ridge_features)
        own = score_texts(scorer, self.tokenizer, val[0], batch_size=VALIDATION_BATCH)
        by_ridge = ridge_scores(ridge, scorer, val[0])
        share, error = choose_share(own, by_ridge, val[1], params.ridge_shares)
        return Mixture(ridge, share), error


def texts_of(rows: pd.DataFrame) -> list[str]:
    return [article_text(title, content) for title, content in zip(rows["title"], rows["content"], strict=True)]
