"""
The training loop of every domain.

A training is phases of epochs of steps. Whatever decides how it goes on is a function of the params, the seed and the
history of metrics, so that a training killed at any moment and run again ends in the same bytes:

    phases → epochs → batches → (micro-batches) → step
    each phase: the weights selected in the phase before, a fresh optimiser, learning rates from the start
    each epoch: seed everything, train, validate on the main process, record, save
"""

import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from winnow.learn import devices
from winnow.learn.checkpoints import WEIGHTS, Checkpoints, Progress, load_weights
from winnow.learn.curves import Curves, checked
from winnow.learn.interrupt import Interrupted, StopRequest, interruption_message, stop_request
from winnow.learn.loaders import Loaders
from winnow.learn.progress import Display, banner, epoch_line, warnings
from winnow.learn.samplers import BatchShare
from winnow.learn.schedulers import Schedule, best_epoch, epochs_without_gain, reductions
from winnow.learn.settings import Phase, Training
from winnow.learn.stepper import Stepper
from winnow.learn.tally import Tally
from winnow.learn.task import Result, Task
from winnow.measure.direction import higher_is_better
from winnow.pipeline.errors import TrainingError
from winnow.pipeline.params import Runtime

SETTLE_EVERY = 50
"""batches after which losses are fetched from the device and looked at"""


def fit(task: Task, settings: Training, *, runtime: Runtime, folder: Path, curves: Path, fingerprint: str) -> Result:
    """
    Train, or go on with the training in `folder`, or give the finished one.

    `folder` is this fingerprint's own; `curves` is where DVCLive writes. With several processes only the main one
    returns, the others leave with exit code 0. Raises TrainingError, and Interrupted on Ctrl+C and SIGTERM.
    """
    with stop_request() as stop:
        checkpoints = Checkpoints(folder, fingerprint, settings.model_dump())
        run = _Run(task, settings, runtime=runtime, checkpoints=checkpoints, curves=curves, stop=stop)
        for number, phase in enumerate(settings.curriculum):
            if number >= run.progress.phase and not run.is_over(phase, run.values(number)):
                run.run_phase(number, phase)
        return run.finish()


class _Run:
    """One training under way: the model, its checkpoints, and where it stands."""

    def __init__(
        self,
        task: Task,
        settings: Training,
        *,
        runtime: Runtime,
        checkpoints: Checkpoints,
        curves: Path,
        stop: StopRequest,
    ) -> None:
        self.task, self.settings, self.checkpoints, self.stop = task, settings, checkpoints, stop
        self.team = devices.Team(devices.start(runtime.device, settings))
        self.share = BatchShare(settings.batch_size, settings.accumulation, self.team.size, self.team.rank)
        self.display = Display(runtime.progress, main=self.team.main)
        self.higher = higher_is_better(settings.early_stopping.metric)
        self.seconds: list[float] = []
        self.resumed = self.team.on_main(checkpoints.resume)
        self.progress = checkpoints.progress() if self.resumed else Progress()
        devices.seed_epoch(settings.seed, 0, 0, rank=0)
        model = task.build()
        if self.resumed:
            load_weights(model, checkpoints.path("last"))
            self.display.say(f"going on after epoch {len(self.progress.history)}, batch {self.progress.batch}")
        elif settings.start_from is not None:
            left_out = load_weights(model, Path(settings.start_from))
            self.display.say(f"weights from {settings.start_from}{', but not ' * bool(left_out)}{', '.join(left_out)}")
        self.model: nn.Module = self.team.accelerator.prepare(model)  # wrapped for mixed precision and DDP
        self.bare: nn.Module = self.team.accelerator.unwrap_model(self.model)
        self.curves = Curves(curves, self.progress.history) if self.team.main else None

    def run_phase(self, number: int, phase: Phase) -> None:
        """Epochs until the phase's last, or until early stopping."""
        stepper = Stepper(self.task.groups(self.bare), self.settings, phase, self.team.accelerator.scaler)
        if self.resumed and self.progress.phase == number:
            self.checkpoints.load_optimizer(stepper.optimizer)
            stepper.load_scale(self.progress.scaler)
        elif number > 0:
            if self.settings.select == "best":
                load_weights(self.bare, self.checkpoints.path("best"))
            self.progress.phase = number
            self.save(stepper, "last")  # before this phase writes a `best` of its own
        loaders = self.task.loaders(phase.subset, self.share)
        about = devices.describe(self.team.accelerator, self.settings.precision)
        self.display.say(banner(about, self.bare, loaders, self.settings.curriculum, number))
        while not self.is_over(phase, self.values(number)):
            started = time.perf_counter()
            self.run_epoch(phase, loaders, stepper)
            self.seconds.append(time.perf_counter() - started)
            self.stop_if_asked(stepper)

    def run_epoch(self, phase: Phase, loaders: Loaders, stepper: Stepper) -> None:
        """Train, validate, record, save."""
        progress, watched = self.progress, self.settings.early_stopping.metric
        epoch = len(progress.history) + 1
        values = self.values(progress.phase)
        train = self.train(phase, loaders, stepper, done=values)
        val = checked(self.team.on_main(lambda: self.validate(loaders)), f"validation, {self.place}")
        if watched not in val:
            raise TrainingError(
                f"early_stopping.metric {watched!r} is not among the validation metrics",
                where=self.place,
                fix=f"choose one of {', '.join(sorted(val))}",
            )
        values.append(val[watched])
        best = best_epoch(values, higher=self.higher) == len(values) - 1
        record: dict[str, Any] = {"epoch": epoch, "phase": progress.phase, "best": best, "learning_rate": stepper.rate}
        record |= {"train": train, "val": val}
        progress.history.append(record)
        progress.batch, progress.sums, progress.random = 0, {}, []
        self.display.say(epoch_line(record, epoch - len(values) + phase.epochs))
        for line in warnings(self.records(progress.phase)):
            self.display.say(line)
        if best:
            self.save(stepper, "best")
        if self.settings.checkpoint_every and epoch % self.settings.checkpoint_every == 0:
            self.save(stepper, f"epoch_{epoch:04d}")
            self.team.on_main(lambda: self.checkpoints.prune(self.settings.keep))
        self.save(stepper, "last")  # last, so that an epoch cut off by a kill is run again whole
        if self.curves:
            self.curves.log(record)

    def train(self, phase: Phase, loaders: Loaders, stepper: Stepper, done: list[float]) -> dict[str, float]:
        """One epoch of steps, or what is left of it; gives the means of the loss and its parts."""
        progress, share, accelerator = self.progress, self.share, self.team.accelerator
        total = len(loaders.train)
        steps = -(-total // share.accumulation)
        schedule = Schedule(self.settings.scheduler, phase.learning_rate, steps, phase.epochs)
        drops = reductions(done, higher=self.higher, patience=self.settings.scheduler.patience)
        seed = devices.seed_epoch(self.settings.seed, progress.phase, len(done) + 1, rank=share.rank)
        if share.rank < len(progress.random):
            devices.restore_random_state(progress.random[share.rank], self.checkpoints.random(share.rank))
        tally = Tally(progress.sums, accelerator.gather)
        self.model.train()
        first = progress.batch
        batches = self.display.batches(loaders.train.epoch(seed, first), self.place, total=total, done=first)
        for index, batch in enumerate(batches, start=first):
            step_now = (index + 1) % share.accumulation == 0 or index + 1 == total
            with nullcontext() if step_now else accelerator.no_sync(self.model):
                loss = tally.add(self.task.loss(self.model, self.team.to_device(batch)))
                accelerator.backward(loss)  # divides by the number of micro-batches
            if step_now:
                step = index // share.accumulation
                stepper.step(schedule.rate(len(done) * steps + step, drops))
                progress.batch = index + 1
                self.after_step(tally, loaders, stepper, step=step, seed=seed, total=total)
        return checked(self.task.summarise(tally.means()), f"training, {self.place}")

    def after_step(self, tally: Tally, loaders: Loaders, stepper: Stepper, *, step: int, seed: int, total: int) -> None:
        """Now and then between steps: look at the losses, save, stop when asked to."""
        every = self.settings.checkpoint_steps
        save_now = every > 0 and (step + 1) % every == 0
        asked = self.stop.signum and self.team.size == 1  # several processes agree when they settle
        end = self.progress.batch == total
        if not (len(tally) >= SETTLE_EVERY or save_now or asked or end):
            return
        first = self.progress.batch - len(tally)
        if bad := tally.settle():
            batch = next(iter(loaders.train.epoch(seed, first + bad[0])))
            ids = batch.get("ids") if isinstance(batch, Mapping) else None
            rows = "" if ids is None else f", rows {(ids.tolist() if isinstance(ids, Tensor) else list(ids))[:32]}"
            raise TrainingError(
                f"the loss is {bad[1]}: training cannot go on",
                where=f"{self.place}, batch {first + bad[0] + 1}{rows}",
                fix="lower learning_rate, set clip_norm (1.0), or look at these rows; earlier checkpoints stand",
            )
        self.progress.sums = tally.sums
        if not end:
            self.stop_if_asked(stepper)
            if save_now:
                self.save(stepper, "last")

    def validate(self, loaders: Loaders) -> dict[str, float]:
        """The domain's metrics, on this process alone."""
        self.bare.eval()
        with torch.inference_mode():
            return dict(self.task.validate(self.bare, loaders.val))

    @property
    def place(self) -> str:
        return f"phase {self.progress.phase + 1}, epoch {len(self.progress.history) + 1}"

    def records(self, number: int) -> list[dict[str, Any]]:
        """The finished epochs of a phase."""
        return [record for record in self.progress.history if record["phase"] == number]

    def values(self, number: int) -> list[float]:
        """The watched metric in the finished epochs of a phase."""
        return [record["val"][self.settings.early_stopping.metric] for record in self.records(number)]

    def is_over(self, phase: Phase, values: list[float]) -> bool:
        """Whether a phase has had all its epochs, or has stopped getting better."""
        rule = self.settings.early_stopping
        waited = epochs_without_gain(values, higher=self.higher, min_delta=rule.min_delta)
        return len(values) >= phase.epochs or 0 < rule.patience <= waited

    def save(self, stepper: Stepper, name: str) -> None:
        """Write a checkpoint on the main process; the others wait."""
        self.progress.scaler = stepper.scale()
        random: dict[str, Tensor] = {}
        if self.progress.batch:
            states = self.team.gathered(devices.random_state())
            self.progress.random = [values for values, _ in states]
            random = {f"{rank}.{key}": state for rank, (_, own) in enumerate(states) for key, state in own.items()}
        if self.team.main:
            self.checkpoints.save(name, self.bare, stepper.optimizer, self.progress, random)
        self.team.wait()

    def stop_if_asked(self, stepper: Stepper) -> None:
        """Save and leave when a process was told to stop."""
        signum = self.team.highest(self.stop.signum)
        if signum:
            self.save(stepper, "last")
            self.team.on_main(lambda: self.checkpoints.copy("last", "interrupted"))
            self.display.say(interruption_message(self.checkpoints.path("interrupted")))
            raise Interrupted(signum)

    def finish(self) -> Result:
        """The result; processes other than the main one end here."""
        if self.team.main:
            self.checkpoints.copy("last", "final")
            self.checkpoints.remove("interrupted")
        self.team.accelerator.end_training()
        if self.curves is None:
            raise SystemExit(0)
        best, chosen = len(self.progress.history), "final"
        if self.settings.select == "best":
            values = self.values(len(self.settings.curriculum) - 1)
            best, chosen = best - len(values) + best_epoch(values, higher=self.higher) + 1, "best"
        self.curves.finish(best)
        weights = self.checkpoints.path(chosen) / WEIGHTS
        model = self.task.build()
        load_weights(model, weights)
        return Result(model.eval(), weights, self.checkpoints.named, self.progress.history, best, self.seconds)
