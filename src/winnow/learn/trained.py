"""A domain's trained model, loaded for use from the folder that its train stage wrote."""

from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from safetensors import SafetensorError
from torch import nn

from winnow.learn.checkpoints import load_weights
from winnow.pipeline.console import doing
from winnow.pipeline.errors import TrainingError, WinnowError

M = TypeVar("M", bound=nn.Module)


def model_folder(domain: str) -> Path:
    """The folder of the domain's trained model; raises WinnowError, naming the command that trains, when none exists.

    It holds the network and everything that using it needs (see `Task.carry`).
    """
    folder = Path("data", domain, "train", "model")
    if not folder.is_dir():
        raise WinnowError(
            f"there is no trained model of {domain} yet",
            where=str(folder),
            fix=f"train it with `dvc repro train@{domain}`, or bring it back with `dvc checkout train@{domain}`",
        )
    return folder


def load_trained(network: type[M], domain: str, device: str | torch.device = "cpu") -> M:
    """The domain's trained network in eval mode on `device`.

    Raises WinnowError when it was never trained, or by a version of the program that had another network, or when its
    files are damaged. Nothing of the network's may be missing, and nothing surplus but a loss's class weights.

    `network` is the class, with huggingface_hub's `from_pretrained`, which prints that it loads a folder; that is
    dropped, so that a command's `--json` output stays JSON.
    """
    folder = model_folder(domain)
    try:
        doing("loading the model")
        with redirect_stdout(StringIO()):
            model: M = cast(Any, network).from_pretrained(folder)
        if missing := set(load_weights(model, folder)) & set(model.state_dict()):  # the hub's mixin is not strict
            raise TrainingError(f"{', '.join(sorted(missing))} is missing")
    except (TypeError, RuntimeError, TrainingError) as error:  # other arguments, or other weights
        raise WinnowError(
            f"the trained model of {domain} does not fit this version of its network: {' '.join(str(error).split())}",
            where=str(folder),
            fix=f"train it again with `dvc repro train@{domain}`",
        ) from None
    except (ValueError, SafetensorError) as error:
        raise WinnowError(
            f"the trained model of {domain} is damaged: {error}",
            where=str(folder),
            fix=f"restore it with `dvc checkout --force train@{domain}`",
        ) from None
    doing("predicting")
    return model.to(device).eval()
