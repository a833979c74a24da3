"""
The training loop of every domain.

A training is phases of epochs of steps. Whatever decides how it continues is a function of the params, the seed and the
history of metrics, so that a training killed at any moment and run again ends in the same bytes:

    phases → epochs → (parts of an epoch, each ending in a validation) → batches → (micro-batches) → step
    each phase: the weights selected in the phase before, a fresh optimiser, learning rates from the start
    each epoch: seed everything, train, validate, record, save
"""

import math
import time
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from winnow.learn import devices
from winnow.learn.accumulator import LossAccumulator
from winnow.learn.checkpoints import (
    WEIGHTS,
    Checkpoints,
    Progress,
    load_weights,
    on_cpu,
    optimizer_tensors,
    saved_tensors,
)
from winnow.learn.curves import Curves, checked
from winnow.learn.ema import ExponentialMovingAverage
from winnow.learn.interrupt import Interrupted, StopRequest, interruption_message, stop_request
from winnow.learn.loaders import Loaders, prefetch
from winnow.learn.optimizer_step import OptimizerStep
from winnow.learn.progress import Display, banner, record_line, stopped_line, warnings
from winnow.learn.samplers import BatchShare
from winnow.learn.schedulers import Schedule, best_index, reductions, validations_without_gain
from winnow.learn.settings import Phase, TrainingSettings
from winnow.learn.task import Result, Task
from winnow.measure.direction import higher_is_better
from winnow.pipeline.errors import TrainingError
from winnow.pipeline.params import Runtime

SETTLE_EVERY = 50
"""micro-batches after which losses are fetched from the device and checked"""


def fit(
    task: Task, settings: TrainingSettings, *, runtime: Runtime, folder: Path, curves: Path, fingerprint: str
) -> Result:
    """
    Train, or resume the training in `folder`, or return the finished one.

    `folder` belongs to this fingerprint alone; `curves` is where DVCLive writes. With several processes only the main
    one returns, the others exit with code 0. Raises TrainingError, and Interrupted on Ctrl+C and SIGTERM.
    """
    with stop_request() as stop:
        checkpoints = Checkpoints(folder, fingerprint, settings.model_dump())
        run = _Run(task, settings, runtime=runtime, checkpoints=checkpoints, curves=curves, stop=stop)
        for number, phase in enumerate(settings.curriculum):
            if number > run.progress.phase or (number == run.progress.phase and not run.is_over(phase)):
                run.run_phase(number, phase)
        return run.finish()


class _Run:
    """One training: the model, its checkpoints, and its progress."""

    def __init__(
        self,
        task: Task,
        settings: TrainingSettings,
        *,
        runtime: Runtime,
        checkpoints: Checkpoints,
        curves: Path,
        stop: StopRequest,
    ) -> None:
        self.task, self.settings, self.checkpoints, self.stop = task, settings, checkpoints, stop
        self.team = devices.ProcessGroup(devices.start(runtime.device, settings))
        if len(set(self.team.gathered(checkpoints.fingerprint))) > 1:
            raise TrainingError("params.yaml was changed while the training started", fix="run it again")
        self.share = BatchShare(
            settings.batch_size, settings.gradient_accumulation_steps, self.team.size, self.team.rank
        )
        self.workers = runtime.num_workers
        self.display = Display(runtime.progress, main=self.team.main)
        self.higher = higher_is_better(settings.early_stopping.metric)
        self.seconds: list[float] = []
        self.resumed = self.team.broadcast_from_main(checkpoints.resume)
        self.progress = checkpoints.progress() if self.resumed else Progress()
        model = self.built()
        self.state_dict_keys = frozenset(task.state_dict_keys(model))
        if self.resumed:
            load_weights(model, checkpoints.path("last"), self.state_dict_keys)
            if self.progress.phase + 1 < len(settings.curriculum) or not self.is_over(settings.curriculum[-1]):
                self.display.say(f"resuming in {self.place}, after batch {self.progress.batch}")
        elif settings.init_from is not None:
            left_out = load_weights(model, Path(settings.init_from), self.state_dict_keys)
            self.display.say(f"weights from {settings.init_from}{', but not ' * bool(left_out)}{', '.join(left_out)}")
        self.model, self.bare = self.team.prepare(model, task.fsdp_modules(model))
        average = checkpoints.average() if self.resumed else None
        self.average = ExponentialMovingAverage(
            self.bare, self.state_dict_keys, settings.ema_decay, self.progress.averaged, average
        )
        self.constants = self.team.to_device(dict(task.constants))
        self.curves = Curves(curves, self.progress.history, settings.early_stopping.metric) if self.team.main else None

    def built(self) -> nn.Module:
        """A new model, the same on every process and each time."""
        devices.seed_epoch(self.settings.seed, 0, 0, rank=0)
        return self.task.build()

    def run_phase(self, number: int, phase: Phase) -> None:
        """Epochs until the phase's last, or until early stopping."""
        optimizer = self.task.optimizer(
            self.task.parameter_groups(self.bare), phase.learning_rate, self.settings.weight_decay
        )
        optimizer_step = OptimizerStep(optimizer, self.settings.max_grad_norm, self.team.accelerator.scaler)
        if self.resumed:
            optimizer_step.load_scale(self.progress.scaler)  # it outlives a phase
        if self.resumed and self.progress.phase == number:
            self.checkpoints.load_optimizer(optimizer_step.optimizer)
        elif number > 0:
            self.save(f"phase_{number}")
            chosen = "best" if self.settings.select == "best" else f"phase_{number}"
            load_weights(self.bare, self.checkpoints.path(chosen), self.state_dict_keys)
            self.average = ExponentialMovingAverage(self.bare, self.state_dict_keys, self.settings.ema_decay)
            self.progress = Progress(phase=number, history=self.progress.history)
            self.save_last(optimizer_step)  # before this phase writes a `best` of its own
        loaders = self.task.loaders(phase.subset, self.share)
        about = devices.describe(self.team.accelerator, self.settings.precision)
        self.display.say(banner(about, self.bare, loaders, self.settings.curriculum, number))
        while not self.is_over(phase):
            started = time.perf_counter()
            self.run_to_validation(phase, loaders, optimizer_step)
            self.seconds.append(time.perf_counter() - started)
            self.stop_if_requested(optimizer_step)
        if self.progress.epoch < phase.epochs:
            rule = self.settings.early_stopping
            self.display.say(stopped_line(self.best_record(), rule.metric, rule.patience))

    def run_to_validation(self, phase: Phase, loaders: Loaders, optimizer_step: OptimizerStep) -> None:
        """Train for an epoch, or for `eval_every` steps of it; then validate, record, save."""
        progress, watched = self.progress, self.settings.early_stopping.metric
        started = time.perf_counter()
        train = self.train(phase, loaders, optimizer_step)
        val = checked(self.validate(loaders), f"validation, {self.place}")
        if watched not in val:
            raise TrainingError(
                f"early_stopping.metric {watched!r} is not among the validation metrics",
                where=self.place,
                fix=f"choose one of {', '.join(sorted(val))}",
            )
        values = [*self.values(), val[watched]]
        best = best_index(values, higher=self.higher) == len(values) - 1
        ended = progress.batch == len(loaders.train.sampler)
        record: dict[str, Any] = {
            "epoch": self.epoch,
            "step": 0 if ended else progress.batch // self.share.gradient_accumulation_steps,
            "phase": progress.phase,
            "best": best,
            "learning_rate": optimizer_step.rate,
            "train": train,
            "val": val,
        }
        seconds = time.perf_counter() - started
        epochs = self.epoch - progress.epoch - 1 + phase.epochs
        self.display.say(record_line(record, epochs, watched, seconds, self.task.by_class))
        progress.history.append(record)
        progress.sums = {}
        if ended:
            progress.epoch, progress.batch, progress.random = progress.epoch + 1, 0, []
        for line in warnings(progress.history):
            self.display.say(line)
        if best:
            self.save("best")
        if ended and self.settings.checkpoint_every and record["epoch"] % self.settings.checkpoint_every == 0:
            self.save(f"epoch_{record['epoch']:04d}")
            self.team.broadcast_from_main(lambda: self.checkpoints.prune(self.settings.keep_last))
        self.save_last(optimizer_step)  # last, so that what a kill cuts off is run again whole
        if self.curves:
            self.curves.log(len(progress.history), record)

    def train(self, phase: Phase, loaders: Loaders, optimizer_step: OptimizerStep) -> dict[str, float]:
        """The steps until the next validation; returns the means of the loss and its parts."""
        progress, share, accelerator, sampler = self.progress, self.share, self.team.accelerator, loaders.train.sampler
        steps = len(sampler) // share.gradient_accumulation_steps
        first, every = progress.batch, (self.settings.eval_every or steps) * share.gradient_accumulation_steps
        end = min(len(sampler), (first // every + 1) * every)
        schedule = Schedule(self.settings.scheduler, phase.learning_rate, steps, phase.epochs)
        drops = reductions(self.values(), higher=self.higher, patience=self.settings.scheduler.patience)
        seed = devices.seed_epoch(self.settings.seed, progress.phase, progress.epoch + 1, rank=share.rank)
        # Within an epoch: as it was left, by this process or by one that was killed. A process beyond those that were
        # running then (runtime.devices was raised) has no state to restore, and draws as at the epoch's start.
        if first and share.rank < len(progress.random):
            devices.restore_random_state(progress.random[share.rank], self.checkpoints.random(share.rank))
        accumulator = LossAccumulator(progress.sums, accelerator.gather)
        self.model.train()
        batches = prefetch(lambda index: loaders.train.batch(seed, index), range(first, end), self.workers)
        count: Tensor | None = None
        for index, batch in enumerate(self.display.batches(batches, self.place, total=end, done=first), start=first):
            step_now = (index + 1) % share.gradient_accumulation_steps == 0
            with nullcontext() if step_now else accelerator.no_sync(self.model):
                loss = self.task.loss(self.model, self.on_device(batch))
                if sampler.is_filler(index):
                    loss = loss.zeroed()
                optimizer_step.backward(loss.total)
            own = torch.as_tensor(loss.count, dtype=torch.float32, device=accelerator.device)
            count = own if count is None else count + own
            accumulator.add(loss, own)
            if step_now:
                step = index // share.gradient_accumulation_steps
                # DDP has averaged the gradients over processes, so they are divided by the average of the counts
                factor = self.team.mean(count).reciprocal()
                optimizer_step.step(schedule.rate(progress.epoch * steps + step, drops), factor)
                self.average.update()
                count = None
                progress.batch = index + 1
                self.after_step(accumulator, loaders, optimizer_step, step=step, seed=seed, end=end)
        return checked(self.task.summarise(accumulator.means()), f"training, {self.place}")

    def after_step(
        self,
        accumulator: LossAccumulator,
        loaders: Loaders,
        optimizer_step: OptimizerStep,
        *,
        step: int,
        seed: int,
        end: int,
    ) -> None:
        """Every few steps: check the losses, save, stop when requested."""
        every = self.settings.checkpoint_steps
        save_now = every > 0 and (step + 1) % every == 0
        requested = self.stop.signum and self.team.size == 1  # several processes agree when they settle
        at_end = self.progress.batch == end
        if not (len(accumulator) >= SETTLE_EVERY or save_now or requested or at_end):
            return
        first = self.progress.batch - len(accumulator)
        if bad := accumulator.settle():
            batch = loaders.train.batch(seed, first + bad[0])
            ids = batch.get("ids") if isinstance(batch, Mapping) else None
            rows = "" if ids is None else f", rows {(ids.tolist() if isinstance(ids, Tensor) else list(ids))[:32]}"
            raise TrainingError(
                f"the loss is {bad[1]}: training cannot continue",
                where=f"{self.place}, batch {first + bad[0] + 1}{rows}",
                fix="lower learning_rate, set max_grad_norm (1.0), or check these rows; earlier checkpoints are kept",
            )
        self.progress.sums = accumulator.sums
        if not at_end:
            self.stop_if_requested(optimizer_step)
            if save_now:
                self.save_last(optimizer_step)

    def validate(self, loaders: Loaders) -> dict[str, float]:
        """The domain's metrics; each process predicts its share of the batches, the main one computes the metrics."""
        self.bare.eval()
        self.team.synchronise([*self.bare.buffers(), *self.average.state.values()])
        numbers = [*range(self.team.rank, len(loaders.val), self.team.size)]
        count = len(numbers)
        if self.team.sharded:  # each process has a part of the model, so that all compute, or none
            numbers += [0] * (math.ceil(len(loaders.val) / self.team.size) - count)
        with torch.inference_mode(), self.average.applied():
            batches = map(self.on_device, prefetch(loaders.val.__getitem__, numbers, self.workers))
            own = [
                {name: values.cpu() for name, values in rows.items()} for rows in self.task.predict(self.bare, batches)
            ]
        parts = self.team.gathered(own[:count])

        def measured() -> dict[str, float]:
            ordered = [parts[index % self.team.size][index // self.team.size] for index in range(len(loaders.val))]
            rows = {name: torch.cat([part[name] for part in ordered]) for name in ordered[0]}
            return dict(self.task.metrics(rows))

        return self.team.broadcast_from_main(measured)

    def on_device(self, batch: Any) -> Any:
        """The batch with the task's constants, where the model is."""
        batch = self.team.to_device(batch)
        return {**batch, **self.constants} if self.constants else batch

    @property
    def epoch(self) -> int:
        """The number, from 1 over all phases, of the epoch under way."""
        if not self.progress.history:
            return 1
        last = self.progress.history[-1]
        unfinished = last["step"] > 0 and last["phase"] == self.progress.phase
        return int(last["epoch"]) + (0 if unfinished else 1)

    @property
    def place(self) -> str:
        return f"phase {self.progress.phase + 1}, epoch {self.epoch}"

    def records(self) -> list[dict[str, Any]]:
        """The phase's records, one per validation."""
        return [record for record in self.progress.history if record["phase"] == self.progress.phase]

    def values(self) -> list[float]:
        """The watched metric in the phase's validations."""
        return [record["val"][self.settings.early_stopping.metric] for record in self.records()]

    def best_record(self) -> dict[str, Any]:
        """The phase's record that is best by the watched metric."""
        return self.records()[best_index(self.values(), higher=self.higher)]

    def is_over(self, phase: Phase) -> bool:
        """Whether the current phase has had all its epochs, or has stopped improving."""
        rule = self.settings.early_stopping
        waited = validations_without_gain(self.values(), higher=self.higher, min_delta=rule.min_delta)
        return self.progress.epoch >= phase.epochs or 0 < rule.patience <= waited

    def save(self, name: str) -> None:
        """Write a named checkpoint, of the averaged weights if they are, on the main process; the others wait."""
        if self.team.main or self.team.sharded:
            with torch.no_grad(), self.average.applied():
                weights = saved_tensors(self.bare, self.state_dict_keys)
                if self.team.main:
                    self.checkpoints.save(name, weights, self.progress)
        self.team.wait()

    def save_last(self, optimizer_step: OptimizerStep) -> None:
        """Write the state to resume from on the main process; the others wait."""
        self.progress.scaler, self.progress.averaged = optimizer_step.scale(), self.average.steps
        random: dict[str, Tensor] = {}
        if self.progress.batch:
            states = self.team.gathered(devices.random_state())
            self.progress.random = [values for values, _ in states]
            random = {f"{rank}.{key}": state for rank, (_, own) in enumerate(states) for key, state in own.items()}
        if self.team.main or self.team.sharded:
            weights, state = saved_tensors(self.bare, self.state_dict_keys), optimizer_tensors(optimizer_step.optimizer)
            average = {name: on_cpu(value) for name, value in self.average.state.items()}
            if self.team.main:
                self.checkpoints.save_last(weights, self.progress, state, random, average)
        self.team.wait()

    def stop_if_requested(self, optimizer_step: OptimizerStep) -> None:
        """Save and exit when a process received a signal to stop."""
        signum = self.team.highest(self.stop.signum)
        if signum:
            self.save_last(optimizer_step)
            self.save("interrupted")
            self.display.say(interruption_message(self.checkpoints.path("interrupted")))
            raise Interrupted(signum)

    def finish(self) -> Result:
        """The result; processes other than the main one end here."""
        if self.team.main:
            self.checkpoints.remove("interrupted")
        self.save("final")
        if self.settings.precision != "fp32":  # else there is nothing to unwrap, and this imports torch's compiler
            self.team.accelerator.unwrap_model(self.model, keep_fp32_wrapper=False)
        self.team.accelerator.end_training()
        if self.curves is None:
            raise SystemExit(0)
        model = self.built() if self.team.sharded else self.bare
        chosen, best = "final", self.progress.history[-1]
        if self.settings.select == "best":
            chosen, best = "best", self.best_record()
        self.curves.finish(best)
        weights = self.checkpoints.path(chosen) / WEIGHTS
        load_weights(model, weights, self.state_dict_keys)
        return Result(model.cpu().eval(), weights, self.checkpoints.named, self.progress.history, best, self.seconds)
