"""A train stage from its task to its outputs: the run folder, the loop, the model and its checkpoints."""

import shutil
from typing import Any, TypeVar, cast

from huggingface_hub import PyTorchModelHubMixin

from winnow.learn.checkpoints import os_errors
from winnow.learn.devices import relaunch
from winnow.learn.loop import fit
from winnow.learn.settings import TrainingSettings
from winnow.learn.task import Result, Task
from winnow.pipeline import ledger
from winnow.pipeline.errors import TrainingError
from winnow.pipeline.parent import orphaned
from winnow.pipeline.runs import mark_finished, run_folder
from winnow.pipeline.stage import Stage

T = TypeVar("T", bound=TrainingSettings)


def train_model(stage: Stage[Any, T], task: Task) -> Result:
    """Train, or resume a killed run of the same fingerprint, and write `model/` and `checkpoints/`.

    Raises TrainingError, and Interrupted on Ctrl+C. The network needs `save_pretrained`.
    """
    relaunch(stage.runtime.devices)
    with run_folder(stage) as folder:
        result = fit(
            task,
            stage.params,
            runtime=stage.runtime,
            folder=folder,
            curves=stage.curves,
            fingerprint=folder.name,
        )
        if orphaned():
            raise TrainingError("dvc was killed meanwhile", fix="run it again: it takes over this finished training")
        model, checkpoints = stage.output("model"), stage.output("checkpoints")
        for target in (model, checkpoints):
            shutil.rmtree(target, ignore_errors=True)
        with os_errors(model):
            cast("PyTorchModelHubMixin", result.model).save_pretrained(model)
        (model / "README.md").unlink(missing_ok=True)  # the hub's model card, all placeholders
        task.save_extras(model)
        shutil.copytree(result.checkpoints, checkpoints)
        mark_finished(folder)
    metric = stage.params.early_stopping.metric
    selected = f"best epoch {result.best['epoch']}, val {metric} {result.best['val'][metric]:.4g}"
    stage.conclude(f"{selected}, model in {model}")
    ledger.note(epoch_seconds=[round(seconds, 3) for seconds in result.epoch_seconds])
    return result
