"""The network that scores articles: a language model, a pooled vector, a linear head with one output a dimension."""

from pathlib import Path
from typing import Any, Literal, cast

import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PretrainedConfig

from winnow.domains.articles.definitions import Scoring
from winnow.domains.articles.params import Lora
from winnow.learn.bounds import Count, Share

MOST_BLOCKS = 1024
"""Of a language model's blocks, heads or experts in its configuration."""

Pooling = Literal["mean", "last"]
BaseDtype = Literal["fp32", "bf16", "nf4"]

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "nf4": torch.bfloat16}
"""Of the language model's weights in a saved model, and of what is computed from those of 4 bits."""

LENGTH_SCALE = 6.0
"""Logarithm of about 400 words: the length feature is the logarithm of the words by this."""


class Scorer(nn.Module, PyTorchModelHubMixin):
    """Tokens `(articles, tokens)`, their mask, and words `(articles,)` to scores `(articles, dimensions)`.

    `backbone` is a transformers configuration as a mapping. The head's outputs are in units of the training labels'
    standard deviation around their mean (`centre`, `spread`), so that it starts as the mean predictor. A saved model
    carries all that scoring needs besides its tokenizer: dimensions, scale, tiers, and how an article is cut.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        scoring: Scoring,
        *,
        pooling: Pooling,
        dropout: Share,
        length_feature: bool,
        max_length: Count,
        base_dtype: BaseDtype = "fp32",
        loaded: nn.Module | None = None,
    ) -> None:
        """`loaded` is the language model with its weights; without it they are drawn, or read from a saved model."""
        super().__init__()
        self.scoring = scoring
        self.pooling: Pooling = pooling
        self.length_feature = length_feature
        self.max_length = max_length
        self.centre: Tensor
        self.spread: Tensor
        config = config_from(backbone)
        if loaded is None:
            loaded = without_pooler(cast("Any", AutoModel).from_config(config, dtype=DTYPES[base_dtype]))
        self.backbone: nn.Module = loaded
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(config.hidden_size + length_feature, len(scoring.dimensions))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("centre", torch.zeros(len(scoring.dimensions)))
        self.register_buffer("spread", torch.ones(len(scoring.dimensions)))

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.head.weight.device

    def forward(self, input_ids: Tensor, attention_mask: Tensor, words: Tensor) -> Tensor:
        """Scores, not held to the scale."""
        hidden = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state.float()
        mask = attention_mask.to(hidden.dtype)
        if self.pooling == "mean":
            pooled = (hidden * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
        else:
            last = attention_mask.sum(dim=1).clamp(min=1) - 1
            pooled = hidden.gather(1, last[:, None, None].expand(-1, 1, hidden.shape[-1])).squeeze(1)
        pooled = self.dropout(pooled)
        if self.length_feature:
            length = torch.log1p(words.to(pooled.dtype)) / LENGTH_SCALE
            pooled = torch.cat([pooled, length[:, None]], dim=1)
        scores: Tensor = self.centre + self.spread * self.head(pooled).float()
        return scores

    def on_scale(self, scores: Tensor) -> Tensor:
        """The scores, held to the scale: what is given to users and measured."""
        return scores.clamp(self.scoring.low, self.scoring.high)

    def add_lora(self, settings: Lora) -> None:
        """Freeze the language model and add adapters to its linear layers; `saved_names` gives them and the head."""
        from peft import LoraConfig, get_peft_model  # noqa: PLC0415 - a second, which only LoRA needs

        config = LoraConfig(
            r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, target_modules="all-linear"
        )
        self.backbone = get_peft_model(cast("Any", self.backbone), config)

    @property
    def has_lora(self) -> bool:
        return hasattr(self.backbone, "merge_and_unload")

    def _save_pretrained(self, save_directory: Path) -> None:
        """Adapters are merged into the language model, so that a saved model needs neither peft nor its base."""
        if self.has_lora:
            self.backbone = merged(self.backbone)
        super()._save_pretrained(save_directory)


def merged(backbone: nn.Module) -> nn.Module:
    """The language model with its adapters added to its weights, in 32 bits and rounded once.

    `merge_and_unload` adds in the weights' own type; of 4 bits it would round the sum to 4 bits again.
    """
    from peft.tuners.lora import LoraLayer  # noqa: PLC0415

    for name, layer in list(backbone.named_modules()):
        if isinstance(layer, LoraLayer):
            parent, _, own = name.rpartition(".")
            setattr(backbone.get_submodule(parent), own, _summed(cast("Any", layer)))
    return cast("nn.Module", cast("Any", backbone).get_base_model())


def _summed(layer: Any) -> nn.Linear:
    base = layer.get_base_layer()
    weight, dtype = base.weight, base.weight.dtype
    if not dtype.is_floating_point:  # packed, 4 bits each
        from bitsandbytes.functional import dequantize_4bit  # noqa: PLC0415

        base.state_dict()  # on some CPUs scoring has packed the weights in another order; this puts them back
        weight, dtype = dequantize_4bit(base.weight.data, base.weight.quant_state), DTYPES["nf4"]
    whole = nn.Linear(base.in_features, base.out_features, bias=base.bias is not None, device="meta", dtype=dtype)
    with torch.no_grad():
        added = weight.float() + layer.get_delta_weight("default").float()
        whole.weight = nn.Parameter(added.to(dtype))
        if base.bias is not None:
            whole.bias = nn.Parameter(base.bias.to(dtype))
    return whole


def without_pooler(backbone: nn.Module) -> nn.Module:
    """The language model without BERT's pooler, which nothing here reads: DDP waits for the gradients of all."""
    if hasattr(backbone, "pooler"):
        backbone.pooler = None  # type: ignore[assignment]
    return backbone


def saved_names(model: nn.Module) -> list[str]:
    """What a checkpoint holds: everything, or with LoRA the adapters, the head and the buffers of the labels."""
    names = list(model.state_dict())
    if not cast("Scorer", model).has_lora:
        return names
    return [name for name in names if "lora_" in name or not name.startswith("backbone.")]


def config_from(values: dict[str, Any]) -> PretrainedConfig:
    """A transformers configuration from what `config_values` gave."""
    known = dict(values)
    if many := [name for name, value in values.items() if name.startswith("num_") and value and value > MOST_BLOCKS]:
        raise ValueError(f"{', '.join(many)} is more than {MOST_BLOCKS}")
    return AutoConfig.for_model(known.pop("model_type"), **known)


def config_values(config: PretrainedConfig) -> dict[str, Any]:
    """A transformers configuration as a mapping, without attention dropout, which turns off fused attention."""
    values = config.to_diff_dict()
    values["model_type"] = config.model_type
    for name in ("attention_dropout", "attention_probs_dropout_prob"):
        if hasattr(config, name):
            values[name] = 0.0
    for name in ("transformers_version", "_name_or_path", "architectures", "dtype", "torch_dtype"):
        values.pop(name, None)
    return values
