"""Metrics of every validation as DVCLive's files, which `dvc plots`, `dvc metrics` and the VS Code extension read."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from winnow.pipeline.errors import TrainingError
from winnow.pipeline.parent import orphaned
from winnow.pipeline.reading import reason


class Curves:
    """
    DVCLive writing into `folder`: `train/…`, `val/…` and `learning_rate`, by validation.

    It deletes what it finds there, so the history is written again after a resume. Nothing is deleted or written once
    the `dvc` that started the training was killed: the folder then belongs to the run after it.
    """

    def __init__(self, folder: Path, history: Iterable[Mapping[str, Any]], watched: str) -> None:
        from dvclive.live import Live  # noqa: PLC0415 - more than a second, which only the main process needs to spend

        self._watched = watched
        self._live: Any = None
        if orphaned():
            return
        try:
            self._live = Live(str(folder), report=None, save_dvc_exp=False, dvcyaml=False, monitor_system=False)
        except OSError:
            raise
        except Exception as error:  # of the databases in DVC's site cache, on a full disk
            raise TrainingError(
                f"DVCLive cannot start: {reason(error)}",
                where=str(folder),
                fix="free some space there and where DVC keeps its site cache (`dvc config core.site_cache_dir`)",
            ) from None
        for number, record in enumerate(history, start=1):
            self.log(number, record)

    def log(self, number: int, record: Mapping[str, Any]) -> None:
        """The record of validation `number`, from 1: the epoch, unless there are several validations in one."""
        if self._live is None or orphaned():
            return
        self._live.step = number
        for split in ("train", "val"):
            for name, value in sorted(record[split].items()):
                self._live.log_metric(f"{split}/{name}", value)
        self._live.log_metric("learning_rate", record["learning_rate"])
        self._summarise(record)

    def finish(self, best: Mapping[str, Any]) -> None:
        """Leave the chosen record's metrics in metrics.json (DVCLive's own `end` would stage files in Git)."""
        if self._live is not None and not orphaned():
            self._summarise(best)

    def _summarise(self, record: Mapping[str, Any]) -> None:
        """Write metrics.json: epoch, losses and the watched metric alone, so that `dvc metrics diff` stays short."""
        val = {name: value for name, value in record["val"].items() if name in {"loss", self._watched}}
        self._live.summary = {"epoch": record["epoch"], "train": {"loss": record["train"]["loss"]}, "val": val}
        self._live.make_summary()


def checked(metrics: Mapping[str, float], where: str) -> dict[str, float]:
    """The metrics as floats; raises TrainingError for one that is not a finite number."""
    plain = {name: float(value) for name, value in metrics.items()}
    wrong = [f"{name} = {value}" for name, value in plain.items() if not math.isfinite(value)]
    if wrong:
        raise TrainingError(
            f"metrics that are not finite numbers: {', '.join(wrong)}",
            where=where,
            fix="leave out a metric that has no rows; else lower learning_rate",
        )
    return plain
