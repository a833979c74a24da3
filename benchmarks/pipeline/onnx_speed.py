"""ONNX Runtime against PyTorch on the trained networks of this checkout: size, speed and difference, on one thread.

python -m benchmarks.pipeline.onnx_speed      (after `winnow run`)
"""

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.measure import ROOT, report, use_own_kernels
from winnow.domains.load import domain_names, has_module, load
from winnow.learn.onnx import FILES, session

ROWS, REPEATS = (2, 32), 9
"""Of a batch: what is told is of the quicker one, for large pictures that of two."""


def main() -> None:
    use_own_kernels()
    torch.set_num_threads(1)
    figures = {}
    for domain in filter(lambda name: has_module(name, "model.onnx"), domain_names()):
        with tempfile.TemporaryDirectory() as name:
            figures[domain] = measure(domain, Path(name, "model"))
        print(domain, figures[domain], flush=True)
    report("pipeline/onnx_speed", figures)


def measure(domain: str, folder: Path) -> dict[str, float]:
    """Megabytes of each file, and how many times as fast as PyTorch each is."""
    shutil.copytree(ROOT / "data" / domain / "train" / "model", folder)
    found = load(domain, "model.onnx").forward_pass(folder)
    differences = {int8: found.write(folder, int8=int8).partition("at most ")[2].split()[0] for int8 in FILES}
    opened = {int8: session(folder / file) for int8, file in FILES.items()}
    speed = dict.fromkeys(("torch", *FILES.values()), 0.0)
    for rows in ROWS:
        inputs = found.draw(rows, torch.Generator().manual_seed(1))
        arrays = {name: value.numpy() for name, value in inputs.items()}
        calls: dict[str, Callable[[], object]] = {"torch": partial(by_torch, found.network, tuple(inputs.values()))}
        calls |= {FILES[int8]: partial(one.run, None, arrays) for int8, one in opened.items()}
        for name, seconds in medians(calls).items():
            speed[name] = max(speed[name], rows / seconds)
    told = {"torch_rows_per_second": round(speed["torch"], 1)}
    told["torch_megabytes"] = round((folder / "model.safetensors").stat().st_size / 1e6, 2)
    for int8, file in FILES.items():
        kind = "int8" if int8 else "onnx"
        told[f"{kind}_megabytes"] = round((folder / file).stat().st_size / 1e6, 2)
        told[f"{kind}_speed_ratio"] = round(speed[file] / speed["torch"], 2)
        told[f"{kind}_difference"] = float(differences[int8].rstrip("."))
    return told


def by_torch(network: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    with torch.inference_mode():
        network(*inputs)


def medians(calls: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of each call, made in turn; the first ones are not counted."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(REPEATS + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            if turn:
                taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(each) for name, each in taken.items()}


if __name__ == "__main__":
    main()
