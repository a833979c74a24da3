"""What the assessor learns from: batches, mixing, and the loss of each head."""

from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch

from winnow.domains.documents import definitions
from winnow.domains.documents.evaluation import baselines
from winnow.domains.documents.model.examples import Examples
from winnow.domains.documents.model.mixing import Mixing
from winnow.domains.documents.model.network import Outputs
from winnow.domains.documents.model.sampling import KnownClassSampler
from winnow.domains.documents.model.training import AssessorTask
from winnow.domains.documents.params import Augment
from winnow.domains.documents.rules.measures import NAMES
from winnow.learn.samplers import BatchShare

TILING = definitions.Tiling(2, 32, "inked", (40,))


def test_every_batch_holds_all_five_classes_alike() -> None:
    classes = np.repeat(np.arange(5), (100, 40, 30, 20, 10))
    order = KnownClassSampler(classes, BatchShare(25, 1, 1, 0)).order(3)
    for start in range(0, len(order), 25):
        drawn = np.bincount(classes[order[start : start + 25]], minlength=5).tolist()
        assert drawn == [5] * 5, f"a batch of 25 holds {drawn} of the five classes"


def test_rows_without_a_class_keep_their_share() -> None:
    classes = np.concatenate([np.repeat(np.arange(5), 200), [-1] * 3])
    sampler = KnownClassSampler(np.random.default_rng(0).permutation(classes), BatchShare(32, 1, 1, 0))
    for seed in range(4):
        order = sampler.order(seed)
        assert len(order) == len(classes)
        drawn = np.bincount(order, minlength=len(classes))
        assert drawn[sampler.unknown].tolist() == [1, 1, 1]
        assert (np.bincount(np.random.default_rng(0).permutation(classes)[order] + 1)[1:] == 200).all()
    places = [np.flatnonzero(np.isin(sampler.order(seed), sampler.unknown)) for seed in range(6)]
    assert len({tuple(each) for each in places}) == 6


def batch(rows: int = 6) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    targets = ("scores", "labels", "legibilities", "readabilities")
    wide = {"severities": 10, "flags": 10, "classes": 5, "measures": 7}
    return {
        "inputs": torch.rand(rows, 3, 8),
        **{name: torch.rand(rows) for name in targets},
        **{name: torch.rand(rows, width) for name, width in wide.items()},
        "ids": torch.arange(rows),
    }


@pytest.mark.parametrize("kind", ["mixup", "cutmix"])
def test_everything_that_is_known_of_a_page_is_mixed_in_the_same_share(kind: str) -> None:
    plain, changed = batch(), 0
    augment = Augment(**{"mixup_alpha": 0.0, "cutmix_alpha": 0.0, f"{kind}_alpha": 0.5})
    for seed in range(6):
        mixed = Mixing(augment, TILING)(plain, np.random.default_rng(seed))
        rng = np.random.default_rng(seed)
        rng.integers(1)  # of one kind
        share, partner = rng.beta(0.5, 0.5), torch.from_numpy(rng.permutation(6))
        if kind == "cutmix":
            share = 1 - round((1 - share) * TILING.patches) / TILING.patches
        changed += share not in (0, 1)
        assert torch.equal(mixed["ids"], plain["ids"])
        for name in set(plain) - {"ids", "inputs"}:
            expected = share * plain[name] + (1 - share) * plain[name][partner]
            assert torch.allclose(mixed[name], expected, atol=1e-6), name
    assert changed


@pytest.mark.parametrize("name", ["readabilities", "scores", "severities", "flags", "legibilities"])
def test_pages_of_which_something_is_known_are_mixed_among_themselves(name: str) -> None:
    """Otherwise next to nothing would be learnt of the few pages that an OCR has read."""
    plain = batch(40)
    unknown = torch.arange(40) % 5 != 0
    plain[name][unknown] = torch.nan
    changed = 0
    for seed in range(6):
        mixed = Mixing(Augment(mixup_alpha=0.5, cutmix_alpha=1.0), TILING)(plain, np.random.default_rng(seed))
        assert torch.equal(mixed[name].reshape(40, -1).isnan().any(dim=1), unknown)
        changed += not torch.equal(mixed["measures"], plain["measures"])
    assert changed


class Weights:
    """Weights of the losses, each a number of its own."""

    regression, legibility, readability, classification, issues, consistency = 2.0, 3.0, 5.0, 7.0, 11.0, 0.0
    use_focal, focal_gamma, use_ordinal = False, 2.0, False


def test_each_head_is_trained_on_its_own_figure() -> None:
    """The gradient of each head's logit is 0 exactly where its own target is met."""
    task = object.__new__(AssessorTask)
    object.__setattr__(task, "params", type("Params", (), {"loss": Weights, "use_class_weights": False}))
    object.__setattr__(task, "flag_from", 0.2)
    targets = batch()
    targets["classes"] = torch.eye(5)[torch.arange(6) % 5]
    logits = {name: torch.logit(targets[name]) for name in ("scores", "legibilities", "readabilities")}
    classes, issues = torch.zeros(6, 5), torch.zeros(6, 10)
    outputs = Outputs(logits["scores"], logits["legibilities"], classes, issues, logits["readabilities"])
    found = task._losses(outputs, targets)
    for name in ("regression", "legibility", "readability"):
        lost = float(found[f"{name}_loss"].sum())
        assert lost == pytest.approx(0, abs=1e-6), f"{name}: a head that meets its target loses {lost:.3f}"
    wrong = Outputs(*(each + 1 if number in (0, 1, 4) else each for number, each in enumerate(outputs)))
    changed = task._losses(wrong, targets)
    heads = (("regression", "scores", 2), ("legibility", "legibilities", 3), ("readability", "readabilities", 5))
    for name, target, weight in heads:
        error = (torch.sigmoid(logits[target] + 1) - targets[target]).abs()
        smooth = torch.where(error < 0.1, error**2 / 0.2, error - 0.05)  # smooth L1, beta .1
        assert torch.allclose(changed[f"{name}_loss"], weight * smooth, atol=1e-5), name
    targets["readabilities"][0] = torch.nan
    assert float(task._losses(wrong, targets)["readability_loss"][0]) == 0


def test_every_target_of_a_page_is_its_own() -> None:
    """And no other figure of that page: a legibility that is the score would be learnt without a word."""
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"score": rng.random(8), "label": [0, 1, 2, 3, 4, -1, 2, 0]})
    one, wide = (lambda: torch.from_numpy(rng.random(8).astype(np.float32))), (8, len(definitions.ISSUES))
    examples = Examples(
        rows=rows,
        images=cast("Any", None),
        measures=torch.from_numpy(rng.random((8, 7)).astype(np.float32)),
        measure_names=tuple("abcdefg"),
        legibility=one(),
        readability=one(),
        severities=torch.from_numpy(rng.random(wide).astype(np.float32)),
        flags=torch.from_numpy(rng.integers(2, size=wide).astype(np.float32)),
    )
    task, places = object.__new__(AssessorTask), torch.tensor([5, 1, 7])
    object.__setattr__(task, "examples", examples)
    found = task._targets(places)
    classes = torch.eye(5)[[0, 1, 0]]
    classes[0] = torch.nan  # its class is unknown
    expected = {
        "measures": examples.measures[places],
        "scores": torch.tensor(rows["score"].to_numpy(np.float32))[places],
        "classes": classes,
        "labels": torch.tensor([-1.0, 1.0, 0.0]),
        "legibilities": examples.legibility[places],
        "readabilities": examples.readability[places],
        "severities": examples.severities[places],
        "flags": examples.flags[places],
    }
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert torch.equal(found[name].nan_to_num(-9), values.nan_to_num(-9)), f"{name} are those of something else"


@pytest.mark.parametrize("place", [0, len(NAMES) // 2, len(NAMES) - 1])
def test_the_trees_know_every_measure(place: int) -> None:
    """A score that follows one measure alone is found, whichever measure it is."""
    rng = np.random.default_rng(1)
    measures = rng.normal(size=(300, len(NAMES)))
    scores = np.where(measures[:, place] > 0, 0.9, 0.1)
    split = np.array(["train"] * 200 + ["val"] * 100)
    found = baselines.trees(measures, scores, definitions.class_of(scores), split, 0.05, 20, 0)
    error = np.abs(found.estimates.score - scores)[200:].mean()
    assert error < 0.15, f"trees err by {error:.2f} where the score follows {NAMES[place]}: they do not know it"


def test_the_validation_loss_weighs_classes_as_the_training_loss_does() -> None:
    found, rows = {}, batch()
    rows |= {"classes": torch.eye(5)[torch.arange(6) % 5], "labels": torch.arange(6) % 5}
    rows |= {"score": torch.zeros(6), "legibility": torch.zeros(6), "readability": torch.zeros(6)}
    rows |= {"class_logits": torch.rand(6, 5), "issues": torch.zeros(6, 10)}
    for weight, used in ((1.0, True), (3.0, True), (3.0, False)):
        task = object.__new__(AssessorTask)
        params = type("Params", (), {"loss": Weights, "use_class_weights": used})
        for name, value in (("params", params), ("flag_from", 0.2), ("class_weights", torch.full((5,), weight))):
            object.__setattr__(task, name, value)
        found[weight, used] = task.metrics(rows)["loss"]
    entropy = float(torch.nn.functional.cross_entropy(rows["class_logits"], rows["labels"]))
    assert found[3, True] - found[1, True] == pytest.approx(2 * Weights.classification * entropy, rel=1e-5)
    assert found[3, False] == found[1, True], "weights that are not used"
