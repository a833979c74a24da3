"""
Memory of training Qwen2.5 with adapters: by arithmetic, and of a random model of 0.5B weights as it is measured.

    python -m benchmarks.articles.memory

What is printed is also in benchmarks/articles/results/memory.json.
"""

import multiprocessing
import os
import tempfile
import threading
import time
from typing import Any

import psutil
import torch
from peft import LoraConfig, get_peft_model
from transformers import Qwen2Config, Qwen2Model

from benchmarks.measure import merge
from winnow.domains.articles.model.network import DTYPES
from winnow.domains.articles.model.pretrained import load_backbone
from winnow.learn.task import adamw

SHAPES: dict[str, dict[str, Any]] = {
    "Qwen2.5-0.5B": {
        "vocab_size": 151_936, "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
        "num_attention_heads": 14, "num_key_value_heads": 2,
    },
    "Qwen2.5-7B": {
        "vocab_size": 152_064, "hidden_size": 3584, "intermediate_size": 18_944, "num_hidden_layers": 28,
        "num_attention_heads": 28, "num_key_value_heads": 4,
    },
}  # fmt: skip
"""As the models' config.json on the hub; there is no head for words."""

RANK, TOKENS = 16, 512


def shares_of(shape: str, dtype: str, *, rank: int, tokens: int = TOKENS) -> dict[str, int]:
    """Bytes of the base, of what is trained (weight, gradient, Adam's two means), and of one article's activations.

    Of 4 bits: the linear layers, with a constant of 8 bits for each 64 weights. Activations are those that gradient
    checkpointing keeps: each block's input, and all of one block.
    """
    given = SHAPES[shape]
    width, inner, layers = given["hidden_size"], given["intermediate_size"], given["num_hidden_layers"]
    keys = width // given["num_attention_heads"] * given["num_key_value_heads"]
    linear = [(width, width), (width, keys), (width, keys), (width, width), *3 * [(width, inner)]]
    packed = layers * sum(a * b for a, b in linear)
    other = given["vocab_size"] * width + width + layers * (2 * width + width + 2 * keys)
    wide = 4 if dtype == "fp32" else 2
    base = other * wide + (packed * wide if dtype != "nf4" else packed // 2 + packed // 64)
    trained = 16 * layers * sum(rank * (a + b) for a, b in linear)
    block = tokens * (8 * width + 2 * keys + 4 * inner)
    return {"base": base, "trained": trained, "activations": 4 * (layers * tokens * width + block)}


def train_steps(folder: str, dtype: str, pipe: Any) -> None:
    """Two steps on one article; sends the highest memory above that before the model is loaded, and its seconds."""
    torch.set_num_threads(1)
    process, most, over = psutil.Process(), [0], threading.Event()
    before = process.memory_info().rss

    def watch() -> None:
        while not over.wait(0.01):
            most[0] = max(most[0], process.memory_info().rss)

    threading.Thread(target=watch, daemon=True).start()
    backbone: Any = load_backbone(folder, dtype)
    loaded = process.memory_info().rss - before
    backbone.gradient_checkpointing_enable({"use_reentrant": False})
    backbone.enable_input_require_grads()
    model = get_peft_model(backbone, LoraConfig(r=RANK, target_modules="all-linear")).train()
    trained = [each for each in model.parameters() if each.requires_grad]
    optimizer = adamw([{"params": trained}], 1e-4, 0.0)
    ids = torch.randint(1000, (1, TOKENS))
    began = time.perf_counter()
    for _ in range(2):
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype != "fp32"):
            model(input_ids=ids).last_hidden_state.float().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    seconds = (time.perf_counter() - began) / 2
    over.set()
    pipe.send({"loaded": loaded, "highest": most[0] - before, "seconds_a_step": round(seconds, 1)})


def measure(dtype: str, folder: str) -> dict[str, Any]:
    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("spawn").Process(target=train_steps, args=(folder, dtype, theirs))
    child.start()
    found: dict[str, Any] = ours.recv()
    child.join()
    return found


def main() -> None:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    gigabytes = {
        f"{shape} {dtype}": {name: round(each / 1e9, 2) for name, each in shares_of(shape, dtype, rank=RANK).items()}
        for shape in SHAPES
        for dtype in DTYPES
    }
    for each in gigabytes.values():
        each["sum"] = round(sum(each.values()), 2)
    shape = "Qwen2.5-0.5B"
    with tempfile.TemporaryDirectory() as folder:
        config = Qwen2Config(**SHAPES[shape])
        Qwen2Model(config).to(torch.bfloat16).save_pretrained(folder)
        found = {dtype: measure(dtype, folder) for dtype in DTYPES}
    measured = {
        dtype: {name: round(each / 1e9, 2) if isinstance(each, int) else each for name, each in row.items()}
        for dtype, row in found.items()
    }
    merge("articles/memory", {"gigabytes_by_arithmetic": gigabytes, f"measured {shape}": measured})


if __name__ == "__main__":
    main()
