"""The output of a training: banner, progress bar or lines, warnings, why it stopped and what was selected."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, TypeVar

from torch import nn
from tqdm import tqdm

from winnow.learn.loaders import Loaders
from winnow.learn.settings import Phase
from winnow.measure.direction import higher_is_better
from winnow.pipeline.errors import WinnowError

T = TypeVar("T")

GAP = 0.10
"""difference of train and validation shares above which a warning is printed"""
RISING = 3
"""validations in a row that make a trend"""
SHOWN = 4
"""metrics in the line of a validation"""
EVERY = 60.0
"""seconds between the lines that tell how far an epoch is, where there is no bar"""
DISTINCT = "predictions_distinct"
"""the validation metric that counts how many different predictions there were"""


class Display:
    """Prints on the main process only; `mode` is runtime.progress."""

    def __init__(self, mode: Literal["auto", "bar", "lines", "none"], *, main: bool) -> None:
        self.bar = main and (mode == "bar" or (mode == "auto" and sys.stderr.isatty()))
        self.lines = main and mode != "none"

    def say(self, text: str) -> None:
        if self.lines:
            tqdm.write(text, file=sys.stderr)

    def batches(self, batches: Iterable[Any], title: str, *, total: int, done: int) -> Iterator[Any]:
        """The batches, with a progress bar on a terminal, else with a line every EVERY seconds."""
        if not self.bar:
            yield from told(batches, lambda number: f"{title}: batch {number:,} of {total:,} …", self.say, done)
            return
        with tqdm(batches, desc=title, total=total, initial=done, leave=False, unit="batch") as bar:
            yield from bar


def told(items: Iterable[T], line: Callable[[int], str], say: Callable[[str], object], done: int = 0) -> Iterator[T]:
    """The items; every EVERY seconds `say` gets a line about the number of those that are done, `done` at the start."""
    last = time.monotonic()
    for number, item in enumerate(items, done):
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            say(line(number))
        yield item


def banner(device: str, model: nn.Module, loaders: Loaders, phases: Sequence[Phase], number: int) -> str:
    """Device, data, size and weights at the start of phase `number` (from 0)."""
    phase = phases[number]
    total = sum(parameter.numel() for parameter in model.parameters())
    trainable = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    title = f"phase {number + 1} of {len(phases)}: " if len(phases) > 1 else ""
    lines = [
        f"{title}{phase.subset}, at most {phase.epochs} epochs, learning rate {phase.learning_rate:g}",
        f"  device      {device}",
        f"  parameters  {total:,} ({trainable:,} trainable)",
    ]
    batches = {"train": len(loaders.train.sampler), "val": len(loaders.val)}
    for split, rows in loaders.rows.items():
        lines.append(f"  {split:<10}  {rows:,} rows, {batches[split]:,} batches")
    if len({weight for weight, _ in loaders.weights.values()}) > 1:
        width = max(len(name) for name in loaders.weights)
        lines.append("  weights")
        for name, (weight, rows) in loaders.weights.items():
            lines.append(f"    {name:<{width}}  {weight:8.4f}  ({rows:,} rows)")
    return "\n".join(lines)


def record_line(record: Mapping[str, Any], epochs: int, watched: str, seconds: float, by_class: str = "") -> str:
    """One validation in one line: the watched metric first and at most `SHOWN` metrics; the curves hold all.

    Of a `by_class` of f1, all of f1/0, f1/1 … too.
    """
    part = f", step {record['step']}" if record["step"] else ""
    order = [("val", watched), ("train", watched), ("val", "loss"), ("train", "loss")]
    order += [("val", name) for name in sorted(record["val"]) if "/" not in name and name != DISTINCT]
    found = {key: record[key[0]][key[1]] for key in order if key[1] in record[key[0]]}
    shown = [f"{split} {name} {value:.4g}" for (split, name), value in list(found.items())[:SHOWN]]
    family = {name: value for name, value in record["val"].items() if by_class and name.startswith(f"{by_class}/")}
    own = [f"{name.partition('/')[2]} {value:.2f}" for name, value in family.items()]
    shown += [f"val {by_class} {', '.join(own)}"] if own else []
    ending = [f"lr {record['learning_rate']:.3g}", f"{seconds:.1f} s", *["✓ new best"] * record["best"]]
    return " | ".join([f"epoch {record['epoch']}/{epochs}{part}", *shown, *ending])


def stopped_line(record: Mapping[str, Any], watched: str, patience: int) -> str:
    """Why a phase ended before its last epoch; `record` is its best one."""
    return (
        f"stopped early: val {watched} has not improved for {patience} validations (early_stopping.patience); best: "
        f"{record['val'][watched]:.4g} in epoch {record['epoch']}"
    )


def warnings(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Symptoms after the last record of a training that no earlier record had, so that each is reported once."""
    earlier = [records[:end] for end in range(len(records) - 1, 0, -1)]
    return [
        f"⚠ {text}"
        for kind, text in _symptoms(records)
        if not any(kind in {each for each, _ in _symptoms(part)} for part in earlier)
    ]


def _symptoms(records: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """(kind, text) of every symptom after the last record; a collapse alone, since it explains the others."""
    last = records[-1]
    train, val = last["train"], last["val"]
    if val.get(DISTINCT) == 1:
        yield "collapse", "predictions have collapsed: the prediction is the same for every validation row"
        return
    for name in sorted(train.keys() & val.keys()):
        if _is_share(name, train[name], val[name]) and train[name] - val[name] > GAP:
            points = 100 * (train[name] - val[name])
            yield f"gap {name}", f"overfitting: train-validation gap {points:.0f} points in {name}"
    trend = [record for record in records[-RISING - 1 :] if record["phase"] == last["phase"]]
    losses = [(record["train"].get("loss"), record["val"].get("loss")) for record in trend]
    known = len(losses) == RISING + 1 and None not in {value for pair in losses for value in pair}
    if known and all(new[0] < old[0] and new[1] > old[1] for old, new in pairwise(losses)):
        (_, first), (_, now) = losses[0], losses[-1]
        risen = f"validation loss rose from {first:.4g} to {now:.4g} in {RISING} validations"
        yield "parting", f"overfitting: {risen} while training loss fell"


def _is_share(name: str, train: float, val: float) -> bool:
    try:
        return higher_is_better(name) and 0 <= train <= 1 and 0 <= val <= 1
    except WinnowError:
        return False
