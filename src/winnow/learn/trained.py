"""A domain's trained model, loaded for use from the folder that its train stage wrote."""

import io
import json
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

import torch
from pydantic import PydanticSchemaGenerationError, TypeAdapter
from safetensors import safe_open
from torch import nn

from winnow.learn.checkpoints import DamagedWeightsError, load_weights
from winnow.learn.folder import model_folder
from winnow.pipeline.console import doing
from winnow.pipeline.errors import TrainingError, WinnowError
from winnow.pipeline.files import read_json
from winnow.pipeline.reading import reason

M = TypeVar("M", bound=nn.Module)

SMALL = 1024
"""A size that takes little memory, whether or not a weight has it."""


def load_trained(network: type[M], domain: str, device: str | torch.device = "cpu", folder: Path | None = None) -> M:
    """The domain's trained network in eval mode on `device`, from `folder` or else from this checkout.

    Raises WinnowError when it was never trained, or by a version of the program that had another network, or when its
    files are damaged. Nothing of the network's may be missing, and nothing surplus but a loss's class weights.

    `network` is the class, with huggingface_hub's `from_pretrained`, whose line on standard output is left out.
    """
    folder = folder or model_folder(domain)
    try:
        config = read_json(folder / "config.json", made_by=f"`dvc repro train@{domain}`")
        _check_types(network, config)
        _check_sizes(network, config, folder)
        doing("loading the model")
        with redirect_stdout(io.StringIO()):
            model: M = cast(Any, network).from_pretrained(folder)
        if missing := set(load_weights(model, folder)) & set(model.state_dict()):  # the hub's mixin is not strict
            raise TrainingError(f"{', '.join(sorted(missing))} is missing")
    except DamagedWeightsError as error:
        raise _damaged(domain, folder, error) from None
    except (TypeError, AttributeError, LookupError, RuntimeError, TrainingError) as error:  # arguments, or weights
        is_of_config = isinstance(error, (TypeError, AttributeError, LookupError))
        why = "its configuration is another's" if is_of_config else reason(error)
        raise WinnowError(
            f"this is no model of {domain}, or one of another version of winnow: {why}",
            where=str(folder),
            fix=f"name a model of {domain} with --model, or train it again with `dvc repro train@{domain}`",
        ) from None
    except Exception as error:  # what a library says of the files depends on what is in them
        raise _damaged(domain, folder, error) from None
    doing("predicting")
    return model.to(device).eval()


def _check_types(network: type[nn.Module], config: Mapping[str, Any]) -> None:
    """Raise ValueError when an argument of the network is not of the type, or within the bounds, that it declares.

    Raises TypeError when it is no argument of the network: a model of another domain is not called damaged.
    """
    kinds = get_type_hints(network.__init__, include_extras=True)
    if others := config.keys() - kinds.keys():
        raise TypeError(f"{', '.join(sorted(others))} is not among the arguments")
    for name in kinds.keys() & config.keys():
        with suppress(PydanticSchemaGenerationError):  # a module, which no file holds
            TypeAdapter(kinds[name]).validate_json(json.dumps(config[name]), strict=True)


def _check_sizes(network: type[nn.Module], config: Mapping[str, Any], folder: Path) -> None:
    """Raise ValueError when the configuration asks for larger weights than those that are there, of any amount.

    These are the network's whole numbers without bounds of their own, and the sizes of a configuration within it, such
    as a language model's `hidden_size`.
    """
    with safe_open(folder / "model.safetensors", "pt") as weights:
        sizes = {size for name in weights.keys() for size in weights.get_slice(name).get_shape()}  # noqa: SIM118
    kinds = get_type_hints(network.__init__, include_extras=True)
    own = {name: value for name, value in config.items() if kinds.get(name) is int and value > max(sizes, default=0)}
    inner = {
        f"{name}.{key}": value
        for name, section in config.items()
        if isinstance(section, Mapping)
        for key, value in section.items()
        if kinds.get(name) == dict[str, Any] and key.endswith("_size") and (value or 0) > SMALL and value not in sizes
    }
    if found := own | inner:
        told = ", ".join(f"{name} is {value}" for name, value in found.items())
        raise ValueError(f"{told}, and no weight has that size")


def _damaged(domain: str, folder: Path, error: Exception) -> WinnowError:
    return WinnowError(
        f"the trained model of {domain} is damaged: {error.what if isinstance(error, WinnowError) else reason(error)}",
        where=str(folder),
        fix=f"copy or download it again; in a checkout, restore it with `dvc checkout --force train@{domain}`",
    )
