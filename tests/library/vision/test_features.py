"""Kept features and heat maps of a small network."""

import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np
import pytest
import torch
from torch import nn

from winnow.images.codec import encode_png
from winnow.learn import progress
from winnow.learn.interrupt import Interrupted, stop_request
from winnow.vision import features
from winnow.vision.backbones import build
from winnow.vision.features import frozen_features
from winnow.vision.heatmaps import grad_cam
from winnow.vision.loaders import decode
from winnow.vision.views import VIEWS, view


class Network(nn.Module):
    """The blocks of a backbone, as a domain's network has them."""

    __module__ = "winnow.vision.backbones"  # whose code the features depend on
    pooled_blocks = ()

    def __init__(self, frozen_blocks: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.blocks = build("small_resnet").blocks
        self.frozen_blocks = frozen_blocks
        self.calls = 0

    def frozen(self, images: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        maps: torch.Tensor = self.blocks[: self.frozen_blocks](images.float() / 255)
        return maps.mean(dim=(2, 3), keepdim=True) if self.frozen_blocks >= len(self.blocks) else maps


class Counted(Sequence[bytes]):
    """Encoded images, and how many of them were handed out at once at most."""

    def __init__(self, images: Sequence[bytes]) -> None:
        self.images = images
        self.most = 0

    def __len__(self) -> int:
        return len(self.images)

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | Sequence[bytes]:
        found = self.images[place]
        self.most = max(self.most, len(found) if isinstance(place, slice) else 1)
        return found

    def __iter__(self) -> Iterator[bytes]:
        return (self[place] for place in range(len(self)))


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counted:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    rng = np.random.default_rng(0)
    return Counted([encode_png(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)) for _ in range(10)])


def test_features_computed_in_another_way_are_not_used(images: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    def edit(*modules: str) -> None:
        """Digests of code as if these modules had been edited."""
        monkeypatch.setattr(features, "module_digest", lambda module: f"edited: {module in modules}")

    threads = torch.get_num_threads()
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    changes = [
        lambda: torch.set_num_threads(threads + 1),
        lambda: monkeypatch.setattr(torch, "__version__", "0.1"),
        lambda: monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2"),
        lambda: monkeypatch.setattr(features, "device_name", lambda _: "another GPU"),
        lambda: monkeypatch.setattr(Network, "pooled_blocks", (1, 4)),
        edit,
        lambda: edit(Network.__module__),
        lambda: edit(Network.__module__, features.__name__),
    ]
    try:
        frozen_features(Network(5), images)
        for change in changes:
            change()
            again, once_more = Network(5), Network(5)
            frozen_features(again, images)
            frozen_features(once_more, images)
            assert (again.calls > 0, once_more.calls) == (True, 0)
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize(("frozen", "shape"), [(2, (10, VIEWS, 32, 8, 8)), (5, (10, VIEWS, 128, 1, 1))])
def test_frozen_features_are_those_of_every_view(frozen: int, shape: tuple[int, ...], images: Counted) -> None:
    network = Network(frozen)
    found = frozen_features(network, images)
    assert found.shape == shape
    assert found.dtype == torch.float16
    assert found.device.type == "cpu"
    assert network.training
    assert images.most <= 4
    network.eval()
    with torch.inference_mode():
        for number in range(VIEWS):
            expected = network.frozen(view(decode(images), number))
            assert torch.allclose(found[:, number].float(), expected, atol=2e-3, rtol=2e-3)


def test_features_are_computed_once_and_anew_for_other_weights_images_and_blocks(images: Counted) -> None:
    network = Network(2)
    first = frozen_features(network, images).clone()
    calls = network.calls
    assert torch.equal(frozen_features(network, images), first)
    with torch.no_grad():
        next(network.blocks[4].parameters()).add_(1)  # behind the frozen part
    assert torch.equal(frozen_features(network, images), first)
    assert network.calls == calls
    assert torch.equal(frozen_features(network, images[::-1]), first.flip(0))
    assert network.calls == 2 * calls
    with torch.no_grad():
        next(network.blocks[1].parameters()).add_(0.1)
    assert not torch.equal(frozen_features(network, images), first)
    network.frozen_blocks = 1
    frozen_features(network, images)
    assert network.calls == 4 * calls
    assert len(list(Path(".winnow/kept/features").glob("??/*"))) == 4


def test_features_that_take_minutes_tell_how_far_they_are(
    images: Counted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "EVERY", 0.0)
    frozen_features(Network(1), images)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("features: ")]
    assert [line.split()[1] for line in lines] == [str(done) for done in range(0, len(images), features.BATCH)]
    assert all(f"of {len(images)} images" in line for line in lines)


def test_a_stop_ends_the_features_and_keeps_none_of_them(
    images: Counted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """They take minutes: a process that was told to stop may not go on computing them."""
    network = Network(1)
    plain, calls = network.frozen, VIEWS

    def frozen(batch: torch.Tensor) -> torch.Tensor:
        if network.calls + 1 == calls:  # the last view of the first batch
            signal.raise_signal(signal.SIGTERM)
        return plain(batch)

    monkeypatch.setattr(network, "frozen", frozen)
    with pytest.raises(Interrupted) as stopped, stop_request():
        frozen_features(network, images)
    assert stopped.value.code == 128 + signal.SIGTERM
    assert network.calls == calls, "it went on after the batch"
    assert "computed from the start again" in capsys.readouterr().err
    assert not list(Path(".winnow/kept/features").glob("??/*.*"))
    frozen_features(network, images)
    assert network.calls > calls


def test_a_heat_map_shows_where_the_score_comes_from_and_hides_what_speaks_against_it() -> None:
    images = torch.zeros(2, 3, 32, 32)
    images[0, :, 8:16, 8:16] = 1  # raises the score
    images[0, :, 20:28, 20:28] = -1  # lowers it
    images[1, :, 0:8, 24:32] = 2
    heat = grad_cam(images, lambda batch: nn.functional.avg_pool2d(batch, 4), lambda maps: maps.mean(dim=(1, 2, 3)))
    assert heat.shape == (2, 32, 32)
    assert heat.dtype == torch.uint8
    assert heat.amax(dim=(1, 2)).tolist() == [255, 255]
    assert heat[0, 10:14, 10:14].min() > 150
    assert not heat[0, 18:, 18:].any()
    assert heat[1, 0:6, 26:].min() > 150
    assert not heat[1, 12:].any()
