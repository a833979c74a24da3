"""ONNX files: what they hold is the network, for any number of rows, and a file that differs is not left behind."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from winnow.learn.onnx import FILES, ForwardPass, session
from winnow.pipeline.errors import WinnowError


class Network(nn.Module):
    """A product and a mean over any number of places."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)

    def forward(self, inputs: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        held = self.layer(inputs) * mask[..., None]
        return held.sum(dim=1), held.amax(dim=2)


class Changing(Network):
    """What the exporter sees of it is not what it answers."""

    def forward(self, inputs: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        first, second = super().forward(inputs, mask)
        return first + (1.0 if torch.compiler.is_exporting() else 2.0), second


class Counting(Network):
    """What is exported differs by the number of rows, and not for the two that it is made from."""

    def forward(self, inputs: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        first, second = super().forward(inputs, mask)
        return first + (inputs.shape[0] - 2 if torch.compiler.is_exporting() else 0), second


def draw(rows: int, generator: torch.Generator) -> dict[str, Tensor]:
    places = 2 + rows
    return {
        "inputs": torch.randn(rows, places, 6, generator=generator),
        "mask": torch.randint(2, (rows, places), generator=generator),
    }


def forward_pass(network: nn.Module) -> ForwardPass:
    torch.manual_seed(0)
    axes = {"inputs": ("rows", "places"), "mask": ("rows", "places")}
    return ForwardPass(network, axes, ("sums", "highest"), draw, "How it is used.")


def test_the_file_answers_as_the_network_for_rows_and_places_of_any_number(tmp_path: Path) -> None:
    network = Network()
    told = forward_pass(network).write(tmp_path)
    assert "`inputs` float32 (rows, places, 6); `mask` int64 (rows, places)" in told
    assert "`sums`, `highest`" in told
    assert told.endswith("How it is used.\n")
    given = draw(13, torch.Generator().manual_seed(99))
    with torch.inference_mode():
        expected = [part.numpy() for part in network(**given)]
    found = session(tmp_path / FILES[False]).run(["sums", "highest"], {k: v.numpy() for k, v in given.items()})
    for own, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(own, other, atol=1e-5)


def test_the_bytes_of_a_file_are_the_same_each_time_and_name_no_place_of_this_machine(tmp_path: Path) -> None:
    network = Network()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        forward_pass(network).write(tmp_path / name)
    one, two = ((tmp_path / name / FILES[False]).read_bytes() for name in ("one", "two"))
    assert one == two
    assert b".py" not in one


def test_a_file_that_answers_otherwise_is_an_error_and_not_left_behind(tmp_path: Path) -> None:
    with pytest.raises(WinnowError, match=r"outputs differ from PyTorch's by 1, more than 0.0001"):
        forward_pass(Changing()).write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_compared_for_other_numbers_of_rows_than_it_is_made_from(tmp_path: Path) -> None:
    with pytest.raises(WinnowError, match=r"outputs differ from PyTorch's by 6, more than 0.0001"):
        forward_pass(Counting()).write(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_rounded_weights_are_near_and_their_difference_is_told(tmp_path: Path) -> None:
    network = Network()
    told = forward_pass(network).write(tmp_path, int8=True)
    difference = float(told.partition("by at most ")[2].split()[0].rstrip("."))
    assert 1e-4 < difference < 0.5
    assert [file.name for file in tmp_path.iterdir()] == [FILES[True]]
    weights = {each.dtype for each in rounded(tmp_path / FILES[True])}
    assert np.dtype(np.int8) in weights


def rounded(file: Path) -> list[np.ndarray]:
    """The file's constants."""
    import onnx  # noqa: PLC0415
    from onnx import numpy_helper  # noqa: PLC0415

    return [numpy_helper.to_array(each) for each in onnx.load(file).graph.initializer]
