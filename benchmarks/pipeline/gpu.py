"""
Trainings on a GPU beside those on the processor: figures, bytes after a kill, several processes, the loader's share.

    sh benchmarks/gpu.sh [cuda|cpu] [DOMAIN ...]

For each domain, the embedded data are prepared once on the processor. Then its default is trained and evaluated on the
processor, on the GPU in 32 bits, in bf16 and in fp16, in two processes (on one GPU if there is no second), and once
more after a kill in the middle. `loader` is the time in which one thread makes batches, over the time in which the
device trains on them: above the number of `num_workers`, the device waits. Articles also train a random network of the
shape of Qwen2.5-0.5B with LoRA, alone and sharded (FSDP). A step that fails is told as failed, and the next one goes
on. With `cpu` in place of `cuda` all of it but fp16 runs on the processor, with two layers of Qwen's, and nothing is
kept.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import Qwen2Config, Qwen2Model

from benchmarks.articles.memory import SHAPES
from benchmarks.measure import clone, merge, run
from benchmarks.pipeline.throughput import apart, prepare, task_of
from winnow.domains.load import domain_names
from winnow.learn.samplers import BatchShare
from winnow.pipeline import presets
from winnow.pipeline.params import PARAMS_FILE

Changes = Mapping[str, Any]
QWEN = "Qwen2.5-0.5B"


def program(domain: str, verb: str) -> list[str]:
    return [sys.executable, "-m", f"stages.{domain}.{verb}"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": "src"}


def forget(domain: str) -> None:
    """Earlier trainings: the device is in no fingerprint, so that a finished one would be used again."""
    shutil.rmtree(Path(".winnow/train", domain), ignore_errors=True)


def train(domain: str, changes: Changes, untouched: str) -> float:
    """Train anew with these params; gives the seconds of wall time."""
    PARAMS_FILE.write_text(untouched)
    presets.apply(dict(changes), PARAMS_FILE)
    forget(domain)
    return run(program(domain, "train"), Path.cwd())


def headline(domain: str) -> dict[str, float]:
    """The headline metric of the model that was trained last, with its interval."""
    run(program(domain, "evaluate"), Path.cwd())
    found = json.loads(Path("metrics", domain, "evaluate.json").read_text())
    name = next(key.removesuffix("_low") for key in found if key.endswith("_low"))
    return {name: found[name], "low": found[f"{name}_low"], "high": found[f"{name}_high"]}


def weights(domain: str) -> dict[str, torch.Tensor]:
    return load_file(Path("data", domain, "train/model/model.safetensors"))


def largest_difference(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> float:
    """Of two models' weights; 0 means equal bytes."""
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


def trained(domain: str, changes: Changes, untouched: str) -> dict[str, Any]:
    seconds = train(domain, changes, untouched)
    return {"seconds": round(seconds, 1), **headline(domain)}


def killed_and_resumed(domain: str, changes: Changes, untouched: str) -> dict[str, Any]:
    """Trained without a disturbance, and again, killed in the middle and started anew."""
    seconds = train(domain, changes, untouched)
    whole = weights(domain)
    forget(domain)
    running = subprocess.Popen(
        program(domain, "train"), env=environment(), start_new_session=True, stderr=subprocess.DEVNULL
    )
    time.sleep(seconds * 0.7)
    killed = running.poll() is None
    if killed:
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    run(program(domain, "train"), Path.cwd())
    return {"killed": killed, "largest_difference": largest_difference(whole, weights(domain))}


def loader_share(domain: str, device: str) -> float:
    """Seconds in which one thread makes batches, over those in which the device trains on them."""

    def measure() -> float:
        task, settings = task_of(domain)
        phase = settings.curriculum[0]
        share = BatchShare(settings.batch_size, settings.gradient_accumulation_steps, 1, 0)
        loader = task.loaders(phase.subset, share).train
        count = min(len(loader.sampler), 50)
        began = time.perf_counter()
        batches = [loader.batch(0, index) for index in range(count)]
        making = time.perf_counter() - began
        model = task.build().to(device).train()
        moved = [{name: on(each, device) for name, each in {**batch, **task.constants}.items()} for batch in batches]
        for batch in moved[:3]:
            task.loss(model, batch).total.backward()
        if device == "cuda":
            torch.cuda.synchronize()
        began = time.perf_counter()
        for batch in moved:
            task.loss(model, batch).total.backward()
        if device == "cuda":
            torch.cuda.synchronize()
        return making / (time.perf_counter() - began)

    return round(apart(measure)[0], 3)


def on(value: Any, device: str) -> Any:
    return value.to(device) if hasattr(value, "to") else value


def qwen(device: str, *, sharded: bool) -> Changes:
    """Articles' params for a random network of Qwen2.5's shape, with LoRA."""
    folder = Path("data/source/articles/qwen")
    if not folder.exists():
        shape = SHAPES[QWEN] if device == "cuda" else {**SHAPES[QWEN], "num_hidden_layers": 2, "vocab_size": 8000}
        Qwen2Model(Qwen2Config(**shape)).to(torch.bfloat16).save_pretrained(folder)
        tokenizer = Path("data/articles/train/model/tokenizer")
        shutil.copytree(tokenizer, folder, dirs_exist_ok=True)
    return {
        "articles.train.model_name": str(folder),
        "articles.train.lora.rank": 16,
        "articles.train.lora.base_dtype": "bf16",
        "articles.train.precision": "bf16",
        "articles.train.epochs": 1,
        "articles.train.gradient_checkpointing": True,
        "articles.train.network.pooling": "last",
        "articles.train.sharded": sharded,
        "runtime.device": device,
        "runtime.devices": 2 if sharded else 1,
    }


def steps(domain: str, device: str, untouched: str) -> dict[str, Callable[[], Any]]:
    """What is measured of a domain, by name."""
    there = {"runtime.device": device}
    precision = f"{domain}.train.precision"
    found: dict[str, Callable[[], Any]] = {
        "processor": lambda: trained(domain, {"runtime.device": "cpu"}, untouched),
        "fp32": lambda: trained(domain, there, untouched),
        "bf16": lambda: trained(domain, {**there, precision: "bf16"}, untouched),
        "killed": lambda: killed_and_resumed(domain, there, untouched),
        "two processes": lambda: trained(domain, {**there, "runtime.devices": 2}, untouched),
        "loader": lambda: loader_share(domain, device),
    }
    if device == "cuda":
        found["fp16"] = lambda: trained(domain, {**there, precision: "fp16"}, untouched)
    if domain == "articles":
        found[f"{QWEN} with LoRA"] = lambda: trained(domain, qwen(device, sharded=False), untouched)
        found[f"{QWEN} with LoRA, sharded"] = lambda: trained(domain, qwen(device, sharded=True), untouched)
    return found


def measured(domain: str, device: str) -> dict[str, Any]:
    prepare(domain)
    untouched, found = PARAMS_FILE.read_text(), {}
    for name, step in steps(domain, device, untouched).items():
        try:
            found[name] = step()
        except (SystemExit, Exception) as error:  # the steps after it are measured all the same
            found[name] = {"failed": str(error)[-1500:]}
        print(f"{domain}, {name}: {found[name]}", file=sys.stderr, flush=True)
    PARAMS_FILE.write_text(untouched)
    return found


def main() -> None:
    device, *domains = sys.argv[1:] or ["cuda"]
    torch.set_num_threads(1)  # a process with threads of its own cannot be forked
    if device == "cuda" and not torch.cuda.is_available():
        sys.exit(
            "no GPU is seen here: `winnow doctor` says more; `sh benchmarks/gpu.sh cpu` tries the script without one"
        )
    name = torch.cuda.get_device_name() if device == "cuda" else "cpu"
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(clone(Path(scratch, "winnow")))
        for domain in domains or domain_names():
            found = measured(domain, device)
            if device == "cuda":
                merge("pipeline/gpu", {"device": name, domain: found})


if __name__ == "__main__":
    main()
