"""
Every domain's training beside a bare PyTorch loop: steps a second and peak memory, on the embedded data.

    python -m benchmarks.pipeline.throughput [DOMAIN ...]    # ratio = bare time / our time

Both train the network of the domain's default on the batches of its own loader, by its own loss: the bare loop is what
one would write around them, without resuming, averages, counts and checks. Processor time, in turns, each in a process
of its own, so that its peak memory is its own too; what both import and load before is part of both peaks.
"""

import importlib
import os
import pickle
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import torch
from torch import nn

from benchmarks.measure import clone, merge, run
from benchmarks.pipeline.loops import epoch_seconds
from winnow.domains.load import domain_names, load
from winnow.learn import devices
from winnow.learn.samplers import BatchShare
from winnow.learn.settings import TrainingSettings
from winnow.learn.task import Task
from winnow.pipeline.params import PARAMS_FILE, Document, Runtime
from winnow.pipeline.stage import Stage

VERBS = ("ingest", "filter", "label", "split", "weight")
ROUNDS = 5
SECONDS = 6.0
"""About how long a side is measured in a round."""


def prepare(domain: str) -> None:
    """The domain's data stages, in the current folder."""
    for program in ("check", *(f"{domain}.{verb}" for verb in VERBS)):
        run([sys.executable, "-m", f"stages.{program}"], Path.cwd())


def task_of(domain: str) -> tuple[Task, TrainingSettings]:
    """What the domain's train program hands to the loop, for the embedded data in the current folder."""
    found: list[tuple[Task, TrainingSettings]] = []

    def instead(stage: Stage[Any, Any], task: Task) -> NoReturn:
        found.append((task, stage.params))
        raise SystemExit  # before the training

    document, models = Document(PARAMS_FILE), load(domain, "params").Params
    common, params = (
        document.section((domain, name), models.model_fields[name].annotation) for name in ("common", "train")
    )
    runtime = document.section(("runtime",), Runtime)
    program = importlib.import_module(f"stages.{domain}.train")
    with mock.patch.object(program, "train_model", instead), suppress(SystemExit):
        program.main(Stage(domain, "train", common, params, runtime, document.content["seed"]))
    return found[0]


def bare(task: Task, settings: TrainingSettings, steps: int) -> float:
    """Processor seconds of so many steps as one would write them by hand."""
    devices.make_deterministic(settings.threads)
    devices.seed_epoch(settings.seed, 0, 0, rank=0)
    model, phase, pieces = task.build().train(), settings.curriculum[0], settings.gradient_accumulation_steps
    optimizer = torch.optim.AdamW(model.parameters(), phase.learning_rate, weight_decay=0.01, fused=True)
    loader = task.loaders(phase.subset, BatchShare(settings.batch_size, pieces, 1, 0)).train
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    total, began = 0.0, time.process_time()
    for step in range(steps):
        for piece in range(pieces):
            loss = task.loss(model, {**loader.batch(0, step * pieces + piece), **task.constants})
            (loss.total / loss.count / pieces).backward()
            total += loss.total.item()
        if settings.max_grad_norm:
            nn.utils.clip_grad_norm_(model.parameters(), settings.max_grad_norm)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return time.process_time() - began


def apart(measure: Callable[[], float]) -> tuple[float, float]:
    """The figure, and the peak memory in MiB of the process that measured it."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        value = measure()
        os.write(write, pickle.dumps((value, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)))
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pipe.read()
    if os.waitpid(child, 0)[1]:
        sys.exit("a side ended with an error, see above")
    figure: tuple[float, float] = pickle.loads(answer)
    return figure


def measured(domain: str) -> dict[str, float]:
    """Both sides, in turns."""
    task, settings = task_of(domain)
    settings = settings.model_copy(update={"phases": [], "epochs": 1, "subset": settings.curriculum[0].subset})
    share = BatchShare(settings.batch_size, settings.gradient_accumulation_steps, 1, 0)
    every = len(task.loaders(settings.subset, share).train.sampler) // settings.gradient_accumulation_steps
    trial = min(every, 5)
    steps = max(trial, min(every, int(SECONDS / (apart(partial(bare, task, settings, trial))[0] / trial))))
    sides = {"bare": partial(bare, task, settings, steps), "loop": partial(epoch_seconds, task, settings, steps)}
    rounds = [{name: apart(side) for name, side in sides.items()} for _ in range(ROUNDS)]
    median = {name: [statistics.median(each[name][part] for each in rounds) for part in range(2)] for name in sides}
    return {
        "steps": steps,
        "bare_ms_per_step": round(1000 * median["bare"][0] / steps, 3),
        "loop_ms_per_step": round(1000 * median["loop"][0] / steps, 3),
        "ratio": round(statistics.median(each["bare"][0] / each["loop"][0] for each in rounds), 3),
        "bare_peak_mib": round(median["bare"][1], 1),
        "loop_peak_mib": round(median["loop"][1], 1),
        "memory_ratio": round(median["loop"][1] / median["bare"][1], 3),
    }


def main() -> None:
    torch.set_num_threads(1)  # a process with threads of its own cannot be forked
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(clone(Path(scratch, "winnow")))
        for domain in sys.argv[1:] or domain_names():
            prepare(domain)
            merge("pipeline/throughput", {domain: measured(domain)})


if __name__ == "__main__":
    main()
