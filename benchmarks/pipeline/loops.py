"""What benchmarks of the training loop share: one epoch of it timed alone, beside the same epoch written by hand."""

import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from winnow.learn import loop
from winnow.learn.settings import TrainingSettings
from winnow.learn.task import Task
from winnow.pipeline.params import Runtime


def epoch_seconds(task: Task, settings: TrainingSettings, steps: int = 0) -> float:
    """
    Processor seconds of one epoch, or of so many steps of it: what else runs on the machine does not count.

    Validation, checkpoints and curves, which a bare loop lacks, are not part of it.
    """
    settings = settings.model_copy(update={"eval_every": steps})
    seconds: list[float] = []
    train = loop._Run.train

    def timed(run: loop._Run, *arguments: object, **named: object) -> NoReturn:
        began = time.process_time()
        train(run, *arguments, **named)  # type: ignore[arg-type]
        seconds.append(time.process_time() - began)
        raise SystemExit  # the rest of the training is not timed

    loop._Run.train = timed  # type: ignore[method-assign]
    try:
        with tempfile.TemporaryDirectory() as folder, suppress(SystemExit):
            loop.fit(
                task,
                settings,
                runtime=Runtime(device="cpu", devices=1, num_workers=0, progress="none", cluster=None),
                folder=Path(folder, "run"),
                curves=Path(folder, "curves"),
                fingerprint="benchmark",
            )
    finally:
        loop._Run.train = train  # type: ignore[method-assign]
    return seconds[0]


def compared(bare: Callable[[], float], ours: Callable[[], float], *, rounds: int, steps: int) -> dict[str, float]:
    """Median milliseconds of a step of each, run in turn so that both see the same machine, and bare over ours."""
    pairs = [(bare(), ours()) for _ in range(rounds)][1:]  # the first round warms up
    return {
        "bare_ms_per_step": round(1000 * statistics.median(by_hand for by_hand, _ in pairs) / steps, 3),
        "loop_ms_per_step": round(1000 * statistics.median(looped for _, looped in pairs) / steps, 3),
        "ratio": round(statistics.median(by_hand / looped for by_hand, looped in pairs), 3),
    }
