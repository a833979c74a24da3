"""A trained network as an ONNX file, for programs without PyTorch; checked against PyTorch on rows of other counts."""

import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from winnow.pipeline.errors import WinnowError

FILES = {False: "model.onnx", True: "model.int8.onnx"}
"""In the model's folder, by whether the weights of products are 8-bit integers."""
OPSET = 18
TOLERANCE = 1e-4
ROWS = (1, 3, 8)
"""Numbers of rows by which the file is checked; it is made from two."""


@dataclass(frozen=True)
class ForwardPass:
    """A trained network, and what a program that runs it without PyTorch must know."""

    network: nn.Module
    axes: Mapping[str, tuple[str, ...]]
    """the inputs in order, each with the names of its first axes, those of any length"""
    outputs: tuple[str, ...]
    draw: Callable[[int, torch.Generator], dict[str, Tensor]]
    """inputs for so many rows, as prepared inputs may look"""
    use: str
    """how inputs are prepared and answers made of the outputs, in Markdown"""

    def write(self, folder: Path, *, int8: bool = False) -> str:
        """Write `FILES[int8]` into the model's folder; gives what a person must know of it, in Markdown.

        With `int8` the weights of matrix products are rounded to 8-bit integers, and the differences are told. Else
        raises WinnowError when outputs differ from PyTorch's by more than `TOLERANCE`. Needs the extra `onnx`.
        """
        file = folder / FILES[int8]
        network = self.network.cpu().eval()
        _write(self, network, file)
        if int8:
            _round_weights(file)
        differences = [_difference(self, network, file, rows) for rows in ROWS]
        if not int8 and not max(differences) <= TOLERANCE:
            file.unlink()
            raise WinnowError(
                f"ONNX Runtime's outputs differ from PyTorch's by {max(differences):.2g}, more than {TOLERANCE:g}",
                where=str(folder),
                fix="use the model with winnow and PyTorch: the folder is complete without the ONNX file",
            )
        inputs = "; ".join(f"`{name}` {_shape(self, name)}" for name in self.axes)
        return (
            f"## {file.name}\n\n"
            f"{file.stat().st_size / 1e6:.1f} MB, opset {OPSET}. Inputs: {inputs}. Outputs: "
            f"{', '.join(f'`{name}`' for name in self.outputs)}. On random inputs they differ from "
            f"PyTorch's by at most {max(differences):.1g}.\n\n{self.use}\n"
        )


def _write(found: ForwardPass, network: nn.Module, file: Path) -> None:
    """The same bytes each time: neither places of the source code nor other notes of the exporter are kept."""
    from onnx_ir.passes.common import ClearMetadataAndDocStringPass  # noqa: PLC0415 - an extra

    inputs = found.draw(2, torch.Generator().manual_seed(0))
    lengths = {name: torch.export.Dim(name) for names in found.axes.values() for name in names}
    shapes = tuple({place: lengths[name] for place, name in enumerate(names)} for names in found.axes.values())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the libraries' own code
        program = torch.onnx.export(
            network,
            tuple(inputs[name] for name in found.axes),
            input_names=list(found.axes),
            output_names=list(found.outputs),
            dynamic_shapes=shapes,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    ClearMetadataAndDocStringPass()(program.model)
    program.save(file)


def _round_weights(file: Path) -> None:
    import onnx  # noqa: PLC0415 - an extra
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415 - an extra

    logging.getLogger().setLevel(logging.ERROR)  # the package says through the root's logger what it would like best
    whole = onnx.load(file)
    del whole.graph.value_info[:]  # shapes between nodes, which ONNX Runtime finds by itself and holds to be wrong
    options = {"weight_type": QuantType.QInt8, "op_types_to_quantize": ["MatMul", "Gemm"], "per_channel": True}
    quantize_dynamic(whole, file, **options)


def session(file: Path, threads: int = 1) -> Any:
    """ONNX Runtime's session of a file, on the CPU."""
    from onnxruntime import InferenceSession, SessionOptions  # noqa: PLC0415 - an extra

    options = SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return InferenceSession(file, options, providers=["CPUExecutionProvider"])


def _difference(found: ForwardPass, network: nn.Module, file: Path, rows: int) -> float:
    """The largest between an output of the file and PyTorch's; infinite where one alone is."""
    inputs = found.draw(rows, torch.Generator().manual_seed(rows))
    with torch.inference_mode():
        made = network(*(inputs[name] for name in found.axes))
    expected = [part.numpy() for part in (made if isinstance(made, tuple) else (made,))]
    outputs = session(file).run(list(found.outputs), {name: value.numpy() for name, value in inputs.items()})
    return max(_apart(own, other) for own, other in zip(outputs, expected, strict=True))


def _apart(own: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    if own.shape != other.shape or not np.array_equal(np.isfinite(own), np.isfinite(other)):
        return float("inf")
    finite = np.isfinite(other)
    return float(np.abs(own[finite] - other[finite]).max(initial=0.0))


def _shape(found: ForwardPass, name: str) -> str:
    value = found.draw(2, torch.Generator().manual_seed(0))[name]
    axes = [*found.axes[name], *map(str, value.shape[len(found.axes[name]) :])]
    return f"{str(value.dtype).removeprefix('torch.')} ({', '.join(axes)})"
