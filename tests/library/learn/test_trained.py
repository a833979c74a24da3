"""Loading a domain's trained model."""

import resource
from pathlib import Path

import pytest
import torch
from huggingface_hub import PyTorchModelHubMixin
from torch import nn

from winnow.learn.bounds import Layers
from winnow.learn.folder import model_folder
from winnow.learn.trained import load_trained
from winnow.pipeline.errors import WinnowError


class Network(nn.Module, PyTorchModelHubMixin):
    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Linear(width, 1), nn.Dropout(0.5))


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Network:
    monkeypatch.chdir(tmp_path)
    network = Network(width=3)
    network.save_pretrained(Path("data/plants/train/model"))
    return network


def test_the_network_comes_back_in_eval_mode_on_the_device(trained: Network) -> None:
    found = load_trained(Network, "plants", torch.device("meta"))
    assert {parameter.device.type for parameter in found.parameters()} == {"meta"}
    found = load_trained(Network, "plants")
    assert not any(module.training for module in found.modules())
    for name, value in trained.state_dict().items():
        assert torch.equal(found.state_dict()[name], value)


def test_what_the_hub_prints_is_dropped(
    trained: Network, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = Network.from_pretrained

    def printing(folder: Path) -> Network:
        print("Loading weights from local directory")
        return real(folder)

    monkeypatch.setattr(Network, "from_pretrained", printing)
    load_trained(Network, "plants")
    assert capsys.readouterr() == ("", "")


def test_without_a_trained_model_the_command_that_trains_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WinnowError, match="there is no trained model of plants here") as error:
        model_folder("plants")
    assert "dvc repro train@plants" in error.value.fix
    assert "--model" in error.value.fix


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_damaged_model_is_one_message(trained: Network, file: str) -> None:
    Path("data/plants/train/model", file).write_bytes(b"{half")
    with pytest.raises(WinnowError, match="the trained model of plants is damaged"):
        load_trained(Network, "plants")


@pytest.mark.parametrize("content", ["[]", "null", "7", '{"width": "three"}', '{"width": -1}', '{"width": null}', "{}"])
def test_a_configuration_that_is_none_is_one_message(trained: Network, content: str) -> None:
    Path("data/plants/train/model/config.json").write_text(content)
    with pytest.raises(WinnowError, match=r"no model of plants|the trained model of plants is damaged") as caught:
        load_trained(Network, "plants")
    assert "--model" in caught.value.fix or "dvc checkout" in caught.value.fix


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", ["layer.0.weight", "layer.0.bias"])
def test_weights_that_are_no_numbers_are_refused(trained: Network, name: str, value: float) -> None:
    """A network of NaN answers as one of numbers does: its first class, with the best conscience."""
    with torch.no_grad():
        trained.get_parameter(name).view(-1)[-1] = value
    trained.save_pretrained(Path("data/plants/train/model"))
    with pytest.raises(WinnowError, match=f"of plants is damaged: the weights in .* are not finite: {name}") as caught:
        load_trained(Network, "plants")
    assert "dvc checkout --force train@plants" in caught.value.fix


class Deeper(nn.Module, PyTorchModelHubMixin):
    def __init__(self, *, width: int, depth: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(*(nn.Linear(width, 1) for _ in range(depth)))


class Wider(nn.Module, PyTorchModelHubMixin):
    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Linear(width + 1, 1), nn.Dropout(0.5))


class Larger(Network):
    def __init__(self, *, width: int) -> None:
        super().__init__(width=width)
        self.scale = nn.Parameter(torch.ones(1))


class Centred(Network):
    def __init__(self, *, width: int) -> None:
        super().__init__(width=width)
        self.register_buffer("centre", torch.ones(1))


class Smaller(nn.Module, PyTorchModelHubMixin):
    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Linear(width, 1, bias=False), nn.Dropout(0.5))


@pytest.mark.parametrize("network", [Deeper, Wider, Larger, Centred, Smaller])
def test_a_model_of_another_version_is_refused(trained: Network, network: type[nn.Module]) -> None:
    with pytest.raises(WinnowError, match="this is no model of plants, or one of another version") as error:
        load_trained(network, "plants")
    assert "dvc repro train@plants" in error.value.fix


@pytest.mark.parametrize("content", ['{"width": 3, "depth": 1}', '{"width": {"attention": 0.0}, "tokens": 787}'])
def test_a_model_of_another_domain_is_not_called_damaged(trained: Network, content: str) -> None:
    Path("data/plants/train/model/config.json").write_text(content)
    with pytest.raises(WinnowError, match="this is no model of plants, or one of another version.*configuration is"):
        load_trained(Network, "plants")


def test_a_configuration_of_another_size_than_the_weights_takes_no_memory(trained: Network) -> None:
    Path("data/plants/train/model/config.json").write_text('{"width": 1000000000}')
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(WinnowError, match="of plants is damaged: width is 1000000000, and no weight has that size"):
        load_trained(Network, "plants")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000, "kilobytes; the layer has 4 GB"


class Repeated(Network):
    def __init__(self, *, width: int, depth: Layers) -> None:
        super().__init__(width=width)
        self.depth = depth


@pytest.mark.parametrize(("depth", "fits"), [(0, True), (64, True), (65, False), (-1, False)])
def test_an_arguments_declared_bounds_are_kept(trained: Network, depth: int, fits: bool) -> None:
    Path("data/plants/train/model/config.json").write_text(f'{{"width": 3, "depth": {depth}}}')
    if fits:
        assert load_trained(Repeated, "plants").depth == depth
        return
    with pytest.raises(WinnowError, match="the trained model of plants is damaged"):
        load_trained(Repeated, "plants")
