"""Where a training computes, with how many processes and threads, and from which seeds."""

import ctypes
import os
import random
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import InitProcessGroupKwargs, broadcast_object_list, gather_object, send_to_device
from torch import Tensor, nn

import winnow
from winnow.learn.settings import TrainingSettings
from winnow.learn.sharding import is_sharded, shard_model
from winnow.pipeline import ledger
from winnow.pipeline.checkout import checkout_root
from winnow.pipeline.errors import TrainingError
from winnow.pipeline.params import PARAMS_FILE, Document, Runtime
from winnow.pipeline.parent import LAUNCHER

T = TypeVar("T")
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
"""Parameters of mallopt(3)."""


def relaunch(devices: int) -> None:
    """
    Run this program again in one process per device, when it is not running so already.

    Returns at once for one device and under torchrun; else never returns. Call it before taking any lock, and let only
    the main process take one.
    """
    if devices == 1 or "LOCAL_RANK" in os.environ:
        return
    sys.stdout.flush()
    module = sys.modules["__main__"].__spec__
    program = ["--module", module.name] if module else sys.argv[:1]
    command = [sys.executable, "-m", "winnow.learn.launch", str(devices), *program, *sys.argv[1:]]
    # The launcher and its processes run this workspace's code, whichever checkout is installed.
    library = str(Path(winnow.__file__).parents[1])
    environment = {**os.environ, LAUNCHER: str(os.getpid()), "PYTHONPATH": library}
    os.execve(command[0], command, environment)  # noqa: S606 - in place of this process, so that Ctrl+C reaches it


def torch_device(name: str) -> torch.device:
    """The device that `runtime.device` (auto, cpu, cuda, mps) means here; auto takes a GPU where there is one.

    Raises TrainingError when the machine has no such device.
    """
    has = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(each for each, present in has.items() if present)
    if not has[name]:
        raise TrainingError(f"this machine has no {name} device", fix="set runtime.device to auto or cpu")
    return torch.device(name)


def start(device: str, settings: TrainingSettings) -> Accelerator:
    """
    Accelerate on the chosen device (auto, cpu, cuda, mps), deterministic, with the settings' threads.

    Raises TrainingError when the machine has no such device or the device not this precision.
    """
    on_gpu = torch_device(device).type != "cpu"
    if settings.precision == "fp16" and not on_gpu:
        raise TrainingError("precision fp16 needs a GPU", fix="set precision to bf16 or fp32")
    AcceleratorState._reset_state(reset_partial_state=False)  # a second training may have another precision
    accelerator = Accelerator(
        cpu=not on_gpu,
        mixed_precision="no" if settings.precision == "fp32" else settings.precision,
        kwargs_handlers=[InitProcessGroupKwargs(backend="gloo")] if on_gpu and shares_gpus() else [],
    )
    make_deterministic(settings.threads)  # after Accelerate, which sets threads of its own
    ledger.note(device=device_name(accelerator.device), processes=accelerator.num_processes)
    return accelerator


def shares_gpus() -> bool:
    """Whether this machine runs more processes of the training than it has GPUs, which NCCL refuses and gloo does."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1")) > torch.cuda.device_count() > 0


def device_for(runtime: Runtime, threads: int) -> torch.device:
    """Where to compute outside of a training, deterministic, with that many threads; noted in the ledger.

    Raises TrainingError when the machine has no such device.
    """
    device = torch_device(runtime.device)
    make_deterministic(threads)
    ledger.note(device=device_name(device))
    return device


def configured_device() -> torch.device:
    """The device that `runtime.device` of this checkout means here, for commands that use a trained model.

    `auto` where there is no checkout. Raises ParamsError for an invalid `runtime`, and TrainingError when the machine
    has no such device.
    """
    root = checkout_root()
    return torch_device(Document(root / PARAMS_FILE).section(("runtime",), Runtime).device if root else "auto")


def device_name(device: torch.device) -> str:
    """The kind of device, and the model of a GPU."""
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def make_deterministic(threads: int) -> None:
    """Use deterministic kernels and that many threads; torch warns where it has no deterministic kernel."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it at its first use
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode("warn")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # costs time, for nothing
    torch.backends.cudnn.benchmark = False


def keep_freed_memory() -> None:
    """Let glibc's allocator keep what is freed, for trainings whose steps allocate and free large tensors.

    Given back to the operating system, that memory has to be mapped and cleared anew in every step, which can take a
    third of the time. Changes no byte of the results. Does nothing where there is no glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


class ProcessGroup:
    """The processes of a training, seen from one of them."""

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.size: int = accelerator.num_processes
        self.rank: int = accelerator.process_index
        self.main: bool = accelerator.is_main_process
        self.sharded = False
        """whether the model is sharded, so that all processes gather what one of them writes"""

    def prepare(self, model: nn.Module, fsdp_modules: Sequence[nn.Module]) -> tuple[nn.Module, nn.Module]:
        """The model to train, wrapped for mixed precision and DDP, and the model itself.

        With `units`, and several processes, both are the model itself, sharded.
        """
        accelerator = self.accelerator
        if self.size == 1 or not fsdp_modules:
            model.to(accelerator.device)  # asked to place it, Accelerate would import DTensor: half a second
            return accelerator.prepare(model, device_placement=[False]), model
        if accelerator.mixed_precision == "bf16":
            model.forward = torch.autocast(accelerator.device.type, dtype=torch.bfloat16)(model.forward)
        shard_model(model, fsdp_modules, accelerator.device, self.size)
        self.sharded = True
        return model, model

    def broadcast_from_main(self, work: Callable[[], T]) -> T:
        """The result of `work` on the main process, on every process."""
        if self.size == 1:
            return work()
        made: list[T | None] = [work() if self.main else None]
        result: T = broadcast_object_list(made)[0]
        return result

    def gathered(self, value: T) -> list[T]:
        """Every process's value, by rank, on every process."""
        values: list[T] = gather_object([value]) if self.size > 1 else [value]
        return values

    def highest(self, number: int) -> int:
        """The largest of the processes' numbers."""
        if self.size == 1:
            return number
        return int(self.accelerator.gather(torch.tensor([number], device=self.accelerator.device)).max())

    def mean(self, value: Tensor) -> Tensor:
        """The mean of the processes' values, on every process."""
        if self.size == 1:
            return value
        mean: Tensor = self.accelerator.reduce(value, reduction="mean")
        return mean

    def synchronise(self, tensors: Iterable[Tensor]) -> None:
        """Give every process the main one's values, in place: batch statistics are each process's own.

        What is sharded is left as it is.
        """
        if self.size > 1:
            for tensor in tensors:
                if not is_sharded(tensor):
                    torch.distributed.broadcast(tensor, src=0)

    def to_device(self, batch: Any) -> Any:
        """The batch where the model is; on the CPU it is there already."""
        return batch if self.accelerator.device.type == "cpu" else send_to_device(batch, self.accelerator.device)

    def wait(self) -> None:
        """Block until all processes have reached this point."""
        if self.size > 1:
            self.accelerator.wait_for_everyone()


def describe(accelerator: Accelerator, precision: str) -> str:
    """A description of the device for the banner."""
    device = accelerator.device
    name = device_name(device) + ("" if device.type == "cuda" else f" ({torch.get_num_threads()} threads)")
    return f"{name}, processes: {accelerator.num_processes}, precision: {precision}"


def seed_epoch(seed: int, phase: int, epoch: int, *, rank: int) -> int:
    """
    Seed everything for one epoch; gives the seed of its sampler.

    Each process's dropout is its own, and the sampler's seed is the same for all. This is the one place where global
    generators are seeded; epoch 0 of phase 0 is the making of the model.
    """
    seed_everything(int(np.random.SeedSequence((seed, phase, epoch, rank)).generate_state(1)[0]))
    return int(np.random.SeedSequence((seed, phase, epoch)).generate_state(1)[0])


def seed_everything(seed: int, *, gpu: bool = True) -> None:
    """Seed the generators of Python, numpy and torch."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - libraries draw from it
    if gpu:
        torch.manual_seed(seed)
    else:
        torch.default_generator.manual_seed(seed)


def random_state() -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The states of the global generators, as JSON values and tensors."""
    tensors = {"torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors["cuda"] = torch.cuda.get_rng_state()
    numpy = np.random.get_state(legacy=False)  # noqa: NPY002
    numpy["state"] = {**numpy["state"], "key": numpy["state"]["key"].tolist()}
    return {"python": random.getstate(), "numpy": numpy}, tensors


def restore_random_state(values: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Restore the states that `random_state` returned."""
    version, internal, gauss = values["python"]
    random.setstate((version, tuple(internal), gauss))
    np.random.set_state(values["numpy"])  # noqa: NPY002
    torch.set_rng_state(tensors["torch"])
    if "cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["cuda"])
