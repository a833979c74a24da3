"""Large language models: a frozen base of 16 or 4 bits under adapters, loaded once, of a pinned commit."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel, AutoTokenizer, Qwen2Config, Qwen2Model

from tests.conftest import ROOT
from tests.stages.articles_model.trained import QWEN, TRAINED, base, trained_scores, weights
from tests.stages.programs import Programs
from winnow.domains.articles.definitions import read_config, scoring_of
from winnow.domains.articles.model.network import Scorer, merged
from winnow.domains.articles.model.scoring import load_scorer
from winnow.domains.articles.model.training import ScorerTask

RANK = 4


@pytest.fixture(autouse=True)
def _wider(here: Programs) -> None:
    """In the place of the smallest model, one of a width that bitsandbytes' kernels for CPUs take."""
    size = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 2, "num_key_value_heads": 2}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        Qwen2Model(Qwen2Config(vocab_size=300, num_hidden_layers=2, **size)).save_pretrained(QWEN)


def built(here: Programs, **changes: Any) -> Scorer:
    """The network before training, with adapters in which nothing is 0."""
    config = read_config(Path("data/articles/ingest/config.json"))
    rows = here.table("ingest/articles.parquet").head(8).assign(split="train", weight=1.0)
    task = ScorerTask(
        rows.assign(**dict.fromkeys(config.names, 5.0)),
        scoring_of(config),
        here.section("train", **{**TRAINED, **changes}),
    )
    model = task.build()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    return model.eval()


def bits_of(model: Scorer) -> tuple[float, int]:
    """Bits a weight of the frozen linear layers, and how many weights can be trained."""
    frozen = [(name, each) for name, each in model.backbone.named_parameters() if "proj.base_layer.weight" in name]
    size = 8 * sum(each.numel() * each.element_size() for _, each in frozen)
    plain = {name: each.numel() for name, each in Qwen2Model.from_pretrained(QWEN).named_parameters()}
    count = sum(size for name, size in plain.items() if "proj.weight" in name)
    return size / count, sum(each.numel() for each in model.parameters() if each.requires_grad)


@pytest.mark.parametrize(("dtype", "bits"), [("fp32", 32), ("bf16", 16), ("nf4", 4)])
def test_the_frozen_base_takes_as_many_bits_as_its_type_has(dtype: str, bits: int, here: Programs) -> None:
    model = built(here, lora={"rank": RANK, "base_dtype": dtype})
    found, trainable = bits_of(model)
    assert found == bits
    layers = [each for name, each in base().items() if "proj.weight" in name]
    assert trainable == sum(RANK * sum(each.shape) for each in layers) + sum(
        each.numel() for each in model.head.parameters()
    ), "adapters, two thin matrices a layer, and the head"
    assert all(each.dtype == torch.float32 for each in model.parameters() if each.requires_grad)


@pytest.mark.parametrize(("dtype", "near"), [("fp32", 1e-5), ("bf16", 0.05), ("nf4", 0.05)])
def test_merged_weights_score_as_base_and_adapters_do(dtype: str, near: float, here: Programs) -> None:
    model = built(here, lora={"rank": RANK, "base_dtype": dtype})
    torch.nn.init.normal_(model.head.weight, std=0.3)
    ids = torch.randint(3, 200, (4, 12), generator=torch.Generator().manual_seed(0))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "words": torch.full((4,), 9)}
    with torch.no_grad():
        before = model(**batch)
        model.backbone = merged(model.backbone)
        after = model(**batch)
    assert (after - before).abs().max() < near * before.std() + 1e-6
    expected = torch.float32 if dtype == "fp32" else torch.bfloat16
    assert {each.dtype for each in model.backbone.parameters()} == {expected}
    assert type(model.backbone.get_submodule("layers.0.self_attn.q_proj")) is torch.nn.Linear


@pytest.mark.parametrize("dtype", ["bf16", "nf4"])
def test_a_model_with_a_narrow_base_is_trained_and_needs_neither_adapters_nor_bitsandbytes(
    dtype: str, here: Programs
) -> None:
    given = {**TRAINED, "epochs": 2, "lora": {"rank": RANK, "base_dtype": dtype}, "gradient_checkpointing": True}
    here.run("train", **given)
    history = json.loads(Path("data/articles/train/model/training_history.json").read_text())["epochs"]
    assert history[1]["train"]["loss"] < history[0]["train"]["loss"]
    found, before = weights(), base()
    assert set(before) <= set(found)
    assert all(each.dtype == torch.bfloat16 for name, each in found.items() if name.startswith("backbone."))
    moved = [name for name in before if "proj.weight" in name]
    assert all(not torch.equal(found[name], before[name].bfloat16()) for name in moved)
    if dtype == "bf16":
        assert all(torch.equal(found[name], each.bfloat16()) for name, each in before.items() if name not in moved)
    network = load_scorer(torch.device("cpu")).network
    assert {each.dtype for each in network.backbone.parameters()} == {torch.bfloat16}, "as large in use as when saved"
    scores = trained_scores(["a school", "a river"])
    code = (
        "import sys; sys.modules['bitsandbytes'] = None; sys.modules['peft'] = None; import torch;"
        "from winnow.domains.articles.model.scoring import load_scorer;"
        "print(load_scorer(torch.device('cpu')).score(['a school', 'a river'], batch_size=2).tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": "", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert torch.allclose(torch.tensor(json.loads(done.stdout)), torch.tensor(scores.tolist()), atol=0.05)
    here.run("evaluate")


def test_the_pretrained_model_is_loaded_once_and_none_is_drawn(here: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ("from_pretrained", "from_config"):
        own = getattr(AutoModel, name)
        monkeypatch.setattr(AutoModel, name, lambda *a, own=own, name=name, **k: (calls.append(name), own(*a, **k))[1])
    model = built(here)
    assert calls == ["from_pretrained"]
    found = {name.removeprefix("backbone."): each for name, each in model.state_dict().items()}
    assert all(torch.equal(found[name], each) for name, each in load_file(QWEN / "model.safetensors").items())


def test_a_model_of_the_hub_is_of_a_pinned_commit(here: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    with pytest.raises(ValueError, match="model_revision is needed for someone/model"):
        here.section("train", model_name="someone/model")
    with pytest.raises(ValueError, match="should match pattern"):
        here.section("train", model_name="someone/model", model_revision="main")
    with pytest.raises(ValueError, match="set it to null"):
        here.section("train", model_name=QWEN.as_posix(), model_revision=commit)
    asked: list[Any] = []
    with monkeypatch.context() as patch:
        for kind in (AutoConfig, AutoModel, AutoTokenizer):
            own = kind.from_pretrained

            def from_hub(name: Any, *more: Any, own: Any = own, revision: str | None = None, **given: Any) -> Any:
                asked.append((name, revision))
                return own(QWEN, *more, **given)

            patch.setattr(kind, "from_pretrained", from_hub)
        here.run("train", **TRAINED | {"model_name": "someone/model", "model_revision": commit})
    asked = [each for each in asked if each[0] == "someone/model"]  # and not what these call themselves
    assert len(asked) >= 3, "configuration, weights and tokenizer"
    assert set(asked) == {("someone/model", commit)}
    told = json.loads(Path("data/articles/train/model/training_metadata.json").read_text())["configuration"]
    assert (told["model_name"], told["model_revision"]) == ("someone/model", commit)


def test_a_narrow_base_needs_adapters(here: Programs) -> None:
    with pytest.raises(ValueError, match="base_dtype bf16 is for a frozen base model"):
        here.section("train", lora={"base_dtype": "bf16"})
    with pytest.raises(ValueError, match="nf4 is for pretrained weights"):
        here.section("train", lora={"rank": 2, "base_dtype": "nf4"})


def test_qwen_7b_with_adapters_fits_a_gpu_of_16_gb() -> None:
    """On paper: its shape has as many weights as the arithmetic says."""
    from benchmarks.articles.memory import SHAPES, shares_of  # noqa: PLC0415

    config = Qwen2Config(**SHAPES["Qwen2.5-7B"])
    with torch.device("meta"):
        model = Qwen2Model(config)
    count = sum(each.numel() for each in model.parameters())
    linear = [each for name, each in model.named_parameters() if "proj.weight" in name]
    found = {dtype: shares_of("Qwen2.5-7B", dtype, rank=16) for dtype in ("fp32", "bf16", "nf4")}
    assert found["fp32"]["base"] == 4 * count
    assert found["bf16"]["base"] == 2 * count
    packed = sum(each.numel() for each in linear)
    assert found["nf4"]["base"] == pytest.approx(2 * (count - packed) + packed * (0.5 + 1 / 64), rel=0.01)
    adapters = sum(16 * sum(each.shape) for each in linear)
    assert found["bf16"]["trained"] == 16 * adapters, "weight, gradient and Adam's two means, 4 bytes each"
    assert sum(found["bf16"].values()) < 16e9 < sum(found["fp32"].values())
    assert sum(found["nf4"].values()) < 8e9
