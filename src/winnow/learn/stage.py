"""A train stage from its task to its outputs: the run folder, the loop, the model and its checkpoints."""

import shutil
from typing import Any, TypeVar, cast

from huggingface_hub import PyTorchModelHubMixin

from winnow.learn.checkpoints import os_errors
from winnow.learn.devices import relaunch
from winnow.learn.loop import fit
from winnow.learn.settings import TrainingSettings, told_values
from winnow.learn.task import Result, Task
from winnow.pipeline import ledger
from winnow.pipeline.errors import TrainingError
from winnow.pipeline.files import write_text
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
            task, stage.params, runtime=stage.runtime, folder=folder, curves=stage.curves, fingerprint=folder.name
        )
        if orphaned():
            raise TrainingError("dvc was killed meanwhile", fix="run it again: it takes over this finished training")
        model, checkpoints = stage.output("model"), stage.output("checkpoints")
        for target in (model, checkpoints):
            shutil.rmtree(target, ignore_errors=True)
        with os_errors(model):
            cast("PyTorchModelHubMixin", result.model).save_pretrained(model)
        write_text(model / "README.md", readme(stage, task, result))  # not the hub's placeholders
        task.save_extras(model)
        shutil.copytree(result.checkpoints, checkpoints)
        mark_finished(folder)
    metric = stage.params.early_stopping.metric
    selected = f"best epoch {result.best['epoch']}, val {metric} {result.best['val'][metric]:.4g}"
    stage.conclude(f"{selected}, model in {model}")
    ledger.note(epoch_seconds=[round(seconds, 3) for seconds in result.epoch_seconds])
    return result


def told_training(params: TrainingSettings, last_epoch: int) -> str:
    """The values of a training, and when it ended before its last epoch; phases say "at most" of theirs."""
    told = told_values(params.model_dump())
    stopped = [f"stopped early, after epoch {last_epoch}"] * (not params.phases and last_epoch < params.epochs)
    return "; ".join([*told, *stopped])


def readme(stage: Stage[Any, T], task: Task, result: Result) -> str:
    """What the model in a folder is, and how to use it; `winnow export` adds what only evaluate knows."""
    domain, metric, epoch = stage.domain, stage.params.early_stopping.metric, result.best_epoch
    chosen = f"epoch {epoch}, the best" if stage.params.select == "best" else f"the last epoch, {epoch}, watched"
    values = "".join(f"| {name} | {value:.4g} |\n" for name, value in sorted(result.best["val"].items()))
    return (
        f"# A model of winnow: {domain}\n\n"
        f"These are the weights of {chosen} by `{metric}` on the validation split.\n\n"
        "## Use\n\n"
        "In any folder, with winnow installed and no checkout:\n\n"
        f"    winnow {domain} {task.example} --model .\n"
        f"    winnow {domain} --help\n\n"
        "In the checkout that trained it, without `--model`.\n\n"
        f"## Training\n\n{told_training(stage.params, result.history[-1]['epoch'])}.\n\n"
        "## Validation\n\n"
        "The epoch, and thresholds where there are some, were chosen on these rows: test results are worse.\n\n"
        f"| metric | validation |\n| --- | --- |\n{values}\n"
        "## Test results, limits and licence\n\n"
        "They come with the evaluation, which follows the training: with intervals, baselines and the verdict\n"
        f"they are in the card that `winnow export {domain} model` and `winnow publish {domain}` write into a\n"
        "copy of this folder, beside `judgement.json`.\n"
    )
